"""Whatever SQL is given, a query reads and does nothing else."""

from __future__ import annotations

import pathlib
import sqlite3
from collections.abc import Iterator

import pytest

from opcodetrace.errors import DatabaseError, UsageError
from opcodetrace.store.database import Database
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace

WRITES = [
    "DELETE FROM runs",
    "UPDATE sqlite_master SET sql = ''",
    "DELETE FROM sqlite_master",
    "SELECT * FROM pragma_journal_mode",
    "INSERT INTO runs (id) VALUES (9)",
    "UPDATE runs SET script = 'x'",
    "REPLACE INTO files (id, path, sha256, module, source) VALUES (1, '', '', '', '')",
    "WITH x AS (SELECT 1) DELETE FROM events",
    "DELETE FROM runs RETURNING id",
    "EXPLAIN DELETE FROM runs",
    "DROP TABLE runs",
    "DROP VIEW accesses",
    "CREATE TABLE x (y)",
    "CREATE TABLE x AS SELECT * FROM runs",
    "CREATE TEMP TABLE x (y)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE INDEX x ON runs (script)",
    "CREATE TRIGGER x AFTER INSERT ON runs BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts5(y)",
    "ALTER TABLE runs RENAME TO walks",
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "SAVEPOINT x",
    "ROLLBACK",
    "PRAGMA query_only = OFF",
    "PRAGMA query_only(0)",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode",
    "PRAGMA writable_schema = ON",
    "PRAGMA user_version = 5",
    "PRAGMA application_id = 5",
    "PRAGMA schema_version = 5",
    "PRAGMA temp_store_directory = '/'",
    "PRAGMA wal_checkpoint",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA main.user_version = 7",
    "SELECT load_extension('x.so')",
    "SELECT * FROM pragma_journal_mode",
    "SELECT * FROM runs; DROP TABLE runs",
    "SELECT 1; SELECT 2",
]
WRONG = [
    "",
    "   ",
    "-- nothing",
    ";",
    "SELEC 1",
    "SELECT * FROM nowhere",
    "SELECT nothing FROM runs",
    "SELECT ? ",
    "SELECT :nobody",
    "SELECT 'a",
    "SELECT 1 \0",
    "SELECT '\ud800'",
]


@pytest.fixture
def path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trace.db"
    with Database.open(path, create=True) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
    return path


@pytest.fixture
def database(path: pathlib.Path) -> Iterator[Database]:
    with Database.open(path) as opened:
        yield opened


@pytest.mark.parametrize("sql", WRITES)
def test_writes_are_refused(database: Database, path: pathlib.Path, sql: str) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="cannot answer the query"):
        database.query(sql)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("sql", WRONG)
def test_wrong_sql_is_said_to_be_wrong(database: Database, sql: str) -> None:
    with pytest.raises(UsageError, match="query"):
        database.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM runs",
        "SELECT * FROM runs;",
        "SELECT count(*), max(seq) FROM accesses",
        "SELECT seq, lag(value) OVER (ORDER BY seq) FROM events",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 9) SELECT * FROM n",
        "SELECT value FROM runs, json_each(runs.argv)",
        "SELECT key FROM json_tree('[1]')",
        "SELECT name, sql FROM sqlite_master",
        "SELECT * FROM pragma_table_info('events')",
        "PRAGMA table_info(events)",
        "PRAGMA user_version",
        "VALUES (1), (2)",
        "EXPLAIN QUERY PLAN SELECT * FROM accesses",
        "SELECT * FROM lost_updates WHERE run_id = :run",
    ],
)
def test_reading_is_free(database: Database, sql: str) -> None:
    columns, rows = database.query(sql, {"run": 1})
    assert columns
    assert rows


def test_the_file_s_own_views_cannot_do_more(database: Database, path: pathlib.Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW trap AS SELECT load_extension('x.so')")
    connection.close()
    with pytest.raises(DatabaseError, match="changed"):
        database.query("SELECT * FROM trap")


def test_a_query_does_not_stop_later_writes(database: Database) -> None:
    database.query("SELECT * FROM runs")
    assert database.add_run(INFO, OUTCOME, make_trace(), FINDINGS) == 2
