"""None that was asked for an attribute, which ended a thread: it had read a location too early, or too late.

Violations of an order that is taken for granted: Lu, Park, Seo and Zhou, "Learning from mistakes" (2008). Another
thread stores what is used before it is there, or puts None in its place while it is in use. That None was read shows
nothing by itself; that it was used as something else, and that nobody was ready for the exception, does. Of an
exception that was only reported, the trace has no record: the source tells that it must have been raised.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.none_used import raised_by_none
from opcodetrace.analyse.put_back import PutBack
from opcodetrace.analyse.syntax import LOOPS, Tree
from opcodetrace.analyse.uncaught import MAX_REPORTED, Uncaught
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
    if trace.missed or trace.holes or trace.let_go or trace.merged:
        return
    search = _Search(evidence)
    ended = set()
    for asked in trace.asked_of_none:
        read = search.read(asked)
        if read is not None and int(trace.events.location[read]) not in unseen:
            ended.add(read)
            found = search.too_early(read) or search.too_late(read)
            if found is not None:
                yield found
    told = {each.second for each in evidence.unrepeatable_reads}
    sites = {int(trace.events.site[place]) for place in trace.events.places(told).values()}
    for read in search.reported():
        is_told = read in ended or int(trace.events.site[read]) in sites
        if not is_told and int(trace.events.location[read]) not in unseen:
            found = search.too_late(read, reported=True) or search.for_a_moment(read)
            if found is not None:
                yield found


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._pasts = evidence.pasts
        self._histories = Histories(trace.events)
        self._activations = evidence.activations
        self._handlers = evidence.handlers
        self._put_back = PutBack(evidence.trace, self._histories, self._activations, self._pasts)
        self._has_tasks = Lanes(trace).has_tasks

    def reported(self) -> Iterator[int]:
        """The places of the reads that gave None, of which something was asked at once, so that it raised, and whose
        exception came to a handler that only tells of it. No event says that it was raised: the code does."""
        events, trace = self._events, self._trace
        nones = np.flatnonzero((events.kind == EventKind.READ) & (events.tag == ValueTag.NONE) & (events.location >= 0))
        raised: dict[int, str] = {}
        for number in np.unique(events.site[nones]).tolist():
            site = trace.sites.get(number)
            found = self._activations.syntax.of_site(number) if site and site.operation.startswith("LOAD") else None
            error = None if found is None else raised_by_none(*found)
            if error is not None:
                raised[number] = error
        looked_at: Counter[int] = Counter()
        for place in nones[np.isin(events.site[nones], list(raised))].tolist():
            number = int(events.site[place])
            looked_at[number] += 1
            if looked_at[number] > MAX_REPORTED or not self._is_cell(place):
                continue
            if self._handlers.report(self._activations.lines(place), raised[number]):
                yield place

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
        is_read = events.kind[place] == EventKind.READ and events.tag[place] == ValueTag.NONE
        return place if is_read and self._is_cell(place) else None

    def _is_cell(self, place: int) -> bool:
        location = self._trace.locations.get(int(self._events.location[place]))
        is_cell = location is not None and location.certain and location.kind in _KINDS
        return is_cell and location.id not in self._trace.restructured  # type: ignore[union-attr]

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

    def too_late(self, read: int, *, reported: bool = False) -> Uncaught | None:
        """If another thread had put None there since this one found something else, or began what it was at. If the
        exception was only `reported`, it must have found or put that there in the same activation, or below that."""
        events = self._events
        changes: list[int] = []
        seen = None
        own = self._activations.of(read).begun
        begun = own if reported else self._activations.called_by_the_first(own)
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
        if (reported and begun < 0) or (seen is None and (reported or not 0 <= begun < changing)):
            return None
        is_sure = int(events.seq[change]) < reading and (seen is None or int(events.seq[seen]) < changing)
        first = None if seen is None else int(events.seq[seen])
        return Uncaught(int(events.location[read]), first, int(events.seq[change]), int(events.seq[read]), is_sure)

    def for_a_moment(self, read: int) -> Uncaught | None:
        """If another thread had put None there, and something else again in the same activation."""
        error = raised_by_none(*self._activations.syntax.of_site(int(self._events.site[read])))  # type: ignore[misc]
        if error is None or not self._handlers.report(self._activations.lines(read), error, only_once=True):
            return None
        earlier = [each for each in self._histories.before(read) if self._events.kind[each] != EventKind.READ]
        if len(earlier) < 2 or not self._is_none(earlier[0]) or not self._is_something(earlier[1]):
            return None
        if not self._are_two_threads(earlier[0], read) or not self._put_back.has(earlier[0], read):
            return None
        back = self._put_back.back(read)
        if back is None or not self._is_something(back):
            return None
        location, changed, seen = (
            int(each) for each in (self._events.location[read], *self._events.seq[[earlier[0], read]])
        )
        return Uncaught(location, None, changed, seen, True)

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
