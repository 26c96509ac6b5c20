"""What is known of containers that are kept somewhere: who reads where they are, what becomes of them, who looks in.

C code may go over a container without a trace. So what a function does with one is asked of its source
(`container_uses`), and how far a thread had come by some moment of its events and of the switches.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activation
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.container_uses import Uses, end_of_statement, uses_of
from opcodetrace.analyse.made_of import called_name
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.site import Code, Operation
from opcodetrace.trace.source_text import SourceTexts
from opcodetrace.trace.switch import Reason, Switch

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MAX_BACK = 1 << 14  # accesses of a location among which it is looked for who had read the container
MAX_NEXT = 4096  # events of a thread among which it is looked for its end of work
_MADE = frozenset("Counter OrderedDict defaultdict deque dict list set".split())  # noqa: SIM905
_PUT = frozenset("add append appendleft extend extendleft insert setdefault update".split())  # noqa: SIM905


class Containers:
    """Those of a run, by the numbers that they have as values (`Opaque.identity`)."""

    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._accesses = evidence.accesses
        self._texts = SourceTexts(trace)
        self.activations = evidence.activations
        self.of_location = np.zeros(0, np.int64) if trace.containers is None else trace.containers
        self._identities = np.append(self._events.identities(), 0)
        self.count = max(int(self._identities.max()), int(self.of_location.max(initial=0))) + 1
        self._uses: dict[int, Uses | None] = {}
        self._by_thread: dict[int, Array] = {}
        self._changed: dict[int, Array] = {}
        self._looks: dict[int, list[int]] = {}

    def values(self, places: Array) -> Array:
        """The objects that are the values of some events; 0 for none."""
        events = self._events
        is_object = (events.tag[places] == ValueTag.OBJECT) & (events.kind[places] != EventKind.DELETE)
        found: Array = self._identities[np.where(is_object, events.word[places], -1)]
        return found

    def value(self, place: int) -> int:
        return int(self.values(np.array([place]))[0])

    def having(self, containers: Array) -> tuple[Array, Array]:
        """Some containers, and the events that have them as values; by container, then in order."""
        found: list[Array] = [np.empty((2, 0), np.int64)]
        is_wanted = np.zeros(self.count, bool)
        is_wanted[containers] = True
        for start in range(0, len(self._events), PIECE):
            places = np.arange(start, min(start + PIECE, len(self._events)))
            values = self.values(places)
            (which,) = np.nonzero(is_wanted[values] & (values > 0))
            found.append(np.stack([values[which], places[which]]))
        values, places = np.concatenate(found, axis=1)
        order = np.argsort(values, kind="stable")
        return values[order], places[order]

    def puts_in(self, place: int) -> bool:
        """Whether a change of a container puts something in."""
        site = self._trace.sites.get(int(self._events.site[place]))
        if site is None:
            return False
        if site.operation == Operation.STORE_SUBSCR:
            return True
        return self._texts.expression(site.id).partition("(")[0].rpartition(".")[2] in _PUT

    def puts(self, container: int, near: int, most: int) -> list[int]:
        """Where other threads put something in: those closest to an event, before it and after it."""
        events, thread = self._events, self._events.thread[near]
        changes = self._changes(container)
        changes = changes[events.thread[changes] != thread]
        at = int(np.searchsorted(changes, near))
        return [place for place in changes[max(0, at - most) : at + most].tolist() if self.puts_in(place)]

    def _changes(self, container: int) -> Array:
        if container not in self._changed:
            order, bounds = self._accesses.order, self._accesses.bounds
            containers, locations = self._locations
            its = locations[slice(*np.searchsorted(containers, (container, container + 1)))]
            found = [order[slice(*bounds[location : location + 2])] for location in its.tolist()]
            places = np.sort(np.concatenate([np.empty(0, np.int32), *found]))
            self._changed[container] = places[self._events.kind[places] == EventKind.WRITE]
        return self._changed[container]

    def uses_at(self, site: int) -> Uses | None:
        """What is done with a container that is read at a site; None if it is not known."""
        if site not in self._uses:
            found = self.activations.syntax.of_site(site)
            self._uses[site] = None if found is None else uses_of(*found)
        return self._uses[site]

    def reads_before(self, write: int, location: int, container: int) -> list[int]:
        """Where the activation of a write had read the container at a location."""
        events, bounds = self._events, self._accesses.bounds
        its = self._accesses.order[bounds[location] : bounds[location + 1]]
        at = int(np.searchsorted(its, np.int32(write)))
        before = its[max(0, at - MAX_BACK) : at]
        before = before[(events.frame[before] == events.frame[write]) & (events.kind[before] == EventKind.READ)]
        activation = self.activations.of(write)
        places = before[self.values(before) == container].tolist()
        return [place for place in places if self.activations.of(place) == activation]

    def uses_before(self, write: int, location: int, container: int) -> Uses | None:
        """What that activation does with it; None if it is not known, or had not read it."""
        found: Uses | None = None
        for place in self.reads_before(write, location, container):
            uses = self.uses_at(int(self._events.site[place]))
            if uses is None:
                return None
            found = uses if found is None else found | uses
        return found

    def come_before(self, uses: Uses, write: int) -> bool:
        """Whether all uses come before a write of the same activation, or are a part of its statement."""
        found = self.activations.syntax.of_site(int(self._events.site[write]))
        return found is not None and not uses.is_kept and uses.last <= end_of_statement(*found)

    def is_made_anew(self, write: int) -> bool:
        """Whether a write stores a container that nothing else has."""
        found = self.activations.syntax.of_site(int(self._events.site[write]))
        value = None if found is None else found[0].assigned(found[1])
        match value:
            case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
                return True
            case ast.Call(func):
                return called_name(func) in _MADE
            case _:
                return False

    @cached_property
    def _locations(self) -> tuple[Array, Array]:
        order = np.argsort(self.of_location, kind="stable")
        return self.of_location[order], order

    def looks(self, container: int) -> list[int]:
        """The places at which something read a container or an item of it, except by a step that changed it, and
        except for its length; in order."""
        if container not in self._looks:
            events, bounds, order = self._events, self._accesses.bounds, self._accesses.order
            containers, locations = self._locations
            begin, end = np.searchsorted(containers, (container, container + 1))
            found: list[int] = []
            for location in locations[begin:end].tolist():
                its = order[slice(*bounds[location : location + 2])]
                is_read = events.kind[its] == EventKind.READ
                one, other = its[:-1], its[1:]
                same = (events.site[one] == events.site[other]) & (events.frame[one] == events.frame[other])
                is_read[:-1] &= ~(same & (events.kind[other] != EventKind.READ))
                found += its[is_read].tolist()
            self._looks[container] = sorted(place for place in found if not self._is_of_length(place))
        return self._looks[container]

    def _is_of_length(self, place: int) -> bool:
        site = self._trace.sites.get(int(self._events.site[place]))
        if site is None:
            return False
        return site.operation == Operation.TEST or self._texts.expression(site.id).startswith("len(")

    def code(self, place: int) -> Code:
        return self._trace.site_codes[int(self._events.site[place])]

    def is_past(self, line: int, since: int, until: int) -> bool:
        """Whether the activation of an event is known to have come past a line by a later event of another thread."""
        events, activations = self._events, self.activations
        thread, activation = int(events.thread[since]), activations.of(since)
        own = self.code(since)
        between = [place for place in self.places_of(thread, since) if place < until]
        for place in between[-1:]:
            if self.has_ended(place, activation) or (self._line_in(activation, place) or 0) > line:
                return True
        callers = self._callers(activation)
        first, last = int(events.seq[since]), int(events.seq[until])
        for switch in self._switches[thread]:
            if not first < switch.seq <= last:
                continue
            if switch.reason is Reason.ENDED:
                return True
            if switch.place is not None:
                stood = switch.place.file, switch.place.function
                if stood == (own.file, own.function) and (switch.place.line or 0) > line:
                    return True
                if stood in callers and stood != (own.file, own.function):
                    return True
        return False

    def _line_in(self, activation: Activation, place: int) -> int | None:
        """The line at which an activation stood, as something happened in it or in what it had called."""
        calls, own = self.activations.calls, self.activations.of(place)
        if own == activation:
            return self._trace.sites[int(self._events.site[place])].line
        call = calls.get(own.begun)
        while call is not None and call.caller_seq is not None and call.caller_seq != activation.begun:
            call = calls.get(call.caller_seq)
        if call is None or call.caller_seq is None or call.place is None or activation.begun < 0:
            return None
        code = self._trace.site_codes[calls[activation.begun].site]
        point = self.activations.points.get((code.id, call.place))
        return None if point is None else point.line

    def has_ended(self, place: int, activation: Activation) -> bool:
        """Whether an activation of the same thread, which was under way before the event, is over by then."""
        calls = self.activations.calls
        if activation.begun not in calls:
            return False
        if self._trace.site_codes[calls[activation.begun].site].signature.resumes:
            return False
        call = calls.get(self.activations.of(place).begun)
        while call is not None and call.seq != activation.begun:
            if call.caller_seq is None:
                return True
            call = calls.get(call.caller_seq)
        return False

    def _callers(self, activation: Activation) -> set[tuple[int, str]]:
        """The functions, by file and name, that led to it."""
        calls = self.activations.calls
        found: set[tuple[int, str]] = set()
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

    def places_of(self, thread: int, after: int) -> list[int]:
        """The places of a thread's next events after one."""
        if thread not in self._by_thread:
            self._by_thread[thread] = np.flatnonzero(self._events.thread == thread)
        places = self._by_thread[thread]
        at = int(np.searchsorted(places, after, side="right"))
        found: list[int] = places[at : at + MAX_NEXT].tolist()
        return found
