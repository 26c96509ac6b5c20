"""The schema explains itself."""

from __future__ import annotations

import re
import sqlite3

import pytest
import sqlite_utils

from opcodetrace.store import schema
from opcodetrace.store.trace_file import STEPS


@pytest.fixture
def database() -> sqlite_utils.Database:
    made = sqlite_utils.Database(sqlite3.connect(":memory:"), execute_plugins=False)
    schema.migrations.apply(made)
    return made


def relations(database: sqlite_utils.Database) -> list[tuple[str, str]]:
    return [
        (str(name), str(sql))
        for name, sql in database.conn.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')")
        if not name.startswith("_") and not name.startswith("sqlite_")
    ]


def test_every_table_and_view_has_a_comment(database: sqlite_utils.Database) -> None:
    for name, sql in relations(database):
        assert re.match(rf"CREATE (TABLE|VIEW) {name} (\(|AS)\n    -- [A-Z].*\.\n", sql), name


def test_every_column_has_a_comment(database: sqlite_utils.Database) -> None:
    for name, sql in relations(database):
        for _, column, *_ in database.conn.execute(f"SELECT * FROM pragma_table_info('{name}')"):
            # one that was added later stands in the table's last line
            told = rf'(^[ ,]*"?{column}"?[ ,]| AS {column}\b).* (--|/\*) \w|, {column} [^,]* /\* \w'
            assert re.search(told, sql, re.M), f"{name}.{column}"


def test_columns_as_designed(database: sqlite_utils.Database) -> None:
    designed = {
        "runs": "id started_at script argv python gil switch_interval exit_code duration events",
        "threads": "run_id thread name ident native_id started_by first_seq last_seq",
        "files": "id path sha256 source",
        "sites": "id file_id line column end_line end_column function operation opcode expression",
        "locations": "id run_id kind container_type key label reads writes threads",
        "events": "run_id seq thread site_id kind location_id value source_seq",
        "switches": "run_id seq from_thread to_thread site_id reason",
        "findings": "id run_id kind location_id",
        "finding_events": "finding_id seq role",
        "accesses": "run_id seq thread function line operation location value",
        "thread_switches": "run_id seq from_thread to_thread function line opcode reason",
        "lost_updates": "run_id location lost_seq lost_thread lost_value overwritten_by_seq overwritten_by_thread"
        " overwritten_by_value read_seq read_value",
    }
    for name, columns in designed.items():
        rows = database.conn.execute(f"SELECT name FROM pragma_table_info('{name}')")
        assert set(columns.split()) <= {row[0] for row in rows}, name


def test_the_steps_are_all_known(database: sqlite_utils.Database) -> None:
    applied = [step.name for step in schema.migrations.applied(database)]
    assert applied == list(STEPS)
    assert not schema.migrations.pending(database)


def test_a_file_of_the_first_schema_gets_what_was_added() -> None:
    old = sqlite_utils.Database(sqlite3.connect(":memory:"), execute_plugins=False)
    schema.migrations.apply(old, stop_before=STEPS[1])
    assert "modules" not in old.table_names()
    schema.migrations.apply(old)
    assert "modules" in old.table_names()


def test_events_of_a_file_from_before_they_lay_in_order() -> None:
    # GIVEN a file of that schema with two runs, the second stored first
    old = sqlite_utils.Database(sqlite3.connect(":memory:"), execute_plugins=False)
    schema.migrations.apply(old, stop_before="events_in_order")
    connection = old.conn
    for run in (2, 1):
        columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)") if row[3]]
        connection.execute(f"INSERT INTO runs (id, {', '.join(columns)}) VALUES ({run}{', 3' * len(columns)})")
        connection.execute(
            "INSERT INTO locations VALUES (?, ?, 'item', 'list', 0, NULL, 'c[0]', 1, 1, 2, 2)", [run, run]
        )
        for seq, kind, value in ((9, 2, 12), (4, 1, 10), (7, 2, 11)):
            row = (run, seq, None, seq % 2, 1, kind, run, value * run, None, 0, None, None)
            connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * 12)})", row)
        connection.execute(
            "INSERT INTO findings VALUES (?, ?, 'lost update', ?, 'proven', 1, 1, 4, 9)", [run, run, run]
        )
        for role, seq in (("lost", 7), ("overwritten by", 9), ("read", 4)):
            connection.execute("INSERT INTO finding_events VALUES (?, ?, ?)", [run, role, seq])
    views = [f"SELECT * FROM {name} WHERE run_id = ?" for name in ("accesses", "lost_updates", "events")]
    connection.execute("INSERT INTO files VALUES (1, 'bank.py', '', 'bank', '')")
    connection.execute(
        "INSERT INTO sites VALUES (1, 1, 1, 0, 1, 0, 'work', 'STORE_SUBSCR', 'STORE_SUBSCR', 0, '', NULL)"
    )
    before = [[list(connection.execute(view, [run])) for view in views] for run in (1, 2)]
    # WHEN it is brought up to date
    schema.migrations.apply(old)
    # THEN what is told of the runs is the same, and each event's place is known
    assert [[list(connection.execute(view, [run])) for view in views] for run in (1, 2)] == before
    assert all(all(tables) for tables in before)
    placed = """
        SELECT count(*) FROM finding_events AS of JOIN findings ON findings.id = finding_id
        JOIN runs ON runs.id = findings.run_id JOIN events ON events.rowid = first_event + place
        WHERE events.run_id = runs.id AND events.seq = of.seq"""
    assert connection.execute(placed).fetchone() == (6,)
    assert not {"events_by_key", "events_by_seq"} & {str(name) for name, _ in relations(old)}
