"""What is not known at the beginning of a trace whose first events were let go (`record --last`).

The accesses that are there come after all that were let go; the first of them see what those left: version 0. Sources
that were let go are missing, so a write looks blind that is not. That settles a version more, and the chain that the
write really belongs to leads out of the trace at once: of the writes there are, fewer are lost than in truth, never
more.

But where accesses are known only to lie in an interval, one that is there may have come *before* one that was let go.
"""

from __future__ import annotations

from collections.abc import Sequence

from opcodetrace.trace.event import ABSENT, Event, Kind


def without_doubt(events: Sequence[Event], first: int) -> tuple[Sequence[Event], set[int]]:
    """The accesses of a location, where values that may be of versions let go are made unknown; and the writes (their
    seqs) that one let go may have come after, and settled. `first` is the seq of the first record there is."""
    early = [event for event in events if event.earliest < first]
    if not early:
        return events, set()
    read = int(Kind.READ)
    written = min(
        (event.seq for event in events if event.kind != read and event.earliest >= first), default=events[-1].seq
    )
    known = [
        event._replace(value=ABSENT) if event.kind == read and event.earliest <= written else event for event in events
    ]
    return known, {event.seq for event in early if event.kind != read}
