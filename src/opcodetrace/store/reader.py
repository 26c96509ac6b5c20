"""Runs out of a trace file."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from opcodetrace.errors import RunNotFound
from opcodetrace.store.connection import Connection
from opcodetrace.store.stored_value import MAX_INTEGER, from_sql
from opcodetrace.store.trace_file import told
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, Count, Finding, FindingGroup, Severity, Tally
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import MergedLanes, Thread, Truncation
from opcodetrace.trace.source_text import SourceText
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.switch import Awaiting, Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject

RUNS = """
    SELECT runs.*,
        (SELECT count(DISTINCT name) FROM modules WHERE run_id = runs.id AND file_id IS NOT NULL) AS modules,
        (SELECT count(*) FROM unwoven WHERE run_id = runs.id) AS unwoven
    FROM runs"""

MAX_LABELS = 10  # of a group's locations that are named
LABELS_OF_GROUP = f"""
    SELECT label, count(*) AS findings FROM findings JOIN locations ON locations.id = location_id
    WHERE group_id = ? GROUP BY label ORDER BY findings DESC, min(findings.id) LIMIT {MAX_LABELS}"""


class Reader(Connection):
    """Reads runs and what belongs to them; seqs are inclusive at both ends."""

    def runs(self) -> list[StoredRun]:
        tallies = self._tallies()
        return [_stored_run(row, tallies.get(row["id"], ())) for row in self._rows(f"{RUNS} ORDER BY id")]

    def run(self, number: int | None = None) -> StoredRun:
        """The run with this number; the latest if none is given."""
        sql = f"{RUNS} ORDER BY id DESC LIMIT 1" if number is None else f"{RUNS} WHERE id = ?"
        for row in self._rows(sql, *([] if number is None else [number])):
            return _stored_run(row, self._tallies(row["id"]).get(row["id"], ()))
        held = self._one("SELECT count(*) AS runs, min(id) AS first, max(id) AS last FROM runs")
        if not held["runs"]:
            raise RunNotFound(f"{self.path} holds no runs; record one first: opcodetrace record -d {self.path} SCRIPT")
        known = f"run {held['first']}" if held["runs"] == 1 else f"runs {held['first']} to {held['last']}"
        raise RunNotFound(f"{self.path} holds no run {number}; it holds {known}")

    def threads(self, run_id: int) -> list[Thread]:
        return [
            Thread(
                thread=row["thread"],
                name=row["name"],
                ident=_unsigned(row["ident"]),
                native_id=_unsigned(row["native_id"]),
                started_by=row["started_by"],
                first_seq=row["first_seq"],
                last_seq=row["last_seq"],
                ended=bool(row["ended"]),
                task_of=row["task_of"],
            )
            for row in self._rows("SELECT * FROM threads WHERE run_id = ? ORDER BY thread", run_id)
        ]

    def locations(self, run_id: int) -> dict[int, Location]:
        return {
            row["id"]: Location(
                id=row["id"],
                kind=LocationKind(row["kind"]),
                container_type=row["container_type"],
                key=from_sql(row["key"], row["key_type"]),
                label=row["label"],
                certain=bool(row["certain"]),
                reads=row["reads"],
                writes=row["writes"],
                threads=row["threads"],
            )
            for row in self._rows("SELECT * FROM locations WHERE run_id = ? ORDER BY id", run_id)
        }

    def sites(self, run_id: int) -> dict[int, StoredSite]:
        """The sites that the run refers to, with their source."""
        sql = """
            SELECT site.*, file.path FROM run_sites JOIN sites AS site ON site.id = run_sites.site_id
            JOIN files AS file ON file.id = site.file_id WHERE run_sites.run_id = ? ORDER BY site.id"""
        texts: dict[int, SourceText] = {}
        sites = {}
        for row in self._rows(sql, run_id):
            file = row["file_id"]
            if file not in texts:
                texts[file] = SourceText(self._source(file))
            sites[row["id"]] = StoredSite(
                id=row["id"],
                path=row["path"],
                line=row["line"],
                column=row["column"],
                end_line=row["end_line"],
                end_column=row["end_column"],
                function=row["function"],
                operation=row["operation"],
                opcode=row["opcode"],
                expression=row["expression"],
                computed=row["computed"],
                source_line=texts[file].line(row["line"]),
            )
        return sites

    def _source(self, file: int) -> bytes:
        source: str | bytes = self._one("SELECT source FROM files WHERE id = ?", file)["source"]
        return source.encode() if isinstance(source, str) else source

    def source(self, run_id: int, path: str) -> bytes | None:
        """A source file as the run saw it; None if no site of the run lies in it."""
        sql = """
            SELECT file_id FROM run_sites JOIN sites ON sites.id = site_id JOIN files ON files.id = file_id
            WHERE run_id = ? AND path = ? LIMIT 1"""
        for row in self._rows(sql, run_id, path):
            return self._source(row["file_id"])
        return None

    def _rows_of_events(self, run_id: int, first: int, last: int) -> tuple[int, int]:
        """The rowids of the run's events from seq `first` to `last`: those from one on, below the other."""
        sql = "SELECT first_event, first_event + events FROM runs WHERE id = ?"
        found: tuple[int, int] | None = self._connection.execute(sql, (run_id,)).fetchone()
        if found is None:
            return 0, 0
        rows = range(*found)

        def seq(row: int) -> int:
            return int(self._connection.execute("SELECT seq FROM events WHERE rowid = ?", (row,)).fetchone()[0])

        return rows.start + bisect_left(rows, first, key=seq), rows.start + bisect_right(rows, last, key=seq)

    def events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        """The events from `first` to `last`, both among them: of all locations with what was computed, or of some."""
        sql = f"""
            SELECT
                seq, coalesce(earliest, seq), thread, site_id, kind, coalesce(location_id, -1), value, value_type, frame
            FROM events WHERE rowid >= ? AND rowid < ? {_of(locations)} ORDER BY rowid"""
        with told(self.path):
            rows = self._connection.execute(sql, self._rows_of_events(run_id, first, last))
            return [
                Event(
                    seq,
                    earliest,
                    thread,
                    site,
                    kind,
                    location,
                    value if value_type is None and value is not None else from_sql(value, value_type),
                    frame,
                )
                for seq, earliest, thread, site, kind, location, value, value_type, frame in rows
            ]

    def count_events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> int:
        """How many accesses there are from `first` to `last`, both among them."""
        sql = f"""
            SELECT count(*) AS accesses FROM events
            WHERE rowid >= ? AND rowid < ? AND location_id IS NOT NULL {_of(locations)}"""
        with told(self.path):
            return int(self._one(sql, *self._rows_of_events(run_id, first, last))["accesses"])

    def stack(self, run_id: int, seq: int) -> list[int]:
        """The sites of the calls that led to the event `seq`, the newest first; none if calls were not recorded."""
        sql = """
            WITH RECURSIVE stack (depth, call_site_id, caller_seq) AS (
                SELECT 0, call.call_site_id, call.caller_seq FROM events AS event JOIN calls AS call
                ON call.run_id = event.run_id AND call.frame = event.frame AND call.seq = (
                    SELECT max(seq) FROM calls
                    WHERE calls.run_id = event.run_id AND calls.frame = event.frame AND calls.seq < event.seq)
                WHERE event.rowid = :event
                UNION ALL
                SELECT depth + 1, call.call_site_id, call.caller_seq FROM stack JOIN calls AS call
                ON call.run_id = :run AND call.seq = stack.caller_seq
            )
            SELECT call_site_id FROM stack WHERE call_site_id IS NOT NULL ORDER BY depth"""
        with told(self.path):
            event, _ = self._rows_of_events(run_id, seq, seq)
            return [site for (site,) in self._connection.execute(sql, {"run": run_id, "event": event})]

    def switches(self, run_id: int, first: int, last: int) -> list[Switch]:
        sql = """
            SELECT switch.*, site.file_id, site.function, site.line, site.opcode, site."offset", site.expression
            FROM switches AS switch LEFT JOIN sites AS site ON site.id = switch.site_id
            WHERE run_id = ? AND seq BETWEEN ? AND ? ORDER BY seq"""
        return [
            Switch(
                seq=row["seq"],
                from_thread=row["from_thread"],
                to_thread=row["to_thread"],
                place=None
                if row["site_id"] is None
                else SwitchPlace(
                    file=row["file_id"],
                    function=row["function"],
                    line=row["line"],
                    opcode=row["opcode"],
                    offset=row["offset"],
                    expression=row["expression"],
                ),
                callee=row["callee"],
                reason=row["reason"] and Reason(row["reason"]),
                awaited_by=tuple(Awaiting(*each) for each in json.loads(row["awaited_by"] or "[]")),
            )
            for row in self._rows(sql, run_id, first, last)
        ]

    def count_synchronisation(self, run_id: int) -> int:
        return int(self._one("SELECT count(*) AS rows FROM synchronisation WHERE run_id = ?", run_id)["rows"])

    def synchronisation(self, run_id: int) -> list[Synchronisation]:
        """What the threads did to wait for each other, in order."""
        sql = """
            SELECT seq, earliest, thread, site_id, sync_object_id, operation, begins, failed, waited, holder, woken_by,
                inside_seq, started
            FROM synchronisation WHERE run_id = ? ORDER BY seq"""
        with told(self.path):
            return list(map(Synchronisation._make, self._connection.execute(sql, (run_id,))))

    def sync_objects(self, run_id: int) -> dict[int, SyncObject]:
        return {
            row["id"]: SyncObject(row["id"], row["type"], row["label"])
            for row in self._rows("SELECT * FROM sync_objects WHERE run_id = ? ORDER BY id", run_id)
        }

    def updates(self, run_id: int, locations: Collection[int]) -> list[Update]:
        """The updates of some locations, each with the seq at which its value was read; in the order of the writes."""
        sql = f"""
            SELECT location_id, thread, coalesce(source_seq, seq), seq,
                source_seq IS NULL OR certainty = '{Certainty.PROVEN.value}'
            FROM events
            WHERE rowid >= ? AND rowid < ? AND kind IN ({EventKind.WRITE:d}, {EventKind.DELETE:d}) {_of(locations)}
            ORDER BY rowid"""
        with told(self.path):
            rows = self._rows_of_events(run_id, 0, MAX_INTEGER)
            return list(map(Update._make, self._connection.execute(sql, rows)))

    def unwoven(self, run_id: int) -> list[UnwovenFunction]:
        sql = """
            SELECT unwoven.*, file.path FROM unwoven JOIN files AS file ON file.id = file_id
            WHERE run_id = ? ORDER BY path, line, function"""
        return [
            UnwovenFunction(row["function"], row["path"], row["line"], row["reason"]) for row in self._rows(sql, run_id)
        ]

    def counts(self, run_id: int) -> list[Count]:
        """How many findings of each kind there are at each location."""
        sql = "SELECT * FROM finding_counts WHERE run_id = ? ORDER BY kind, location_id"
        return [
            Count(
                kind=row["kind"],
                location=row["location_id"],
                low=row["low"],
                high=row["high"],
                causes=row["causes"],
                exhausted=bool(row["exhausted"]),
            )
            for row in self._rows(sql, run_id)
        ]

    def _tallies(self, run_id: int | None = None) -> dict[int, tuple[Tally, ...]]:
        """How many findings of each kind, by run."""
        sql = f"""
            SELECT run_id, kind, sum(low) AS low, sum(high) AS high, sum(causes) AS causes, max(exhausted) AS exhausted
            FROM finding_counts {"" if run_id is None else "WHERE run_id = ?"} GROUP BY run_id, kind"""
        tallies: defaultdict[int, list[Tally]] = defaultdict(list)
        for row in self._rows(sql, *([] if run_id is None else [run_id])):
            tally = Tally(row["kind"], row["low"], row["high"], row["causes"], bool(row["exhausted"]))
            tallies[row["run_id"]].append(tally)
        return {run: tuple(each) for run, each in tallies.items()}

    def finding_groups(self, run_id: int) -> list[FindingGroup]:
        """Findings that are alike, each group with the one whose events span the fewest records; the largest first."""
        # with min(), SQLite takes the other columns from the row of the minimum
        sql = """
            SELECT finding_group.*, count(*) AS findings, count(DISTINCT location_id) AS locations,
                finding.id AS example, min(last_seq - first_seq) AS span, certainty, location_id
            FROM finding_groups AS finding_group JOIN findings AS finding ON finding.group_id = finding_group.id
            WHERE finding_group.run_id = ? GROUP BY finding_group.id ORDER BY findings DESC, finding_group.id"""
        groups = []
        for row in list(self._rows(sql, run_id)):
            roles = {
                each["role"]: each["seq"]
                for each in self._rows("SELECT role, seq FROM finding_events WHERE finding_id = ?", row["example"])
            }
            places = self._places(run_id, roles.values())
            groups.append(
                FindingGroup(
                    kind=row["kind"],
                    severity=Severity(row["severity"]),
                    certainty=Certainty(row["certainty"]),
                    fingerprint=row["fingerprint"],
                    count=row["findings"],
                    locations=row["locations"],
                    labels=tuple(each["label"] for each in self._rows(LABELS_OF_GROUP, row["id"])),
                    sites={role: places[seq][1] for role, seq in roles.items() if seq in places},
                    example=self._finding(row, roles),
                    threads={seq: thread for seq, (thread, _) in places.items()},
                )
            )
        return groups

    def _finding(self, row: Mapping[str, Any], roles: Mapping[str, int]) -> Finding:
        further = "SELECT location_id FROM finding_locations WHERE finding_id = ? ORDER BY location_id"
        locks = "SELECT sync_object_id FROM finding_locks WHERE finding_id = ? ORDER BY sync_object_id"
        first = () if row["location_id"] is None else (row["location_id"],)
        return Finding(
            kind=row["kind"],
            severity=Severity(row["severity"]),
            certainty=Certainty(row["certainty"]),
            roles=roles,
            locations=(*first, *(each["location_id"] for each in self._rows(further, row["example"]))),
            locks=tuple(each["sync_object_id"] for each in self._rows(locks, row["example"])),
        )

    def _places(self, run_id: int, seqs: Iterable[int]) -> dict[int, tuple[int, int]]:
        """The thread and the site of events, or of synchronisation, by seq."""
        sql = """
            SELECT seq, thread, site_id FROM events WHERE rowid >= :first AND rowid < :end
            UNION ALL SELECT seq, thread, site_id FROM synchronisation
            WHERE run_id = :run AND seq = :seq AND site_id IS NOT NULL"""
        places: dict[int, tuple[int, int]] = {}
        with told(self.path):
            for seq in seqs:
                first, end = self._rows_of_events(run_id, seq, seq)
                asked = {"run": run_id, "seq": seq, "first": first, "end": end}
                for _, thread, site in self._connection.execute(sql, asked):
                    places.setdefault(seq, (thread, site))
        return places


