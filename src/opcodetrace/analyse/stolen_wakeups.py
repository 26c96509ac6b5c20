"""Wake-ups that were stolen: a thread waited because there was nothing, was notified that there is something, and did
not look again. Before it had the lock once more, another thread took what it was woken for.

So Mesa's monitors are (Lampson and Redell, "Experience with processes and monitors in Mesa", 1980): a notification is a
hint, and whoever was woken has to check again. "Wait not in loop" in Hovemeyer and Pugh, "Finding bugs is easy" (2004).
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.answers import would_hold
from opcodetrace.analyse.checks import begins_between
from opcodetrace.analyse.deciding_reads import DecidingReads
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.guards import Asked, Guards
from opcodetrace.analyse.happens_before import SyncOperation
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.pasts import Hearsay
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.sync import Act, Primitive

Array = npt.NDArray[Any]

MAX_PAIRS = 64  # of acts by two threads, that are looked at for a wait in the code
_NEAR = 200  # events before a notification among which the notifier's look is
MAX_WAITS = 10_000  # that are looked at for what could be stolen
_TAKES = frozenset(["pop", "popleft", "popitem", "heappop"])  # methods that raise if there is nothing


class Stolen(NamedTuple):
    """All but the objects are seqs."""

    object: int  # the Condition
    location: int
    check: int  # the read by which the thread decided to wait
    notification: int  # by which it was woken
    theft: int  # the other thread's write, by which there was nothing any more; of what could be, a later one
    act: int  # what the woken thread did without another look: an access that failed, if it happened
    happened: bool


class _Wait(NamedTuple):
    """A wait that a notification ended, under an `if`."""

    operation: SyncOperation
    began: int
    ended: int
    guard: Sequence[Asked]

    @property
    def thread(self) -> int:
        return self.operation.first.thread


class _Woken(NamedTuple):
    """What a thread did once it was woken, and why it had waited. Places among the events, but for the notification."""

    wait: _Wait
    notification: int  # seq
    check: int
    change: int  # the write by which there was something
    act: int


def stolen_wakeups(evidence: Evidence) -> Iterator[Stolen]:
    """Those that happened, and one for each wait in the code at which it could. None in a run of which records are
    missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes or not _any_wait(trace):
        return
    search = _Search(evidence)
    happened = list(search.happened())
    yield from happened
    sites = {int(trace.events.site[place]) for place in trace.events.places(each.act for each in happened).values()}
    yield from search.possible(sites)


