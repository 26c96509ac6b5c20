"""Happens-before edges: which operations of one thread came before which of another, because one waited for the other.

Lamport, "Time, clocks, and the ordering of events in a distributed system" (1978); for threads with vector clocks:
Flanagan and Freund, "FastTrack: efficient and precise dynamic race detection" (2009). A clock has an entry for each
thread, so here one names few of them (`Clock`): else 8,000 threads take gigabytes.

Those take a lock's release and its next acquisition (release/acquire) for an edge. Here they are none: the other
thread might as well have come first, so that does not say why an update was not lost (analyse/lockset.py does). An edge
is only what a thread must wait for: the start and the end of a thread, the set of an Event before a wait that it let
through, the put of the very item that a get gave, the arrival at a Barrier, the notification or release that ended a
wait.

All is told by seqs. A record of a release or a put is made before it happens, that of an acquisition or a get after it,
so an order is never told the wrong way round.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from opcodetrace.trace.protection import Carrier, Doubt
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import (
    ASKS_FUTURE,
    EVENTS,
    FIRST_IN_FIRST_OUT,
    LAST_IN_FIRST_OUT,
    QUEUES,
    SEMAPHORES,
    SETS_FUTURE,
    Act,
    Primitive,
    Synchronisation,
    SyncObject,
)

MAX_ROOM = 1_000_000  # entries of all clocks of a run
FEW = 16  # threads that a clock names although they are below `whole`, besides as many as it spares


@dataclass(frozen=True, slots=True)
class Order:
    """What `one` recorded below `seq` came before what `other` recorded from `until` on."""

    one: int
    seq: int
    other: int
    until: int
    carrier: Carrier
    doubt: Doubt | None = None


@dataclass(slots=True)
class SyncOperation:
    """An operation as a whole: its beginning, its end, and what was done inside of it."""

    first: Synchronisation
    last: Synchronisation | None = None  # None: it raised, or the thread never came out
    parts: list[Synchronisation] = field(default_factory=list)  # at any depth, in order
    waited: bool = False  # for a condition of its own
    _locked: int | None = None  # the seqs at which it had the lock inside of it for the first time, and for the last
    _locked_again: int | None = None

    @property
    def done(self) -> bool:
        return self.last is not None and not self.last.failed

    def note(self, part: Synchronisation) -> None:
        """The next of its parts."""
        self.parts.append(part)
        if part.operation == Act.ACQUIRE and not (part.begins or part.failed):
            self._locked_again = part.seq
            if self._locked is None:
                self._locked = part.seq
        elif part.operation == Act.WAIT and part.begins:
            self.waited = True

    def asleep(self) -> Synchronisation | None:
        """Of a wait at a Condition: where it began to wait for the lock of its own by which it is woken."""
        waits = {each.seq for each in (self.first, *self.parts) if each.operation == Act.WAIT and each.begins}
        blocks = (part for part in self.parts if part.operation == Act.ACQUIRE and part.begins and part.inside in waits)
        return next(blocks, None)

    def took_effect(self) -> int:
        """The seq at which it had the lock inside of it for the last time; that of a C function's own record."""
        if self._locked_again is not None:
            return self._locked_again
        return self.first.seq if self.last is None else self.last.seq

    def had_lock(self) -> int:
        """The seq at which it had the lock inside of it for the first time."""
        return self.took_effect() if self._locked is None else self._locked


class _UnderWay:
    """What a thread began and has not ended, all of it at one place of woven code."""

    __slots__ = ("_places", "begun", "operation", "site")

    def __init__(self) -> None:
        self.begun: list[tuple[int | None, str]] = []  # each in the one before it
        self.operation: SyncOperation | None = None  # that of the first of those
        self.site: int | None = None
        self._places: dict[tuple[int | None, str], list[int]] = {}  # where each of them is in that

    def begin(self, what: tuple[int | None, str]) -> None:
        self._places.setdefault(what, []).append(len(self.begun))
        self.begun.append(what)

    def leave(self, what: tuple[int | None, str], *, begins: bool) -> bool:
        """What is over as this ends or `begins` again: all that began after it, and in the latter case it too. Gives
        whether it was under way."""
        places = self._places.get(what)
        if not places:
            return False
        self._cut(places[0] if begins else places[-1] + 1)
        return True

    def end(self) -> None:
        """The highest one is over."""
        self._cut(len(self.begun) - 1)

    def clear(self) -> None:
        self.begun.clear()
        self._places.clear()

    def _cut(self, size: int) -> None:
        while len(self.begun) > size:
            self._places[self.begun.pop()].pop()


