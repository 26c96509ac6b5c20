"""Waits of tasks that were recorded as they began, and of which only those count that never came to their end."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, SyncFlag
from opcodetrace.spool.records import Records
from opcodetrace.trace.event import Value
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import AWAITS, OF_TASKS, Act, Primitive

Array = npt.NDArray[Any]


class AwaitedTasks:
    """Which task is the one that another one awaits. It is recorded by its address, which another one had before."""

    def __init__(self, seqs: Array, rows: Records, names: Sequence[Value], threads: Sequence[Thread]) -> None:
        self._threads = {each.thread: each for each in threads}
        self._address: dict[int, int] = {}  # by the seq of an await
        self._steps: defaultdict[int, list[int]] = defaultdict(list)  # by task: the seqs at which they began
        self._runs: defaultdict[int, list[int]] = defaultdict(list)  # by address: those of its tasks' steps ...
        self._lanes: defaultdict[int, list[int]] = defaultdict(list)  # ... and whose these are
        awaits = np.flatnonzero(np.array([name == Act.AWAIT_END for name in names], bool))
        addresses = rows["container"][awaits] & np.uint64(ADDRESS_MASK)
        self._address = dict(zip(seqs[awaits].tolist(), addresses.tolist(), strict=True))
        runs = np.flatnonzero(np.array([name == Act.RUN for name in names], bool)) if len(awaits) else awaits
        owners = rows["value"][runs] & np.uint64(ADDRESS_MASK)
        for seq, lane, owner in zip(seqs[runs].tolist(), rows["thread"][runs].tolist(), owners.tolist(), strict=True):
            if lane in self._threads and self._threads[lane].task_of is not None:
                self._steps[lane].append(seq)
                self._runs[owner].append(seq)
                self._lanes[owner].append(lane)

    def lane(self, seq: int) -> int | None:
        """The task that is awaited from a seq on: one that had begun and not ended, or else the next one to begin.

        None if it is not known: one was given up before it ended, and another one came to its address."""
        address = self._address.get(seq)
        if address is None:
            return None
        lanes, at = self._lanes.get(address, []), bisect.bisect(self._runs.get(address, []), seq)
        later = lanes[at] if at < len(lanes) else None
        if at:
            earlier = self._threads[lanes[at - 1]]
            if earlier.ended and earlier.last_seq > seq:
                return earlier.thread
            if not earlier.ended:
                return earlier.thread if later in (None, earlier.thread) else None
        return later

    def next_step(self, task: int, seq: int) -> float:
        """The seq at which a task went on after another one; infinite: never."""
        steps = self._steps[task]
        at = bisect.bisect(steps, seq)
        return steps[at] if at < len(steps) else math.inf


def awaited_for_ever(
    seqs: Array,
    rows: Records,
    names: Sequence[Value],
    interned: Interned,
    interrupted: float,
    threads: Sequence[Thread],
    awaited: AwaitedTasks,
) -> Array:
    """All records but the waits that tell nothing more than their ends: of those that stay, a task came out no more, or
    not before Ctrl-C; or it held a lock as it began to await another task."""
    awaits = np.array([name in AWAITS for name in names], bool)
    stays = ~awaits
    if not awaits.any():
        return stays
    looks = np.array([name == Act.LOOK for name in names], bool)
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    of_tasks = [each for each in np.unique(types).tolist() if interned.type_name(each) in OF_TASKS]
    before = np.flatnonzero(np.isin(types, of_tasks) & ~looks & (seqs < interrupted))
    _, last = np.unique(rows["thread"][before][::-1], return_index=True)
    last = before[len(before) - 1 - last]  # of each task
    begins = (rows["frame"][last].astype(np.int64) & SyncFlag.BEGINS) != 0
    last = last[begins & awaits[last]]
    ended = {each.thread for each in threads if each.ended} if math.isinf(interrupted) else set()
    for at, seq, thread in zip(last.tolist(), seqs[last].tolist(), rows["thread"][last].tolist(), strict=True):
        stays[at] = awaited.next_step(thread, seq) >= interrupted if names[at] == Act.AWAIT_END else thread not in ended
    for_ends = np.array([name == Act.AWAIT_END for name in names], bool)
    stays |= for_ends & _under_lock(rows, names, types, interned)
    return stays


def _under_lock(rows: Records, names: Sequence[Value], types: Array, interned: Interned) -> Array:
    """The records that a task made while it held one of asyncio's locks."""
    locks = [each for each in np.unique(types).tolist() if interned.type_name(each) == Primitive.TASK_LOCK]
    done = (rows["frame"].astype(np.int64) & (SyncFlag.BEGINS | SyncFlag.FAILED)) == 0
    done &= np.isin(types, locks)
    steps = np.array([(name == Act.ACQUIRE) * 1 - (name == Act.RELEASE) * 1 for name in names], np.int64) * done
    order = np.argsort(rows["thread"], kind="stable")  # the records of one task in a row
    threads, depth = rows["thread"][order], np.cumsum(steps[order])
    begins = np.flatnonzero(np.r_[True, threads[1:] != threads[:-1]])
    depth -= np.repeat((depth - steps[order])[begins], np.diff(np.r_[begins, len(threads)]))
    found = np.zeros(len(rows), bool)
    found[order] = depth > 0
    return found
