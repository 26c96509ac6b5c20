"""Rows of several columns told apart by a hash of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


FIRST_SALT = 0x9E3779B97F4A7C15
SECOND_SALT = 0xBF58476D1CE4E5B9


def mixed_hash(columns: Iterable[Array], salt: int) -> Array:
    """One 64-bit hash of each row."""
    mixed: Array | None = None
    for column in columns:
        word = column.astype(np.uint64)
        mixed = word + np.uint64(salt) if mixed is None else mixed ^ word
        mixed *= np.uint64(SECOND_SALT)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    assert mixed is not None
    return mixed


def numbered(columns: tuple[Array, ...]) -> tuple[Array, Array]:
    """Number equal rows alike, from 0 in order of appearance; and the index of each number's first row."""
    for salt in itertools.count(FIRST_SALT, 0x1000193):
        _, first, inverse = np.unique(mixed_hash(columns, salt), return_index=True, return_inverse=True)
        if all(np.array_equal(column, column[first][inverse]) for column in columns):
            break
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]
