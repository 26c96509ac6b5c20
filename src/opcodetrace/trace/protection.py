"""Protection: why the updates of a location by several threads did not get between each other, as a trace shows it."""

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


@dataclass(frozen=True, slots=True)
class Holding:
    """The locks that a thread held as it made an update; only locks that another thread used too are known."""

    thread: int
    throughout: frozenset[int]  # from the read to the write
    at_read: frozenset[int]
    at_write: frozenset[int]
