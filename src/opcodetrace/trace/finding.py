"""Findings: what the analysis proves of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opcodetrace.trace.events import Sources


class Certainty(StrEnum):
    PROVEN = "proven"
    INFERRED = "inferred"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class LostUpdate:
    """A write that is neither settled nor an ancestor, by source, of a settled version (DESIGN.md, Words).

    The fields are seqs of events. `read` is the stale read of the *overwriting* write's thread if that write has one:
    the read that did not see the lost write; `source_read` is the lost write's own read.
    """

    location: int
    lost: int
    lost_thread: int
    source_read: int | None
    overwritten_by: int | None
    overwritten_by_thread: int | None
    read: int | None
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class UnseenWrite:
    """A read returned another value than its version's: code that is not woven wrote there before `seq`."""

    location: int
    seq: int


@dataclass(frozen=True, slots=True)
class LostCount:
    """How many updates of a location were lost: `low == high` where every consistent order agrees.

    `exhausted` is true where the bounded search gave up, so that the bounds hold but may be wide."""

    location: int
    low: int
    high: int
    overwriters: int  # distinct writes that overwrote
    exhausted: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the analysis says of a run.

    `sources` gives for a write's seq the seq of its source event (the read or own write whose version flows in); a
    blind write has none."""

    lost: list[LostUpdate]
    counts: list[LostCount]
    unseen: list[UnseenWrite]
    sources: Sources
    uncertain_locations: int = 0  # left out: their identity is not certain

    @property
    def source_certainty(self) -> dict[int, Certainty]:
        """How sure each write's source is."""
        return self.sources.certainties()