class Operations:
    """The outermost operations of a run, and which of them each record is a part of.

    One that raised has no end. It is known to be over as its thread does something at another place of woven code, or
    begins the same again; in older trace files `Synchronisation.inside` goes on to name it."""

    def __init__(self, synchronisation: Sequence[Synchronisation]) -> None:
        self.all: list[SyncOperation] = []
        self._of: dict[int, SyncOperation] = {}  # by the seq of a part
        of_thread: dict[int, _UnderWay] = {}
        for each in synchronisation:
            seq, _, thread, site, number, operation, begins, _, _, _, _, _, _ = each
            under_way = of_thread.get(thread)
            if under_way is None:
                under_way = of_thread[thread] = _UnderWay()
            begun = under_way.begun
            again = False
            if begun:
                if site != under_way.site:
                    under_way.clear()
                else:
                    again = under_way.leave((number, operation), begins=begins)
            whole = under_way.operation
            if not begun or whole is None:
                under_way.operation = SyncOperation(each, None if begins else each)
                under_way.site = site
                self.all.append(under_way.operation)
            elif again and not begins and len(begun) == 1:
                whole.last = each
            else:
                self._of[seq] = whole
                whole.note(each)
            if begins:
                under_way.begin((number, operation))
            elif again:
                under_way.end()
        self.thread_of: dict[int, int] = {}  # by the object of a thread: its number
        for whole in self.all:
            if whole.first.operation == Act.START and whole.first.object is not None:
                started = next((part.started for part in whole.parts if part.started is not None), None)
                if started is not None:
                    self.thread_of[whole.first.object] = started

    def around(self, each: Synchronisation) -> Synchronisation:
        """The outermost operation that this one is a part of, or itself."""
        return self._of[each.seq].first if each.seq in self._of else each

    def outermost(self) -> list[Synchronisation]:
        """The beginnings and ends of operations that woven code led to and that are no part of others, in order."""
        ends = [each for operation in self.all for each in (operation.first, operation.last) if each is not None]
        return sorted({each.seq: each for each in ends if each.site is not None}.values(), key=lambda each: each.seq)


def _same(one: Synchronisation, other: Synchronisation) -> bool:
    return one.object == other.object and one.operation == other.operation


def orders(
    synchronisation: Sequence[Synchronisation],
    operations: Operations,
    objects: Mapping[int, SyncObject],
    threads: Iterable[Thread],
    *,
    begun: bool,
    free_threaded: bool,
    waits_to_the_end: Callable[[Synchronisation], bool] = lambda join: False,
) -> list[Order]:
    """The happens-before edges that a run's synchronisation gives, by `until`.

    `begun` says that the trace holds all of the run's synchronisation. How a queue or event was before the run is then
    assumed (the edge has a doubt); else edges that need it are left out. `waits_to_the_end` says whether a join was
    given no timeout."""
    found = [
        *_of_threads(synchronisation, operations, {thread.thread: thread for thread in threads}, waits_to_the_end),
        *_of_signals(synchronisation, objects, operations),
    ]
    of_object: defaultdict[int, list[SyncOperation]] = defaultdict(list)
    for operation in operations.all:
        if operation.first.object is not None:
            of_object[operation.first.object].append(operation)
    for number, used in of_object.items():
        type_name = objects[number].type_name
        if type_name in QUEUES:
            found += _of_queue(used, type_name, free_threaded=free_threaded)
            found += _of_joined_queue(used)
        elif type_name in EVENTS:
            found += _of_event(used)
        elif type_name in SEMAPHORES:
            found += _of_semaphore(used)
        elif type_name == Primitive.BARRIER:
            found += _of_barrier(used)
        elif type_name == Primitive.FUTURE:
            found += _of_future(used)
    kept = (order for order in found if order.seq <= order.until and (begun or order.doubt is not Doubt.STATE))
    return sorted(kept, key=lambda order: (order.until, order.seq))


def _of_threads(
    synchronisation: Sequence[Synchronisation],
    operations: Operations,
    threads: Mapping[int, Thread],
    waits_to_the_end: Callable[[Synchronisation], bool],
) -> Iterator[Order]:
    """Starts and joins."""
    join: str = Act.JOIN
    for each in synchronisation:
        started = each.started
        if started is None and each.operation != join:
            continue
        if started is not None and started in threads:
            first = threads[started].first_seq
            if each.earliest <= first:
                yield Order(each.thread, each.earliest, started, first, Carrier("start", "begin", None))
        elif each.operation == join and each.object in operations.thread_of and not each.begins and not each.failed:
            joined = threads.get(operations.thread_of[each.object])
            if joined is not None and joined.ended and joined.last_seq < each.seq:
                doubt = None if waits_to_the_end(each) else Doubt.JOIN
                carrier = Carrier("end", "join", None)
                yield Order(joined.thread, joined.last_seq + 1, each.thread, each.seq, carrier, doubt)


