"""The passes that find the accesses which may be to shared locations.

All raise ValueError if the arrays do not fit together.
"""

from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

def touch(
    records: _Array,
    kinds: _Array,
    names: _Array,
    in_globals: _Array,
    texts: _Array,
    lowest: int,
    aliased: _Array,
    salts: tuple[int, int],
    table: _Array,
    buckets: _Array,
    counts: _Array,
    /,
) -> bool:
    """Put the location of each access into a bucket, and note there who touched it and whether somebody wrote.

    A bucket is chosen by the address of the container and by the key: equal keys lie in the same one. `kinds` are those
    of the records. By site, the last entry for all that are not known: `names` (uint64) are the texts of NAME keys,
    `in_globals` (a byte) says that the container is a module's globals. `texts` (uint64) has the canonical ids of texts
    by their ids from `lowest` on, its last entry is for all others. What is in one of the containers `aliased` (uint64,
    in order) may be in another one, too. `salts` choose the hash.

    `table` (uint32, a power of two, at first zeros) has the buckets. The bucket of each record goes into `buckets`
    (uint32), `counts` (int64, by site) is how many accesses there are. Gives whether some are in a module's globals.
    """

def shared(buckets: _Array, table: _Array, candidates: _Array, /) -> int:
    """Say in `candidates` (a byte each) which records are accesses in a bucket that two threads touched and one wrote,
    or in one of several. Gives how many they are."""

def gather(records: _Array, which: _Array, first: int, rows: _Array, seqs: _Array, at: int, /) -> int:
    """Copy those of some records that `which` (a byte each) names to `rows`, and their seqs to `seqs` (int64), from the
    place `at` on. Gives the place behind them. `first` is the seq of the first record."""
