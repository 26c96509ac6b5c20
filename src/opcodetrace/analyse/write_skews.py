"""Write skews: two threads, each of which read what the other one then wrote, and would not have written its own.

A5B in Berenson et al., "A critique of ANSI SQL isolation levels" (1995): `if b.on_call: a.on_call = False` and
`if a.on_call: b.on_call = False` at the same time. No single location shows it: neither check was of what its thread
wrote. But had one thread done its part after the other, in either order, its check would have gone otherwise. So no
order of the two has that outcome: "not serialisable".
"""

from __future__ import annotations

import ast
import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.answers import holds_after, would_hold
from opcodetrace.analyse.guards import asked_by, compared_with
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.syntax import Tree, ends
from opcodetrace.trace.event import EventKind, Value
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import WRITTEN, Operation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_PAIRS = 64  # of acts at two places in the code, that are looked at
_STEPS = 8  # accesses of an activation before its act among which its checks are looked for
_NO_LOADS = (Operation.ENTER, Operation.DEFINE)
_KINDS = frozenset([LocationKind.ITEM, LocationKind.ATTRIBUTE, LocationKind.GLOBAL, LocationKind.CELL])


class Skew(NamedTuple):
    """Two threads' checks and acts; all but the locations are seqs."""

    locations: tuple[int, int]  # that are written: by the first thread, by the other one
    check: int
    act: int
    other_check: int
    other_act: int


class _Part(NamedTuple):
    """What one thread did. Places among the events."""

    check: int
    act: int
    answer: str  # what the check had found


