"""Items that are there in any case, as a thread stores what it does not find, and that another thread takes away.

`if key not in d: d[key] = []`, then `d[key].append(item)`: no branch leads to the lookup, but it rests upon the check
all the same. If another thread deletes the item after the check, or after the store, the lookup fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.checks import Checked, begins_between
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Code, Operation

Array = npt.NDArray[Any]
_Tests = Mapping[int, Mapping[int, str]]

_OF_NOTHING = frozenset(["absent", "raises", "is None"])  # answers by which something is made, as nothing is there
_OF_SOMETHING = frozenset(["present", "is not None", "true"])


class ReliedOn:
    """Finds the lookups and deletions in a run that rest upon such a check. `tests`: by the site of an access, what the
    checks by which it is made must have found; `check_of` gives the one of an access, by its place."""

    def __init__(self, evidence: Evidence, tests: _Tests, check_of: Callable[[int], Checked | None]) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._histories = evidence.checks.histories
        self._tests = tests
        self._check_of = check_of

    @cached_property
    def acts(self) -> Array:
        """The places of those that may be: of what some thread takes away."""
        events = self._events
        taken_away = np.zeros(int(events.location.max(initial=-1)) + 2, bool)
        taken_away[events.location[events.kind == EventKind.DELETE]] = True
        taken_away[-1] = False  # of no location
        sites = list(self._upon) if taken_away.any() else []
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events) if sites else 0, PIECE):
            part = slice(start, start + PIECE)
            at = start + np.flatnonzero(taken_away[events.location[part]] & (events.kind[part] != EventKind.WRITE))
            found.append(at[np.isin(events.site[at], sites)])
        acts = np.concatenate(found)
        kept: Array = acts[~events.failed()[acts]]
        return kept

    def check(self, act: int, other: int) -> Checked | None:
        """The check upon which an act rests that would fail after another thread's deletion; None if there is none, or
        the other access is no deletion of what the check would find."""
        events = self._events
        upon = self._upon.get(int(events.site[act]))
        location = self._trace.locations[int(events.location[act])]
        if upon is None or not location.certain or location.kind is not LocationKind.ITEM:
            return None
        if location.id in self._trace.restructured or events.kind[other] != EventKind.DELETE:
            return None
        if not _OF_SOMETHING.issuperset(self._tests.get(int(events.site[other]), {}).values()):
            return None
        for place in self._histories.before(act):
            is_own = events.thread[place] == events.thread[act]
            if is_own and int(events.site[place]) in upon and events.frame[place] == events.frame[act]:
                is_stored = events.kind[place] == EventKind.WRITE
                found = self._check_of(place) if is_stored else Checked(place, "present", "present", [])
                is_here = found is not None and not found.way and not begins_between(events, found.check, act)
                return found._replace(asked="present", answer="present") if found is not None and is_here else None
            if events.kind[place] != EventKind.READ:
                return None
        return None

    @cached_property
    def _upon(self) -> dict[int, frozenset[int]]:
        """By the site of a lookup or deletion: the stores before it in its function that are made if nothing is there,
        and the checks by which they are."""
        return {site: upon for code in self._trace.codes for site, upon in self._in_function(code).items()}

    def _in_function(self, code: Code) -> dict[int, frozenset[int]]:
        checks = {
            (site.line or 0, site.offset): (site.id, *tests)  # a handler lies behind what follows it
            for site in code.sites
            if site.operation == Operation.STORE_SUBSCR
            and (tests := self._tests.get(site.id))
            and _OF_NOTHING.issuperset(tests.values())
        }
        found = {}
        for site in code.sites if checks else ():
            if site.operation in (Operation.LOAD_SUBSCR, Operation.DELETE_SUBSCR):
                decided = {test.site for test in site.tests if test.answer not in _OF_NOTHING}
                upon = {each for at, sites in checks.items() if at < (site.line or 0, site.offset) for each in sites}
                if upon - decided:
                    found[site.id] = frozenset(upon - decided)
        return found
