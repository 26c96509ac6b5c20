"""Synchronisation: what threads do to wait for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SyncObject:
    """A lock, condition, semaphore, event, barrier, queue, future or thread that at least two threads used."""

    id: int
    type_name: str  # _thread.lock, threading.Condition
    label: str  # as the source writes it if a woven call led to it: lock, self.queue


class Synchronisation(NamedTuple):
    """One operation of a thread. It ended at `seq`. If it may wait, it began at `earliest`.

    One that `begins` is about to wait. Its end is another row, which is missing if the thread never came out."""

    seq: int
    earliest: int
    thread: int
    site: int | None  # of the woven call that led there
    object: int | None  # a SyncObject; None for the start of a thread
    operation: str  # acquire, release, wait, notify, put, get, start, join ...
    begins: bool
    failed: bool  # it raised, or returned False: not free, timed out
    waited: float | None  # seconds from begin to end
    holder: int | None  # of a lock that is acquired: the thread that held it as the operation began
    woken_by: int | None = None  # the thread whose release, put or the like ended the wait
    inside: int | None = None  # seq at which the operation began that this is a part of: `wait` of an Event in `start`
    started: int | None = None  # start: the thread that began to run
