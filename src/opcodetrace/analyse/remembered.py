"""Values that are remembered until they are reset: `if self.total is None: self.total = sum(self.items)`, and `add`
changes the items and sets `self.total = None`.

A thread that makes the value of what was there before a change, and stores it after the reset, undoes the reset: what
is out of date stays. The check finds the same after the reset as before (None), so it is no plain stale check. This is
known of caches as a stale set: Nishtala et al., "Scaling Memcache at Facebook" (2013).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.answers import OF_NOTHING
from opcodetrace.analyse.checks import Checked
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.windows import Window, Windows
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Flow, Site

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

_FARTHEST = 5_000  # events from a check to the store that is made by it
_MOST_READS = 200  # of a thread between the two
_NEAR = 200  # events around a reset among which its thread's own are looked at
_DEEPEST = 8  # variables that are made of each other, and calls


class Overtaken(NamedTuple):
    """A thread checked, read, and stored what it had made of that; another one changed what was read, and reset what
    was stored. Places among the events."""

    check: int
    read: int
    act: int
    change: int
    reset: int


class Remembered:
    """Finds what is stored by a check, and reset."""

    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._checks = evidence.checks
        self._pasts = evidence.pasts
        self._unseen = {each.location for each in evidence.unseen}

    @property
    def _activations(self) -> Activations:
        return self._checks.called.activations

    def checked(self, act: int) -> Checked | None:
        """The check by which something is remembered, as there is nothing; what others did since must be resets."""
        events, site = self._events, int(self._events.site[act])
        number = int(events.location[act])
        location = self._trace.locations.get(number)
        if events.kind[act] != EventKind.WRITE or location is None or not location.certain or number in self._unseen:
            return None
        if location.kind is LocationKind.WHOLE or number in self._trace.restructured:
            return None
        if not self._checks.tests.get(site) and site not in self._checks.called.tests:
            return None
        found = self._checks.of(act, self._checks.tests.get(site, {}))
        if found is None or found.asked not in OF_NOTHING or self.may_be_reset(act):
            return None
        return found if all(self._is_reset(found, place) for place in found.changes) else None

    def _is_reset(self, found: Checked, change: int) -> bool:
        """Whether the check finds after a change, too, that there is nothing."""
        is_deleted = self._events.kind[change] == EventKind.DELETE
        return self.may_be_reset(change) and bool(is_deleted or found.asked == "is None")

    def may_be_reset(self, change: int) -> bool:
        """Whether there is nothing after a change."""
        events = self._events
        return bool(events.kind[change] == EventKind.DELETE or events.tag[change] == ValueTag.NONE)

    def is_reset_last(self, act: int) -> bool:
        """Whether another thread's last change before it left nothing there."""
        events = self._events
        before = (
            place for place in self._checks.histories.before(act, _MOST_READS) if events.kind[place] != EventKind.READ
        )
        last = next(before, None)
        return last is not None and events.thread[last] != events.thread[act] and self.may_be_reset(last)

    def outdated(self, found: Checked, act: int, reset: int) -> Overtaken | None:
        """What another thread changed, as it reset what is remembered, of what that was made of."""
        events = self._events
        reads = self._made_of(found.check, act) if self._is_reset(found, reset) else ()
        if not reads:
            return None
        changes = [place for place in self._done_beside(reset) if events.location[place] != events.location[act]]
        changed = {int(events.location[place]) for place in changes}
        if any(int(events.location[place]) in changed for place in self._looked_at_besides(found.check, act, reads)):
            return None
        for read in reads:
            for change in changes:
                if self._changes(change, read):
                    return Overtaken(found.check, read, act, change, reset)
        return None

    def _made_of(self, check: int, act: int) -> Sequence[int]:
        """The reads, since the check, of which the value was made: also inside of what was called for it."""
        events = self._events
        site = self._trace.sites[int(events.site[act])]
        if site.flow is None or act - check > _FARTHEST:
            return ()
        sites: set[int] = set()
        results: set[int] = set()
        self._flows(site.flow, sites, results, _DEEPEST)
        sites |= {each.id for each in self._trace.site_codes[site.id].sites if each.offset in results}
        between = slice(check + 1, act)
        own = (
            check
            + 1
            + np.flatnonzero((events.thread[between] == events.thread[act]) & (events.kind[between] == EventKind.READ))
        )
        activation = self._activations.of(act)
        written = (events.thread[between] == events.thread[act]) & (events.kind[between] == EventKind.WRITE)
        counted = set(events.location[between][written].tolist())  # it knows what it did itself
        return [
            place
            for place in own[:_MOST_READS].tolist()
            if int(events.location[place]) not in counted
            if int(events.site[place]) in sites or self._called_at(place, activation.begun) in results
        ]

    def _flows(self, flow: Flow, sites: set[int], results: set[int], depth: int) -> None:
        """Adds the sites of the reads that flow into a value, and where what gives it may have called code."""
        sites.update(flow.reads, flow.called_reads)
        results.update(flow.results)
        for phi in (*flow.phis, *flow.called_phis) if depth else ():
            for each in self._given.get(phi, ()):
                if each.flow is not None:
                    self._flows(each.flow, sites, results, depth - 1)

    def _called_at(self, place: int, begun: int) -> int | None:
        """Where the activation that began then had called what led to an access; None if it did not."""
        call = self._activations.calls.get(self._activations.of(place).begun)
        for _ in range(_DEEPEST):
            if call is None or call.caller_seq is None or begun < 0:
                return None
            if call.caller_seq == begun:
                return call.place
            call = self._activations.calls.get(call.caller_seq)
        return None

    @cached_property
    def _given(self) -> dict[int, list[Site]]:
        """By variable: what gives it something."""
        found: defaultdict[int, list[Site]] = defaultdict(list)
        for site in self._trace.sites.values():
            if site.phi is not None:
                found[site.phi].append(site)
        return found

    def _done_beside(self, reset: int) -> Iterator[int]:
        """What a thread wrote in the call in which it reset something, in one that this made, or in one that made this.
        The first function of a thread may be a loop that does much else."""
        events = self._events
        start = max(0, reset - _NEAR)
        near = slice(start, reset + _NEAR)
        own = start + np.flatnonzero((events.thread[near] == events.thread[reset]) & (events.location[near] >= 0))
        activation = self._activations.of(reset)
        for place in own[events.kind[own] != EventKind.READ].tolist():
            if events.kind[place] <= EventKind.DELETE and place != reset:
                other = self._activations.of(place)
                if (
                    other == activation
                    or self._called_at(place, activation.begun) is not None
                    or (self._called_at(reset, other.begun) is not None and self._is_called(other.begun))
                ):
                    yield place

    def _is_called(self, begun: int) -> bool:
        call = self._activations.calls.get(begun)
        return call is not None and call.caller_seq is not None

    def _looked_at_besides(self, check: int, act: int, reads: Collection[int]) -> Iterator[int]:
        """What the thread read since the check, and made nothing of, or read again once it had stored the value: a
        version, say, by which it knows of the change."""
        events = self._events
        start = slice(check + 1, act + _NEAR)
        own = start.start + np.flatnonzero(
            (events.thread[start] == events.thread[act]) & (events.kind[start] == EventKind.READ)
        )
        activation = self._activations.of(act)
        for place in own.tolist():
            if place < act:
                if place not in reads:
                    yield place
            elif self._activations.of(place) == activation:
                yield place

    def _changes(self, change: int, read: int) -> bool:
        """Whether a write makes what was read another: the location, or what is in the container."""
        events, containers = self._events, self._trace.containers
        if not self._trace.locations[int(events.location[change])].certain:
            return False
        if events.location[change] == events.location[read]:
            before = next(iter(self._checks.histories.before(change)), None)
            # had it come after the read, this would have found what was there before, or what it knows of
            others = [before] if change < read and not self._knows_later(change, read) else [before, read]
            return not any(other is None or is_same(events[change].value, events[other].value) for other in others)
        value = events[read].value
        is_object = isinstance(value, Opaque) and value.identity is not None and containers is not None
        return bool(is_object and containers[int(events.location[change])] == value.identity)  # type: ignore[index,union-attr]

    def _knows_later(self, change: int, read: int) -> bool:
        """Whether another write came after a change for certain, and before a read: by the thread of the read itself,
        or by one that it had waited for."""
        events = self._events
        return any(
            events.kind[place] != EventKind.READ
            and (events.thread[place] == events.thread[read] or self._pasts.holds(read, place) is not False)
            for place in itertools.takewhile(lambda place: place > change, self._checks.histories.before(read))
        )


