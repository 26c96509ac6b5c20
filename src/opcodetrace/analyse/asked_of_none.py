"""None that was asked for an attribute, which ended a thread: it had read a location too early, or too late.

Violations of an order that is taken for granted: Lu, Park, Seo and Zhou, "Learning from mistakes" (2008). Another
thread stores what is used before it is there, or puts None in its place while it is in use. That None was read shows
nothing by itself; that it was used as something else, and that nobody was ready for the exception, does.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

import numpy as np

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.syntax import LOOPS, Tree
from opcodetrace.analyse.uncaught import Uncaught
from opcodetrace.analyse.windows import Lanes
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import AskedOfNone

_KINDS = frozenset([LocationKind.ITEM, LocationKind.ATTRIBUTE, LocationKind.GLOBAL, LocationKind.CELL])


def uses_of_none(evidence: Evidence, unseen: Collection[int]) -> Iterator[Uncaught]:
    """Not of locations that code wrote to which is not woven (`unseen`). None in a run of which accesses may be
    missing."""
    trace = evidence.trace
    if not trace.asked_of_none or trace.missed or trace.holes or trace.let_go or trace.merged:
        return
    search = _Search(evidence)
    for asked in trace.asked_of_none:
        read = search.read(asked)
        if read is not None and int(trace.events.location[read]) not in unseen:
            found = search.too_early(read) or search.too_late(read)
            if found is not None:
                yield found


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._pasts = evidence.pasts
        self._histories = Histories(trace.events)
        self._activations = evidence.activations
        self._has_tasks = Lanes(trace).has_tasks

    def read(self, asked: AskedOfNone) -> int | None:
        """The place of the read that gave None: the thread's last one of what the attribute was asked of."""
        events, trace = self._events, self._trace
        code = next(each for each in trace.codes if each.id == asked.code)
        point = self._activations.points.get((code.id, asked.offset))
        tree = self._activations.syntax.tree(code.file)
        node = None if point is None else tree.at(point)
        if not isinstance(node, ast.Attribute):
            return None
        source = _given_to(tree, node.value)
        sites = [each.id for each in code.sites if each.operation.startswith("LOAD") and tree.at(each) is source]
        end = int(np.searchsorted(events.seq, asked.seq))
        own = np.flatnonzero((events.thread[:end] == asked.thread) & np.isin(events.site[:end], sites))
        if not len(own):
            return None
        place = int(own[-1])
        location = self._trace.locations.get(int(events.location[place]))
        is_read = events.kind[place] == EventKind.READ and events.tag[place] == ValueTag.NONE
        is_cell = location is not None and location.certain and location.kind in _KINDS
        return place if is_read and is_cell and location.id not in trace.restructured else None  # type: ignore[union-attr]

    def too_early(self, read: int) -> Uncaught | None:
        """If nothing but None was ever there before, and another thread's next write was of something else."""
        events = self._events
        if any(self._is_something(place) for place in self._histories.before(read)):
            return None
        later = (place for place in self._histories.after(read) if events.kind[place] != EventKind.READ)
        change = next(later, None)
        if change is None or not self._is_something(change) or not self._are_two_threads(change, read):
            return None
        if self._pasts.holds(change, read) is not False:
            return None
        location, written, seen = (int(each) for each in (events.location[read], events.seq[change], events.seq[read]))
        return Uncaught(location, None, written, seen, bool(seen < written - events.before[change]))

    def too_late(self, read: int) -> Uncaught | None:
        """If another thread had put None there since this one found something else, or began what it was at."""
        events = self._events
        changes: list[int] = []
        seen = None
        begun = self._activations.called_by_the_first(self._activations.of(read).begun)
        was_there = False
        for place in self._histories.before(read):
            if events.thread[place] != events.thread[read]:
                changes += [place] if events.kind[place] != EventKind.READ and not was_there else []
                was_there |= self._is_something(place)
            elif self._is_something(place):
                seen, was_there = (place if events.seq[place] > begun else None), True
                break
            elif events.kind[place] != EventKind.READ or not changes:
                return None  # it put None there itself, or had found it before
            else:
                break
        if not was_there or not changes or not self._is_none(changes[0]):
            return None
        change = changes[0]
        if not self._are_two_threads(change, read) or self._pasts.holds(read, change) is not False:
            return None
        changing, reading = (int(events.seq[each] - events.before[each]) for each in (change, read))
        if seen is None and not 0 <= begun < changing:
            return None
        is_sure = int(events.seq[change]) < reading and (seen is None or int(events.seq[seen]) < changing)
        first = None if seen is None else int(events.seq[seen])
        return Uncaught(int(events.location[read]), first, int(events.seq[change]), int(events.seq[read]), is_sure)

    def _is_something(self, place: int) -> bool:
        """Whether there was something else than None after an access."""
        events = self._events
        return bool(
            events.kind[place] != EventKind.DELETE and events.tag[place] not in (ValueTag.NONE, ValueTag.ABSENT)
        )

    def _is_none(self, place: int) -> bool:
        return bool(self._events.kind[place] == EventKind.WRITE and self._events.tag[place] == ValueTag.NONE)

    def _are_two_threads(self, one: int, other: int) -> bool:
        threads = self._events.thread[[one, other]]
        return bool(threads[0] != threads[1] and not self._has_tasks[threads].any())


def _given_to(tree: Tree, value: ast.AST) -> ast.AST:
    """What a local variable was given, if that is one thing and no loop is around it; else the value itself."""
    bound = tree.bound(value) if isinstance(value, ast.Name) else None
    if not isinstance(bound, ast.Assign) or any(isinstance(step.parent, LOOPS) for step in tree.above(bound)):
        return value
    return bound.value
