"""Containers that a thread takes away, or makes anew, while another one puts something into the old one.

`batch, self.items = self.items, []` in one thread, `self.items.append(make())` in another: that one has read the
reference, the container is replaced, and what it then puts in is in a container that nobody looks at any more. The same
if the items are copied and the copy takes the container's place (`self.items = [x for x in self.items if x.alive]`).

What is put in too late is lost if the thread that replaced the container was done with it by then, and nobody else can
have it. Both follow from the source (`container_uses`), for C code may go over a container without a trace. A container
that is only replaced (`self.cache = {}`) is given up on purpose: what is put in too late is not missed.
"""

from __future__ import annotations

import ast
import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activation, Activations
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.container_uses import Uses, uses_of
from opcodetrace.analyse.syntax import called_name
from opcodetrace.analyse.waiting_loops import WaitingLoops
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Code, Operation
from opcodetrace.trace.source_text import SourceTexts
from opcodetrace.trace.switch import Reason, Switch
from opcodetrace.trace.sync import GIVES, Synchronisation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_LATE = 1024  # changes that came too late, of the same
CLOSEST = 16  # pairs of a change and a replacement that are looked at, of each two places in the code and each location
MAX_BACK = 1 << 14  # accesses of a location before a replacement among which it is looked for who read the container
MAX_NEXT = 4096  # events of a thread after a replacement among which it is looked for its end of work
_PUT = frozenset("add append appendleft extend extendleft insert setdefault update".split())  # noqa: SIM905
_MADE = frozenset("Counter OrderedDict defaultdict deque dict list set".split())  # noqa: SIM905
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
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._accesses = evidence.accesses
        self._activations = Activations(trace)
        self._texts = SourceTexts(trace)
        self._loops = WaitingLoops(trace)
        self._containers = np.zeros(0, np.int64) if trace.containers is None else trace.containers
        identities = [each.identity or 0 if isinstance(each, Opaque) else 0 for each in self._events.others]
        self._identities = np.array([*identities, 0], np.int64)
        self._uses: dict[int, Uses | None] = {}
        self._uses_of: dict[int, Uses | None] = {}  # by the place of the replacement
        self._by_thread: dict[int, Array] = {}

    def _objects(self, places: Array) -> Array:
        """The objects that are the values of some events; 0 for none."""
        events = self._events
        is_object = (events.tag[places] == ValueTag.OBJECT) & (events.kind[places] != EventKind.DELETE)
        found: Array = self._identities[np.where(is_object, events.word[places], -1)]
        return found

    def _value(self, place: int) -> int:
        return int(self._objects(np.array([place]))[0])

    @cached_property
    def pairs(self) -> list[_Pair]:
        """Of all changes of containers that were replaced where the thread had read them; in the order of the changes.
        Of each location and two places in the code, those closest to each other."""
        trace = self._trace
        if trace.let_go or trace.merged or trace.missed or trace.holes or not len(self._containers):
            return []
        replaced, held_at, held = self._replacements
        if not len(replaced):
            return []
        changes, reads = self._changes_with_reads(np.unique(held))
        events = self._events
        size = int(self._identities.max(initial=0)) + 1
        keys = held_at.astype(np.int64) * size + held
        order = np.argsort(keys, kind="stable")
        wanted = events.location[reads].astype(np.int64) * size + self._objects(reads)
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
        """The writes that replaced a container by something else, their locations, and the containers."""
        events, order = self._events, self._accesses.order
        looked_into = np.zeros(int(events.location.max(initial=-1)) + 2, bool)
        looked_into[self._accesses.locations] = True
        is_changed = np.zeros(int(self._identities.max(initial=0)) + 1, bool)
        is_changed[self._containers[self._containers < len(is_changed)]] = True
        is_changed[0] = False
        found: list[Array] = [np.empty((2, 0), np.int64)]
        for start in range(0, len(order), PIECE):
            places = order[max(start - 1, 0) : start + PIECE]
            objects = self._objects(places)
            same = events.location[places[1:]] == events.location[places[:-1]]
            is_write = (events.kind[places[1:]] == EventKind.WRITE) & looked_into[events.location[places[1:]]]
            (which,) = np.nonzero(same & is_write & is_changed[objects[:-1]] & (objects[1:] != objects[:-1]))
            found.append(np.stack([places[1:][which].astype(np.int64), objects[which]]))
        places, held = np.concatenate(found, axis=1)
        return places, events.location[places], held

    def _changes_with_reads(self, containers: Array) -> tuple[Array, Array]:
        """The changes of some containers, each with the read by which its thread had got it, in the same frame."""
        events = self._events
        is_wanted = np.zeros(max(int(self._identities.max(initial=0)), int(containers.max())) + 1, bool)
        is_wanted[containers] = True
        of_location = np.append(np.where(self._containers < len(is_wanted), self._containers, 0), 0)
        of_location = np.where(is_wanted[of_location], of_location, 0)
        found: list[Array] = [np.empty((3, 0), np.int64)]
        for start in range(0, len(events), PIECE):
            places = np.arange(start, min(start + PIECE, len(events)))
            is_read = events.kind[places] == EventKind.READ
            changed = np.where(events.kind[places] == EventKind.WRITE, of_location[events.location[places]], 0)
            objects = self._objects(places)
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
        number = int(self._events.site[pair.change])
        if number not in self._trace.sites or self._activations.of(pair.read) != self._activations.of(pair.change):
            return False
        if self._trace.locations[int(self._events.location[pair.read])].kind not in _CELLS:
            return False
        if self._trace.sites[number].operation == Operation.STORE_SUBSCR:
            return True
        called = self._texts.expression(number).partition("(")[0]
        return called.rpartition(".")[2] in _PUT

    def places(self, pair: _Pair) -> tuple[int, int, int]:
        """The location that held the container, and where the code changes and replaces it."""
        events = self._events
        return int(events.location[pair.read]), int(events.site[pair.change]), int(events.site[pair.replacement])

    def told(self, pair: _Pair) -> Replaced:
        events = self._events
        read, change, replacement = (int(events.seq[place]) for place in pair)
        locations = (int(events.location[place]) for place in (pair.read, pair.change))
        location, changed = locations
        return Replaced(location, read, replacement, change, changed)

    def may_be_lost(self, pair: _Pair) -> bool:
        """Whether the replacing thread goes over what it takes away, without a wait for others before it does."""
        uses = self._uses_before(pair)
        if uses is None or not uses.goes_over:
            return False
        return self._is_made_of_it(pair, uses) or not self._waits(pair, uses)

    def _uses_before(self, pair: _Pair) -> Uses | None:
        """What the replacing activation does with the container; None if it is not known."""
        if pair.replacement not in self._uses_of:
            self._uses_of[pair.replacement] = self._uses_by(pair.replacement, self._value(pair.read))
        return self._uses_of[pair.replacement]

    def _uses_by(self, replacement: int, container: int) -> Uses | None:
        events, bounds, location = self._events, self._accesses.bounds, int(self._events.location[replacement])
        its = self._accesses.order[bounds[location] : bounds[location + 1]]
        at = int(np.searchsorted(its, replacement))
        before = its[max(0, at - MAX_BACK) : at]
        own = (events.frame[before] == events.frame[replacement]) & (events.kind[before] == EventKind.READ)
        before = before[own]
        activation = self._activations.of(replacement)
        found: Uses | None = None
        for place in before[self._objects(before) == container].tolist():
            if self._activations.of(place) == activation:
                uses = self._uses_at(int(events.site[place]))
                if uses is None:
                    return None
                found = uses if found is None else found | uses
        return found

    def _uses_at(self, site: int) -> Uses | None:
        if site not in self._uses:
            found = self._activations.syntax.of_site(site)
            self._uses[site] = None if found is None else uses_of(*found)
        return self._uses[site]

    def _is_made_of_it(self, pair: _Pair, uses: Uses) -> bool:
        """Whether all uses come before the replacement."""
        site = self._trace.sites[int(self._events.site[pair.replacement])]
        return not uses.is_kept and uses.last <= (site.end_line or 0)

    def _waits(self, pair: _Pair, uses: Uses) -> bool:
        """Whether the replacing thread may have waited for others, after the replacement and before its last use."""
        events = self._events
        seq, thread = int(events.seq[pair.replacement]), int(events.thread[pair.replacement])
        activation = self._activations.of(pair.replacement)
        until = int(events.seq[-1]) + 1
        container = self._value(pair.read)
        for place in self._looks(container):
            if place > pair.replacement and events.thread[place] == thread:
                until = int(events.seq[place])
                break
        else:
            for place in self._places_of(thread, pair.replacement):
                if self._has_ended(place, activation):
                    until = int(events.seq[place])
                    break
        operations = self._operations[thread]
        begin, end = (bisect.bisect(operations, at, key=lambda each: each.seq) for at in (seq, until))
        if any(each.operation not in GIVES for each in operations[begin:end]):
            return True
        line, code = self._trace.sites[int(events.site[pair.replacement])].line, self._code(pair.replacement)
        return line is not None and self._loops.any_between(code.file, line, uses.last)

    @cached_property
    def _operations(self) -> Mapping[int, list[Synchronisation]]:
        """By thread; what functions of the program led to."""
        found: defaultdict[int, list[Synchronisation]] = defaultdict(list)
        for each in self._trace.synchronisation:
            if each.site is not None:
                found[each.thread].append(each)
        return found

    def _code(self, place: int) -> Code:
        return self._trace.site_codes[int(self._events.site[place])]

    def _is_lost(self, pair: _Pair) -> bool:
        """Whether what was put into the replaced container was never seen, by anyone."""
        events = self._events
        began = events.seq - events.before
        if began[pair.replacement] <= events.seq[pair.read] or began[pair.change] <= events.seq[pair.replacement]:
            return False
        if self._evidence.pasts.holds(pair.change, pair.replacement) is not False:
            return False  # it knew
        uses = self._uses_before(pair)
        if uses is None or not uses.goes_over or uses.is_kept:
            return False
        if not (self._is_made_of_it(pair, uses) or self._is_past(pair, uses)):
            return False
        container = self._value(pair.read)
        return self._is_here_alone(container, pair) and not self._is_seen(container, pair)

    def _is_past(self, pair: _Pair, uses: Uses) -> bool:
        """Whether the replacing thread is known to have come past its last use before the change."""
        events, activations = self._events, self._activations
        thread, activation = int(events.thread[pair.replacement]), activations.of(pair.replacement)
        own = self._code(pair.replacement)
        between = [place for place in self._places_of(thread, pair.replacement) if place < pair.change]
        for place in reversed(between):
            if self._has_ended(place, activation):
                return True
            if activations.of(place) == activation:
                if (self._trace.sites[int(events.site[place])].line or 0) > uses.last:
                    return True
                break
        callers = self._callers(activation)
        first, last = int(events.seq[pair.replacement]), int(events.seq[pair.change])
        for switch in self._switches[thread]:
            if first < switch.seq <= last and switch.reason is Reason.ENDED:
                return True
            if first < switch.seq <= last and switch.place is not None:
                stood = (switch.place.file, switch.place.function)
                if stood == (own.file, own.function) and (switch.place.line or 0) > uses.last:
                    return True
                if stood in callers and stood != (own.file, own.function):
                    return True
        return False

    def _has_ended(self, place: int, activation: Activation) -> bool:
        """Whether an activation of the same thread, which was under way before the event, is over by then."""
        if activation.begun < 0:
            return False
        calls = self._activations.calls
        if self._trace.site_codes[calls[activation.begun].site].signature.resumes:
            return False
        call = calls.get(self._activations.of(place).begun)
        while call is not None and call.seq != activation.begun:
            if call.caller_seq is None:
                return True
            call = calls.get(call.caller_seq)
        return False

    def _callers(self, activation: Activation) -> set[tuple[int, str]]:
        """The functions, by file and name, that led to it."""
        calls, found = self._activations.calls, set()
        call = calls.get(activation.begun)
        while call is not None and call.caller_seq is not None:
            call = calls.get(call.caller_seq)
            if call is not None:
                code = self._trace.site_codes[call.site]
                found.add((code.file, code.function))
        return found

    @cached_property
    def _switches(self) -> Mapping[int, list[Switch]]:
        """By the thread that had to give way."""
        found: defaultdict[int, list[Switch]] = defaultdict(list)
        for each in self._trace.switches:
            found[each.from_thread].append(each)
        return found

    def _places_of(self, thread: int, after: int) -> list[int]:
        """The places of a thread's next events after one."""
        if thread not in self._by_thread:
            self._by_thread[thread] = np.flatnonzero(self._events.thread == thread)
        places = self._by_thread[thread]
        at = int(np.searchsorted(places, after, side="right"))
        found: list[int] = places[at : at + MAX_NEXT].tolist()
        return found

    @cached_property
    def _values(self) -> tuple[Array, Array]:
        """The containers that were replaced, and the events that have them as values; by container, then in order."""
        held = np.unique(self._replacements[2])
        found: list[Array] = [np.empty((2, 0), np.int64)]
        for start in range(0, len(self._events), PIECE):
            places = np.arange(start, min(start + PIECE, len(self._events)))
            objects = self._objects(places)
            (which,) = np.nonzero(np.isin(objects, held))
            found.append(np.stack([objects[which], places[which]]))
        objects, places = np.concatenate(found, axis=1)
        order = np.argsort(objects, kind="stable")
        return objects[order], places[order]

    def _is_here_alone(self, container: int, pair: _Pair) -> bool:
        """Whether nobody has it once it is replaced, except who is still at work with it."""
        events = self._events
        objects, places = self._values
        begin, end = np.searchsorted(objects, (container, container + 1))
        its = places[begin:end]
        first = int(its[0])
        if (events.location[its] != events.location[pair.read]).any() or its[-1] > pair.replacement:
            return False
        if events.kind[first] != EventKind.WRITE or not self._is_made_anew(int(events.site[first])):
            return False
        reads = its[events.kind[its] == EventKind.READ]
        uses = [self._uses_at(site) for site in np.unique(events.site[reads]).tolist()]
        if any(each is None or each.is_kept for each in uses):
            return False
        return not any(self._may_still_go_over(int(place), pair) for place in reads)

    def _may_still_go_over(self, read: int, pair: _Pair) -> bool:
        """Whether who read the container may be at its items after the change; of the replacing thread this is known
        (`_is_past`)."""
        events, uses = self._events, self._uses_at(int(self._events.site[read]))
        if uses is None or not uses.goes_over or events.thread[read] == events.thread[pair.replacement]:
            return uses is None
        if self._activations.of(read) == self._activations.of(pair.change):
            return uses.last >= (self._trace.sites[int(events.site[pair.change])].line or 0)
        return all(
            place > pair.change or events.site[place] == events.site[read]
            for place in self._places_of(int(events.thread[read]), read)
        )

    def _is_made_anew(self, site: int) -> bool:
        """Whether a write stores a container that nothing else has."""
        found = self._activations.syntax.of_site(site)
        value = None if found is None else found[0].assigned(found[1])
        match value:
            case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
                return True
            case ast.Call(func):
                return called_name(func) in _MADE
            case _:
                return False

    @cached_property
    def _by_container(self) -> tuple[Array, Array]:
        order = np.argsort(self._containers, kind="stable")
        return self._containers[order], order

    def _looks(self, container: int) -> list[int]:
        """The places at which something read a container or an item of it, except by a step that changed it, and
        except for its length; in order."""
        events, bounds, order = self._events, self._accesses.bounds, self._accesses.order
        containers, locations = self._by_container
        begin, end = np.searchsorted(containers, (container, container + 1))
        found: list[int] = []
        for location in locations[begin:end].tolist():
            its = order[slice(*bounds[location : location + 2])]
            is_read = events.kind[its] == EventKind.READ
            steps = np.zeros(len(its), bool)
            same = (events.site[its[1:]] == events.site[its[:-1]]) & (events.frame[its[1:]] == events.frame[its[:-1]])
            steps[:-1] = same & (events.kind[its[1:]] != EventKind.READ)
            found += its[is_read & ~steps].tolist()
        return sorted(place for place in found if not self._is_of_length(int(events.site[place])))

    def _is_of_length(self, site: int) -> bool:
        if site not in self._trace.sites:
            return False
        of_length = self._texts.expression(site).startswith("len(")
        return of_length or self._trace.sites[site].operation == Operation.TEST

    def _is_seen(self, container: int, pair: _Pair) -> bool:
        """Whether anyone looked into it later, or a third thread may have been at that."""
        events = self._events
        two = {int(events.thread[place]) for place in (pair.change, pair.replacement)}
        return any(place > pair.change or int(events.thread[place]) not in two for place in self._looks(container))
