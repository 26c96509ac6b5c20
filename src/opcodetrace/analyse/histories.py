"""The accesses of each location, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.called_checks import Tests
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Events

Array = npt.NDArray[Any]

MAX_BACK = 2_000  # accesses of a location that are gone back from one
_STEPS = 12  # of those that are looked at for all accesses together


class Histories:
    """Those of a run. `order` has the places of all, by location.

    Those of a container as a whole include the changes of its items by which its size is known to change, if it is
    given what these are (`by_whole`)."""

    def __init__(self, events: Events, by_whole: Mapping[int, Array] | None = None) -> None:
        self._events = events
        self._by_whole = by_whole or {}
        self._with_items: dict[int, Array] = {}
        self._bounds = np.zeros(int(events.location.max(initial=-1)) + 2, np.int64)
        self.order = np.empty(int(np.count_nonzero(events.location >= 0)), np.int32)
        _passes.group(events.location, self._bounds, self.order)

    def before(self, place: int, most: int = MAX_BACK, whole: int | None = None) -> list[int]:
        """The places of the accesses of its location before one of them, the latest first; not all of many. `whole`: of
        that location instead, its container as a whole."""
        history = self._of(int(self._events.location[place]) if whole is None else whole)
        at = int(np.searchsorted(history, np.int32(place)))  # as the column is: else NumPy copies it
        places: list[int] = history[max(0, at - most) : at][::-1].tolist()
        return places

    def own_and_changes_before(self, place: int, most: int, whole: int | None = None) -> list[int]:
        """The same without what other threads read: one that polls reads over and over."""
        places = np.array(self.before(place, whole=whole), np.int64)
        own = self._events.thread[places] == self._events.thread[place]
        found: list[int] = places[own | (self._events.kind[places] != EventKind.READ)][:most].tolist()
        return found

    def after(self, place: int) -> list[int]:
        """The places of those after it; not all of many."""
        history = self._of(int(self._events.location[place]))
        at = int(np.searchsorted(history, np.int32(place), side="right"))
        places: list[int] = history[at : at + MAX_BACK].tolist()
        return places

    def of(self, location: int) -> Iterator[int]:
        """The places of all accesses of a location."""
        yield from self._of(location).tolist()

    def places_of(self, location: int) -> Array:
        """The same as a column."""
        return self._of(location)

    def _of(self, location: int) -> Array:
        begin, end = self._bounds[location:][:2]
        history = self.order[begin:end]
        changes = self._by_whole.get(location)
        if changes is None:
            return history
        if location not in self._with_items:
            self._with_items[location] = np.sort(np.concatenate([history, changes]))
        return self._with_items[location]

    def after_another(self, acts: Array, tests: Tests, called: Tests) -> Array:
        """Those of `acts` that may have been tested before a write of another thread, and not since. The tests of
        `called` are made in other functions."""
        events = self._events
        position = np.empty(len(events), np.int32)
        position[self.order] = np.arange(len(self.order), dtype=np.int32)
        pairs, others = (
            np.unique(np.array([_pair(act, test) for act, found in each.items() for test in found], np.int64))
            for each in (tests, called)
        )
        found = [np.empty(0, np.int64)]
        changed = np.zeros(len(acts), bool)
        for back in range(1, _STEPS + 1):
            at = position[acts] - back
            inside = at >= self._bounds[events.location[acts]]
            acts, changed = acts[inside], changed[inside]
            place = self.order[at[inside]]
            own = events.thread[place] == events.thread[acts]
            reads = events.kind[place] == EventKind.READ
            sites = _pair(events.site[acts].astype(np.int64), events.site[place])
            tested = np.isin(sites, pairs) & (events.frame[place] == events.frame[acts])
            tested = own & reads & (tested | np.isin(sites, others))
            changed |= ~own & ~reads
            found.append(acts[tested & changed])
            goes_on = ~tested & ~(own & ~reads)
            acts, changed = acts[goes_on], changed[goes_on]
        return np.sort(np.concatenate([*found, acts]))


def _pair(act: Any, test: Any) -> Any:
    """The numbers of two sites as one."""
    return (act << 32) + test
