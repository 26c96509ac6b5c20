"""Inconsistent locking: a lock that is held at all accesses of a location but those of one function.

Savage et al., "Eraser" (1997), take that alone for a race. Most of it is none: who makes an object needs no lock, a
flag is set by one store, a latest value may be replaced at any time, and a lock may be held for another reason. So
more is asked for here:

- the two sides write one after the other in both orders, and neither had waited for the other (`pasts.Pasts`) or may
  have heard of the other's write (`pasts.Hearsay`): nothing that a program orders by other means looks so;
- the lock is about the location: all accesses but those of one function are made under it, or ordered; among them three
  writes, and as many as there are without it, by threads that never do without it;
- the lock is needed: under it a thread reads the location and writes it, writes it and reads it back, or reads it, and
  again if that read said so. A write by another thread in between is what Lu, Tucek, Qin and Zhou, "AVIO" (2006), call
  unserialisable;
- what is written without the lock is not always the same: that may be a flag that goes one way.

Locations with updates are left to `unguarded`.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.pasts import Hearsay
from opcodetrace.analyse.windows import Lanes, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.sync import LOCKS

Array = npt.NDArray[Any]

GUARDED = 3  # writes under a lock, at least, by threads that never do without it
CLOSEST = 16  # pairs of a section and a write without the lock that are looked at: those closest to each other
MAX_LOOSE = 1_000  # accesses of a location without the lock
MAX_LOCATIONS = 2_000  # that are looked into: those written most
MAX_ACCESSES = 1_000_000  # of those


class Inconsistent(NamedTuple):
    """Two accesses under a lock, and another thread's write without it that could have come in between."""

    location: int
    lock: int
    first: int  # seqs
    second: int
    other: int
    gil_only: bool  # this build has no switch point in between


class _Section(NamedTuple):
    """The accesses of a location from an acquisition of a lock to its release."""

    places: list[int]  # among the events
    writes: bool
    pairs: list[tuple[int, int]]  # of them: no other thread's write may come in between


def inconsistent(evidence: Evidence) -> Iterator[Inconsistent]:
    """One for each location, at most. None in a run of which synchronisation is missing, or too much."""
    trace = evidence.trace
    if not can_be_judged(trace) or not any(each.type_name in LOCKS for each in trace.sync_objects):
        return
    bounds = evidence.accesses.bounds
    candidates = [
        each
        for each in trace.locations.values()
        if each.writes > GUARDED
        and each.threads > 1
        and each.certain
        and each.kind is not LocationKind.WHOLE
        and each.id not in trace.restructured
        and each.id + 1 < len(bounds)
    ]
    search = _Search(evidence)
    left = MAX_ACCESSES
    for location in heapq.nlargest(MAX_LOCATIONS, candidates, key=lambda each: each.writes):
        accesses = int(bounds[location.id + 1] - bounds[location.id])
        if accesses <= left:
            left -= accesses
            found = search.of(location.id)
            if found is not None:
                yield found


