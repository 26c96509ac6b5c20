"""The evidence of a run that findings of every kind share: the door of the analysis."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from opcodetrace.analyse import evicted, linearisations, versions
from opcodetrace.analyse.sources import resolve
from opcodetrace.trace.event import Event
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.version import LostCount, LostUpdate, UnseenWrite


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the analysis shows of a trace.

    `sources` gives for a write's seq the seq of its source event (the read or own write whose version flows in); a
    blind write has none. `source_certainty` says how sure that is."""

    trace: Trace
    lost: list[LostUpdate]
    counts: list[LostCount]
    unseen: list[UnseenWrite]
    sources: Mapping[int, int]
    source_certainty: Mapping[int, Certainty]
    uncertain_locations: int = 0  # left out: their identity is not certain


def gather(trace: Trace) -> Evidence:
    """The sources of all writes, and the versions of all locations.

    Locations whose every access has its exact place take time linear in the events; the others are searched
    (`linearisations`). A location of uncertain identity makes no finding, it is counted."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking millions of events takes longer than the analysis
    try:
        return analysed(trace)
    finally:
        if collecting:
            gc.enable()


def analysed(trace: Trace) -> Evidence:
    sources, certainties = resolve(trace)
    accesses: dict[int, list[Event]] = {}
    for event in trace.events:
        location = event[5]
        if location < 0:
            continue
        if location in accesses:
            accesses[location].append(event)
        else:
            accesses[location] = [event]

    lost: list[LostUpdate] = []
    counts: list[LostCount] = []
    unseen: list[UnseenWrite] = []
    uncertain = 0
    budget = linearisations.Budget()
    for location in sorted(accesses):
        events, early_writes = evicted.without_doubt(accesses[location], trace.let_go)
        if location in trace.locations and not trace.locations[location].certain:
            uncertain += 1
            continue
        if location in trace.locations and trace.locations[location].kind is LocationKind.WHOLE:
            continue  # each step that changes a container as a whole reads and writes it at once
        totals = LostCount(location, 0, 0, 0, exhausted=False)
        for part in _between(events, trace.restructured.get(location, ())):
            exact = all(event[0] == event[1] for event in part)
            if exact:
                result = versions.lost_updates(location, part, sources, certainties)
                number = len(result.updates)
                count = LostCount(location, number, number, result.overwriters, exhausted=False)
            else:
                result, count = linearisations.search(location, part, sources, certainties, budget)
            if count.high:
                recorded = accesses[location]  # as it is: whose version a read saw may be in doubt, what it gave is not
                left_out = versions.unchanging(recorded, sources) | early_writes
                result = versions.without(left_out, result)
                number = len(result.updates)
                low, high = (number, number) if exact else (max(0, count.low - len(left_out)), count.high)
                count = LostCount(location, low, high, result.overwriters, count.exhausted)
            lost += result.updates
            unseen += result.unseen
            totals = LostCount(
                location,
                totals.low + count.low,
                totals.high + count.high,
                totals.overwriters + count.overwriters,
                totals.exhausted or count.exhausted,
            )
        if totals.high:
            counts.append(totals)
    return Evidence(trace, lost, counts, unseen, sources, certainties, uncertain_locations=uncertain)


def _between(events: Sequence[Event], restructured: Sequence[int]) -> Iterator[Sequence[Event]]:
    """The accesses of an item, cut where its container was restructured: behind that it is another cell."""
    start = 0
    for seq in restructured:
        if start == len(events) or seq < events[start].seq:
            continue
        stop = bisect_left(events, seq, lo=start, key=lambda event: event.seq)
        if stop < len(events) and events[stop].seq == seq:
            stop += 1  # the deletion of this very item
        if stop > start:
            yield events[start:stop]
        start = stop
    if start < len(events):
        yield events[start:]
