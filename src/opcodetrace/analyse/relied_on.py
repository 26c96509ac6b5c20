"""What is there in any case, as a thread makes what it does not find, and what another thread takes away.

`if key not in d: d[key] = []`, then `d[key].append(item)`; `if self.conn is None: self.connect()`, then
`self.conn.send(text)`: no branch leads to the second access, but it rests upon the check all the same. If another
thread deletes the item after the check, or stores None, there is nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.answers import OF_NOTHING
from opcodetrace.analyse.called_checks import Tests
from opcodetrace.analyse.checks import Checked, begins_between
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Code, Operation, Site

Array = npt.NDArray[Any]

_OF_SOMETHING = frozenset(["present", "is not None", "true"])
_STORES = frozenset([Operation.STORE_SUBSCR, Operation.STORE_ATTR, Operation.STORE_GLOBAL])
_ACTS = frozenset(
    [Operation.LOAD_SUBSCR, Operation.LOAD_ATTR, Operation.LOAD_GLOBAL, Operation.DELETE_SUBSCR, Operation.DELETE_ATTR]
)
_NEEDS = (ast.Attribute, ast.Subscript, ast.Call)


class ReliedOn:
    """Finds the accesses in a run that rest upon such a check. `tests`: by the site of an access, what the checks by
    which it is made must have found; `check_of` gives the one of an access, by its place."""

    def __init__(self, evidence: Evidence, tests: Tests, check_of: Callable[[int], Checked | None]) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._histories = evidence.checks.histories
        self._tests = tests
        self._called = evidence.checks.called.tests
        self._activations = evidence.checks.called.activations
        self._check_of = check_of

    @cached_property
    def acts(self) -> Array:
        """The places of those that may be: of what some thread takes away."""
        events = self._events
        taken_away = np.zeros(int(events.location.max(initial=-1)) + 2, bool)
        for start in range(0, len(events) if self._upon else 0, PIECE):
            part = slice(start, start + PIECE)
            is_gone = events.kind[part] == EventKind.DELETE
            is_gone |= (events.kind[part] == EventKind.WRITE) & (events.tag[part] == ValueTag.NONE)
            taken_away[events.location[part][is_gone]] = True
        taken_away[-1] = False  # of no location
        sites = list(self._upon) if taken_away.any() else []
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events) if sites else 0, PIECE):
            part = slice(start, start + PIECE)
            at = start + np.flatnonzero(taken_away[events.location[part]] & (events.kind[part] != EventKind.WRITE))
            found.append(at[np.isin(events.site[at], sites)])
        acts = np.concatenate(found)
        return acts[~events.failed()[acts]] if len(acts) else acts

    def check(self, act: int, other: int) -> Checked | None:
        """The check upon which an act rests that would find nothing after another thread's access; None if there is
        none, or the other one does not take away what the check would find."""
        events = self._events
        upon = self._upon.get(int(events.site[act]))
        location = self._trace.locations[int(events.location[act])]
        if upon is None or not location.certain or location.kind is LocationKind.WHOLE:
            return None
        if location.id in self._trace.restructured or not self._takes_away(other):
            return None
        if events.kind[other] == EventKind.WRITE and not self._is_needed(act):
            return None
        for place in self._histories.before(act):
            if events.thread[place] != events.thread[act]:
                if events.kind[place] != EventKind.READ:
                    return None
            elif events.kind[place] != EventKind.READ:
                found = self._check_of(place) if events.kind[place] == EventKind.WRITE else None
                is_upon = found is not None and int(events.site[found.check]) in upon
                return self._rests(found.check, act) if found is not None and is_upon else None
            elif int(events.site[place]) in upon:
                return self._rests(place, act)
        return None

    def _takes_away(self, other: int) -> bool:
        events = self._events
        is_gone = events.kind[other] == EventKind.DELETE or events.tag[other] == ValueTag.NONE
        tests = self._tests.get(int(events.site[other]), {})
        return bool(is_gone and events.kind[other] != EventKind.READ) and _OF_SOMETHING.issuperset(tests.values())

    def _is_needed(self, act: int) -> bool:
        """Whether None in its place would raise: it is asked for an attribute or an item, or called."""
        found = self._activations.syntax.of_site(int(self._events.site[act]))
        step = None if found is None else next(found[0].above(found[1]), None)
        return step is not None and isinstance(step.parent, _NEEDS) and step.field in ("value", "func")

    def _rests(self, check: int, act: int) -> Checked | None:
        is_one = self._events.frame[check] == self._events.frame[act] and not begins_between(self._events, check, act)
        if not is_one:
            return None
        _, *callers = self._activations.lines(act)
        calls = tuple((file, line) for file, line in callers if line is not None)
        return Checked(check, "present", "present", [], calls=calls)

    @cached_property
    def _upon(self) -> dict[int, frozenset[int]]:
        """By the site of an access: the checks before it in its function by which something is made if nothing is
        there."""
        making = {
            check
            for tests in (self._tests, self._called)
            for site, answers in tests.items()
            if self._trace.sites[site].operation in _STORES
            for check, answer in answers.items()
            if answer in OF_NOTHING
        }
        return {site: upon for code in self._trace.codes for site, upon in _in_function(code, making).items()}


def _in_function(code: Code, making: set[int]) -> dict[int, frozenset[int]]:
    checks = [site for site in code.sites if site.id in making]
    found = {}
    for site in code.sites if checks else ():
        if site.operation in _ACTS:
            decided = {test.site for test in site.tests if test.answer not in OF_NOTHING}
            upon = {each.id for each in checks if each.name == site.name and _place(each) < _place(site)} - decided
            if upon:
                found[site.id] = frozenset(upon)
    return found


def _place(site: Site) -> tuple[int, int]:
    return site.line or 0, site.offset  # a handler lies behind what follows it
