"""A connection to a trace file: what it may hold, transactions, and questions that only read."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import sqlite_utils

from opcodetrace.errors import DatabaseError
from opcodetrace.store import read_only, schema
from opcodetrace.store.trace_file import check_place, make, told, uri

WAIT = 300.0  # seconds that a writer waits for another one, and a reader for a commit


@dataclass(frozen=True, slots=True)
class Answer:
    """What a SQL statement gives."""

    columns: list[str]  # their names
    rows: Iterator[tuple[Any, ...]]  # each as SQLite comes to it
    count: Callable[[], int]  # how many rows there are; takes as long as SQLite needs for all of them


class Connection:
    """A trace file, open.

    It keeps SQLite's rollback journal rather than a write-ahead log: a run is one transaction that appends, so each
    page is written once; the file stays a single one to copy; and if a writer is killed, the next opener rolls back.
    """

    def __init__(self, path: pathlib.Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._tables = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False, wait: float = WAIT) -> Self:
        """Open a trace file to read; with `create` also to write, and make it if there is none."""
        path = pathlib.Path(path)
        check_place(path, create=create)
        if create:
            make(path)
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
            self._check_places()
            return
        if not names and not create:
            raise DatabaseError(
                f"{self.path} holds no runs; record one first: opcodetrace record -d {self.path} SCRIPT"
            )
        with self._transaction():  # another recorder may do the same: what is pending is asked for again
            schema.bring_up_to_date(self._tables)

    def _check_places(self) -> None:
        """If somebody deleted a run by hand, VACUUM numbers the events of the others anew."""
        misplaced = """
            SELECT EXISTS (SELECT * FROM runs LEFT JOIN events ON events.rowid = first_event
            WHERE runs.events AND run_id IS NOT runs.id)"""
        if self._connection.execute(misplaced).fetchone()[0]:
            with self._transaction():
                places = self._connection.execute("SELECT min(rowid), run_id FROM events GROUP BY run_id").fetchall()
                self._connection.executemany("UPDATE runs SET first_event = ? WHERE id = ?", places)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
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

    def _rows(self, sql: str, *parameters: object) -> Iterator[dict[str, Any]]:
        with told(self.path):
            yield from self._tables.query(sql, parameters)

    def _one(self, sql: str, *parameters: object) -> dict[str, Any]:
        return next(self._rows(sql, *parameters))

    @contextlib.contextmanager
    def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[Answer]:
        """What a SQL statement gives. It can read, and nothing else."""
        with told(self.path):
            connection = sqlite3.connect(uri(self.path, "ro"), uri=True, timeout=WAIT, isolation_level=None)
        try:
            with told(self.path):
                read_only.restrict(connection)
            columns, rows = read_only.answer(connection, sql, parameters or {})
            yield Answer(columns, rows, partial(read_only.count, connection, sql, parameters or {}))
        finally:
            connection.close()

    def query(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The same as a whole: the names of the columns, and the rows."""
        with self.ask(sql, parameters) as answer:
            return answer.columns, list(answer.rows)
