"""Locksets: the locks that kept the updates of a location apart.

After Savage et al., "Eraser: a dynamic data race detector for multithreaded programs" (1997), who take the locks that
are held at every access of a location. Here a lock must be held from an update's read to its write without a break.
An update needs no lock if it came before or after all others because threads waited for each other
(analyse/happens_before.py): the one that first fills a location in, for example.

An acquisition is recorded after it happened, a release before it happens. A lock counts as held between these two
records, so a lock that is called held was held. If it cannot be told, the lock counts as not held.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from opcodetrace.analyse.happens_before import Clock, Clocks, Operations, Order, TooManyOrders
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.protection import Carrier, Doubt, Holding, Update, Verdict, Why
from opcodetrace.trace.run import Thread, Trace
from opcodetrace.trace.sync import LOCKS, SEMAPHORES, Act, Primitive, Synchronisation, SyncObject

MAX_CARRIED = 500  # changes from one thread to another of which it is told what ordered them
MAX_CARRIERS = 5  # kinds of those that are told
_HELD = LOCKS | {Primitive.CONDITION}


class Held(NamedTuple):
    """A thread held an object at its records between two seqs."""

    object: int
    thread: int
    first: int
    last: float  # infinite if it was never released


def held_locks(synchronisation: Sequence[Synchronisation], objects: Mapping[int, SyncObject]) -> list[Held]:
    """When each lock was held, by which thread, in the order of `first`. Of an RLock only outermost acquisitions count.

    A release inside of a Condition's wait releases an RLock as often as it was taken. If another thread gets a lock
    that was not seen released, its release went unseen, so that holding does not count. Nor do the locks that a
    condition makes for each wait, nor those by which a start waits: another thread is meant to release them."""
    types = {number: each.type_name for number, each in objects.items() if each.type_name in _HELD}
    found: list[Held] = []
    holder: dict[int, int] = {}
    since: dict[int, int] = {}
    depth: dict[int, int] = {}
    waits: dict[int, int] = {}  # the seq at which each wait for a condition began: its condition
    given_up: dict[tuple[int, int], tuple[int, int]] = {}  # thread and condition: lock, depth
    released: set[tuple[int, int]] = set()  # the seq of a wait, a lock
    signals: set[int] = set()
    starts: set[int] = set()  # the seqs at which threads began to start others
    acquire: str = Act.ACQUIRE
    release: str = Act.RELEASE
    for each in synchronisation:
        seq, _, thread, _, lock, operation, begins, failed, _, _, _, inside, _ = each
        if begins and operation == Act.START:
            starts.add(seq)
        if lock is None or lock not in types:
            continue
        type_name = types[lock]
        if type_name == Primitive.CONDITION:
            if operation == Act.WAIT and begins:
                waits[seq] = lock
            elif operation == Act.WAIT:
                own, taken = given_up.pop((thread, lock), (-1, 0))
                if holder.get(own) == thread and depth[own] == 1:
                    depth[own] = taken  # the wait took it as often as it had been taken
            continue
        if begins or failed:
            continue
        wait = inside if inside in waits else None
        if operation == acquire:
            if (wait is not None and (wait, lock) not in released) or (
                type_name == Primitive.LOCK and inside in starts
            ):
                signals.add(lock)
            if type_name == Primitive.RLOCK and holder.get(lock) == thread:
                depth[lock] += 1
                continue
            holder[lock], since[lock], depth[lock] = thread, seq, 1
        elif operation == release:
            if wait is not None:
                released.add((wait, lock))
            if lock not in holder:
                continue
            if type_name == Primitive.RLOCK and holder[lock] != thread:
                continue  # which raised
            if type_name == Primitive.RLOCK and wait is not None:
                given_up[thread, waits[wait]] = (lock, depth[lock])
                depth[lock] = 1
            depth[lock] -= 1
            if depth[lock] <= 0:
                found.append(Held(lock, holder.pop(lock), since.pop(lock), seq))
                depth[lock] = 0
    found += [Held(lock, thread, since[lock], math.inf) for lock, thread in holder.items()]
    return sorted((each for each in found if each.object not in signals), key=lambda each: each.first)


def held_semaphores(operations: Operations, objects: Mapping[int, SyncObject]) -> list[Held]:
    """When semaphores were held that no two threads held at a time though one waited for another; by `first`."""
    found: list[Held] = []
    since: dict[int, tuple[int, int]] = {}  # thread, seq
    shared: set[int] = set()  # had by two at a time, or given by one who had none
    for what, number, thread, seq in semaphore_steps(operations, objects):
        if what == Act.ACQUIRE:
            if number in since:
                shared.add(number)
            since[number] = (thread, seq)
        elif number not in since or since[number][0] != thread:
            shared.add(number)
        else:
            found.append(Held(number, thread, since.pop(number)[1], seq))
    found += [Held(number, thread, seq, math.inf) for number, (thread, seq) in since.items()]
    return sorted((each for each in found if each.object not in shared), key=lambda each: each.first)


def semaphore_steps(operations: Operations, objects: Mapping[int, SyncObject]) -> Iterator[tuple[str, int, int, int]]:
    """What threads took and gave of semaphores, in order: acquire or release, which, by whom, seq."""
    steps: list[tuple[int, str, int, int]] = []
    for operation in operations.all:
        number = operation.first.object
        if number is None or objects[number].type_name not in SEMAPHORES:
            continue
        if operation.first.operation == Act.RELEASE:
            steps.append((operation.first.seq, Act.RELEASE, number, operation.first.thread))
        elif operation.first.operation == Act.ACQUIRE and operation.last is not None and operation.done:
            steps.append((operation.last.seq, Act.ACQUIRE, number, operation.first.thread))
    for seq, what, number, thread in sorted(steps):
        yield what, number, thread, seq


def signals_of_semaphores(operations: Operations, objects: Mapping[int, SyncObject]) -> Iterator[Order]:
    """Acquisitions of semaphores that a thread had released which did not hold them, after all releases till then: they
    may have waited for any of these, as it is not known how many a semaphore let in to begin with."""
    steps = list(semaphore_steps(operations, objects))
    held: Counter[tuple[int, int]] = Counter()
    signals = set()
    for what, number, thread, _ in steps:
        held[number, thread] += 1 if what == Act.ACQUIRE else -1
        if held[number, thread] < 0:
            signals.add(number)
    released: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # by semaphore: thread, seq
    known: Counter[tuple[int, int]] = Counter()  # by semaphore and thread: how many of these releases it knows of
    for what, number, thread, seq in steps:
        if number in signals and what == Act.RELEASE:
            released[number].append((thread, seq))
        elif number in signals:
            latest = dict(released[number][known[number, thread] :])
            known[number, thread] = len(released[number])
            for other, then in latest.items():
                if other != thread:
                    yield Order(other, then, thread, seq, Carrier(Act.RELEASE, Act.ACQUIRE, number))


def locksets(updates: Iterable[Update], held: Sequence[Held]) -> Iterator[tuple[Update, frozenset[int]]]:
    """Each update with what its thread held from its read to its write. Updates are by `seq`, `held` by `first`."""
    of_thread: defaultdict[int, dict[int, Held]] = defaultdict(dict)  # the latest of each object
    nothing: frozenset[int] = frozenset()
    same: dict[tuple[int, ...], frozenset[int]] = {}
    coming = iter(held)
    following = next(coming, None)
    for update in updates:
        while following is not None and following.first < update.seq:
            of_thread[following.thread][following.object] = following
            following = next(coming, None)
        having = of_thread.get(update.thread)
        if not having:
            yield update, nothing
            continue
        numbers, over = [], []
        for number, _, first, last in having.values():
            if last < update.seq:
                over.append(number)
            elif first < update.began:
                numbers.append(number)
        yield update, same.setdefault(tuple(numbers), frozenset(numbers))
        for number in over:
            del having[number]


def holding(update: Update, held: Iterable[Held]) -> Holding:
    """The locks that a thread held at the read and at the write of one update."""
    mine = [each for each in held if each.thread == update.thread]

    def at(first: int, last: int) -> frozenset[int]:
        return frozenset(each.object for each in mine if each.first < first and last < each.last)

    return Holding(
        update.thread, at(update.began, update.seq), at(update.began, update.began), at(update.seq, update.seq)
    )


class Judge:
    """Says of the updates of a location why none was lost."""

    def __init__(
        self,
        synchronisation: Sequence[Synchronisation],
        objects: Mapping[int, SyncObject],
        operations: Operations,
        orders: Sequence[Order],
        threads: Collection[Thread] = (),
    ) -> None:
        self.objects = objects
        self._thread_of_task = {each.thread: each.task_of for each in threads if each.task_of is not None}
        self._woken: defaultdict[int, list[tuple[int, int]]] = defaultdict(
            list
        )  # by thread: seq, and who ended its wait
        for operation in operations.all:
            end = operation.last
            if end is not None and end.woken_by is not None and not end.failed:
                self._woken[end.thread].append((end.seq, end.woken_by))
        for waits in self._woken.values():
            waits.sort()
        self.locks = held_locks(synchronisation, objects)
        self.semaphores = held_semaphores(operations, objects)
        self._orders = orders
        self._last_seq = {each.thread: each.last_seq for each in threads}
        self._rlocks = {number for number, each in objects.items() if each.type_name == Primitive.RLOCK}

    @cached_property
    def _clocks(self) -> list[Clocks]:
        """Of the orders that are proven, then of all; none if that is too much to look into."""
        proven = [order for order in self._orders if order.doubt is None]
        of_both = [proven] if len(proven) == len(self._orders) else [proven, self._orders]
        try:
            return [Clocks(orders, self._last_seq) for orders in of_both]
        except TooManyOrders:
            return []

    def span(self, verdict: Verdict, one: Update, other: Update) -> tuple[int, int] | None:
        """The seqs at which the first one's thread got what the verdict says it held, and the other's released it."""

        def around(update: Update) -> Held | None:
            for held in self.locks if verdict.why is Why.LOCK else self.semaphores:
                if (
                    held.object in verdict.objects
                    and held.thread == update.thread
                    and held.first < update.began
                    and update.seq < held.last
                ):
                    return held
            return None

        first, last = around(one), around(other)
        if first is None or last is None or math.isinf(last.last):
            return None
        return first.first, int(last.last)

    def woken(self, one: Update, other: Update) -> bool:
        """Whether a wait of the other's thread right before its update was ended by the first one's after its own."""
        waits = self._woken.get(other.thread, [])
        place = bisect.bisect_left(waits, (other.began, -1))
        return place > 0 and waits[place - 1][0] > one.seq and waits[place - 1][1] == one.thread

    def verdict(self, updates: Sequence[Update], known: Collection[Doubt] = ()) -> Verdict | None:
        """Of all updates of one location, by `seq`, none of which was lost. None if one thread alone wrote, no write
        depended on what was read, or the orders are too many to look into. `known`: doubts that there are whatever the
        verdict is."""
        return next((verdict for _, verdict in self.verdicts(updates, lambda location: known)), None)

    def verdicts(
        self, updates: Iterable[Update], known: Callable[[int], Collection[Doubt]]
    ) -> Iterator[tuple[int, Verdict | None]]:
        """The same of several locations, whose updates all come by `seq`: what was held is gone through once."""
        of_location: defaultdict[int, list[Update]] = defaultdict(list)
        locks_at: defaultdict[int, list[frozenset[int]]] = defaultdict(list)
        semaphores_at: defaultdict[int, list[frozenset[int]]] = defaultdict(list)
        one, other = itertools.tee(updates)
        for (update, locks), (_, semaphores) in zip(
            locksets(one, self.locks), locksets(other, self.semaphores), strict=True
        ):
            of_location[update.location].append(update)
            locks_at[update.location].append(locks)
            semaphores_at[update.location].append(semaphores)
        for location, its in of_location.items():
            yield location, self._verdict(its, locks_at[location], semaphores_at[location], known(location))

    def _verdict(
        self,
        updates: Sequence[Update],
        locks: Sequence[frozenset[int]],
        semaphores: Sequence[frozenset[int]],
        known: Collection[Doubt],
    ) -> Verdict | None:
        threads = tuple(sorted({update.thread for update in updates}))
        if len(threads) < 2 or all(update.blind for update in updates):
            return None
        return self.judged(updates, locks, semaphores, known)

    def judged(
        self,
        updates: Sequence[Update],
        locks: Sequence[frozenset[int]],
        semaphores: Sequence[frozenset[int]],
        known: Collection[Doubt],
    ) -> Verdict | None:
        """The verdict on updates, or on reads too, by several threads, with what was held at each. Reads need not be
        kept apart from each other. None if the orders are too many to look into."""
        threads = tuple(sorted({update.thread for update in updates}))
        if len({self._thread_of_task.get(thread, thread) for thread in threads}) < len(threads):
            # a task takes an RLock that another task of its thread holds
            locks = [held - self._rlocks for held in locks]
        doubts = [*known, *([] if all(update.certain for update in updates) else [Doubt.SOURCE])]
        verdict = self._kept_apart(updates, threads, locks, semaphores)
        if verdict is None:
            return None
        making = _making(updates)
        if verdict.why is Why.NOTHING and making:
            since = slice(making, None)
            made = self._kept_apart(updates[since], threads, locks[since], semaphores[since])
            if made is not None and made.why is not Why.NOTHING:
                verdict, doubts = made, [*doubts, Doubt.MADE]
        doubts += verdict.doubts
        certainty = Certainty.INFERRED if doubts else Certainty.PROVEN
        if verdict.why is Why.NOTHING:
            certainty, doubts = Certainty.POSSIBLE, []
        return replace(verdict, certainty=certainty, doubts=tuple(dict.fromkeys(doubts)))

    def _kept_apart(
        self,
        updates: Sequence[Update],
        threads: tuple[int, ...],
        locks: Sequence[frozenset[int]],
        semaphores: Sequence[frozenset[int]],
    ) -> Verdict | None:
        """None if the orders are too many to look into."""
        verdict = _held_by_all(updates, threads, locks, semaphores)
        if verdict is not None:
            return verdict
        for clocks in self._clocks:
            verdict = _ordered(updates, threads, locks, semaphores, clocks)
            if verdict.why is not Why.NOTHING:
                break
        return verdict


def _making(updates: Sequence[Update]) -> int:
    """How many of the first updates and reads are the first thread's, before any other's, made of nothing there: it
    made the object and had not shared it yet (the exclusive state of Eraser, Savage et al., SOSP 1997). 0 if that is
    all but what one other thread does."""
    first = updates[0].thread
    making = 0
    for update in updates:
        if update.thread != first or not (update.blind or update.is_read):
            break
        making += 1
    return making if len({update.thread for update in updates[making:]}) > 1 else 0


def _held_by_all(
    updates: Sequence[Update],
    threads: tuple[int, ...],
    locks: Sequence[frozenset[int]],
    semaphores: Sequence[frozenset[int]],
) -> Verdict | None:
    """A lock or a semaphore that was held at each of them."""
    verdict = Verdict(Why.NOTHING, Certainty.PROVEN, len(updates), threads)
    for why, sets in ((Why.LOCK, locks), (Why.SEMAPHORE, semaphores)):
        common = frozenset.intersection(*sets)
        if common:
            places = (Doubt.PLACES,) if why is Why.SEMAPHORE else ()
            return replace(verdict, why=why, objects=tuple(sorted(common)), doubts=places)
    return None


def _ordered(
    updates: Sequence[Update],
    threads: tuple[int, ...],
    locks: Sequence[frozenset[int]],
    semaphores: Sequence[frozenset[int]],
    clocks: Clocks,
) -> Verdict:
    """The parts of them that came one after the other, each of which has one thread or a lock."""
    verdict = Verdict(Why.NOTHING, Certainty.PROVEN, len(updates), threads)
    bounds = [0, *_cuts(updates, clocks), len(updates)]
    objects: set[int] = set()
    doubts: set[Doubt] = set()
    apart = 0
    phases = False
    for first, last in itertools.pairwise(bounds):
        together = updates[first:last]
        if len({update.thread for update in together}) == 1 or all(update.is_read for update in together):
            apart += len(together)
            continue
        common = frozenset.intersection(*locks[first:last])
        if not common:
            common = frozenset.intersection(*semaphores[first:last])
            doubts.add(Doubt.PLACES)
            verdict = replace(verdict, why=Why.SEMAPHORE)
        if not common:
            return Verdict(Why.NOTHING, Certainty.PROVEN, len(updates), threads)
        phases = phases or bool(objects and not objects & common)
        objects = objects & common or objects | common
    why = Why.ORDER if not objects else Why.LOCK if verdict.why is Why.NOTHING else verdict.why
    carried = _carried(updates, bounds[1:-1], clocks)
    doubts |= {order.doubt for order in carried if order.doubt is not None}
    carriers = Counter(order.carrier for order in carried)
    return replace(
        verdict,
        why=why,
        objects=tuple(sorted(objects)),
        phases=phases,
        apart=apart if objects else 0,
        carriers=tuple(carrier for carrier, _ in carriers.most_common(MAX_CARRIERS)),
        doubts=tuple(sorted(doubts)),
    )


def _cuts(updates: Sequence[Update], clocks: Clocks) -> list[int]:
    """The places before which all updates came before all after them, other threads' by what these waited for."""
    first_unknown = FirstUnknown(updates)
    changes = [0] * (len(updates) + 1)
    latest: dict[int, tuple[Clock, int]] = {}  # by thread: a clock is that of many records
    for place, update in enumerate(updates):
        clock = clocks.at(update.thread, update.began)
        before, unknown = latest.get(update.thread, (None, -1))
        if clock is not before:
            unknown = first_unknown(update.thread, clock)
            latest[update.thread] = clock, unknown
        if unknown < place:  # these two are not ordered: no place between them is one
            changes[unknown + 1] += 1
            changes[place + 1] -= 1
    unordered = itertools.accumulate(changes)
    return [place for place, pairs in enumerate(unordered) if not pairs and 0 < place < len(updates)]


