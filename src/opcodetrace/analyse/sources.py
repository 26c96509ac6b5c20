"""Sources of writes: which event's value flowed into the value that a write stored (docs/analysis.md).

The weaver says per site what flows in (`Flow`); here that is looked up among the events of the same activation.
Which event it is follows from the thread's own program order, so it holds in every order of the threads' accesses.
"""

from __future__ import annotations

from collections.abc import Iterable

from opcodetrace.trace.event import ABSENT, Event, Kind
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Flow, Site

UNKNOWN = Flow(opaque=True)  # of a write about whose value the weaver says nothing


class Labels:
    """What a variable's value is made of: for each location the newest event that flows in."""

    __slots__ = ("inferred", "opaque", "proven", "shared")

    def __init__(self) -> None:
        self.proven: dict[int, int] = {}  # location: seq
        self.inferred: dict[int, int] = {}  # the same, through a call
        self.opaque = False  # (part of) the value comes from where nothing is known
        self.shared = False  # two variables hold these labels: copy before a change

    def add(self, other: Labels) -> None:
        merge(self.proven, other.proven)
        merge(self.inferred, other.inferred)
        self.opaque |= other.opaque

    def add_called(self, other: Labels) -> None:
        merge(self.inferred, other.proven)
        merge(self.inferred, other.inferred)


class Activation:
    """One activation of a function: its newest event at each site, and its variables' labels."""

    __slots__ = ("newest", "variables")

    def __init__(self) -> None:
        self.newest: dict[int, Event] = {}  # site
        self.variables: dict[int, Labels] = {}  # phi

    def define(self, phi: int, flow: Flow) -> None:
        """Give the variable `phi` the labels that `flow` has at this moment."""
        variables = self.variables
        old = variables.get(phi)
        if old is not None and phi in flow.phis and not old.shared:
            labels = old  # n = n + ...: what it had stays, so that a long sum costs linear time
        else:
            labels = Labels()
            if old is not None and phi in flow.phis:
                labels.add(old)
        newest = self.newest
        for site in flow.reads + flow.writes:
            event = newest.get(site)
            if event is not None:
                put(labels.proven, event.location, event.seq)
        for site in flow.called_reads + flow.called_writes:
            event = newest.get(site)
            if event is not None:
                put(labels.inferred, event.location, event.seq)
        for other in flow.phis:
            if other != phi and other in variables:
                labels.add(variables[other])
        for other in flow.called_phis:
            if other in variables:
                labels.add_called(variables[other])
        if may_be_unknown(flow):
            labels.opaque = True
        variables[phi] = labels

    def copy(self, phi: int, other: int) -> None:
        """Give the variable `phi` what the variable `other` has: prev = cur."""
        labels = self.variables.get(other)
        if labels is None:
            self.variables.pop(phi, None)
        elif phi != other:
            labels.shared = True
            self.variables[phi] = labels

    def source(self, at: int, location: int, flow: Flow) -> tuple[int, bool, bool]:
        """The newest event of `location` that flows into the value that the site `at` writes.

        Gives its seq or -1, whether that is proven, and whether an unknown part of the value may hold a newer one."""
        newest, variables = self.newest, self.variables
        found = -1
        opaque = may_be_unknown(flow)
        for site in flow.reads:
            event = newest.get(site)
            if event is not None and event.location == location and event.seq > found:
                if site == at and event.kind != Kind.READ:
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
                opaque |= labels.opaque
        if found >= 0 or not opaque:
            return found, True, False
        for site in flow.called_reads + flow.called_writes:
            event = newest.get(site)
            if event is not None and event.location == location and event.seq > found:
                found = event.seq
        for phi in flow.phis + flow.called_phis:
            labels = variables.get(phi)
            if labels is not None:
                found = max(found, labels.inferred.get(location, -1))
        for phi in flow.called_phis:
            labels = variables.get(phi)
            if labels is not None:
                found = max(found, labels.proven.get(location, -1))
        return found, False, True


def may_be_unknown(flow: Flow) -> bool:
    return bool(flow.opaque or flow.called_reads or flow.called_writes or flow.called_phis)


def put(labels: dict[int, int], location: int, seq: int) -> None:
    if labels.get(location, -1) < seq:
        labels[location] = seq


def merge(labels: dict[int, int], others: dict[int, int]) -> None:
    for location, seq in others.items():
        if labels.get(location, -1) < seq:
            labels[location] = seq


class Lookups:
    """What the flows of a run's sites ask for."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self.remembered: set[int] = set()  # sites whose newest event some flow asks for
        self.reads: dict[int, int] = {}  # write sites into which one read flows and nothing else: that read's site
        self.copies: dict[int, int] = {}  # DEFINE sites that copy a variable: that variable
        self.unknown = False  # whether any write may ask for its lane's latest read
        for site in sites:
            flow = site.flow
            if flow is None:
                self.unknown |= site.operation.startswith("STORE")
                continue
            self.remembered.update(flow.reads, flow.writes, flow.called_reads, flow.called_writes)
            self.unknown |= may_be_unknown(flow)
            if flow == Flow(reads=flow.reads[:1]) and flow.reads and flow.reads[0] != site.id:
                self.reads[site.id] = flow.reads[0]
            if flow == Flow(phis=flow.phis[:1]) and flow.phis:
                self.copies[site.id] = flow.phis[0]


def resolve(trace: Trace) -> tuple[dict[int, int], dict[int, Certainty]]:
    """The source of each write and deletion that has one (seq to seq), and how sure that is."""
    sites = trace.sites
    lookups = Lookups(sites.values())
    remembered, only_read, copies, unknown = lookups.remembered, lookups.reads, lookups.copies, lookups.unknown
    sources: dict[int, int] = {}
    certainties: dict[int, Certainty] = {}
    activations: dict[int, Activation] = {}  # frame address
    latest: dict[int, dict[int, int]] = {}  # thread: location: its latest read since its own last write there
    absent: dict[tuple[int, int], Event] = {}  # frame and site: the newest read there that found nothing
    at = -1  # the frame that `activation` and `newest` belong to
    activation = Activation()
    newest = activation.newest
    read, write, delete = int(Kind.READ), int(Kind.WRITE), int(Kind.DELETE)
    enter, define, elsewhere = int(Kind.ENTER), int(Kind.DEFINE), int(Kind.ELSEWHERE)
    proven, inferred = Certainty.PROVEN, Certainty.INFERRED

    for event in trace.events:
        seq, _, thread, site, kind, location, _, frame = event
        if frame != at:
            at = frame
            if frame in activations:
                activation = activations[frame]
            else:
                activation = activations[frame] = Activation()
            newest = activation.newest
        if kind == read:
            if site in remembered:
                newest[site] = event
            if event[6] is ABSENT:
                absent[frame, site] = event
            if unknown:
                if thread in latest:
                    latest[thread][location] = seq
                else:
                    latest[thread] = {location: seq}
        elif kind in (write, delete):
            if site in only_read:
                source = newest.get(only_read[site])
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
                    found, sure, opaque = activation.source(site, location, flow)
                    if found < 0 and opaque and thread in latest:
                        found = latest[thread].get(location, -1)
                    if found >= 0:
                        sources[seq] = found
                        certainties[seq] = proven if sure else inferred
            if site in remembered:
                newest[site] = event
            if unknown and thread in latest:
                latest[thread].pop(location, None)
        elif kind == enter:
            activation = activations[frame] = Activation()
            newest = activation.newest
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
                    activation.define(where.phi, where.flow)
    return sources, certainties