def _any_wait(trace: Trace) -> bool:
    conditions = {each.id for each in trace.sync_objects if each.type_name == Primitive.CONDITION}
    wait: str = Act.WAIT
    return bool(conditions) and any(
        each.operation == wait and each.object in conditions and not (each.begins or each.failed)
        for each in trace.synchronisation
    )


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._guards = Guards(trace)
        self._handlers = evidence.handlers
        self._locations: dict[int, Array] = {}  # by container
        self._waits = list(self._waits_under_an_if())
        self._of_thread: defaultdict[int, list[_Wait]] = defaultdict(list)
        for each in self._waits:
            self._of_thread[each.thread].append(each)
        calls = {each.operation.first.site: self._guards.wait(each.operation.first.site or 0) for each in self._waits}
        self._reads = DecidingReads(trace, self._guards, [call for call in calls.values() if call is not None])

    @cached_property
    def _histories(self) -> Histories:
        return self._evidence.checks.histories

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._evidence)

    def _waits_under_an_if(self) -> Iterator[_Wait]:
        conditions = {each.id for each in self._trace.sync_objects if each.type_name == Primitive.CONDITION}
        for operation in self._evidence.pasts.operations.all:
            first, last = operation.first, operation.last
            if first.operation != Act.WAIT or first.object not in conditions or first.site is None:
                continue
            call = self._guards.wait(first.site)
            if call is not None and call.guard and not call.looks_again and operation.done and last is not None:
                yield _Wait(operation, first.seq, last.seq, call.guard)

    @cached_property
    def _notifications(self) -> Mapping[int, list[tuple[int, SyncOperation]]]:
        """By the lock that a thread waits by: the seqs of its releases, and the notification of each."""
        found: defaultdict[int, list[tuple[int, SyncOperation]]] = defaultdict(list)
        for operation in self._evidence.pasts.operations.all:
            if operation.first.operation == Act.NOTIFY and operation.first.site is not None:
                for part in operation.parts:
                    if part.operation == Act.RELEASE and part.object is not None:
                        found[part.object].append((part.seq, operation))
        return found

    def _notification(self, wait: _Wait) -> SyncOperation | None:
        """The one that woke the thread."""
        for part in wait.operation.parts:
            if part.operation == Act.ACQUIRE and part.object is not None:
                for seq, operation in self._notifications.get(part.object, ()):
                    if wait.began < seq < wait.ended and operation.first.object == wait.operation.first.object:
                        return operation
        return None

    def happened(self) -> Iterator[Stolen]:
        events = self._events
        lanes = np.array(sorted(self._of_thread), np.int64)
        failures = events.failed() & (events.kind == EventKind.READ) & np.isin(events.thread, lanes)
        for act in np.flatnonzero(failures & (events.location >= 0)).tolist():
            wait = self._last_wait(act)
            woken = None if wait is None else self._woken(wait, act)
            if woken is None or self._handlers.expect(int(events.site[act]), str(events[act].value)):
                continue
            thefts = [place for place in self._others(woken, act) if not self._gives(woken, place)]
            own = woken.wait.thread, int(events.thread[woken.change])
            if not thefts or int(events.thread[thefts[0]]) in own or not self._in_order(woken.change, thefts[0], act):
                continue
            if self._evidence.pasts.holds(act, thefts[0]) is False:
                yield self._stolen(woken, thefts[0], happened=True)

    def possible(self, told: set[int]) -> Iterator[Stolen]:
        """Without those acts (sites) that are `told` as they happened."""
        woken_at: defaultdict[tuple[int, int], list[_Woken]] = defaultdict(list)
        for wait in self._waits[:MAX_WAITS]:
            act = self._first_act(wait)
            if act is None or int(self._events.site[act]) in told:
                continue
            woken = self._woken(wait, act)
            if woken is not None:
                woken_at[int(self._events.location[act]), int(self._events.site[act])].append(woken)
        for (location, site), row in sorted(woken_at.items()):
            found = self._could_be(location, site, row)
            if found is not None:
                yield self._stolen(*found, happened=False)

    def _could_be(self, location: int, site: int, row: Sequence[_Woken]) -> tuple[_Woken, int] | None:
        events = self._events
        takes = [
            place
            for place in self._histories.of(location)
            if events.site[place] == site and events.kind[place] == EventKind.WRITE
        ]
        left = MAX_PAIRS
        for woken in row:
            start = bisect.bisect_right(takes, woken.act)
            for other in takes[start : start + 4]:
                check = self._check_of(woken, other)
                if check is None:
                    continue
                left -= 1
                if not self._may_be_ordered(woken.change, check) and not self._may_be_ordered(woken.act, check):
                    return woken, other
                if not left:
                    return None
        return None

    def _check_of(self, woken: _Woken, act: int) -> int | None:
        """The check of another thread before it took something out of the same."""
        events, check = self._events, woken.check
        if events.thread[act] == events.thread[check]:
            return None
        for place in self._histories.before(act):
            if events.thread[place] == events.thread[act] and events.site[place] == events.site[check]:
                return None if begins_between(events, place, act) or place < woken.act else place
        return None

    def _may_be_ordered(self, earlier: int, later: int) -> bool:
        return self._evidence.pasts.holds(later, earlier) is not False or self._hearsay.reached(earlier, later)

    def _last_wait(self, act: int) -> _Wait | None:
        row = self._of_thread[int(self._events.thread[act])]
        at = bisect.bisect_left(row, int(self._events.seq[act]), key=lambda wait: wait.ended)
        return row[at - 1] if at else None

    def _first_act(self, wait: _Wait) -> int | None:
        """Where the thread first took something out of what it had waited for, before it looked at it again."""
        events = self._events
        for read in self._checks(wait):
            for place in self._histories.after(int(np.searchsorted(events.seq, read.seq))):
                if events.thread[place] != wait.thread or events.seq[place] < wait.ended:
                    continue
                is_taken = self._guards.called(int(events.site[place])) in _TAKES
                if is_taken and events.kind[place] == EventKind.WRITE:
                    expected = self._handlers.expect(int(events.site[place]))
                    return None if expected else place
                if not is_taken:
                    break
        return None

    def _checks(self, wait: _Wait) -> Iterator[Event]:
        for asked in wait.guard:
            yield from self._reads.before(wait.operation.first, asked)

    def _woken(self, wait: _Wait, act: int) -> _Woken | None:
        """If the wait was for what is taken by the act, and the thread did not look again."""
        events = self._events
        notification = self._notification(wait)
        if notification is None or notification.first.thread == wait.thread:
            return None
        for asked in wait.guard:
            for read in self._reads.before(wait.operation.first, asked):
                check = int(np.searchsorted(events.seq, read.seq))
                if (
                    events.location[check] != events.location[act]
                    or events.frame[check] != events.frame[act]
                    or begins_between(events, check, act)
                    or self._touches(wait, check, act)
                ):
                    continue
                changes = [
                    place
                    for place in self._changes(read.location, wait.began, wait.ended)
                    if events.thread[place] != wait.thread
                ]
                change = self._told_of(changes, notification, asked, read)
                if change is not None:
                    return _Woken(wait, notification.first.seq, check, change, act)
        return None

    def _told_of(self, changes: Sequence[int], notification: SyncOperation, asked: Asked, read: Event) -> int | None:
        """The change of which a notification tells: one of the notifier's own; or another one, if the notifier had
        looked itself before it told of it."""
        events, told = self._events, notification.first
        undoing = [place for place in changes if self._reads.undoes(events[place], asked, read)]
        own = [place for place in undoing if events.thread[place] == told.thread]
        before = [place for place in undoing if events.seq[place] < told.seq]
        if own or not before:
            return own[-1] if own else None
        end = int(np.searchsorted(events.seq, told.seq))
        near = slice(max(before[-1], end - _NEAR), end)
        (looks,) = np.nonzero((events.location[near] == read.location) & (events.thread[near] == told.thread))
        look = near.start + int(looks[-1]) if len(looks) else None
        if look is None or events.kind[look] != EventKind.READ or not isinstance(events[look].value, int):
            return None
        return before[-1] if would_hold(asked.answer, events[look].value) is False else None

    def _touches(self, wait: _Wait, check: int, act: int) -> bool:
        """Whether the thread was at the location between check and act, but for the act itself."""
        events = self._events
        for place in self._histories.before(act):
            if place <= check:
                return False
            same = events.site[place] == events.site[act] and events.seq[place] > wait.ended
            if events.thread[place] == wait.thread and not (same and events.kind[place] == EventKind.READ):
                return True
        return True

    def _others(self, woken: _Woken, act: int) -> list[int]:
        """The changes after the one by which there was something, the latest first."""
        began, ended = (int(self._events.seq[place]) for place in (woken.change, act))
        return self._changes(int(self._events.location[act]), began, ended)[::-1]

    def _changes(self, location: int, after: int, before: int) -> list[int]:
        """Of a location between two seqs; of a container as a whole, those of its items, too."""
        events, resized = self._events, self._trace.resized
        between = slice(*np.searchsorted(events.seq, (after + 1, before)).tolist())
        its = events.location[between] == location
        if self._trace.locations[location].kind is LocationKind.WHOLE and resized is not None:
            its |= np.isin(events.location[between], self._within(int(resized.containers[location])))
        found: list[int] = (between.start + np.flatnonzero(its & (events.kind[between] != EventKind.READ))).tolist()
        return found

    def _within(self, container: int) -> Array:
        """The locations of a container."""
        if container not in self._locations:
            assert self._trace.resized is not None
            self._locations[container] = np.flatnonzero(self._trace.resized.containers == container)
        return self._locations[container]

    def _gives(self, woken: _Woken, place: int) -> bool:
        """Whether a write undid what the check had found."""
        check = self._events[woken.check]
        return any(self._reads.undoes(self._events[place], asked, check) for asked in woken.wait.guard)

    def _in_order(self, *places: int) -> bool:
        """Whether they came in that order in all orders that agree with the trace."""
        seqs = [int(self._events.seq[place]) for place in places]
        earliest = [int(self._events.seq[place] - self._events.before[place]) for place in places]
        return all(before < after for before, after in zip(seqs, earliest[1:], strict=False))

    def _stolen(self, woken: _Woken, theft: int, *, happened: bool) -> Stolen:
        condition = woken.wait.operation.first.object
        assert condition is not None
        check, stolen, act = (int(self._events.seq[place]) for place in (woken.check, theft, woken.act))
        location = int(self._events.location[woken.act])
        return Stolen(condition, location, check, woken.notification, stolen, act, happened)
