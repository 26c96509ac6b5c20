"""Callbacks of event loops as lanes of their own.

A loop runs its callbacks one after the other, in its thread, and that is no order: another run may have them in another
one. So what comes before what is asked of each callback by itself: it has the past of who scheduled it. The steps of
tasks are lanes already."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import replace

from opcodetrace.analyse.happens_before import Order
from opcodetrace.trace.protection import Carrier
from opcodetrace.trace.run import Trace

MAX_LANES = 4_000


class CallbackLanes:
    """Those of a run. A callback in which nothing was recorded needs none. If they are too many, all callbacks of a
    thread are one with it: then more is ordered than in truth."""

    def __init__(self, trace: Trace, *, told_apart: bool = True) -> None:
        self._callbacks = trace.callbacks
        used = trace.callbacks.used or {}
        each = [(thread, at) for thread in sorted(used) for at in used[thread]]
        self._lane_of = {}  # by thread, and the place of the callback
        if told_apart and trace.callbacks.used is not None and len(each) <= MAX_LANES:
            first = 1 + max([int(trace.events.thread.max(initial=0)), *(each.thread for each in trace.threads)])
            self._lane_of = {which: first + number for number, which in enumerate(each)}
        self._used = each

    def of(self, lane: int, seq: int) -> int:
        """The lane of what a thread or a task recorded at `seq`."""
        if not self._lane_of or lane not in self._callbacks.runs:
            return lane
        at = self._callbacks.at(lane, seq)
        return lane if at is None else self._lane_of.get((lane, at), lane)

    def last_seqs(self) -> dict[int, int]:
        """By lane: the seq at which it was over."""
        return {lane: self._end(*which) - 1 for which, lane in self._lane_of.items()}

    def _end(self, thread: int, at: int) -> int:
        runs, ends = self._callbacks.runs[thread], self._callbacks.ends.get(thread, ())
        ended = bisect.bisect(ends, runs[at])
        return min([*runs[at + 1 : at + 2], *ends[ended : ended + 1], 1 << 62])

    def orders(self, orders: Iterable[Order]) -> list[Order]:
        """The same orders between these lanes, by `until`; with those that come of how the callbacks were scheduled."""
        callbacks, carrier = self._callbacks, Carrier("schedule", "run", None)
        if not self._used:
            return list(orders)
        found = [
            replace(order, one=self.of(order.one, order.seq - 1), other=self.of(order.other, order.until))
            for order in orders
        ]
        for thread, at in self._used:
            begun = callbacks.runs[thread][at]
            lane = self._lane_of.get((thread, at), thread)
            past = list(callbacks.pasts[thread][at])
            begins, ends = callbacks.begins.get(thread, ()), callbacks.ends.get(thread, ())
            before, after = bisect.bisect(begins, begun), bisect.bisect(ends, begun)
            past += [(thread, seq) for seq in begins[:before][-1:]]
            found += [Order(self.of(one, seq - 1), seq, lane, begun, carrier) for one, seq in past]
            found += [Order(lane, seq, thread, seq, carrier) for seq in ends[after : after + 1]]
        return sorted((each for each in found if each.one != each.other), key=lambda each: (each.until, each.seq))