class FirstUnknown:
    """The first of some updates that a clock does not know: it need not have come before."""

    def __init__(self, updates: Sequence[Update]) -> None:
        self._size = len(updates)
        self._of_thread: defaultdict[int, list[int]] = defaultdict(list)  # places
        for place, update in enumerate(updates):
            self._of_thread[update.thread].append(place)
        self._seqs = {thread: [updates[place].seq for place in places] for thread, places in self._of_thread.items()}
        self._threads = sorted(self._of_thread)
        firsts = [self._of_thread[thread][0] for thread in self._threads]
        self._least: list[list[int]] = [firsts]  # by n: that of 2 ** n threads from each on
        while 2 ** len(self._least) <= len(firsts):
            half = 2 ** (len(self._least) - 1)
            self._least.append(list(map(min, self._least[-1], self._least[-1][half:])))

    def __call__(self, thread: int, clock: Clock) -> int:
        """Its place, among those of other threads than `thread`; their number if all are known."""
        found = self._size
        begin = clock.whole
        for other in sorted({thread, *clock.some}):
            if other != thread and other in self._of_thread:
                place = bisect.bisect_left(self._seqs[other], clock.some[other])
                if place < len(self._seqs[other]):
                    found = min(found, self._of_thread[other][place])
            if other >= begin:
                found = min(found, self._first_of(begin, other))
                begin = other + 1
        return min(found, self._first_of(begin, math.inf))

    def _first_of(self, begin: int, end: float) -> int:
        """The first one of all threads from one number on and below another."""
        first, last = bisect.bisect_left(self._threads, begin), bisect.bisect_left(self._threads, end)
        if first >= last:
            return self._size
        level = (last - first).bit_length() - 1
        least = self._least[level]
        return min(least[first], least[last - (1 << level)])


