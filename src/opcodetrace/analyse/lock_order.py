"""The order in which threads take locks, and who waits for a lock in the end.

A run is deadlocked if threads wait in a circle, each for a lock that the next one holds: the wait-for graph of Coffman,
Elphick and Shoshani, "System deadlocks" (1971). A run that got through may have been near it: if one thread takes `b`
while it holds `a`, and another `a` while it holds `b`. That is the lock-order graph of Havelund, "Using runtime
analysis to guide model checking of Java programs" (2000). A circle in it is none if the same thread makes two of its
edges, if a third lock is held at two of them (a gate), or if one thread did its part before it started the other, or
after it had joined it: Bensalem and Havelund, "Dynamic deadlock analysis of multi-threaded programs" (2005). A
semaphore is a gate, too, if more of the edges were made under it than threads were ever seen to hold it at a time.

Locks are those of `lockset.held_locks`. One that a thread released without holding it is no lock but a signal, and left
out. An acquisition that gives up by itself ends no run, and makes no edge.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from opcodetrace.analyse.happens_before import Operations
from opcodetrace.analyse.lockset import Held, held_locks, semaphore_steps
from opcodetrace.trace.run import Thread, Trace
from opcodetrace.trace.sync import LOCKS, OF_THREADS, Act, Primitive, Synchronisation, SyncObject

_WAITED_FOR_IN_C = LOCKS | {Primitive.SIMPLE_QUEUE, Primitive.THREAD_HANDLE}
MAX_INTERRUPTED = 3  # waits of the main thread that a signal ended
MAX_CIRCLE = 5  # threads in a circle that is looked for among locks that nobody waits for
MAX_STEPS = 200_000  # edges gone along in that search


class Waiting(NamedTuple):
    """A thread waits for another one: for a lock that this one holds, or for its end."""

    thread: int
    seq: int  # of the record that it is about to wait
    site: int | None  # where, in woven code
    lock: int | None  # None: it joins the other
    other: int
    held_since: int | None  # seq at which the other took the lock
    task: int | None = None  # the object of the task for whose end another one waits


class Nested(NamedTuple):
    """A thread took, or waited for, a lock while it held another."""

    thread: int
    held: int
    held_since: int  # seq
    lock: int
    seq: int
    until: float  # when it let the first of the two go
    gates: frozenset[int]  # what else it held
    last_until: float  # the same of the last time that it did so
    held_under: frozenset[int]  # what it held as it took the first of the two
    held_site: int
    site: int
    of_tasks: bool  # both are locks that tasks wait for, and not their thread


def signals(synchronisation: Iterable[Synchronisation], objects: Mapping[int, SyncObject]) -> set[int]:
    """Locks that were released by a thread that did not hold them, so that nobody owns them; or that a thread got
    though it had them, which takes such a release, seen or not."""
    found: set[int] = set()
    holder: dict[int, int] = {}
    for each in synchronisation:
        lock = each.object
        if lock is None or each.begins or each.failed or objects[lock].type_name not in LOCKS:
            continue
        if each.operation == Act.ACQUIRE:
            if holder.get(lock) == each.thread and objects[lock].type_name == Primitive.LOCK:
                found.add(lock)
            holder[lock] = each.thread
        elif each.operation == Act.RELEASE:
            if holder.get(lock, each.thread) != each.thread:
                found.add(lock)
            elif objects[lock].type_name == Primitive.LOCK:
                holder.pop(lock, None)
    return found


class Moment(NamedTuple):
    """A run up to some point: its end, or where a signal tore the main thread out of a wait that has no timeout."""

    synchronisation: Sequence[Synchronisation]
    threads: Sequence[Thread]  # as they are then
    until: float  # the seq; infinite: the end


def moments(trace: Trace) -> Iterator[Moment]:
    """Those at which threads may wait for ever, the first ones first.

    A C function that waits without a timeout returns nothing else than what it waited for: if it failed, it raised. In
    the main thread alone signals do that. The interpreter's own wait for the other threads, at its end, tells nobody
    that it was interrupted; but one of them waits still."""
    rows = trace.synchronisation
    if trace.callbacks.interrupted is not None or trace.callbacks.idle:
        at = trace.callbacks.interrupted
        yield _as_tasks_stood(trace, math.inf if at is None else at)
        return
    waits_in_c = {each.id for each in trace.sync_objects if each.type_name in _WAITED_FOR_IN_C}
    interrupted = [
        place
        for place, each in enumerate(rows)
        if each.failed
        and each.thread == 0
        and not each.begins
        and each.object in waits_in_c
        and each.operation != Act.RELEASE
        and each.seq not in trace.bounded
    ]
    if trace.joined_at_exit:
        interrupted += _gave_up_at_exit(trace)
    for place in interrupted[:MAX_INTERRUPTED]:
        until = rows[place].seq
        latest = {each.thread: each.seq for each in rows[:place]}
        threads = [
            each
            if each.last_seq < until
            else replace(each, last_seq=latest.get(each.thread, each.first_seq), ended=False)
            for each in trace.threads
            if each.first_seq < until
        ]
        yield Moment(rows[:place], threads, until)
    yield Moment(rows, trace.threads, math.inf)


def _gave_up_at_exit(trace: Trace) -> Iterator[int]:
    """Where in the synchronisation the main thread gave up to wait for the other threads, as the program ended."""
    rows = trace.synchronisation
    ended = next((place for place in range(len(rows) - 1, -1, -1) if rows[place].operation == Act.SHUTDOWN), None)
    if ended is not None and rows[ended].thread == 0 and not rows[ended].begins and rows[ended].site is None:
        joined = {each.started for each in rows if each.seq in trace.joined_at_exit}
        if not joined.isdisjoint(blocked(rows, trace.threads, trace.bounded)):
            yield ended


def blocked(
    synchronisation: Sequence[Synchronisation], threads: Iterable[Thread], bounded: Collection[int] = ()
) -> dict[int, Synchronisation]:
    """By the numbers of threads, the beginnings of the waits without a timeout that are the last they recorded."""
    latest = {each.thread: each for each in synchronisation if each.begins}
    return {
        thread.thread: latest[thread.thread]
        for thread in threads
        # a daemon may be let out of its wait to be ended, as the interpreter ends: it did nothing more
        if thread.thread in latest
        and latest[thread.thread].seq == thread.last_seq
        and latest[thread.thread].seq not in bounded
    }


def within(last: Synchronisation, by_seq: Mapping[int, Synchronisation]) -> list[Synchronisation]:
    """The operations that one is a part of, from itself to the outermost one. `by_seq`: their beginnings."""
    found = [last]
    inside = last.inside
    while inside is not None and inside in by_seq:
        found.append(by_seq[inside])
        inside = found[-1].inside
    return found


def waiting(
    synchronisation: Sequence[Synchronisation],
    objects: Mapping[int, SyncObject],
    threads: Iterable[Thread],
    bounded: Collection[int] = (),
) -> dict[int, Waiting]:
    """The threads that wait for another one in the end, by their numbers. `bounded`: seqs of operations that give up by
    themselves."""
    stuck = blocked(synchronisation, threads, bounded)
    found: dict[int, Waiting] = {}
    if all(last.operation not in (Act.ACQUIRE, Act.JOIN) for last in stuck.values()):
        return found
    by_seq = {each.seq: each for each in synchronisation if each.begins}
    thread_of = Operations(synchronisation).thread_of
    no_locks = signals(synchronisation, objects)
    holders = {each.object: each for each in held_locks(synchronisation, objects) if math.isinf(each.last)}
    for number, last in stuck.items():
        around = within(last, by_seq)
        joined = next((each for each in around if each.operation == Act.JOIN and each.object in thread_of), None)
        if joined is not None and joined.object is not None:
            found[number] = Waiting(number, joined.seq, joined.site, None, thread_of[joined.object], None)
        elif last.operation == Act.JOIN and last.holder is not None:
            found[number] = Waiting(number, last.seq, last.site, None, last.holder, None, last.object)
        elif last.operation == Act.ACQUIRE and last.object in holders and last.object not in no_locks:
            held = holders[last.object]
            found[number] = Waiting(number, last.seq, last.site, last.object, held.thread, held.first)
    return found


def circles(waits: Mapping[int, Waiting]) -> Iterator[list[Waiting]]:
    """Those that wait for one another in a circle, each for the next; one that takes a lock twice waits for itself."""
    passed: set[int] = set()
    for start in sorted(waits):
        path: list[int] = []
        at = start
        while at in waits and at not in passed:
            passed.add(at)
            path.append(at)
            at = waits[at].other
        if at in path:
            circle = path[path.index(at) :]
            first = circle.index(min(circle))
            yield [waits[thread] for thread in circle[first:] + circle[:first]]


def abandoned(
    waits: Mapping[int, Waiting],
    synchronisation: Sequence[Synchronisation],
    objects: Mapping[int, SyncObject],
    threads: Iterable[Thread],
    releases: Callable[[int], bool],
) -> Iterator[Waiting]:
    """Those that wait for a lock whose holder has ended, and so for ever.

    Any thread may release a Lock that is used as a signal. So one counts only if a thread that had taken it was seen to
    release it, or if the function that took it was written to (`releases`, of a site). An RLock only its owner can."""
    ended = {each.thread for each in threads if each.ended}
    left = [
        wait for wait in waits.values() if wait.lock is not None and wait.other in ended and wait.other != wait.thread
    ]
    if not left:
        return
    yield from owned(sorted(left, key=lambda each: each.seq), synchronisation, objects, releases)


def owned(
    waits: Iterable[Waiting],
    synchronisation: Sequence[Synchronisation],
    objects: Mapping[int, SyncObject],
    releases: Callable[[int], bool],
) -> Iterator[Waiting]:
    """Those for a lock that only the thread which took it is to release, as far as the run and the code show."""
    given_back = {each.object for each in held_locks(synchronisation, objects) if not math.isinf(each.last)}
    site_of = {each.seq: each.site for each in synchronisation}
    for wait in waits:
        if wait.lock is None:
            continue
        taken_at = None if wait.held_since is None else site_of[wait.held_since]
        is_rlock = objects[wait.lock].type_name == Primitive.RLOCK
        if is_rlock or wait.lock in given_back or (taken_at is not None and releases(taken_at)):
            yield wait


def nested(
    synchronisation: Sequence[Synchronisation], objects: Mapping[int, SyncObject], bounded: Collection[int] = ()
) -> list[Nested]:
    """Each lock that woven code took, or waits for in the end, while the same thread held others, one by one.

    Only those that differ in thread, locks, places, gates or in which threads had been started and joined: of more, the
    first one, and when the last one was over."""
    no_locks = signals(synchronisation, objects)
    site_of = {each.seq: each.site for each in synchronisation}
    of_thread: defaultdict[int, list[Held]] = defaultdict(list)
    begun_at = {each.first: each for each in held_locks(synchronisation, objects) if each.object not in no_locks}
    found: dict[tuple[object, ...], Nested] = {}
    under: dict[int, frozenset[int]] = {}  # by the seq at which a lock was taken: what its thread held already
    ended = _ended(synchronisation)
    turns: Counter[int] = Counter()  # of a thread: how often it has started or joined another
    for each in synchronisation:
        lock = each.object
        turns[each.thread] += each.operation in OF_THREADS
        if lock is None or objects[lock].type_name not in LOCKS or lock in no_locks or each.operation != Act.ACQUIRE:
            continue
        if each.seq in ended:
            continue
        taken = begun_at.get(each.seq)
        if each.seq in bounded or each.failed or (taken is None and not each.begins):
            if taken is not None:
                of_thread[each.thread].append(taken)
            continue
        holding = [held for held in of_thread[each.thread] if held.last >= each.seq]
        of_thread[each.thread] = holding
        for held in holding:
            held_site = site_of[held.first]
            if held.object == lock or each.site is None or held_site is None:
                continue
            gates = frozenset(other.object for other in holding) - {held.object, lock}
            until = min(held.last, math.inf if taken is None else taken.last)
            held_under = under.get(held.first, frozenset())
            of_tasks = all(objects[one].type_name == Primitive.TASK_LOCK for one in (held.object, lock))
            key = (each.thread, held.object, lock, held_site, each.site, gates, held_under, turns[each.thread])
            edge = Nested(
                each.thread, held.object, held.first, lock, each.seq, until, gates, until, held_under, held_site,
                each.site, of_tasks,
            )  # fmt: skip
            found[key] = found[key]._replace(last_until=until) if key in found else edge
        if taken is not None:
            if holding:
                under[taken.first] = frozenset(other.object for other in holding)
            holding.append(taken)
    return list(found.values())


def _ended(synchronisation: Iterable[Synchronisation]) -> set[int]:
    """The seqs at which operations of coroutines began that came to an end: these tell of every beginning."""
    begun: dict[tuple[int, int | None, str], int] = {}
    found: set[int] = set()
    for each in synchronisation:
        key = each.thread, each.object, each.operation
        if each.begins:
            begun[key] = each.seq
        elif key in begun and each.earliest == each.seq:
            found.add(begun.pop(key))
    return found


def _as_tasks_stood(trace: Trace, at: float) -> Moment:
    """How a run stood as Ctrl-C came to an event loop: that cancels its tasks, which let their locks go then. Or as it
    was ended from outside while its loop had nothing to do."""
    rows = [each for each in trace.synchronisation if each.seq < at]
    of_threads = {each.id for each in trace.sync_objects if each.type_name == Primitive.LOCK}
    latest = {each.thread: each for each in rows}
    of_tasks = {each.thread: each for each in rows if each.object not in of_threads}  # one that all of asyncio has
    threads = []
    for each in trace.threads:
        last_seq = each.last_seq
        if each.task_of is not None:
            last_seq = _stands_at(of_tasks.get(each.thread), trace.callbacks.stepped.get(each.thread))
        elif last_seq >= at:
            last_seq = latest[each.thread].seq if each.thread in latest else each.first_seq
        threads.append(replace(each, last_seq=last_seq, ended=each.ended and each.last_seq < at))
    return Moment(rows, [each for each in threads if each.first_seq < at], at)


def _stands_at(latest: Synchronisation | None, stepped: int | None) -> int:
    """The seq at which a task began to wait that has not made a step since; -1: it did nothing of the kind."""
    stands = latest is not None and stepped is not None and latest.begins and latest.seq > stepped
    return latest.seq if latest is not None and stands else -1


def inversions(edges: Sequence[Nested], exclusions: Callable[[], Exclusions]) -> Iterator[list[Nested]]:
    """Circles of locks that threads took in different orders, each edge by another thread, and that nothing excludes.

    The shortest first. The search ends after so many steps (`MAX_STEPS`)."""
    by_held: defaultdict[int, list[Nested]] = defaultdict(list)
    for edge in edges:
        by_held[edge.held].append(edge)
    if not any(edge.lock in by_held for edge in edges):
        return
    excluded = exclusions()
    budget = MAX_STEPS
    for length in range(2, MAX_CIRCLE + 1):
        for start in sorted(by_held):
            paths = [[edge] for edge in by_held[start]]
            while paths and budget > 0:
                path = paths.pop()
                for edge in by_held.get(path[-1].lock, ()) if len(path) < length else ():
                    budget -= 1
                    if edge.held < start or any(excluded.apart(edge, other) for other in path):
                        continue
                    if edge.lock == start and len(path) + 1 == length:
                        circle = [*path, edge]
                        if excluded.semaphores.exclude(circle):
                            continue
                        first = circle.index(min(circle, key=lambda one: one.seq))
                        yield circle[first:] + circle[:first]
                    elif edge.lock not in (start, *(other.held for other in path)):
                        paths.append([*path, edge])


class Exclusions:
    """What keeps the steps of a circle apart, or so many of them."""

    def __init__(
        self,
        starts: Starts,
        semaphores: Semaphores,
        waited: Callable[[int, int, int, int], bool],
        depends: Callable[[Nested], bool],
    ) -> None:
        """`waited` tells of a thread, at a seq, whether it had waited for what another one had done by another seq.
        `depends`: whether the second lock of an edge is taken only if some condition holds, which is checked with the
        first one held. Then it may be the other lock's state that is checked, if whoever holds that one took it with
        the first one held, too: so readers do of which only the first takes the lock that keeps writers out."""
        self.semaphores = semaphores
        self._starts = starts
        self._waited = waited
        self._depends = depends

    def apart(self, one: Nested, other: Nested) -> bool:
        starts = self._starts
        return (
            starts.same(one, other)
            or not (one.gates | {one.held}).isdisjoint(other.gates | {other.held})
            or starts.ordered(one, other)
            or starts.ordered(other, one)
            or self._is_over(one, other)
            or self._is_over(other, one)
            or self._checks(one, other)
            or self._checks(other, one)
        )

    def _is_over(self, first: Nested, second: Nested) -> bool:
        """Whether a thread had waited for the other one to do its part for the last time."""
        over = first.last_until
        return not math.isinf(over) and self._waited(second.thread, second.held_since, first.thread, int(over))

    def _checks(self, one: Nested, other: Nested) -> bool:
        """Whether the first may not take its second lock while the other one's thread holds it."""
        return one.lock == other.held and one.held in other.held_under and self._depends(one)


