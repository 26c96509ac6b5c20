"""Hand-built recordings: a program's text and what its threads did, event by event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from opcodetrace.analyse.happens_before import Operations, orders
from opcodetrace.analyse.lockset import Judge, holding, tightest
from opcodetrace.explain.interleaving import SyncSteps, hand_over, interleave, lanes_of
from opcodetrace.findings import KINDS
from opcodetrace.findings.lost_update import LOST_UPDATE, LOST_WRITE, OVERWRITING_WRITE, SOURCE_READ, STALE_READ
from opcodetrace.trace.event import Event, EventKind, Value
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, Finding, FindingGroup, Severity, Tally
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import Protected, RunReport, Story, UnwovenFunction, WatchedLocation
from opcodetrace.trace.run import Thread, Truncation
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject
from tests.analyse.synchronised import Waits

PATH = "/home/ada/counter.py"


@dataclass
class Recorded(Waits):
    """A run in the making; each call adds an event and gives its seq."""

    source: str
    label: str = "counter[0]"
    free_threaded: bool = False
    names: tuple[str, ...] = ("MainThread", "Thread-1 (increment)", "Thread-2 (increment)")
    path: str = PATH
    expression: str | None = None  # the label as the source writes it, if that differs
    event_list: list[Event] = field(default_factory=list)
    switch_list: list[Switch] = field(default_factory=list)
    sites: dict[int, StoredSite] = field(default_factory=dict)
    rows: list[Synchronisation] = field(default_factory=list)
    objects: dict[int, SyncObject] = field(default_factory=dict)
    seq: int = 100

    def at(self, line: int, operation: str, expression: str, computed: str | None = None) -> int:
        """The site of an instruction."""
        site = StoredSite(
            id=len(self.sites),
            path=self.path,
            line=line,
            column=0,
            end_line=line,
            end_column=1,
            function="increment",
            operation=operation,
            opcode={"LOAD_SUBSCR": "BINARY_SUBSCR"}.get(operation, operation),
            expression=expression,
            computed=computed,
            source_line=self.source.split("\n")[line - 1].strip(),
        )
        for known in self.sites.values():
            if replace(known, id=site.id) == site:
                return known.id
        self.sites[site.id] = site
        return site.id

    def event(self, thread: int, kind: EventKind, site: int, value: Value, width: int = 0, location: int = 0) -> int:
        self.seq += 1
        self.event_list.append(Event(self.seq, self.seq - width, thread, site, kind, location, value, 1000 + thread))
        return self.seq

    def read(self, thread: int, line: int, value: Value, width: int = 0) -> int:
        return self.event(thread, EventKind.READ, self.at(line, self._operation("LOAD"), self._cell), value, width)

    def write(self, thread: int, line: int, value: Value, width: int = 0, computed: str | None = "BINARY_ADD") -> int:
        site = self.at(line, self._operation("STORE"), self._cell, computed)
        return self.event(thread, EventKind.WRITE, site, value, width)

    def elsewhere(self, thread: int, times: int) -> None:
        """Accesses to another location."""
        site = self.at(1, "LOAD_GLOBAL", "log")
        for _ in range(times):
            self.event(thread, EventKind.READ, site, None, location=1)

    def switch(
        self, one: int, other: int, line: int | None = None, expression: str | None = None, callee: str | None = None,
        reason: Reason | None = None, opcode: str = "CALL",
    ) -> None:  # fmt: skip
        self.seq += 1
        place = None if line is None else SwitchPlace(0, "increment", line, opcode, 20, expression)
        self.switch_list.append(Switch(self.seq, one, other, place, callee, reason))

    def yielded(self, one: int, other: int, line: int) -> None:
        self.switch(one, other, line, "sleep(0)", "time.sleep", Reason.YIELDED)

    def call(self, line: int, expression: str) -> int:
        """The site of a call."""
        return self.at(line, "CALL", expression)

    @property
    def _cell(self) -> str:
        return self.expression or self.label.removeprefix("global ").removeprefix("cell ")

    def _operation(self, verb: str) -> str:
        if self.label.startswith("global "):
            return f"{verb}_GLOBAL"
        if self.label.startswith("cell "):
            return f"{verb}_DEREF"
        return f"{verb}_SUBSCR" if self.label.endswith("]") else f"{verb}_ATTR"

    # What a Recording answers.

    def events(self, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        return [
            event
            for event in self.event_list
            if first <= event.seq <= last and (locations is None or event.location in locations)
        ]

    def count_events(self, first: int, last: int, locations: Collection[int] | None = None) -> int:
        return sum(event.location >= 0 for event in self.events(first, last, locations))

    def switches(self, first: int, last: int) -> list[Switch]:
        return [switch for switch in self.switch_list if first <= switch.seq <= last]

    def stack(self, seq: int) -> list[int]:
        return []

    # What becomes of it.

    @property
    def threads(self) -> tuple[Thread, ...]:
        return tuple(
            Thread(number, name, 140000 + number, 4000 + number, None, 0, self.seq, True)
            for number, name in enumerate(self.names)
        )

    @property
    def location(self) -> Location:
        events = [event for event in self.event_list if event.location == 0]
        reads = sum(event.kind == EventKind.READ for event in events)
        return Location(
            0, LocationKind.ITEM, "list", 0, self.label, True, reads, len(events) - reads,
            len({event.thread for event in events}),
        )  # fmt: skip

    def lost(
        self, lost: int, source_read: int | None = None, by: int | None = None, read: int | None = None,
        certainty: Certainty = Certainty.PROVEN, severity: Severity = Severity.HAPPENED,
    ) -> Finding:  # fmt: skip
        roles = {SOURCE_READ: source_read, STALE_READ: read, LOST_WRITE: lost, OVERWRITING_WRITE: by}
        played = {role: seq for role, seq in roles.items() if seq is not None}
        return Finding(LOST_UPDATE.name, severity, certainty, played, (0,))

    def story(self, found: Finding, count: int = 1) -> Story:
        events = {event.seq: event for event in self.event_list}
        lanes = {lane.thread: lane for lane in lanes_of(self.threads)}
        kind = KINDS[found.kind]
        told = interleave(
            found, kind, self.location, self, self.sites, lanes, self.free_threaded, self._steps if self.rows else None
        )
        seqs: defaultdict[int, list[int]] = defaultdict(list)
        for role in (LOST_WRITE, OVERWRITING_WRITE, SOURCE_READ, STALE_READ):
            if role in found.roles and self.rows:
                seqs[events[found.roles[role]].thread].append(found.roles[role])
        locks = self._judge.locks
        held = [holding(Update(0, thread, min(of), max(of)), locks) for thread, of in seqs.items()]
        sites = {role: self.sites[events[seq].site] for role, seq in found.roles.items()}
        return Story(
            kind, found.severity, found.certainty, self.label, count, 1, (self.label,), sites, told, tuple(held),
            "f00d",
        )  # fmt: skip

    @property
    def _steps(self) -> SyncSteps:
        return SyncSteps(Operations(self.rows), self.objects, self.sites)

    @property
    def _judge(self) -> Judge:
        operations = Operations(self.rows)
        found = orders(
            self.rows, operations, self.objects, self.threads, begun=True, free_threaded=self.free_threaded,
            waits_to_the_end=lambda join: True,
        )  # fmt: skip
        return Judge(self.rows, self.objects, operations, found, self.threads)

    def protected(self, shown: bool = True) -> Protected:
        """Of a run in which a thread's last read flows into its write."""
        updates, reads = [], dict[int, int]()
        for event in self.event_list:
            if event.location == 0 and event.kind == EventKind.READ:
                reads[event.thread] = event.seq
            elif event.location == 0:
                updates.append(Update(0, event.thread, reads.pop(event.thread, event.seq), event.seq))
        judge = self._judge
        verdict = judge.verdict(updates)
        assert verdict is not None
        pair = tightest(updates, judge.woken)
        assert pair is not None
        lanes = {lane.thread: lane for lane in lanes_of(self.threads)}
        told = hand_over(
            *pair, self.location, self, self.sites, lanes, self._steps, self.free_threaded,
            judge.span(verdict, *pair),
        )  # fmt: skip
        return Protected(self.label, 1, verdict, told if shown else None)

    def watched(
        self, low: int, high: int | None = None, overwriters: int = 1, exhausted: bool = False
    ) -> WatchedLocation:
        location = self.location
        tally = Tally(LOST_UPDATE.name, low, low if high is None else high, overwriters, exhausted)
        return WatchedLocation(
            self.label, 1, location.reads, location.writes, location.threads, (tally,) if tally.high else ()
        )

    def report(
        self,
        stories: Collection[Story] = (),
        watched: Collection[WatchedLocation] = (),
        *,
        more: Collection[FindingGroup] = (),
        unwoven: Collection[UnwovenFunction] = (),
        unseen: int = 0,
        missed: int = 0,
        holes: int = 0,
        truncated: Truncation | None = None,
        truncated_seq: int | None = None,
        exit_code: int | None = 0,
        signal: int | None = None,
        notes: tuple[str, ...] = (),
        protected: Collection[Protected] = (),
    ) -> RunReport:
        info = RunInfo(
            "2026-11-22T16:00:00+00:00", self.path, (), "3.13.1", "3.13.1 (main)", not self.free_threaded, None,
            "/home/ada",
        )  # fmt: skip
        by_kind: defaultdict[str, list[Tally]] = defaultdict(list)
        for tally in (tally for each in watched for tally in each.found):
            by_kind[tally.kind].append(tally)
        found = [
            Tally(
                kind, sum(each.low for each in of), sum(each.high for each in of), sum(each.causes for each in of),
                any(each.exhausted for each in of),
            )
            for kind, of in by_kind.items()
        ]  # fmt: skip
        run = StoredRun(
            id=1, info=info, outcome=Outcome(exit_code, signal, 0.25), threads=len(self.names),
            records=self.seq + 1, accesses=len(self.event_list), stored=len(self.event_list),
            switches=len(self.switch_list), lost=sum(each.low for each in found if each.kind == LOST_UPDATE.name),
            lost_at_most=sum(each.high for each in found if each.kind == LOST_UPDATE.name), unseen=unseen,
            missed=missed, holes=holes,
            truncated=truncated, truncated_seq=truncated_seq, births=True, functions=3, notes=notes,
            found=tuple(found),
        )  # fmt: skip
        return RunReport(
            run, self.threads, lanes_of(self.threads), KINDS, tuple(watched), tuple(stories), tuple(more),
            tuple(unwoven), tuple(protected), objects=self.objects,
        )  # fmt: skip
