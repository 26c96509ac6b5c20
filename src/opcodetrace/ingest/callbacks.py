"""What SYNC records say of the callbacks of event loops: which one made which task go on."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind, SyncFlag
from opcodetrace.spool.records import Survey
from opcodetrace.trace.callbacks import Callbacks, Past, Wake
from opcodetrace.trace.events import Events
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import OF_CALLBACKS, Act, Primitive, Synchronisation

MAX_CALLBACKS = 1_000_000  # records, and wakes; of a run with more, tasks are not followed
MAX_NAMED = 64  # callbacks of its own loop that the past of one names; if there are more, they are not told apart


def callbacks_of(
    seen: Survey,
    interned: Interned,
    threads: Sequence[Thread],
    events: Events,
    synchronisation: Sequence[Synchronisation],
) -> Callbacks:
    """Those of asyncio's own event loops. Of a loop written in C, and of tasks that are eager, it is not known."""
    which = seen.control_kinds == RecordKind.SYNC
    if not which.any():
        return Callbacks()
    thread_of = {each.thread: each.task_of for each in threads if each.task_of is not None}
    rows = seen.control[which]
    names = np.array([str(name) for name in interned.values(rows["tags"] & 15, rows["key"].copy())])
    of_callbacks = np.isin(names, list(OF_CALLBACKS))
    if not of_callbacks.any():
        return Callbacks()
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    of_locks = [each for each in np.unique(types).tolist() if interned.type_name(each) == Primitive.TASK_LOCK]
    of_callbacks |= np.isin(types, of_locks) & np.isin(names, [Act.ACQUIRE, Act.RELEASE])
    if np.count_nonzero(of_callbacks) > MAX_CALLBACKS:
        return Callbacks()
    rows, names, seqs = rows[of_callbacks], names[of_callbacks], seen.control_seqs[which][of_callbacks]
    recorded = {
        lane: _recorded(lane, events, synchronisation)
        for lane in np.unique(rows["thread"][names == Act.RUN]).tolist()
        if lane not in thread_of
    }
    replay = _Replay(thread_of, {each.thread: each.last_seq for each in threads}, recorded)
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


def _recorded(lane: int, events: Events, synchronisation: Sequence[Synchronisation]) -> list[int]:
    """The seqs at which a lane did anything that is looked at, in order."""
    found = np.array([each.seq for each in synchronisation if each.thread == lane], np.int64)
    return list(np.union1d(events.seq[events.thread == lane].astype(np.int64), found).tolist())


class _Scheduled(NamedTuple):
    """A callback that is to run."""

    lane: int  # of who scheduled it, and when
    seq: int
    past: Past | None  # that of the callback that did; None: it was a task, or another thread
    number: int  # 0: it is to run later
    by: tuple[int, int]  # a lane, and which of its steps or callbacks


class _Ran(NamedTuple):
    """A callback or a step that is over."""

    lane: int
    thread: int
    end: int  # seq