class _Search:
    """Looks into locations."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._pasts = evidence.pasts
        self._windows = Windows(evidence, ())
        self._has_tasks = Lanes(evidence.trace).has_tasks

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._evidence)

    def of(self, location: int) -> Inconsistent | None:
        events, accesses = self._events, self._evidence.accesses
        places = accesses.order[accesses.bounds[location] : accesses.bounds[location + 1]]
        threads = events.thread[places]
        # who makes an object need not guard it
        places = places[np.argmax(threads != threads[0]) :]
        writes = places[events.kind[places] != EventKind.READ]
        if (
            len(writes) <= GUARDED
            or (events.thread[writes] == events.thread[writes[0]]).all()
            or (self._evidence.sources.place[writes] >= 0).any()
            or self._has_tasks[events.thread[places]].any()
        ):
            return None
        moments = self._pasts.moments
        locksets = moments.lockset[moments.at(events.thread[places], events.seq[places])]
        used = np.unique(locksets).tolist()
        if len(used) == 1:
            return None
        for lock in sorted(frozenset[int]().union(*(moments.locksets[each] for each in used))):
            has_lock = np.isin(locksets, [each for each in used if lock in moments.locksets[each]])
            found = self._without(lock, places, has_lock)
            if found is not None:
                first, second, _ = found
                seqs: tuple[int, int, int] = tuple(events.seq[list(found)].tolist())
                gil_only = not (self._trace.free_threaded or self._windows.may_switch(first, second))
                return Inconsistent(location, lock, *seqs, gil_only)
        return None

    def _without(self, lock: int, places: Array, has_lock: Array) -> tuple[int, int, int] | None:
        """Two accesses under a lock, if that is about the location, and a write without it."""
        events = self._events
        writes = places[events.kind[places] != EventKind.READ]
        if (~has_lock).sum() > MAX_LOOSE or np.isin(writes, places[has_lock]).sum() < GUARDED:
            return None
        of_thread = {int(each): writes[events.thread[writes] == each] for each in np.unique(events.thread[writes])}
        loose = np.array(
            [each for each in places[~has_lock].tolist() if not self._is_ordered(each, of_thread)], np.int64
        )
        odd = loose[np.isin(loose, writes)]
        values = set(zip(events.tag[odd].tolist(), events.word[odd].tolist(), strict=True))
        if len(values) < 2 or len({self._function(each) for each in loose.tolist()}) > 1:
            return None
        guarded = places[has_lock & ~np.isin(events.thread[places], events.thread[odd])]
        if np.isin(guarded, writes).sum() < max(GUARDED, len(odd)):
            return None
        sections = list(self._sections(lock, guarded))
        of_writers = [each for each in sections if each.writes]
        if not any(self._closest(of_writers, odd.tolist(), before=True)):
            return None
        if not any(self._closest(of_writers, odd.tolist(), before=False)):
            return None
        needing = [each for each in sections if each.pairs]
        for before in (True, False):
            for section, other in self._closest(needing, odd.tolist(), before=before):
                best = next((each for each in section.pairs if self._windows.may_switch(*each)), section.pairs[0])
                return *best, other
        return None

    def _function(self, place: int) -> int:
        return self._trace.site_codes[int(self._events.site[place])].id

    def _is_ordered(self, place: int, writes: Mapping[int, Array]) -> bool:
        """Whether an access came after, or before, each write by another thread because one of the two had waited."""
        own = int(self._events.thread[place])
        for thread, its in writes.items():
            if thread == own:
                continue
            at = int(np.searchsorted(its, np.int32(place)))
            if at > 0 and not self._pasts.holds(place, int(its[at - 1])):
                return False
            if at < len(its) and not self._pasts.holds(int(its[at]), place):
                return False
        return True

    def _sections(self, lock: int, places: Array) -> Iterator[_Section]:
        """By the first access of each."""
        events, moments = self._events, self._pasts.moments
        at = moments.at(events.thread[places], events.seq[places]).tolist()
        together: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for place, moment in zip(places.tolist(), at, strict=True):
            since = next(each.first for each in moments.holdings(moment) if each.object == lock)
            together[int(events.thread[place]), since].append(place)
        for its in together.values():
            writes = [events.kind[each] != EventKind.READ for each in its]
            yield _Section(its, any(writes), [pair for pair in itertools.pairwise(its) if self._is_needed(*pair)])

    def _is_needed(self, one: int, other: int) -> bool:
        """Whether another thread's write may not come between two accesses of a thread: none before both, or after
        both, would have the same effect."""
        events, sites = self._events, self._trace.sites
        first, second = int(events.site[one]), int(events.site[other])
        if events.frame[one] != events.frame[other] or self._function(one) != self._function(other):
            return False
        is_read, is_second_read = (events.kind[each] == EventKind.READ for each in (one, other))
        if is_read and is_second_read:
            return any(test.site == first for test in sites[second].tests)
        return bool(is_read or is_second_read)

    def _closest(
        self, sections: Sequence[_Section], odd: Sequence[int], *, before: bool
    ) -> Iterator[tuple[_Section, int]]:
        """Sections and a write by another thread that comes after them, or `before`, though nothing orders the two."""
        begins = [each.places[0] for each in sections]
        pairs: list[tuple[int, int, int, int]] = []  # distance, the earlier access and the later one; the section
        for write in odd:
            number = bisect.bisect(begins, write) - (not before)
            if 0 <= number < len(sections):
                its = sections[number].places
                one, other = (write, its[0]) if before else (its[bisect.bisect(its, write) - 1], write)
                pairs.append((other - one, one, other, number))
        for _, one, other, number in heapq.nsmallest(CLOSEST, pairs):
            if self._are_apart(one, other):
                yield sections[number], one if before else other

    def _are_apart(self, one: int, other: int) -> bool:
        """Whether no lock, no order and no news keep two accesses apart."""
        events, moments = self._events, self._pasts.moments
        places = np.array([one, other])
        first, second = moments.lockset[moments.at(events.thread[places], events.seq[places])].tolist()
        if moments.locksets[first] & moments.locksets[second]:
            return False
        return self._pasts.holds(other, one) is False and not self._hearsay.reached(one, other)