def _of_signals(
    synchronisation: Sequence[Synchronisation], objects: Mapping[int, SyncObject], operations: Operations
) -> Iterator[Order]:
    """A lock that another thread than its holder released: so conditions let those go on that wait for them."""
    locks = {number for number, each in objects.items() if each.type_name == Primitive.LOCK}
    holder: dict[int, int] = {}
    signal: dict[int, Synchronisation] = {}  # by the lock: its release, if that was another's
    acquire: str = Act.ACQUIRE
    release: str = Act.RELEASE
    for each in synchronisation:
        _, _, thread, _, number, operation, begins, failed, _, _, _, _, _ = each
        if number not in locks or number is None or begins or failed:
            continue
        if operation == release:
            held = holder.pop(number, None)
            signal.pop(number, None)
            if held is not None and held != thread:
                signal[number] = each
        elif operation == acquire:
            given = signal.pop(number, None)
            if given is not None and given.thread != thread:
                one, other = operations.around(given), operations.around(each)
                carrier = Carrier(one.operation, other.operation, other.object)
                yield Order(given.thread, given.seq, thread, each.seq, carrier)
            holder[number] = thread


def _of_queue(used: Sequence[SyncOperation], type_name: str, *, free_threaded: bool) -> Iterator[Order]:
    """Which put gave the item of each get: the lock inside a queue puts all in one order.

    A SimpleQueue has none; with the GIL its puts happen as they are recorded. It hands an item to a thread that waits,
    which records that later: so of gets that overlap it is not known which of the items each got."""
    simple = type_name == Primitive.SIMPLE_QUEUE
    if simple and free_threaded and len({each.first.thread for each in used if each.first.operation == Act.PUT}) > 1:
        return
    unclear = _overlapping([each for each in used if each.first.operation == Act.GET]) if simple else set()
    steps: list[tuple[int, str, SyncOperation]] = []
    for operation in used:
        name = operation.first.operation
        if name not in (Act.PUT, Act.GET):
            continue
        if name == Act.GET:
            waits = [part.seq for part in operation.parts if part.operation == Act.WAIT and part.begins]
            if simple and operation.first.begins and operation.first.seq not in unclear:
                waits = [operation.first.seq]  # told only if it is empty
            steps += [(seq, "empty", operation) for seq in waits]
        if operation.done:
            steps.append((operation.took_effect(), name, operation))
    items: deque[SyncOperation] = deque()
    known = mixed = False  # what it held before the recording; which of its items were taken
    for seq, what, operation in sorted(steps, key=lambda step: step[0]):
        if what == "empty":
            items.clear()
            known, mixed = True, False
        elif what == Act.PUT:
            items.append(operation)
        elif not items:
            known = mixed = False
        else:
            if type_name in FIRST_IN_FIRST_OUT:
                given = items.popleft()
            else:
                given = items.pop()
                if type_name not in LAST_IN_FIRST_OUT and items:
                    mixed = True
            giver, taker = given.first.thread, operation.first.thread
            if not mixed and giver != taker and operation.first.seq not in unclear:
                doubt = None if known else Doubt.STATE
                carrier = Carrier("put", "get", operation.first.object)
                yield Order(giver, given.took_effect(), taker, seq, carrier, doubt)
            if mixed and not items:
                mixed = False


def _of_semaphore(used: Sequence[SyncOperation]) -> Iterator[Order]:
    """Who releases a semaphore without having acquired it gives a place, to whoever acquires one next without a wait.
    (One that waits is let go on by a signal.) A thread that gives its own place back hands nothing on, as with a lock.

    How many places there were at first is not recorded; the given ones are taken first."""
    given: deque[tuple[int, int]] = deque()  # by which thread, and the seq at which that took effect
    taken: defaultdict[int, list[tuple[int, int] | None]] = defaultdict(list)  # by thread: who gave what it has
    ended = [each for each in used if each.done and each.first.operation in (Act.RELEASE, Act.ACQUIRE)]
    for operation in sorted(ended, key=lambda each: each.took_effect()):
        thread, seq = operation.first.thread, operation.took_effect()
        if operation.first.operation == Act.ACQUIRE:
            place = given.popleft() if given else None
            taken[thread].append(place)
            if place is not None and place[0] != thread:
                yield Order(*place, thread, seq, Carrier("release", "acquire", operation.first.object), Doubt.STATE)
        elif not taken[thread]:
            given.append((thread, seq))
        else:
            place = taken[thread].pop()
            if place is not None:
                given.appendleft(place)