def _carried(updates: Sequence[Update], cuts: Sequence[int], clocks: Clocks) -> list[Order]:
    """What ordered one thread's update before another's, at the cuts."""
    carried = []
    changes = [place for place in cuts if updates[place - 1].thread != updates[place].thread]
    for place in changes[:MAX_CARRIED]:
        one, other = updates[place - 1], updates[place]
        carried += clocks.path(one.thread, one.seq, other.thread, other.began)
    return carried


def tightest(updates: Sequence[Update], woken: Callable[[Update, Update], bool]) -> tuple[Update, Update] | None:
    """Two updates in a row by different threads: the tightest pair of which the second had to wait for the first,
    else the tightest of all."""
    best: tuple[tuple[bool, int], Update, Update] | None = None
    for one, other in itertools.pairwise(updates):
        if one.thread == other.thread:
            continue
        rank = (not woken(one, other), other.seq - one.began)
        if best is None or rank < best[0]:
            best = rank, one, other
    return None if best is None else best[1:]


def without_another_lock(trace: Trace, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those pairs of two accesses by one thread (seqs) of which the second was made under no lock that was not held
    since the first one."""
    events = trace.events
    thread_of = {seq: int(events.thread[place]) for seq, place in events.places(last for _, last in pairs).items()}
    spans = {Update(-1, thread_of[last], began, last) for pair in pairs for last in pair[1:] for began in pair}
    held = held_locks(trace.synchronisation, {each.id: each for each in trace.sync_objects})
    by_end = sorted(spans, key=lambda span: (span.seq, span.began))
    locks = {(span.began, span.seq): its for span, its in locksets(by_end, held)}
    return {(first, last) for first, last in pairs if locks[last, last] <= locks[first, last]}
