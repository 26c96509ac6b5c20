"""Whatever SQL a user gives: it can read the trace file and nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from opcodetrace.errors import UsageError
from opcodetrace.store.waiting import is_busy, is_interrupt

ACTIONS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
DENIED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
# those that describe a table, with its name as their argument
DESCRIBING_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
)
# those that only read as long as they are given no argument
ASKING_PRAGMAS = frozenset(
    {"application_id", "compile_options", "encoding", "page_count", "page_size", "schema_version", "user_version"}
)


def authorize(action: int, first: str | None, second: str | None, _schema: str | None, _trigger: str | None) -> int:
    if action in ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in DENIED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        # asked when json_each and the like declare themselves; a real update of it fails for want of writable_schema
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        pragma = (first or "").lower()
        if pragma in DESCRIBING_PRAGMAS or (pragma in ASKING_PRAGMAS and second is None):
            return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def restrict(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.set_authorizer(authorize)


def answer(
    connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]
) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """The columns' names and the rows that one statement gives, each as SQLite comes to it."""
    with _told():
        cursor = connection.execute(sql, parameters)
        if cursor.description is None:
            raise UsageError("the query is empty; give one SELECT statement")
        names = [column[0] for column in cursor.description]
        first = cursor.fetchone()  # what is wrong with a statement mostly shows itself by then
    return names, _rows(first, cursor)


def _rows(first: tuple[Any, ...] | None, others: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    if first is not None:
        yield first
    with _told():
        for row in others:  # noqa: UP028 - `yield from` would close the cursor, maybe after its connection
            yield row


def count(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> int:
    """How many rows the statement gives."""
    with _told():
        try:
            counted = connection.execute(f"SELECT count(*) FROM ({sql.strip().rstrip(';')}\n)", parameters)
        except sqlite3.OperationalError:  # a semicolon with something after it
            return sum(1 for _ in connection.execute(sql, parameters))
        return int(counted.fetchone()[0])


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a query, in a line."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if isinstance(error, sqlite3.Error) and (is_interrupt(error) or is_busy(error)):
            raise  # nothing is wrong with the query
        text = str(error)
        if "one statement at a time" in text:
            text = "it has more than one statement"
        elif "not authorized" in text or "prohibited" in text:
            text = f"{text}; a query can only read"
        raise UsageError(f"cannot answer the query: {text}") from error
