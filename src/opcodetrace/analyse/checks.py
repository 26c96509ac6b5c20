"""Checks: reads on which a branch depended, and that were true no longer as the thread acted on them.

What a thread tests and what it then does are known from its code (`Site.tests`): of an access, the reads that decided
that it is executed. Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), call this the commonest bug of atomicity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Events
from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]

MAX_BACK = 2_000  # accesses of the location that are gone back from a failed one


class Stale(NamedTuple):
    """A thread checked, another one changed what it had checked, and then the first one acted."""

    location: int
    check: int  # seqs
    change: int
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace


class Histories:
    """The accesses of each location, in order."""

    def __init__(self, events: Events) -> None:
        self._bounds = np.zeros(int(events.location.max(initial=-1)) + 2, np.int64)
        self._order = np.empty(int(np.count_nonzero(events.location >= 0)), np.int32)
        _passes.group(events.location, self._bounds, self._order)

    def before(self, location: int, place: int) -> list[int]:
        """The places of those before one of them, the latest first; not all of many."""
        begin, end = self._bounds[location : location + 2]
        history = self._order[begin:end]
        at = int(np.searchsorted(history, place))
        places: list[int] = history[max(0, at - MAX_BACK) : at][::-1].tolist()
        return places


def failed_after_a_check(trace: Trace) -> Iterator[Stale]:
    """Accesses that failed though this activation had found by a check that it could make them, because another thread
    took away what was there."""
    events = trace.events
    tested = np.fromiter((site.id for site in trace.sites.values() if site.tests), np.int64)
    failed = np.flatnonzero(events.failed() & (events.kind == EventKind.READ) & np.isin(events.site, tested))
    if len(failed):
        yield from _stale(trace, failed.tolist())


def _stale(trace: Trace, acts: Iterable[int]) -> Iterator[Stale]:
    events, histories = trace.events, Histories(trace.events)
    has_failed = events.failed()
    for act in acts:
        location, thread, frame = int(events.location[act]), events.thread[act], events.frame[act]
        if location < 0 or not trace.locations[location].certain:
            continue
        tests = trace.sites[int(events.site[act])].tests
        change: int | None = None
        for place in histories.before(location, act):
            own = events.thread[place] == thread
            if events.kind[place] != EventKind.READ:
                if own:
                    break  # it knows what it did itself
                change = place if change is None else change
            elif own and events.frame[place] == frame and int(events.site[place]) in tests:
                if change is not None and not has_failed[place]:
                    checked, changed, acted = (int(events.seq[each]) for each in (place, change, act))
                    changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
                    yield Stale(location, checked, changed, acted, is_sure=checked < changing and changed < acting)
                break
