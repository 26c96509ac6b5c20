"""Numbers for rows of several columns."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest import _numbering, row_numbers
from opcodetrace.ingest.row_numbers import RowNumbers

WORDS = st.one_of(st.integers(0, 3), st.integers(0, (1 << 64) - 1))


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(st.tuples(*[WORDS] * width)), min_size=1)))
def test_equal_rows_have_equal_numbers_by_first_appearance(pieces: list[list[tuple[int, ...]]]) -> None:
    rows = [row for piece in pieces for row in piece]
    width = len(rows[0]) if rows else 1
    with mock.patch.object(row_numbers, "SMALLEST", 2):  # so that it grows
        numbers = RowNumbers(width)
        found: list[int] = []
        for piece in pieces:
            columns = [np.array([row[column] for row in piece], np.uint64) for column in range(width)]
            found += numbers.of(*columns).tolist()
    order = list(dict.fromkeys(rows))
    assert [order[number] for number in found] == rows
    assert sorted(set(found)) == list(range(len(numbers)))
    assert [tuple(row) for row in zip(*(numbers.column(at).tolist() for at in range(width)), strict=True)] == order


def test_many_rows_that_differ_in_one_column_only() -> None:
    numbers = RowNumbers(2)
    low = np.arange(5_000, dtype=np.uint64)
    high = low << np.uint64(40)
    for columns in ((low, high), (high, low), (low, high)):
        numbers.of(*columns)
    assert len(numbers) == 2 * 5_000 - 1
    assert numbers.of(low, high).tolist() == list(range(5_000))


def test_rows_that_do_not_fit() -> None:
    column, numbers = np.arange(4, dtype=np.uint64), np.empty(4, np.int32)
    table, rows = np.full(8, -1, np.int32), np.empty(4, np.uint64)
    assert _numbering.number(table, rows, 0, (column,), numbers) == 4
    for wrong in (
        (table, rows, 1, (column,), numbers),
        (table[:7].copy(), rows, 0, (column,), numbers),
        (table[:4].copy(), rows, 0, (column,), numbers),
        (table, rows, 0, (column, column), numbers),
        (table, rows, 0, (), numbers),
        (table, rows, -1, (column,), numbers),
        (table, rows, 0, (column[:3].copy(),), numbers),
        (table, rows, 0, (column.astype(np.uint32),), numbers),
    ):
        with pytest.raises(ValueError, match=r"fit|array"):
            _numbering.number(*wrong)