class Semaphores:
    """Which threads held semaphores when, and how many of them at a time."""

    def __init__(self, synchronisation: Sequence[Synchronisation], objects: Mapping[int, SyncObject]) -> None:
        self._held: defaultdict[int, list[Held]] = defaultdict(list)  # by thread
        self._held_at_edge: dict[Nested, frozenset[int]] = {}
        self._most: Counter[int] = Counter()  # of a semaphore: threads that held it at a time
        now: Counter[int] = Counter()
        since: defaultdict[tuple[int, int], list[int]] = defaultdict(list)  # by semaphore and thread
        for what, number, thread, seq in semaphore_steps(Operations(synchronisation), objects):
            begun = since[number, thread]
            if what == Act.ACQUIRE:
                begun.append(seq)
                now[number] += 1
                self._most[number] = max(self._most[number], now[number])
            elif begun:  # else it is given by one who had none: a signal
                self._held[thread].append(Held(number, thread, begun.pop(), seq))
                now[number] -= 1
        for (number, thread), begun in since.items():
            self._held[thread] += [Held(number, thread, seq, math.inf) for seq in begun]

    def exclude(self, circle: Iterable[Nested]) -> bool:
        """Whether a semaphore was held at more of the edges than it was ever seen to let in together."""
        at = Counter(number for edge in circle for number in self._held_at(edge))
        return any(number > self._most[semaphore] for semaphore, number in at.items())

    def _held_at(self, edge: Nested) -> frozenset[int]:
        if edge not in self._held_at_edge:
            its = self._held[edge.thread]
            self._held_at_edge[edge] = frozenset(each.object for each in its if each.first < edge.seq < each.last)
        return self._held_at_edge[edge]


