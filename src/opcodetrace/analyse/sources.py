"""Sources of writes: which event's value flowed into the value that a write stored (docs/analysis.md).

The weaver says per site what flows in (`Flow`); here that is looked up among the events of the same activation, of
those that it called (what they gave back), and of those that called it (what they gave to it). Which event it is
follows from the thread's own program order, so it holds in every order of the threads' accesses.

Nothing is guessed. A source is proven if operations alone lead from it to the write. It is inferred if its value went
into a call whose result was written, came out of one that read it, or was an argument; or if a read decided, by a
branch, that this was written. A value that comes from anywhere else has no source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from opcodetrace.analyse.versions import same_value
from opcodetrace.trace.call import Call
from opcodetrace.trace.event import ABSENT, Event, EventKind, Opaque, Raised
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import ArgumentFlows, Code, Flow, Site, flows_of

UNKNOWN = Flow(opaque=True)  # of a write about whose value the weaver says nothing
DEEPEST = 64  # calls that a value is followed through
OF_OBJECT = frozenset(["self", "cls", "mcs"])  # how the parameter is named that the call's own object becomes


class FlowLabels:
    """What a value is made of: for each location the newest event that flows in."""

    __slots__ = ("control", "inferred", "proven", "shared")

    def __init__(self) -> None:
        self.proven: dict[int, int] = {}  # location: seq
        self.inferred: dict[int, int] = {}  # the same, through a call
        self.control: dict[int, int] = {}  # of what was read to decide that this is the value
        self.shared = False  # two variables hold these labels: copy before a change

    def add(self, other: FlowLabels) -> None:
        merge(self.proven, other.proven)
        merge(self.inferred, other.inferred)
        merge(self.control, other.control)

    def add_called(self, other: FlowLabels) -> None:
        merge(self.inferred, other.proven)
        merge(self.inferred, other.inferred)


NOTHING = FlowLabels()


class Activation:
    """One activation of a function: its newest event at each site, its variables' labels, and whom it called."""

    __slots__ = ("arguments", "begun", "called", "code", "failed", "given", "newest", "parent", "variables")

    def __init__(self, begun: int = -1, code: Code | None = None) -> None:
        self.begun = begun
        self.code = code
        self.newest: dict[int, Event] = {}  # site
        self.failed: dict[int, Event] = {}  # site: the newest access that failed, from which nothing flows on
        self.variables: dict[int, FlowLabels] = {}  # phi
        self.called: dict[int, Activation] = {}  # by where this one stood: the latest
        self.parent: Activation | None = None
        self.given: ArgumentFlows | None = None
        self.arguments: dict[int, FlowLabels] = {}  # parameter

    def called_by(self, parent: Activation, place: int) -> None:
        parent.called[place] = self
        self.parent = parent
        if parent.code is not None:
            self.given = next((given for given in parent.code.given if given.offset == place), None)
        if self.code is not None and self.code.signature.resumes and self.given is not None:
            for slot in range(len(self.code.signature.parameters)):
                self.argument(slot, 0)  # the caller goes on, so what it has now is noted now

    def argument(self, slot: int, depth: int) -> FlowLabels:
        """What flowed into a parameter."""
        known = self.arguments.get(slot)
        if known is not None:
            return known
        labels = FlowLabels()
        if self.parent is not None and self.given is not None and self.code is not None and depth < DEEPEST:
            for flow in flows_into(self.given, self.code, slot):
                self.parent.add_to(labels, flow, depth + 1)
        self.arguments[slot] = labels
        return labels

    def result_at(self, place: int, since: int, depth: int) -> FlowLabels:
        """What flows into the result of what was called at `place`, if it began after `since`."""
        called = self.called.get(place)
        if called is None or called.code is None or called.begun < since or depth >= DEEPEST:
            return NOTHING
        labels = FlowLabels()
        called.add_to(labels, called.code.returned, depth + 1)
        return labels

    def add_to(self, labels: FlowLabels, flow: Flow, depth: int, since: int = -1, but: int = -1) -> None:
        """Adds what `flow` has at this moment, except what the variable `but` has. What was called before `since` gave
        its result to something else."""
        newest, variables = self.newest, self.variables
        for site in flow.reads + flow.writes:
            event = newest.get(site)
            if event is not None:
                put(labels.proven, event.location, event.seq)
        for site in flow.called_reads + flow.called_writes:
            event = newest.get(site)
            if event is not None:
                put(labels.inferred, event.location, event.seq)
        for phi in flow.phis:
            if phi != but and phi in variables:
                labels.add(variables[phi])
        for phi in flow.called_phis:
            if phi in variables:
                labels.add_called(variables[phi])
        for place in flow.results:
            labels.add_called(self.result_at(place, since, depth))
        for slot in flow.parameters:
            labels.add_called(self.argument(slot, depth))
        if flow.opaque:
            for event in newest.values():
                put(labels.inferred, event.location, event.seq)
        for event in self.tested(flow):
            put(labels.control, event.location, event.seq)

    def tested(self, flow: Flow) -> Iterator[Event]:
        """What was read to decide."""
        for site in flow.tested:
            event = self.newest.get(site)
            if event is not None:
                yield event
        for site in flow.failed:
            event = self.failed.get(site)
            if event is not None and (site not in self.newest or self.newest[site].seq < event.seq):
                yield event

    def define(self, phi: int, flow: Flow, since: int) -> None:
        """Give the variable `phi` the labels that `flow` has at this moment."""
        variables = self.variables
        old = variables.get(phi)
        if old is not None and phi in flow.phis and not old.shared:
            labels = old  # n = n + ...: what it had stays, so that a long sum costs linear time
        else:
            labels = FlowLabels()
            if old is not None and phi in flow.phis:
                labels.add(old)
        self.add_to(labels, flow, 0, since, but=phi)
        variables[phi] = labels

    def copy(self, phi: int, other: int) -> None:
        """Give the variable `phi` what the variable `other` has: prev = cur."""
        labels = self.variables.get(other)
        if labels is None:
            self.variables.pop(phi, None)
        elif phi != other:
            labels.shared = True
            self.variables[phi] = labels

    def source(self, at: int, location: int, flow: Flow, written: int) -> tuple[int, bool]:
        """The newest event of `location` that flows into the value that the site `at` writes: its seq or -1, and
        whether that is proven. `written`: the seq of this lane's latest write there; what was tested before that
        decides nothing any more, and is no guess for a value that could not be followed."""
        newest, variables = self.newest, self.variables
        found = -1
        for site in flow.reads:
            event = newest.get(site)
            if event is not None and event.location == location and event.seq > found:
                if site == at and event.kind != EventKind.READ:
                    continue  # this step read nothing: what an earlier one wrote here does not flow in by itself
                found = event.seq
        for site in flow.writes:
            event = newest.get(site)
            if event is not None and event.location == location and event.seq > found:
                found = event.seq
        for phi in flow.phis:
            labels = variables.get(phi)
            if labels is not None:
                found = max(found, labels.proven.get(location, -1))
        if found >= 0:
            return found, True
        before = newest.get(at)
        since = -1 if before is None else before.seq
        for site in flow.called_reads + flow.called_writes:
            event = newest.get(site)
            if event is not None and event.location == location and event.seq > found:
                if site == at and event.kind != EventKind.READ:
                    continue
                found = event.seq
        for phi in flow.phis + flow.called_phis:
            labels = variables.get(phi)
            if labels is not None:
                found = max(found, labels.inferred.get(location, -1))
        for phi in flow.called_phis:
            labels = variables.get(phi)
            if labels is not None:
                found = max(found, labels.proven.get(location, -1))
        for place in flow.results:
            labels = self.result_at(place, since, 0)
            found = max(found, labels.proven.get(location, -1), labels.inferred.get(location, -1))
        for slot in flow.parameters:
            labels = self.argument(slot, 0)
            found = max(found, labels.proven.get(location, -1), labels.inferred.get(location, -1))
        if flow.opaque:
            for event in newest.values():
                if event.location == location and event.seq > max(found, written):
                    found = event.seq
        if found < 0:
            for event in self.tested(flow):
                if event.location == location and event.seq > max(found, written):
                    found = event.seq
            for phi in flow.phis:
                labels = variables.get(phi)
                tested = -1 if labels is None else labels.control.get(location, -1)
                if tested > max(found, written):
                    found = tested
        return found, False


