"""A run as stored."""

from __future__ import annotations

from dataclasses import dataclass

from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Tally
from opcodetrace.trace.run import MergedLanes, Truncation


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One row of `runs`, as read back."""

    id: int
    info: RunInfo
    outcome: Outcome
    threads: int
    records: int
    accesses: int
    stored: int
    switches: int
    lost: int  # the least number of lost updates that the trace proves
    lost_at_most: int
    unseen: int
    missed: int
    holes: int
    truncated: Truncation | None
    truncated_seq: int | None
    births: bool
    functions: int  # woven
    notes: tuple[str, ...]
    found: tuple[Tally, ...] = ()  # by kind; kinds of which nothing was found are left out
    tasks: int = 0  # asyncio tasks, which are not among the threads
    modules: int = 0  # woven
    unwoven: int = 0  # functions that ran as they are
    last: int | None = None  # as in Trace
    let_go: int = 0
    children: int | None = None  # processes that the script started; None in runs older than the count
    merged: tuple[MergedLanes, ...] = ()  # as in Trace
    interleaving: str | None = None  # its class (analyse/trace_equivalence.py); None: not known exactly

    @property
    def is_whole(self) -> bool:
        """Whether all that the script did with shared locations was recorded."""
        return self.truncated is None and not (self.let_go or self.missed or self.holes or self.merged or self.unseen)


@dataclass(frozen=True, slots=True)
class StoredSite:
    """A site as read back, with its source."""

    id: int
    path: str
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    function: str
    operation: str
    opcode: str
    expression: str | None  # the source text of the instruction: counter[0]
    computed: str | None
    source_line: str  # the line, stripped; "" if the source is unknown
