"""Lists that threads use as a stack for what they are at, and share: what one pushes, another one may take for its own.

`self.scopes.append(scope)`, work, `self.scopes.pop()`: who throws away what it takes out takes it for what it has put
there. Between the two, the last item is taken for it, too. If another thread pushes meanwhile, neither is true. A list
out of which threads take what they then use (jobs, free connections) is no such stack.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Part
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

_MOST = 20_000  # changes of a list that are gone through
_MOST_ALIKE = 16  # of an instruction that pushes, those that are looked at
_NEAR = 200  # changes after a pair among which another thread's push is looked for
_MOST_OPEN = 8  # pushes of a thread among which the one is looked for that a pop is to undo
_DEEPEST = 3  # calls up to the function that pushes and pops


class _Scope(NamedTuple):
    """A push and the pop that is to undo it, by one thread; and the push that it undid. Places among the events."""

    push: int
    pop: int
    undone: int


class _Found(NamedTuple):
    """The same with another thread's push."""

    push: int
    other: int
    pop: int


class PushedBetween(NamedTuple):
    """A thread pushed and popped, and another one pushed in between, or could have."""

    location: int
    push: int  # seqs
    other: int
    pop: int
    gil_only: bool = False  # this build has no switch point between push and pop


class Stacks:
    """Those of a run."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._activations = evidence.checks.called.activations
        self._apart = Lanes(evidence.trace)

    def undone(self) -> Iterator[PushedBetween]:
        """Pushes of other threads that a pop undid in place of its own thread's."""
        for each in self._undone:
            yield self._told(each)

    def unguarded(self) -> Iterator[PushedBetween]:
        """Pushes of other threads that could come in between, one for each list and push in the code; without those
        where some did."""
        told = {self._key(push) for push, _, _ in self._undone}
        found = [each for each in self._may_come_between() if self._key(each.push) not in told]
        windows = Windows(
            self._evidence,
            (window for each in found for window in (Window(each.push, each.pop), Window(each.other, each.other))),
        )
        found_at: dict[tuple[int, int], PushedBetween] = {}
        for each in found:
            key, window, other = self._key(each.push), Window(each.push, each.pop), each.other
            gil_only = windows.is_gil_only(window)
            if (
                (key in found_at and (gil_only or not found_at[key].gil_only))
                or not windows.lets_in(window, other)
                or windows.have_a_common_lock(window, Window(other, other))
                or windows.may_be_ordered(each.pop, other)
            ):
                continue
            found_at[key] = self._told(each, gil_only=gil_only)
        yield from found_at.values()

    def _told(self, found: _Found, *, gil_only: bool = False) -> PushedBetween:
        push, other, pop = (int(self._events.seq[place]) for place in found)
        return PushedBetween(int(self._events.location[found.pop]), push, other, pop, gil_only)

    def _key(self, push: int) -> tuple[int, int]:
        return int(self._events.location[push]), int(self._events.site[push])

    @cached_property
    def _undone(self) -> list[_Found]:
        """In every order that agrees with the trace: the other thread pushed after the one, and had not popped as it
        did."""
        events = self._events
        found = []
        for scopes in self._scopes:
            ends = {scope.push: scope.pop for scope in scopes}
            for scope in scopes:
                push, pop, other = scope
                end = ends.get(other, len(events) - 1)
                order = [(push, other), (other, pop), (pop, end)]
                is_sure = all(events.seq[one] < events.seq[later] - events.before[later] for one, later in order)
                if self._is_anothers(scope) and is_sure and self._may_differ(push, other):
                    found.append(_Found(push, other, pop))
        return found

    def _may_come_between(self) -> Iterator[_Found]:
        number: defaultdict[tuple[int, int], int] = defaultdict(int)
        for scopes in self._scopes:
            for at, scope in enumerate(scopes):
                push, pop, _ = scope
                key = self._key(push)
                if self._is_anothers(scope) or number[key] >= _MOST_ALIKE:
                    continue
                later = (each.push for each in scopes[at + 1 : at + _NEAR] if each.push > pop)
                others = (each for each in later if self._may_meet(push, each) and self._may_differ(push, each))
                other = next(others, None)
                if other is not None:
                    number[key] += 1
                    yield _Found(push, other, pop)

    def _may_meet(self, one: int, other: int) -> bool:
        lanes = self._events.thread[[one, other]]
        return bool(self._apart.may_meet(lanes[:1], lanes[1:])[0])

    def _may_differ(self, one: int, other: int) -> bool:
        return not is_same(self._events[one].value, self._events[other].value)

    @cached_property
    def _scopes(self) -> list[list[_Scope]]:
        """Those of each list that is used so, and not otherwise, by several threads; in the order of the pops."""
        trace = self._trace
        if trace.let_go or trace.merged or trace.missed or trace.holes or not can_be_judged(trace):
            return []
        unseen = {each.location for each in self._evidence.unseen}
        return [
            scopes
            for number in self._candidates().tolist()
            if number not in unseen and (location := trace.locations[number]).certain
            if location.kind is LocationKind.WHOLE and (scopes := self._of(number))
        ]

    def _candidates(self) -> Array:
        """The lists out of which several threads throw an item away."""
        events = self._events
        sites = [number for number, site in self._trace.sites.items() if site.operation == Operation.CALL]
        sites = [number for number in sites if self._takes_the_last(number)]
        if not sites:
            return np.empty(0, np.int64)
        pops = np.flatnonzero((events.kind == EventKind.WRITE) & np.isin(events.site, sites) & (events.location >= 0))
        pairs = np.unique(np.stack([events.location[pops], events.thread[pops]]), axis=1)
        found, threads = np.unique(pairs[0], return_counts=True)
        several: Array = found[threads > 1]
        return several

    def _of(self, location: int) -> list[_Scope]:
        """Nothing of a list that is changed otherwise, too, or in which somebody pops what it has not pushed."""
        events = self._events
        history = self._evidence.checks.histories.places_of(location)
        changes = history[events.kind[history] != EventKind.READ][:_MOST]
        there: list[int] = []
        own: defaultdict[int, list[int]] = defaultdict(list)
        found: list[_Scope] = []
        for place in changes.tolist():
            lane = int(events.thread[place])
            if events.kind[place] != EventKind.WRITE:
                return []
            if events.tag[place] != ValueTag.ABSENT:
                there.append(place)
                own[lane].append(place)
                continue
            its = (push for push in reversed(own[lane][-_MOST_OPEN:]) if self._belong_together(push, place))
            push = next(its, None)
            if push is None or not there:
                # once a pop undid another's push, others find nothing, or fail
                return found if any(map(self._is_anothers, found)) else []
            own[lane].remove(push)
            found.append(_Scope(push, place, there.pop()))
        return found

    def _is_anothers(self, scope: _Scope) -> bool:
        """Whether the pop undid another thread's push."""
        return bool(self._events.thread[scope.undone] != self._events.thread[scope.pop])

    def _belong_together(self, push: int, pop: int) -> bool:
        """Whether one function pushes, and pops after that, or calls what does; and what was popped is thrown away."""
        return self._takes_the_last(int(self._events.site[pop])) and self._follows(push, pop)

    def _follows(self, push: int, pop: int) -> bool:
        above, below = ([*self._nearest(place)] for place in (push, pop))
        for one in above:
            for other in below:
                if one.point.is_in_one(other.point):
                    item = one.tree.item(one.node)
                    is_with = item is not None and item is other.tree.item(other.node)
                    return is_with or one.tree.follows(one.node, other.node) is not False
        return False

    def _nearest(self, place: int) -> Iterator[Part]:
        for _, part in zip(range(_DEEPEST), self._activations.parts(place), strict=False):
            yield part

    def _takes_the_last(self, site: int) -> bool:
        """Whether it is a call that takes the last item out, and nothing is done with that."""
        found = self._activations.syntax.of_site(site)
        if found is None:
            return False
        tree, node = found
        match node:
            case ast.Call(ast.Attribute(attr="pop"), args=[]):
                step = next(tree.above(node), None)
                return step is not None and isinstance(step.parent, ast.Expr)
        return False
