"""What came before what, because one thread waited for another, or may have heard what it had done."""

from __future__ import annotations

import bisect
import heapq
import operator
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.callback_lanes import CallbackLanes
from opcodetrace.analyse.happens_before import Clocks, Operations, Order, TooManyOrders, orders
from opcodetrace.analyse.lockset import Judge, signals_of_semaphores
from opcodetrace.analyse.moments import Moments
from opcodetrace.analyse.news import A_NUMBER, News
from opcodetrace.analyse.same_value import repeated
from opcodetrace.analyse.waiting_loops import WaitingLoops
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.protection import Carrier
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation
from opcodetrace.trace.source_text import SourceTexts
from opcodetrace.trace.sync import (
    BARRIERS,
    EVENTS,
    LOCKS,
    OF_TASKS,
    QUEUES,
    SEMAPHORES,
    Act,
    Primitive,
    Synchronisation,
)

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

OF_PRESENCE = frozenset(["present", "absent", "raises", "is None", "is not None"])  # answers of `Test`
_TELL = QUEUES | SEMAPHORES | EVENTS | BARRIERS | {Primitive.FUTURE}
_Access = tuple[int, int, int, int, int, bool, bool]  # its place, thread, kind, location, value; repeats, counts
_Step = Order | Synchronisation | _Access
MAX_BETWEEN = (
    100_000  # events between two, that are gone through to see whether the later thread had heard of the first
)
NOBODY = -1  # no thread
STEPS = 200_000  # events that are gone through, for all that is asked of a run, besides a tenth of all its events


