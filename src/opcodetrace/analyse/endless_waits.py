"""Waits that nobody alive can end.

A thread that waits to be told something (an event, an item, a result) is deadlocked if every thread that could tell it
has ended, or waits in turn: the communication model of Chandy, Misra and Haas, "Distributed deadlock detection" (1983).
Which thread could is not known, so all of them count, and only a run that stands still as a whole is looked at: the
main thread waits without a timeout, or has done its part and waits for the other threads, and so does every thread that
has not ended. A thread that waits with a timeout, sleeps, runs, or is in any other C code is alive. Once the program is
over, daemons may be left waiting; but not those whose end another thread had waited for (`thread.join(5)`).

What is no thread of the program may end a wait, too: a signal's handler, Ctrl-C that the program is ready for, a thread
that C code made. If any of that may be, nothing is said. Nor if the waits are not known to be meant to end: nobody has
ever set that Event, say, and no code would.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from opcodetrace.analyse.guards import Guards
from opcodetrace.analyse.happens_before import Operations
from opcodetrace.analyse.lock_order import MAX_CIRCLE, Moment, Waiting, blocked, within
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.run import Trace
from opcodetrace.trace.sync import (
    ASKS_FUTURE,
    BARRIERS,
    CONDITIONS,
    EVENTS,
    LOCKS,
    QUEUES,
    SEMAPHORES,
    Act,
    Primitive,
    Synchronisation,
    SyncObject,
)

_GIVERS: Mapping[Act, Act] = {Act.GET: Act.PUT, Act.PUT: Act.GET, Act.JOIN: Act.TASK_DONE}  # of queues
_METHODS: Mapping[Act, str] = {
    Act.PUT: "put|put_nowait",
    Act.GET: "get|get_nowait",
    Act.NOTIFY: "notify|notify_all|notifyAll",
}
_READY = re.compile(
    rb"\b(?:KeyboardInterrupt|import signal|from signal|signal\.\w+|add_signal_handler|interrupt_main|os\.kill)\b"
)
_RESOLVES = re.compile(rb"\.(?:set_result|set_exception)\b")


class Endless(NamedTuple):
    """A wait that nobody can end."""

    wait: Synchronisation  # its beginning
    given: Synchronisation | None  # the last one that gave what is waited for, by another thread
    ends_by_giving: bool  # else as another thread that waits so ends, or releases a lock


class _StandStill(NamedTuple):
    """All threads at a moment at which none of them can go on."""

    last: Mapping[int, Synchronisation]  # by thread: the beginning of its wait, in C ...
    whole: Mapping[int, Synchronisation]  # ... and that of the operation which this is a part of
    shuts_down: bool  # the main thread has done its part
    in_vain: frozenset[int] | None = None  # the program is over: the threads whose end another one had waited for


class EndlessWaits:
    """Those of a run."""

    def __init__(self, trace: Trace, guards: Guards) -> None:
        self._trace = trace
        self._guards = guards
        self._objects = {each.id: each for each in trace.sync_objects}

    def at(self, moment: Moment, waits: Mapping[int, Waiting]) -> list[Endless]:
        """Those in which threads wait for something to be given, the one on which the main thread depends before all
        others. Then those of threads that wait for these.

        None if it is not sure, or if the main thread depends on a circle. `waits`: as `lock_order.waiting` has them."""
        still = self._stands_still(moment, waits)
        if still is None:
            return []
        ends = {thread: _end_of_chain(thread, waits, still) for thread in still.last}
        if still.shuts_down:
            if None in ends.values():
                return []
            first = None
        else:
            first = ends[0]
            if first is None or not self._is_direct(still.whole[0]) or self.goes_on(still.whole[0]):
                return []
        found: list[Endless] = []
        for thread in dict.fromkeys([first, *ends.values()]):
            if thread is None or (thread == 0 and still.shuts_down):
                continue
            if still.in_vain is not None and thread not in still.in_vain:
                continue  # a daemon that waits may be left so
            wait = still.whole[thread]
            given = self.given(moment.synchronisation, wait)
            if self.is_meant_to_end(wait, given) and not self.is_given_after(moment, wait):
                found.append(Endless(wait, given, ends_by_giving=True))
            elif thread == first:
                return []
        if found:
            begun = {each.seq: each for each in moment.synchronisation if each.begins}
            depends = [begun[waits[thread].seq] for thread in sorted(waits) if thread != ends[thread] is not None]
            found += [Endless(each, None, ends_by_giving=False) for each in depends if each.site is not None]
        return found[:MAX_CIRCLE]

    def _stands_still(self, moment: Moment, waits: Mapping[int, Waiting]) -> _StandStill | None:
        trace = self._trace
        if trace.let_go or trace.merged or trace.missed or trace.holes or trace.truncated is not None:
            return None
        last = blocked(moment.synchronisation, moment.threads, trace.bounded)
        is_over = 0 not in last and self._is_over(moment.synchronisation)
        if not (0 in last or is_over) or any(each.task_of is not None for each in trace.threads):
            return None
        ended = {each.thread for each in moment.threads if each.ended or (is_over and each.thread == 0)} - last.keys()
        if any(each.thread not in last for each in moment.threads if each.thread not in ended):
            return None
        if not self.knows_all_threads(moment) or self.is_ready_for_signals():
            return None
        by_seq = {each.seq: each for each in moment.synchronisation if each.begins}
        around = {thread: within(each, by_seq) for thread, each in last.items()}
        shuts_down = is_over or self._shuts_down(last[0])
        state = _State(moment.synchronisation, {each.object for each in last.values()})
        for thread, each in last.items():
            if thread == 0 and shuts_down:
                continue
            other = waits.get(thread)
            if other is not None:
                if other.lock is None and other.other in ended:
                    return None  # which is about to go on
            elif not state.keeps_waiting(each, self._objects):
                return None
        whole = {thread: row[-1] for thread, row in around.items()}
        in_vain = frozenset(_joined_in_vain(moment.synchronisation, last)) if is_over else None
        return _StandStill(last, whole, shuts_down, in_vain)

    def is_ready_for_signals(self) -> bool:
        return any(_READY.search(source) for source in self.sources())

    def keeps_waiting(self, synchronisation: Sequence[Synchronisation], wait: Synchronisation) -> bool:
        """Whether what a thread waits for, in C code, has not been given."""
        return _State(synchronisation, {wait.object}).keeps_waiting(wait, self._objects)

    def knows_all_threads(self, moment: Moment) -> bool:
        """Whether every thread was seen to be started by another, and those that were started were seen."""
        numbers = {each.thread for each in moment.threads if each.task_of is None}
        started = [
            each.started for each in moment.synchronisation if each.operation == Act.START and each.object is None
        ]
        return numbers - {0} == set(started)

    def _shuts_down(self, wait: Synchronisation) -> bool:
        """Whether the main thread has done its part: its wait is that of the interpreter for the other threads."""
        if wait.operation == Act.SHUTDOWN:
            return True
        # before 3.13 Python code takes a lock of each of them; while the script runs there is a site
        is_watched = any(each.name == "__main__" and each.file is not None for each in self._trace.modules)
        return wait.site is None and is_watched and wait.object is not None and wait.operation == Act.ACQUIRE

    def _is_over(self, synchronisation: Sequence[Synchronisation]) -> bool:
        """Whether the main thread has waited for the other threads, but daemons, as the program ended."""
        last = next((each for each in reversed(synchronisation) if each.thread == 0), None)
        return last is not None and not last.begins and not last.failed and self._shuts_down(last)

    def sources(self) -> Iterator[bytes]:
        """Of the program."""
        for each in self._trace.files:
            if each.module not in LIBRARY:
                yield each.source

    def _is_direct(self, wait: Synchronisation) -> bool:
        """Whether the program itself, and not a library that it called, does that: it calls what has the name of the
        operation, or stands in a `with` statement."""
        if wait.site is None:
            return False
        if not self._guards.is_call(wait.site):
            return True
        return self._guards.called(wait.site) in (wait.operation, f"{wait.operation}_for")

    def resolves_futures(self) -> bool:
        return any(_RESOLVES.search(source) for source in self.sources())

    def is_of_call(self, wait: Synchronisation) -> bool:
        """Whether a task awaits what a call gives it, except for a new future (`await loop.create_future()`)."""
        if wait.site is None:
            return True
        return self._guards.is_call(wait.site) and not self._guards.makes_future(wait.site)

    def goes_on(self, wait: Synchronisation) -> bool:
        """Whether the main thread is written to do something if Ctrl-C ends its wait."""
        return wait.site is None or self._guards.handles_interruption(wait.site)

    def given(self, synchronisation: Sequence[Synchronisation], wait: Synchronisation) -> Synchronisation | None:
        giver = self._giver(wait)
        found = None
        for each in reversed(synchronisation) if giver is not None else ():
            if each.object != wait.object or each.operation != giver or each.thread == wait.thread:
                continue
            if found is not None:  # it has ended; this is its beginning, if it has one
                return each if each.begins and each.thread == found.thread else found
            if not (each.begins or each.failed) and each.site is not None and each.inside is None:
                found = each
        return found

    def _giver(self, wait: Synchronisation) -> Act | None:
        """The operation that ends a wait."""
        type_name = self._objects[wait.object].type_name if wait.object is not None else ""
        if type_name in QUEUES:
            return _GIVERS.get(Act(wait.operation))
        if type_name in SEMAPHORES or type_name in LOCKS:
            return Act.RELEASE
        if type_name in EVENTS:
            return Act.SET
        if type_name in CONDITIONS:
            return Act.NOTIFY
        return None

    def is_meant_to_end(self, wait: Synchronisation, given: Synchronisation | None) -> bool:
        """Whether the program has, or had, something that ends the wait."""
        if wait.object is None or not self._is_direct(wait):
            return False
        each = self._objects[wait.object]
        if each.type_name == Primitive.FUTURE:
            return wait.operation in ASKS_FUTURE
        if each.type_name == Primitive.TASK_FUTURE:
            is_known = wait.site is not None and self._guards.is_known_elsewhere(wait.site)
            return is_known and self.resolves_futures()
        if each.type_name in BARRIERS:
            return wait.operation == Act.WAIT
        giver = self._giver(wait)
        if giver is None:
            return False
        name = ""
        if each.type_name in EVENTS:  # a thread may wait for one that nobody sets, only to stay
            name = re.escape(re.split(r"[^\w.]", each.label)[0].rpartition(".")[2])
            if not name and given is None:
                return False
        wanted = re.compile(rf"\b{name}\.(?:{_METHODS.get(giver, giver)})\b".encode())
        return given is not None or any(wanted.search(source) for source in self.sources())

    def is_given_after(self, moment: Moment, wait: Synchronisation) -> bool:
        """Whether that was done once the main thread was torn out of its wait: so it may be meant."""
        giver = self._giver(wait)
        return any(
            each.object == wait.object and each.operation == giver
            for each in self._trace.synchronisation[len(moment.synchronisation) :]
        )


class _State:
    """What of the objects that threads wait for was taken, and what is left."""

    def __init__(self, synchronisation: Sequence[Synchronisation], objects: set[int | None]) -> None:
        self._latest: dict[int, str] = {}
        self._items: Counter[int] = Counter()
        for each in synchronisation:
            if each.object is None or each.object not in objects or each.begins or each.failed:
                continue
            self._latest[each.object] = each.operation
            self._items[each.object] += (each.operation == Act.PUT) - (each.operation == Act.GET)

    def keeps_waiting(self, wait: Synchronisation, objects: Mapping[int, SyncObject]) -> bool:
        """Whether nobody has given already what is waited for: a release, or a put, is recorded before the end of the
        wait that it ends."""
        if wait.object is None:
            return False
        type_name = objects[wait.object].type_name
        if type_name == Primitive.LOCK:
            return self._latest.get(wait.object) == Act.ACQUIRE
        return type_name == Primitive.SIMPLE_QUEUE and self._items[wait.object] <= 0


def _joined_in_vain(synchronisation: Sequence[Synchronisation], last: Mapping[int, Synchronisation]) -> Iterator[int]:
    """The threads whose end another one waited for as they waited for ever: by `join` with a timeout."""
    thread_of = Operations(synchronisation).thread_of
    for each in synchronisation:
        thread = thread_of.get(each.object or -1)
        if thread is None or each.operation != Act.JOIN or each.begins:
            continue
        if thread in last and each.seq > last[thread].seq:
            yield thread


def _chain(thread: int, waits: Mapping[int, Waiting], still: _StandStill) -> list[int]:
    """A thread, the one that it waits for, and so on, until one waits for none that is there."""
    path = [thread]
    while path[-1] in waits and waits[path[-1]].other in still.last:
        path.append(waits[path[-1]].other)
        if path[-1] in path[:-1]:
            break
    return path


def _end_of_chain(thread: int, waits: Mapping[int, Waiting], still: _StandStill) -> int | None:
    """The last of them; None if they wait in a circle. A thread that takes a lock twice waits for anybody's release."""
    path = _chain(thread, waits, still)
    return None if path[-1] in path[:-2] else path[-1]
