"""Containers that a thread takes away, or makes anew, while another one puts something into the old one.

`batch, self.items = self.items, []` in one thread, `self.items.append(make())` in another: that one has read the
reference, the container is replaced, and what it then puts in is in a container that nobody looks at any more. The same
if the items are copied and the copy takes the container's place (`self.items = [x for x in self.items if x.alive]`).

Or what is empty is taken out: `if not self.made[k]: del self.made[k]`.

What is put in too late is lost if the thread that replaced the container was done with it by then, and nobody else can
have it. Both follow from the source (`container_uses`), for C code may go over a container without a trace. A container
that is only replaced (`self.cache = {}`) is given up on purpose: what is put in too late is not missed.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.container_uses import Uses
from opcodetrace.analyse.containers import Containers
from opcodetrace.analyse.lockset import Held
from opcodetrace.analyse.waiting_loops import WaitingLoops
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation
from opcodetrace.trace.sync import GIVES, Act, Synchronisation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

_NEAR = 64  # events before a deletion among which the test is looked for that found the container empty
MAX_LATE = 1024  # changes that came too late, of the same
CLOSEST = 16  # pairs of a change and a replacement that are looked at, of each two places in the code and each location
_DROPS = frozenset([Operation.DELETE_SUBSCR, Operation.DELETE_ATTR, Operation.CALL])  # d.pop(k)
_CELLS = frozenset([LocationKind.ATTRIBUTE, LocationKind.GLOBAL, LocationKind.CELL, LocationKind.ITEM])


class Replaced(NamedTuple):
    """A thread read a container and put something in; another one replaced it, in between, or before or after."""

    location: int  # that held it
    read: int  # seqs
    replacement: int
    change: int
    changed: int  # the location of the change: the container as a whole, or an item
    gil_only: bool = False  # this build has no switch point between read and change


class _Pair(NamedTuple):
    """Places among the events."""

    read: int
    change: int
    replacement: int


def unguarded_changes(evidence: Evidence) -> Iterator[Replaced]:
    """One for each location and two places in the code: the change came before the replacement in this run. Where it
    came too late (`Replacements.lost`), that alone is told."""
    trace = evidence.trace
    if not can_be_judged(trace):
        return
    search = evidence.replacements
    lost = {search.places(pair) for pair in search.lost}
    pairs = [pair for pair in search.pairs if pair.change < pair.replacement and search.places(pair) not in lost]
    windows = Windows(
        evidence,
        (window for read, change, other in pairs for window in (Window(read, change), Window(other, other))),
    )
    told: dict[tuple[int, int, int], Replaced] = {}
    for pair in sorted(pairs, key=lambda pair: pair.replacement - pair.change):
        places, window = search.places(pair), Window(pair.read, pair.change)
        gil_only = windows.is_gil_only(window)
        if places in told and (gil_only or not told[places].gil_only):
            continue
        if not search.may_be_lost(pair) or not windows.lets_in(window, pair.replacement):
            continue
        if windows.have_a_common_lock(window, Window(pair.replacement, pair.replacement)):
            continue
        if not windows.may_be_ordered(pair.change, pair.replacement):
            told[places] = search.told(pair)._replace(gil_only=gil_only)
    yield from sorted(told.values(), key=lambda each: each.change)


class Replacements:
    """Those of a run."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._accesses = evidence.accesses
        self.containers = Containers(evidence)
        self._loops = WaitingLoops(evidence.trace)

    @property
    def can_be_told(self) -> bool:
        """Whether all accesses of the run are known."""
        trace = self._trace
        is_whole = not (trace.let_go or trace.merged or trace.missed or trace.holes)
        return is_whole and len(self.containers.of_location) > 0

    @cached_property
    def pairs(self) -> list[_Pair]:
        """Of all changes of containers that were replaced where the thread had read them; in the order of the changes.
        Of each location and two places in the code, those closest to each other."""
        if not self.can_be_told:
            return []
        replaced, held_at, held = self._replacements
        if not len(replaced):
            return []
        changes, reads = self._changes_with_reads(np.unique(held))
        events = self._events
        size = self.containers.count
        keys = held_at.astype(np.int64) * size + held
        order = np.argsort(keys, kind="stable")
        wanted = events.location[reads].astype(np.int64) * size + self.containers.values(reads)
        found = np.searchsorted(keys[order], wanted)
        found = np.minimum(found, len(keys) - 1)
        replacement = replaced[order[found]]
        fits = keys[order[found]] == wanted
        fits &= (reads < replacement) & Lanes(self._trace).may_meet(events.thread[changes], events.thread[replacement])
        columns = np.stack([reads[fits], changes[fits], replacement[fits]])
        return [pair for pair in self._closest(columns) if self._puts_in(pair)]

    @cached_property
    def lost(self) -> list[_Pair]:
        """Those in which something was put into a container that nobody saw any more."""
        return [pair for pair in self.pairs if pair.replacement < pair.change and self._is_lost(pair)]

    @cached_property
    def _replacements(self) -> tuple[Array, Array, Array]:
        """The writes that replaced a container by something else, or deletions of one that was empty; their locations,
        and the containers."""
        events, order = self._events, self._accesses.order
        looked_into = np.zeros(int(events.location.max(initial=-1)) + 2, bool)
        looked_into[self._accesses.locations] = True
        is_changed = np.zeros(self.containers.count, bool)
        is_changed[self.containers.of_location] = True
        is_changed[0] = False
        drops = list(self._tests_of_drops)
        found: list[Array] = [np.empty((2, 0), np.int64)]
        for start in range(0, len(order), PIECE):
            places = order[max(start - 1, 0) : start + PIECE]
            objects = self.containers.values(places)
            same = events.location[places[1:]] == events.location[places[:-1]]
            kinds = events.kind[places[1:]]
            is_write = (kinds == EventKind.WRITE) | (
                (kinds == EventKind.DELETE) & np.isin(events.site[places[1:]], drops)
            )
            is_write &= looked_into[events.location[places[1:]]]
            (which,) = np.nonzero(same & is_write & is_changed[objects[:-1]] & (objects[1:] != objects[:-1]))
            found.append(np.stack([places[1:][which].astype(np.int64), objects[which]]))
        places, held = np.concatenate(found, axis=1)
        return places, events.location[places], held

    def _changes_with_reads(self, containers: Array) -> tuple[Array, Array]:
        """The changes of some containers, each with the read by which its thread had got it, in the same frame."""
        events = self._events
        is_wanted = np.zeros(self.containers.count, bool)
        is_wanted[containers] = True
        of_location = np.append(self.containers.of_location, 0)
        of_location = np.where(is_wanted[of_location], of_location, 0)
        found: list[Array] = [np.empty((3, 0), np.int64)]
        for start in range(0, len(events), PIECE):
            places = np.arange(start, min(start + PIECE, len(events)))
            is_read = events.kind[places] == EventKind.READ
            changed = np.where(events.kind[places] == EventKind.WRITE, of_location[events.location[places]], 0)
            objects = self.containers.values(places)
            read = np.where(is_read & is_wanted[objects], objects, 0)
            (which,) = np.nonzero((changed > 0) | (read > 0))
            container = np.where(changed > 0, changed, read)[which]
            found.append(np.stack([places[which], container, changed[which] > 0]))
        places, container, is_change = np.concatenate(found, axis=1)
        order = np.lexsort((places, container, events.frame[places]))
        places, container, is_change = places[order], container[order], is_change[order].astype(bool)
        group = np.concatenate([[0], np.cumsum((np.diff(events.frame[places]) != 0) | (np.diff(container) != 0))])
        latest = np.maximum.accumulate(np.where(is_change, -1, np.arange(len(places))))
        (which,) = np.nonzero(is_change & (latest >= 0))
        which = which[group[latest[which]] == group[which]]
        return places[which], places[latest[which]]

    def _closest(self, columns: Array) -> list[_Pair]:
        events = self._events
        reads, changes, replacement = columns
        keys = (events.location[reads], events.site[changes], events.site[replacement], changes < replacement)
        order = np.lexsort((np.abs(changes - replacement), *keys[::-1]))
        same = np.zeros(len(order), bool)
        if len(order):
            same[1:] = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
        numbers, late = np.arange(len(order)), keys[-1][order] == 0
        kept = order[numbers - np.maximum.accumulate(np.where(same, 0, numbers)) < np.where(late, MAX_LATE, CLOSEST)]
        return sorted((_Pair(*pair) for pair in columns[:, kept].T.tolist()), key=lambda pair: pair.change)

    def _puts_in(self, pair: _Pair) -> bool:
        """Whether the change puts something in, in the very activation that had read the container."""
        of, location = self.containers.activations.of, self._trace.locations[int(self._events.location[pair.read])]
        return location.kind in _CELLS and of(pair.read) == of(pair.change) and self.containers.puts_in(pair.change)

    def places(self, pair: _Pair) -> tuple[int, int, int]:
        """The location that held the container, and where the code changes and replaces it."""
        events = self._events
        return int(events.location[pair.read]), int(events.site[pair.change]), int(events.site[pair.replacement])

    def told(self, pair: _Pair) -> Replaced:
        events = self._events
        read, change, replacement = (int(events.seq[place]) for place in pair)
        location, changed = (int(events.location[place]) for place in (pair.read, pair.change))
        return Replaced(location, read, replacement, change, changed)

    def may_be_lost(self, pair: _Pair) -> bool:
        """Whether the replacing thread goes over what it takes away, without a wait for others before it does."""
        if self._events.kind[pair.replacement] == EventKind.DELETE:
            return self._was_empty(pair)
        uses = self._uses_before(pair)
        if uses is None or not uses.goes_over:
            return False
        return self.containers.come_before(uses, pair.replacement) or not self._waits(pair, uses)

    def _uses_before(self, pair: _Pair) -> Uses | None:
        """What the replacing activation does with the container; None if it is not known."""
        location, container = int(self._events.location[pair.read]), self.containers.value(pair.read)
        return self.containers.uses_before(pair.replacement, location, container)

    def _waits(self, pair: _Pair, uses: Uses) -> bool:
        """Whether the replacing thread may have waited for others, after the replacement and before its last use."""
        events = self._events
        seq, thread = int(events.seq[pair.replacement]), int(events.thread[pair.replacement])
        activation = self.containers.activations.of(pair.replacement)
        until = int(events.seq[-1]) + 1
        container = self.containers.value(pair.read)
        for place in self.containers.looks(container):
            if place > pair.replacement and events.thread[place] == thread:
                until = int(events.seq[place])
                break
        else:
            for place in self.containers.places_of(thread, pair.replacement):
                if self.containers.has_ended(place, activation):
                    until = int(events.seq[place])
                    break
        operations = self._operations[thread]
        begin, end = (bisect.bisect(operations, at, key=lambda each: each.seq) for at in (seq, until))
        for each in operations[begin:end]:
            if each.operation not in GIVES and not self._is_of_another_lock(each, pair):
                return True
        line, code = self._trace.sites[int(events.site[pair.replacement])].line, self.containers.code(pair.replacement)
        return line is not None and self._loops.any_between(code.file, line, uses.last[0])

    @cached_property
    def _operations(self) -> Mapping[int, list[Synchronisation]]:
        """By thread; what functions of the program led to."""
        found: defaultdict[int, list[Synchronisation]] = defaultdict(list)
        for each in self._trace.synchronisation:
            if each.site is not None:
                found[each.thread].append(each)
        return found

    def _is_of_another_lock(self, operation: Synchronisation, pair: _Pair) -> bool:
        """Whether it takes a lock that the thread which put something in did not have from its read to its change: so
        that is not what it waits for."""
        events, own = self._events, self._held
        lock = operation.object
        if operation.operation != Act.ACQUIRE or lock is None or lock not in own:
            return False
        thread, read, change = int(events.thread[pair.change]), int(events.seq[pair.read]), int(events.seq[pair.change])
        its = own[lock].get(thread, [])
        before = bisect.bisect(its, change, key=lambda each: each.first)
        return not before or its[before - 1].last < read

    @cached_property
    def _held(self) -> Mapping[int, Mapping[int, list[Held]]]:
        """By lock and thread: when it had the lock. Without locks that another thread than the holder released: those
        are signals."""
        release: str = Act.RELEASE
        released = {each.seq: each.thread for each in self._trace.synchronisation if each.operation == release}
        found: defaultdict[int, defaultdict[int, list[Held]]] = defaultdict(lambda: defaultdict(list))
        signals = set()
        for each in self._evidence.pasts.judge.locks:
            found[each.object][each.thread].append(each)
            if each.last in released and released[int(each.last)] != each.thread:
                signals.add(each.object)
        return {lock: by_thread for lock, by_thread in found.items() if lock not in signals}

    def _is_lost(self, pair: _Pair) -> bool:
        """Whether what was put into the replaced container was never seen, by anyone."""
        events = self._events
        began = events.seq - events.before
        if began[pair.replacement] <= events.seq[pair.read] or began[pair.change] <= events.seq[pair.replacement]:
            return False
        if self._evidence.pasts.holds(pair.change, pair.replacement) is not False:
            return False  # it knew
        if not self._is_done_with_it(pair):
            return False
        container = self.containers.value(pair.read)
        location = int(events.location[pair.read])
        is_alone = self.is_here_alone(container, location, pair.change, pair.replacement)
        return is_alone and not self._is_seen(container, pair)

    def _is_done_with_it(self, pair: _Pair) -> bool:
        """Whether the replacing thread had no more use for the container as something was put in."""
        if self._events.kind[pair.replacement] == EventKind.DELETE:
            return self._was_empty(pair)
        uses = self._uses_before(pair)
        if uses is None or not uses.goes_over or uses.is_kept:
            return False
        return self.containers.come_before(uses, pair.replacement) or self.containers.is_past(
            uses.last[0], pair.replacement, pair.change
        )

    @cached_property
    def _tests_of_drops(self) -> Mapping[int, list[int]]:
        """The sites of deletions, each with those tests of a truth that decide upon it."""
        called = self._evidence.checks.called
        found = {}
        for code in self._trace.codes:
            tests = [site.id for site in code.sites if site.operation == Operation.TEST]
            for site in code.sites if tests else ():
                if site.operation in _DROPS:
                    found[site.id] = [test for test in tests if called.decides(test, site.id)]
        return {site: tests for site, tests in found.items() if tests}

    def _was_empty(self, pair: _Pair) -> bool:
        """Whether the container was deleted because there was nothing in it."""
        events, drop = self._events, pair.replacement
        near = np.arange(max(0, drop - _NEAR), drop)
        own = near[(events.frame[near] == events.frame[drop]) & (events.thread[near] == events.thread[drop])]
        tests = own[np.isin(events.site[own], self._tests_of_drops[int(events.site[drop])])]
        of_location = self.containers.of_location
        its = [
            each for each in tests.tolist() if of_location[events.location[each]] == self.containers.value(pair.read)
        ]
        of = self.containers.activations.of
        return bool(its) and events[its[-1]].value == 0 and of(its[-1]) == of(drop)

    @cached_property
    def _having(self) -> tuple[Array, Array]:
        """The containers that were replaced, and the events that have them as values; by container, then in order."""
        return self.containers.having(np.unique(self._replacements[2]))

    def is_here_alone(self, container: int, location: int, change: int, replacement: int) -> bool:
        """Whether nobody has it once it is replaced, except who is still at work with it."""
        events = self._events
        values, places = self._having
        its = places[slice(*np.searchsorted(values, (container, container + 1)))]
        first = int(its[0])
        if (events.location[its] != location).any() or its[-1] > replacement:
            return False
        if events.kind[first] != EventKind.WRITE or not self.containers.is_made_anew(first):
            return False
        reads = its[events.kind[its] == EventKind.READ]
        for site in np.unique(events.site[reads]).tolist():
            uses = self.containers.uses_at(site)
            if uses is None or uses.is_kept:
                return False
            if uses.goes_over:
                here = reads[events.site[reads] == site][::-1]
                _, latest = np.unique(events.thread[here], return_index=True)
                if any(self._may_still_go_over(read, uses, change, replacement) for read in here[latest].tolist()):
                    return False
        return True

    def _may_still_go_over(self, read: int, uses: Uses, change: int, replacement: int) -> bool:
        """Whether who read the container may be at its items after the change. Of the replacing thread it is known."""
        events, of = self._events, self.containers.activations.of
        if events.thread[read] == events.thread[replacement]:
            return False
        if of(read) == of(change):
            return uses.last[0] >= (self._trace.sites[int(events.site[change])].line or 0)
        return not self.containers.is_past(uses.last[0], read, change)

    def _is_seen(self, container: int, pair: _Pair) -> bool:
        """Whether anyone looked into it later, or a third thread may have been at that."""
        events = self._events
        two = {int(events.thread[place]) for place in (pair.change, pair.replacement)}
        return any(
            place > pair.change or int(events.thread[place]) not in two for place in self.containers.looks(container)
        )
