"""Findings: what the trace of a run shows, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opcodetrace.trace.events import Sources
    from opcodetrace.trace.protection import LocationProtection


class Severity(StrEnum):
    """What became of it; the worst first."""

    HAPPENED = "happened"  # this run went wrong so: every order that agrees with the trace says it
    POSSIBLE = "possible"  # nothing that was seen excludes it
    GIL_ONLY = "gil-only"  # this build cannot do it; one without the GIL can


class Certainty(StrEnum):
    """What a statement rests on."""

    PROVEN = "proven"  # on the data flow and the order that the trace holds
    INFERRED = "inferred"  # on a value's way through a call, or the like
    POSSIBLE = "possible"  # of protection alone: nothing was seen that would exclude another outcome


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. Its kind (`opcodetrace.findings.KINDS`) says what the roles mean."""

    kind: str  # the name of its kind
    severity: Severity
    certainty: Certainty
    roles: Mapping[str, int]  # the role's name: the seq of the event, or of the synchronisation, that plays it
    locations: tuple[int, ...] = ()  # the first is the one that it is told of
    locks: tuple[int, ...] = ()  # SyncObjects


@dataclass(frozen=True, slots=True)
class Count:
    """How many findings of a kind there are at a location, over all orders that agree with the trace."""

    kind: str
    location: int | None
    low: int  # in every order
    high: int  # in some order
    causes: int = 0  # distinct events that brought them about: writes that overwrote
    exhausted: bool = False  # the bounded search for orders gave up: the bounds hold, but may lie far apart


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind and severity whose grouping roles were played at the same source lines."""

    kind: str
    severity: Severity
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found in a run, and the sources that it rests on.

    `sources` gives for a write's seq the seq of its source event (the read or own write whose version flows in); a
    blind write has none."""

    found: Sequence[Finding]
    group_of: Sequence[int]  # of each, in the same order: its place in `groups`
    groups: Sequence[Group]
    counts: Sequence[Count]
    sources: Sources
    uncertain_locations: int = 0  # left out: their identity is not certain
    protections: Sequence[LocationProtection] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings of a kind a run, or the locations of a label, have."""

    kind: str
    low: int
    high: int
    causes: int = 0
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """A group as stored, with one of its findings."""

    kind: str
    severity: Severity
    certainty: Certainty  # of the example
    fingerprint: str | None  # the same in every run and checkout; None in older runs
    count: int
    locations: int  # how many there are
    labels: tuple[str, ...]  # of those, each once, the most frequent first; not all if there are many
    sites: Mapping[str, int]  # the role's name: the site of the example
    example: Finding  # the one whose events span the fewest records
    threads: Mapping[int, int] = field(default_factory=dict)  # of the example's events, by seq
