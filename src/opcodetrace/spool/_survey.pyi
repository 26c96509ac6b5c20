"""The first look at the records of a window."""

from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

def survey(
    records: _Array,
    first: int,
    kinds: _Array,
    counts: _Array,
    begins: _Array,
    ends: _Array,
    control: _Array,
    markers: _Array,
    moving: _Array,
    failed: _Array,
    wholes: _Array,
    resizing: _Array,
    /,
) -> tuple[int, int, int, int, int, int]:
    """Look at some records, the first of which has the seq `first`.

    The kind of each goes into `kinds` (uint8), a hole's is 0; `counts` (int64, 32 of them) has how many there are of
    each. `begins` and `ends` (int64, one for each thread there may be) get each thread's first seq, where it is
    negative so far, and its last one. The places of some records go to the beginning of arrays (int32) that are as
    long as the records: `control`, of TEXT and all kinds above; `markers`, of COMPUTE, ENTER and DEFINE; `moving`, of
    changes that may move a container's items; `failed`, of reads of a container as a whole that raised; `wholes`, of
    those that did not; `resizing`, of changes that put an item into a container or took one out. Gives how many there
    are of these. Raises ValueError if arrays do not fit together.
    """
