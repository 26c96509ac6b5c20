"""Acts that checks decided upon, each with what another thread did at the location not far from it: the same check, or
a write. Of two instructions those pairs are looked at that are closest together."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.answers import OF_NOTHING
from opcodetrace.analyse.called_checks import Tests
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.sizes import is_for_an_item
from opcodetrace.analyse.windows import Lanes
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind

Array = npt.NDArray[Any]

CLOSEST = 64  # pairs of two instructions that are looked at: those closest together
_ITEM_BITS = 16
_STEPS = 4  # writes after an act, and before it, that are looked at for one by another thread
_NO_PAIRS: Array = np.empty((2, 0), np.int64)


class Pair(NamedTuple):
    """Places among the events."""

    act: int
    other: int


def _alike(tests: Tests) -> tuple[Array, Array]:
    """The sites of checks, in order; and of each, the place of the first one that asks the same: whether nothing is
    there, however it asks. Of others it is one site alone."""
    answers_of: dict[int, set[str]] = {}
    for answers in tests.values():
        for check, answer in answers.items():
            answers_of.setdefault(check, set()).add(answer)
    wanted = np.array(sorted(answers_of), np.int64)
    for_nothing = np.array([answers_of[check] <= OF_NOTHING for check in wanted.tolist()], bool)
    alike = np.arange(len(wanted))
    alike[for_nothing] = np.argmax(for_nothing)
    return wanted, alike


def repeated(evidence: Evidence, acts: Array, tests: Tests) -> Array:
    """Acts that changed something, and the next check by another thread that may ask the same."""
    trace = evidence.trace
    events = trace.events
    acts = acts[events.kind[acts] != EventKind.READ]
    if not tests:
        return _NO_PAIRS
    wanted, alike = _alike(tests)
    reads = np.flatnonzero((events.kind == EventKind.READ) & (events.location >= 0) & np.isin(events.site, wanted))
    if not len(acts) or not len(reads):
        return _NO_PAIRS
    # a check's location and what it asks as one number; then by time
    items = _Items(evidence, reads)
    asked, checks = np.unique(
        _as_one(
            events.location[reads], len(wanted), alike[np.searchsorted(wanted, events.site[reads])], items.of_reads
        ),
        return_inverse=True,
    )
    order = np.argsort(checks, kind="stable")
    checks, reads = checks[order], reads[order]
    span = max(int(reads.max()), int(acts.max())) + 1
    apart = _Apart(evidence)
    threads = apart.units(reads)
    turns = 1 + np.flatnonzero((checks[1:] != checks[:-1]) | (threads[1:] != threads[:-1]))
    acts = acts[np.argsort(events.site[acts], kind="stable")]
    found = [_NO_PAIRS]
    for site, answers in tests.items():
        begin, end = np.searchsorted(events.site[acts], (site, site + 1))
        for test, start in itertools.product(answers, range(begin, end, PIECE)):
            own = acts[start : min(start + PIECE, end)]
            one = _as_one(
                events.location[own], len(wanted), alike[np.searchsorted(wanted, test)], items.of_acts(own, test)
            )
            keys = np.searchsorted(asked, one)
            known = keys < len(asked)
            known[known] = asked[keys[known]] == one[known]
            own, keys = own[known], keys[known]
            at = np.searchsorted(checks * span + reads, keys * span + own)
            for _ in range(2):  # the next one, and if that is its own, the first one after its own
                meets = at < len(checks)
                meets[meets] = checks[at[meets]] == keys[meets]
                own, keys, at = own[meets], keys[meets], at[meets]
                found.append(closest(evidence, apart.pairs(own, reads[at])))
                same = apart.units(own) == threads[at]
                own, keys, at = own[same], keys[same], at[same]
                turn = np.searchsorted(turns, at, side="right")
                at = np.append(turns, len(checks))[turn]
    return np.concatenate(found, axis=1)


def _as_one(location: Array, size: int, asks: Any, item: Array) -> Array:
    found: Array = ((location.astype(np.int64) * size + asks) << _ITEM_BITS) + item
    return found


class _Items:
    """For which item of a container as a whole a check asks, or an act was made, as a number; 0 of other checks and
    acts. Two items may have the same."""

    def __init__(self, evidence: Evidence, reads: Array) -> None:
        trace = evidence.trace
        self._events = trace.events
        wholes = [number for number, each in trace.locations.items() if each.kind is LocationKind.WHOLE]
        sites = [number for number, each in trace.sites.items() if is_for_an_item(each)]
        asks = np.isin(self._events.site[reads], sites) & np.isin(self._events.location[reads], wholes)
        self._reads = reads[asks]
        self._sites = frozenset(np.unique(self._events.site[self._reads]).tolist())
        self._wholes = np.array(wholes, np.int64)
        self.of_reads = np.where(asks, self._number(reads), 0)

    def of_acts(self, acts: Array, test: int) -> Array:
        """What was added; of what takes something away, what its thread had asked for last."""
        events = self._events
        if test not in self._sites:
            return np.zeros(len(acts), np.int64)
        reads = self._reads[events.site[self._reads] == test]
        size, threads = len(events), int(events.thread.max()) + 1
        keys, wanted = (
            (events.location[places].astype(np.int64) * threads + events.thread[places]) * size + places
            for places in (reads, acts)
        )
        order = np.argsort(keys)
        before = np.searchsorted(keys[order], wanted) - 1
        its = reads[order[np.maximum(before, 0)]]
        own = (
            (before >= 0)
            & (events.location[its] == events.location[acts])
            & (events.thread[its] == events.thread[acts])
        )
        numbers = np.where(own, self._number(its), 0)
        adds = events.tag[acts] != ValueTag.ABSENT
        numbers = np.where(adds, self._number(acts), numbers)
        found: Array = np.where(np.isin(events.location[acts], self._wholes), numbers, 0)
        return found

    def _number(self, places: Array) -> Array:
        words = self._events.word[places].astype(np.int64) * 31 + self._events.tag[places]
        found: Array = (words ^ words >> _ITEM_BITS) & ((1 << _ITEM_BITS) - 1)
        return found


def changed(evidence: Evidence, acts: Array, histories: Histories) -> Array:
    """Acts, and writes by other threads not far before or after them at the location."""
    trace = evidence.trace
    events = trace.events
    is_act = np.zeros(len(events), bool)
    is_act[acts] = True
    acted_at = np.zeros(int(events.location.max()) + 1, bool)
    acted_at[events.location[acts]] = True
    apart = _Apart(evidence)
    found = [_NO_PAIRS]
    last = np.empty(0, np.int32)
    for start in range(0, len(histories.order), PIECE):
        places = histories.order[start : start + PIECE]
        is_write = (events.kind[places] != EventKind.READ) & acted_at[events.location[places]]
        places = np.concatenate([last, places[is_write | is_act[places]]])
        for step in range(1, min(_STEPS + 1, len(places))):
            one, other = places[:-step], places[step:]
            meets = events.location[one] == events.location[other]
            for act, change in ((one[meets], other[meets]), (other[meets], one[meets])):
                may = is_act[act] & (events.kind[change] != EventKind.READ)
                found.append(closest(evidence, apart.pairs(act[may], change[may])))
        last = places[-_STEPS:]
    return np.concatenate(found, axis=1)


def of_wholes(evidence: Evidence) -> Array:
    """Acts that change the size of a dictionary or a set, and the next looks at how much is in it by others."""
    looks, changes = evidence.checks.resizes.pairs
    later = looks > changes
    return _Apart(evidence).pairs(changes[later], looks[later])


def taken_out(evidence: Evidence) -> Array:
    """Acts by copies of a container, each the next change after its copy; and changes by others not far from that."""
    resizes, copies = evidence.checks.resizes, evidence.checks.copies
    looks, changes = resizes.pairs
    found = [
        (act, change)
        for look, change in zip(looks.tolist(), changes.tolist(), strict=True)
        if (act := resizes.next_own(look)) is not None and int(evidence.trace.events.site[act]) in copies.sites
    ]
    return _Apart(evidence).pairs(*np.array(found, np.int64).reshape(-1, 2).T)


def first_items(evidence: Evidence) -> Array:
    """The first changes of dictionaries and sets by lanes that had looked at them as a whole; later looks by others."""
    resizes = evidence.checks.resizes
    looks, changes = resizes.pairs
    pairs = [
        (first, look)
        for look, change in zip(looks.tolist(), changes.tolist(), strict=True)
        if look > change and (first := resizes.first_own(change)) is not None
    ]
    return _Apart(evidence).pairs(*np.array(pairs, np.int64).reshape(-1, 2).T)


class _Apart:
    """Which accesses are by lanes that may come between each other."""

    def __init__(self, evidence: Evidence) -> None:
        self._lane = evidence.trace.events.thread
        self._lanes = Lanes(evidence.trace)

    def pairs(self, one: Array, other: Array) -> Array:
        may = self._lanes.may_meet(self._lane[one], self._lane[other])
        return np.stack([one[may], other[may]]).astype(np.int64)

    def units(self, places: Array) -> Array:
        of: Array = self._lanes.unit[self._lane[places]]
        return of


def closest(evidence: Evidence, pairs: Array) -> Array:
    """Of each two instructions the pairs that are closest together, each once."""
    events = evidence.trace.events
    pairs = np.unique(pairs, axis=1)
    act, other = pairs
    order = np.lexsort((np.abs(events.seq[act] - events.seq[other]), events.site[other], events.site[act]))
    sites = ((events.site[act].astype(np.int64) << 32) + events.site[other])[order]
    kept: Array = pairs[:, order[np.arange(len(order)) - np.searchsorted(sites, sites) < CLOSEST]]
    return kept
