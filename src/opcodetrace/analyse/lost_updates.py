"""Lost updates of a run: the door of the analysis."""

from __future__ import annotations

import gc

from opcodetrace.analyse import let_go, orders, versions
from opcodetrace.analyse.sources import resolve
from opcodetrace.trace.event import Event
from opcodetrace.trace.finding import Findings, LostCount, LostUpdate, UnseenWrite
from opcodetrace.trace.run import Trace


def find(trace: Trace) -> Findings:
    """All lost updates and unseen writes of a run.

    Locations whose every access has its exact place take time linear in the events; the others are searched
    (`orders`). A location of uncertain identity makes no finding, it is counted."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking millions of events takes longer than the analysis
    try:
        return analysed(trace)
    finally:
        if collecting:
            gc.enable()


def analysed(trace: Trace) -> Findings:
    sources, certainties = resolve(trace)
    accesses: dict[int, list[Event]] = {}
    inexact: set[int] = set()
    for event in trace.events:
        location = event[5]
        if location < 0:
            continue
        if location in accesses:
            accesses[location].append(event)
        else:
            accesses[location] = [event]
        if event[0] != event[1]:
            inexact.add(location)

    lost: list[LostUpdate] = []
    counts: list[LostCount] = []
    unseen: list[UnseenWrite] = []
    uncertain = 0
    budget = orders.Budget()
    for location in sorted(accesses):
        events, early_writes = let_go.without_doubt(accesses[location], trace.let_go)
        if location in trace.locations and not trace.locations[location].certain:
            uncertain += 1
            continue
        if location in inexact:
            result, count = orders.search(location, events, sources, certainties, budget)
            if early_writes:
                result, count = let_go.without(early_writes, result, count)
        else:
            result = versions.lost_updates(location, events, sources, certainties)
            number = len(result.updates)
            count = LostCount(location, number, number, result.overwriters, exhausted=False)
        lost += result.updates
        unseen += result.unseen
        if count.high:
            counts.append(count)
    return Findings(lost, counts, unseen, sources, certainties, uncertain_locations=uncertain)
