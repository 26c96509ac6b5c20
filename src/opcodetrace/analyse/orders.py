"""Locations whose accesses are known only to lie within intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opcodetrace.analyse import versions
from opcodetrace.trace.event import Event, Kind
from opcodetrace.trace.finding import Certainty, LostCount


def search(
    location: int, events: Sequence[Event], sources: Mapping[int, int], certainties: Mapping[int, Certainty]
) -> tuple[versions.Lost, LostCount]:
    """Take the recorded order for now."""
    result = versions.lost_updates(location, events, sources, certainties, order_known=False)
    writes = sum(event.kind != Kind.READ for event in events)
    return result, LostCount(location, 0, max(0, writes - 1), result.overwriters, exhausted=True)
