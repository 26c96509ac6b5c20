"""The passes of the analysis that look at every event of a run, over the columns of `Events` and `Sources`.

Each writes into arrays that it is given. All raise ValueError if these do not fit together.
"""

from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

def group(location: _Array, bounds: _Array, order: _Array, /) -> None:
    """Sort the places of all accesses by location, those of one in order.

    `order` (int32) has a place for each event whose `location` is not negative; those of location n come to lie
    in `order[bounds[n]:bounds[n + 1]]`. `bounds` (int64) is longer than the highest location by two. Linear time.
    """

def newest_reads(
    kind: _Array,
    site: _Array,
    location: _Array,
    frame: _Array,
    asked: _Array,
    made_of: _Array,
    entered: _Array,
    source: _Array,
    /,
) -> None:
    """The sources of writes that are made of what one site reads and of nothing else.

    By site, `made_of` (int32) is the site whose newest event in the same activation flows into what is written there,
    or -1, and `asked` (uint8) whether some site is made of it. If that event is of the same location, its place goes
    into `source` (int32). `entered` (int32, by frame, all -1) is room to work in.
    """

def overwritten(
    kind: _Array,
    tag: _Array,
    word: _Array,
    source: _Array,
    order: _Array,
    begins: _Array,
    ends: _Array,
    over: _Array,
    unseen: _Array,
    /,
) -> tuple[int, int]:
    """The lost updates of locations whose accesses happened in a known order: `versions.lost_updates` without
    `versions.unchanging`, for many locations at once. Linear time.

    A part, `order[begin:end]`, has the places of one location's accesses. For a write that was lost, the place of the
    one that overwrote it goes into `over` (int32), plus one; for a read that returned what no write had written, 1 into
    `unseen`. Gives how many of either there are.
    """

def interleaving(
    seq: _Array,
    before: _Array,
    thread: _Array,
    site: _Array,
    kind: _Array,
    location: _Array,
    shared: _Array,
    lane_hash: _Array,
    site_hash: _Array,
    /,
) -> int | None:
    """A hash of the order of conflicting accesses. None if two may have come in either order, or from an unknown lane.

    By location, `shared` (bool) says whether its accesses count. `lane_hash` (0: not known) and `site_hash` (uint64)
    are what lanes and sites are known by. Linear time.
    """
