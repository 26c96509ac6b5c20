"""The protection of each location that several threads touched: one thread at a time by a lock, by what threads wait
for, or by nothing but the steps that an interpreter does not divide.

As in `lockset`, a lock must be held from an update's read to its write. All accesses of a lane with the same past and
the same locks are one to what is asked here, so that millions of them take no longer than what the threads did to wait
for each other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.windows import can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Covered, Doubt, LocationProtection, Protection, Update, Why
from opcodetrace.trace.site import Operation
from opcodetrace.trace.sync import Act

Array = npt.NDArray[Any]

MAX_LOCATIONS = 2_000  # of which it is looked for: those at which something was found, and those written most
MAX_ACCESSES = 1_000_000  # of those
MAX_GROUPS = 100_000  # of accesses that are alike

PROTECTION_OF = {
    Why.LOCK: Protection.LOCK,
    Why.SEMAPHORE: Protection.SEMAPHORE,
    Why.ORDER: Protection.HANDED_OVER,
}


class Found(NamedTuple):
    """What was found at a location."""

    only_gil: bool
    certainty: Certainty
    seq: int  # the access that shows it


def protections(evidence: Evidence, found: Mapping[int, Found]) -> Iterator[LocationProtection]:
    """By location. None of locations that are not certain, of those beyond the limits, or of a run of which
    synchronisation is missing, or too much."""
    trace = evidence.trace
    if not can_be_judged(trace):
        return
    bounds = evidence.accesses.bounds
    certain = [each for each in trace.locations.values() if each.certain and each.id + 1 < len(bounds)]
    most = heapq.nlargest(MAX_LOCATIONS, certain, key=lambda each: (each.id in found, each.threads > 1, each.writes))
    left = MAX_ACCESSES
    wanted: list[Location] = []
    places = trace.events.places(each.seq for each in found.values())
    told: list[LocationProtection] = []
    for location in most:
        here = found.get(location.id)
        accesses = int(bounds[location.id + 1] - bounds[location.id])
        if here is not None and here.seq in places:
            protection = Protection.GIL_ONLY if here.only_gil else Protection.NOTHING
            site = int(trace.events.site[places[here.seq]])
            told.append(LocationProtection(location.id, protection, None, here.certainty, site))
        elif 0 < accesses <= left:
            wanted.append(location)
            left -= accesses
    if wanted:
        told += _Search(evidence, wanted).protections()
    yield from sorted(told, key=lambda each: each.location)


class _Search:
    """Looks into some locations."""

    def __init__(self, evidence: Evidence, locations: Sequence[Location]) -> None:
        self._trace = trace = evidence.trace
        self._pasts = evidence.pasts
        self._locations = locations
        self._unseen = {each.location for each in evidence.unseen}
        self._lossy = [Doubt.MISSED] if trace.missed or trace.holes else []
        self._thread_of = {each.thread: each.task_of for each in trace.threads if each.task_of is not None}
        self._semaphores = frozenset(held.object for held in self._pasts.judge.semaphores)
        accesses = evidence.accesses
        its = [accesses.order[accesses.bounds[each.id] : accesses.bounds[each.id + 1]] for each in locations]
        self._at = np.repeat(np.arange(len(its)), [len(each) for each in its])  # of each access: its place in `its`
        self._places = np.concatenate(its)
        events = trace.events
        kind, self._site = events.kind[self._places], events.site[self._places]
        self._is_write = (kind == EventKind.WRITE) | (kind == EventKind.DELETE)
        source = evidence.sources.place[self._places]
        made_of = np.maximum(source, 0)
        self._is_update = (source >= 0) & self._is_write
        for column in (events.location, events.thread):
            self._is_update &= column[made_of] == column[self._places]
        self._began = np.where(self._is_update, events.seq[made_of], events.seq[self._places])
        self._is_certain = ~self._is_update | (evidence.sources.certainty[self._places] == 0)
        # what a call reads and writes is one step
        calls = [number for number, site in trace.sites.items() if site.operation == Operation.CALL]
        in_one = (events.site[made_of] == self._site) & (events.frame[made_of] == events.frame[self._places])
        self._has_parts = self._is_update & ~(in_one & np.isin(self._site, calls))

    def protections(self) -> Iterator[LocationProtection]:
        writes = np.where(self._is_write, np.arange(len(self._at)), -1)
        begins = np.searchsorted(self._at, np.arange(len(self._locations) + 1))
        for number, (updates, locksets) in self._alike().items():
            of_location = slice(int(begins[number]), int(begins[number + 1]))
            last = int(writes[of_location].max())
            site = int(self._site[last if last >= 0 else of_location.stop - 1])
            yield self._protection(self._locations[number], of_location, updates, locksets, site)

    def _alike(self) -> dict[int, tuple[list[Update], list[frozenset[int]]]]:
        """By the location's number: its accesses, those that are alike as one, by the last of them; and the locks that
        were held at each. Those beyond MAX_GROUPS are left out."""
        moments, events = self._pasts.moments, self._trace.events
        lanes, seqs = events.thread[self._places], events.seq[self._places]
        last = moments.at(lanes, seqs)
        first = last.copy()
        longer = self._began != seqs
        first[longer] = moments.at(lanes[longer], self._began[longer])
        lockset = moments.locksets_from(first, last)
        key = self._at * (moments.past.max(initial=0) + 1) + moments.past[first]
        key = (key * len(moments.locksets) + lockset) * 4 + self._is_write * 2 + self._is_certain
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        example = order[starts]
        kept = []
        left = MAX_GROUPS
        for groups in np.bincount(self._at[example], minlength=len(self._locations)).tolist():
            kept.append(groups <= left)
            left -= groups if groups <= left else 0
        columns = (
            self._at[example],
            lanes[example],
            np.minimum.reduceat(self._began[order], starts),
            np.maximum.reduceat(seqs[order], starts),
            self._is_certain[example],
            ~self._is_write[example],
            lockset[example],
        )
        alike: dict[int, tuple[list[Update], list[frozenset[int]]]] = {}
        in_order = np.lexsort((columns[3], columns[0]))
        for number, lane, began, seq, certain, is_read, held in zip(
            *(column[in_order].tolist() for column in columns), strict=True
        ):
            if kept[number]:
                updates, locksets = alike.setdefault(number, ([], []))
                updates.append(Update(self._locations[number].id, lane, began, seq, certain, is_read))
                locksets.append(moments.locksets[held])
        return alike

    def _protection(
        self,
        location: Location,
        of_location: slice,
        updates: Sequence[Update],
        locksets: Sequence[frozenset[int]],
        site: int,
    ) -> LocationProtection:
        known = [Doubt.UNSEEN, *self._lossy] if location.id in self._unseen else self._lossy
        is_sure = Certainty.INFERRED if known else Certainty.PROVEN
        for covers in Covered:
            which = [number for number, each in enumerate(updates) if covers is Covered.ACCESSES or not each.is_read]
            some, held = [updates[number] for number in which], [locksets[number] for number in which]
            threads = {self._thread_of.get(each.thread, each.thread) for each in some}
            if len(threads) == 1:
                return LocationProtection(location.id, Protection.ONE_THREAD, covers, is_sure, site)
            verdict = None
            if some:
                locks, semaphores = (
                    [each - self._semaphores for each in held],
                    [each & self._semaphores for each in held],
                )
                verdict = self._pasts.judge.judged(some, locks, semaphores, known)
            if verdict is not None and verdict.why in PROTECTION_OF:
                # most locations are made before the threads start: what came after that says more
                carrier = min(verdict.carriers, key=lambda each: each.before == Act.START, default=None)
                thing = None if carrier is None else carrier.object
                if verdict.why is not Why.ORDER:
                    thing = None if verdict.phases else verdict.objects[0]
                protection = PROTECTION_OF[verdict.why]
                return LocationProtection(location.id, protection, covers, verdict.certainty, site, thing, carrier)
        if self._is_step_by_step(location, of_location):
            return LocationProtection(location.id, Protection.ATOMIC_STEPS, Covered.ACCESSES, is_sure, site)
        return LocationProtection(location.id, Protection.UNKNOWN, None, Certainty.POSSIBLE, site)

    def _is_step_by_step(self, location: Location, of_location: slice) -> bool:
        """Whether no write depends on what its thread had read there in a step before."""
        if self._has_parts[of_location].any():
            return False
        is_write = self._is_write[of_location]
        writes, reads = (set(np.unique(self._site[of_location][each]).tolist()) for each in (is_write, ~is_write))
        sites = self._trace.sites
        if location.kind is LocationKind.WHOLE and any(sites[each].operation == Operation.ITERATE for each in reads):
            return False
        return not any(test.site in reads for each in writes for test in sites[each].tests)
