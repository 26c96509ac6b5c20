"""Notifications that reached nobody, and the waits that missed them.

A Condition's `notify` and an Event's `set` let those threads or tasks go on that wait. A Condition forgets a `notify`
at once, an Event a `set` with the next `clear`; who comes to wait after that waits for another one. That is a missed
signal: Pugh and others name it for Java's monitors ("naked notify", "wait not in loop": Hovemeyer and Pugh, "Finding
bugs is easy", 2004). It is none if the one who waits had seen what was to be told: who checks under the lock and then
waits misses nothing. So the check that decided that the wait is called (`guards`) must have come before the change.

Semaphores and queues remember; nothing is lost there.

A timeout or a cancellation ends a task's wait by an exception, of which there is no record. But a task that waits makes
no step. So its next one ends the wait, whatever came of it.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.deciding_reads import DecidingReads
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.guards import Asked, Guards, Wait
from opcodetrace.analyse.happens_before import SyncOperation
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.analyse.syntax import Syntax
from opcodetrace.analyse.wiped_answers import wiped_answer
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.sync import CONDITIONS, EVENTS, Act, Primitive, Synchronisation

MAX_SINCE = 1_000  # notifications before a wait, or writes, that are looked at
MAX_BETWEEN = 100_000  # events between two operations that are looked at
_GIVES = frozenset([Act.NOTIFY, Act.SET])


class Missed(NamedTuple):
    """A notification that reached nobody, and the wait that came too late for it. All but the objects are seqs."""

    object: int
    location: int | None
    check: int | None  # the read by which the thread decided to wait, before ...
    change: int | None  # ... the other one's write, which it was to be told of
    notification: int
    clear: int | None  # of an Event: this made it forget the notification
    wait: int
    is_sure: bool


@dataclass(slots=True)
class _Given:
    """A `notify` or `set`."""

    operation: SyncOperation
    reached: bool  # or may have
    clear: SyncOperation | None = None

    @property
    def first(self) -> Synchronisation:
        return self.operation.first


@dataclass(slots=True)
class _Wait:
    """A wait that nobody ended."""

    operation: SyncOperation
    forgotten: Sequence[_Given]  # what reached nobody, of the same object; ...
    earlier: int  # ... so many of them came before it
    before: Sequence[SyncOperation]  # what the same thread had done with the object, the last two
    is_first: bool  # of that thread, at this object
    is_over: bool = True  # it timed out, or was cancelled

    @property
    def first(self) -> Synchronisation:
        return self.operation.first

    @property
    def given(self) -> Sequence[_Given]:
        """What reached nobody, before it; the latest of these."""
        return self.forgotten[max(0, self.earlier - MAX_SINCE) : self.earlier]


@dataclass(slots=True)
class _Used:
    """What is going on at one Condition or Event."""

    waiting: dict[int, _Wait] = field(default_factory=dict)  # by thread
    giving: dict[int, _Given] = field(default_factory=dict)  # by thread
    # of an Event, since its last `clear`
    remembered: deque[_Given] = field(default_factory=partial(deque, maxlen=MAX_SINCE))
    forgotten: list[_Given] = field(default_factory=list)  # reached nobody
    last_given: int = -1
    before: dict[int, list[SyncOperation]] = field(default_factory=dict)  # by thread: its last two operations
    waited: set[int] = field(default_factory=set)  # threads


def missed(evidence: Evidence) -> Iterator[Missed]:
    """For each wait that nobody ended the first notification that it missed, in the order of the waits.

    None in a run of which records are missing: somebody may have been reached, or may have looked again."""
    trace, pasts = evidence.trace, evidence.pasts
    if trace.let_go or trace.merged or trace.missed or trace.holes or not _any_unended(trace):
        return
    waits = _unended(trace, pasts.operations.all)
    if not waits:
        return
    guards, syntax = Guards(trace), evidence.activations.syntax
    called = [(each, guards.wait(each.first.site)) for each in waits if each.first.site is not None]
    checks = _Checks(trace, guards, [call for _, call in called if call is not None])
    for each, call in called:
        if call is None:
            continue
        found = (
            checks.stale(each, call)
            or _wiped(trace, guards, each)
            or _wiped_out(trace, syntax, pasts, each, call)
            or _unchecked(trace, pasts, each, call)
        )
        if found is not None:
            yield found


def _types(trace: Trace) -> dict[int, str]:
    return {each.id: each.type_name for each in trace.sync_objects if each.type_name in CONDITIONS | EVENTS}


def _any_unended(trace: Trace) -> bool:
    """Whether any wait timed out, or has no end, for an object that was notified, or set and cleared."""
    types = _types(trace)
    under_way: Counter[int] = Counter()  # by object
    timed_out: set[int] = set()
    forgets: set[int] = set()
    wait: str = Act.WAIT
    for each in trace.synchronisation if types else ():
        number = each.object
        if number is None or number not in types:
            continue
        if each.operation == wait:
            under_way[number] += 1 if each.begins else -1
            if each.failed:
                timed_out.add(number)
        elif each.operation == (Act.CLEAR if types[number] in EVENTS else Act.NOTIFY):
            forgets.add(number)
    return not forgets.isdisjoint(timed_out | {number for number, more in under_way.items() if more > 0})


def _unended(trace: Trace, operations: Iterable[SyncOperation]) -> list[_Wait]:
    """The waits that nobody ended, at objects to which something had been given before that reached nobody.

    If it cannot be told which of two operations came first, the notification counts as one that reached somebody."""
    types = _types(trace)
    steps: list[tuple[int, bool, SyncOperation]] = []
    used_here = [each for each in operations if each.first.object in types and not _raised_at_once(each, types)]
    of_tasks = _StepsOfTasks(trace, used_here)
    for operation in used_here:
        steps.append((operation.first.seq, True, operation))
        last = of_tasks.next(operation) if operation.last is None else operation.last.seq
        if last is not None:
            steps.append((last, False, operation))
    used: defaultdict[int, _Used] = defaultdict(_Used)
    found: list[_Wait] = []
    for seq, begins, operation in sorted(steps, key=lambda step: step[:2]):
        number, thread, act = operation.first.object, operation.first.thread, operation.first.operation
        if number is None:
            continue
        at = used[number]
        if begins and act == Act.WAIT:
            for given in at.giving.values():
                given.reached = True
            before = at.before.get(thread, [])
            is_first = thread not in at.waited
            at.waiting[thread] = _Wait(operation, at.forgotten, len(at.forgotten), before, is_first)
            at.waited.add(thread)
        elif begins and act in _GIVES:
            at.giving[thread] = _Given(operation, bool(at.waiting) or _released(operation))
            at.last_given = operation.first.seq
        elif act == Act.WAIT:
            wait = at.waiting.pop(thread, None)
            if operation.done:
                at.remembered.clear()
                for given in at.giving.values():
                    given.reached = True
            elif wait is not None and wait.earlier and (operation.last is not None or at.last_given < wait.first.seq):
                wait.is_over = operation.last is not None or not of_tasks.is_interrupted(seq)
                found.append(wait)
        elif act == Act.LOOK:
            if operation.done:
                at.remembered.clear()
            continue
        elif not begins and act in _GIVES:
            closed = at.giving.pop(thread, None)
            if closed is not None and not closed.reached and operation.done:
                (at.remembered if types[number] in EVENTS else at.forgotten).append(closed)
        elif not begins and act == Act.CLEAR:
            for given in at.giving.values():
                given.reached = True
            for given in at.remembered:
                if given.operation.took_effect() < operation.took_effect():
                    given.clear = operation
                    at.forgotten.append(given)
            at.remembered.clear()  # one that took effect after it counts as one that reached somebody
        if not begins:
            at.before[thread] = [*at.before.get(thread, [])[-1:], operation]
    for at in used.values() if trace.truncated is None else ():
        for wait in at.waiting.values():
            if (
                wait.earlier
                and at.last_given < wait.first.seq
                and (of_tasks.knows(wait.first.thread) or _is_stuck(wait.operation, trace))
            ):
                wait.is_over = False
                found.append(wait)
    return sorted(found, key=lambda wait: wait.first.seq)


def _raised_at_once(operation: SyncOperation, types: Mapping[int, str]) -> bool:
    """Whether a task called a Condition's `wait` without its lock."""
    first = operation.first
    if first.object is None or types[first.object] != Primitive.TASK_CONDITION or first.operation != Act.WAIT:
        return False
    return operation.last is None and all(part.operation != Act.RELEASE for part in operation.parts)


