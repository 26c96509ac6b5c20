"""Unguarded updates: nothing that was seen keeps another thread's write out from between a read and its write.

An update is a thread's read of a location, and its write of a value that was made of it. What keeps another write out
of this window is said in `windows`. In Lu, Tucek, Qin and Zhou, "AVIO" (2006), this is the case read, remote write,
write. It is not told of a location's first write: who makes an object need not guard it.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.checks import begins_between, compared_again
from opcodetrace.analyse.evidence import Accesses, Evidence
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import CERTAINTIES
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import MORE

Array = npt.NDArray[Any]
Lines = frozenset[tuple[int, int | None]]  # file and line, of two writes

CLOSEST = 16  # pairs of writes of a location and two places in the code that are looked at: those closest to each other
MOST_READS = 64  # that are gone back from the one of which a write was made
MAX_PAIRS = 20_000  # of all locations together; those closest to each other


class Unguarded(NamedTuple):
    """An update, and another thread's write that could have come into it. It came before the update, or after it."""

    location: int
    read: int  # seqs
    write: int
    other: int
    certainty: Certainty  # that the update's value was made of what was read
    gil_only: bool  # this build has no switch point in between


class _Pair(NamedTuple):
    """Two writes of a location by different threads. Places among the events."""

    one: int  # the earlier one
    other: int


def unguarded(evidence: Evidence, told: Collection[Lines] = ()) -> Iterator[Unguarded]:
    """One for each location and pair of lines. Without the lines of `told`, which are findings of another kind.

    None in a run of which synchronisation is missing, or too much: no lock must be overlooked."""
    trace = evidence.trace
    if not can_be_judged(trace):
        return
    pairs = _pairs(evidence, evidence.accesses)
    if not pairs:
        return
    search = _Search(evidence, evidence.accesses, pairs)
    found: dict[tuple[int, Lines], Unguarded] = {}
    for pair in pairs:
        lines = search.lines(pair)
        key = int(trace.events.location[pair.one]), lines
        if lines in told or (key in found and not found[key].gil_only):
            continue
        for each in search.of(pair):
            before = found.get(key)
            if before is None or (before.gil_only and not each.gil_only):
                found[key] = each
    yield from sorted(found.values(), key=lambda each: (each.write, each.other))


def lines_of(trace: Trace, sites: Iterable[int]) -> Lines:
    return frozenset((trace.site_codes[site].file, trace.sites[site].line) for site in sites if site in trace.sites)


def _pairs(evidence: Evidence, accesses: Accesses) -> list[_Pair]:
    """Writes of a location that follow each other, by different threads, at least one of which is an update.

    Of each location and two places in the code, those closest to each other."""
    events, sources = evidence.trace.events, evidence.sources
    looked_into = np.zeros(int(events.location.max(initial=-1)) + 1, bool)
    looked_into[accesses.locations] = True
    lanes = Lanes(evidence.trace)
    found: list[Array] = [np.empty((2, 0), np.int64)]
    last: Array = np.empty(0, np.int32)
    for start in range(0, len(accesses.order), PIECE):
        places = accesses.order[start : start + PIECE]
        kinds = events.kind[places]
        is_write = ((kinds == EventKind.WRITE) | (kinds == EventKind.DELETE)) & looked_into[events.location[places]]
        writes = np.concatenate([last, places[is_write]])
        source = np.maximum(sources.place[writes], 0)
        same = (events.tag[source] == events.tag[writes]) & (events.word[source] == events.word[writes])
        writes = writes[(sources.place[writes] < 0) | (events.kind[writes] == EventKind.DELETE) | ~same]
        last = writes[-1:]
        one, other = writes[:-1], writes[1:]
        meets = events.location[one] == events.location[other]
        meets &= lanes.may_meet(events.thread[one], events.thread[other])
        meets &= (sources.place[one] >= 0) | (sources.place[other] >= 0)
        found.append(_closest(evidence, np.stack([one[meets], other[meets]]).astype(np.int64)))
    pairs = _closest(evidence, np.concatenate(found, axis=1))
    distance = events.seq[pairs[1]] - events.seq[pairs[0]]
    pairs = pairs[:, np.argsort(distance, kind="stable")[:MAX_PAIRS]]
    return [_Pair(one, other) for one, other in pairs.T.tolist()]


def _closest(evidence: Evidence, pairs: Array) -> Array:
    events = evidence.trace.events
    one, other = pairs
    columns = (events.location[one], events.site[one], events.site[other])
    order = np.lexsort((events.seq[other] - events.seq[one], *columns[::-1]))
    same = np.zeros(len(order), bool)
    if len(order):
        same[1:] = np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in columns])
    numbers = np.arange(len(order))
    first = np.maximum.accumulate(np.where(same, 0, numbers))
    kept: Array = pairs[:, order[numbers - first < CLOSEST]]
    return kept


