"""Unguarded reads: a thread reads a location twice for one purpose, and nothing that was seen keeps another thread from
changing it in between. In this run both reads returned the same (`read_twice` has those that did not).

Only parts of one expression count (`box.side * box.side`). A check, and a read that it decides upon, is a check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.read_twice import Pair, PairsOfReads
from opcodetrace.analyse.same_value import KNOWN, same
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind


class UnguardedReads(NamedTuple):
    location: int
    first: int  # seqs
    second: int
    other: int  # another thread's write that changes the value
    gil_only: bool
    is_sure: bool  # that no code of the program runs between the two, if the GIL is said to prevent it


def unguarded_reads(evidence: Evidence, told: Collection[int]) -> Iterator[UnguardedReads]:
    """One for each location and two places in the code. Without those whose second reads (sites) are `told` as they
    happened. None in a run of which it cannot be judged (`windows.can_be_judged`), or accesses may be missing."""
    trace, events = evidence.trace, evidence.trace.events
    if not can_be_judged(trace) or trace.missed or trace.holes:
        return
    pairs = PairsOfReads(evidence)
    lanes = Lanes(trace)
    found = [
        (pair, other)
        for pair in pairs.alike()
        if int(events.site[pair.second]) not in told
        for other in _changes(evidence, pairs, lanes, pair)
    ]
    ends = [Window(other, other) for _, other in found]
    windows = Windows(evidence, [*(Window(*pair) for pair, _ in found), *ends])
    found_at: dict[tuple[int, int, int], UnguardedReads] = {}
    for pair, other in found:
        window = Window(*pair)
        location = int(events.location[pair.second])
        key = location, int(events.site[pair.first]), int(events.site[pair.second])
        earlier, later = (pair.second, other) if other > pair.second else (other, pair.second)
        gil_only = windows.is_gil_only(window)
        if (
            (key in found_at and (gil_only or not found_at[key].gil_only))
            or not windows.lets_in(window, other)
            or windows.have_a_common_lock(window, Window(other, other))
            or windows.is_another_cell(min(pair.first, other), max(pair.second, other))
            or windows.may_be_ordered(earlier, later)
        ):
            continue
        first, second, change = (int(events.seq[place]) for place in (*pair, other))
        is_sure = not gil_only or not windows.may_run_code(*window)
        found_at[key] = UnguardedReads(location, first, second, change, gil_only, is_sure)
    yield from found_at.values()


def _changes(evidence: Evidence, pairs: PairsOfReads, lanes: Lanes, pair: Pair) -> Iterator[int]:
    """The writes by others nearest to the two reads, by which the location has another value than before."""
    events = evidence.trace.events
    its = pairs.histories.places_of(int(events.location[pair.second]))
    writes = its[(events.kind[its] == EventKind.WRITE) & np.isin(events.tag[its], KNOWN)]
    before = its[np.maximum(np.searchsorted(its, writes) - 1, 0)]
    changing = (before < writes) & np.isin(events.tag[before], KNOWN) & ~same(events, writes, before)
    changing &= lanes.may_meet(events.thread[writes], events.thread[pair.second])
    writes = writes[changing]
    yield from writes[writes > pair.second][:1].tolist()
    yield from writes[writes < pair.first][-1:].tolist()
