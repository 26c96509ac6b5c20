"""The schema explains itself."""

from __future__ import annotations

import re
import sqlite3

import pytest
import sqlite_utils

from opcodetrace.store import schema, schema_check
from opcodetrace.store.trace_file import STEPS, make_schema


def new() -> sqlite_utils.Database:
    return sqlite_utils.Database(sqlite3.connect(":memory:"), execute_plugins=False)


@pytest.fixture
def database() -> sqlite_utils.Database:
    made = new()
    make_schema(made.conn)
    return made


@pytest.fixture
def migrated() -> sqlite_utils.Database:
    """Step by step, as a file of the first version came to what it is."""
    made = new()
    schema.upgrade(made.conn)
    return made


def relations(database: sqlite_utils.Database) -> list[tuple[str, str]]:
    return [
        (str(name), str(sql))
        for name, sql in database.conn.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')")
        if not name.startswith("_") and not name.startswith("sqlite_")
    ]


def test_every_table_and_view_has_a_comment(database: sqlite_utils.Database) -> None:
    for name, sql in relations(database):
        assert re.match(rf"CREATE (TABLE|VIEW) \"?{name}\"? (\(|AS)\n    -- [A-Z].*\.\n", sql), name


def comments(database: sqlite_utils.Database) -> dict[tuple[str, str], str]:
    """What is said of each column, by its table or view and its name."""
    said = {}
    for name, sql in relations(database):
        for _, column, *_ in database.conn.execute(f"SELECT * FROM pragma_table_info('{name}')"):
            # one that was added later stands in the table's last line
            ahead = rf'(?:^[ ,]*"?{column}"?[ ,]| AS {column}\b)'
            found = re.search(rf"{ahead}.* -- (\w.*)$|, {column} [^,]* /\* (\w.*?) \*/", sql, re.M)
            assert found, f"{name}.{column}"
            said[name, column] = found[1] or found[2]
    return said


def test_every_column_has_a_comment(database: sqlite_utils.Database) -> None:
    assert comments(database)


def parts(database: sqlite_utils.Database) -> dict[str, object]:
    """What SQLite makes of the schema: the columns and keys of each table and view, the indexes, the views' text."""
    found: dict[str, object] = {}
    listed = database.conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    for type_, name, table, sql in listed:
        if table.startswith("_"):
            continue
        pragmas = ("table_xinfo", "foreign_key_list", "index_xinfo", "table_list")
        asked = [database.conn.execute(f"PRAGMA {pragma}('{name}')").fetchall() for pragma in pragmas]
        found[f"{type_} {name} of {table}"] = (asked, sql if type_ != "table" else None)
    return found


def test_what_is_published_is_what_the_steps_give(
    database: sqlite_utils.Database, migrated: sqlite_utils.Database
) -> None:
    assert parts(database) == parts(migrated)
    assert comments(database) == comments(migrated)
    assert [step.name for step in schema.migrations.applied(database)] == [
        step.name for step in schema.migrations.applied(migrated)
    ]
    assert database.conn.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert migrated.conn.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)


def test_the_table_of_steps_is_made_as_by_sqlite_utils(
    database: sqlite_utils.Database, migrated: sqlite_utils.Database
) -> None:
    of_steps = f"SELECT sql FROM sqlite_master WHERE tbl_name = '{schema_check.MIGRATIONS_TABLE}' ORDER BY name"
    assert database.conn.execute(of_steps).fetchall() == migrated.conn.execute(of_steps).fetchall()


def test_each_statement_of_the_published_schema_is_shown_as_it_is(database: sqlite_utils.Database) -> None:
    shown = {sql for _, sql in relations(database)}
    _, *statements = (each.rstrip(";\n") for each in schema_check.published().split("\n\n")[1:])
    assert shown == {each for each in statements if not each.startswith("CREATE INDEX")}


def test_a_script_of_the_published_schema_alone_makes_it(database: sqlite_utils.Database) -> None:
    made = new()
    made.conn.executescript(schema_check.published())
    assert parts(made) == parts(database)


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


def test_the_steps_are_all_known(migrated: sqlite_utils.Database) -> None:
    applied = [step.name for step in schema.migrations.applied(migrated)]
    assert applied == list(STEPS)
    assert not schema.migrations.pending(migrated)


def test_a_file_of_the_first_schema_gets_what_was_added() -> None:
    old = new()
    schema.migrations.apply(old, stop_before=STEPS[1])
    assert "modules" not in old.table_names()
    schema.upgrade(old.conn)
    assert "modules" in old.table_names()


def test_events_of_a_file_from_before_they_lay_in_order() -> None:
    # GIVEN a file of that schema with two runs, the second stored first
    old = sqlite_utils.Database(sqlite3.connect(":memory:"), execute_plugins=False)
    schema.migrations.apply(old, stop_before="findings_of_every_kind")
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
    connection.execute("INSERT INTO files VALUES (1, 'bank.py', '', 'bank', '')")
    connection.execute(
        "INSERT INTO sites VALUES (1, 1, 1, 0, 1, 0, 'work', 'STORE_SUBSCR', 'STORE_SUBSCR', 0, '', NULL)"
    )
    events = "SELECT * FROM events ORDER BY run_id, seq"
    before = connection.execute(events).fetchall()
    # WHEN it is brought up to date
    schema.upgrade(old.conn)
    # THEN what is told of the runs is the same, and each event's place is known
    assert connection.execute(events).fetchall() == before
    told = "SELECT seq, thread, kind, function, path, line, location, value FROM accesses WHERE run_id = ?"
    lost = """
        SELECT location, lost_seq, lost_value, overwritten_by_seq, overwritten_by_value, read_seq, read_value
        FROM lost_updates WHERE run_id = ?"""
    for run in (1, 2):
        assert connection.execute(told, [run]).fetchall() == [
            (4, 0, "read", "work", "bank.py", 1, "c[0]", 10 * run),
            (7, 1, "write", "work", "bank.py", 1, "c[0]", 11 * run),
            (9, 1, "write", "work", "bank.py", 1, "c[0]", 12 * run),
        ]
        assert connection.execute(lost, [run]).fetchall() == [("c[0]", 7, 11 * run, 9, 12 * run, 4, 10 * run)]
    placed = """
        SELECT count(*) FROM finding_events AS of JOIN findings ON findings.id = finding_id
        JOIN runs ON runs.id = findings.run_id JOIN events ON events.rowid = first_event + place
        WHERE events.run_id = runs.id AND events.seq = of.seq"""
    assert connection.execute(placed).fetchone() == (6,)
    assert not {"events_by_key", "events_by_seq"} & {str(name) for name, _ in relations(old)}
