"""The reads by which threads decided to wait, and what undid what they had found."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from opcodetrace.analyse.answers import holds_after, would_hold
from opcodetrace.analyse.guards import Asked, Guards, Wait, span_of
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation
from opcodetrace.trace.sync import Synchronisation

_GROWS = frozenset(["append", "appendleft", "add", "insert", "heappush"])  # what these have changed is not empty


class DecidingReads:
    """Those of the guards of some waits, and the writes to what they read."""

    def __init__(self, trace: Trace, guards: Guards, calls: Iterable[Wait]) -> None:
        self._trace = trace
        self._guards = guards
        wanted = {(asked.file, asked.span) for call in calls for asked in call.guard}
        self._sites: defaultdict[tuple[object, ...], dict[str, list[int]]] = defaultdict(dict)
        for number, site in trace.sites.items() if wanted else ():
            key = (trace.site_codes[number].file, span_of(site))
            if key in wanted and site.operation not in (Operation.ENTER, Operation.DEFINE):
                self._sites[key].setdefault(site.operation, []).append(number)
        sites = [number for by_operation in self._sites.values() for row in by_operation.values() for number in row]
        events = trace.events
        read = np.flatnonzero(np.isin(events.site, sites)) if sites else np.empty(0, np.int64)
        self._reads: defaultdict[tuple[int, int], list[int]] = defaultdict(list)  # by thread and site: places
        for place, thread, number in zip(
            read.tolist(), events.thread[read].tolist(), events.site[read].tolist(), strict=True
        ):
            self._reads[thread, number].append(place)
        locations = np.unique(events.location[read])
        is_write = (events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)
        written = np.flatnonzero(is_write & np.isin(events.location, locations)) if sites else read
        self._writes: defaultdict[int, list[int]] = defaultdict(list)  # by location: places
        for place, location in zip(written.tolist(), events.location[written].tolist(), strict=True):
            self._writes[location].append(place)

    def before(self, wait: Synchronisation, asked: Asked) -> Iterator[Event]:
        """What a thread read last, before it waited, for a part of the guard; one for each way to read that."""
        for sites in self._sites.get((asked.file, asked.span), {}).values():
            read = self._newest(wait, sites)
            if read is not None:
                yield read

    def any_after(self, wait: Synchronisation, asked: Asked) -> bool:
        """Whether a thread read that again after it had begun to wait."""
        sites = [each for row in self._sites.get((asked.file, asked.span), {}).values() for each in row]
        rows = [row for each in sites if (row := self._reads.get((wait.thread, each)))]
        return any(int(self._trace.events.seq[row[-1]]) > wait.seq for row in rows)

    def writes(self, location: int) -> Sequence[int]:
        """The places of the writes and deletions of what was read."""
        return self._writes.get(location, [])

    def undoes(self, change: Event, asked: Asked, check: Event) -> bool:
        """Whether the check would have gone otherwise after a write or deletion."""
        location = self._trace.locations[check.location]
        if location.kind is not LocationKind.WHOLE:
            return holds_after(asked.answer, change, location, self._trace.sites[check.site]) is False
        if change.location != check.location:  # one of its items
            return asked.answer == "false" and change.kind == EventKind.WRITE
        operation, called = self._trace.sites[check.site].operation, self._guards.called(change.site)
        if operation == Operation.CALL and isinstance(check.value, int):  # len(items) == 0
            return called in _GROWS and would_hold(asked.answer, check.value + 1) is False
        if operation != Operation.TEST:
            return False
        return (asked.answer == "false" and called in _GROWS) or (asked.answer == "true" and called == "clear")

    def _newest(self, before: Synchronisation, sites: Iterable[int]) -> Event | None:
        """What a thread read last at some sites before it waited."""
        places = []
        for site in sites:
            row = self._reads.get((before.thread, site), [])
            at = bisect.bisect_left(row, before.seq, key=lambda place: int(self._trace.events.seq[place]))
            places += row[max(at - 1, 0) : at]
        if not places:
            return None
        event = self._trace.events[max(places)]
        is_read = event.kind == EventKind.READ and event.location >= 0
        return event if is_read and self._trace.locations[event.location].certain else None
