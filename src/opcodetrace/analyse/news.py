"""What a read tells its thread, of what another thread had done before it wrote there.

Nothing, if the location had held the same before that: the thread would have gone on the same way had it come first.
And nothing if what it found decides nothing, or nothing otherwise than what was there before: neither whether or when
something is done, nor with which object (`value_uses`). What is made of it and stored elsewhere may decide something
there.
"""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from collections.abc import Container
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.activations import Part
from opcodetrace.analyse.made_of import called_name
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.syntax import Tree
from opcodetrace.analyse.value_uses import Condition, Form, Needs, Uses, uses
from opcodetrace.trace.event import EventKind, Opaque, Value
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

NOTHING: frozenset[int] = frozenset()
A_NUMBER = -1  # in place of what was there before: it is not known which
_LOADS = (
    Operation.LOAD_ATTR,
    Operation.LOAD_SUBSCR,
    Operation.LOAD_GLOBAL,
    Operation.LOAD_NAME,
    Operation.LOAD_DEREF,
)
_STORES = (
    Operation.STORE_ATTR,
    Operation.STORE_SUBSCR,
    Operation.STORE_GLOBAL,
    Operation.STORE_NAME,
    Operation.STORE_DEREF,
)
_KNOWN = (ValueTag.INT, ValueTag.FLOAT, ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE, ValueTag.OBJECT)
_NUMBERS = (ValueTag.INT, ValueTag.FLOAT)
_PLAIN = (*_NUMBERS, ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE)
_FURTHEST = 4  # callers to which a value is returned
_MOST_STEPS = 200  # events of an activation between a read and a store


