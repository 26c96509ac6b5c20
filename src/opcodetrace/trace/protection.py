"""Protection: why what several threads do at a location does not get between each other, as a trace shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from opcodetrace.trace.finding import Certainty


class Update(NamedTuple):
    """A write of a location with what flowed into it: from the read at `began` to the write at `seq`.

    A blind write began as it was written. Both are seqs of one thread, so they compare with the seqs of all that
    it recorded."""

    location: int
    thread: int
    began: int
    seq: int
    certain: bool = True  # the read is proven to be the one that flowed in; a blind write has none to prove
    is_read: bool = False  # it is no write, but reads between two seqs

    @property
    def blind(self) -> bool:
        return self.began == self.seq


class Why(StrEnum):
    """What kept the updates of a location apart."""

    LOCK = "lock"  # each was made while its thread held one and the same lock
    SEMAPHORE = "semaphore"  # the same of a semaphore that no two threads held at a time
    ORDER = "order"  # each pair of threads' updates was ordered by what threads wait for
    NOTHING = "nothing"  # nothing that was seen


class Doubt(StrEnum):
    """What a verdict that is not proven rests on besides the trace."""

    SOURCE = "source"  # a value went through a call: the read taken for the update's own may be another
    STATE = "state"  # a queue was empty, or an event unset, as the recording began
    JOIN = "join"  # a join was not ended by its timeout
    PLACES = "places"  # a semaphore has one place
    MADE = "made"  # what the first thread wrote, made of nothing, came before it shared the object
    UNSEEN = "unseen"  # code that is not woven wrote to the location too
    MISSED = "missed"  # some accesses of the run were not recorded


@dataclass(frozen=True, slots=True)
class Carrier:
    """What ordered updates of two threads: one did the first operation, and another's second one came out after it."""

    before: str  # set, put, notify, release, start, or end of a thread
    after: str  # wait, get, acquire, begin of a thread, join
    object: int | None  # a SyncObject; None: a thread


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why no update of a location got between another thread's read and write."""

    why: Why
    certainty: Certainty
    updates: int
    threads: tuple[int, ...]  # that wrote
    objects: tuple[int, ...] = ()  # the locks or semaphores
    phases: bool = False  # not all updates had the same of these, but those that did not were ordered by `carriers`
    apart: int = 0  # updates made without them, but ordered before or after all others by `carriers`
    carriers: tuple[Carrier, ...] = ()  # the most frequent first
    doubts: tuple[Doubt, ...] = ()


class Protection(StrEnum):
    """What keeps threads apart at a location; as stored in `protections.protection`."""

    NOTHING = "nothing"  # something was found there: it went wrong, or may
    GIL_ONLY = "GIL only"  # something was found there that the GIL prevents
    UNKNOWN = "unknown"  # what was read is made into what is written, and neither a lock nor an order was seen
    ATOMIC_STEPS = "atomic steps"  # each access is one step; no thread writes what it made of what it had read
    LOCK = "lock"
    SEMAPHORE = "semaphore"
    HANDED_OVER = "handed over"  # by what threads wait for
    ONE_THREAD = "one thread"  # or tasks that one thread runs


class Covered(StrEnum):
    """What of a location a protection is about."""

    ACCESSES = "every access"
    WRITES = "every write"  # some reads do without: each of them is one step


@dataclass(frozen=True, slots=True)
class LocationProtection:
    """The protection of a location in a run."""

    location: int
    protection: Protection
    covers: Covered | None
    certainty: Certainty
    site: int  # an access: what was found there, else the last write
    object: int | None = None  # the lock, or what threads waited by; None: a thread, several locks in turn, or none
    carrier: Carrier | None = None  # what ordered the accesses, or those that were made without the lock


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """A lock that was held at all writes of a location, since a second thread came there, but those of some of the
    places that a finding is about."""

    lock: int
    writes: int  # with it


@dataclass(frozen=True, slots=True)
class Holding:
    """The locks that a thread held as it made an update; only locks that another thread used too are known."""

    thread: int
    throughout: frozenset[int]  # from the read to the write
    at_read: frozenset[int]
    at_write: frozenset[int]