def _of_joined_queue(used: Sequence[SyncOperation]) -> Iterator[Order]:
    """All that was done came before a join that found nothing left to do. (One that waits is let go on by a signal.)"""
    done: dict[int, int] = {}  # by thread: the seq at which its latest task_done took effect
    known: defaultdict[int, dict[int, int]] = defaultdict(dict)  # by the thread that joins: what it knows of that
    ended = [each for each in used if each.done and each.first.operation in (Act.TASK_DONE, Act.JOIN)]
    for operation in sorted(ended, key=lambda each: each.took_effect()):
        thread, seq = operation.first.thread, operation.took_effect()
        if operation.first.operation == Act.TASK_DONE:
            done[thread] = seq
            continue
        for other, since in done.items():
            if other != thread and known[thread].get(other) != since:
                known[thread][other] = since
                yield Order(other, since, thread, seq, Carrier("task_done", "join", operation.first.object))


def _overlapping(operations: Iterable[SyncOperation]) -> set[int]:
    """Those (the seqs of their beginnings) that were under way while another one was."""
    found: set[int] = set()
    latest: tuple[float, int] = (-1, -1)  # until when the one was under way that ends last, and its beginning
    for operation in sorted(operations, key=lambda each: each.first.earliest):
        until = math.inf if operation.last is None else operation.last.seq
        if operation.first.earliest <= latest[0]:
            found |= {operation.first.seq, latest[1]}
        latest = max(latest, (until, operation.first.seq))
    return found


def _of_event(used: Sequence[SyncOperation]) -> Iterator[Order]:
    """The set that let a wait through is the first one since the event was last seen unset."""
    steps: list[tuple[int, str, SyncOperation]] = []
    for operation in used:
        if operation.first.operation == Act.WAIT:
            waits = [part.seq for part in operation.parts if part.operation == Act.WAIT and part.begins]
            steps += [(seq, "unset", operation) for seq in waits]
        if operation.done and operation.first.operation in (Act.SET, Act.CLEAR, Act.WAIT):
            steps.append((operation.took_effect(), operation.first.operation, operation))
    setter: tuple[int, int] | None = None  # the thread, and the seq at which its set took effect
    known = False  # to be unset before the setter's set
    for seq, what, operation in sorted(steps, key=lambda step: step[0]):
        if what in ("unset", Act.CLEAR):
            setter, known = None, True
        elif what == Act.SET:
            setter = setter or (operation.first.thread, seq)
        elif setter is not None and setter[0] != operation.first.thread:
            carrier = Carrier("set", "wait", operation.first.object)
            doubt = None if known else Doubt.STATE
            yield Order(*setter, operation.first.thread, seq, carrier, doubt)


def _of_barrier(used: Sequence[SyncOperation]) -> Iterator[Order]:
    """Who waited was there before the one who came last; the way back is a signal.

    One who did not wait came last, and ended the waits of the others."""
    passed = [operation for operation in used if operation.first.operation == Act.WAIT and operation.done]
    # by thread and lock: its releases of it as it came last, and when it had had the lock inside of the barrier
    releases: defaultdict[tuple[int, int | None], list[tuple[int, int]]] = defaultdict(list)
    for came_last in passed:
        if not came_last.waited:
            had_lock = came_last.had_lock()
            for part in came_last.parts:
                if part.operation == Act.RELEASE:
                    releases[came_last.first.thread, part.object].append((part.seq, had_lock))
    seqs = {key: [seq for seq, _ in found] for key, found in releases.items()}
    # no earlier than before it, should the file be damaged
    had = {key: list(itertools.accumulate((each for _, each in found), max)) for key, found in releases.items()}
    for operation in passed:
        if not operation.waited:
            continue
        first = operation.first
        for part in operation.parts:
            if part.operation != Act.ACQUIRE or part.begins or part.failed or part.woken_by is None:
                continue
            key = part.woken_by, part.object
            if key not in seqs:
                continue
            # later ones of the same thread follow from the first
            place = max(bisect.bisect_left(seqs[key], part.earliest), bisect.bisect_left(had[key], first.seq))
            if place < len(seqs[key]) and seqs[key][place] <= part.seq:
                yield Order(
                    first.thread, first.seq, part.woken_by, had[key][place], Carrier("wait", "wait", first.object)
                )


