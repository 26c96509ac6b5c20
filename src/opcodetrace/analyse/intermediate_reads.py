"""Intermediate reads: a thread read what another one had put there for a moment only, for its own use.

Write, remote read, write: one of the four cases that cannot be serialised in Lu, Tucek, Qin and Zhou, "AVIO" (2006);
the phenomenon G1b, "intermediate reads", in Adya, Liskov and O'Neil, "Generalized isolation level definitions" (2000).
Most such reads are meant: a state, a flag or a progress counter is written so that others see it. What is looked for
here is a value that its thread puts back: `old = o.x; o.x = new; ...; o.x = old`. Even that may be for others to see.
So the thread must have used it itself, by the very instruction by which the other one read it; or the other one must
have put it back in turn, once the first one had taken it away, so that it stayed.

The latter may also be told as possible: if both save what is there, replace it and put it back, one after the other,
and nothing that was seen keeps the one out from between what the other does (`windows`).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.pasts import Hearsay
from opcodetrace.analyse.same_value import KNOWN
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.location import LocationKind

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_WINDOWS = 64  # of one place in the code that are looked at, of those into which another thread came
CLOSEST = 64  # pairs of windows of two places in the code that are looked at
MAX_WITHIN = 2_000  # accesses of the location in one


class Intermediate(NamedTuple):
    """All but the location are seqs."""

    location: int
    write: int  # of what was put there for a moment
    read: int  # the other thread's
    back: int  # the write that put back what had been there before
    own: int | None  # the first thread's own read of it, by the same instruction
    again: int | None  # the other thread's write, after that, of what it had read
    severity: Severity = Severity.HAPPENED


class _Window(NamedTuple):
    """From where a thread reads what is there to where it puts it back. Places among the events."""

    first: int
    last: int


def intermediate_reads(evidence: Evidence) -> Iterator[Intermediate]:
    """In the order of the writes that put something back. None in a run of which accesses or synchronisation may be
    missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    search = _Search(evidence)
    sites = search.sites()
    if sites:
        told: set[tuple[int, int, int]] = set()
        for window in search.windows(sites):
            for each in search.within(window):
                key = each.location, each.read, each.write
                if key not in told:
                    told.add(key)
                    yield each


def possible_reads(evidence: Evidence, told: Collection[Intermediate]) -> Iterator[Intermediate]:
    """Those that could be and were not, one for each place in the code. Without the places of those that are `told`."""
    trace = evidence.trace
    if not can_be_judged(trace) or trace.missed or trace.holes:
        return
    search = _Search(evidence)
    sites = search.sites()
    pairs = [pair for pair in search.pairs(sites) if search.is_whole(pair.one) and search.is_whole(pair.other)]
    events = trace.events
    windows = Windows(
        evidence,
        (each for one, other in pairs for each in (Window(*one), Window(other.first, other.first))),
    )
    places = events.places(each.back for each in told)
    done = {int(events.site[place]) for place in places.values()}
    found: dict[tuple[int, int], Intermediate] = {}
    for one, other in pairs:
        site = int(events.site[one.last])
        key = int(events.location[one.last]), site
        write = search.replacing(one)
        if (
            write is None
            or search.replacing(other) is None
            or site in done
            or (key in found and found[key].severity is Severity.POSSIBLE)
            or not windows.lets_in(Window(*one), other.first)
            or windows.have_a_common_lock(Window(*one), Window(other.first, other.first))
            or windows.may_be_ordered(one.last, other.first)
        ):
            continue
        severity = Severity.GIL_ONLY if windows.is_gil_only(Window(write, one.last)) else Severity.POSSIBLE
        if key not in found or severity is Severity.POSSIBLE:
            first, read, back, again = (int(events.seq[place]) for place in (write, other.first, one.last, other.last))
            found[key] = Intermediate(key[0], first, read, back, None, again, severity)
    yield from found.values()


