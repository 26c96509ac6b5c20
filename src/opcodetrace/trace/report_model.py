"""Report model: what a person reads of a run. `explain` builds it, the reporters write it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opcodetrace.trace.finding import Certainty, FindingGroup, Severity, Tally
from opcodetrace.trace.finding_kind import FindingKind, happened
from opcodetrace.trace.protection import HeldElsewhere, Holding, Verdict
from opcodetrace.trace.report_step import AccessStep, Lane, Step, SyncStep
from opcodetrace.trace.run import Thread
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.sync import SyncObject


@dataclass(frozen=True, slots=True)
class Interleaving:
    """The steps of a finding, in order, or those by which one thread's update followed another's."""

    label: str  # of the location
    lanes: tuple[Lane, ...]  # the threads that take part, by number
    steps: tuple[Step, ...]
    same_version: bool = False  # the reads that play a role all returned one and the same version
    stacks: Mapping[str, tuple[StoredSite, ...]] = field(default_factory=dict)  # calls that led there, newest first

    def step(self, role: str) -> AccessStep | None:
        """The access that plays the role, if any does."""
        return next((step for step in self.steps if isinstance(step, AccessStep) and step.role == role), None)

    def sync(self, role: str) -> SyncStep | None:
        """The operation of synchronisation that plays the role, if any does."""
        return next((step for step in self.steps if isinstance(step, SyncStep) and step.role == role), None)


@dataclass(frozen=True, slots=True)
class Story:
    """Findings of one kind at the same source lines, one of them told step by step."""

    kind: FindingKind
    severity: Severity
    certainty: Certainty  # of the one that is told
    label: str  # of its location
    count: int
    locations: int  # at which these findings are
    labels: tuple[str, ...]  # some of those
    sites: Mapping[str, StoredSite]  # of the one that is told, by role
    interleaving: Interleaving | None
    held: tuple[Holding, ...] = ()  # the locks of the threads that play its roles, in the order of the roles
    fingerprint: str | None = None
    like: int | None = (
        None  # the number, from 1, of a story of the same shape that is told step by step; this one is not
    )
    held_elsewhere: HeldElsewhere | None = None


@dataclass(frozen=True, slots=True)
class Protected:
    """Locations of one label that several threads updated and that lost nothing, for one and the same reason."""

    label: str  # without the object's number, if they are of several objects
    cells: int  # locations of which this holds
    verdict: Verdict  # of all of them; its updates and objects are theirs together
    hand_over: Interleaving | None  # how one thread's update followed another's, the tightest
    each_its_own: bool = False  # each location, or some, has another lock or semaphore, made at the same place


@dataclass(frozen=True, slots=True)
class WatchedLocation:
    """The shared locations of one label: what was done to them, and what was found there."""

    label: str
    cells: int  # locations that bear the label
    reads: int
    writes: int
    threads: int  # the most that touched one of them
    found: tuple[Tally, ...] = ()  # by kind
    uncertain: int = 0  # cells whose identity is not certain: nothing is looked for there

    def tally(self, kind: str) -> Tally:
        return next((tally for tally in self.found if tally.kind == kind), Tally(kind, 0, 0))


@dataclass(frozen=True, slots=True)
class UnwovenFunction:
    """A function that ran as it is: nothing of what it did was seen."""

    function: str
    path: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that a reporter needs to know of a run."""

    run: StoredRun
    threads: tuple[Thread, ...]
    lanes: tuple[Lane, ...]  # one a thread, in the same order
    kinds: Mapping[str, FindingKind]  # by name, in the order in which they are told
    watched: tuple[WatchedLocation, ...]  # those with most findings first, then those written most
    stories: tuple[Story, ...]  # by kind, those with most findings first
    more: tuple[FindingGroup, ...]  # further groups, not told step by step
    unwoven: tuple[UnwovenFunction, ...]
    protected: tuple[Protected, ...] = ()  # those written most first
    more_protected: int = 0  # further locations, or reasons, that are not told
    objects: Mapping[int, SyncObject] = field(default_factory=dict)  # that holdings and verdicts refer to
    untold_synchronisation: int = 0  # steps, if they are too many to look into
    started_at: Mapping[int, StoredSite] = field(default_factory=dict)  # by thread: the call that led to its start

    @property
    def free_threaded(self) -> bool:
        return not self.run.info.gil

    def tally(self, kind: FindingKind) -> Tally:
        """How many findings of the kind the run has."""
        return next((tally for tally in self.run.found if tally.kind == kind.name), Tally(kind.name, 0, 0))

    @property
    def told(self) -> tuple[FindingKind, ...]:
        """The kinds of which this run has findings to tell."""
        return tuple(kind for kind in self.kinds.values() if kind.is_told and self.tally(kind).high)

    @property
    def went_wrong(self) -> bool:
        """Whether something happened for which a check fails."""
        return happened(self.kinds, self.run.found)
