"""The trace file: many runs in one SQLite file, each visible only when it is whole."""

from __future__ import annotations

import contextlib
import json
import operator
import os
import pathlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import sqlite_utils

from opcodetrace.errors import DatabaseError, RunNotFound
from opcodetrace.store import read_only, schema
from opcodetrace.store.site_rows import SiteRows
from opcodetrace.store.stored_value import MAX_INTEGER, columns_to_sql, from_sql, to_sql
from opcodetrace.store.trace_file import check_place, told, uri
from opcodetrace.trace.event import Event, Kind
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, Findings, LostCount, LostUpdate, UnseenWrite
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import LostGroup, StoredRun, StoredSite, Thread, Trace, Truncation
from opcodetrace.trace.source_text import SourceText
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject

LOST_UPDATE = "lost update"
UNSEEN_WRITE = "unseen write"
_plain = str.__str__  # of an enum's member: SQLite's binding would look for an adapter
WAIT = 300.0  # seconds that a writer waits for another one, and a reader for a commit
RUNS = """
    SELECT runs.*,
        (SELECT count(DISTINCT name) FROM modules WHERE run_id = runs.id AND file_id IS NOT NULL) AS modules,
        (SELECT count(*) FROM unwoven WHERE run_id = runs.id) AS unwoven
    FROM runs"""
CACHE_KIB = 65536  # what is written stays in memory up to here, so that readers wait for the commit alone