class _Pair(NamedTuple):
    """Two threads' windows at one location, one after the other."""

    one: _Window
    other: _Window


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._accesses = evidence.accesses
        self._source = evidence.sources.place
        self._activations = evidence.activations
        self._unseen = {each.location for each in evidence.unseen}
        self._put_back: dict[int, int] = {}  # by the read that saved it: the write

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._evidence)

    def sites(self) -> set[int]:
        """Of writes that assign a local variable to what the same function assigns to the variable elsewhere."""
        return {
            number
            for number, site in self._trace.sites.items()
            if site.operation.startswith("STORE")
            and site.flow is not None
            and site.flow.reads
            and self._restores(number)
        }

    def _restores(self, site: int) -> bool:
        found = self._activations.syntax.of_site(site)
        value = None if found is None else found[0].assigned(found[1])
        return isinstance(value, ast.Name)

    def _all(self, sites: set[int]) -> tuple[Array, Array]:
        """All windows: where they begin, and where they end."""
        events, source = self._events, self._source
        is_site = np.zeros(max([*sites, int(events.site.max(initial=0))]) + 1, bool)
        is_site[list(sites)] = True
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            chosen = is_site[events.site[part]] & (events.kind[part] == EventKind.WRITE) & (source[part] >= 0)
            found.append(start + np.flatnonzero(chosen))
        last = np.concatenate(found)
        first = source[last].astype(np.int64)
        same = (events.location[first] == events.location[last]) & (events.frame[first] == events.frame[last])
        same &= (events.kind[first] == EventKind.READ) & np.isin(events.tag[first], KNOWN)
        same &= (events.tag[first] == events.tag[last]) & (events.word[first] == events.word[last])
        return first[same], last[same]

    def pairs(self, sites: set[int]) -> list[_Pair]:
        """Windows of different threads that follow each other at a location: of two places in the code those that are
        closest together."""
        events = self._events
        if not sites:
            return []
        first, last = self._all(sites)
        order = np.lexsort((first, events.location[first]))
        one, other = order[:-1], order[1:]
        meets = events.location[first[one]] == events.location[first[other]]
        meets &= Lanes(self._trace).may_meet(events.thread[first[one]], events.thread[first[other]])
        meets &= last[one] < first[other]
        one, other = one[meets], other[meets]
        order = np.argsort(first[other] - last[one], kind="stable")
        number: Counter[tuple[int, int]] = Counter()
        found = []
        for at in order.tolist():
            windows = [_Window(int(first[each]), int(last[each])) for each in (one[at], other[at])]
            key = int(events.site[windows[0].last]), int(events.site[windows[1].last])
            number[key] += 1
            if number[key] <= CLOSEST and self._is_plain(int(events.location[windows[0].last])):
                found.append(_Pair(*windows))
        return found

    def is_whole(self, window: _Window) -> bool:
        """Whether one activation did all of it."""
        return self._activations.of(window.first) == self._activations.of(window.last)

    def replacing(self, window: _Window) -> int | None:
        """The last write of something else, by the same thread, before it puts back what was there."""
        events = self._events
        for place in self._between(*window).tolist()[::-1]:
            if events.kind[place] != EventKind.READ:
                is_own = events.thread[place] == events.thread[window.last] and events.kind[place] == EventKind.WRITE
                differs = np.isin(events.tag[place], KNOWN) and not self._agree(place, window.first)
                return int(place) if is_own and differs else None
        return None

    def windows(self, sites: set[int]) -> Iterator[_Window]:
        """Those into which another thread came, by their ends; a few of each place in the code."""
        events = self._events
        first, last = self._all(sites)
        self._put_back = dict(zip(first.tolist(), last.tolist(), strict=True))
        number: Counter[int] = Counter()
        for one, other in zip(first.tolist(), last.tolist(), strict=True):
            site = int(events.site[other])
            if number[site] < MAX_WINDOWS and self._is_plain(int(events.location[other])):
                between = self._between(one, other)
                if len(between) and (events.thread[between] != events.thread[other]).any():
                    number[site] += 1
                    yield _Window(one, other)

    def _is_plain(self, number: int) -> bool:
        location = self._trace.locations[number]
        is_cell = location.certain and location.kind not in (LocationKind.WHOLE, LocationKind.SLICE)
        return is_cell and number not in self._unseen and number not in self._trace.restructured

    def _between(self, first: int, last: int) -> Array:
        location = int(self._events.location[last])
        history = self._accesses.order[slice(*self._accesses.bounds[location : location + 2])]
        start, end = np.searchsorted(history, (first, last))
        places: Array = history[start + 1 : end][:MAX_WITHIN]
        return places

    def within(self, window: _Window) -> Iterator[Intermediate]:
        events = self._events
        if self._activations.of(window.first) != self._activations.of(window.last):
            return
        mine = events.thread[window.last]
        between = self._between(*window).tolist()
        write = None  # the last one, if it is the first thread's and of another value than what was there
        for place in between:
            if events.kind[place] != EventKind.READ:
                is_own = events.thread[place] == mine and events.kind[place] == EventKind.WRITE
                is_other = is_own and np.isin(events.tag[place], KNOWN) and not self._agree(place, window.first)
                write = place if is_other else None
            elif write is not None and events.thread[place] != mine and self._agree(place, write):
                own = next((each for each in between if self._is_own_use(each, place, write)), None)
                found = self._told(window, write, place, own)
                if found is not None:
                    yield found

    def _is_own_use(self, own: int, read: int, write: int) -> bool:
        events = self._events
        return bool(
            own > write
            and events.thread[own] == events.thread[write]
            and events.site[own] == events.site[read]
            and events.kind[own] == EventKind.READ
            and self._agree(own, write)
        )

    def _agree(self, one: int, other: int) -> bool:
        events = self._events
        return bool(events.tag[one] == events.tag[other] and events.word[one] == events.word[other])

    def _told(self, window: _Window, write: int, read: int, own: int | None) -> Intermediate | None:
        pasts = self._evidence.pasts
        again = self._put_back.get(read)
        if again is not None and not self._stays(window.last, again):
            again = None
        if again is None and (own is None or self._activations.is_looked_at(read)):
            return None
        if not self._in_order(write, read, window.last):
            return None
        # who waits for the value before it reads it, or for the other one before it takes it away, means it so
        if pasts.holds(read, write) is not False or pasts.holds(window.last, read) is not False:
            return None
        if self._hearsay.reached(read, window.last):
            return None
        location = int(self._events.location[read])
        first, seen, last = (int(self._events.seq[place]) for place in (write, read, window.last))
        used, kept = (None if each is None else int(self._events.seq[each]) for each in (own, again))
        return Intermediate(location, first, seen, last, used, kept)

    def _stays(self, back: int, again: int) -> bool:
        """Whether the other thread put back what it had read after the first one had taken that away."""
        between = self._between(back, again)
        others = (self._events.kind[between] != EventKind.READ) & (
            self._events.thread[between] != self._events.thread[again]
        )
        return self._in_order(back, again) and not others.any()

    def _in_order(self, *places: int) -> bool:
        """Whether they came in that order in every order that agrees with the trace."""
        seqs = [int(self._events.seq[place]) for place in places]
        earliest = [int(self._events.seq[place] - self._events.before[place]) for place in places]
        return all(before < after for before, after in zip(seqs, earliest[1:], strict=False))