def overtaken(evidence: Evidence, acts: Iterable[int]) -> Iterator[tuple[Overtaken, bool]]:
    """What was stored after its reset, made of what had been there before the change; and whether it is sure that it
    came so. Only if the value was used after that, with nobody having reset it again."""
    search = Remembered(evidence)
    activations = evidence.checks.called.activations
    events, pasts, histories = evidence.trace.events, evidence.pasts, evidence.checks.histories
    for act in acts:
        found = search.checked(act) if search.is_reset_last(act) else None
        if found is None:
            continue
        for reset in found.changes:
            each = search.outdated(found, act, reset)
            if each is None or not each.read < each.change or pasts.holds(act, reset) is not False:
                continue
            own = activations.of(act)
            later = (place for place in histories.after(act) if activations.of(place) != own)
            used = next(later, None)
            if used is None or events.kind[used] != EventKind.READ or used < each.change:
                continue
            order = [(found.check, reset), (reset, act), (each.read, each.change)]
            yield each, all(events.seq[one] < events.seq[other] - events.before[other] for one, other in order)
            break


def possibly_overtaken(
    evidence: Evidence, pairs: Iterable[tuple[int, int]], told: Collection[int]
) -> Iterator[tuple[Overtaken, bool]]:
    """The same of what could come so, and whether only the GIL prevents it. `pairs`: stores, and other threads' writes
    there. Without those acts (sites) of which something is `told`."""
    search, events = Remembered(evidence), evidence.trace.events
    found: list[Overtaken] = []
    for act, reset in pairs:
        is_reset = search.may_be_reset(reset) and int(events.site[act]) not in told
        checked = search.checked(act) if is_reset else None
        each = None if checked is None or checked.changes else search.outdated(checked, act, reset)
        found += [] if each is None else [each]
    own = [Window(each.read, each.act) for each in found]
    theirs = [Window(*sorted((each.change, each.reset))) for each in found]
    ends = [Window(place, place) for each in found for place in (each.change, each.reset)]
    windows = Windows(evidence, [*own, *theirs, *ends])
    told_at: dict[tuple[int, int], tuple[Overtaken, bool]] = {}  # each with whether only the GIL prevents it
    for each, mine, other in zip(found, own, theirs, strict=True):
        key = int(events.location[each.act]), int(events.site[each.act])
        came = other.first < each.act and other.last > each.read  # the two met in this very run
        earlier, later = (other.last, each.read) if other.first < each.read else (each.act, other.first)
        is_apart = each.change > each.reset  # the reset comes first: all that it guards may lie between the two
        excluding = [other] if is_apart else [Window(place, place) for place in other]
        gil_only = not came and windows.is_gil_only(mine) and (not is_apart or windows.is_gil_only(other))
        if (
            (key in told_at and (gil_only or not told_at[key][1]))
            or not windows.lets_in(mine, each.reset)
            or any(windows.have_a_common_lock(mine, window) for window in excluding)
            or (not came and windows.may_be_ordered(earlier, later))
        ):
            continue
        told_at[key] = each, gil_only
    yield from told_at.values()
