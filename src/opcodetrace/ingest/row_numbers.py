"""Numbers for rows of several columns that come piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest import _numbering

Array = npt.NDArray[Any]

SMALLEST = 1 << 10  # rows that there is room for at first


class RowNumbers:
    """Numbers equal rows alike, from 0 in order of appearance."""

    def __init__(self, width: int) -> None:
        """Of so many columns."""
        self._width = width
        self._count = 0
        self._room = SMALLEST
        self._rows = np.empty(SMALLEST * width, np.uint64)
        self._table = np.full(2 * SMALLEST, -1, np.int32)

    def __len__(self) -> int:
        """How many numbers were given."""
        return self._count

    def of(self, *columns: Array) -> Array:
        """The numbers (int32) of some rows; the columns have 8 bytes an item."""
        numbers = np.empty(len(columns[0]), np.int32)
        if self._count + len(numbers) > self._room:
            self._grow(self._count + len(numbers))
        columns = tuple(map(np.ascontiguousarray, columns))
        self._count = _numbering.number(self._table, self._rows, self._count, columns, numbers)
        return numbers

    def column(self, number: int) -> Array:
        """One of the columns (uint64) of the rows that have numbers, in their order."""
        column: Array = self._rows.reshape(-1, self._width)[: self._count, number]
        return column

    def _grow(self, rows: int) -> None:
        while self._room < rows:
            self._room *= 2
        known = tuple(self.column(number).copy() for number in range(self._width))
        self._rows = np.empty(self._room * self._width, np.uint64)
        self._table = np.full(2 * self._room, -1, np.int32)
        again = np.empty(self._count, np.int32)
        self._count = _numbering.number(self._table, self._rows, 0, known, again)