class Database:
    """A trace file.

    It keeps SQLite's rollback journal rather than a write-ahead log: a run is one transaction that appends, so each
    page is written once; the file stays a single one to copy; and where a writer is killed, the next opener rolls back.
    """

    def __init__(self, path: pathlib.Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._tables = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False, wait: float = WAIT) -> Database:
        """Open a trace file to read; with `create` also to write, and make it where there is none."""
        path = pathlib.Path(path)
        check_place(path, create=create)
        with told(path):
            mode = "rwc" if create else "rw"  # not "ro": the journal of a killed writer is to be rolled back
            connection = sqlite3.connect(uri(path, mode), uri=True, timeout=wait, isolation_level=None)
            try:
                database = cls(path, connection)
                database._check_schema(create=create)
            except BaseException:
                connection.close()
                raise
        return database

    def _check_schema(self, *, create: bool) -> None:
        names = self._tables.table_names()
        if names and not schema.is_trace_file(self._tables):
            raise DatabaseError(f"{self.path} is a database of another program; name another file with -d")
        if schema.is_newer(self._tables):
            raise DatabaseError(
                f"{self.path} has a newer schema than this opcodetrace knows; upgrade opcodetrace or name another file"
            )
        if not schema.migrations.pending(self._tables):
            return
        if not names and not create:
            raise DatabaseError(
                f"{self.path} holds no runs; record one first: opcodetrace record -d {self.path} SCRIPT"
            )
        with self._transaction():  # another recorder may do the same: what is pending is asked for again
            schema.migrations.apply(self._tables)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; waits for another writer first."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    # ---- writing

    def add_run(self, info: RunInfo, outcome: Outcome, trace: Trace, findings: Findings) -> int:
        """Store a run, in one transaction; gives its number."""
        with told(self.path):
            self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            with self._transaction():
                return self._add_run(info, outcome, trace, findings)

    def _add_run(self, info: RunInfo, outcome: Outcome, trace: Trace, findings: Findings) -> int:
        made = Counter(map(operator.attrgetter("site", "kind"), trace.events))
        events_at: Counter[int] = Counter()
        for (site, kind), count in made.items():
            if kind <= Kind.COMPUTE:
                events_at[site] += count
        run = self._insert("runs", _run_row(info, outcome, trace, findings) | {"events": events_at.total()})
        rows = SiteRows(self._connection, trace)
        site_rows = {site: rows.site(site) for site in events_at}
        location_rows = self._add_locations(run, trace)
        self._add_events(run, trace, findings, site_rows, location_rows)
        place_rows = self._add_switches(run, trace, rows) | self._add_synchronisation(run, trace, rows)
        place_rows |= self._add_calls(run, trace, rows)
        self._add_findings(run, trace, findings, site_rows, location_rows)
        events_of_row = Counter(dict.fromkeys(place_rows, 0))
        for site, count in events_at.items():
            events_of_row[site_rows[site]] += count
        self._insert_all("run_sites", ((run, site, count) for site, count in sorted(events_of_row.items())))
        self._insert_all(
            "unwoven",
            (
                (run, rows.file(code.file), code.function, code.first_line, code.unwoven)
                for code in trace.codes
                if code.unwoven is not None
            ),
        )
        self._insert_all(
            "modules",
            (
                (
                    *(run, each.name, None if each.file is None else rows.file(each.file)),
                    *(each.functions, each.unwoven, each.reason),
                )
                for each in trace.modules
            ),
        )
        self._insert_all(
            "threads",
            (
                (
                    *(run, each.thread, each.name, _signed(each.ident), _signed(each.native_id), each.started_by),
                    *(each.first_seq, each.last_seq, each.ended, each.task_of),
                )
                for each in trace.threads
            ),
        )
        return run

    def _insert(self, table: str, row: Mapping[str, object]) -> int:
        names, holes = ", ".join(row), ", ".join("?" * len(row))
        added = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", tuple(row.values()))
        return int(added.lastrowid or 0)

    def _insert_all(self, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Insert rows of all columns, in order."""
        width = len(self._connection.execute(f"SELECT * FROM {table} LIMIT 0").description)
        self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)

    def _next_id(self, table: str) -> int:
        (highest,) = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()
        return int(highest or 0) + 1

    def _add_locations(self, run: int, trace: Trace) -> dict[int, int]:
        rows = {location: row for row, location in enumerate(trace.locations, self._next_id("locations"))}
        self._insert_all(
            "locations",
            (
                (
                    *(rows[number], run, each.kind.value, each.container_type, *to_sql(each.key), each.label),
                    *(each.certain, each.reads, each.writes, each.threads),
                )
                for number, each in trace.locations.items()
            ),
        )
        return rows

    def _add_events(
        self,
        run: int,
        trace: Trace,
        findings: Findings,
        site_rows: Mapping[int, int],
        location_rows: Mapping[int, int],
    ) -> None:
        events = [event for event in trace.events if event.kind <= Kind.COMPUTE]
        certainties = {seq: _plain(certainty) for seq, certainty in findings.source_certainty.items()}

        def column(name: str) -> Iterator[Any]:
            return map(operator.itemgetter(Event._fields.index(name)), events)

        # column by column, so that no Python code runs for each of a million rows
        rows = zip(
            column("seq"),
            (None if event.earliest == event.seq else event.earliest for event in events),
            column("thread"),
            map(site_rows.__getitem__, column("site")),
            column("kind"),
            map(location_rows.get, column("location")),
            *columns_to_sql(list(column("value"))),
            column("frame"),
            map(findings.sources.get, column("seq")),
            map(certainties.get, column("seq")),
            strict=True,
        )
        # the run's number is in the statement: each bound value costs
        self._connection.executemany(f"INSERT INTO events VALUES ({run}{', ?' * 11})", rows)

    def _add_switches(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites where the switches took place."""
        place_rows = {place: rows.switch_place(place) for place in {switch.place for switch in trace.switches} if place}
        self._insert_all(
            "switches",
            (
                (
                    *(run, switch.seq, switch.from_thread, switch.to_thread),
                    *(switch.place and place_rows[switch.place], switch.callee, switch.reason),
                )
                for switch in trace.switches
            ),
        )
        return set(place_rows.values())

    def _add_synchronisation(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites that led there."""
        first = self._next_id("sync_objects")
        object_rows = {each.id: row for row, each in enumerate(trace.sync_objects, first)}
        self._insert_all(
            "sync_objects",
            ((object_rows[each.id], run, each.type_name, each.label) for each in trace.sync_objects),
        )
        sites = {each.site for each in trace.synchronisation} - {None}
        site_rows = {site: rows.site(site) for site in sites if site is not None}
        self._insert_all(
            "synchronisation",
            (
                (
                    *(run, each.seq, each.earliest, each.thread, None if each.site is None else site_rows[each.site]),
                    *(None if each.object is None else object_rows[each.object], each.operation),
                    *(each.begins, each.failed, each.waited, each.holder, each.woken_by, each.inside, each.started),
                )
                for each in trace.synchronisation
            ),
        )
        return set(site_rows.values())

    def _add_calls(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites that they refer to."""
        sites = {each.site for each in trace.calls} | {
            each.call_site for each in trace.calls if each.call_site is not None
        }
        site_rows = {site: rows.site(site) for site in sites}
        self._insert_all(
            "calls",
            (
                (
                    *(run, each.seq, each.thread, site_rows[each.site], each.frame, each.caller_seq),
                    None if each.call_site is None else site_rows[each.call_site],
                )
                for each in trace.calls
            ),
        )
        return set(site_rows.values())

    def _add_findings(
        self,
        run: int,
        trace: Trace,
        findings: Findings,
        site_rows: Mapping[int, int],
        location_rows: Mapping[int, int],
    ) -> None:
        told = [(LOST_UPDATE, each.location, each.certainty, _roles(each)) for each in findings.lost] + [
            (UNSEEN_WRITE, each.location, Certainty.PROVEN, {"read": each.seq}) for each in findings.unseen
        ]
        wanted = {seq for _, _, _, roles in told for seq in roles.values()}
        site_at = {event.seq: site_rows.get(event.site) for event in trace.events if event.seq in wanted}
        first = self._next_id("findings")
        self._insert_all(
            "findings",
            (
                (
                    *(number, run, kind, location_rows[location], certainty),
                    site_at.get(roles["lost" if kind is LOST_UPDATE else "read"]),
                    site_at.get(roles.get("overwritten by", -1)),
                    min(roles.values()),
                    max(roles.values()),
                )
                for number, (kind, location, certainty, roles) in enumerate(told, first)
            ),
        )
        self._insert_all(
            "finding_events",
            (
                (number, role, seq)
                for number, (_, _, _, roles) in enumerate(told, first)
                for role, seq in sorted(roles.items())
            ),
        )
        self._insert_all(
            "lost_counts",
            (
                (run, location_rows[each.location], each.low, each.high, each.overwriters, each.exhausted)
                for each in findings.counts
            ),
        )

    # ---- reading

    def _rows(self, sql: str, *parameters: object) -> Iterator[dict[str, Any]]:
        with told(self.path):
            yield from self._tables.query(sql, parameters)

    def _one(self, sql: str, *parameters: object) -> dict[str, Any]:
        return next(self._rows(sql, *parameters))

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

    def events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        """The events from `first` to `last`, both among them: of all locations with what was computed, or of some."""
        sql = f"""
            SELECT
                seq, coalesce(earliest, seq), thread, site_id, kind, coalesce(location_id, -1), value, value_type, frame
            FROM events WHERE run_id = ? AND seq BETWEEN ? AND ? {_of(locations)} ORDER BY seq"""
        with told(self.path):
            rows = self._connection.execute(sql, (run_id, first, last))
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
            WHERE run_id = ? AND seq BETWEEN ? AND ? AND location_id IS NOT NULL {_of(locations)}"""
        return int(self._one(sql, run_id, first, last)["accesses"])

    def stack(self, run_id: int, seq: int) -> list[int]:
        """The sites of the calls that led to the event `seq`, the newest first; none where calls were not recorded."""
        sql = """
            WITH RECURSIVE stack (depth, call_site_id, caller_seq) AS (
                SELECT 0, call.call_site_id, call.caller_seq FROM events AS event JOIN calls AS call
                ON call.run_id = event.run_id AND call.frame = event.frame AND call.seq = (
                    SELECT max(seq) FROM calls
                    WHERE calls.run_id = event.run_id AND calls.frame = event.frame AND calls.seq < event.seq)
                WHERE event.run_id = :run AND event.seq = :seq
                UNION ALL
                SELECT depth + 1, call.call_site_id, call.caller_seq FROM stack JOIN calls AS call
                ON call.run_id = :run AND call.seq = stack.caller_seq
            )
            SELECT call_site_id FROM stack WHERE call_site_id IS NOT NULL ORDER BY depth"""
        with told(self.path):
            return [site for (site,) in self._connection.execute(sql, {"run": run_id, "seq": seq})]

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
            FROM events WHERE run_id = ? AND kind IN ({Kind.WRITE:d}, {Kind.DELETE:d}) {_of(locations)} ORDER BY seq"""
        with told(self.path):
            return list(map(Update._make, self._connection.execute(sql, (run_id,))))

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
            JOIN events ON events.run_id = finding.run_id AND events.seq = of.seq WHERE finding.id = ?"""
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

    def query(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """What a SQL statement gives: the names of the columns, and the rows. It can read, and nothing else."""
        with told(self.path):
            connection = sqlite3.connect(uri(self.path, "ro"), uri=True, timeout=WAIT, isolation_level=None)
        try:
            with told(self.path):
                read_only.restrict(connection)
            return read_only.answer(connection, sql, parameters or {})
        finally:
            connection.close()


def _run_row(info: RunInfo, outcome: Outcome, trace: Trace, findings: Findings) -> dict[str, object]:
    return {
        "started_at": info.started_at,
        "script": info.script,
        "argv": json.dumps(info.argv),
        "python": info.python,
        "implementation": info.implementation,
        "gil": info.gil,
        "switch_interval": info.switch_interval,
        "cwd": info.cwd,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "duration": outcome.duration,
        "recovered": outcome.recovered,
        "stdout_sha256": outcome.stdout_sha256,
        "stdout_tail": outcome.stdout_tail,
        "threads": sum(thread.task_of is None for thread in trace.threads),
        "tasks": sum(thread.task_of is not None for thread in trace.threads),
        "records": trace.records,
        "accesses": trace.accesses,
        "stored": trace.stored,
        "switches": len(trace.switches),
        "lost": sum(count.low for count in findings.counts),
        "lost_at_most": sum(count.high for count in findings.counts),
        "unseen": len(findings.unseen),
        "uncertain": findings.uncertain_locations,
        "missed": trace.missed,
        "holes": trace.holes,
        "truncated": trace.truncated,
        "truncated_seq": trace.truncated_seq,
        "last": trace.last,
        "let_go": trace.let_go,
        "births": trace.births,
        "functions": sum(code.unwoven is None for code in trace.codes),
        "notes": json.dumps(trace.notes),
        "children": trace.children,
    }


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


def _roles(lost: LostUpdate) -> dict[str, int]:
    roles = {
        "lost": lost.lost,
        "source read": lost.source_read,
        "overwritten by": lost.overwritten_by,
        "read": lost.read,
    }
    return {role: seq for role, seq in roles.items() if seq is not None}


def _of(locations: Collection[int] | None) -> str:
    return "" if locations is None else f"AND location_id IN ({', '.join(str(int(each)) for each in locations)})"


def _signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite can store it."""
    return number - (1 << 64) if number > MAX_INTEGER else number


def _unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
