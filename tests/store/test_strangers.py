"""Trace files from somebody else: what is no recording's is refused in a line, and nothing of it runs on and on."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from opcodetrace.errors import DatabaseError
from opcodetrace.store import schema
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace.store.stored_value import MAX_NAME
from opcodetrace.store.trace_file import STEPS
from opcodetrace.trace.switch import Awaiting, Switch
from opcodetrace_cli import main
from tests.recording import record
from tests.traces import FILE, FINDINGS, INFO, LATIN, LOCATION, OUTCOME, PLACE, make_trace

SCRIPT = """
import threading
counter, lock, barrier = [0], threading.Lock(), threading.Barrier(2)
class Account:
    total = 0
account = Account()
def add():
    read = counter[0]
    barrier.wait()  # both have read
    counter[0] = read + 1
def work():
    add()
    for _ in range(10):
        with lock:
            account.total += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
COMMANDS = [
    ("runs",),
    ("report",),
    ("report", "--format", "markdown"),
    ("report", "--format", "json"),
    ("check", "--possible"),
    ("check", "--all", "--fail-on", "gil-only"),
    ("findings", "--format", "json"),
    *(("query", name) for name in KEPT),
    ("query", "SELECT * FROM accesses", "--format", "json"),
    ("recover",),
]
ENDLESS = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"

# For what is tried many times: each query is asked now and then.
SHOWING = [command for command in COMMANDS if command[0] != "query"]
SOME_QUERIES = st.lists(st.sampled_from([command for command in COMMANDS if command[0] == "query"]), max_size=3)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def ask(command: tuple[str, ...], path: Path) -> Result:
    return run(command[0], "-d", path, *command[1:])


