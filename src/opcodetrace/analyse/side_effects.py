"""What else a thread does while it makes something by a check, and would be done twice if two threads made it.

`if key not in cache: cache[key] = load(key)`: that `load` runs twice need not be an error. It is one if each run adds
to what other threads see, too: to a number (`loads += 1`), or to a list (`loaded.append(key)`). Not what is done under
a lock that is taken for it: who takes one expects to be called by several threads. Nor an item that is only stored: it
may be a cache of the function that is called.
"""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.called_checks import DEEPEST, CalledChecks
from opcodetrace.analyse.changed_objects import SEQUENCES
from opcodetrace.analyse.first_seen import first_seen
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Sources
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code
from opcodetrace.trace.sync import LOCKS, SEMAPHORES, Act

Array = npt.NDArray[Any]

_NEAR = 300  # events after an act among which more is looked for


class SideEffects:
    """Those of a trace."""

    def __init__(self, trace: Trace, histories: Histories, sources: Sources, called: CalledChecks) -> None:
        self._trace = trace
        self._events = trace.events
        self._histories = histories
        self._sources = sources
        self._called = called

    def first(self, check: int, act: int, branch: tuple[Code, int]) -> int | None:
        """The first one (a place) after a check that the branch decided, which decided upon an act, too: what that
        branch asked for stands at an offset of a function."""
        events = self._events
        adding = self._adding.get(int(events.thread[act]), [])
        begin, end = bisect_right(adding, check), bisect_left(adding, act + _NEAR)
        decided = None
        for place in adding[begin:end]:
            if self._is_one(place, check, act):
                decided = self._decided_in(act, branch) if decided is None else decided
                if decided < 0:
                    return None
                if self._decided_in(place, branch) == decided:
                    return place
        return None

    def _decided_in(self, place: int, branch: tuple[Code, int]) -> int:
        """In which activation of its function a branch decided that an access is made, here or in a function that was
        called; -1 if it did not."""
        called, activations = self._called, self._called.activations
        site = int(self._events.site[place])
        code, offset = self._trace.site_codes[site], self._trace.sites[site].offset
        begun = activations.of(place).begun
        for _ in range(DEEPEST):
            if code.id == branch[0].id and called.is_decided(code, offset, branch[1]):
                return begun
            call = activations.calls.get(begun)
            caller = None if call is None or call.caller_seq is None else activations.calls.get(call.caller_seq)
            if call is None or caller is None or call.place is None or caller.thread != call.thread:
                break
            begun, code, offset = caller.seq, self._trace.site_codes[caller.site], call.place
        return -1

    def _is_one(self, place: int, check: int, act: int) -> bool:
        events = self._events
        location = int(events.location[place])
        accesses = self._histories.places_of(location)
        is_whole = self._trace.locations[location].kind is LocationKind.WHOLE
        return (
            location != int(events.location[act])
            and (not is_whole or adds_one(events[place]))
            and bool((events.thread[accesses] != events.thread[place]).any())
            and not self._is_of_a_new_object(place, check, act)
            and not self._is_locked(check, place)
        )

    def _is_of_a_new_object(self, place: int, check: int, act: int) -> bool:
        """Whether what it changes may have been made in between."""
        events, containers = self._events, self._trace.containers
        location = int(events.location[place])
        before = self._histories.places_of(location)
        before = before[before < act]
        if (before < check).any() or (events.thread[before] != events.thread[act]).any() or self._is_of_a_global(place):
            return False
        if containers is None or not 0 <= containers[location] < len(self._first_seen):
            return True
        seen = int(self._first_seen[containers[location]])
        return seen >= act or (seen > check and events.kind[seen] != EventKind.READ)

    def _is_of_a_global(self, place: int) -> bool:
        """Whether the source finds what it changes by a variable that is not the function's own."""
        found = self._called.activations.syntax.of_site(int(self._events.site[place]))
        if found is None:
            return False
        tree, node = found
        while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and tree.is_free(node, node.id)

    def _is_locked(self, check: int, place: int) -> bool:
        """Whether the thread took a lock in between that it still had."""
        lane, seq = int(self._events.thread[place]), int(self._events.seq[place])
        rows = self._locking.get(lane, [])
        held = 0
        for at in range(bisect_right(rows, (int(self._events.seq[check]), 9)), bisect_left(rows, (seq, -9))):
            held = max(0, held + rows[at][1])
        return held > 0

    @cached_property
    def _locking(self) -> dict[int, list[tuple[int, int]]]:
        """By lane: when it took locks (1), and gave them back (-1)."""
        objects = {each.id: each for each in self._trace.sync_objects}
        found: dict[int, list[tuple[int, int]]] = {}
        for each in self._trace.synchronisation:
            known = objects.get(each.object) if each.object is not None else None
            is_own = not (each.begins or each.failed) and each.inside is None
            if known is None or known.type_name not in LOCKS | SEMAPHORES or not is_own:
                continue
            if each.operation in (Act.ACQUIRE, Act.RELEASE):
                step = 1 if each.operation == Act.ACQUIRE else -1
                found.setdefault(each.thread, []).append((each.seq, step))
        return found

    @cached_property
    def _adding(self) -> dict[int, list[int]]:
        """By lane: the places where it adds to what was there, in order."""
        events = self._events
        writes = (events.kind == EventKind.WRITE) & (events.location >= 0)
        source = self._sources.place
        updates = writes & (source >= 0)
        updates &= events.location[source] == events.location
        sequences = [
            number
            for number, each in self._trace.locations.items()
            if each.kind is LocationKind.WHOLE and each.container_type.rpartition(".")[2] in SEQUENCES
        ]
        added = writes & np.isin(events.location, sequences)
        (places,) = np.nonzero(updates | added)
        found: dict[int, list[int]] = {}
        for lane in np.unique(events.thread[places]).tolist():
            found[lane] = places[events.thread[places] == lane].tolist()
        return found

    @cached_property
    def _first_seen(self) -> Array:
        return first_seen(self._events)
