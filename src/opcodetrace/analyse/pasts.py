"""What came before what, because one thread waited for another, or had read what it wrote."""

from __future__ import annotations

import bisect
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.happens_before import Clocks, Operations, Order, TooManyOrders, orders
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Sources
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

MAX_BETWEEN = 10_000  # events between two, that are gone through to see whether the later thread had heard of the first


class Pasts:
    """The pasts of a run's events. What rests on a doubt (`Order.doubt`) counts: who asks wants to be sure that there
    is no order."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def operations(self) -> Operations:
        return Operations(self._trace.synchronisation)

    @cached_property
    def orders(self) -> list[Order]:
        """By `until`."""
        trace = self._trace
        return orders(
            trace.synchronisation,
            self.operations,
            {each.id: each for each in trace.sync_objects},
            trace.threads,
            begun=not trace.let_go,
            free_threaded=trace.free_threaded,
        )

    @cached_property
    def _clocks(self) -> Clocks | None:
        try:
            return Clocks(self.orders, {thread.thread: thread.last_seq for thread in self._trace.threads})
        except TooManyOrders:
            return None

    def holds(self, one: int, other: int) -> bool | None:
        """Whether an event's thread had waited, before it, for another one's thread to be past that; None: unknown.

        The two are places among the events."""
        events = self._trace.events
        if self._clocks is None:
            return None
        clock = self._clocks.at(int(events.thread[one]), int(events.seq[one]))
        return clock.get(int(events.thread[other])) > int(events.seq[other])


class Hearsay:
    """Who had heard of what, by reading what others wrote.

    A program may order its threads by what they read: a flag, an object that one of them hands on. So a read of what
    another thread wrote tells of all that this one had done. Only a read that is the source of a write to the same
    location does not: a counter that both increase hands nothing on. This is more than happens-before has, so it finds
    orders that another run need not have."""

    def __init__(self, trace: Trace, sources: Sources, pasts: Pasts) -> None:
        self._trace = trace
        self._pasts = pasts
        events = trace.events
        counts: npt.NDArray[np.bool_] = np.zeros(len(events), bool)
        made = np.flatnonzero(sources.place >= 0)
        source = sources.place[made]
        counts[source[events.location[source] == events.location[made]]] = True
        whole = [number for number, each in trace.locations.items() if each.kind is LocationKind.WHOLE]
        self._counts = counts & ~np.isin(events.location, whole)

    @cached_property
    def _until(self) -> list[int]:
        return [order.until for order in self._pasts.orders]

    def reached(self, one: int, other: int) -> bool:
        """Whether the thread of an event had heard, before it, of another thread's earlier event. The two are places
        among the events. If too much lies between them, it is taken to have."""
        events = self._trace.events
        target, start, end = int(events.thread[other]), int(events.seq[one]), int(events.seq[other])
        if other - one > MAX_BETWEEN:
            return True
        knows = {int(events.thread[one]): start}  # by thread: the seq from which on
        told: dict[int, bool] = {}  # by location: whether the last write there was by one who knows
        waits = self._pasts.orders[bisect.bisect_left(self._until, start) : bisect.bisect_right(self._until, end)]
        waiting = iter([*waits, None])
        order = next(waiting)
        part = slice(one + 1, other)
        columns = (events.seq, events.thread, events.kind, events.location, self._counts)
        for seq, thread, kind, location, counts in zip(*(each[part].tolist() for each in columns), strict=True):
            while order is not None and order.until <= seq:
                self._tell(order, knows)
                order = next(waiting)
            if kind in (EventKind.WRITE, EventKind.DELETE):
                told[location] = thread in knows
            elif kind == EventKind.READ and told.get(location) and not counts:
                knows.setdefault(thread, seq)
            if target in knows:
                return True
        while order is not None:
            self._tell(order, knows)
            order = next(waiting)
        return target in knows

    @staticmethod
    def _tell(order: Order, knows: dict[int, int]) -> None:
        if order.one in knows and knows[order.one] < order.seq:
            knows.setdefault(order.other, order.until)
