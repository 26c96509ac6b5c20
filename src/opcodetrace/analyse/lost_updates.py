"""Lost updates of a run: the door of the analysis."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import evicted, linearisations, versions
from opcodetrace.analyse.sources import resolve
from opcodetrace.trace.event import Event
from opcodetrace.trace.events import Events, Sources
from opcodetrace.trace.finding import Findings, LostCount, LostUpdate, UnseenWrite
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]


def find(trace: Trace) -> Findings:
    """All lost updates and unseen writes of a run.

    Locations whose every access has its exact place take time linear in the events; the others are searched
    (`linearisations`). A location of uncertain identity makes no finding, it is counted."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking millions of events takes longer than the analysis
    try:
        return analysed(trace)
    finally:
        if collecting:
            gc.enable()


def analysed(trace: Trace) -> Findings:
    events = trace.events
    sources = Sources.of(events, *resolve(trace))
    lost: list[LostUpdate] = []
    counts: list[LostCount] = []
    unseen: list[UnseenWrite] = []
    uncertain = 0
    budget = linearisations.Budget()
    for location, places in by_location(events):
        if location in trace.locations and not trace.locations[location].certain:
            uncertain += 1
            continue
        if location in trace.locations and trace.locations[location].kind is LocationKind.WHOLE:
            continue  # each step that changes a container as a whole reads and writes it at once
        accesses, early_writes = evicted.without_doubt(list(events[places]), trace.let_go)
        made_of, certainties = sources.at(places)
        totals = LostCount(location, 0, 0, 0, exhausted=False)
        for part in _between(accesses, trace.restructured.get(location, ())):
            exact = all(event[0] == event[1] for event in part)
            if exact:
                result = versions.lost_updates(location, part, made_of, certainties)
                number = len(result.updates)
                count = LostCount(location, number, number, result.overwriters, exhausted=False)
            else:
                result, count = linearisations.search(location, part, made_of, certainties, budget)
            if count.high:
                left_out = versions.unchanging(part, made_of) | early_writes
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
    return Findings(lost, counts, unseen, sources, uncertain_locations=uncertain)


def by_location(events: Events) -> Iterator[tuple[int, Array]]:
    """The locations in order, each with the places of its accesses."""
    places = np.flatnonzero(events.location >= 0)
    locations = events.location[places]
    order = np.argsort(locations, kind="stable")
    places, locations = places[order], locations[order]
    bounds = np.flatnonzero(np.diff(locations, prepend=-1, append=-1)).tolist()
    for begin, end in pairwise(bounds):
        yield int(locations[begin]), places[begin:end]


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