def flows_into(given: ArgumentFlows, code: Code, slot: int) -> list[Flow]:
    """What flows into a parameter of `code`, which was called where that was given. If it is not known which argument
    becomes which parameter, all of them."""
    signature = code.signature
    name = code.function.rpartition(".")[2]
    of_object = name.startswith("__") and name.endswith("__")  # __init__, __call__, __setitem__
    if not of_object and name != given.callee:
        return [given.receiver, given.others, *given.positional, *(flow for _, flow in given.keywords)]
    first = signature.parameters[0] if signature.parameters else ""
    shift = of_object or (first in OF_OBJECT and len(given.positional) < signature.positional)
    flows = [given.others]
    if slot < signature.positional:
        place = slot - shift
        if place < 0:
            flows.append(given.receiver)
        elif place < len(given.positional):
            flows.append(given.positional[place])
    own = signature.parameters[slot] if slot < len(signature.parameters) else ""
    named = set(signature.parameters)
    is_last = slot == len(signature.parameters) - 1
    more = len(signature.parameters) - 1 - (not is_last)
    if signature.takes_more and slot >= max(signature.positional, more):
        flows += given.positional[max(0, signature.positional - shift) :]
    for keyword, flow in given.keywords:
        if keyword == own or (keyword not in named and is_last):
            flows.append(flow)
    return flows


