"""Unguarded checks: nothing that was seen keeps another thread from making the same check before this one has acted.

One thread checks a location and acts by what it found, so that the same check finds something else from then on; after
that another thread makes that very check. Had it come before the act, it would have found the same and acted, too. What
keeps the two apart is said in `windows`. In Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), check and act are
the commonest bug of atomicity.

To act twice is wrong for certain if the second time fails (a deletion), if a value would be made of one that is no
longer there, or if an object is made that the threads change later on, each its own. A value that is made anew and never
changed is a cache, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.checks import Histories, Tests, begins_between, checked, holds_after
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.windows import Window, Windows, can_be_judged, threads_of_lanes
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation
from opcodetrace.trace.source_text import SourceText

Array = npt.NDArray[Any]

CLOSEST = 64  # acts of an instruction that are looked at: those that another thread's check follows the soonest
_OTHERS = 4  # checks after an act that are looked at for one by another thread
# Of containers; they raise if it is empty.
_TAKES = (".pop(", ".popleft(", ".popitem(", "heappop(")


class UnguardedCheck(NamedTuple):
    """A thread's check and its act; and another thread's same check, which came after them."""

    location: int
    check: int  # seqs
    act: int
    other: int
    gil_only: bool  # this build has no switch point between check and act


class _Pair(NamedTuple):
    """Places among the events."""

    act: int
    other: int


def unguarded_checks(evidence: Evidence, told: Collection[tuple[int, int]] = ()) -> Iterator[UnguardedCheck]:
    """One for each location and act in the code. Without those of `told`, sites of checks and acts, which are findings
    of another kind. None in a run of which it cannot be judged (`windows.can_be_judged`)."""
    trace = evidence.trace
    if not can_be_judged(trace):
        return
    tests = {
        site.id: answers
        for site in trace.sites.values()
        if (answers := {test.site: test.answer for test in site.tests if test.answer})
    }
    pairs = _pairs(evidence, tests)
    if not pairs:
        return
    search = _Search(evidence, tests)
    found = {pair: check for pair in pairs if (check := search.check_of(pair)) is not None}
    windows = Windows(
        evidence,
        (each for pair, check in found.items() for each in (Window(check, pair.act), Window(pair.other, pair.other))),
    )
    events = trace.events
    told_at = set()
    for pair, check in sorted(found.items()):
        sites = int(events.site[check]), int(events.site[pair.act])
        key = int(events.location[pair.act]), *sites
        if sites in told or key in told_at:
            continue
        window = Window(check, pair.act)
        if (
            windows.is_another_cell(check, pair.other)
            or windows.have_a_common_lock(window, Window(pair.other, pair.other))
            or windows.may_be_ordered(pair.act, pair.other)
        ):
            continue
        told_at.add(key)
        seqs = (int(events.seq[place]) for place in (check, pair.act, pair.other))
        yield UnguardedCheck(key[0], *seqs, windows.is_gil_only(window))


def _pairs(evidence: Evidence, tests: Tests) -> list[_Pair]:
    """Acts, and the next check by another thread that may be the same. Of each instruction those closest together."""
    trace = evidence.trace
    events = trace.events
    wanted = np.unique(np.array([test for answers in tests.values() for test in answers], np.int64))
    is_act = (events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)
    acts = np.flatnonzero(is_act & (events.location >= 0) & np.isin(events.site, list(tests)))
    if not len(acts):
        return []
    reads = np.flatnonzero((events.kind == EventKind.READ) & (events.location >= 0) & np.isin(events.site, wanted))
    if not len(reads):
        return []
    # a check's location and instruction as one number; then by time
    rank = np.searchsorted(wanted, events.site[reads])
    checks = events.location[reads].astype(np.int64) * len(wanted) + rank
    order = np.argsort(checks, kind="stable")
    checks, reads = checks[order], reads[order]
    thread_of, has_tasks = threads_of_lanes(trace)
    found: list[Array] = [np.empty((2, 0), np.int64)]
    for site, answers in tests.items():
        own = acts[events.site[acts] == site] if len(acts) else acts
        for test in answers if len(own) else ():
            key = events.location[own].astype(np.int64) * len(wanted) + np.searchsorted(wanted, test)
            found.append(_next_check(events.thread, thread_of, has_tasks, own, key, checks, reads))
    pairs = np.concatenate(found, axis=1)
    distance = events.seq[pairs[1]] - events.seq[pairs[0]]
    order = np.lexsort((distance, events.site[pairs[0]]))
    pairs = pairs[:, order]
    sites = events.site[pairs[0]]
    first = np.searchsorted(sites, sites)
    kept = pairs[:, np.arange(len(sites)) - first < CLOSEST]
    return [_Pair(act, other) for act, other in kept.T.tolist()]


def _next_check(
    lanes: Array, thread_of: Array, has_tasks: Array, acts: Array, keys: Array, checks: Array, reads: Array
) -> Array:
    """Each act with the first check after it that has its key and another thread, if it is among the next few."""
    # two sorted columns as one: `reads` are places, below `span`
    span = max(int(reads.max()), int(acts.max())) + 1
    at = np.searchsorted(checks * span + reads, keys * span + acts)
    found: list[Array] = [np.empty((2, 0), np.int64)]
    for _ in range(_OTHERS):
        inside = at < len(checks)
        acts, keys, at = acts[inside], keys[inside], at[inside]
        same = checks[at] == keys
        acts, keys, at = acts[same], keys[same], at[same]
        other = reads[at]
        own = thread_of[lanes[other]] == thread_of[lanes[acts]]
        may = ~own & ~has_tasks[lanes[other]] & ~has_tasks[lanes[acts]]
        found.append(np.stack([acts[may], other[may]]).astype(np.int64))
        acts, keys, at = acts[own], keys[own], at[own] + 1
    return np.concatenate(found, axis=1)


class _Search:
    def __init__(self, evidence: Evidence, tests: Tests) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._sources = evidence.sources
        self._tests = tests
        self._histories = Histories(evidence.trace.events)
        self._failed = evidence.trace.events.failed()
        self._handlers = Handlers(evidence.trace)
        self._texts: dict[int, SourceText] = {}

    def check_of(self, pair: _Pair) -> int | None:
        """The place of the check by which the act was made; None if the other check is not the same, would find the
        same, or does no harm."""
        events, trace = self._events, self._trace
        act, other = pair
        location = trace.locations[int(events.location[act])]
        answers = self._tests[int(events.site[act])]
        check, changes = checked(events, self._histories, act, answers)
        if check is None or changes or not location.certain or events.site[check] != events.site[other]:
            return None
        answer = answers[int(events.site[check])]
        if self._failed[check] != (answer == "raises") or begins_between(events, check, act):
            return None
        if any(events.kind[place] != EventKind.READ for place in self._between(act, other)):
            return None  # what the other check found is not by this act
        if location.kind is LocationKind.WHOLE:
            return check if answer == "true" and self._takes_last(act, other) else None
        holds = holds_after(answer, events[act], location, trace.sites[int(events.site[check])])
        return check if holds is False and self._matters(act) else None

    def _between(self, act: int, other: int) -> list[int]:
        before = self._histories.before(other)
        return before[: before.index(act)] if act in before else before

    def _takes_last(self, act: int, other: int) -> bool:
        """Whether both take something out of a container, and fail if nothing is left."""
        events = self._events
        site = int(events.site[act])
        if not any(word in self._expression(site) for word in _TAKES) or self._is_handled(site):
            return False
        later = self._histories.after(other)
        own = [place for place in later if events.frame[place] == events.frame[other]]
        return any(events.site[place] == site and events.kind[place] == EventKind.WRITE for place in own[:3])

    def _matters(self, act: int) -> bool:
        """Whether it is wrong to do it twice."""
        events = self._events
        if events.kind[act] == EventKind.DELETE:
            site = self._trace.sites[int(events.site[act])]
            may_default = site.operation == Operation.CALL and self._gives_default(int(events.site[act]))
            return not may_default and not self._is_handled(int(events.site[act]))
        source = int(self._sources.place[act])
        flow = self._trace.sites[int(events.site[act])].flow
        is_made = flow is not None and any(flow._replace(tested=(), failed=()))
        if source >= 0 and events.location[source] == events.location[act] and is_made:
            return True
        value = events[act].value
        return isinstance(value, Opaque) and value.identity is not None and self._is_changed(value.identity, act)

    def _is_changed(self, identity: int, after: int) -> bool:
        """Whether what threads share in an object was changed after it had been stored."""
        if self._trace.containers is None:
            return False
        within = np.flatnonzero(self._trace.containers == identity)
        return any(
            place > after and self._events.kind[place] != EventKind.READ
            for location in within.tolist()
            for place in self._histories.of(location)
        )

    def _gives_default(self, site: int) -> bool:
        """Whether `d.pop(key, None)` is called, which does not fail."""
        return "," in self._expression(site)

    def _is_handled(self, site: int) -> bool:
        each = self._trace.sites[site]
        return self._handlers.around(self._trace.site_codes[site].file, each.line)

    def _expression(self, site: int) -> str:
        each, file = self._trace.sites[site], self._trace.site_codes[site].file
        if file not in self._texts:
            self._texts[file] = SourceText(next((known.source for known in self._trace.files if known.id == file), b""))
        return self._texts[file].expression(each.line, each.column, each.end_line, each.end_column) or ""
