"""What SYNC records say of the callbacks of event loops: which one made which task go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind, SyncFlag
from opcodetrace.spool.records import Survey
from opcodetrace.trace.callbacks import Callbacks, Past, Wake
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import OF_CALLBACKS, Act, Primitive

MAX_CALLBACKS = 1_000_000  # records, and wakes; of a run with more, tasks are not followed


def callbacks_of(seen: Survey, interned: Interned, threads: Sequence[Thread]) -> Callbacks:
    """Those of asyncio's own event loops. Of a loop written in C, and of tasks that are eager, it is not known."""
    which = seen.control_kinds == RecordKind.SYNC
    thread_of = {each.thread: each.task_of for each in threads if each.task_of is not None}
    if not thread_of or not which.any():
        return Callbacks()
    rows = seen.control[which]
    names = np.array([str(name) for name in interned.values(rows["tags"] & 15, rows["key"].copy())])
    of_callbacks = np.isin(names, list(OF_CALLBACKS))
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    of_locks = [each for each in np.unique(types).tolist() if interned.type_name(each) == Primitive.TASK_LOCK]
    of_callbacks |= np.isin(types, of_locks) & np.isin(names, [Act.ACQUIRE, Act.RELEASE])
    if np.count_nonzero(of_callbacks) > MAX_CALLBACKS:
        return Callbacks()
    rows, names, seqs = rows[of_callbacks], names[of_callbacks], seen.control_seqs[which][of_callbacks]
    replay = _Replay(thread_of, {each.thread: each.last_seq for each in threads})
    columns = (
        seqs,
        rows["thread"],
        names,
        rows["container"] & np.uint64(ADDRESS_MASK),
        rows["value"] & np.uint64(ADDRESS_MASK),
        (rows["frame"].astype(np.int64) & SyncFlag.BEGINS) != 0,
    )
    for row in zip(*(column.tolist() for column in columns), strict=True):
        replay.note(*row)
        if len(replay.wakes) > MAX_CALLBACKS:
            return Callbacks()
    return replay.result()


class _Replay:
    def __init__(self, thread_of: dict[int, int], last_seq: dict[int, int]) -> None:
        self.wakes: list[Wake] = []
        self._thread_of = thread_of  # by the lane of a task
        self._last_seq = last_seq
        self._scheduled: dict[int, Past] = {}  # by the address of a callback
        self._current: dict[int, Past] = {}  # by thread: the past of what its loop runs
        self._joined: defaultdict[int, dict[int, int]] = defaultdict(dict)  # by owner: the past of its callbacks
        self._lane_of: dict[int, int] = {}  # by the address of a task
        self._stepped: defaultdict[int, set[int]] = defaultdict(set)  # by thread: its tasks, since the loop began
        self._runs: defaultdict[int, list[int]] = defaultdict(list)
        self._pasts: defaultdict[int, list[Past]] = defaultdict(list)
        self._ends: defaultdict[int, list[int]] = defaultdict(list)
        self._heard: list[tuple[int, int]] = []
        self._woken_by_loop: list[tuple[int, int]] = []
        self._of_sockets: set[str] = set()  # connect, accept
        self._by_loop: set[int] = set()  # addresses of callbacks that another callback scheduled, or the system brings
        self._interrupted: int | None = None
        self._steps: dict[int, int] = {}  # by task: its last one before the interrupt
        self._holder: dict[int, int] = {}  # by the address of a lock
        self._handing_over: set[int] = (
            set()
        )  # lanes that release one: who is woken by that waited for no more than the lock
        self._unknown: set[int] = set()  # threads of which it is not known what made a task go on

    def note(self, seq: int, lane: int, name: str, address: int, owner: int, begins: bool) -> None:
        match name:
            case Act.SCHEDULE:
                self._scheduled[address] = (*self._current.get(lane, ()), (lane, seq))
                if lane in self._handing_over:
                    self._scheduled[address] = ()
                (self._by_loop.add if lane in self._current else self._by_loop.discard)(address)
            case Act.RUN:
                self._run(seq, lane, address, owner)
            case Act.RUN_LOOP:
                self._current.pop(lane, None)
                if not begins:
                    stepped = self._stepped.pop(lane, ())
                    self.wakes += [Wake(task, seq, lane, seq) for task in sorted(stepped)]
                    self._ends[lane].append(seq)
            case Act.FIND_DONE:
                done = self._lane_of.get(address)
                if done is None:
                    self._heard.append((lane, seq))
                elif done != lane:
                    self.wakes.append(Wake(done, min(self._last_seq[done] + 1, seq), lane, seq))
            case Act.ACQUIRE:
                if not begins:
                    self._holder[address] = lane
            case Act.RELEASE:
                if begins and self._holder.pop(address, None) == lane:
                    self._handing_over.add(lane)
                elif not begins:
                    self._handing_over.discard(lane)
            case Act.INTERRUPT:
                self._interrupted = seq if self._interrupted is None else self._interrupted
            case _:
                self._of_sockets.add(name)

    def _run(self, seq: int, lane: int, address: int, owner: int) -> None:
        thread = self._thread_of.get(lane, lane)
        past = self._scheduled.get(address)
        if past is None:
            self._unknown.add(thread)
            past = ()
        self._runs[thread].append(seq)
        if thread == lane:
            if owner:
                joined = self._joined[owner]
                for one, until in past:
                    joined[one] = max(until, joined.get(one, -1))
                past = tuple(joined.items())
            self._current[lane] = past
            self._pasts[thread].append(past)
            return
        self._pasts[thread].append(())
        if self._interrupted is None:
            self._steps[lane] = seq
        self._current.pop(thread, None)
        self._lane_of[owner] = lane
        self._stepped[thread].add(lane)
        if address in self._by_loop:
            self._woken_by_loop.append((lane, seq))
        self.wakes += [Wake(one, until, lane, seq) for one, until in past if one != lane]

    def result(self) -> Callbacks:
        followed = frozenset(self._runs) - self._unknown
        heard = self._heard
        if len(self._of_sockets) > 1:  # the process may be at both ends
            heard = sorted(heard + self._woken_by_loop, key=lambda each: each[1])
        return Callbacks(
            self.wakes, self._runs, self._pasts, self._ends, heard, self._interrupted, self._steps, followed
        )
