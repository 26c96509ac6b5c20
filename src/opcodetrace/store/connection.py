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

from opcodetrace.errors import DatabaseError, NotATraceFile
from opcodetrace.store import read_only, schema_check
from opcodetrace.store.rows import Budget, References, Row, Table, at_most, in_parts
from opcodetrace.store.trace_file import STEPS, Damage, check_place, guard, make, make_schema, steps_of, told, uri
from opcodetrace.store.waiting import WaitingConnection, connect, is_interrupt
from opcodetrace.trace.sync import SyncObject


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

    def __init__(self, path: pathlib.Path, connection: WaitingConnection, *, writes: bool) -> None:
        self.path = path
        self._connection = connection
        self._writes = writes
        self._references: dict[int, References] = {}  # of runs that were asked for
        self._objects: dict[int, dict[int, SyncObject]] = {}  # the same
        self._budget = Budget()

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False, wait: float | None = None) -> Self:
        """Open a trace file to read; with `create` also to write, and make it if there is none. `wait`: how many
        seconds for another process to let go of it."""
        path = pathlib.Path(path)
        check_place(path, create=create)
        if create:
            make(path)
        with told(path):
            mode = "rwc" if create else "rw"  # not "ro": the journal of a killed writer is to be rolled back
            connection = connect(path, uri(path, mode), wait)
            try:
                guard(connection)
                database = cls(path, connection, writes=create)
                with database._told():
                    database._check_schema(create=create)
            except BaseException:
                connection.close()
                raise
        return database

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What of a question to the file makes that useless to us, in a line (`trace_file.told`)."""
        self._budget = Budget()
        with told(self.path):
            if not self._writes:
                self._connection.work.limit()
            try:
                yield
            except sqlite3.OperationalError as error:
                if not (is_interrupt(error) and self._connection.work.exhausted):
                    raise
                raise Damage("a question to it does not end") from error

    def _check_schema(self, *, create: bool) -> None:
        """That the file's schema is ours, whatever its version; before that nothing else in it is touched."""
        self._connection.execute("BEGIN")  # another recorder may bring the file up to date
        try:
            parts = schema_check.parts_of(self._connection)
            steps = () if parts is None else steps_of(self._connection, parts)
        except Damage as error:
            raise self._not_ours(str(error)) from error
        finally:
            self._connection.execute("COMMIT")
        if parts is None or (parts and not steps):
            raise NotATraceFile(f"{self.path} is a database of another program; name another file with -d")
        if not set(steps) <= set(STEPS):
            raise NotATraceFile(
                f"{self.path} has a newer schema than this opcodetrace knows; upgrade opcodetrace or name another file"
            )
        if not parts and not create:
            raise DatabaseError(
                f"{self.path} holds no runs; record one first: opcodetrace record -d {self.path} SCRIPT"
            )
        if parts:
            is_old = len(steps) < len(STEPS)
            expected = _parts_after(len(steps)) if is_old else schema_check.current()
            strange = schema_check.strange(parts, expected, any_views=is_old)
            if strange is not None or steps != STEPS[: len(steps)]:
                raise self._not_ours(strange or "it has other upgrade steps")
        if steps == STEPS:
            self._check_places()
            return
        with self._transaction():  # another recorder may do the same: what is pending is asked for again
            if schema_check.parts_of(self._connection) == set():
                make_schema(self._connection)
                return
            try:
                _upgrade(self._connection)
            except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                raise Damage(f"it cannot be brought up to date: {error}") from error

    def _not_ours(self, why: str) -> NotATraceFile:
        return NotATraceFile(f"{self.path} is no trace file of opcodetrace's making: {why}; name another file with -d")

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
    def _transaction(self) -> Iterator[list[Callable[[], None]]]:
        """All or nothing; waits for another writer first. Gives what is to be done once it is committed, to be filled:
        no signal comes between."""
        self._connection.execute("BEGIN IMMEDIATE")
        committed: list[Callable[[], None]] = []
        try:
            yield committed
            self._connection.commit_and(committed)
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _rows(self, table: str, sql: str, *parameters: object) -> Iterator[Row]:
        """The rows of a question; `table` is told if one of them is damaged. To be asked within `_told`."""
        cursor = self._connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        for cells in at_most(cursor):
            yield Row(table, dict(zip(names, cells, strict=True)), self._budget)

    def _parts(self, table: str, sql: str, *parameters: object) -> Iterator[Table]:
        """The same, many rows at a time."""
        cursor = self._connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        for part in in_parts(cursor):
            yield Table(table, names, part, self._budget)

    def _check_again(self, connection: sqlite3.Connection) -> None:
        """That another connection to the path sees our schema, too."""
        parts = schema_check.parts_of(connection)
        if parts is None or schema_check.strange(parts, schema_check.current()) is not None:
            raise Damage("its schema has just been changed")

    @contextlib.contextmanager
    def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[Answer]:
        """What a SQL statement gives. It can read, and nothing else."""
        with told(self.path):
            connection = connect(self.path, uri(self.path, "ro"))
        try:
            with told(self.path):
                guard(connection)
                self._check_again(connection)
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


def _parts_after(steps: int) -> frozenset[schema_check.Part]:
    from opcodetrace.store import schema  # sqlite-utils, imported for a file of an older version alone

    return schema.parts_after(steps)


def _upgrade(connection: sqlite3.Connection) -> None:
    from opcodetrace.store import schema

    schema.upgrade(connection)
