"""What a kind of finding says of itself, and what it is told with (`opcodetrace.findings` has the kinds)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Protocol

from opcodetrace.trace.event import Value
from opcodetrace.trace.finding import Certainty, Severity, Tally
from opcodetrace.trace.report_step import AccessStep, SyncStep
from opcodetrace.trace.stored import StoredSite


class Need(Flag):
    """What a kind needs that is not kept for all."""

    NOTHING = 0
    ENTER_OF_READERS = auto()  # where activations begin that read kept locations, and write none


class Mark(StrEnum):
    """How a report brings out the step that plays a role."""

    PLAIN = "plain"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Role:
    """The part of an event in a finding of the kind."""

    name: str
    meaning: str  # a line for the documentation
    mark: Mark = Mark.PLAIN
    groups: bool = False  # findings with it at another source line are told apart
    flows_into: str | None = None  # a read: the role of the write that its value flows into


@dataclass(frozen=True, slots=True)
class Total:
    """How many findings of a kind a run has, and where."""

    low: int
    high: int
    causes: int  # distinct events that brought them about
    places: int  # labels
    label: str | None  # if there is one only, as the format quotes it
    cells: int  # locations of that label


class Teller(Protocol):
    """One finding in the words of one format."""

    @property
    def severity(self) -> Severity: ...

    @property
    def certainty(self) -> Certainty: ...

    @property
    def same_version(self) -> bool:
        """Whether the reads that play a role all returned one and the same version."""

    @property
    def unseen_writes(self) -> bool:
        """Whether code that is not woven wrote in this run, so that the order is not known for that alone."""

    @property
    def label(self) -> str:
        """The location."""

    def step(self, role: str) -> AccessStep | None:
        """The access that plays the role, if any does."""

    def sync(self, role: str) -> SyncStep | None:
        """The operation of synchronisation that plays the role, if any does."""

    def lock(self, step: SyncStep) -> str:
        """What the operation is done to: the Lock first_lock."""

    def lane(self, thread: int) -> str:
        """The thread's or task's short name."""

    def value(self, value: Value, length: int = ...) -> str:
        """A value, quoted, in about that length."""

    def place(self, site: StoredSite) -> str:
        """line 9."""

    def did(self, step: AccessStep) -> str:
        """wrote 1 (line 9)."""

    def written_between(self, one: str, other: str) -> bool:
        """Whether the location was written between the steps of two roles."""

    def reached_from(self, role: str) -> str | None:
        """The calls that led to the step: from f (line 3), from g (line 9). None if they were not recorded."""


class FindingKind(Protocol):
    """One kind of finding: all that the rest of opcodetrace knows of it."""

    @property
    def name(self) -> str:
        """In the trace file, in JSON, on the command line: lost update."""

    @property
    def plural(self) -> str: ...

    @property
    def claim(self) -> str:
        """What it says of a run in which it happened, in a sentence for the documentation."""

    @property
    def nothing(self) -> str | None:
        """A sentence without its full stop for a run in which no finding of any kind is told: No update was lost."""

    @property
    def fails_check(self) -> bool:
        """Whether `check` exits with 1 for it."""

    @property
    def is_told(self) -> bool:
        """Whether it is told with an interleaving. Else it limits what the recording shows; `caveat` says how."""

    @property
    def needs(self) -> Need: ...

    @property
    def roles(self) -> tuple[Role, ...]:
        """In the order that the kind claims. Of an event with several roles, the last one is told."""

    @property
    def pivot(self) -> str:
        """The role that those before it come before, and those after it after, whatever the overlap of intervals."""

    @property
    def in_order(self) -> bool:
        """Whether that is so. If not, the finding is told in the order of the run; its pivot is what it must have."""

    def headline(self, total: Total) -> str:
        """How many there are and where, in one sentence."""

    def caveat(self, total: Total, labels: str) -> str:
        """If it is not told: what it means for the report. `labels` lists the locations; it may be empty."""

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        """Of a group: what became of `what` (a location), at the places of the grouping roles."""

    def sentences(self, teller: Teller) -> Iterable[str]:
        """What happened, and why."""

    def how_sure(self, teller: Teller) -> str:
        """How sure that is, and why: Proven: ..."""

    def remark(self, role: str, teller: Teller) -> str | None:
        """What the step that plays the role means, beside it: LOST to Thread-2."""


def happened(kinds: Mapping[str, FindingKind], tallies: Iterable[Tally]) -> bool:
    """Whether anything happened for which a check fails."""
    return any(tally.low and tally.kind in kinds and kinds[tally.kind].fails_check for tally in tallies)


def possible(kinds: Mapping[str, FindingKind], tallies: Iterable[Tally]) -> bool:
    """Whether that happened, or may have."""
    return any(tally.high and tally.kind in kinds and kinds[tally.kind].fails_check for tally in tallies)
