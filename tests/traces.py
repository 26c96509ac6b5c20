"""Runs made by hand, as ingest and the analysis would give them."""

from __future__ import annotations

from collections.abc import Sequence

from opcodetrace.findings import KINDS
from opcodetrace.findings.grouping import grouped
from opcodetrace.findings.lost_update import LOST_UPDATE
from opcodetrace.findings.unseen_write import UNSEEN_WRITE
from opcodetrace.trace.event import Event, EventKind, Value
from opcodetrace.trace.events import Events, Sources
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, Count, Finding, Findings, Severity
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import Module, Thread, Trace
from opcodetrace.trace.site import EARLIER, Code, Flow, Site, SourceFile, SwitchPoint
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject


def make_site(
    number: int,
    operation: str,
    flow: Flow | None = None,
    phi: int | None = None,
    *,
    line: int | None = 1,
    columns: tuple[int, int] | None = None,
    name: str | None = None,
    offset: int | None = None,
) -> Site:
    column, end_column = columns or (None, None)
    return Site(
        id=number,
        operation=operation,
        opcode=operation,
        offset=number * 2 if offset is None else offset,
        line=line,
        end_line=line,
        column=column,
        end_column=end_column,
        name=name,
        flow=flow,
        phi=phi,
        computed=None,
    )


def make_code(
    *sites: Site, number: int = 0, file: int = 0, function: str = "work", points: tuple[SwitchPoint, ...] = ()
) -> Code:
    return Code(id=number, file=file, function=function, first_line=1, sites=sites, switch_points=points)


INFO = RunInfo(
    started_at="2026-11-22T16:00:00+00:00",
    script="bank.py",
    argv=("--fast", "ü"),
    python="3.13.0",
    implementation="3.13.0 (main)",
    gil=True,
    switch_interval=1e-5,
    cwd="/home/me",
)
OUTCOME = Outcome(exit_code=3, signal=None, duration=1.25, stdout_sha256="ab", stdout_tail="done")
FILE = SourceFile(4, "/home/me/bank.py", "bank", b"# \xc3\xbc\ncounter[0] += 1\n")
LATIN = SourceFile(5, "/home/me/old.py", "old", b"# coding: latin-1\nname['\xfc'] = 1\n")
LOAD, STORE, ADD, ENTER = 10, 11, 12, 13
WORK = make_code(
    make_site(LOAD, "LOAD_SUBSCR", line=2, columns=(0, 10)),
    make_site(STORE, "STORE_SUBSCR", line=2, columns=(0, 10)),
    make_site(ADD, "BINARY_ADD", line=2, columns=(0, 15)),
    make_site(ENTER, "ENTER", line=1),
    make_site(99, "LOAD_ATTR", line=1),  # nothing refers to it
    file=4,
)
HARD = Code(7, 5, "hard", 2, (), (), "too hard")
PLACE = SwitchPlace(file=4, function="work", line=2, opcode="JUMP_BACKWARD", offset=40, expression="counter[0]")
LOCATION = Location(3, LocationKind.ITEM, "list", 0, "counter[0]", True, 2, 2, 2)
SWITCHES = [
    Switch(2, 0, 1, PLACE, None, Reason.PREEMPTED),
    Switch(5, 1, 0, None, "time.sleep", Reason.BLOCKED),
    Switch(9, 0, 1, None, None, None),
]
THREADS = [
    Thread(0, "MainThread", (1 << 64) - 5, 41, None, 0, 8, False),
    Thread(1, None, 140, 42, 0, 1, 7, True),
]


def lost_increment(value: Value = 1) -> list[Event]:
    """Both threads read 0 and write what they computed; the write of thread 0 is lost."""
    return [
        Event(0, 0, 0, ENTER, EventKind.ENTER, -1, 0, 0),
        Event(1, 1, 0, LOAD, EventKind.READ, 3, 0, 0),
        Event(3, 3, 1, LOAD, EventKind.READ, 3, 0, 1),
        Event(4, 4, 0, ADD, EventKind.COMPUTE, -1, 1, 0),
        Event(6, 5, 0, STORE, EventKind.WRITE, 3, value, 0),
        Event(8, 8, 1, STORE, EventKind.WRITE, 3, value, 1),
    ]


def make_trace(events: Sequence[Event] | None = None, *, switches: Sequence[Switch] = SWITCHES) -> Trace:
    stored = list(lost_increment() if events is None else events)
    return Trace(
        free_threaded=False,
        threads=THREADS,
        files=[FILE, LATIN],
        codes=[WORK, HARD],
        sites={site.id: site for site in WORK.sites},
        site_codes={site.id: WORK for site in WORK.sites},
        locations={LOCATION.id: LOCATION},
        events=Events.of(stored),
        switches=list(switches),
        records=20,
        accesses=9,
        stored=4,
        missed=1,
        holes=2,
        truncated=None,
        truncated_seq=None,
        births=True,
        notes=["a remark"],
        sync_objects=[SyncObject(1, "_thread.lock", "lock")],
        synchronisation=[
            Synchronisation(9, 9, 0, None, None, "start", False, False, None, None, started=1),
            Synchronisation(12, 10, 1, LOAD, 1, "acquire", False, False, 0.25, 0, woken_by=0),
        ],
        modules=[Module("bank", 4, 1, 0), Module("old", 5, 0, 1), Module("os", None, 0, 0, EARLIER)],
    )


LOST = Finding(
    LOST_UPDATE.name,
    Severity.HAPPENED,
    Certainty.PROVEN,
    {"source read": 1, "stale read": 3, "lost write": 6, "overwriting write": 8},
    (3,),
)
UNSEEN = Finding(UNSEEN_WRITE.name, Severity.HAPPENED, Certainty.PROVEN, {"read": 3}, (3,))


def findings_of(trace: Trace, found: Sequence[Finding], counts: Sequence[Count] = ()) -> Findings:
    """As the kinds give them."""
    group_of, groups = grouped(KINDS, found, trace)
    places = trace.events.places([1, 3, 6, 8])
    made_of = {6: 1, 8: 3} if len(places) == 4 else {}
    sources = Sources.of(trace.events, made_of, {6: Certainty.PROVEN, 8: Certainty.INFERRED})
    return Findings(found, group_of, groups, counts, sources, uncertain_locations=5)


FINDINGS = findings_of(make_trace(), [LOST, UNSEEN], [Count(LOST.kind, 3, 1, 2, 1, True), Count(UNSEEN.kind, 3, 1, 1)])


def no_findings(trace: Trace) -> Findings:
    return Findings([], [], [], [], Sources.none(trace.events))