class Pasts:
    """The pasts of a run's events. What rests on a doubt (`Order.doubt`) counts: who asks wants to be sure that there
    is no order."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._texts = SourceTexts(trace)

    @cached_property
    def operations(self) -> Operations:
        return Operations(self._trace.synchronisation)

    @cached_property
    def orders(self) -> list[Order]:
        """By `until`."""
        trace = self._trace
        found = orders(
            trace.synchronisation,
            self.operations,
            {each.id: each for each in trace.sync_objects},
            trace.threads,
            begun=not trace.let_go,
            free_threaded=trace.free_threaded,
            waits_to_the_end=self._waits_to_the_end,
        )
        if not trace.callbacks.runs:
            return found
        # what a callback did, it did after who had scheduled it
        found += [
            replace(order, one=one, seq=seq)
            for order in found
            for one, seq in trace.callbacks.past(order.one, order.seq)
            if one != order.other
        ]
        found += [Order(*wake, Carrier("schedule", "step", None)) for wake in trace.callbacks.wakes]
        return sorted(found, key=lambda order: (order.until, order.seq))

    @property
    def lanes(self) -> CallbackLanes:
        return self._lanes_and_clocks[0]

    @cached_property
    def lane_orders(self) -> list[Order]:
        """Those between lanes, of which each callback of an event loop is one."""
        return self.lanes.orders(self.orders)

    @cached_property
    def _lanes_and_clocks(self) -> tuple[CallbackLanes, Clocks | None]:
        """Callbacks are told apart, unless clocks of so many would take too much room."""
        last_seqs = {each.thread: each.last_seq for each in self._trace.threads}
        for told_apart in (True, False):
            lanes = CallbackLanes(self._trace, told_apart=told_apart)
            try:
                return lanes, Clocks(lanes.orders(self.orders), last_seqs | lanes.last_seqs())
            except TooManyOrders:
                continue
        return lanes, None

    @cached_property
    def judge(self) -> Judge:
        """Knows which locks were held when."""
        objects = {each.id: each for each in self._trace.sync_objects}
        return Judge(self._trace.synchronisation, objects, self.operations, self.orders, self._trace.threads)

    @cached_property
    def moments(self) -> Moments:
        last = max((each.thread for each in self._trace.threads), default=0)
        lanes = range(max(last, int(self._trace.events.thread.max(initial=0))) + 1)
        return Moments(lanes, [*self.judge.locks, *self.judge.semaphores], self.orders)

    def _waits_to_the_end(self, join: Synchronisation) -> bool:
        """Whether a join was given no timeout."""
        if join.site is None or join.site not in self._trace.sites:
            return False
        return self._texts.expression(join.site).endswith(".join()")

    @cached_property
    def _signals(self) -> Clocks | None:
        """Without what threads know by starts and joins; but with each release of a semaphore that is a signal."""
        orders = [order for order in self.orders if order.carrier.object is not None]
        orders += signals_of_semaphores(self.operations, {each.id: each for each in self._trace.sync_objects})
        try:
            return Clocks(sorted(orders, key=lambda order: order.until))
        except TooManyOrders:
            return None

    def was_signalled(self, thread: int, seq: int, other: int, then: int) -> bool:
        """Whether a thread had waited by `seq` for what another one had done by `then`, without its start or a join:
        for an event, at a barrier, for a queue ..."""
        return self._signals is not None and self._signals.at(thread, seq).get(other) > then

    def holds(self, one: int, other: int) -> bool | None:
        """Whether an event's thread had waited, before it, for another one's thread to be past that; None: unknown.

        The two are places among the events."""
        events = self._trace.events
        first, second = ((int(events.thread[place]), int(events.seq[place])) for place in (one, other))
        return self.knows(*first, *second)

    def knows(self, thread: int, seq: int, other: int, then: int) -> bool | None:
        """The same of what a thread did at `seq`, and another one at `then`."""
        lanes, clocks = self._lanes_and_clocks
        if clocks is None:
            return None
        return clocks.at(lanes.of(thread, seq), seq).get(lanes.of(other, then)) > then


class Hearsay:
    """Who may have heard of what.

    A program may order its threads by what they read: a flag, an object that one of them hands on. So a read of what
    another thread wrote tells of all that this one had done. A read that is the source of a write to the same location
    does not: a counter that both increase hands nothing on, nor does a list to which both append; but one on which a
    branch depended does, and one by a call (`d.popitem()`). Who takes something out of a container into which the very
    object was put has heard, whoever wrote there since. A read of the very location that is asked about does not,
    either, nor does one of a number, a truth value or None that was written there again: it might have come before. Nor
    does one that found what had been there before, or that decides nothing (`news`).

    As news count, too, operations on one queue, event, semaphore, barrier or future, except rounds of a barrier (what
    they order is happens-before) and that both take an item from a queue, or with a lock inside of one
    (`queue.empty()`) or of a library's threads (`wait([future])`); a lock's release and its next acquisition by two
    other threads, which may hold it on behalf of those that are asked about; that a thread came out of a loop that only
    waits; and what `Callbacks.heard` says of tasks.

    All this is more than happens-before has, so it finds orders that another run need not have. Tasks and their thread
    are one, unless it is known what made each of their steps go on (`Callbacks.followed`)."""

    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._pasts = evidence.pasts
        self._news = News(evidence)
        sources = evidence.sources
        self._loops = WaitingLoops(trace)
        self._left = STEPS + len(trace.events) // 10
        self._thread_of = {
            each.thread: each.task_of
            for each in trace.threads
            if each.task_of is not None and each.task_of not in trace.callbacks.followed
        }
        events = trace.events
        whole = [number for number, each in trace.locations.items() if each.kind is LocationKind.WHOLE]
        tests = [test for site in trace.sites.values() for test in site.tests]
        news_sites = {number for number, site in trace.sites.items() if site.operation == Operation.CALL}
        news_sites |= {test.site for test in tests if test.answer not in OF_PRESENCE}
        news = np.array(sorted(news_sites), np.int64)
        # whether a key is there, for a counter that begins by that
        of_presence = np.array([test.site for test in tests if test.answer in OF_PRESENCE - {"raises"}], np.int64)
        of_failure = np.array([test.site for test in tests if test.answer == "raises"], np.int64)
        has_failed = events.failed() if len(of_failure) else None
        self._identities = np.append(events.identities(), 0)
        self._repeats = repeated(events, np.array(whole, np.int64))
        self._counts: npt.NDArray[np.bool_] = np.zeros(len(events), bool)
        for start in range(0, len(events), PIECE):
            made = start + np.flatnonzero(sources.place[start : start + PIECE] >= 0)
            made = made[events.kind[made] == EventKind.WRITE]
            source = sources.place[made]
            there = events.location[source] == events.location[made]
            made, source = made[there], source[there]
            is_whole = np.isin(events.location[source], whole)
            self._counts[source] = ~is_whole & ~np.isin(events.site[source], news)
            # who appends an item learns nothing of those that are there
            self._counts[source] |= is_whole & (events.tag[made] != ValueTag.ABSENT)
        for start in range(0, len(events), PIECE) if len(of_presence) or len(of_failure) else ():
            part = slice(start, start + PIECE)
            self._counts[part] |= np.isin(events.site[part], of_presence)
            if has_failed is not None:  # what was read all the same is news like any other
                self._counts[part] |= np.isin(events.site[part], of_failure) & has_failed[part]

    @cached_property
    def _until(self) -> list[int]:
        return [order.until for order in self._pasts.lane_orders]

    @cached_property
    def _synchronised(self) -> tuple[list[int], list[Synchronisation]]:
        """The operations that may tell of something, with their seqs."""
        types = {each.id: each.type_name for each in self._trace.sync_objects}
        tell = {number for number, type_name in types.items() if type_name in _TELL}
        locks = {number for number, type_name in types.items() if type_name in LOCKS}
        # a library's own: taken by code that no watched code called, or inside of another operation; where an exception
        # leaves a `with`, no code calls
        inside = {
            each.object
            for each in self._trace.synchronisation
            if each.site is None and each.thread and each.object in locks and each.operation != Act.RELEASE
            if each.object is not None
        }
        inside |= {
            part.object
            for operation in self._pasts.operations.all
            if operation.first.object in tell
            and types[operation.first.object] not in OF_TASKS  # one that all of these take
            for part in operation.parts
            if part.object is not None
        }
        # but not the one that all threads take as they begin and end
        self._of_starts = {
            part.object
            for operation in self._pasts.operations.all
            if operation.first.operation == Act.START
            for part in operation.parts
        }
        self._tell = tell | (inside - self._of_starts)
        # who takes an item from a queue after another one hears nothing of what that one did
        queues = {number for number, type_name in types.items() if type_name in QUEUES}
        self._takes = {
            part.seq
            for operation in self._pasts.operations.all
            if operation.first.operation == Act.GET and operation.done and operation.first.object in queues
            for part in (operation.first, *operation.parts, operation.last)
            if part is not None
        }
        # what a barrier orders is known (`Pasts.orders`): who leaves one round late has heard nothing of the next one
        rounds = {
            part.seq
            for operation in self._pasts.operations.all
            if operation.first.operation == Act.WAIT and operation.done and operation.first.object in tell
            if types[operation.first.object] == Primitive.BARRIER
            for part in (operation.first, *operation.parts, operation.last)
            if part is not None
        }
        rows = [
            each for each in self._trace.synchronisation if each.object in self._tell | locks and each.seq not in rounds
        ]
        return [each.seq for each in rows], rows

    def reached(self, one: int, other: int, *, by_locks: bool = False) -> bool:
        """Whether the thread of an event may have heard, before it, of another thread's earlier event. The two are
        places among the events. If too much lies between them, or too much was asked, it is taken to have.

        `by_locks`: it may have so by any lock that one who knew had released before it took it, and by an item of what
        one who knew had appended to. So it is if the earlier thread gave away what it is asked about, or the later one
        took it (`with lock: mine, self.items = self.items, {}`)."""
        events = self._trace.events
        start, end = int(events.seq[one]), int(events.seq[other])
        site = int(events.site[other])
        if other - one > min(MAX_BETWEEN, self._left) or (
            site in self._trace.sites
            and self._loops.before(self._trace.site_codes[site].file, self._trace.sites[site].line)
        ):
            return True
        self._left -= max(other - one, 0)
        first, target = (self._lane(int(events.thread[place]), seq) for place, seq in ((one, start), (other, end)))
        knows = {first: start}  # by thread: the seq from which on
        own = int(events.location[one])
        told = {own: bool(events.kind[one] != EventKind.READ)}  # by location: whether who wrote there last knows
        touched: set[int] = set()  # objects that one who knows has used
        taken: set[int] = set()  # queues that one who knows has taken something from
        released: dict[int, int] = {}  # lock: the thread who knew as it released it
        container = 0 if self._trace.containers is None else int(self._trace.containers[own])
        handed_on: set[int] = set()  # where one who knows has put the very object
        before: dict[int, int | None] = {}  # by location: what would have been there if nobody knew
        carried: dict[int, bool] = {}  # writes of what was made of such news; whether it would be a number, too
        made: dict[int, int] = {}  # by location of what was: the thread that counts on from there
        for seq, step in self._steps(one, other, start, end):
            if isinstance(step, Order):
                if knows.get(self._lane(step.one, step.seq - 1), step.seq) < step.seq:
                    knows.setdefault(self._lane(step.other, step.until), step.until)
            elif isinstance(step, Synchronisation):
                thread, number = self._lane(step.thread, seq), step.object
                if number is None:
                    continue
                if number in self._tell:
                    takes = seq in self._takes
                    if thread in knows:
                        (taken if takes else touched).add(number)
                    elif number in touched or (number in taken and not takes):
                        knows[thread] = seq
                elif by_locks and number in self._of_starts:
                    continue
                elif thread in knows and (by_locks or thread != first) and step.operation == Act.RELEASE:
                    released[number] = thread
                elif (
                    number in released
                    and (by_locks or thread != target)
                    and step.operation == Act.ACQUIRE
                    and not step.failed
                ):
                    knows.setdefault(thread, seq)
            else:
                place, thread, kind, location, value, repeats, counts = step
                thread = self._lane(thread, seq)
                if kind in (EventKind.WRITE, EventKind.DELETE):
                    told[location] = told.get(location, False) if repeats else thread in knows
                    if place in carried or made.get(location) == thread:
                        is_number = carried.get(place, True) and self._news.is_number(place)
                        told[location], before[location] = True, A_NUMBER if is_number else None
                        made[location] = NOBODY
                    else:
                        made.pop(location, None)
                        if thread not in knows:
                            before[location] = place
                    if value and value == container and thread in knows:
                        handed_on.add(location)
                else:
                    tells = not counts and location in handed_on and location != own
                    if not counts and not tells and told.get(location):
                        if location not in before:
                            before[location] = self._news.before(location, one)
                        writes = self._news.of(place, before[location])
                        tells = writes is None and (location != own or location in made)
                        is_number = self._news.is_number(place) and self._news.is_number(before[location])
                        carried |= dict.fromkeys(writes or (), is_number)
                    if counts and location in made:
                        made[location] = thread
                    if tells or (by_locks and told.get(self._whole_of.get(location, -1))):
                        knows.setdefault(thread, seq)
            if target in knows:
                return True
        return False

    def has_reached(self, lane: int, since: int, other: int, until: int, but: Collection[int]) -> bool:
        """The same of what a lane had done at one seq, and of what another lane knew at a later one: by all but some
        objects of synchronisation (`but`), which it is asked about."""
        start, end = np.searchsorted(self._trace.events.seq, (since, until)).tolist()
        if end - start > min(MAX_BETWEEN, self._left):
            return True
        self._left -= end - start
        first, target = self._lane(lane, since), self._lane(other, until)
        knows = {first}
        told: set[int] = set()  # locations where one who knows wrote last
        touched: set[int] = set()
        released: set[int] = set()  # locks that one who knows has released, other than the first
        for seq, step in self._steps(start - 1, end, since, until, first):
            if isinstance(step, Order):
                if self._lane(step.one, step.seq - 1) in knows and step.seq > since:
                    knows.add(self._lane(step.other, step.until))
            elif isinstance(step, Synchronisation):
                thread, number = self._lane(step.thread, seq), step.object
                if number is None or number in but:
                    continue
                if thread in knows:
                    touched |= {number} & self._tell
                    released |= {number} if step.operation == Act.RELEASE and thread != first else set()
                elif number in touched or (number in released and step.operation == Act.ACQUIRE and thread != target):
                    knows.add(thread)
            else:
                _, thread, kind, location, _, repeats, counts = step
                thread = self._lane(thread, seq)
                if kind == EventKind.READ:
                    if location in told and not counts:
                        knows.add(thread)
                elif thread in knows and not repeats:
                    told.add(location)
                else:
                    told.discard(location)
            if target in knows:
                return True
        return False

    @cached_property
    def _whole_of(self) -> dict[int, int]:
        """By the location of an item: its container as a whole, if that is a location of the run."""
        trace = self._trace
        if trace.containers is None:
            return {}
        of_container = {
            int(trace.containers[number]): number
            for number, each in trace.locations.items()
            if each.kind is LocationKind.WHOLE and trace.containers[number]
        }
        return {
            number: of_container[int(trace.containers[number])]
            for number, each in trace.locations.items()
            if each.kind is LocationKind.ITEM and int(trace.containers[number]) in of_container
        }

    def _lane(self, lane: int, seq: int) -> int:
        return self._thread_of[lane] if lane in self._thread_of else self._pasts.lanes.of(lane, seq)

    def _steps(
        self, one: int, other: int, start: int, end: int, first: int | None = None
    ) -> Iterator[tuple[int, _Step]]:
        """All that may tell of something between two events, in order."""
        events = self._trace.events
        part = one + 1 + np.flatnonzero(events.kind[one + 1 : other] <= EventKind.DELETE)
        columns = (events.thread[part], events.kind[part], events.location[part])
        is_object = events.tag[part] == ValueTag.OBJECT
        values = self._identities[np.where(is_object, events.word[part], -1)]
        accesses: Iterable[_Access] = zip(
            *(each.tolist() for each in (part, *columns)),
            values.tolist(),
            self._repeats[part].tolist(),
            self._counts[part].tolist(),
            strict=True,
        )
        orders = self._pasts.lane_orders[bisect.bisect_left(self._until, start) : bisect.bisect_right(self._until, end)]
        seqs, rows = self._synchronised
        among = slice(bisect.bisect_right(seqs, start), bisect.bisect_left(seqs, end))
        first = self._lane(int(events.thread[one]), start) if first is None else first
        heard = self._trace.callbacks.heard
        at = [bisect.bisect_left(heard, seq, key=operator.itemgetter(1)) for seq in (start, end)]
        seen = heard[slice(*at)]
        steps: list[Iterable[tuple[int, _Step]]] = [
            zip(events.seq[part].tolist(), accesses, strict=True),
            ((order.until, order) for order in orders),
            ((then, Order(first, start + 1, lane, then, Carrier("set_result", "done", None))) for lane, then in seen),
            zip(seqs[among], rows[among], strict=True),
        ]
        yield from heapq.merge(*steps, key=lambda step: step[0])