def put(labels: dict[int, int], location: int, seq: int) -> None:
    if labels.get(location, -1) < seq:
        labels[location] = seq


def merge(labels: dict[int, int], others: dict[int, int]) -> None:
    for location, seq in others.items():
        if labels.get(location, -1) < seq:
            labels[location] = seq


class Lookups:
    """What the flows of a run ask for."""

    def __init__(self, sites: Iterable[Site], codes: Iterable[Code]) -> None:
        self.remembered: set[int] = set()  # sites whose newest event some flow asks for
        self.reads: dict[int, int] = {}  # write sites into which one read flows and no other: that read's site
        self.copies: dict[int, int] = {}  # DEFINE sites that copy a variable: that variable
        self.everything = False  # some value could not be followed
        self.branches = False  # some write was decided by a read
        for site in sites:
            flow = site.flow
            if flow is None:
                self.everything |= site.operation.startswith("STORE")
                continue
            self.note(flow)
            if flow.results:
                self.remembered.add(site.id)
            if flow == Flow(reads=flow.reads[:1], results=flow.results) and flow.reads and flow.reads[0] != site.id:
                self.reads[site.id] = flow.reads[0]
            if flow == Flow(phis=flow.phis[:1]) and flow.phis:
                self.copies[site.id] = flow.phis[0]
        for flow in flows_of(codes):
            self.note(flow)

    def note(self, flow: Flow) -> None:
        self.remembered.update(flow.reads, flow.writes, flow.called_reads, flow.called_writes, flow.tested, flow.failed)
        self.everything |= flow.opaque
        self.branches |= bool(flow.tested or flow.failed)