class _StepsOfTasks:
    """Those of tasks that began waits that have no end."""

    def __init__(self, trace: Trace, operations: Iterable[SyncOperation]) -> None:
        self._interrupted = trace.callbacks.interrupted
        followed = {each.thread for each in trace.threads if each.task_of in trace.callbacks.followed}
        wait: str = Act.WAIT
        waiting = {each.first.thread for each in operations if each.last is None and each.first.operation == wait}
        self._steps = trace.callbacks.steps(waiting & followed)

    def knows(self, thread: int) -> bool:
        return thread in self._steps

    def next(self, operation: SyncOperation) -> int | None:
        """The seq of a task's next step after it began an operation; None: it made none, or is not known."""
        steps = self._steps.get(operation.first.thread, [])
        at = bisect.bisect(steps, operation.first.seq)
        return steps[at] if at < len(steps) else None

    def is_interrupted(self, seq: int) -> bool:
        """Whether Ctrl-C had come by then."""
        return self._interrupted is not None and seq >= self._interrupted


def _released(given: SyncOperation) -> bool:
    """Whether it let anybody go on."""
    notifies = {each.seq for each in (given.first, *given.parts) if each.operation == Act.NOTIFY and each.begins}
    return any(part.operation == Act.RELEASE and part.inside in notifies for part in given.parts)


