"""Numbers for rows of several columns."""

from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

def number(table: _Array, rows: _Array, count: int, columns: tuple[_Array, ...], numbers: _Array, /) -> int:
    """Give each row of `columns` (8 bytes an item) a number: that of an equal one, or the next.

    `table` (int32, at first all -1, its size a power of two) finds the `count` rows that have numbers, which lie in
    `rows` (uint64) one after the other. Both must have room for all rows to be new, `table` twice. The numbers go into
    `numbers` (int32). Gives the new count. Raises ValueError if that does not fit.
    """