def _may_be_a_turn(answer: str) -> bool:
    """Whether a check that found this may tell that it is this thread's turn: that the value is one of its own."""
    return answer in ("", MORE) or answer.startswith(("==", "not !="))


class _Search:
    """Looks into pairs of writes."""

    def __init__(self, evidence: Evidence, accesses: Accesses, pairs: Sequence[_Pair]) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._sources = evidence.sources
        self._accesses = accesses
        self._shared_at: dict[int, int] = {}
        places = sorted({place for pair in pairs for place in pair})
        self._read = {place: read for place in places if (read := self._source_read(place)) is not None}
        self._windows = Windows(
            evidence, (Window(begin, place) for place in places for begin in (place, self._read.get(place, place)))
        )

    def lines(self, pair: _Pair) -> Lines:
        return lines_of(self._trace, (int(self._events.site[place]) for place in pair))

    def of(self, pair: _Pair) -> Iterator[Unguarded]:
        """The one or the other as the update; the one whose line comes first, first."""
        by_line = sorted(pair, key=lambda place: self._place_in_code(int(self._events.site[place])))
        for place in by_line:
            read = self._read.get(place)
            other = pair.one if place == pair.other else pair.other
            if read is not None and not self._is_excluded(read, place, other):
                yield self._told(read, place, other)

    def _place_in_code(self, site: int) -> tuple[int, int, int]:
        each = self._trace.sites.get(site)
        return (0, 0, 0) if each is None else (self._trace.site_codes[site].file, each.line or 0, each.offset)

    def _source_read(self, place: int) -> int | None:
        """The place of the read of which a write was made; None if it is no update."""
        events = self._events
        read = int(self._sources.place[place])
        if events.kind[place] != EventKind.WRITE or read < 0 or events.kind[read] != EventKind.READ:
            return None
        same_cell = events.location[read] == events.location[place] and events.thread[read] == events.thread[place]
        site = self._trace.sites.get(int(events.site[place]))
        if not same_cell or int(events.site[read]) not in self._trace.sites:
            return None
        if site is None or site.flow is None or not any(site.flow._replace(tested=(), failed=())):
            return None  # a constant, chosen by a branch
        if any(test.site == events.site[read] and _may_be_a_turn(test.answer) for test in site.tests):
            return None
        location = int(events.location[place])
        number = int(np.searchsorted(self._accesses.locations, location))
        its = self._accesses.order[self._accesses.begins[number] : self._accesses.ends[number]]
        again = compared_again(self._trace, its, read, place)
        if again is not None:
            return again  # had it changed before that, it would not have been written
        return self._first_of(its, read, frozenset(site.flow.reads))

    def _first_of(self, its: Array, read: int, sites: Container[int]) -> int:
        """The first of the reads that flow into one write, if the location was not written between them:
        `total.rate += factor() * (new - total.rate)`."""
        events = self._events
        first = read
        for place in its[: int(np.searchsorted(its, np.int32(read)))][: -MOST_READS - 1 : -1].tolist():
            if events.kind[place] != EventKind.READ:
                break
            if events.thread[place] == events.thread[read]:
                if int(events.site[place]) not in sites or events.frame[place] != events.frame[read]:
                    break
                first = place
        return read if begins_between(events, first, read) else first

    def _is_excluded(self, read: int, write: int, other: int) -> bool:
        """Whether something keeps the other write out of the update, or may do so."""
        windows = self._windows
        earlier, later = (other, read) if other < write else (write, other)
        if windows.is_another_cell(min(read, other), max(write, other)):
            return True
        if windows.have_one_ident(write, other) or windows.may_be_another_object(write, other):
            return True
        if not windows.lets_in(Window(read, write), other):
            return True
        if windows.have_a_common_lock(Window(read, write), Window(other, other)):
            return True
        if other < write and (other not in self._read and self._is_first(other)):
            return True
        return windows.may_be_ordered(earlier, later)

    def _is_first(self, place: int) -> bool:
        """Whether no other thread had been at the location before."""
        location = int(self._events.location[place])
        if location not in self._shared_at:
            number = int(np.searchsorted(self._accesses.locations, location))
            its = self._accesses.order[self._accesses.begins[number] : self._accesses.ends[number]]
            threads = self._events.thread[its]
            others = threads != threads[0]
            self._shared_at[location] = int(its[np.argmax(others)]) if others.any() else len(self._events)
        return place < self._shared_at[location]

    def _told(self, read: int, write: int, other: int) -> Unguarded:
        certainty = CERTAINTIES[int(self._sources.certainty[write])]
        gil_only = self._windows.is_gil_only(Window(read, write))
        if gil_only and self._windows.may_run_code(read, write):
            certainty = Certainty.INFERRED
        location = int(self._events.location[write])
        first, last, remote = (int(self._events.seq[place]) for place in (read, write, other))
        return Unguarded(location, first, last, remote, certainty, gil_only)
