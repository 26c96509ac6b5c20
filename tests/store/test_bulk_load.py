"""Rows that lie in columns, put into a table by way of a file and one by one."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcodetrace.store import _btree, bulk_load
from opcodetrace.store.bulk_load import CannotCopy, Piece

Cell = int | float | str | bytes | None

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from(
        [sign * (1 << bits) + near for bits in (0, 7, 15, 23, 31, 47, 62) for near in (-1, 0, 1) for sign in (1, -1)]
    ),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.binary(max_size=200),
)
TABLES = st.integers(1, 13).flatmap(
    lambda width: st.lists(st.tuples(*[CELLS] * width), max_size=60).map(lambda rows: (width, rows))
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def piece_of(rows: list[tuple[Cell, ...]], width: int) -> Piece:
    """The rows in columns, each a pair of words and tags."""
    texts: list[bytes] = []
    columns = []
    for number in range(width):
        words, tags = [], []
        for row in rows:
            cell = row[number]
            match cell:
                case None:
                    tag, word = _btree.NOTHING, 0
                case float():
                    tag, word = _btree.REAL, int(np.float64(cell).view(np.int64))
                case int():
                    tag, word = _btree.INTEGER, cell
                case _:
                    tag, word = (_btree.TEXT if isinstance(cell, str) else _btree.BLOB), len(texts)
                    texts.append(cell.encode() if isinstance(cell, str) else cell)
            words.append(word)
            tags.append(tag)
        columns.append((np.array(words, np.int64), np.array(tags, np.uint8)))
    return Piece(len(rows), tuple(columns), tuple(texts))


def make_table(connection: sqlite3.Connection, width: int) -> None:
    connection.execute(f"CREATE TABLE rows ({', '.join(f'c{number}' for number in range(width))})")


def held(connection: sqlite3.Connection) -> list[tuple[Cell, ...]]:
    """With the types of all cells: 1 is not 1.0."""
    rows = connection.execute("SELECT rowid, * FROM rows ORDER BY rowid").fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1:] for row in rows]


def exactly(rows: list[tuple[Cell, ...]]) -> list[list[tuple[type, str]]]:
    return [[(type(cell), repr(cell)) for cell in row] for row in rows]


@settings(max_examples=300)
@given(table=TABLES, cuts=st.lists(st.integers(0, 60), max_size=3))
def test_both_ways_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[int, list[tuple[Cell, ...]]], cuts: list[int]
) -> None:
    width, rows = table
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    pieces = [piece_of(rows[begin:end], width) for begin, end in pairwise(bounds)]
    for way in (
        bulk_load.insert,
        partial(bulk_load.copy, rows=len(rows), folder=tmp_path_factory.getbasetemp()),
    ):
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            make_table(connection, width)
            way(connection, "rows", pieces=pieces)
            assert exactly(held(connection)) == exactly(rows)


def copied(path: pathlib.Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [line for (line,) in connection.execute("PRAGMA integrity_check")]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("count", [0, 1, 2, 100, 5_000, 120_000])
def test_sqlite_finds_no_fault_in_the_pages(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, page_size: int, count: int
) -> None:
    monkeypatch.setattr(bulk_load, "PAGE_SIZE", page_size)
    path = tmp_path / "filled"
    number = np.arange(count)
    pieces = [
        Piece(len(part), (part, None, 7, part.astype(np.uint16), part * 0.5), ()) for part in np.array_split(number, 5)
    ]
    bulk_load._fill(path, "CREATE TABLE rows (a, b, c, d, e)", pieces)
    assert copied(path) == ["ok"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT count(*), max(rowid), sum(a), count(b), sum(c), sum(d), sum(e) FROM rows")
        expected = (
            (number.sum(), 0, 7 * count, (number % 65536).sum(), number.sum() / 2) if count else (None, 0, *[None] * 3)
        )
        assert found.fetchone() == (count, count or None, *expected)
        some = sorted({1, count // 2, count} - {0}) if count else []
        assert [
            connection.execute("SELECT a FROM rows WHERE rowid = ?", [row]).fetchone()[0] + 1 for row in some
        ] == some


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_long_texts_lie_in_pages_of_their_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    monkeypatch.setattr(bulk_load, "PAGE_SIZE", page_size)
    path = tmp_path / "filled"
    sizes = [0, 1, *(page_size + near for near in range(-60, 20)), 3 * page_size, 100_000, 1_000_000]
    texts = tuple(bytes([97 + size % 26]) * size for size in sizes)
    words, tags = np.arange(len(sizes)), np.full(len(sizes), _btree.TEXT, np.uint8)
    bulk_load._fill(path, "CREATE TABLE rows (a, b)", [Piece(len(sizes), (words, (words, tags)), texts)])
    assert copied(path) == ["ok"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert [text.encode() for (text,) in connection.execute("SELECT b FROM rows")] == list(texts)


def test_rows_are_moved_as_they_are(connection: sqlite3.Connection, tmp_path: pathlib.Path) -> None:
    # GIVEN a table that has rows already, and that SQLite is asked to copy others into
    make_table(connection, 2)
    connection.execute("INSERT INTO rows VALUES (1, 2)")
    bulk_load.copy(connection, "rows", 1, [Piece(1, (3, 4), ())], tmp_path)
    # THEN no instruction of its program takes a row apart
    sql = f"EXPLAIN INSERT INTO main.rows SELECT * FROM {bulk_load.COPIED}.rows"
    assert "Column" not in {instruction for _, instruction, *_ in connection.execute(sql)}
    assert held(connection) == [(1, 2), (3, 4)]


def test_many_rows_go_by_way_of_a_file_that_does_not_stay(
    connection: sqlite3.Connection, tmp_path: pathlib.Path
) -> None:
    make_table(connection, 1)
    for rows in (bulk_load.FEW_ROWS, bulk_load.FEW_ROWS + 1):
        pieces = [Piece(rows, (np.arange(rows),), ())]
        connection.execute("BEGIN IMMEDIATE")
        with mock.patch.object(bulk_load, "copy", wraps=bulk_load.copy) as copy:
            bulk_load.load(connection, "rows", rows, pieces.copy, tmp_path)
        assert copy.called == (rows > bulk_load.FEW_ROWS)
        assert list(tmp_path.iterdir()) == []
        connection.execute("ROLLBACK")
        bulk_load.release(connection)
        assert held(connection) == []


def test_without_room_for_the_file_the_rows_are_inserted(
    connection: sqlite3.Connection, tmp_path: pathlib.Path
) -> None:
    make_table(connection, 1)
    rows = bulk_load.FEW_ROWS + 1
    pieces = [Piece(rows, (np.arange(rows),), ())]
    with pytest.raises(CannotCopy):
        bulk_load.copy(connection, "rows", rows, pieces, tmp_path / "missing")
    bulk_load.load(connection, "rows", rows, lambda: pieces, tmp_path / "missing")
    assert len(held(connection)) == rows


def test_an_sqlite_that_opens_no_second_file(connection: sqlite3.Connection, tmp_path: pathlib.Path) -> None:
    make_table(connection, 1)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    with pytest.raises(CannotCopy):
        bulk_load.copy(connection, "rows", 1, [Piece(1, (1,), ())], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "texts", "error"),
    [
        ((np.arange(3),), (), "2 integers"),
        ((np.arange(2).astype(np.float32),), (), "2 integers"),
        ((np.array(["a", "b"]),), (), "2 integers"),
        (((np.arange(2),),), (), "pair"),
        (((np.arange(2), np.ones(3, np.uint8)),), (), "2 tags"),
        (((np.arange(2), np.full(2, 9, np.uint8)),), (), "numbered 9"),
        (((np.arange(2), np.full(2, _btree.TEXT, np.uint8)),), (b"one",), "no text 1"),
        (((np.array([0, -1]), np.full(2, _btree.TEXT, np.uint8)),), (b"one",), "no text -1"),
        ((None,), ("text",), "bytes"),
        ((), (), "columns"),
        ((None,) * 33, (), "columns"),
        ((1 << 63,), (), "too"),
        (("text",), (), "buffer|bytes-like"),
    ],
)
def test_columns_that_are_none_of_a_table(
    tmp_path: pathlib.Path, columns: tuple[object, ...], texts: tuple[object, ...], error: str
) -> None:
    wrong = pytest.raises((ValueError, IndexError, TypeError, OverflowError), match=error)
    with (tmp_path / "file").open("wb") as stream, wrong:
        _btree.fill(stream.fileno(), 4096, 4096, 2, 2, [(2, columns, texts)])  # type: ignore[list-item]


def test_a_file_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as stream, pytest.raises(OSError, match="descriptor"):
        _btree.fill(stream.fileno(), 4096, 4096, 2, 2, [(10_000, (1,), ())])


def test_what_the_pieces_raise_goes_through(tmp_path: pathlib.Path) -> None:
    def broken() -> Iterator[tuple[int, tuple[int], tuple[()]]]:
        yield 5, (1,), ()
        raise ZeroDivisionError

    with (tmp_path / "file").open("wb") as stream, pytest.raises(ZeroDivisionError):
        _btree.fill(stream.fileno(), 4096, 4096, 2, 2, broken())


def test_the_page_of_the_lock_byte_is_left_out(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a table that begins a little below one GiB, as if what comes before it were there
    path = tmp_path / "filled"
    monkeypatch.setattr(bulk_load, "PAGE_SIZE", 65536)
    shape = "CREATE TABLE rows (a, b)"
    bulk_load._fill(path, shape, [])
    lock_page = (1 << 30) // 65536 + 1
    text = (b"x" * 200_000,)
    # WHEN it grows beyond, with a text of several pages on either side
    with path.open("r+b") as stream:
        piece = (40, (np.arange(40), (np.zeros(40, np.int64), np.full(40, _btree.TEXT, np.uint8))), text)
        rows, pages = _btree.fill(stream.fileno(), 65536, 65536, 2, lock_page - 50, [piece])
        stream.seek(bulk_load.PAGES_OFFSET)
        stream.write(pages.to_bytes(4, "big"))
    # THEN SQLite reads all of it; only the pages that were skipped are unused
    assert rows == 40 and pages > lock_page
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT count(*), sum(length(b)), min(b = ?) FROM rows", [text[0].decode()])
        assert found.fetchone() == (40, 40 * 200_000, 1)
        faults = "\n".join(line for (line,) in connection.execute("PRAGMA integrity_check"))
    told = [line for line in faults.splitlines() if "never used" not in line and "***" not in line]
    assert told == [], told
    assert f"Page {lock_page} " not in faults