def _of_future(used: Sequence[SyncOperation]) -> Iterator[Order]:
    """A future is given its result once."""
    setters = [operation for operation in used if operation.first.operation in SETS_FUTURE]
    for operation in used:
        if operation.first.operation in ASKS_FUTURE and operation.last is not None and operation.done and setters:
            setter = setters[0].first
            if setter.thread != operation.first.thread and setter.seq < operation.last.seq:
                carrier = Carrier(setter.operation, operation.first.operation, operation.first.object)
                yield Order(setter.thread, setter.seq, operation.first.thread, operation.last.seq, carrier)


class Clock(NamedTuple):
    """What came before a record: of each thread, all that it recorded below a seq.

    Of threads below `whole` that is all they ever recorded, unless `some` says otherwise. A thread starts others with
    the end of all earlier ones in its past: so `some` stays small, however many threads there are."""

    whole: int
    some: dict[int, int]  # thread: seq; -1: nothing of it

    def get(self, thread: int, default: float = -1) -> float:
        """The seq below which what a thread recorded came before."""
        if thread in self.some:
            return self.some[thread] if self.some[thread] >= 0 else default
        return math.inf if thread < self.whole else default


NOTHING = Clock(0, {})


class TooManyOrders(Exception):
    """Of more threads that are under way at one time than can be looked into."""


class Clocks:
    """What each thread's past holds of the other threads, at any seq."""

    def __init__(self, orders: Sequence[Order], last_seq: Mapping[int, int] | None = None) -> None:
        """Of orders by `until`. `last_seq` of the threads, by their numbers, makes what is known take less room.

        Raises TooManyOrders if it takes too much all the same."""
        self._orders = orders
        self._until = [order.until for order in orders]
        self._last_seq = last_seq or {}
        self._threads = sorted(self._last_seq)
        self._seqs: defaultdict[int, list[int]] = defaultdict(list)
        self._clocks: defaultdict[int, list[Clock]] = defaultdict(list)
        room = 0
        for order in orders:
            merged = self._merged(self.at(order.other, order.until), self.at(order.one, order.seq), order)
            self._seqs[order.other].append(order.until)
            self._clocks[order.other].append(merged)
            room += len(merged.some)
            if room > MAX_ROOM:
                raise TooManyOrders

    def _merged(self, one: Clock, other: Clock, order: Order) -> Clock:
        """The clock of what knows all that both know, and what the order says."""
        if one.whole < other.whole:
            one, other = other, one
        some = {
            thread: max(seq, other.some.get(thread, -1))
            for thread, seq in one.some.items()
            if thread >= other.whole or thread in other.some
        }
        for thread, seq in other.some.items():
            if thread >= one.whole and thread not in some:
                some[thread] = seq
        if order.one >= one.whole or order.one in some:
            some[order.one] = max(some.get(order.one, -1), order.seq)
        for thread in [thread for thread in some if thread < one.whole and some[thread] > self._last_seq[thread]]:
            del some[thread]
        return self._shortened(one.whole, some)

    def _shortened(self, whole: int, some: dict[int, int]) -> Clock:
        """The same, with `whole` as far up as that makes it no longer."""
        known: list[int] = []  # threads that need not be named any more
        unknown: list[int] = []  # those that would have to be
        size, fresh = max(len(some), FEW), 0
        named, left_out, spared = whole, 0, 0
        last_seq = self._last_seq
        for place in range(bisect.bisect_left(self._threads, whole), len(self._threads)):
            thread = self._threads[place]
            if some.get(thread, -1) <= last_seq[thread]:
                unknown.append(thread)
                fresh += thread not in some
                if len(unknown) > len(known) + FEW:
                    break
                continue
            if thread in some:
                known.append(thread)
            if len(some) - len(known) + fresh <= size:
                named, left_out, spared = thread + 1, len(unknown), len(known)
        for thread in known[:spared]:
            del some[thread]
        for thread in unknown[:left_out]:
            some.setdefault(thread, -1)
        return Clock(named, some)

    def at(self, thread: int, seq: int) -> Clock:
        """The clock of a thread at one of its records."""
        place = bisect.bisect_right(self._seqs[thread], seq)
        return self._clocks[thread][place - 1] if place else NOTHING

    def path(self, one: int, seq: int, other: int, until: int) -> list[Order]:
        """The orders that lead from what a thread recorded at `seq` to what another did at `until`; none if none do."""
        reached = {one: seq}
        by: dict[int, Order] = {}
        start = bisect.bisect_left(self._until, seq)
        for order in self._orders[start : bisect.bisect_right(self._until, until)]:
            if order.other not in reached and reached.get(order.one, order.seq) < order.seq:
                reached[order.other] = order.until
                by[order.other] = order
                if order.other == other:
                    path = []
                    while other != one:
                        path.append(by[other])
                        other = by[other].one
                    return path[::-1]
        return []
