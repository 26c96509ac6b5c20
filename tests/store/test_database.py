"""Runs written and read back."""

from __future__ import annotations

import os
import pathlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given

from opcodetrace.errors import DatabaseError, RunNotFound
from opcodetrace.store import bulk_load
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace.store.trace_file import MAX_SOURCE
from opcodetrace.trace.event import ABSENT, Event, EventKind, Opaque, Value
from opcodetrace.trace.events import Sources
from opcodetrace.trace.finding import Certainty, Tally
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import Truncation
from tests.store.test_stored_value import VALUES
from tests.traces import (
    ADD,
    ENTER,
    FILE,
    FINDINGS,
    INFO,
    LATIN,
    LOAD,
    LOST,
    OUTCOME,
    PLACE,
    STORE,
    SWITCHES,
    THREADS,
    UNSEEN,
    findings_of,
    lost_increment,
    make_code,
    make_site,
    make_trace,
    no_findings,
)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "a run?.db"


@pytest.fixture
def database(path: pathlib.Path) -> Iterator[Database]:
    with Database.open(path, create=True) as opened:
        yield opened


class TestRoundTrip:
    def test_run(self, database: Database) -> None:
        trace = make_trace()
        trace.truncated, trace.truncated_seq = Truncation.DISK, 19
        outcome = replace(OUTCOME, exit_code=None, signal=9, recovered=True)
        number = database.add_run(INFO, outcome, trace, FINDINGS)
        run = database.run(number)
        assert (run.id, run.info, run.outcome) == (1, INFO, outcome)
        assert (run.threads, run.records, run.accesses, run.stored, run.switches) == (2, 20, 9, 4, 3)
        assert (run.lost, run.lost_at_most, run.unseen) == (1, 2, 1)
        assert (run.missed, run.holes, run.truncated, run.truncated_seq) == (1, 2, Truncation.DISK, 19)
        assert (run.births, run.functions, run.notes) == (True, 1, ("a remark",))
        assert (run.modules, run.unwoven) == (2, 1)
        assert database.query("SELECT events, uncertain FROM runs")[1] == [(5, 5)]

    def test_threads(self, database: Database) -> None:
        assert database.threads(database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)) == THREADS

    def test_events(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        (location,) = database.locations(run)
        site_of = {site.operation: number for number, site in database.sites(run).items()}
        operations = {10: "LOAD_SUBSCR", 11: "STORE_SUBSCR", 12: "BINARY_ADD"}
        expected = [
            event._replace(site=site_of[operations[event.site]], location=location if event.location > 0 else -1)
            for event in lost_increment()
            if event.kind != EventKind.ENTER
        ]
        assert database.events(run, 0, 100) == expected
        assert database.events(run, 3, 6) == expected[1:4]
        assert [event.seq for event in database.events(run, 0, 100, [location])] == [1, 3, 6, 8]
        assert database.events(run, 0, 100, []) == []
        assert database.count_events(run, 0, 100) == 4
        assert database.count_events(run, 3, 6, {location}) == 2
        assert database.query("SELECT source_seq, certainty FROM events WHERE run_id = 2 AND kind = 2")[1] == [
            (1, "proven"),
            (3, "inferred"),
        ]

    @given(value=VALUES)
    def test_values(self, tmp_path_factory: pytest.TempPathFactory, value: Value) -> None:
        trace = make_trace(lost_increment(value))
        with Database.open(tmp_path_factory.getbasetemp() / "values.db", create=True) as database:
            run = database.add_run(INFO, OUTCOME, trace, no_findings(trace))
            found = database.events(run, 6, 6)[0].value
        assert (repr(found), type(found)) == (repr(value), type(value))

    @given(key=VALUES)
    def test_keys(self, tmp_path_factory: pytest.TempPathFactory, key: Value) -> None:
        trace = make_trace()
        trace.locations = {3: replace(trace.locations[3], key=key)}
        with Database.open(tmp_path_factory.getbasetemp() / "keys.db", create=True) as database:
            (found,) = database.locations(database.add_run(INFO, OUTCOME, trace, no_findings(trace))).values()
        assert repr(found.key) == repr(key)

    def test_locations(self, database: Database) -> None:
        for _ in range(2):
            run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        ((number, location),) = database.locations(run).items()
        assert number == location.id == 2
        assert location == replace(make_trace().locations[3], id=2)

    def test_sites(self, database: Database) -> None:
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        sites = database.sites(run)
        assert {site.operation for site in sites.values()} == {
            *("LOAD_SUBSCR", "STORE_SUBSCR", "BINARY_ADD", "JUMP_BACKWARD"),
        }
        (load,) = (site for site in sites.values() if site.operation == "LOAD_SUBSCR")
        assert (load.path, load.line, load.column, load.end_column) == (FILE.path, 2, 0, 10)
        assert (load.function, load.expression, load.source_line) == ("work", "counter[0]", "counter[0] += 1")

    def test_switches(self, database: Database) -> None:
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        first, *others = database.switches(run, 0, 100)
        assert first.place is not None
        assert replace(first, place=replace(first.place, file=PLACE.file)) == SWITCHES[0]
        assert others == SWITCHES[1:]
        assert database.switches(run, 3, 5) == SWITCHES[1:2]

    def test_findings(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        (location,) = database.locations(run)
        assert database.counts(run) == [replace(count, location=location) for count in FINDINGS.counts]
        assert database.run(run).found == (
            Tally("lost update", 1, 2, 1, exhausted=True), Tally("unseen write", 1, 1, 0)
        )  # fmt: skip
        lost, unseen = database.finding_groups(run)
        sites = database.sites(run)
        assert (lost.labels, lost.count, lost.locations) == (("counter[0]",), 1, 1)
        assert lost.example == replace(LOST, locations=(location,))
        assert lost.fingerprint == FINDINGS.groups[0].fingerprint
        assert {sites[lost.sites[role]].operation for role in ("lost write", "overwriting write")} == {"STORE_SUBSCR"}
        assert lost.threads == {1: 0, 3: 1, 6: 0, 8: 1}
        assert unseen.example == replace(UNSEEN, locations=(location,))

    def test_a_group_s_example_spans_the_fewest_events(self, database: Database) -> None:
        # GIVEN three lost updates of one pair of lines, the second told by the closest events, one overwritten by none
        events = [Event(seq, seq, seq % 2, 10 + seq % 2, 1 + seq % 2, 3, 0, 0) for seq in range(40)]
        roles: list[dict[str, int]] = [
            {"lost write": 1, "source read": 0, "overwriting write": 21, "stale read": 20},
            {"lost write": 23, "source read": 22, "overwriting write": 25, "stale read": 24},
            {"lost write": 27, "overwriting write": 39, "stale read": 38},
            {"lost write": 31},
        ]
        lost = [replace(LOST, roles=each) for each in roles]
        # WHEN they are stored
        trace = make_trace(events)
        run = database.add_run(INFO, OUTCOME, trace, findings_of(trace, lost))
        # THEN they make two groups, the greater first
        first, second = database.finding_groups(run)
        assert (first.count, first.example.roles["lost write"]) == (3, 23)
        assert (second.count, second.example.roles) == (1, {"lost write": 31})

    def test_what_a_finding_is_about_may_be_several_locations_or_locks(self, database: Database) -> None:
        trace = make_trace()
        trace.locations[4] = replace(trace.locations[3], id=4, label="counter[1]")
        about = [replace(LOST, locations=(3, 4)), replace(LOST, locations=(), locks=(1,))]
        run = database.add_run(INFO, OUTCOME, trace, findings_of(trace, about))
        (group,) = database.finding_groups(run)
        assert (group.count, group.locations, group.labels) == (2, 1, ("counter[0]",))
        assert database.query("SELECT finding_id, location_id FROM finding_locations")[1] == [(1, 2)]
        assert database.query("SELECT finding_id, sync_object_id FROM finding_locks")[1] == [(2, 1)]

    def test_groups_take_as_many_questions_however_many_there_are(self, database: Database) -> None:
        def questions(number: int) -> int:
            # GIVEN so many groups: each location's writes were made at lines of their own
            sites = {site: make_site(site, "STORE_SUBSCR", line=site) for site in range(100, 100 + 2 * number)}
            code = make_code(*sites.values(), number=9, file=4)
            events = [Event(seq, seq, seq % 2, 100 + seq, EventKind.WRITE, 3, 0, 0) for seq in range(2 * number)]
            trace = make_trace(events)
            trace.codes.append(code)
            trace.sites |= sites
            trace.site_codes |= dict.fromkeys(sites, code)
            roles = [{"lost write": seq, "overwriting write": seq + 1} for seq in range(0, 2 * number, 2)]
            lost = [replace(LOST, roles=each) for each in roles]
            run = database.add_run(INFO, OUTCOME, trace, findings_of(trace, lost))
            asked: list[str] = []
            database._connection.set_trace_callback(asked.append)
            try:
                found = database.finding_groups(run)
            finally:
                database._connection.set_trace_callback(None)
            assert [group.example.roles for group in found] == roles
            return len(asked)

        assert questions(3) == questions(60)

    def test_unwoven_and_sources(self, database: Database) -> None:
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        assert database.unwoven(run) == [UnwovenFunction("hard", LATIN.path, 2, "too hard")]
        assert database.source(run, FILE.path) == FILE.source
        assert database.source(run, "/nowhere.py") is None
        assert database.query("SELECT typeof(source) FROM files ORDER BY path")[1] == [("text",), ("blob",)]

    def test_a_source_that_is_too_large_is_left_out(self, path: pathlib.Path) -> None:
        """The run is stored all the same, and says so."""
        trace = make_trace()
        trace.files = [FILE._replace(source=FILE.source + b"#" * MAX_SOURCE), LATIN]
        with Database.open(path, create=True) as database:
            run = database.add_run(INFO, OUTCOME, trace, FINDINGS)
            (note,) = [note for note in database.run(run).notes if "is not kept" in note]
            assert note.startswith(f"the source of {FILE.path} is not kept: it has 66,")
            assert database.source(run, FILE.path) == b""
            assert {site.expression for site in database.sites(run).values()}

    def test_files_and_sites_are_shared_between_runs(self, database: Database) -> None:
        def rows() -> list[tuple[int, ...]]:
            return database.query("SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM sites)")[1]

        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        before = rows()
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        assert rows() == before == [(2, 4)]
        changed = make_trace()
        changed.files = [FILE._replace(source=b"counter[0] += 2\n"), LATIN]
        database.add_run(INFO, OUTCOME, changed, FINDINGS)
        assert rows() == [(3, 8)]

    def test_many_events(self, database: Database, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # GIVEN a run of so many that they go by way of a file, of all kinds of values, with markers between them
        values: list[Value] = [*range(-3, 300, 97), 1.5, float("nan"), None, True, False, "text", "\udc80", b"bytes"]
        values += [1 << 70, Opaque("Account", 0x7F), ABSENT, *map(str, range(300))]
        events = [
            Event(3 * seq, max(0, 3 * seq - seq % 3), seq % 2, (LOAD, STORE, ADD, ENTER)[kind - 1 if kind < 4 else 3],
                  (EventKind.READ, EventKind.WRITE, EventKind.COMPUTE, EventKind.ENTER)[kind - 1],
                  3 if kind < 3 else -1,
                  values[seq % len(values)], seq % 5)
            for seq in range(20_000) for kind in [seq % 4 + 1]
        ]  # fmt: skip
        trace = make_trace(events)
        writes = {event.seq: event.seq - 3 for event in events if event.kind == EventKind.WRITE and event.seq % 2}
        certainties = {seq: Certainty.INFERRED for seq in writes if seq % 5 == 0}
        findings = replace(no_findings(trace), sources=Sources.of(trace.events, writes, certainties))
        # WHEN it is stored that way, and row by row
        runs = [database.add_run(INFO, OUTCOME, trace, findings)]
        assert list(path.parent.iterdir()) == [path]
        monkeypatch.setattr(bulk_load, "FEW_ROWS", len(events))
        runs.append(database.add_run(INFO, OUTCOME, trace, findings))
        # THEN both are what was to be stored
        columns = "seq, earliest, thread, site_id, kind, value, typeof(value), value_type, frame, source_seq, certainty"
        first, second = (database.query(f"SELECT {columns} FROM events WHERE run_id = {run}")[1] for run in runs)
        assert first == second
        found = database.events(runs[0], 0, 100_000)
        kept = [event for event in events if event.kind != EventKind.ENTER]
        assert list(map(repr, (event.value for event in found))) == list(map(repr, (event.value for event in kept)))
        assert [(event.seq, event.earliest) for event in found] == [(event.seq, event.earliest) for event in kept]
        assert {row[0]: row[-2:] for row in first if row[-2] is not None} == {
            seq: (source, "inferred" if seq in certainties else "proven") for seq, source in writes.items()
        }

    def test_runs_that_are_deleted_by_hand(self, database: Database, path: pathlib.Path) -> None:
        for _ in range(3):
            database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        expected = [event._replace(location=1) for event in database.events(3, 0, 100)]
        database.close()
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM events WHERE run_id = 2")
        connection.execute("DELETE FROM runs WHERE id = 2")
        connection.commit()
        connection.execute("VACUUM")
        connection.close()
        with Database.open(path) as again:
            found = [event._replace(location=1 if event.location > 0 else -1) for event in again.events(3, 0, 100)]
            assert found == [
                event._replace(location=-1 if event.kind == EventKind.COMPUTE else 1) for event in expected
            ]
            assert again.query("SELECT lost_seq, read_seq FROM lost_updates WHERE run_id = 3")[1] == [(6, 3)]
            assert len(again.query("SELECT * FROM accesses WHERE run_id = 3")[1]) == 4


class TestViews:
    def test_accesses(self, database: Database) -> None:
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        columns, rows = database.query("SELECT seq, thread, thread_name, kind, line, location, value FROM accesses")
        assert columns == ["seq", "thread", "thread_name", "kind", "line", "location", "value"]
        assert rows == [
            (1, 0, "MainThread", "read", 2, "counter[0]", 0),
            (3, 1, None, "read", 2, "counter[0]", 0),
            (6, 0, "MainThread", "write", 2, "counter[0]", 1),
            (8, 1, None, "write", 2, "counter[0]", 1),
        ]
        assert database.query("SELECT DISTINCT run_id FROM accesses")[1] == [(run,)]

    def test_thread_switches(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        database.add_run(replace(INFO, gil=False), OUTCOME, make_trace(switches=()), FINDINGS)
        _, rows = database.query("SELECT run_id, seq, function, line, opcode, reason, callee FROM thread_switches")
        assert rows == [
            (1, 2, "work", 2, "JUMP_BACKWARD", "preempted", None),
            (1, 5, None, None, None, "blocked", "time.sleep"),
            (1, 9, None, None, None, None, None),
        ]

    def test_lost_updates(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        _, rows = database.query("SELECT * FROM lost_updates")
        assert rows == [(1, "counter[0]", 6, 0, 1, 8, 1, 1, 3, 0, "proven", "happened", 1)]

    def test_waits(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        _, rows = database.query("SELECT run_id, seq, thread, operation, object, holder, woken_by, waited FROM waits")
        assert rows == [(1, 12, 1, "acquire", "lock", 0, 0, 0.25)]

    @pytest.mark.parametrize("name", KEPT)
    def test_kept_queries(self, database: Database, name: str) -> None:
        run = database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        columns, rows = database.query(KEPT[name].sql, {"run": run})
        assert columns
        assert rows or name in ("blind-writes", "gil-only", "deadlocks")  # it has none
        assert database.query(KEPT[name].sql, {"run": 99})[1] == []

    def test_readable_values(self, database: Database) -> None:
        trace = make_trace(lost_increment(Opaque("Account", 0x7F)))
        database.add_run(INFO, OUTCOME, trace, FINDINGS)
        assert database.query("SELECT lost_value FROM lost_updates")[1] == [("<Account #127>",)]


class TestRuns:
    def test_the_latest_if_none_is_named(self, database: Database) -> None:
        for _ in range(3):
            database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        assert database.run().id == 3
        assert [run.id for run in database.runs()] == [1, 2, 3]

    def test_what_exists_is_named(self, database: Database) -> None:
        with pytest.raises(RunNotFound, match="holds no runs"):
            database.run()
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        with pytest.raises(RunNotFound, match=r"no run 7; it holds run 1$"):
            database.run(7)
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        with pytest.raises(RunNotFound, match=r"no run 7; it holds runs 1 to 2$"):
            database.run(7)

    def test_a_run_that_cannot_be_stored_leaves_nothing(self, database: Database) -> None:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        trace = make_trace()
        trace.threads = THREADS * 2  # no thread is there twice
        with pytest.raises(sqlite3.IntegrityError):  # a fault of ours, not of the file
            database.add_run(INFO, OUTCOME, trace, FINDINGS)
        assert database.query("SELECT count(*) FROM events")[1] == [(5,)]
        assert [run.id for run in database.runs()] == [1]
        assert database.add_run(INFO, OUTCOME, make_trace(), FINDINGS) == 2


class TestOpening:
    def error(self, path: pathlib.Path, *, create: bool = False) -> str:
        with pytest.raises(DatabaseError) as caught:
            Database.open(path, create=create)
        text = str(caught.value)
        assert "\n" not in text
        assert str(path) in text or str(path.parent) in text
        return text

    def test_no_file(self, path: pathlib.Path) -> None:
        assert "there is no trace file" in self.error(path)
        assert not path.exists()

    @pytest.mark.parametrize("create", [False, True])
    def test_no_folder(self, path: pathlib.Path, create: bool) -> None:
        assert "there is no folder" in self.error(path / "deeper" / "x.db", create=create)

    @pytest.mark.parametrize("create", [False, True])
    def test_a_folder(self, tmp_path: pathlib.Path, create: bool) -> None:
        assert "is a folder" in self.error(tmp_path, create=create)

    @pytest.mark.parametrize("create", [False, True])
    def test_no_sqlite(self, path: pathlib.Path, create: bool) -> None:
        path.write_text("import threading\n" * 100)
        before = path.read_bytes()
        assert "is not a SQLite file" in self.error(path, create=create)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("create", [False, True])
    def test_of_another_program(self, path: pathlib.Path, create: bool) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE customers (id)")
        connection.close()
        assert "another program" in self.error(path, create=create)

    def test_an_empty_file(self, path: pathlib.Path) -> None:
        path.touch()
        assert "holds no runs" in self.error(path)
        with Database.open(path, create=True) as database:
            assert database.runs() == []

    @pytest.mark.parametrize("create", [False, True])
    def test_a_newer_schema(self, path: pathlib.Path, create: bool) -> None:
        Database.open(path, create=True).close()
        with sqlite3.connect(path) as connection:
            connection.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('opcodetrace', 'later', '')"
            )
        connection.close()
        assert "newer schema" in self.error(path, create=create)

    def test_cut_off(self, path: pathlib.Path) -> None:
        with Database.open(path, create=True) as database:
            events = [Event(seq, seq, 0, 10, EventKind.READ, 3, 0, 0) for seq in range(50_000)]
            trace = make_trace(events)
            database.add_run(INFO, OUTCOME, trace, no_findings(trace))
        with path.open("r+b") as stream:
            stream.truncate(path.stat().st_size // 3)
        with pytest.raises(DatabaseError, match="damaged"), Database.open(path) as database:
            database.events(1, 0, 50_000)

    def test_overwritten_in_the_middle(self, path: pathlib.Path) -> None:
        Database.open(path, create=True).close()
        with path.open("r+b") as stream:
            stream.seek(100)
            stream.write(b"\xff" * 8000)
        self.error(path)

    def test_locked(self, path: pathlib.Path) -> None:
        with Database.open(path, create=True, wait=0.05) as database:
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseError, match="locked by another process"):
                database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
            assert database.runs() == []
            other.close()

    def test_no_regular_file(self) -> None:
        assert "is not a regular file" in self.error(pathlib.Path(os.devnull))

    def test_full(self, path: pathlib.Path) -> None:
        with Database.open(path, create=True) as database:
            (pages,) = database._connection.execute("PRAGMA page_count").fetchone()
            database._connection.execute(f"PRAGMA max_page_count = {pages}")
            events = [Event(seq, seq, 0, 10, EventKind.READ, 3, 0, 0) for seq in range(5000)]
            trace = make_trace(events)
            with pytest.raises(DatabaseError, match="full; free some space"):
                database.add_run(INFO, OUTCOME, trace, no_findings(trace))

    def test_what_is_a_fault_of_ours_is_not_laid_to_the_file(self, path: pathlib.Path) -> None:
        with Database.open(path, create=True) as database:
            database._connection.execute("DROP VIEW lost_updates")
            database._connection.execute("DROP TABLE runs")
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                database.runs()
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
    def test_read_only_folder(self, path: pathlib.Path) -> None:
        with Database.open(path, create=True) as database:
            database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        try:
            with Database.open(path) as database:
                assert database.run().id == 1
                assert database.query("SELECT count(*) FROM runs")[1] == [(1,)]
            assert "read-only" in self.error(path, create=True)
            assert "read-only" in self.error(path.with_name("new.db"), create=True)
        finally:
            path.parent.chmod(0o755)

    def test_read_only_once_writing_is_needed(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Database.open(path, create=True).close()
        monkeypatch.setattr(os, "access", lambda where, mode: mode != os.W_OK)
        assert "read-only" in self.error(path, create=True)
        assert "read-only" in self.error(path.with_name("new.db"), create=True)
        with Database.open(path) as database:
            database._connection.execute("PRAGMA query_only = ON")
            with pytest.raises(DatabaseError, match="read-only"):
                database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
