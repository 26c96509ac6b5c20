"""Numbers that two threads took: `n = self.n` is handed on, then `self.n += 1`.

No update is lost if another thread does all of that in between. But it took the same number, so two requests, items or
names have one that each should have of its own. That is an unrepeatable read (`read_twice`): the thread counts on from
another number than the one that it handed on.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.read_twice import MAX_PAIRS, ReadTwice
from opcodetrace.analyse.same_value import same
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

_FURTHEST = 3  # reads of the number before the one that counts on, that are looked at


def numbers_taken_twice(evidence: Evidence) -> Iterator[ReadTwice]:
    """None in a run of which accesses or synchronisation may be missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    search = _Search(evidence)
    pairs = search.pairs()
    number: defaultdict[tuple[int, int], int] = defaultdict(int)
    for first, second in search.read_around_a_change(pairs) if pairs else ():
        sites = int(trace.events.site[first]), int(trace.events.site[second])
        number[sites] += 1
        found = search.taken_by_another(first, second) if number[sites] <= MAX_PAIRS else None
        if found is not None:
            yield found


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._pasts = evidence.pasts
        self._unseen = {each.location for each in evidence.unseen}
        self._histories = Histories(evidence.trace.events)
        self._activations = evidence.activations

    def pairs(self) -> set[tuple[int, int]]:
        """Sites of reads whose number is handed on, each with that of the read by which it is then counted on."""
        alike: defaultdict[tuple[int, str | None], list[int]] = defaultdict(list)
        written: set[tuple[int, str | None]] = set()
        for number, site in self._trace.sites.items():
            key = self._trace.site_codes[number].id, site.name
            if site.operation.startswith("LOAD"):
                alike[key].append(number)
            elif site.operation.startswith("STORE"):
                written.add(key)
        found = set()
        of_site = self._activations.syntax.of_site
        for key, numbers in alike.items():
            nodes = {number: of_site(number) for number in numbers if key in written and len(numbers) > 1}
            for second, last in nodes.items():
                if last is None or not last[0].is_counted_on(last[1]):
                    continue
                for first, one in nodes.items():
                    if one is None or first == second or ast.unparse(one[1]) != ast.unparse(last[1]):
                        continue
                    if last[0].follows(one[1], last[1]) and last[0].is_handed_on(one[1]):
                        found.add((first, second))
        return found

    def read_around_a_change(self, pairs: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The places of two such reads by one activation that returned different numbers, in order."""
        events = self._events
        places = self._accesses({second for _, second in pairs})
        if not len(places):
            return
        size = int(events.thread.max(initial=0)) + 1
        lane = events.location[places].astype(np.int64) * size + events.thread[places]
        order = np.argsort(lane, kind="stable")
        places, lane = places[order], lane[order]
        is_read = events.kind[places] == EventKind.READ
        of_pair = np.array([(first << 32) + second for first, second in pairs], np.int64)
        found: list[tuple[int, int]] = []
        for step in range(1, min(_FURTHEST + 1, len(places))):
            first, second = places[:-step], places[step:]
            meets = (lane[:-step] == lane[step:]) & (events.frame[first] == events.frame[second])
            for between in range(step):  # no write of its own
                meets &= is_read[between : len(places) - step + between]
            meets &= (events.tag[first] == ValueTag.INT) & (events.tag[second] == ValueTag.INT)
            meets &= ~same(events, first, second)
            meets[meets] = np.isin(
                (events.site[first[meets]].astype(np.int64) << 32) + events.site[second[meets]], of_pair
            )
            found += zip(first[meets].tolist(), second[meets].tolist(), strict=True)
        seen: set[int] = set()
        for one, other in sorted(found, key=lambda pair: (pair[1], pair[0])):
            if other not in seen and self._activations.of(one) == self._activations.of(other):
                seen.add(other)
                yield one, other

    def _accesses(self, sites: set[int]) -> Array:
        """Those of certain locations that are read at some sites."""
        events, trace = self._events, self._trace
        wanted = np.zeros(int(events.location.max(initial=-1)) + 2, bool)
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            wanted[events.location[part][np.isin(events.site[part], list(sites))]] = True
        wanted[-1] = False
        for location in np.flatnonzero(wanted).tolist():
            its = trace.locations[location]
            is_plain = its.certain and its.kind not in (LocationKind.WHOLE, LocationKind.SLICE)
            wanted[location] = is_plain and location not in self._unseen and location not in trace.restructured
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            found.append(
                start + np.flatnonzero(wanted[events.location[part]] & (events.kind[part] <= EventKind.DELETE))
            )
        return np.concatenate(found)

    def taken_by_another(self, first: int, second: int) -> ReadTwice | None:
        """If the thread that changed the number next had read the same one, to hand it on by the same code."""
        events = self._events
        if self._activations.is_looked_at(first):
            return None
        later = (place for place in self._histories.after(first) if events.kind[place] != EventKind.READ)
        change = next(later, None)
        if change is None or change > second or events.kind[change] != EventKind.WRITE:
            return None
        taken = self._taken_before(change, int(events.site[first]))
        if taken is None or self._differ(taken, first) or self._pasts.holds(second, change) is not False:
            return None
        return ReadTwice(
            int(events.location[second]), *(int(events.seq[each]) for each in (first, change, second, taken))
        )

    def _differ(self, one: int, other: int) -> bool:
        events = self._events
        return bool(events.tag[one] != events.tag[other] or events.word[one] != events.word[other])

    def _taken_before(self, change: int, site: int) -> int | None:
        """The read at a site by the activation that changed the number."""
        events = self._events
        for place in self._histories.before(change):
            if events.thread[place] == events.thread[change]:
                if events.kind[place] != EventKind.READ:
                    return None
                if events.site[place] == site:
                    return place if self._activations.of(place) == self._activations.of(change) else None
        return None