def write_skews(evidence: Evidence) -> Iterator[Skew]:
    """By the later act of each. None in a run of which accesses or synchronisation may be missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    search = _Search(evidence)
    tests = search.tests()
    if tests:
        yield from sorted(search.among(search.parts(tests)), key=lambda each: max(each.act, each.other_act))


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._pasts = evidence.pasts
        self._unseen = {each.location for each in evidence.unseen}
        self._activations = evidence.activations

    @cached_property
    def _histories(self) -> Histories:
        return Histories(self._events)

    def tests(self) -> dict[tuple[int, int], str]:
        """By the sites of a write and of a read of something else by which it was decided: what was to be found."""
        trace, of_site = self._trace, self._activations.syntax.of_site
        by_code: defaultdict[int, list[int]] = defaultdict(list)
        for number, site in trace.sites.items():
            if site.operation not in _NO_LOADS and not site.operation.startswith(("STORE", "DELETE")):
                by_code[trace.site_codes[number].id].append(number)
        found: dict[tuple[int, int], str] = {}
        for number, site in trace.sites.items():
            reads = by_code.get(trace.site_codes[number].id)
            act = of_site(number) if reads and site.operation.startswith("STORE") else None
            asked = {} if act is None else dict(_deciding(*act))
            for read in (reads or ()) if asked else ():
                check = of_site(read)
                if act is not None and check is not None and check[1] in asked:
                    text = ast.unparse(check[1])
                    if text != ast.unparse(act[1]) and act[0].is_same_turn(check[1], act[1]):
                        found[number, read] = asked[check[1]]
        return found

    def parts(self, tests: Mapping[tuple[int, int], str]) -> list[_Part]:
        """What was written by such a check of another location, by the places of the acts."""
        events = self._events
        size = max(int(events.site.max(initial=0)), *(max(pair) for pair in tests)) + 1
        wanted = np.zeros(size, bool)
        wanted[[site for pair in tests for site in pair]] = True
        rows = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            chosen = wanted[events.site[part]] & (events.kind[part] <= EventKind.DELETE) & (events.location[part] >= 0)
            rows.append(start + np.flatnonzero(chosen))
        places = np.concatenate(rows)
        key = events.frame[places].astype(np.int64) * (int(events.thread.max(initial=0)) + 1) + events.thread[places]
        order = np.argsort(key, kind="stable")
        places, key = places[order], key[order]
        is_act = events.kind[places] == EventKind.WRITE
        pairs = np.array([(act << 32) + check for act, check in tests], np.int64)
        found = [np.empty((2, 0), np.int64)]
        for back in range(1, min(_STEPS + 1, len(places))):
            check, act = places[:-back], places[back:]
            meets = (key[:-back] == key[back:]) & is_act[back:] & (events.kind[check] == EventKind.READ)
            meets &= events.location[check] != events.location[act]
            meets[meets] = np.isin((events.site[act[meets]].astype(np.int64) << 32) + events.site[check[meets]], pairs)
            found.append(np.stack([act[meets], check[meets]]))
        acts, checks = np.concatenate(found, axis=1)
        written, checked = (events.location[each].astype(np.int64) for each in (acts, checks))
        locations = np.unique((checked << 32) + written)
        crossing = [
            pair
            for pair in np.intersect1d(locations, (locations >> 32) + ((locations & (1 << 32) - 1) << 32)).tolist()
            if all(map(self._is_plain, (pair >> 32, pair & (1 << 32) - 1)))
        ]
        which = np.isin((checked << 32) + written, crossing)
        return [
            _Part(check, act, tests[int(events.site[act]), int(events.site[check])])
            for act, check in sorted(zip(acts[which].tolist(), checks[which].tolist(), strict=True))
        ]

    def _is_plain(self, number: int) -> bool:
        location = self._trace.locations[number]
        is_cell = location.certain and location.kind in _KINDS
        return is_cell and number not in self._unseen and number not in self._trace.restructured

    def among(self, parts: Sequence[_Part]) -> Iterator[Skew]:
        events = self._events
        at: defaultdict[tuple[int, int], list[_Part]] = defaultdict(list)  # by what is checked and what is written
        for each in parts:
            at[int(events.location[each.check]), int(events.location[each.act])].append(each)
        number: Counter[tuple[int, int]] = Counter()
        told: set[tuple[int, int]] = set()
        for (checked, written), its in at.items():
            others = at.get((written, checked), [])
            if checked > written:
                continue  # the same two from the other side
            for one in its:
                start = bisect.bisect_right(others, one.check, key=lambda part: part.act)
                for other in others[start:]:
                    sites = int(events.site[one.act]), int(events.site[other.act])
                    if other.check > one.act or number[sites] >= MAX_PAIRS:
                        break
                    if events.thread[one.act] == events.thread[other.act] or (one.act, other.act) in told:
                        continue
                    number[sites] += 1
                    if self._is_skew(one, other):
                        told.add((one.act, other.act))
                        yield self._told(*sorted((one, other), key=lambda part: part.act))

    def _is_skew(self, one: _Part, other: _Part) -> bool:
        return (
            all(self._is_undone(*pair) for pair in ((one, other), (other, one)))
            and self._are_alone(one, other)
            and not any(map(self._looks_again, (one, other)))
        )

    def _is_undone(self, one: _Part, other: _Part) -> bool:
        """Whether a thread would not have acted after the other one's act, of which it knew nothing; and acted by a
        check that came before that."""
        events, trace = self._events, self._trace
        answer = self._with_value(one)
        if self._activations.of(one.check) != self._activations.of(one.act):
            return False
        check, act = events[one.check], events[other.act]
        site = trace.sites[check.site]
        held = answer in ("present", "absent") or would_hold(answer, check.value)
        return (
            held is True
            and holds_after(answer, act, trace.locations[act.location], site) is False
            and check.seq < act.earliest
            and self._pasts.holds(one.act, other.act) is False
        )

    def _with_value(self, part: _Part) -> str:
        """What a check found, with the value that it compared with."""
        value: Value = self._events[part.act].value
        is_known = isinstance(value, int | float | str)
        return part.answer.replace(WRITTEN, repr(value)) if is_known else part.answer

    def _are_alone(self, one: _Part, other: _Part) -> bool:
        """Whether nothing else was written to the two locations from the first check to the last act."""
        events = self._events
        acts = [one.act, other.act]
        first, last = min(one.check, other.check), max(acts)
        for act in acts:
            history = self._histories.places_of(int(events.location[act]))
            between = history[slice(*np.searchsorted(history, (first, last + 1)))]
            if (events.kind[between] != EventKind.READ).sum() != 1:
                return False
        return True

    def _looks_again(self, part: _Part) -> bool:
        """Whether the thread, once it had acted, looked again at what it had checked: it may take back what it did."""
        events = self._events
        history = self._histories.places_of(int(events.location[part.check]))
        later = history[np.searchsorted(history, part.act, side="right") :][:MAX_PAIRS]
        own = later[(events.thread[later] == events.thread[part.act]) & (events.kind[later] == EventKind.READ)]
        return len(own) > 0 and self._activations.of(int(own[0])) == self._activations.of(part.act)

    def _told(self, one: _Part, other: _Part) -> Skew:
        seqs = (int(self._events.seq[each]) for part in (one, other) for each in (part.check, part.act))
        return Skew((int(self._events.location[one.act]), int(self._events.location[other.act])), *seqs)


def _deciding(tree: Tree, act: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """The reads by which an assignment is made, and what they must have found: in the test of an `if` around it, or of
    one before it whose body goes elsewhere."""
    value = tree.assigned(act)
    name = value.id if isinstance(value, ast.Name) else None
    for step in tree.above(act):
        match step.parent:
            case ast.If(test=test) if step.field in ("body", "orelse"):
                yield from _asked(test, step.field == "body", name)
            case ast.While() | ast.For() | ast.AsyncFor():
                return
        block = getattr(step.parent, step.field, None)
        for before in block[: block.index(step.node)] if isinstance(block, list) and step.node in block else ():
            if isinstance(before, ast.If) and ends(before.body) and not before.orelse:
                yield from _asked(before.test, False, name)


def _asked(test: ast.expr, truth: bool, name: str | None) -> Iterator[tuple[ast.AST, str]]:
    """What must have been found for a test to be true, or false; also by a comparison with the variable that is
    written."""
    yield from asked_by(test, truth)
    for read, sign in compared_with(test, truth, name) if name is not None else ():
        yield read, f"{sign} {WRITTEN}"
