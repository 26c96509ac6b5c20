"""Many rows that lie in columns, into a table at once.

Binding values to a statement, row by row, is what takes the time. So the rows are put into a table of the same shape in
a file beside it (`_btree`), and SQLite copies that: where the two shapes agree, it moves the rows without looking into
them. The file is gone from its folder as soon as SQLite has opened it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from opcodetrace.store import _btree
from opcodetrace.store.trace_file import uri

COPIED = "copied"  # the name of the file's schema
FEW_ROWS = 5_000  # as many are inserted as soon as a file is made
PAGE_SIZE = 4096
PAGES_OFFSET, RESERVED_OFFSET = 28, 20  # in the file's header: pages, u32; bytes at each page's end, u8


class Piece(NamedTuple):
    """Some rows, in columns as of `_btree`."""

    rows: int
    columns: tuple[_btree.Column, ...]
    texts: tuple[bytes, ...]


class CannotCopy(Exception):
    """There is no room for the file, or this SQLite opens no second one."""


def load(
    connection: sqlite3.Connection, table: str, rows: int, pieces: Callable[[], Iterable[Piece]], folder: pathlib.Path
) -> None:
    """Put rows after those of a rowid table without a key of its own; `pieces` begins anew where it is called again.

    `folder` is for the file. The schema stays attached until `release`, as SQLite lets go of none in a transaction."""
    if rows > FEW_ROWS:
        with contextlib.suppress(CannotCopy):
            copy(connection, table, rows, pieces(), folder)
            return
    insert(connection, table, pieces())


def insert(connection: sqlite3.Connection, table: str, pieces: Iterable[Piece]) -> None:
    """Put them there row by row."""
    for piece in pieces:
        holes = ", ".join("?" * len(piece.columns))
        columns = [_objects(column, piece) for column in piece.columns]
        connection.executemany(f"INSERT INTO {table} VALUES ({holes})", zip(*columns, strict=True))


def copy(connection: sqlite3.Connection, table: str, rows: int, pieces: Iterable[Piece], folder: pathlib.Path) -> None:
    """Put them there by way of a file. Raises CannotCopy, then the table is as it was."""
    (shape,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ? AND type = 'table'", [table]).fetchone()
    try:
        with _file(folder) as path:
            _fill(path, shape, pieces)
            connection.execute(f"ATTACH ? AS {COPIED}", [f"{uri(path, 'ro')}&immutable=1"])
    except OSError as error:
        raise CannotCopy from error
    except sqlite3.OperationalError as error:
        raise CannotCopy from error
    done = connection.execute(f"INSERT INTO main.{table} SELECT * FROM {COPIED}.{table}")
    if done.rowcount != rows:
        raise sqlite3.DatabaseError(f"{done.rowcount} of {rows} rows arrived")


def release(connection: sqlite3.Connection) -> None:
    """Let go of the file after the transaction, however it ended."""
    if COPIED in {name for _, name, _ in connection.execute("PRAGMA database_list")}:
        connection.execute(f"DETACH {COPIED}")


@contextlib.contextmanager
def _file(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    descriptor, name = tempfile.mkstemp(".events", dir=folder)
    os.close(descriptor)
    try:
        yield pathlib.Path(name)
    finally:
        os.unlink(name)


def _fill(path: pathlib.Path, shape: str, pieces: Iterable[Piece]) -> None:
    """Make a database of one table, by SQLite, and put the rows there."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = OFF")
        made.execute("PRAGMA synchronous = OFF")
        made.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        made.execute(shape)
        (root,) = made.execute("SELECT rootpage FROM sqlite_schema").fetchone()
    descriptor = os.open(path, os.O_RDWR)
    try:
        header = os.pread(descriptor, 100, 0)
        (pages,) = struct.unpack_from(">I", header, PAGES_OFFSET)
        _, pages = _btree.fill(descriptor, PAGE_SIZE, PAGE_SIZE - header[RESERVED_OFFSET], root, pages, pieces)
        os.pwrite(descriptor, struct.pack(">I", pages), PAGES_OFFSET)
    finally:
        os.close(descriptor)


def _objects(column: _btree.Column, piece: Piece) -> list[Any]:
    """A column's cells as SQLite is given them."""
    if column is None or isinstance(column, int):
        return [column] * piece.rows
    if not isinstance(column, tuple):
        return column.tolist()  # type: ignore[no-any-return]
    words, tags = column
    cells = np.full(piece.rows, None, object)
    for tag in np.flatnonzero(np.bincount(tags)).tolist():
        where = tags == tag
        found = words[where]
        match tag:
            case _btree.INTEGER:
                cells[where] = found
            case _btree.REAL:
                cells[where] = found.view(np.float64)
            case _btree.TEXT:
                cells[where] = [piece.texts[number].decode() for number in found.tolist()]
            case _btree.BLOB:
                cells[where] = [piece.texts[number] for number in found.tolist()]
    return cells.tolist()
