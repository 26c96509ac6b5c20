"""What is not known at the beginning of a trace whose first events were evicted (`record --last`).

The accesses that are kept come after all that were evicted. The first of them see what those left: version 0. If a
write's source was evicted, the write looks blind. That settles one version more, and the chain that the write really
belongs to leads out of the trace at once. So fewer of the kept writes count as lost than were in truth, never more.

If accesses are known only to lie in an interval, a kept one may have come *before* an evicted one.

One thing more is not known. A write that puts back the value that it was made of is no update, so it cannot be lost.
If that value was read before, by an activation that had begun then, the write looks like any other blind one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.trace.event import ABSENT, Event, EventKind
from opcodetrace.trace.events import Events, Sources

Array = npt.NDArray[Any]


def may_put_back(events: Events, sources: Sources) -> Array:
    """Which events are writes that may be made of an evicted read, as a mask.

    They have no source, and their activation did not begin among the kept events."""
    begun = np.full(int(events.frame.max(initial=-1)) + 1, len(events), np.int64)  # by frame
    (enters,) = np.nonzero(events.kind == EventKind.ENTER)
    np.minimum.at(begun, events.frame[enters], enters)
    doubtful: Array = (
        (events.kind == EventKind.WRITE) & (sources.place < 0) & (begun[events.frame] > np.arange(len(events)))
    )
    return doubtful


def without_doubt(events: Sequence[Event], first: int) -> tuple[Sequence[Event], set[int]]:
    """What is certain of a location's accesses; `first` is the seq of the first record that was kept.

    Gives the accesses, with those values unknown that may be of an evicted version, and the seqs of the writes that an
    evicted write may have followed. That one may have been blind, so each of them may be settled."""
    early = [event for event in events if event.earliest < first]
    if not early:
        return events, set()
    read = int(EventKind.READ)
    written = min(
        (event.seq for event in events if event.kind != read and event.earliest >= first), default=events[-1].seq
    )
    known = [
        event._replace(value=ABSENT) if event.kind == read and event.earliest <= written else event for event in events
    ]
    return known, {event.seq for event in early if event.kind != read}
