"""What the versions of a location show: updates that none built on, and writes that nothing recorded."""

from __future__ import annotations

from dataclasses import dataclass

from opcodetrace.trace.finding import Certainty, Severity


@dataclass(frozen=True, slots=True)
class LostUpdate:
    """A write that is neither settled nor an ancestor, by source, of a settled version (docs/glossary.md).

    The fields are seqs of events. `source_read` is the read that the lost write's value came from. `read` is the stale
    one: the overwriting write's value came from it, and it did not see the lost write. A write without a read has None.
    """

    location: int
    lost: int
    lost_thread: int
    source_read: int | None
    overwritten_by: int | None
    overwritten_by_thread: int | None
    read: int | None
    certainty: Certainty  # of the sources that this rests on
    severity: Severity = Severity.HAPPENED  # possible: other orders that agree with the trace may not lose it


@dataclass(frozen=True, slots=True)
class UnseenWrite:
    """A read returned another value than its version's: code that is not woven wrote there before `seq`."""

    location: int
    seq: int


@dataclass(frozen=True, slots=True)
class LostCount:
    """How many updates of a location were lost: `low == high` if every consistent order agrees.

    `exhausted` is true if the bounded search gave up, so that the bounds hold but may be wide."""

    location: int
    low: int
    high: int
    overwriters: int  # distinct writes that overwrote
    exhausted: bool