def resolve(trace: Trace) -> tuple[dict[int, int], dict[int, Certainty]]:
    """The source of each write and deletion that has one (seq to seq), and how sure that is."""
    sites, codes = trace.sites, trace.site_codes
    lookups = Lookups(sites.values(), trace.codes)
    remembered, only_read, copies = lookups.remembered, lookups.reads, lookups.copies
    if lookups.everything:
        remembered = set(sites)
    calls = {call.seq: call for call in trace.calls}
    sources: dict[int, int] = {}
    certainties: dict[int, Certainty] = {}
    activations: dict[int, Activation] = {}  # frame
    written: dict[tuple[int, int], int] = {}  # thread and location: its latest write there
    absent: dict[tuple[int, int], Event] = {}  # frame and site: the newest read there that found nothing
    at = -1  # the frame that `activation` and `newest` belong to
    activation = Activation()
    newest = activation.newest
    read, write, delete = int(EventKind.READ), int(EventKind.WRITE), int(EventKind.DELETE)
    enter, define, elsewhere = int(EventKind.ENTER), int(EventKind.DEFINE), int(EventKind.ELSEWHERE)
    proven, inferred = Certainty.PROVEN, Certainty.INFERRED

    for event in trace.events:
        seq, _, thread, site, kind, location, _, frame = event
        if frame != at:
            at = frame
            if frame in activations:
                activation = activations[frame]
            else:
                activation = activations[frame] = Activation(code=codes.get(site))
            newest = activation.newest
        if kind == read:
            if isinstance(event[6], Raised):
                activation.failed[site] = event
                continue
            if site in remembered:
                newest[site] = event
            if event[6] is ABSENT:
                absent[frame, site] = event
        elif kind in (write, delete):
            source = newest.get(only_read[site]) if site in only_read else None
            if source is not None and source[5] == location:
                sources[seq] = source[0]
                certainties[seq] = proven
            else:
                where = sites.get(site)
                flow = where.flow if where is not None else None
                if flow is None and kind == write:
                    missing = absent.pop((frame, site), None)
                    if missing is not None and missing[5] == location:  # defaultdict makes what it did not find
                        sources[seq] = missing[0]
                        certainties[seq] = proven
                    else:
                        flow = UNKNOWN
                if flow is not None:
                    found, sure = activation.source(site, location, flow, written.get((thread, location), -1))
                    if found >= 0:
                        sources[seq] = found
                        certainties[seq] = proven if sure else inferred
            if site in remembered:
                newest[site] = event
            if lookups.branches or lookups.everything:
                written[thread, location] = seq
        elif kind == enter:
            activation = activations[frame] = Activation(seq, codes.get(site))
            newest = activation.newest
            call = calls.get(seq)
            if call is not None and call.place is not None:
                caller = caller_of(call, calls, activations)
                if caller is not None:
                    activation.called_by(caller, call.place)
        elif kind == elsewhere:
            newest[site] = event
        elif kind == define:
            if site in copies:
                phi = sites[site].phi
                if phi is not None:
                    activation.copy(phi, copies[site])
            else:
                where = sites.get(site)
                if where is not None and where.phi is not None and where.flow is not None:
                    before = newest.get(site)
                    activation.define(where.phi, where.flow, -1 if before is None else before.seq)
                    if where.flow.results:
                        newest[site] = event
    for seq in _repeated(trace, sources):
        del sources[seq], certainties[seq]
    return sources, certainties


def _repeated(trace: Trace, sources: dict[int, int]) -> list[int]:
    """The writes (their seqs) that only write again what their thread had written there, and made of nothing there: in
    a loop, `box.owner = me`. A string may be longer each time and still be the same object."""
    events = trace.events
    seqs = np.array(sorted(sources), np.int64)
    places = np.searchsorted(events.seq, seqs)
    made_of = np.searchsorted(events.seq, np.array([sources[seq] for seq in seqs.tolist()], np.int64))
    again = (events.kind[places] == EventKind.WRITE) & (events.kind[made_of] == EventKind.WRITE)
    seqs, places, made_of = seqs[again], places[again], made_of[again]
    values, before = events[places].values(), events[made_of].values()
    found: set[int] = set()
    for seq, value, earlier in zip(seqs.tolist(), values, before, strict=True):
        source = sources[seq]
        may_have_grown = isinstance(value, Opaque) and value.type_name == "str"
        if (source not in sources or source in found) and not may_have_grown and same_value(value, earlier):
            found.add(seq)
    return sorted(found)


def caller_of(call: Call, calls: dict[int, Call], activations: dict[int, Activation]) -> Activation | None:
    """The activation that made a call, if its beginning is known and it has not ended."""
    caller = None if call.caller_seq is None else calls.get(call.caller_seq)
    if caller is None or caller.frame is None:
        return None
    activation = activations.get(caller.frame)
    return activation if activation is not None and activation.begun == call.caller_seq else None