def _is_stuck(wait: SyncOperation, trace: Trace) -> bool:
    """Whether a wait without an end was blocked, without a timeout, until the run ended, or an exception left it."""
    asleep = wait.asleep()
    if asleep is None or asleep.seq in trace.bounded:
        return False
    return not any(
        part.operation == Act.ACQUIRE and part.object == asleep.object and part.seq > asleep.seq for part in wait.parts
    )


class _Checks:
    """The reads that decided upon waits, and whether what they had read was true no longer."""

    def __init__(self, trace: Trace, guards: Guards, calls: Iterable[Wait]) -> None:
        self._trace = trace
        self._reads = DecidingReads(trace, guards, calls)

    def stale(self, wait: _Wait, call: Wait) -> Missed | None:
        """If the thread decided to wait by a read that was true no longer as the notification told of that.

        If it looks again once the wait has timed out, it may have lost no more than time: that is not sure."""
        for asked in call.guard:
            for check in self._reads.before(wait.first, asked):
                found = self._of(wait, asked, check)
                if found is not None:
                    return found._replace(is_sure=not self._looks_again(wait, call, asked))
        return None

    def _looks_again(self, wait: _Wait, call: Wait, asked: Asked) -> bool:
        if not wait.is_over or call.loop is None:
            return False
        if wait.operation.last is None:  # a task's; the exception that ended it may have left the loop
            return self._reads.any_after(wait.first, asked)
        return not call.is_tested

    def _of(self, wait: _Wait, asked: Asked, check: Event) -> Missed | None:
        events = self._trace.events
        row = self._reads.writes(check.location)
        start = bisect.bisect_right(row, check.seq, key=lambda place: int(events.seq[place]))
        changes = []
        for place in row[start : start + MAX_SINCE]:
            change = events[place]
            if change.earliest <= check.seq:
                return None  # it may have come before the check
            if change.earliest > wait.first.seq:
                break
            changes.append(change)
        if len(changes) == MAX_SINCE or any(change.thread == wait.first.thread for change in changes):
            return None
        others = [at for at, change in enumerate(changes) if not self._reads.undoes(change, asked, check)]
        if others and any(change.earliest < change.seq for change in changes):
            return None  # it is not known which of them came last
        changes = changes[others[-1] + 1 :] if others else changes
        for change in changes:
            for given in wait.given:
                first = given.first
                if change.thread == first.thread and change.seq < first.seq and _is_between(given, check.seq, wait):
                    return _missed(wait, given, check.location, check.seq, change.seq, is_sure=True)
        return None


def _is_between(given: _Given, after: float, wait: _Wait) -> bool:
    """Whether it was given, and forgotten, after a seq and before the wait; by watched code."""
    last = given.operation.last if given.clear is None else given.clear.last
    if given.first.site is None or last is None or last.site is None:
        return False
    return given.first.seq > after and last.seq < wait.first.seq


def _missed(
    wait: _Wait, given: _Given, location: int | None, check: int | None, change: int | None, *, is_sure: bool
) -> Missed:
    clear = None if given.clear is None else given.clear.first.seq
    assert wait.first.object is not None
    return Missed(wait.first.object, location, check, change, given.first.seq, clear, wait.first.seq, is_sure)


