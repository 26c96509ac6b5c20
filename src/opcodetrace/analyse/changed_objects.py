"""Objects that are changed after they were stored: in themselves, or in what they were made with."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.made_of import is_new_container
from opcodetrace.analyse.syntax import Syntax
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import Sources, ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]

LEVELS = 3  # of objects in objects
PARTS = 64  # objects that are looked into at each
SEQUENCES = frozenset(["list", "deque", "bytearray"])


class ChangedObjects:
    """Those of a trace.

    An object's own parts are containers that were made for it (`self.items = []`); what comes from elsewhere would be
    the same one in another object. Items that are only stored in them may be a cache, and count for nothing."""

    def __init__(self, trace: Trace, histories: Histories, sources: Sources, syntax: Syntax) -> None:
        self._trace = trace
        self._events = trace.events
        self._histories = histories
        self._sources = sources
        self._syntax = syntax

    def is_changed(self, identity: int, stored: int) -> bool:
        """Whether what threads share in an object was changed after the write (a place) that stored it."""
        containers = self._trace.containers
        if containers is None:
            return False
        objects, known = {identity}, {identity}
        for level in range(LEVELS):
            locations = np.flatnonzero(np.isin(containers, list(objects)))
            if not len(locations):
                return False
            places = np.concatenate([self._histories.places_of(each) for each in locations.tolist()])
            changes = places[self._events.kind[places] != EventKind.READ]
            later = changes[changes > stored]
            if len(later) and (level == 0 or self._are_more_than_stored(later)):
                return True
            objects = self._parts(changes) - known
            known |= objects
        return False

    def _are_more_than_stored(self, changes: Array) -> bool:
        """Whether any change took something out, was made of what was there, or added to a sequence."""
        events, locations = self._events, self._trace.locations
        if (events.kind[changes] == EventKind.DELETE).any():
            return True
        source = self._sources.place[changes]
        if ((source >= 0) & (events.location[source] == events.location[changes])).any():
            return True
        changed = (locations[number] for number in np.unique(events.location[changes]).tolist())
        return any(
            each.kind is LocationKind.WHOLE and each.container_type.rpartition(".")[2] in SEQUENCES for each in changed
        )

    def _parts(self, writes: Array) -> set[int]:
        """The containers made anew that were written."""
        events = self._events
        of_objects = writes[(events.kind[writes] == EventKind.WRITE) & (events.tag[writes] == ValueTag.OBJECT)]
        found: set[int] = set()
        for place in of_objects[:PARTS].tolist():
            value = events[place].value
            if isinstance(value, Opaque) and value.identity is not None and self._is_made(int(events.site[place])):
                found.add(value.identity)
        return found

    def _is_made(self, site: int) -> bool:
        """Whether a write is an assignment of a new container."""
        found = self._syntax.of_site(site)
        step = None if found is None else next(found[0].above(found[1]), None)
        match None if step is None else step.parent:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return is_new_container(value)
        return False