def assert_told(result: Result, *codes: int) -> None:
    """That it ended as it should: with a line, if anything is wrong."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in codes, result.output
    if result.exit_code > 1:
        assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "internal error" not in result.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a run, its calls too, and another run that was made by hand."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "script.py").write_text(SCRIPT)
    path = folder / "t.db"
    assert record(path, "--calls", "--keep", "all", folder / "script.py").exit_code == 0
    with Database.open(path, create=True) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
    return path


@pytest.fixture
def path(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recorded, tmp_path / "t.db"))


@contextlib.contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_the_recorded_file_itself_is_shown(path: Path) -> None:
    for command in COMMANDS:
        assert_told(ask(command, path), 0, 1)


STRANGE_SCHEMAS = {
    "a view in place of runs": f"DROP TABLE runs; CREATE VIEW runs AS {ENDLESS} SELECT id FROM n",
    "a view in place of the steps": f"DROP TABLE _sqlite_migrations; CREATE VIEW _sqlite_migrations AS {ENDLESS} "
    "SELECT 'opcodetrace' AS migration_set, 'x' AS name, '' AS applied_at FROM n",
    "a trigger that has no end": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN "
    "INSERT INTO unwoven SELECT run_id, file_id, function, line, reason FROM unwoven, events, events AS e; END",
    "a trigger on the table of steps": "CREATE TRIGGER t AFTER INSERT ON _sqlite_migrations BEGIN "
    "DELETE FROM runs; END",
    "another table": "CREATE TABLE more (a)",
    "another view": "CREATE VIEW more AS SELECT 1",
    "another index": "CREATE INDEX more ON events (abs(seq))",
    "an index on an expression of the steps": "CREATE INDEX more ON _sqlite_migrations (abs(id))",
    "another column": "ALTER TABLE runs ADD COLUMN more DEFAULT 1",
    "a generated column": "ALTER TABLE runs ADD COLUMN more AS (abs(-1))",
    "another view of the same name": "DROP VIEW accesses; CREATE VIEW accesses AS SELECT 1 AS run_id",
    "a table that is gone": "DROP TABLE unwoven",
    "a constraint": "DROP TABLE unwoven; CREATE TABLE unwoven (run_id INTEGER NOT NULL REFERENCES runs (id),"
    " file_id INTEGER NOT NULL REFERENCES files (id), function TEXT NOT NULL, line INTEGER,"
    " reason TEXT NOT NULL CHECK (length(randomblob(1000000000)) > 0)); "
    "CREATE INDEX unwoven_by_run ON unwoven (run_id)",
    "a text that hides in a comment": "DROP VIEW lost_counts; CREATE VIEW lost_counts AS SELECT run_id, location_id, "
    "low, high, causes AS overwriters, exhausted FROM finding_counts "
    "WHERE kind = 'lost -- ' OR 1 OR kind = '\n update'",
}


@pytest.mark.parametrize("change", STRANGE_SCHEMAS.values(), ids=STRANGE_SCHEMAS)
def test_a_schema_that_is_not_ours_is_refused(path: Path, change: str) -> None:
    with changed(path) as connection:
        connection.executescript(change)
    script = path.with_name("next.py")
    script.write_text("print('ran')")
    before = path.read_bytes()
    for command in (*COMMANDS, ("record", str(script))):
        result = ask(command, path)
        if command != ("recover",):  # which has nothing to add to it
            assert_told(result, 74)
            assert str(path) in result.stderr
        assert "ran" not in result.stdout
    assert path.read_bytes() == before


def old(path: Path, steps: int) -> sqlite_utils.Database:
    made = sqlite_utils.Database(sqlite3.connect(path, isolation_level=None), execute_plugins=False)
    schema.migrations.apply(made, stop_before=STEPS[steps])
    return made


@pytest.mark.parametrize("steps", range(1, len(STEPS)))
def test_a_file_of_an_older_schema_is_compared_with_that(tmp_path: Path, steps: int) -> None:
    path = tmp_path / "old.db"
    old(path, steps).close()
    strange = Path(shutil.copy(path, tmp_path / "strange.db"))
    with changed(strange) as connection:
        connection.execute("CREATE TRIGGER t AFTER UPDATE ON runs BEGIN SELECT 1; END")
    assert_told(ask(("runs",), strange), 74)
    assert_told(ask(("runs",), path), 0)


def test_views_of_an_older_schema_are_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    made = old(path, 3)
    made.conn.execute(f"CREATE VIEW accesses AS {ENDLESS} SELECT id FROM n")
    made.close()
    assert_told(ask(("query", "SELECT * FROM accesses"), path), 0)


def test_an_older_file_whose_rows_cannot_be_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    made = old(path, 6)
    made.conn.execute("PRAGMA writable_schema = ON")
    made.conn.execute("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '        ') WHERE name = 'findings'")
    made.close()
    with changed(path) as connection:
        connection.execute("INSERT INTO findings VALUES (1, 1, 'lost update', 1, NULL, 1, 1, 4, 9)")
        connection.execute("PRAGMA writable_schema = ON")
        (text,) = (
            sqlite3.connect(old_text(tmp_path))
            .execute("SELECT sql FROM sqlite_schema WHERE name = 'findings'")
            .fetchone()
        )
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'findings'", [text])
    assert_told(ask(("runs",), path), 0, 74)


def old_text(folder: Path) -> Path:
    path = folder / "as_it_was.db"
    old(path, 6).close()
    return path


def test_a_file_that_was_analysed_is_shown(path: Path) -> None:
    with changed(path) as connection:
        connection.execute("ANALYZE")
    assert_told(ask(("runs",), path), 0)


DAMAGES = {
    "a cycle of calls": "UPDATE calls SET caller_seq = seq",
    "a longer cycle of calls": "UPDATE calls SET caller_seq = (SELECT max(seq) FROM calls)",
    "a finding without events": "DELETE FROM finding_events",
    "a finding of other events": "UPDATE finding_events SET seq = seq + 1000000",
    "a finding at no location of the run": "UPDATE findings SET location_id = 999",
    "sites without files": "DELETE FROM files",
    "files without a source": "UPDATE files SET source = 7",
    "no sites": "DELETE FROM sites",
    "events at no site": "UPDATE events SET site_id = 999",
    "events by no thread": "DELETE FROM threads",
    "events that are missing": "DELETE FROM events",
    "events out of order": "UPDATE events SET seq = -seq",
    "events that begin nowhere": "UPDATE runs SET first_event = 9223372036854775807, events = 9223372036854775807",
    "events of negative number": "UPDATE runs SET events = -3",
    "a huge label": "UPDATE locations SET label = hex(zeroblob(30000000)) WHERE id = 1",
    "a huge value": "UPDATE events SET value = hex(zeroblob(100000))",
    "a huge blob": "UPDATE locations SET key = zeroblob(100000000) WHERE id = 1",
    "a huge name": "UPDATE threads SET name = hex(zeroblob(300000)) WHERE thread = 1",
    "numbers that overflow": "UPDATE finding_counts SET low = 9223372036854775807, high = 9223372036854775807",
    "texts for numbers": "UPDATE runs SET threads = 'many'",
    "a negative number": "UPDATE runs SET accesses = -1",
    "JSON that is none": "UPDATE runs SET argv = '[1, '",
    "JSON that is no list": "UPDATE runs SET notes = '{}'",
    "JSON that is deep": "UPDATE runs SET argv = replace(hex(zeroblob(100000)), '0', '[')",
    "JSON of other things": "UPDATE runs SET merged = '[\"threads\"]'",
    "a thread of a great number": "UPDATE threads SET thread = 1099511627776 WHERE thread = 1",
    "a severity that is none": "UPDATE finding_groups SET severity = 'grave'",
    "a key that is no number": "UPDATE locations SET key = 'x', key_type = 'int'",
    "a key that is no text": "UPDATE locations SET key = '\"' || hex(zeroblob(20000)), key_type = 'str'",
    "evicted events of no ring": "UPDATE runs SET let_go = 7",
    "infinitely long": "UPDATE runs SET duration = 9e999",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_contents_that_no_recording_has(path: Path, damage: str) -> None:
    with changed(path) as connection:
        connection.execute("DELETE FROM runs WHERE id > 1")
        connection.execute(damage)
    results = [ask(command, path) for command in COMMANDS]
    for result in results:
        assert_told(result, 0, 1, 2, 74)
    told = [result.stderr for result in results if result.exit_code == 74]
    assert told
    for line in told:
        assert line.startswith("opcodetrace: the trace file is damaged: "), line
        assert str(path) in line


def test_a_text_that_is_no_utf_8_is_shown_escaped(path: Path) -> None:
    with changed(path) as connection:
        connection.execute("DELETE FROM runs WHERE id > 1")
        connection.execute("UPDATE locations SET label = CAST(x'41ff' AS TEXT)")
    for command in COMMANDS:
        assert_told(ask(command, path), 0, 1)
    assert r"A\xff" in ask(("report",), path).stdout


def test_what_is_longer_than_may_be_read_is_cut_or_kept_whole_as_it_is_written(tmp_path: Path) -> None:
    """Also if a text beside it must be escaped."""
    long, awaited = "\udc80" * MAX_NAME, (Awaiting("f" * MAX_NAME, "a.py", 1),)
    trace = make_trace(switches=[Switch(2, 0, 1, replace(PLACE, function=long), long, None, awaited)])
    trace.locations = {LOCATION.id: replace(LOCATION, label=long, container_type=long)}
    trace.files = [FILE._replace(path=long), LATIN]
    trace.notes = ["note " * MAX_NAME]
    info = replace(INFO, script=long, argv=("a" * MAX_NAME, "\udc80"))
    with Database.open(tmp_path / "t.db", create=True) as database:
        run = database.add_run(info, OUTCOME, trace, FINDINGS)
        assert (database.run(run).info.argv, database.run(run).notes) == (info.argv, tuple(trace.notes))
        (switch,) = database.switches(run, 0, 100)
        assert switch.awaited_by == awaited
        assert switch.callee is not None
        assert switch.place is not None
        (location,) = database.locations(run).values()
        paths = {site.path for site in database.sites(run).values()}
        cut = [switch.callee, switch.place.function, location.label, *paths, database.run(run).info.script]
        assert {(len(text), text[:6], text[-1]) for text in cut} == {(MAX_NAME, r"\udc80", "…")}


def test_numbers_that_leave_no_room_for_a_run(path: Path) -> None:
    with changed(path) as connection:
        connection.execute("UPDATE locations SET id = 9223372036854775807 WHERE id = 1")
    with Database.open(path, create=True) as database, pytest.raises(DatabaseError, match="damaged"):
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)


def test_a_tree_that_leads_to_itself_has_an_end(path: Path) -> None:
    # GIVEN a table whose root page, again and again, names the pages below it that name each other
    with changed(path) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'unwoven'").fetchone()
        connection.execute("INSERT INTO unwoven VALUES (1, 1, 'f', 1, '')")
    data = bytearray(path.read_bytes())
    depth, cells = 16, 60
    tree = bytearray()
    for level in range(depth):
        below = pages + level + 2 if level < depth - 1 else root
        page = bytearray(size)
        content = size
        pointers = b""
        for _ in range(cells):
            cell = below.to_bytes(4, "big") + b"\x01"  # the child, and the greatest key in it
            content -= len(cell)
            page[content : content + len(cell)] = cell
            pointers += content.to_bytes(2, "big")
        head = b"\x05\0\0" + cells.to_bytes(2, "big") + content.to_bytes(2, "big") + b"\0"
        page[:12] = head + below.to_bytes(4, "big")
        page[12 : 12 + len(pointers)] = pointers
        tree += page
    data += tree
    data[28:32] = (pages + depth).to_bytes(4, "big")
    path.write_bytes(data)
    with changed(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = ? WHERE name = 'unwoven'", [pages + 1])
    # THEN a question that goes through all of it ends
    with Database.open(path) as database, pytest.raises(DatabaseError, match="does not end"), database._told():
        list(database._rows("unwoven", "SELECT sum(line) FROM unwoven"))


CELLS = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-3, 300),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["[]", "{}", '["x"]', "[[1]]", "happened", "lost update", "bool", "int", "str", "#", "\0"]),
)


@pytest.fixture(scope="module")
def tables(recorded: Path) -> dict[str, list[str]]:
    """The columns of each table, in the file without constraints."""
    with changed(recorded) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: [column[1] for column in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
            if not name.startswith(("_", "sqlite")) and connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        }


def damage(path: Path, tables: dict[str, list[str]], draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """Put anything into some cells of a file, whatever its constraints say."""
    with changed(path) as connection:
        texts = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'")
    with changed(path) as connection:
        for _ in range(draw(st.integers(1, 3))):
            table = draw(st.sampled_from(sorted(tables)))
            column = draw(st.sampled_from(tables[table]))
            every = draw(st.booleans())
            where = "" if every else f"WHERE rowid = {draw(st.integers(1, 60))}"
            if not every and "rowid" not in _keys(connection, table):
                where = "WHERE abs(random()) % 3 = 0"
            with contextlib.suppress(sqlite3.IntegrityError):
                connection.execute(f'UPDATE {table} SET "{column}" = ? {where}', [draw(CELLS)])
        connection.execute("PRAGMA writable_schema = ON")
        for name, sql in texts:
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ? AND type = 'table'", [sql, name])


def _keys(connection: sqlite3.Connection, table: str) -> set[str]:
    try:
        connection.execute(f"SELECT rowid FROM {table} LIMIT 0")
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return set()
    return {"rowid"}


@pytest.mark.slow
@settings(max_examples=40)
@given(st.data())
def test_whatever_stands_in_its_cells_a_file_is_shown_or_called_damaged(
    recorded: Path, tables: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = Path(shutil.copy(recorded, tmp_path_factory.mktemp("damaged") / "t.db"))
    damage(path, tables, data.draw)
    for command in (*SHOWING, *data.draw(SOME_QUERIES)):
        assert_told(ask(command, path), 0, 1, 2, 74)
    for number in ("1", "2"):
        assert_told(ask(("report", "--run", number), path), 0, 1, 2, 74)


@settings(max_examples=30)
@given(st.integers(0, 1 << 32), st.integers(1, 40), SOME_QUERIES)
def test_whatever_its_bytes_are_a_file_is_shown_or_called_damaged(
    recorded: Path,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    times: int,
    queries: list[tuple[str, ...]],
) -> None:
    path = Path(shutil.copy(recorded, tmp_path_factory.mktemp("damaged") / "t.db"))
    chosen = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(times):
        data[chosen.randrange(len(data))] = chosen.randrange(256)
    path.write_bytes(data)
    for command in (*SHOWING, *queries):
        assert_told(ask(command, path), 0, 1, 2, 74)


def test_no_path_or_name_of_a_file_breaks_the_line(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    Database.open(path, create=True).close()
    with changed(path) as connection:
        connection.execute('CREATE TABLE "a\x1b[31m\nb" (c)')
    result = ask(("runs",), path)
    assert_told(result, 74)
    assert re.fullmatch(r"[ -~]*\n", result.stderr)