class Starts:
    """Which thread started which, and joined it. Of tasks, what came before what (`knows`, as of `Pasts`)."""

    def __init__(
        self,
        synchronisation: Sequence[Synchronisation],
        threads: Iterable[Thread],
        knows: Callable[[int, int, int, int], bool | None],
    ) -> None:
        self._knows = knows
        self._started = {each.started: each for each in synchronisation if each.started is not None}
        self._runs = {each.thread: each.thread if each.task_of is None else each.task_of for each in threads}
        thread_of = Operations(synchronisation).thread_of
        self._joined: dict[tuple[int, int], int] = {}
        for each in synchronisation:
            if each.operation == Act.JOIN and each.object in thread_of and not each.begins and not each.failed:
                self._joined.setdefault((each.thread, thread_of[each.object]), each.seq)

    def same(self, one: Nested, other: Nested) -> bool:
        """Whether the two are by one thread. Its tasks are one, except for locks of theirs."""
        if one.of_tasks and other.of_tasks:
            return one.thread == other.thread
        return self._runs.get(one.thread, one.thread) == self._runs.get(other.thread, other.thread)

    def ordered(self, one: Nested, other: Nested) -> bool:
        """Whether the first's thread did that before it started the second's, or one that started it in turn; or after
        it had joined it.

        Two threads that a third one starts and joins one after the other are not called ordered: it is the program's
        choice when each of them runs, and a small change to it lets them meet."""
        if one.of_tasks and other.of_tasks:
            last = one.seq if math.isinf(one.until) else int(one.until)
            return self._knows(other.thread, other.held_since, one.thread, last) is not False
        if self._joined.get((one.thread, other.thread), math.inf) <= one.held_since:
            return True
        start = self._started.get(other.thread)
        seen: set[int] = set()
        while start is not None and start.seq not in seen:
            seen.add(start.seq)
            if start.thread == one.thread:
                return one.until <= start.earliest
            start = self._started.get(start.thread)
        return False
