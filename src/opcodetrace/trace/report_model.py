"""Stories: what a person reads of a run. The analysis and the export build them, the reporters write them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from opcodetrace.trace.event import ABSENT, Kind, Value
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.protection import Holding, Verdict
from opcodetrace.trace.run import StoredRun, StoredSite, Thread
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import SyncObject


@dataclass(frozen=True, slots=True)
class Lane:
    """A column of a report. `name` is short and belongs to this lane alone within the run."""

    thread: int
    name: str  # Thread-1
    title: str  # Thread-1 (worker)
    task_of: int | None = None  # an asyncio task: the thread that runs it


class Role(StrEnum):
    """What a step is to the update that was lost."""

    ORIGIN = "origin"  # the write whose version the lost update started from
    SOURCE_READ = "source read"  # the lost write's own read
    STALE_READ = "stale read"  # the overwriting write's read, which did not see the lost write
    LOST_WRITE = "lost write"
    OVERWRITING_WRITE = "overwriting write"


@dataclass(frozen=True, slots=True)
class AccessStep:
    """A read, write or deletion of the location."""

    seq: int
    earliest: int
    thread: int
    kind: Kind
    site: StoredSite
    value: Value
    role: Role | None = None
    unordered: bool = False  # it overlaps another lane's step: which came first is not recorded
    continues: bool = False  # the same pass of the same source line as this lane's step before


@dataclass(frozen=True, slots=True)
class ComputeStep:
    """What an operation gave, on the way from a read to a write. `operand` is the value read that flowed into it.

    `seq` is its own where it was recorded; else that of the write, which stored the result as it was."""

    seq: int
    thread: int
    site: StoredSite
    operation: str  # BINARY_ADD
    value: Value
    operand: Value = ABSENT
    continues: bool = False


@dataclass(frozen=True, slots=True)
class SwitchStep:
    """The interpreter gave the GIL to another thread. `path` is the file in which the outgoing thread stood."""

    switch: Switch
    path: str | None = None
    recorded: bool = True  # else known only from the steps before and after

    @property
    def seq(self) -> int:
        return self.switch.seq


@dataclass(frozen=True, slots=True)
class SyncStep:
    """What a thread does to wait for others, or to let them go on."""

    seq: int
    thread: int
    operation: str  # acquire, release, wait, put ...
    object: SyncObject | None
    begins: bool  # it is only begun here; the thread may wait now
    failed: bool  # was not free, timed out
    waited: float | None  # seconds, where another thread kept it waiting
    holder: int | None  # the thread that held the lock as the operation began
    woken_by: int | None  # the thread whose release, put or the like ended the wait
    other: int | None = None  # the thread that is started or joined, where known
    site: StoredSite | None = None


@dataclass(frozen=True, slots=True)
class FoldStep:
    """Steps left out because they do not matter here."""

    seq: int
    reads: int = 0  # of the same location
    writes: int = 0  # of the same location, deletions among them
    accesses: int = 0  # of the same location, where reads and writes were not told apart
    elsewhere: int = 0  # accesses to other locations
    switches: int = 0
    threads: tuple[int, ...] = ()  # whose accesses to the same location these are, where known
    synchronisation: int = 0  # of the threads shown


Step = AccessStep | ComputeStep | SwitchStep | SyncStep | FoldStep


@dataclass(frozen=True, slots=True)
class Interleaving:
    """The steps, in order, by which one update was lost, or by which one thread's followed another's."""

    label: str  # of the location
    lanes: tuple[Lane, ...]  # the threads that take part, by number
    steps: tuple[Step, ...]
    certainty: Certainty
    same_version: bool  # the lost write and the one that overwrote it started from the same version
    stacks: Mapping[Role, tuple[StoredSite, ...]] = field(default_factory=dict)  # calls that led there, newest first

    def step(self, role: Role) -> AccessStep | None:
        """The step that plays the role, if any does."""
        return next((step for step in self.steps if isinstance(step, AccessStep) and step.role is role), None)


@dataclass(frozen=True, slots=True)
class LostStory:
    """The lost updates that share a label and a pair of source lines, one of them told step by step."""

    label: str
    lost_site: StoredSite
    overwriting_site: StoredSite | None
    count: int
    certainty: Certainty  # of the one that is told
    interleaving: Interleaving | None
    held: tuple[Holding, ...] = ()  # the locks of the two threads: the one whose write was lost, then the other


@dataclass(frozen=True, slots=True)
class Protected:
    """Locations of one label that several threads updated and that lost nothing, for one and the same reason."""

    label: str
    cells: int  # locations of which this holds
    verdict: Verdict  # of all of them; its updates are theirs together
    hand_over: Interleaving | None  # how one thread's update followed another's, the tightest


@dataclass(frozen=True, slots=True)
class WatchedLocation:
    """The shared locations of one label: what was done to them, and how many updates they lost."""

    label: str
    cells: int  # locations that bear the label
    reads: int
    writes: int
    threads: int  # the most that touched one of them
    low: int  # updates lost, at least
    high: int  # updates lost, at most
    overwriters: int
    exhausted: bool  # the bounded search gave up: low and high hold but may be far apart
    uncertain: int  # cells whose identity is not certain: their updates are not counted
    unseen: int  # writes by code that is not woven


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
    watched: tuple[WatchedLocation, ...]  # those that lost most first, then those written most
    stories: tuple[LostStory, ...]  # those that lost most first
    more_stories: int  # further pairs of source lines, not told
    more_lost: int  # the lost updates of those
    unwoven: tuple[UnwovenFunction, ...]
    protected: tuple[Protected, ...] = ()  # those written most first
    more_protected: int = 0  # further locations, or reasons, that are not told
    objects: Mapping[int, SyncObject] = field(default_factory=dict)  # that holdings and verdicts refer to
    untold_synchronisation: int = 0  # steps, where they are too many to look into

    @property
    def free_threaded(self) -> bool:
        return not self.run.info.gil

    @property
    def lost(self) -> bool:
        """Whether the trace shows that an update was lost."""
        return self.run.lost > 0

    @property
    def possibly_lost(self) -> bool:
        """Whether some order that agrees with the trace loses an update."""
        return self.run.lost_at_most > 0
