"""Fills a table of a SQLite database with rows that lie in columns, by writing the pages of its b-tree."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Words = npt.NDArray[Any]
_Tags = npt.NDArray[np.uint8]

# How a cell is stored: what `tags` hold.
NOTHING: Final[int]
INTEGER: Final[int]
REAL: Final[int]
TEXT: Final[int]
BLOB: Final[int]
MAX_TEXT: Final[int]  # bytes that a text may have

# All cells NULL; all cells one number; a number for each row (integers, or doubles); or words and how each is stored.
# The word of a double is its bits, that of a text or bytes its place among the texts.
Column = None | int | _Words | tuple[_Words, _Tags]

def fill(
    fd: int,
    page_size: int,
    usable: int,
    root: int,
    pages: int,
    pieces: Iterable[tuple[int, tuple[Column, ...], tuple[bytes, ...]]],
    /,
) -> tuple[int, int]:
    """Fill an empty rowid table of a database file, whose rows are then numbered from 1.

    `usable` is the bytes of a page without those that the file's header reserves, `root` the page of the table's root,
    which SQLite made, and `pages` the number of pages in the file. Each of the `pieces` is a number of rows, a column
    for each column of the table, and the texts that its columns refer to. Gives the number of rows, and that of pages,
    which the caller puts into the file's header. The rows lie one after the other in leaves, as full as they get.

    Raises OSError where the file cannot be written, ValueError or IndexError where a column is none of a table.
    The format: https://www.sqlite.org/fileformat2.html, sections 1.5 and 1.6.
    """