def _wiped(trace: Trace, guards: Guards, wait: _Wait) -> Missed | None:
    """If a thread waits for an Event, works, clears it and waits again at once, and what another one wrote and `set` it
    for while it was at work it did not read since.

    It may have read it in a way that is not recorded, so it is not sure."""
    if len(wait.before) < 2:
        return None
    waited, clear = wait.before
    if waited.first.operation != Act.WAIT or not waited.done or clear.first.operation != Act.CLEAR:
        return None
    if waited.last is None or clear.first.site is None or wait.first.site is None:
        return None
    begun, events = waited.last.seq, trace.events
    for given in wait.given:
        one = given.first
        if given.clear is not clear or one.thread == wait.first.thread or not _is_between(given, begun, wait):
            continue
        if not guards.at_once(clear.first.site, wait.first.site):
            return None
        start, stop = np.searchsorted(
            events.seq, (begun, math.inf if wait.operation.last is None else wait.operation.last.seq)
        )
        if stop - start > MAX_BETWEEN:
            return None
        part = events[int(start) : int(stop)]
        written = (part.thread == one.thread) & np.isin(part.kind, (EventKind.WRITE, EventKind.DELETE))
        written &= (part.seq < one.seq) & (part.seq - part.before > begun) & (part.location >= 0)
        changes = [each for each in part[written] if trace.locations[each.location].certain]
        if not changes:
            continue
        places = np.isin(part.location, [each.location for each in changes])
        own = list(part[places & (part.thread == wait.first.thread) & (part.seq > changes[0].earliest)])
        if any(each.kind == EventKind.READ and not _is_step(own, at) for at, each in enumerate(own)):
            continue
        change = changes[-1]
        return _missed(wait, given, change.location, None, change.seq, is_sure=False)
    return None


def _wiped_out(trace: Trace, syntax: Syntax, pasts: Pasts, wait: _Wait, call: Wait) -> Missed | None:
    """If a thread wipes out what it then waits for (`wiped_answers`), and another one had stored that and notified
    since the thread used the Condition last."""
    first = wait.first
    if not wait.is_over or not call.is_entered or not call.is_free:
        return None
    since = max((each.last.seq for each in wait.before if each.last is not None), default=-1)
    given = [each for each in wait.given if each.first.seq > since and _is_between(each, since, wait)]
    wiped = wiped_answer(trace, syntax, wait.operation) if given else None
    for each in given if wiped is not None else ():
        one = each.first
        is_it = wiped is not None and one.thread == wiped.thread and wiped.change < one.seq < wiped.wipe
        if wiped is not None and is_it and pasts.knows(first.thread, wiped.wipe, one.thread, one.seq) is False:
            return _missed(wait, each, wiped.location, None, wiped.change, is_sure=False)
    return None


def _is_step(events: Sequence[Event], at: int) -> bool:
    """Whether a read is that of a step that reads and writes at once: items.remove(x)."""
    if at + 1 == len(events):
        return False
    read, write = events[at : at + 2]
    return write.kind != EventKind.READ and (read.site, read.location) == (write.site, write.location)


def _unchecked(trace: Trace, pasts: Pasts, wait: _Wait, call: Wait) -> Missed | None:
    """If a thread waits, for the first time and once, without a look at anything, and needs to be notified."""
    first = wait.first
    of_event = wait.forgotten[0].clear is not None
    if not wait.is_first or not call.is_free or not (call.is_entered or of_event):
        return None
    if not (
        call.is_tested and wait.operation.last is not None if wait.is_over else _is_waited_for(trace, pasts, first)
    ):
        return None
    for given in wait.given:
        one, clear = given.first, given.clear
        if one.thread == first.thread or not _is_between(given, -1, wait):
            continue
        if clear is not None and clear.first.thread != one.thread:
            continue  # whoever clears it knows why
        if pasts.knows(first.thread, first.seq, one.thread, one.seq) is False:
            return _missed(wait, given, None, None, None, is_sure=False)
    return None


def _is_waited_for(trace: Trace, pasts: Pasts, wait: Synchronisation) -> bool:
    """Whether the program cannot end without who waits: it is the main thread, another thread joins it, or it is the
    first task of the main thread's loop, which nothing but Ctrl-C ended since."""
    thread, callbacks = wait.thread, trace.callbacks
    if thread == trace.first_task(math.inf if callbacks.interrupted is None else callbacks.interrupted):
        return callbacks.interrupted is not None or bisect.bisect(callbacks.ends.get(0, ()), wait.seq) == len(
            callbacks.ends.get(0, ())
        )
    joins = (each.first for each in pasts.operations.all if each.last is None and each.first.operation == Act.JOIN)
    return thread == 0 or any(pasts.operations.thread_of.get(each.object or -1) == thread for each in joins)
