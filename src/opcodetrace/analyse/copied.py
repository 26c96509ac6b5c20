"""Containers that a thread copies or goes over and then empties or replaces, while another one puts something in.

`batch = list(self.items)`, then `self.items.clear()`: what another thread puts in between the two is in no copy and is
dropped. The same if the copy is put in the container's place (`items = list(self.items); ...; self.items = items`),
or something new. A loop over a list sees what is added at its end meanwhile, so what counts is what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.container_uses import is_copied_at_once
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.source_text import SourceTexts

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_DROPS = 2_000  # times that something empties a container that are looked at
NEAREST = 8  # changes before one, and after it


class Dropped(NamedTuple):
    """A thread read a container, went over it, and dropped what was in it; another one put something in, in between or
    before or after."""

    location: int  # that holds the container
    read: int  # seqs
    change: int
    drop: int
    changed: int  # the location of the change
    gil_only: bool = False


class _Triple(NamedTuple):
    """Places among the events."""

    read: int
    change: int
    drop: int


class Copied:
    """Those of a run."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._replacements = evidence.replacements
        self._containers = evidence.replacements.containers
        self._triples = sorted({*self._replaced(), *self._emptied()}, key=lambda triple: triple.change)

    def _replaced(self) -> Iterator[_Triple]:
        for pair in self._replacements.pairs:
            if pair.change < pair.replacement:
                location = int(self._events.location[pair.read])
                read = self._read_before(pair.replacement, location, self._containers.value(pair.read))
                if read is not None:
                    yield _Triple(read, pair.change, pair.replacement)

    def _emptied(self) -> Iterator[_Triple]:
        """By `clear()`, or `del items[:]`."""
        trace, events = self._trace, self._events
        if not self._replacements.can_be_told:
            return
        texts = SourceTexts(trace)
        sites = [each for each in trace.sites if _empties(texts.expression(each))]
        if not sites:
            return
        of_location = np.append(self._containers.of_location, 0)
        is_write = (events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)
        drops = np.flatnonzero(is_write & np.isin(events.site, sites) & (of_location[events.location] > 0))[:MAX_DROPS]
        if not len(drops):
            return
        values, places = self._containers.having(np.unique(of_location[events.location[drops]]))
        lanes = Lanes(trace)
        for drop in drops.tolist():
            container = int(of_location[events.location[drop]])
            its = places[slice(*np.searchsorted(values, (container, container + 1)))]
            for location in np.unique(events.location[its[events.frame[its] == events.frame[drop]]]).tolist():
                read = self._read_before(drop, location, container)
                for change in self._containers.puts(container, drop, NEAREST) if read is not None else ():
                    if lanes.may_meet(events.thread[[change]], events.thread[[drop]])[0]:
                        yield _Triple(read, change, drop)  # type: ignore[arg-type]

    def _read_before(self, drop: int, location: int, container: int) -> int | None:
        """The latest read by which the activation got what it went over; all of its uses come before it drops it."""
        uses = self._containers.uses_before(drop, location, container)
        if uses is None or not uses.goes_over or not self._containers.come_before(uses, drop):
            return None
        for read in reversed(self._containers.reads_before(drop, location, container)):
            of_read = self._containers.uses_at(int(self._events.site[read]))
            if of_read is not None and of_read.goes_over:
                return read
        return None

    def lost(self) -> Iterator[Dropped]:
        """What was put in in between, and nobody saw; in the order of the changes."""
        for triple in self._triples:
            if triple.read < triple.change < triple.drop and self._is_lost(triple):
                yield self._told(triple)

    def _told(self, triple: _Triple) -> Dropped:
        events = self._events
        read, change, drop = (int(events.seq[place]) for place in triple)
        return Dropped(int(events.location[triple.read]), read, change, drop, int(events.location[triple.change]))

    def _is_lost(self, triple: _Triple) -> bool:
        events = self._events
        began = events.seq - events.before
        if began[triple.change] <= events.seq[triple.read] or began[triple.drop] <= events.seq[triple.change]:
            return False
        if self._evidence.pasts.holds(triple.drop, triple.change) is not False:
            return False  # it knew
        container = self._containers.value(triple.read)
        location = int(events.location[triple.read])
        of_reads = [
            self._containers.uses_at(int(events.site[read]))
            for read in self._containers.reads_before(triple.drop, location, container)
        ]
        line = max(uses.last[0] for uses in of_reads if uses is not None and uses.goes_over)
        if not (self._is_copied_at_once(triple.read) or self._containers.is_past(line, triple.read, triple.change)):
            return False
        is_replaced = events.location[triple.drop] == location
        if any(
            triple.change < look and (is_replaced or look < triple.drop) for look in self._containers.looks(container)
        ):
            return False
        return not is_replaced or self._replacements.is_here_alone(container, location, triple.change, triple.drop)

    def _is_copied_at_once(self, read: int) -> bool:
        """Whether the container was copied in the same step as it was read: by C code, with the GIL."""
        found = self._containers.activations.syntax.of_site(int(self._events.site[read]))
        return not self._trace.free_threaded and found is not None and is_copied_at_once(*found)

    def unguarded(self) -> Iterator[Dropped]:
        """One for each location and two places in the code. If it was lost, or is told of the other thread, that alone
        is told."""
        if not can_be_judged(self._trace):
            return
        place_of = self._events.places(
            seq for each in self._evidence.unguarded_changes for seq in (each.read, each.change, each.replacement)
        )
        told_of_changes = {  # whether it is told as gil-only, by the places
            self._places(_Triple(place_of[each.read], place_of[each.change], place_of[each.replacement])): each.gil_only
            for each in self._evidence.unguarded_changes
        }
        lost = {self._places(_Triple(*pair)) for pair in self._replacements.lost}
        lost |= {self._places(triple) for triple in self._triples if triple.read < triple.change < triple.drop}
        windows = Windows(
            self._evidence,
            (window for read, change, drop in self._triples for window in (Window(read, drop), Window(change, change))),
        )
        told: dict[tuple[int, int, int], Dropped] = {}
        for triple in sorted(self._triples, key=lambda triple: abs(triple.change - triple.drop)):
            places, (read, change, drop) = self._places(triple), triple
            if places in lost or (places in told and not told[places].gil_only) or read < change < drop:
                continue
            window = Window(read, drop)
            if not windows.lets_in(window, change) or windows.have_a_common_lock(window, Window(change, change)):
                continue
            earlier, later = (change, read) if change < read else (drop, change)
            if windows.may_be_ordered(earlier, later):
                continue
            gil_only = windows.is_gil_only(window) or not self._may_switch_after(read, drop)
            gil_only = gil_only and not self._trace.free_threaded
            if places not in told_of_changes or (told_of_changes[places] and not gil_only):
                told[places] = self._told(triple)._replace(gil_only=gil_only)
        yield from sorted(told.values(), key=lambda each: int(each.change))

    def _may_switch_after(self, read: int, drop: int) -> bool:
        """Whether the thread may be suspended after it has gone over the container, and before it drops it."""
        if self._is_copied_at_once(read):
            return True
        uses = self._containers.uses_at(int(self._events.site[read]))
        until = self._trace.sites[int(self._events.site[drop])].offset
        return uses is not None and any(
            (point.line or 0) > uses.last[0] and point.offset < until
            for point in self._containers.code(drop).switch_points
        )

    def _places(self, triple: _Triple) -> tuple[int, int, int]:
        events = self._events
        return int(events.location[triple.read]), int(events.site[triple.change]), int(events.site[triple.drop])


def _empties(expression: str) -> bool:
    return expression.endswith((".clear()", "[:]"))
