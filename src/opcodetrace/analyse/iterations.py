"""Iterations that failed because another thread changed the container meanwhile.

A dictionary or set notices at the next step of an iteration that it has another size than before, a deque that it has
changed at all. So one of the changes since the step before is why. Steps that went well are not recorded, only where
the iteration began.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.analyse.windows import Lanes
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation, Site

Array = npt.NDArray[Any]

AFTER = 64  # changes that were recorded after the failure and may have begun before it
LATEST = 64  # changes before it that are asked about, the latest first
NEXT = 4096  # events after the start of an iteration among which its thread's next one is looked for
_PARTS = 64  # as many events before a failure among which an `__iter__` is looked for


class ChangedMeanwhile(NamedTuple):
    location: int  # the container as a whole
    start: int  # seqs
    change: int
    failure: int
    changed: int  # the location of the change: the same, or an item
    is_sure: bool  # that this change came in between, and that it added or removed an item


def failed_iterations(trace: Trace, pasts: Pasts, handlers: Handlers) -> Iterator[ChangedMeanwhile]:
    """Each iteration that failed with what another thread did to the container since it began. None if the iterating
    thread changed it itself, had waited for the other one to do so, or is ready for the failure (`handlers`)."""
    if not trace.changes:
        return
    events = trace.events
    over = np.array([number for number in trace.changes if trace.locations[number].certain], np.int32)
    failures = np.flatnonzero(events.failed() & np.isin(events.location, over))
    if len(failures):
        search = _Search(trace, pasts)
        for failure in failures.tolist():
            found = None if handlers.expect(int(events.site[failure]), RuntimeError.__name__) else search.of(failure)
            if found is not None:
                yield found


class _Search:
    def __init__(self, trace: Trace, pasts: Pasts) -> None:
        self._trace = trace
        self._events = trace.events
        self._histories = Histories(trace.events)
        self._pasts = pasts
        self._thread_of = Lanes(trace).thread
        self._starts: dict[tuple[object, ...], set[int]] = {}
        for number, site in trace.sites.items():
            if site.opcode == "GET_ITER":
                self._starts.setdefault(self._written(site), set()).add(number)
        self._containers = np.zeros(0, np.int64) if trace.containers is None else trace.containers
        self._identities = self._events.identities()
        self._of_iter = [
            number for number, code in trace.site_codes.items() if code.function.rpartition(".")[2] == "__iter__"
        ]

    def _written(self, site: Site) -> tuple[object, ...]:
        """Where the source has the loop or comprehension. A generator's first iterable is begun by other code than goes
        over it, but both are of one place in the source."""
        return self._trace.site_codes[site.id].file, *site.span

    def of(self, failure: int) -> ChangedMeanwhile | None:
        """Of a step that failed, a place among the events."""
        events = self._events
        start = self._start(failure)
        if start is None:
            return None
        places, certain = self._changes(start, failure)
        own = events.thread[places] == events.thread[failure]
        if (own & certain).any():
            return None
        begun = events.seq[places] - events.before[places]
        began, ended = self._surely(start, failure, places)
        surely_after = begun > began
        between = ~own & certain & surely_after & (events.seq[places] < ended)
        for place in places[between][::-1][:LATEST].tolist():
            if self._pasts.holds(failure, place) is False and not self._is_disputed(place, places):
                return self._told(start, place, failure, is_sure=True)
        others = places[~own]
        if not len(others) or own.any():
            return None
        unknown = [place for place in others[-LATEST:].tolist() if not self._pasts.holds(failure, place)]
        if not unknown:
            return None
        first = int(others[0])
        alone = len(unknown) == len(others) and len(np.unique(events.thread[others])) == 1
        if alone and (certain & surely_after)[places == first].all() and self._pasts.holds(failure, first) is False:
            # one of these came before the failure, so the first of them did
            return self._told(start, first, failure, is_sure=True)
        return self._told(start, unknown[-1], failure, is_sure=False)

    def _start(self, failure: int) -> int | None:
        """Where the thread began the iteration; in a recursion where it last began one there, so rather too late."""
        events = self._events
        starts = self._starts.get(self._written(self._trace.sites[int(events.site[failure])]), ())
        for place in self._histories.before(failure):
            if events.thread[place] == events.thread[failure] and int(events.site[place]) in starts:
                return place
        return self._in_iter(failure)

    def _in_iter(self, failure: int) -> int | None:
        """Where an `__iter__` of the program read the container: `return iter(self.items)`. The loop that calls it
        tells of its own object alone."""
        events, location = self._events, int(self._events.location[failure])
        container = self._containers[location] if location < len(self._containers) else 0
        for stop in range(failure if container else 0, 0, -NEXT)[:_PARTS]:
            part = np.arange(max(0, stop - NEXT), stop)
            near = part[(events.thread[part] == events.thread[failure]) & np.isin(events.site[part], self._of_iter)]
            place: int
            for place in near[::-1].tolist():
                if events.tag[place] == ValueTag.OBJECT and self._identities[events.word[place]] == container:
                    return place
        return None

    def _surely(self, start: int, failure: int, places: Array) -> tuple[Array, Array]:
        """From when to when the iteration surely went on, in seqs, for each of some changes. Without the GIL another
        thread may come between a record and what it tells of: by its thread's next record the iteration has begun."""
        events = self._events
        began, ended = int(events.seq[start]), int(events.seq[failure])
        surely_began, surely_ended = np.full(len(places), began), np.full(len(places), ended)
        if self._trace.free_threaded:
            ended -= int(events.before[failure])
            own = np.flatnonzero(events.thread[start + 1 : failure][:NEXT] == events.thread[failure])
            began = int(events.seq[start + 1 + own[0]]) if len(own) else ended
            parallel = self._thread_of[events.thread[places]] != self._thread_of[events.thread[failure]]
            surely_began[parallel], surely_ended[parallel] = began, ended
        return surely_began, surely_ended

    def _changes(self, start: int, failure: int) -> tuple[Array, Array]:
        """The changes of the container that may have come between two events, and which of them are certain."""
        events = self._events
        changes = self._trace.changes[int(events.location[failure])]
        first = int(np.searchsorted(changes.seq, events.seq[start], side="right"))
        stop = int(np.searchsorted(changes.seq, events.seq[failure]))
        seqs = changes.seq[first : stop + AFTER]
        places = np.searchsorted(events.seq, seqs)
        may = seqs - events.before[places] < events.seq[failure]
        return places[may], changes.certain[first : stop + AFTER][may]

    def _is_disputed(self, change: int, places: Array) -> bool:
        """Whether it may be another thread that added or removed the item just then. Of a call only the container's
        size before and after is known, so any other change of it counts."""
        events = self._events
        begun = events.seq[places] - events.before[places]
        others = events.thread[places] != events.thread[change]
        if self._trace.sites[int(events.site[change])].operation != Operation.CALL:
            others &= events.location[places] == events.location[change]
        overlaps = (begun <= events.seq[change]) & (events.seq[places] >= begun[places == change])
        return bool((others & overlaps).any())

    def _told(self, start: int, change: int, failure: int, *, is_sure: bool) -> ChangedMeanwhile:
        events = self._events
        whole, changed = int(events.location[failure]), int(events.location[change])
        begun, by, failed = (int(events.seq[place]) for place in (start, change, failure))
        return ChangedMeanwhile(whole, begun, by, failed, changed, is_sure)
