"""The steps of an interleaving, as a person reads them."""

from __future__ import annotations

from dataclasses import dataclass

from opcodetrace.trace.event import ABSENT, EventKind, Value
from opcodetrace.trace.stored import StoredSite
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import SyncObject


@dataclass(frozen=True, slots=True)
class Lane:
    """A column of a report. `name` is short and belongs to this lane alone within the run."""

    thread: int
    name: str  # Thread-1
    title: str  # Thread-1 (worker)
    task_of: int | None = None  # an asyncio task: the thread that runs it


ORIGIN = "origin"  # the role of the write whose version the first step reads


@dataclass(frozen=True, slots=True)
class AccessStep:
    """A read, write or deletion of the location."""

    seq: int
    earliest: int
    thread: int
    kind: EventKind
    site: StoredSite
    value: Value
    role: str | None = None  # a role of the finding's kind, or ORIGIN
    unordered: bool = False  # it overlaps another lane's step: which came first is not recorded
    continues: bool = False  # the same pass of the same source line as this lane's step before
    whole: bool = False  # of a container as a whole: the value is what was added or asked for, or how many items it had


@dataclass(frozen=True, slots=True)
class ComputeStep:
    """What an operation gave, on the way from a read to a write. `operand` is the value read that flowed into it.

    `seq` is its own if it was recorded; else that of the write, which stored the result as it was."""

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
    waited: float | None  # seconds, if another thread kept it waiting
    holder: int | None  # the thread that held the lock as the operation began
    woken_by: int | None  # the thread whose release, put or the like ended the wait
    other: int | None = None  # the thread that is started or joined, if known
    site: StoredSite | None = None
    role: str | None = None  # a role of the finding's kind


@dataclass(frozen=True, slots=True)
class FoldStep:
    """Steps left out because they do not matter here."""

    seq: int
    reads: int = 0  # of the same location
    writes: int = 0  # of the same location, deletions among them
    accesses: int = 0  # of the same location, if reads and writes were not told apart
    elsewhere: int = 0  # accesses to other locations
    switches: int = 0
    threads: tuple[int, ...] = ()  # whose accesses to the same location these are, if known
    synchronisation: int = 0  # of the threads shown
    alike: bool = False  # `threads` did, one after the other, what the steps of the one before show


Step = AccessStep | ComputeStep | SwitchStep | SyncStep | FoldStep