class News:
    """Says of reads what they tell. Places are those among the events."""

    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._accesses = evidence.accesses
        self._activations = evidence.checks.called.activations
        self._unseen = {each.location for each in evidence.unseen}
        self._own = {code.function.rpartition(".")[2] for code in evidence.trace.codes}  # names of functions
        self._uses: dict[tuple[Tree, ast.AST, frozenset[Form]], Uses | None] = {}
        self._goes: dict[int, tuple[Needs, frozenset[int]] | None] = {}  # by read

    def before(self, location: int, place: int) -> int | None:
        """The last access of a location before an event, which shows what was there then; None if that is not known."""
        each = self._trace.locations[location]
        if not each.certain or each.kind is LocationKind.WHOLE or location in self._trace.restructured:
            return None
        begin, end = self._accesses.bounds[location : location + 2]
        its = self._accesses.order[begin:end]
        at = int(np.searchsorted(its, np.int32(place)))
        return int(its[at - 1]) if at else None

    def of(self, read: int, before: int | None) -> frozenset[int] | None:
        """The writes to which a read hands on that it does not return what was there `before`; none, if it does. None
        if it may decide something else by that."""
        events = self._events
        if before == A_NUMBER:
            found = self._way(read)
            is_any = found is not None and not (found[0].of_one_type or found[0].conditions)
            return found[1] if found is not None and is_any and self.is_number(read) else None
        location = int(events.location[read])
        if before is None or location in self._unseen or events.kind[before] == EventKind.DELETE:
            return None
        if self._is_same(read, before):
            return NOTHING
        found = self._way(read)
        return None if found is None or not self._suits(found[0], read, before) else found[1]

    def is_number(self, place: int | None) -> bool:
        """Whether an access found or left one."""
        if place is None or place == A_NUMBER:
            return place is not None
        return int(self._events.tag[place]) in _NUMBERS and _is_finite(self._events[place].value)

    def _way(self, read: int) -> tuple[Needs, frozenset[int]] | None:
        if read not in self._goes:
            self._goes[read] = self._followed(read)
        return self._goes[read]

    def _is_same(self, one: int, other: int) -> bool:
        events = self._events
        tag = events.tag[one]
        if tag != events.tag[other] or (tag != ValueTag.OTHER and tag not in _KNOWN):
            return False
        if events.word[one] == events.word[other] and tag in _KNOWN:
            return True
        return tag == ValueTag.OTHER and is_same(events[one].value, events[other].value)

    def _suits(self, needs: Needs, read: int, before: int) -> bool:
        """Whether nothing that is made of the one value could not be made of the other, or answers otherwise."""
        values = [self._events[place].value for place in (read, before)]
        if not all(_is_answered_alike(each, *values) for each in needs.conditions):
            return False
        tags = {int(self._events.tag[place]) for place in (read, before)}
        if tags & {ValueTag.ABSENT, ValueTag.SOME_OBJECT} or (needs.of_one_type and len(tags) > 1):
            return False
        if all(tag in _NUMBERS for tag in tags):
            return all(map(_is_finite, values))
        if needs.number:
            return False
        is_text = all(isinstance(value, str) or _is_text(value) for value in values)
        return is_text or not (needs.added or (needs.plain and not all(tag in _PLAIN for tag in tags)))

    def _followed(self, read: int) -> tuple[Needs, frozenset[int]] | None:
        """Up to who gets it: what it must be, and the writes that it is stored by."""
        events = self._events
        site = self._trace.sites.get(int(events.site[read]))
        if site is None or site.operation not in _LOADS:
            return None
        needs, stores = Needs(), NOTHING
        function, forms = "", frozenset([Form.SAME])
        for above, part in enumerate(self._activations.parts(read)):
            if above > _FURTHEST or (above and not _gets(part.node, function)):
                return None
            found = self._uses_of(part, forms)
            written = None if found is None else self._writes(read, part, found, is_its_own=not above)
            if found is None or written is None:
                return None
            needs, stores = needs.joined(found.needs), stores | written
            if not found.returned:
                return needs, stores
            forms, function = found.returned, part.function.rpartition(".")[2]
        return None

    def _uses_of(self, part: Part, forms: frozenset[Form]) -> Uses | None:
        key = part.tree, part.node, forms
        if key not in self._uses:
            self._uses[key] = uses(*key, self._own)
        return self._uses[key]

    def _writes(self, read: int, part: Part, its: Uses, *, is_its_own: bool) -> frozenset[int] | None:
        """Those by which an activation stored what it had read, or been given. None if one is not known: it may be of
        what no other thread has, and is not recorded."""
        if not its.stores:
            return NOTHING
        events, frame = self._events, part.activation.frame
        if not is_its_own:
            enter = events.places([part.activation.begun]).get(part.activation.begun)
            frame = -1 if enter is None else int(events.frame[enter])
        if frame < 0:
            return None
        found: set[int] = set()
        for target in its.stores:
            writes = self._next(read, frame, self._sites_of.get(target, NOTHING), until_again=is_its_own)
            if not writes:
                return None
            found |= writes
        return frozenset(found)

    def _next(self, read: int, frame: int, sites: Container[int], *, until_again: bool) -> set[int]:
        """The next writes of an activation by one of some instructions; none if it reads again before that."""
        events = self._events
        places = self._of_frame(frame)
        at = int(np.searchsorted(places, read, side="right"))
        found: set[int] = set()
        for place in places[at : at + _MOST_STEPS].tolist():
            kind = events.kind[place]
            if events.site[place] not in sites:
                if found or kind == EventKind.ENTER or (until_again and events.site[place] == events.site[read]):
                    break
            elif kind == EventKind.ELSEWHERE:
                return set()
            elif kind == EventKind.WRITE:
                found.add(place)
        return found

    def _of_frame(self, frame: int) -> Array:
        order, bounds = self._by_frame
        return order[bounds[frame] : bounds[frame + 1]]

    @cached_property
    def _by_frame(self) -> tuple[Array, Array]:
        frames = self._events.frame
        bounds = np.zeros(int(frames.max(initial=-1)) + 2, np.int64)
        order = np.empty(int(np.count_nonzero(frames >= 0)), np.int32)
        _passes.group(frames, bounds, order)
        return order, bounds

    @cached_property
    def _sites_of(self) -> dict[ast.AST, set[int]]:
        """By what is assigned to: the instructions that do."""
        found: defaultdict[ast.AST, set[int]] = defaultdict(set)
        for number, site in self._trace.sites.items():
            if site.operation in _STORES:
                at = self._activations.syntax.of_site(number)
                if at is not None:
                    found[at[1]].add(number)
        return found


def _gets(node: ast.AST, function: str) -> bool:
    """Whether an expression's value is what a function of that name returned."""
    match node:
        case ast.Call(func):
            return called_name(func) == function
        case ast.Attribute(attr=name, ctx=ast.Load()):
            return name == function
        case _:
            return False


def _is_answered_alike(condition: Condition, one: Value, other: Value) -> bool:
    values = one, other
    if condition.operator not in ("Is", "IsNot") and any(isinstance(each, Opaque | bytes) for each in values):
        return False  # it may be answered by code of the program, or not all of it is known
    try:
        return condition.answer(one) == condition.answer(other)
    except TypeError:
        return False


def _is_finite(value: Value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_text(value: Value) -> bool:
    return isinstance(value, Opaque) and value.type_name == "str"
