"""When objects were first seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.trace.events import Events, ValueTag


def first_seen(events: Events) -> npt.NDArray[Any]:
    """By object (`Opaque.identity`): the place of the first event that has it as its value, or their number."""
    identities = events.identities()
    found = np.full(int(identities.max(initial=0)) + 1, len(events), np.int64)
    for start in reversed(range(0, len(events), PIECE)):
        (which,) = np.nonzero(events.tag[start : start + PIECE] == ValueTag.OBJECT)
        found[identities[events.word[start : start + PIECE][which[::-1]]]] = start + which[::-1]
    return found
