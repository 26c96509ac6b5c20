"""Checks of a container as a whole: how many items it has, and whether one of them is there.

`if len(items) < limit: items.append(x)`, `if x not in items: items.append(x)`. A `len` and a truth test read how many
items there are, `in` reads with the item that it asks for, and a write with a value added just that item.
"""

from __future__ import annotations

from collections.abc import Iterable

from opcodetrace.analyse.same_value import is_same
from opcodetrace.trace.event import ABSENT, Event, EventKind, Value
from opcodetrace.trace.site import Operation, Site


def adds_one(event: Event) -> bool:
    """Of a write of a container as a whole, whether it added one item, and no more."""
    return event.kind == EventKind.WRITE and event.value is not ABSENT


def size_after(check: Event, changes: Iterable[Event]) -> Value:
    """How many items there were after changes since a check of that; ABSENT if it is not known."""
    size = check.value
    for change in changes:
        removes_one = change.kind == EventKind.DELETE  # an item of a dictionary or a set
        if not (adds_one(change) or removes_one) or type(size) is not int:
            return ABSENT
        size += -1 if removes_one else 1
    return size if type(size) is int else ABSENT


def is_for_an_item(check: Site) -> bool:
    """Whether a check asks for one of the items."""
    return check.operation == Operation.CONTAINS


def was_added(check: Event, changes: Iterable[Event], act: Event) -> bool:
    """Whether changes put the item there that a check had asked for, which the act adds, and took nothing out."""
    known = [*changes]
    if not is_same(check.value, act.value) or not all(map(adds_one, known)):
        return False
    return any(is_same(change.value, act.value) for change in known)