def _stored_run(row: Mapping[str, Any], found: tuple[Tally, ...]) -> StoredRun:
    return StoredRun(
        id=row["id"],
        info=RunInfo(
            started_at=row["started_at"],
            script=row["script"],
            argv=tuple(json.loads(row["argv"])),
            python=row["python"],
            implementation=row["implementation"],
            gil=bool(row["gil"]),
            switch_interval=row["switch_interval"],
            cwd=row["cwd"],
        ),
        outcome=Outcome(
            exit_code=row["exit_code"],
            signal=row["signal"],
            duration=row["duration"],
            recovered=bool(row["recovered"]),
            stdout_sha256=row["stdout_sha256"],
            stdout_tail=row["stdout_tail"],
        ),
        threads=row["threads"],
        records=row["records"],
        accesses=row["accesses"],
        stored=row["stored"],
        switches=row["switches"],
        lost=row["lost"],
        lost_at_most=row["lost_at_most"],
        unseen=row["unseen"],
        missed=row["missed"],
        holes=row["holes"],
        truncated=row["truncated"] and Truncation(row["truncated"]),
        truncated_seq=row["truncated_seq"],
        last=row["last"],
        let_go=row["let_go"],
        births=bool(row["births"]),
        functions=row["functions"],
        modules=row["modules"],
        unwoven=row["unwoven"],
        notes=tuple(json.loads(row["notes"])),
        found=found,
        tasks=row["tasks"],
        children=row["children"],
        merged=tuple(map(MergedLanes, json.loads(row["merged"]))),
    )


def _of(locations: Collection[int] | None) -> str:
    return "" if locations is None else f"AND location_id IN ({', '.join(str(int(each)) for each in locations)})"


def _unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
