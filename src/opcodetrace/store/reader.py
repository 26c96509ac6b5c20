"""Runs out of a trace file."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from typing import Any

from opcodetrace.errors import RunNotFound
from opcodetrace.store.connection import Connection
from opcodetrace.store.stored_value import MAX_INTEGER, from_sql
from opcodetrace.store.trace_file import told
from opcodetrace.store.writer import LOST_UPDATE, UNSEEN_WRITE
from opcodetrace.trace.event import Event, Kind
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, LostCount, LostUpdate, UnseenWrite
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import LostGroup, StoredRun, StoredSite, Thread, Truncation
from opcodetrace.trace.source_text import SourceText
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject

RUNS = """
    SELECT runs.*,
        (SELECT count(DISTINCT name) FROM modules WHERE run_id = runs.id AND file_id IS NOT NULL) AS modules,
        (SELECT count(*) FROM unwoven WHERE run_id = runs.id) AS unwoven
    FROM runs"""


class Reader(Connection):
    """Reads runs and what belongs to them; seqs are inclusive at both ends."""

    def runs(self) -> list[StoredRun]:
        return [_stored_run(row) for row in self._rows(f"{RUNS} ORDER BY id")]

    def run(self, number: int | None = None) -> StoredRun:
        """The run with this number; the latest if none is given."""
        sql = f"{RUNS} ORDER BY id DESC LIMIT 1" if number is None else f"{RUNS} WHERE id = ?"
        for row in self._rows(sql, *([] if number is None else [number])):
            return _stored_run(row)
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
        """A source file as the run saw it; None where no site of the run lies in it."""
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
        """The sites of the calls that led to the event `seq`, the newest first; none where calls were not recorded."""
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
        """The writes of some locations, with where what flowed into them was read; by seq."""
        sql = f"""
            SELECT location_id, thread, coalesce(source_seq, seq), seq,
                source_seq IS NULL OR certainty = '{Certainty.PROVEN.value}'
            FROM events WHERE rowid >= ? AND rowid < ? AND kind IN ({Kind.WRITE:d}, {Kind.DELETE:d}) {_of(locations)}
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

    def lost_counts(self, run_id: int) -> list[LostCount]:
        return [
            LostCount(row["location_id"], row["low"], row["high"], row["overwriters"], bool(row["exhausted"]))
            for row in self._rows("SELECT * FROM lost_counts WHERE run_id = ? ORDER BY location_id", run_id)
        ]

    def lost_groups(self, run_id: int) -> list[LostGroup]:
        """The lost updates by label and pair of source lines, the largest group first."""
        # with min(), SQLite takes the other columns from the row of the minimum
        sql = """
            SELECT label, site_id, overwriting_site_id, count(*) AS count, min(last_seq - first_seq) AS span,
                finding.id AS example
            FROM findings AS finding JOIN locations ON locations.id = location_id
            LEFT JOIN sites AS lost ON lost.id = site_id
            LEFT JOIN sites AS overwriting ON overwriting.id = overwriting_site_id
            WHERE finding.run_id = ? AND finding.kind = ?
            GROUP BY label, lost.file_id, lost.line, overwriting.file_id, overwriting.line
            ORDER BY count DESC, label, example"""
        return [
            LostGroup(
                label=row["label"],
                lost_site=row["site_id"],
                overwriting_site=row["overwriting_site_id"],
                count=row["count"],
                example=self._lost_update(row["example"]),
            )
            for row in list(self._rows(sql, run_id, LOST_UPDATE))
        ]

    def _lost_update(self, finding: int) -> LostUpdate:
        sql = """
            SELECT finding.location_id, finding.certainty, role, of.seq, events.thread
            FROM findings AS finding JOIN finding_events AS of ON of.finding_id = finding.id
            JOIN runs AS run ON run.id = finding.run_id
            JOIN events ON events.rowid = run.first_event + of.place WHERE finding.id = ?"""
        rows = {row["role"]: row for row in self._rows(sql, finding)}
        lost, overwriting = rows["lost"], rows.get("overwritten by", {})
        return LostUpdate(
            location=lost["location_id"],
            lost=lost["seq"],
            lost_thread=lost["thread"],
            source_read=rows.get("source read", {}).get("seq"),
            overwritten_by=overwriting.get("seq"),
            overwritten_by_thread=overwriting.get("thread"),
            read=rows.get("read", {}).get("seq"),
            certainty=Certainty(lost["certainty"]),
        )

    def unseen(self, run_id: int) -> list[UnseenWrite]:
        sql = "SELECT location_id, first_seq FROM findings WHERE run_id = ? AND kind = ? ORDER BY first_seq"
        return [UnseenWrite(row["location_id"], row["first_seq"]) for row in self._rows(sql, run_id, UNSEEN_WRITE)]


def _stored_run(row: Mapping[str, Any]) -> StoredRun:
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
        tasks=row["tasks"],
        children=row["children"],
    )


def _of(locations: Collection[int] | None) -> str:
    return "" if locations is None else f"AND location_id IN ({', '.join(str(int(each)) for each in locations)})"


def _unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
