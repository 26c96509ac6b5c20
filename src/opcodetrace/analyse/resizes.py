"""Changes of dictionaries and sets, each of one item, as changes of the whole: of how much is in it.

`if len(self.slots) < limit: self.slots[key] = item`, `while pending: pending.pop()`: the check asks a container as a
whole, the act is at an item, and so are the changes by others. Which of the changes put an item in, or took one out, is
known of those that come next to such a look by another lane (`ingest.resized`).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation

Array = npt.NDArray[Any]

_LOOKS = (Operation.TEST, Operation.CALL, Operation.ITERATE)


class Resizes:
    """Those of a trace. Places among the events."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._events = trace.events

    def of_container(self, change: int) -> int | None:
        """The location of the container as a whole of which an item was put in, or taken out; None of what is no such
        change."""
        return self._whole_of.get(change)

    @cached_property
    def by_whole(self) -> dict[int, Array]:
        """By location of a container as a whole: the changes of its items, in order."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for change, whole in sorted(self._whole_of.items()):
            found[whole].append(change)
        return {whole: np.array(places, np.int32) for whole, places in found.items()}

    @property
    def of_any(self) -> Array:
        """All of them."""
        return np.fromiter(self._whole_of, np.int64)

    @cached_property
    def pairs(self) -> Array:
        """Looks at a container as a whole, and changes of its size by other lanes not far from them: two rows."""
        resized = self._trace.resized
        if resized is None or not resized.pairs.shape[1] or not self._whole_of:
            return np.empty((2, 0), np.int64)
        looks, changes = np.searchsorted(self._events.seq, resized.pairs)
        asking = [number for number, site in self._trace.sites.items() if site.operation in _LOOKS]
        which = np.isin(self._events.site[looks], asking) & np.isin(changes, list(self._whole_of))
        found: Array = np.stack([looks[which], changes[which]])
        return found

    def next_own(self, look: int) -> int | None:
        """The next change of the container by the lane that looked at it."""
        changes = self.by_whole.get(int(self._events.location[look]))
        if changes is None:
            return None
        later = changes[np.searchsorted(changes, np.int32(look), side="right") :]
        own = later[self._events.thread[later] == self._events.thread[look]]
        return int(own[0]) if len(own) else None

    def first_own(self, change: int) -> int | None:
        """The first change of the container by the lane of one of them since that looked at it."""
        looks = self._looks.get(int(self._events.thread[change]))
        whole = self._whole_of[change]
        if looks is None:
            return None
        before = looks[: np.searchsorted(looks, change)]
        before = before[self._events.location[before] == whole]
        return self.next_own(int(before[-1])) if len(before) else None

    @cached_property
    def _looks(self) -> dict[int, Array]:
        """By lane: its looks before its changes, in order."""
        resized = self._trace.resized
        looks = np.searchsorted(self._events.seq, [] if resized is None else resized.looks)
        lanes = self._events.thread[looks]
        return {lane: looks[lanes == lane] for lane in np.unique(lanes).tolist()}

    @cached_property
    def _whole_of(self) -> dict[int, int]:
        trace, events, resized = self._trace, self._events, self._trace.resized
        if resized is None or not resized.pairs.shape[1]:
            return {}
        changes = np.unique(np.searchsorted(events.seq, np.append(resized.pairs[1], resized.own)))
        changes = changes[events.kind[changes] != EventKind.READ]
        locations = events.location[changes].tolist()
        return {
            change: whole
            for change, location in zip(changes.tolist(), locations, strict=True)
            if trace.locations[location].kind is LocationKind.ITEM and (whole := self.whole(location)) is not None
        }

    def whole(self, location: int) -> int | None:
        """The container of an item as a whole, if that is a location of the run: both are numbers of locations."""
        resized = self._trace.resized
        return None if resized is None else self._wholes.get(int(resized.containers[location]))

    @cached_property
    def _wholes(self) -> dict[int, int]:
        resized, locations = self._trace.resized, self._trace.locations.values()
        wholes = [each.id for each in locations if each.kind is LocationKind.WHOLE]
        return {} if resized is None else {int(resized.containers[each]): each for each in wholes}
