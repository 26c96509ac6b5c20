"""Own writes that a thread made under a lock, and reads back to return them once it has given the lock up.

`with self.lock: self.last = after(self.last)`, then `return self.last`: whoever takes the lock in between writes a
value of its own, and both return that one. Unlike in `read_back`, threads build on what others wrote here: the lock
keeps that apart, so the value that the function returns is meant to be its own. The same without a lock, if the
function counts by one: `self.last += 1`, then `return f"job {self.last}"`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.lockset import without_another_lock
from opcodetrace.analyse.read_back import ReadBack, Unguarded, written_blindly
from opcodetrace.analyse.same_value import KNOWN, same
from opcodetrace.analyse.syntax import Tree
from opcodetrace.analyse.windows import Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind

Array = npt.NDArray[Any]

MOST = 16  # of two instructions, that are looked at: those nearest to another thread's access
_NEAR = 200  # accesses of the location among which another thread's write is looked for


class _Found(NamedTuple):
    """Places among the events."""

    write: int
    other: int  # the first write of another thread after it
    read: int
    has_others: bool  # the read gave the other thread's value


class ReturnedOwnWrites:
    """Those of a run."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._accesses = evidence.accesses
        self._activations = evidence.activations

    def of_others(self) -> Iterator[ReadBack]:
        """Reads that gave another thread's value. It may do as well: a sum that all add to."""
        for write, other, read, has_others in self._all:
            if has_others:
                first, change, last = (int(self._events.seq[each]) for each in (write, other, read))
                yield ReadBack(int(self._events.location[read]), first, change, last, is_sure=False)

    def unguarded(self) -> Iterator[Unguarded]:
        """Reads that could have; without those of which some did."""
        told = {self._key(each) for each in self._all if each.has_others}
        for each in self._all:
            if self._key(each) not in told:
                told.add(self._key(each))
                write, other, read = (int(self._events.seq[place]) for place in (each.write, each.other, each.read))
                gil_only = self._windows.is_gil_only(Window(each.write, each.read))
                yield Unguarded(int(self._events.location[each.read]), write, other, read, gil_only)

    def _key(self, found: _Found) -> tuple[int, int]:
        return int(self._events.site[found.write]), int(self._events.site[found.read])

    @cached_property
    def _all(self) -> list[_Found]:
        trace, events = self._trace, self._events
        if trace.let_go or trace.merged or trace.missed or trace.holes or not can_be_judged(trace):
            return []
        found = list(self._candidates())
        windows = (Window(*each) for write, other, read, _ in found for each in ((write, write), (write, read)))
        others = (Window(other, other) for _, other, _, _ in found)
        self._windows = Windows(self._evidence, [*windows, *others])
        pairs = {(int(events.seq[each.write]), int(events.seq[each.read])) for each in found}
        plain = without_another_lock(trace, pairs)
        return [
            each
            for each in found
            if (int(events.seq[each.write]), int(events.seq[each.read])) in plain
            and self._is_let_in(each)
            and not self._is_ordered(each)
            and not self._activations.is_looked_at(each.read)
        ]

    def _is_let_in(self, found: _Found) -> bool:
        """Whether the lock was given up under which both threads write; or there was none, and the thread counts."""
        window, other = Window(found.write, found.read), Window(found.other, found.other)
        if self._windows.is_given_up(window, found.other):
            return True
        return (
            self._is_counted(int(self._events.site[found.write]))
            and self._windows.lets_in(window, found.other)
            and not self._windows.have_a_common_lock(window, other)
            and not self._windows.is_another_cell(min(found.write, found.other), max(found.read, found.other))
        )

    def _is_ordered(self, found: _Found) -> bool:
        """Whether the reading thread had waited for the other one's write, or the other one may have heard of the
        read."""
        if found.has_others:
            return self._evidence.pasts.holds(found.read, found.other) is not False
        return self._windows.may_be_ordered(found.read, found.other)

    def _candidates(self) -> Iterator[_Found]:
        events = self._events
        for write, read in self._pairs():
            history = self._accesses.order[slice(*self._accesses.bounds[int(events.location[read]) :][:2])]
            began, ended = np.searchsorted(history, (write, read)).tolist()
            meanwhile = self._writes_of_others(history[max(began + 1, ended - _NEAR) : ended], write)
            after = meanwhile if len(meanwhile) else self._writes_of_others(history[ended : ended + _NEAR], write)
            if not len(after) or not np.isin(events.tag[after], KNOWN).all():
                continue
            if events.before[[write, read, int(after[0])]].any():
                continue
            if len(meanwhile) and same(events, meanwhile[-1:], read).all() and not same(events, meanwhile, write).any():
                yield _Found(write, int(meanwhile[-1]), read, has_others=True)
            elif not len(meanwhile) and not same(events, after[:1], write).any():
                yield _Found(write, int(after[0]), read, has_others=False)

    def _writes_of_others(self, places: Array, own: int) -> Array:
        events = self._events
        wanted = (events.kind[places] == EventKind.WRITE) & (events.thread[places] != events.thread[own])
        found: Array = places[wanted]
        return found

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """A write, and its thread's next access of the location: a read by which it is returned."""
        events, accesses = self._events, self._accesses
        returned = self._returned
        blind = written_blindly(self._evidence, accesses) if returned else np.zeros(0, bool)
        wanted = np.zeros(len(blind), bool)
        for start in range(0, len(events) if returned else 0, PIECE):
            part = slice(start, start + PIECE)
            is_read = np.isin(events.site[part], list({read for _, read in returned})) & (events.location[part] >= 0)
            wanted[events.location[part][is_read]] = True
        its = np.intersect1d(accesses.locations, np.flatnonzero(wanted & ~blind))
        if not len(its):
            return
        bounds = accesses.bounds
        order = np.concatenate([accesses.order[bounds[each] : bounds[each + 1]] for each in its.tolist()])
        lane = events.location[order].astype(np.int64) * (int(events.thread.max(initial=0)) + 1) + events.thread[order]
        turns = (events.location[order[1:]] != events.location[order[:-1]]) | (
            events.thread[order[1:]] != events.thread[order[:-1]]
        )
        ends = np.append(np.flatnonzero(turns), len(order) - 1)
        until = ends[np.searchsorted(ends, np.arange(len(order)))] - np.arange(len(order))  # another thread's turn
        by_lane = np.argsort(lane, kind="stable")
        order, lane, until = order[by_lane], lane[by_lane], until[by_lane]
        write, read = order[:-1], order[1:]
        meets = (
            (lane[1:] == lane[:-1]) & (events.kind[write] == EventKind.WRITE) & (events.kind[read] == EventKind.READ)
        )
        meets &= (events.frame[write] == events.frame[read]) & ~events.failed()[read]
        meets &= np.isin(events.tag[write], KNOWN) & np.isin(events.tag[read], KNOWN)
        meets &= np.isin(
            _as_one(events.site[write], events.site[read]), [(one << 32) + other for one, other in returned]
        )
        nearest = np.argsort(until[1:][meets], kind="stable")
        write, read = write[meets][nearest], read[meets][nearest]
        differs = ~same(events, write, read)
        number: defaultdict[tuple[int, int, bool], int] = defaultdict(int)
        for one, other, is_other in zip(write.tolist(), read.tolist(), differs.tolist(), strict=True):
            sites = int(events.site[one]), int(events.site[other])
            number[*sites, is_other] += 1
            if number[*sites, is_other] <= MOST:
                yield one, other

    @cached_property
    def _returned(self) -> list[tuple[int, int]]:
        """The sites of writes under a lock, or that count, each with that of a read which returns the value later."""
        alike: defaultdict[tuple[int, str | None], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for number, site in self._trace.sites.items():
            writes, reads = alike[self._trace.site_codes[number].id, site.name]
            if site.operation.startswith("STORE"):
                writes.append(number)
            elif site.operation.startswith("LOAD") and self._is_in_a_return(number):
                reads.append(number)
        return [
            (write, read)
            for writes, reads in alike.values()
            for read in reads
            for write in writes
            if self._is_returned(write, read)
        ]

    def _is_in_a_return(self, read: int) -> bool:
        found = self._activations.syntax.of_site(read)
        return found is not None and any(isinstance(step.parent, ast.Return) for step in found[0].above(found[1]))

    def _is_returned(self, write: int, read: int) -> bool:
        """Whether the source says that what is written under a lock, or counted, is read after that, in a `return`."""
        found = [each for site in (write, read) if (each := self._activations.syntax.of_site(site)) is not None]
        if len(found) != 2 or found[0][0] is not found[1][0]:
            return False
        tree, one, other = found[0][0], found[0][1], found[1][1]
        if ast.unparse(one) != ast.unparse(other) or tree.function(one) is not tree.function(other):
            return False
        is_returned = any(isinstance(step.parent, ast.Return) for step in tree.above(other))
        if not is_returned or tree.follows(one, other) is not True:
            return False
        return self._is_counted(write) or bool(_withs(tree, one) - _withs(tree, other))

    def _is_counted(self, write: int) -> bool:
        """Whether a site is that of `target += 1`."""
        found = self._activations.syntax.of_site(write)
        step = None if found is None else next(found[0].above(found[1]), None)
        match None if step is None else step.parent:
            case ast.AugAssign(op=ast.Add() | ast.Sub(), value=ast.Constant(value=1)):
                return True
        return False


def _as_one(write: Array, read: Array) -> Any:
    """Two sites as one number."""
    return (write.astype(np.int64) << 32) + read


def _withs(tree: Tree, node: ast.AST) -> set[ast.AST]:
    return {step.parent for step in tree.above(node) if isinstance(step.parent, ast.With) and step.field == "body"}