class _Replay:
    """Goes through the records. The past of a callback names others of its thread only if something was recorded in
    them; what is known through one of these is left out."""

    def __init__(self, thread_of: dict[int, int], last_seq: dict[int, int], recorded: dict[int, list[int]]) -> None:
        self.wakes: list[Wake] = []
        self._thread_of = thread_of  # by the lane of a task
        self._last_seq = last_seq
        self._recorded = recorded  # by thread
        self._scheduled: dict[int, _Scheduled] = {}  # by the address of a callback
        self._current: dict[int, Past] = {}  # by thread: the past of what its loop runs
        self._joined: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)  # by owner: the past of its callbacks
        self._lane_of: dict[int, int] = {}  # by the address of a task
        self._stepped: defaultdict[int, set[int]] = defaultdict(set)  # by thread: its tasks, since the loop began
        self._runs: defaultdict[int, list[int]] = defaultdict(list)
        self._lanes: defaultdict[int, list[int]] = defaultdict(list)
        self._pasts: defaultdict[int, list[Past]] = defaultdict(list)
        self._used: defaultdict[int, list[int]] = defaultdict(list)
        self._begins: defaultdict[int, list[int]] = defaultdict(list)
        self._ends: defaultdict[int, list[int]] = defaultdict(list)
        self._under_way: dict[int, tuple[int, _Scheduled | None, int]] = {}  # by thread: lane, how it came, owner
        self._number = 0
        self._steps: Counter[int] = Counter()  # by task
        # by who scheduled it, and whether it is a step of a task: the last one that ran of those
        self._latest: dict[tuple[int, int, bool], tuple[int, _Ran]] = {}
        self._own: defaultdict[int, list[_Ran]] = defaultdict(list)  # by task: what it scheduled in its last step
        self._of_owner: dict[int, _Ran] = {}  # its last one
        self._told_apart = True
        self._idle: dict[int, int] = {}
        self._heard: list[tuple[int, int]] = []
        self._woken_by_loop: list[tuple[int, int]] = []
        self._of_sockets: set[str] = set()  # connect, accept
        self._by_loop: set[int] = set()  # addresses of callbacks that another callback scheduled, or the system brings
        self._interrupted: int | None = None
        self._stood: dict[int, int] = {}  # by task: its last step before the interrupt
        self._holder: dict[int, int] = {}  # by the address of a lock
        self._handing_over: set[int] = (
            set()
        )  # lanes that release one: who is woken by that waited for no more than the lock
        self._unknown: set[int] = set()  # threads of which it is not known what made a task go on

    def note(self, seq: int, lane: int, name: str, address: int, owner: int, begins: bool) -> None:
        match name:
            case Act.SCHEDULE:
                self._schedule(seq, lane, address, later=bool(owner))
            case Act.RUN:
                self._run(seq, lane, address, owner)
            case Act.RUN_LOOP:
                self._current.pop(lane, None)
                if begins:
                    self._begins[lane].append(seq)
                else:
                    self._end(lane, seq)
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
                if self._interrupted is None:
                    self._interrupted = seq
                    self._idle = {each: since for each, since in self._idle.items() if self._is_running(each)}
            case Act.IDLE:
                if self._interrupted is None:
                    self._idle[lane] = seq
            case _:
                self._of_sockets.add(name)

    def _schedule(self, seq: int, lane: int, address: int, *, later: bool) -> None:
        past = self._current.get(lane)
        if self._interrupted is None:
            self._idle.clear()  # it may be for any loop
        self._number += 1
        by = lane, self._steps[lane] if past is None else len(self._runs[lane])
        self._scheduled[address] = _Scheduled(lane, seq, past, 0 if later else self._number, by)
        if lane in self._handing_over:
            self._scheduled[address] = _Scheduled(-1, seq, None, 0, by)
        (self._by_loop.discard if past is None else self._by_loop.add)(address)

    def _run(self, seq: int, lane: int, address: int, owner: int) -> None:
        thread = self._thread_of.get(lane, lane)
        self._end(thread, seq)
        each = self._scheduled.get(address)
        if each is None:
            self._unknown.add(thread)
        if each is not None and each.number:
            self._scheduled[address] = each._replace(number=0)  # it runs once, so
            if self._steps[lane]:
                each = each._replace(number=0)  # which tasks wait for it, and in which order, is by chance
        past = set(self._past(each, is_step=thread != lane))
        self._under_way[thread] = lane, each, owner if thread == lane else 0
        self._runs[thread].append(seq)
        self._lanes[thread].append(lane)
        if self._interrupted is None:
            self._idle.pop(thread, None)
        if thread == lane:
            if owner:
                past |= self._joined[owner] | {(ran.lane, ran.end) for ran in (self._of_owner.get(owner),) if ran}
                self._joined[owner] = set(self._shortened(past, thread))
            self._current[lane] = self._shortened(past, thread)
            self._pasts[thread].append(self._current[lane])
            return
        past |= {(ran.lane, ran.end) for ran in self._own.pop(lane, ()) if ran.thread == thread}
        self._steps[lane] += 1
        self._pasts[thread].append(())
        if self._interrupted is None:
            self._stood[lane] = seq
        self._current.pop(thread, None)
        self._lane_of[owner] = lane
        if lane not in self._stepped[thread]:
            self._stepped[thread].add(lane)
            past |= {(thread, begun) for begun in self._begins[thread][-1:]}  # what the thread did before its loop
        if address in self._by_loop:
            self._woken_by_loop.append((lane, seq))
        self.wakes += [Wake(one, until, lane, seq) for one, until in self._shortened(past, thread) if one != lane]

    def _past(self, scheduled: _Scheduled | None, *, is_step: bool) -> Past:
        """What comes before a callback because of who scheduled it. In which order tasks are made is no order: it is
        easily another."""
        if scheduled is None or scheduled.lane < 0:
            return ()
        latest = [self._latest.get((*scheduled.by, of_steps)) for of_steps in ((False,) if is_step else (False, True))]
        before = tuple((ran.lane, ran.end) for number, ran in filter(None, latest) if number < scheduled.number)
        own = scheduled.lane, scheduled.seq
        if scheduled.past is None:
            return (own, *before)
        at = bisect.bisect(self._runs[scheduled.lane], scheduled.seq) - 1
        used = self._used[scheduled.lane]
        place = bisect.bisect_left(used, at)
        if place < len(used) and used[place] == at:
            return (own, *before, *(each for each in scheduled.past if each[0] != scheduled.lane))
        return (*scheduled.past, *before)

    def _shortened(self, past: set[tuple[int, int]], thread: int) -> Past:
        """The same, with each lane once. Of the thread itself it names callbacks, a few at most."""
        latest: dict[int, int] = {}
        own = []
        for lane, seq in past:
            if lane == thread:
                own.append(seq)
            else:
                latest[lane] = max(seq, latest.get(lane, -1))
        if len(own) > MAX_NAMED:
            self._told_apart = False
            own = sorted(own)[-MAX_NAMED:]
        return (*latest.items(), *((thread, seq) for seq in own))

    def _end(self, thread: int, seq: int) -> None:
        """What the thread's loop ran is over."""
        lane, scheduled, owner = self._under_way.pop(thread, (-1, None, 0))
        if lane == thread:
            recorded, at = self._recorded[thread], len(self._runs[thread]) - 1
            begun = bisect.bisect(recorded, self._runs[thread][at])
            if begun == len(recorded) or recorded[begun] >= seq:
                return
            self._used[thread].append(at)
        if lane < 0:
            return
        ran = _Ran(lane, thread, seq)
        if owner:
            self._of_owner[owner] = ran
        if scheduled is None or not scheduled.number:
            return
        key = (*scheduled.by, lane != thread)
        if key not in self._latest or self._latest[key][0] < scheduled.number:
            self._latest[key] = scheduled.number, ran
        if scheduled.past is None and scheduled.by[0] in self._thread_of:
            by, step = scheduled.by
            if self._steps[by] == step:  # that is its last one so far
                self._own[by].append(ran)

    def _is_running(self, thread: int) -> bool:
        return len(self._begins[thread]) > len(self._ends[thread])

    def result(self) -> Callbacks:
        for thread in list(self._under_way):
            self._end(thread, 1 << 62)
        followed = frozenset(self._runs) - self._unknown
        heard = self._heard
        if len(self._of_sockets) > 1:  # the process may be at both ends
            heard = sorted(heard + self._woken_by_loop, key=lambda each: each[1])
        return Callbacks(
            self.wakes,
            self._runs,
            self._lanes,
            self._pasts,
            self._used if self._told_apart else None,
            self._begins,
            self._ends,
            heard,
            self._interrupted,
            self._stood,
            frozenset(each for each in self._idle if self._interrupted is not None or self._is_running(each)),
            followed,
        )
