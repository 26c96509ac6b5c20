"""Which events have the same value."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.trace.event import EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.events import Events, ValueTag

Array = npt.NDArray[Any]

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")

# Values of which it is known whether two of them are the same one.
KNOWN = (ValueTag.INT, ValueTag.FLOAT, ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE, ValueTag.OTHER, ValueTag.OBJECT)

_IMMUTABLE = (ValueTag.INT, ValueTag.FLOAT, ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE)


def same(events: Events, one: Array, other: Array | int) -> Array:
    """Whether they have the same value."""
    same: Array = (events.tag[one] == events.tag[other]) & (events.word[one] == events.word[other])
    return same


def repeated(events: Events, wholes: Array) -> Array:
    """Of each event, whether it wrote the number, the truth value or the None that the last write there had left. Not
    of containers as a whole (`wholes`): there it is what was added."""
    found = np.zeros(len(events), bool)
    writes = np.flatnonzero(
        ((events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)) & (events.location >= 0)
    )
    writes = writes[np.argsort(events.location[writes], kind="stable")]
    one, other = writes[:-1], writes[1:]
    alike = same(events, one, other) & (events.location[one] == events.location[other])
    alike &= (events.kind[one] == EventKind.WRITE) & (events.kind[other] == EventKind.WRITE)
    alike &= np.isin(events.tag[other], _IMMUTABLE) & ~np.isin(events.location[other], wholes)
    found[other[alike]] = True
    return found


def is_same(one: Value, other: Value) -> bool:
    """The same of two values, as far as it is known."""
    if is_unknown(one) or is_unknown(other):
        return False
    if isinstance(one, Opaque) and isinstance(other, Opaque) and one.text is not None and not one.changes:
        alike = (one.type_name, one.text) == (other.type_name, other.text)  # two tuples (1, 2)
        return alike and (one.identity == other.identity or _is_whole(one.text))
    return type(one) is type(other) and one == other


def _is_whole(text: str) -> bool:
    """Whether a text says all of a value: no item is told by its type alone, and nothing was cut."""
    return "…" not in text and not any(part in _QUOTED.sub("", text) for part in ("<", " of "))
