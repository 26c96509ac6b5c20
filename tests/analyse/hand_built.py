"""Traces written by hand, one event a call."""

from __future__ import annotations

from opcodetrace.analyse.evidence import Evidence, gather
from opcodetrace.trace.event import ABSENT, Event, EventKind, Value
from opcodetrace.trace.site import Flow, Operation, Site
from tests.analyse.programs import trace_of
from tests.traces import make_site

READ, WRITE, ADD, DELETE, ENTER = range(5)  # sites: `ADD` stores what `READ` read and something more; `WRITE` is blind
SITES = [
    make_site(READ, Operation.LOAD_SUBSCR),
    make_site(WRITE, Operation.STORE_SUBSCR, Flow()),
    make_site(ADD, Operation.STORE_SUBSCR, Flow(reads=(READ,))),
    make_site(DELETE, Operation.DELETE_SUBSCR),
    make_site(ENTER, Operation.ENTER),
]


class Story:
    """Events in the order of the calls; each call gives the event's seq."""

    def __init__(self, *sites: Site) -> None:
        """`sites` are beside, or in place of, SITES."""
        self.sites = {one.id: one for one in (*SITES, *sites)}
        self.events: list[Event] = []

    def event(
        self,
        kind: EventKind,
        thread: int,
        site: int,
        value: Value,
        location: int,
        frame: int | None,
        earliest: int | None,
    ) -> int:
        seq = len(self.events)
        frame = 1000 + thread if frame is None else frame
        earliest = seq if earliest is None else earliest
        self.events.append(Event(seq, earliest, thread, site, kind, location, value, frame))
        return seq

    def read(
        self,
        thread: int,
        value: Value,
        site: int = READ,
        location: int = 0,
        frame: int | None = None,
        earliest: int | None = None,
    ) -> int:
        return self.event(EventKind.READ, thread, site, value, location, frame, earliest)

    def write(
        self,
        thread: int,
        value: Value,
        site: int = ADD,
        location: int = 0,
        frame: int | None = None,
        earliest: int | None = None,
    ) -> int:
        return self.event(EventKind.WRITE, thread, site, value, location, frame, earliest)

    def delete(self, thread: int, site: int = DELETE, frame: int | None = None) -> int:
        return self.event(EventKind.DELETE, thread, site, ABSENT, 0, frame, None)

    def enter(self, thread: int, frame: int | None = None) -> int:
        return self.event(EventKind.ENTER, thread, ENTER, ABSENT, -1, frame, None)

    def define(self, thread: int, site: int, frame: int | None = None) -> int:
        return self.event(EventKind.DEFINE, thread, site, ABSENT, -1, frame, None)

    def gather(self, uncertain: tuple[int, ...] = ()) -> Evidence:
        return gather(trace_of(self.events, self.sites.values(), uncertain))


def pairs(findings: Evidence) -> list[tuple[int, int | None]]:
    """Each lost write and what overwrote it, by their seqs."""
    return [(row.lost, row.overwritten_by) for row in findings.lost]
