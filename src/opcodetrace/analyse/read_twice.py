"""Unrepeatable reads: a thread read a location twice for one purpose, and another thread had changed it in between.

A read that is not repeatable is the anomaly P2 in Berenson et al., "A critique of ANSI SQL isolation levels" (1995);
read, remote write, read in Lu, Tucek, Qin and Zhou, "AVIO" (2006). To read again is mostly meant to show changes. So
two reads count only if the source says that they belong together: both are parts of one expression
(`box.side * box.side`), or the first one decided, by a branch, that the second one is made, and the second one returned
what the check had excluded (`if self.callback is not None: self.callback()`).
"""

from __future__ import annotations

import ast
import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.answers import would_hold
from opcodetrace.analyse.checks import begins_between
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.lockset import without_another_lock
from opcodetrace.analyse.same_value import KNOWN, same
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_PAIRS = 16  # of two places in the code that are looked at


class ReadTwice(NamedTuple):
    """Two reads by one activation, and another thread's write in between."""

    location: int
    first: int  # seqs
    change: int
    second: int
    other: int | None = None  # another thread's read of the number that the first one returned (`numbers_taken`)


class Pair(NamedTuple):
    """Places among the events."""

    first: int
    second: int


def read_twice(evidence: Evidence) -> Iterator[ReadTwice]:
    """In the order of the second reads. None in a run of which accesses or synchronisation may be missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    search = PairsOfReads(evidence)
    found = [*search.of_one_expression(), *search.after_a_check()]
    if found:
        plain = without_another_lock(trace, {(each.first, each.second) for each in found})
        yield from sorted((e for e in set(found) if (e.first, e.second) in plain), key=lambda each: each.second)


class PairsOfReads:
    """Those of a trace that belong together."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._pasts = evidence.pasts
        self._activations = evidence.activations

    @cached_property
    def histories(self) -> Histories:
        return Histories(self._events)

    def of_one_expression(self) -> Iterator[ReadTwice]:
        """Those that are parts of one expression."""
        sites = self._read_twice_nearby()
        if not sites:
            return
        for pair in self._in_one_expression(*self._own_reads(sites, differ=True)):
            yield from self._told(pair)

    def alike(self) -> Iterator[Pair]:
        """Parts of one expression that returned the same value."""
        sites = self._read_twice_nearby()
        if sites:
            yield from self._in_one_expression(*self._own_reads(sites, differ=False))

    def _in_one_expression(self, first: Array, second: Array) -> Iterator[Pair]:
        meets = np.isin(self._events.tag[first], KNOWN)
        for pair in self._some(first[meets], second[meets]):
            if self._are_used_together(pair):
                yield pair

    def _own_reads(self, sites: Iterable[int], *, differ: bool) -> tuple[Array, Array]:
        """Two accesses of a location that follow each other in a thread, both of which are reads of one activation's
        frame and found different values, or the same; the second one at these sites or at others of their locations."""
        events = self._events
        places = self._accesses(sites)
        size = int(events.thread.max(initial=0)) + 1
        lane = events.location[places].astype(np.int64) * size + events.thread[places]
        order = np.argsort(lane, kind="stable")
        places, lane = places[order], lane[order]
        first, second = places[:-1], places[1:]
        meets = (lane[:-1] == lane[1:]) & (events.frame[first] == events.frame[second])
        meets &= (events.kind[first] == EventKind.READ) & (events.kind[second] == EventKind.READ)
        meets &= (events.site[first] != events.site[second]) & (same(events, first, second) != differ)
        meets &= np.isin(events.tag[second], KNOWN)
        return first[meets], second[meets]

    def _read_twice_nearby(self) -> set[int]:
        """Sites of reads that may be parts of one expression."""
        alike: defaultdict[tuple[int, str, str | None], list[int]] = defaultdict(list)
        for number, site in self._trace.sites.items():
            if site.operation.startswith("LOAD") and site.line is not None:
                alike[self._trace.site_codes[number].id, site.operation, site.name].append(number)
        found: set[int] = set()
        for numbers in alike.values():
            numbers.sort(key=lambda number: self._trace.sites[number].line or 0)
            for one, other in itertools.pairwise(numbers):
                if (self._trace.sites[other].line or 0) - (self._trace.sites[one].line or 0) <= 3:
                    found |= {one, other}
        return found

    def _accesses(self, sites: Iterable[int]) -> Array:
        """The places of all accesses of locations that are read at some sites, and written but never updated."""
        events, trace = self._events, self._trace
        size = int(events.location.max(initial=-1)) + 2
        wanted = np.zeros(size, bool)
        updated = np.zeros(size, bool)
        of_sites = np.zeros(max([*trace.sites, int(events.site.max(initial=0))]) + 1, bool)
        of_sites[list(sites)] = True
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            is_write = events.kind[part] == EventKind.WRITE
            updated[events.location[part][is_write & (self._evidence.sources.place[part] >= 0)]] = True
            wanted[events.location[part][(events.kind[part] == EventKind.READ) & of_sites[events.site[part]]]] = True
        wanted &= ~updated
        wanted[-1] = False
        wanted[[each.location for each in self._evidence.unseen]] = False
        for location in np.flatnonzero(wanted).tolist():
            its = trace.locations[location]
            wanted[location] = its.certain and its.kind not in (LocationKind.WHOLE, LocationKind.SLICE)
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            found.append(
                start + np.flatnonzero(wanted[events.location[part]] & (events.kind[part] <= EventKind.DELETE))
            )
        return np.concatenate(found)

    def _some(self, first: Array, second: Array) -> Iterator[Pair]:
        """A few of each two sites."""
        number: defaultdict[tuple[int, int], int] = defaultdict(int)
        sites = zip(self._events.site[first].tolist(), self._events.site[second].tolist(), strict=True)
        for pair, one, other in zip(sites, first.tolist(), second.tolist(), strict=True):
            number[pair] += 1
            if number[pair] <= MAX_PAIRS:
                yield Pair(one, other)

    def _are_used_together(self, pair: Pair) -> bool:
        of_site = self._activations.syntax.of_site
        sites = [int(self._events.site[place]) for place in pair]
        one, other = map(of_site, sites)
        if one is None or other is None or self._activations.of(pair.first) != self._activations.of(pair.second):
            return False
        if self._trace.sites[sites[0]].offset > self._trace.sites[sites[1]].offset:
            return False  # of two turns of a loop
        tree, node = one
        whole = tree.common_expression(node, other[1])
        return whole is not None and not self._activations.is_looked_at(pair.second, whole)

    def after_a_check(self) -> Iterator[ReadTwice]:
        """Those of which the first decided that the second is made, and would not have as the second found it."""
        trace, events = self._trace, self._events
        tests = {
            site.id: {test.site: test.answer for test in site.tests if _excludes(test.answer)}
            for site in trace.sites.values()
            if site.operation.startswith("LOAD") and any(_excludes(test.answer) for test in site.tests)
        }
        if not tests:
            return
        first, second = self._own_reads(tests, differ=True)
        decides = [(act << 32) + check for act, checks in tests.items() for check in checks]
        meets = np.isin((events.site[second].astype(np.int64) << 32) + events.site[first], decides)
        found: list[Pair] = []
        for pair in itertools.starmap(Pair, zip(first[meets].tolist(), second[meets].tolist(), strict=True)):
            check, act = events[pair.first], events[pair.second]
            answer = tests[act.site][check.site]
            # of an object's truth it is not known, but the second read was made by it
            held = would_hold(answer, check.value)
            if would_hold(answer, act.value) is False and (held or (held is None and answer == "true")):
                found.append(pair)
        columns = np.array(found, np.int64).reshape(-1, 2)
        for pair in self._some(columns[:, 0], columns[:, 1]):
            if self._belong_together(pair):
                yield from self._told(pair)

    def _belong_together(self, pair: Pair) -> bool:
        of_site = self._activations.syntax.of_site
        check, act = (of_site(int(self._events.site[place])) for place in pair)
        if check is None or act is None or begins_between(self._events, *pair):
            return False
        tree, node = check
        if not tree.is_same_turn(node, act[1]) or ast.dump(node) != ast.dump(act[1]):
            return False
        return not self._activations.is_looked_at(pair.second)

    def _told(self, pair: Pair) -> Iterator[ReadTwice]:
        """With the other thread's write that the second read shows, if the first thread had not waited for it.

        The two reads returned different values, and their thread wrote nothing in between: another one did, in every
        order that agrees with the trace."""
        events = self._events
        location = int(events.location[pair.second])
        moved = self._trace.restructured.get(location, ())
        if bisect.bisect(moved, int(events.seq[pair.first])) != bisect.bisect(moved, int(events.seq[pair.second])):
            return  # another cell of the list
        history = np.array(self.histories.before(pair.second), np.int64)
        changes = history[(history > pair.first) & (events.kind[history] == EventKind.WRITE)]
        changes = changes[same(events, changes, pair.second) & (events.thread[changes] != events.thread[pair.second])]
        if len(changes) and self._pasts.holds(pair.second, int(changes[0])) is False:
            yield ReadTwice(location, *(int(events.seq[each]) for each in (pair.first, changes[0], pair.second)))


def _excludes(answer: str) -> bool:
    """Whether a check has found what a read is then made for. Who found nothing reads again to see a change."""
    return answer in ("is not None", "true") or answer.startswith("== ")
