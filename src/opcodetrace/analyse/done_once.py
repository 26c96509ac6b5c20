"""What each of many objects has done to it once, by whichever thread comes first, though nothing keeps two apart.

A thread reads `job.state`, runs the job and writes `job.state`; the others come later, read that, and leave it. What
they read need not be tested where it is read (`checks`): it may be looked up in a table, compared with a time, or kept
in an iterator. But if threads do so with one object after the other, each time the first one acts and no other does,
then what they read decides. A thread that read between another one's read and its write would act, too.

From what a run did alone that is not sure, so much is asked: many objects, the same code on the way to each read, more
than one thread that acts, one that acts after it has left what others had done, and hardly an object to which it was
done twice or by another than the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.claims import Claims
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.unguarded_checks import UnguardedCheck
from opcodetrace.analyse.windows import BUILT_IN, Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import ABSENT, EventKind, Opaque
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind

Array = npt.NDArray[Any]

LEAST = 8  # objects, of which each must show it
OFTEN = 10  # times as many as those that show something else
CLOSEST = 64  # of them that are looked at: those to which the other thread came soonest
_NEAR = 300  # events after an act among which what else was done with it is looked for
_KINDS = frozenset([LocationKind.ATTRIBUTE, LocationKind.WHOLE])


class _Found(NamedTuple):
    """Places among the events."""

    check: int  # the read of the thread that acted
    act: int
    other: int  # another thread's read at the same place in the code, later
    gil_only: bool


def done_once(evidence: Evidence, told: Collection[int] = ()) -> Iterator[UnguardedCheck]:
    """One for each two places in the code. Without those acts (sites) of which something is `told` in another way. None
    in a run of which it cannot be judged."""
    trace = evidence.trace
    is_whole = not (trace.let_go or trace.merged or trace.missed or trace.holes)
    if not is_whole or not can_be_judged(trace) or not len(trace.events):
        return
    events, search = trace.events, _Search(evidence)
    for triples in search.groups():
        found = None if int(events.site[triples[1, 0]]) in told else search.of(triples)
        if found is not None:
            check, act, other = (int(events.seq[place]) for place in found[:3])
            location = int(events.location[found.act])
            yield UnguardedCheck(location, check, act, other, True, found.gil_only, is_sure=False)


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._activations = evidence.checks.called.activations
        self._claims = Claims(evidence.trace, self._activations)

    def groups(self) -> Iterator[Array]:
        """Read, act and other read, of each object, by the sites of the first two; those closest together first."""
        events = self._events
        check, act, other, fits = self._objects()
        sites = (events.site[check].astype(np.int64) << 32) + events.site[act]
        order = np.argsort(sites, kind="stable")
        sites, fits = sites[order], fits[order]
        objects = np.stack([check, act, other])[:, order]
        begins = np.flatnonzero(np.r_[True, sites[1:] != sites[:-1]][: len(sites)])
        for begin, end in itertools.pairwise([*begins.tolist(), len(sites)]):
            triples = objects[:, begin:end][:, fits[begin:end]]
            number = triples.shape[1]
            if number < LEAST or OFTEN * (end - begin - number) > number:
                continue
            acting, times = np.unique(events.thread[triples[1]], return_counts=True)
            acting = acting[times > 1]
            if len(acting) < 2 or not any(self._leaves_and_acts(triples, thread) for thread in acting.tolist()):
                continue
            triples = triples[:, np.isin(events.thread[triples[2]], acting)]
            if triples.size:
                yield triples[:, np.argsort(triples[2] - triples[1], kind="stable")]

    def _leaves_and_acts(self, triples: Array, thread: int) -> bool:
        """Whether a thread acted on some after it had left others: those that it acts on are not the part that it began
        with, and that is its own."""
        events, (_, act, other) = self._events, triples
        left = np.sort(other[events.thread[other] == thread])
        return len(left) > 1 and int(np.count_nonzero(act[events.thread[act] == thread] > left[1])) > 1

    def _objects(self) -> tuple[Array, Array, Array, Array]:
        """Of each location that is written once threads share it: the first such write, the read before it by the same
        thread, the first read at that place by another thread after it; and whether nobody else wrote, and nobody else
        had read there before."""
        events, trace = self._events, self._trace
        order = self._evidence.checks.histories.order
        wanted = np.zeros(int(events.location.max()) + 1, bool)
        wanted[[each.id for each in trace.locations.values() if each.kind in _KINDS and each.certain]] = True
        order = order[wanted[events.location[order]]]
        if not len(order):
            return (np.empty(0, np.int64),) * 3 + (np.empty(0, bool),)
        location, thread, kind, site = (
            column[order] for column in (events.location, events.thread, events.kind, events.site)
        )
        at = np.arange(len(order))
        starts = np.r_[0, 1 + np.flatnonzero(location[1:] != location[:-1])]
        number = np.cumsum(np.r_[False, location[1:] != location[:-1]])  # of the location

        def first(which: Array) -> Array:
            """Of each location, the first place at which it is so; after all places if there is none."""
            found: Array = np.minimum.reduceat(np.where(which, at, len(order)), starts)
            return found

        def count(which: Array) -> Array:
            found: Array = np.add.reduceat(which.astype(np.int64), starts)
            return found

        # who makes an object writes first, by itself
        is_made = kind[starts] != EventKind.READ
        shared = np.where(is_made, first(thread != thread[starts][number]), starts)
        is_shared = at >= shared[number]
        is_write = is_shared & (kind != EventKind.READ)
        act = first(is_write)
        has_act = (act < len(order)) & (act > shared)
        act = np.where(has_act, act, 0)
        check = np.maximum(act - 1, 0)
        check -= (kind[check] == EventKind.READ) & (site[check] == site[act])  # `append` reads what it changes
        check = np.maximum(check, 0)
        has_act &= (check >= shared) & (thread[check] == thread[act]) & (kind[check] == EventKind.READ)
        has_act &= (number[check] == number[act]) & (site[check] != site[act])
        is_look = is_shared & (kind == EventKind.READ) & (site == site[check][number]) & (thread != thread[act][number])
        other = first(is_look & (at > act[number]))
        fits = has_act & (count(is_write) == 1) & (count(is_look & (at < act[number])) == 0)
        fits &= other < len(order)
        other = np.where(other < len(order), other, 0)
        columns = (order[column[has_act]].astype(np.int64) for column in (check, act, other))
        return (*columns, fits[has_act])

    def of(self, triples: Array) -> _Found | None:
        """The first that nothing keeps apart, if it is an error to do it twice."""
        events, trace = self._events, self._trace
        act = triples[1]
        if not self._is_wrong_twice(triples):
            return None
        may = Lanes(trace).may_meet(events.thread[act], events.thread[triples[2]])
        near = triples[:, may][:, :CLOSEST].T.tolist()
        windows = Windows(
            self._evidence, (each for check, act, other in near for each in (Window(check, act), Window(other, other)))
        )
        found = None
        for check, act, other in near:
            window = Window(check, act)
            if (
                windows.lets_in(window, other)
                and not windows.have_a_common_lock(window, Window(other, other))
                and not self._claims.may_be_between(check, act)
                and not windows.may_be_ordered(act, other)
                and [*self._activations.lines(check)] == [*self._activations.lines(other)]
            ):
                found = _Found(check, act, other, windows.is_gil_only(window))
                if not found.gil_only:
                    break
        return found

    def _is_wrong_twice(self, triples: Array) -> bool:
        """Whether an item is added to the very container; or a state is written, and with it, each time and never else,
        something is counted or added to a list."""
        events, trace = self._events, self._trace
        some = triples[:, :LEAST].T.tolist()
        if trace.locations[int(events.location[some[0][1]])].kind is LocationKind.WHOLE:
            return all(adds_one(events[act]) for _, act, _ in some)
        if not all(self._is_state(check, act) for check, act, _ in some):
            return False
        beside: set[int] = set()
        for number, (check, act, _) in enumerate(some):
            effects = self._effects(check, act)
            beside = effects if not number else beside & effects
        writes = self._writes
        acts = writes[events.site[some[0][1]]]
        return any(writes[site] <= acts for site in beside)

    @cached_property
    def _writes(self) -> Array:
        """By site: how many."""
        found: Array = np.bincount(self._events.site[self._events.kind == EventKind.WRITE])
        return found

    def _is_state(self, check: int, act: int) -> bool:
        """Whether a state took the place of another one, that it was not made of; not what was made as there was
        nothing."""
        events = self._events
        values = [events[place].value for place in (check, act)]
        is_made_of_it = self._evidence.sources.place[act] >= 0
        return not is_made_of_it and not any(
            value is None or value is ABSENT or (isinstance(value, Opaque) and value.type_name not in BUILT_IN)
            for value in values
        )

    def _effects(self, check: int, act: int) -> set[int]:
        """The sites at which the thread counted something, or added an item, after its check: until a little after its
        act, or its next check."""
        events, locations = self._events, self._trace.locations
        found: set[int] = set()
        own = check + 1 + np.flatnonzero(events.thread[check + 1 : act + _NEAR] == events.thread[act])
        for place in own.tolist():
            if place > act and events.site[place] == events.site[check]:
                break
            if events.kind[place] != EventKind.WRITE or place == act or events.location[place] < 0:
                continue
            source = int(self._evidence.sources.place[place])
            is_whole = locations[int(events.location[place])].kind is LocationKind.WHOLE
            is_count = source >= 0 and events.location[source] == events.location[place] and not is_whole
            if is_count or (is_whole and events.tag[place] != ValueTag.ABSENT):
                found.add(int(events.site[place]))
        return found
