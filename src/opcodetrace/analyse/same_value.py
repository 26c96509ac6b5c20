"""Which events have the same value."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from opcodetrace.trace.events import Events, ValueTag

Array = npt.NDArray[Any]

# Values of which it is known whether two of them are the same one.
KNOWN = (ValueTag.INT, ValueTag.FLOAT, ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE, ValueTag.OTHER, ValueTag.OBJECT)


def same(events: Events, one: Array, other: Array | int) -> Array:
    """Whether they have the same value."""
    same: Array = (events.tag[one] == events.tag[other]) & (events.word[one] == events.word[other])
    return same
