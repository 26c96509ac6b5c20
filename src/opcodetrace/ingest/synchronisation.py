"""What SYNC records say: who waited, for whom, for how long."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.awaits import AwaitedTasks, awaited_for_ever
from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.labels import Labels
from opcodetrace.ingest.shared_accesses import Kept
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, MAX_THREADS, RecordKind, SyncFlag
from opcodetrace.spool.records import Records, Survey
from opcodetrace.trace.event import Value
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.run import Thread
from opcodetrace.trace.site import SourceFile
from opcodetrace.trace.sync import (
    AT_ONCE,
    AWAITS,
    GIVES_IN_C,
    LOCKS,
    OF_CALLBACKS,
    OF_THREADS,
    TAKES_IN_C,
    Act,
    Primitive,
    Synchronisation,
    SyncObject,
)

Array = npt.NDArray[Any]

FLAGS = (SyncFlag.BEGINS, SyncFlag.FAILED, SyncFlag.DIRECT, SyncFlag.TRIES)
SHUTDOWN = "_shutdown"  # of the interpreter: it joins the threads that are no daemons
OPERATIONS: dict[str, str] = {  # what C code and the protocols call it
    "__enter__": "acquire",
    "__exit__": "release",
    "acquire_lock": "acquire",
    "release_lock": "release",
    "_acquire_restore": "acquire",
    "_release_save": "release",
    "put_nowait": "put",
    "get_nowait": "get",
    **{name.value: ends.value for name, ends in AWAITS.items()},
    SHUTDOWN: "shutdown",
}


def bounded(seen: Survey) -> frozenset[int]:
    """The seqs of operations by C code that give up by themselves, at once or after a time."""
    flags = seen.control["frame"].astype(np.int64) & (SyncFlag.TRIES | SyncFlag.BOUNDED)
    seqs = seen.control_seqs[(seen.control_kinds == RecordKind.SYNC) & (flags != 0)]
    return frozenset(seqs.tolist())


def joined_at_exit(seen: Survey) -> frozenset[int]:
    """The seqs of starts of threads that the interpreter is known to join as it ends: of those that are no daemons."""
    is_start = (seen.control_kinds == RecordKind.SYNC) & (seen.control["container"] == 0)
    flags = seen.control["frame"].astype(np.int64) & SyncFlag.JOINED_AT_EXIT
    return frozenset(seen.control_seqs[is_start & (flags != 0)].tolist())


def synchronisation_of(
    seen: Survey,
    births: Births,
    table: SiteTable,
    interned: Interned,
    labels: Labels,
    threads: Sequence[Thread],
    files: Sequence[SourceFile],
    kept: Kept,
) -> tuple[list[SyncObject], list[Synchronisation]]:
    """What threads did to wait for each other, and the starts of threads. Of the objects these count: what two threads
    used, what one held at one of the accesses that are kept, and what one waits for without end, or did until an
    exception ended that."""
    which = seen.control_kinds == RecordKind.SYNC
    seqs, rows = seen.control_seqs[which], seen.control[which]
    names = _names(interned, rows)
    of_callbacks = np.array([name in OF_CALLBACKS for name in names], bool)
    interrupted = next((seq for seq, name in zip(seqs.tolist(), names, strict=True) if name == Act.INTERRUPT), math.inf)
    awaited = AwaitedTasks(seqs, rows, names, threads)
    stays = ~of_callbacks & awaited_for_ever(seqs, rows, names, interned, interrupted, threads, awaited)
    names = list(itertools.compress(names, stays))
    seqs, rows = seqs[stays], rows[stays]
    if not len(rows):
        return [], []
    addresses = rows["container"] & np.uint64(ADDRESS_MASK)
    objects = births.objects(addresses, seqs)
    used, first, place = np.unique(objects, return_index=True, return_inverse=True)
    users = np.unique(place.astype(np.int64) * MAX_THREADS + rows["thread"]) // MAX_THREADS
    of_threads = np.zeros(len(used), bool)  # one thread starts and joins another: that is between two
    of_threads[place[np.array([name in OF_THREADS or name == SHUTDOWN for name in names], bool)]] = True
    shared = (np.bincount(users, minlength=len(used)) >= 2) | of_threads
    operations = np.array([OPERATIONS.get(str(name), str(name)) for name in names])
    shared[_held_at(kept, place, seqs, rows, operations)] = True
    # after that, tasks are made to leave what they wait for; a queue looks whether it is empty before it makes one wait
    before = (seqs < interrupted) & (operations != Act.LOOK)
    shared[_waited_for_ever(place[before], rows[before], operations[before])] = True
    shared &= addresses[first] != 0
    numbers = np.cumsum(shared)
    stays = shared[place] | (addresses == 0)
    seqs, rows, place = seqs[stays], rows[stays], place[stays]
    names = list(itertools.compress(names, stays.tolist()))
    sites = [site if site in table.sites else None for site in rows["site"].tolist()]
    types: dict[int, str] = {}
    written: dict[int, str] = {}
    direct: dict[int, bool] = {}
    held = _Holders()
    of_library = {file.id for file in files if file.module in LIBRARY}
    waking = _Waking(threads, {site for site, code in table.codes.items() if code.file in of_library})
    starts = Starts(threads)
    made = []
    flags = rows["frame"].astype(np.int64)
    columns = zip(
        seqs.tolist(),
        np.maximum(seqs - rows["before"].astype(np.int64), 0).tolist(),
        rows["thread"].tolist(),
        sites,
        place.tolist(),
        shared[place].tolist(),
        (rows["container"] >> np.uint64(ADDRESS_BITS)).tolist(),
        names,
        rows["value"].tolist(),
        *((flags & flag != 0).tolist() for flag in FLAGS),
        strict=True,
    )
    for (
        seq,
        earliest,
        thread,
        site,
        where,
        is_shared,
        type_id,
        name,
        value,
        begins,
        failed,
        is_direct,
        tries,
    ) in columns:
        number = int(numbers[where]) if is_shared else None
        operation = OPERATIONS.get(str(name), str(name))
        if number is not None and number not in types:
            types[number] = interned.type_name(type_id)
        if number is not None and site is not None and (number not in written or is_direct > direct[number]):
            written[number] = labels.synchronised(site, types[number], direct=is_direct)
            direct[number] = is_direct
        holder = awaited.lane(seq) if operation == Act.JOIN else None
        started = None
        if number is not None and types[number] in LOCKS and not (failed and operation == Act.RELEASE):
            holder = held.note(number, types[number], operation, seq, earliest, thread, done=not begins and not failed)
        if number is None:
            started = starts.thread(value, seq, earliest)
            waking.note_start(thread, started)
        inside, woken_by = waking.note(number, operation, site, seq, earliest, thread, begins=begins, failed=failed)
        waits = operation not in AT_ONCE and not begins
        made.append(
            Synchronisation(
                seq=seq,
                earliest=earliest,
                thread=thread,
                site=site,
                object=number,
                operation=operation,
                begins=begins,
                failed=failed,
                waited=value / 1e9 if waits and number is not None and not tries else None,
                holder=holder,
                woken_by=woken_by,
                inside=inside,
                started=started,
            )
        )
    named = labels.label_objects([(types[number], written.get(number)) for number in sorted(types)])
    return [SyncObject(number, types[number], label) for number, label in zip(sorted(types), named, strict=True)], made


def _names(interned: Interned, rows: Records) -> list[Value]:
    """What the probe calls the operations."""
    return interned.values(rows["tags"] & 15, rows["key"].copy())


def _held_at(kept: Kept, place: Array, seqs: Array, rows: Array, operations: Array) -> Array:
    """The objects that a thread held at a kept access of its own: from what it acquired to the release of it."""
    flags = rows["frame"].astype(np.int64)
    done = (flags & (SyncFlag.BEGINS | SyncFlag.FAILED)) == 0
    steps = np.where(done, (operations == "acquire") * 1 - (operations == "release") * 1, 0)
    order = np.argsort(place, kind="stable")  # the records of one object in a row, each in the order of the run
    place, seqs, steps, threads = place[order], seqs[order], steps[order], rows["thread"][order].astype(np.int64)
    depth = np.cumsum(steps)
    begins = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    depth -= np.repeat((depth - steps)[begins], np.diff(np.r_[begins, len(place)]))
    last = np.iinfo(np.int64).max
    until = np.where(np.r_[place[1:] == place[:-1], False], np.r_[seqs[1:], last], last)
    (held,) = np.nonzero(depth > 0)
    held = held[np.argsort(until[held], kind="stable")]
    accessed = kept.latest_access(threads[held], until[held]) >= seqs[held]
    objects: Array = np.unique(place[held[accessed]])
    return objects


def _waited_for_ever(place: Array, rows: Array, operations: Array) -> Array:
    """The objects of waits that have begun and have no end: the thread did nothing with the object since; or that would
    have had none, if a signal's handler, or the cancellation of a task that waits for its own lock, had not raised."""
    threads = rows["thread"].astype(np.int64)
    _, latest = np.unique((place.astype(np.int64) * MAX_THREADS + threads)[::-1], return_index=True)
    latest = len(place) - 1 - latest
    waits = (rows["frame"][latest].astype(np.int64) & SyncFlag.BEGINS) != 0
    unended = place[latest[waits & ~np.isin(operations[latest], list(AT_ONCE))]]
    flags = rows["frame"].astype(np.int64) & (SyncFlag.BEGINS | SyncFlag.FAILED | SyncFlag.TRIES | SyncFlag.BOUNDED)
    interrupted = (flags == SyncFlag.FAILED) & np.isin(operations, list(TAKES_IN_C))
    order = np.lexsort((np.arange(len(place)), threads, place))  # of one object and thread in a row
    one, other = order[:-1], order[1:]
    cut_off = ((rows["frame"][one].astype(np.int64) & SyncFlag.BEGINS) != 0) & (operations[one] == Act.ACQUIRE)
    cut_off &= (place[one] == place[other]) & (threads[one] == threads[other]) & (operations[other] == Act.RELEASE)
    objects: Array = np.unique(np.concatenate([unended, place[interrupted], place[one[cut_off]]]))
    return objects


class _Holders:
    """Who held each lock, and when."""

    def __init__(self) -> None:
        self._seqs: defaultdict[int, list[int]] = defaultdict(list)
        self._holders: defaultdict[int, list[int | None]] = defaultdict(list)
        self._depth: Counter[int] = Counter()

    def note(
        self, lock: int, type_name: str, operation: str, seq: int, earliest: int, thread: int, *, done: bool
    ) -> int | None:
        """Gives the thread that held the lock as an acquisition began."""
        seqs, holders = self._seqs[lock], self._holders[lock]
        place = bisect.bisect_left(seqs, earliest)
        before = holders[place - 1] if place else None
        if operation == Act.ACQUIRE and done:
            self._depth[lock] = self._depth[lock] + 1 if holders and holders[-1] == thread else 1
            seqs.append(seq)
            holders.append(thread)
        elif operation == Act.RELEASE and done:
            self._depth[lock] -= 1
            if type_name != Primitive.RLOCK or self._depth[lock] <= 0:
                self._depth[lock] = 0
                seqs.append(seq)
                holders.append(None)
        return before if operation == Act.ACQUIRE and before != thread else None


class _Begun(NamedTuple):
    """What began and has not ended; one that raised never does."""

    seq: int
    object: int
    operation: str
    site: int | None


class _Within:
    """What one thread is in. Each question takes the same time however much that is."""

    def __init__(self) -> None:
        self.begun: list[_Begun] = []
        self._same: defaultdict[object, list[int]] = defaultdict(list)  # by all but the seq: places in that
        self._at: defaultdict[object, list[int]] = defaultdict(list)  # by site: the same

    def begin(self, one: _Begun) -> None:
        self._same[one[1:]].append(len(self.begun))
        self._at[one.site].append(len(self.begun))
        self.begun.append(one)

    def leave(self, number: int, operation: str, site: int | None) -> int | None:
        """The seq at which the latest such one began. It is over, and so is what began after it: an exception left
        that; and it too if it begins again."""
        places = self._same.get((number, operation, site))
        if not places:
            return None
        began, size = self.begun[places[-1]].seq, places[-1]
        while len(self.begun) > size:
            one = self.begun.pop()
            for index, key in ((self._same, one[1:]), (self._at, one.site)):
                index[key].pop()
                if not index[key]:
                    del index[key]
        return began

    def latest(self) -> int | None:
        return self.begun[-1].seq if self.begun else None

    def latest_at(self, site: int | None) -> int | None:
        places = self._at.get(site)
        return self.begun[places[-1]].seq if places else None


class _Waking:
    """Who ended each wait, and which operations are parts of others."""

    def __init__(self, threads: Sequence[Thread], library_sites: set[int]) -> None:
        """`library_sites` are those in library code that operations are made of, if that is woven."""
        self._library_sites = library_sites
        self._given: dict[int, tuple[int, int]] = {}  # object: seq and thread
        self._within: dict[int, _Within] = {}  # by thread, if it is in anything
        self._woken: dict[int, tuple[int, int]] = {}  # thread: the seq at which it was last woken, and by whom
        self._thread_of: dict[int, int] = {}  # object of a thread: its number
        self._last_seqs = {thread.thread: thread.last_seq for thread in threads}

    def note_start(self, starter: int, started: int | None) -> None:
        if starter in self._within and started is not None:
            self._thread_of[self._within[starter].begun[-1].object] = started

    def note(
        self,
        number: int | None,
        operation: str,
        site: int | None,
        seq: int,
        earliest: int,
        thread: int,
        *,
        begins: bool,
        failed: bool,
    ) -> tuple[int | None, int | None]:
        """Gives the seq at which the enclosing operation began, and the thread that ended the wait."""
        within = self._within.get(thread)
        inside = woken_by = None
        if within is not None:
            began = None if number is None else within.leave(number, operation, site)
            if began is not None and not begins:
                woken_at, by = self._woken.get(thread, (-1, -1))
                woken_by = by if woken_at > began else None
            # The same call of woven code led to an operation and to its parts; elsewhere the program is outside of it.
            inside = within.latest() if site in self._library_sites else within.latest_at(site)
        if begins and number is not None:
            if within is None:
                within = self._within[thread] = _Within()
            within.begin(_Begun(seq, number, operation, site))
            return inside, None
        if within is not None and not within.begun:
            del self._within[thread]
        if operation == Act.JOIN and not failed and number in self._thread_of:
            joined = self._thread_of[number]
            if earliest <= self._last_seqs[joined] < seq:
                woken_by = joined
        if number is not None and operation in GIVES_IN_C and not failed:
            self._given[number] = (seq, thread)
        elif number is not None and operation in TAKES_IN_C and not failed and woken_by is None:
            given_at, giver = self._given.get(number, (-1, -1))
            if given_at >= earliest and giver != thread:
                woken_by = giver
                self._woken[thread] = (seq, giver)
        return inside, woken_by


class Starts:
    """Which thread began with an ident: idents are used again, by one thread after the other."""

    def __init__(self, threads: Sequence[Thread]) -> None:
        self._of: defaultdict[int, list[Thread]] = defaultdict(list)
        for thread in sorted(threads, key=_last_seq):
            if thread.task_of is None:
                self._of[thread.ident].append(thread)

    def thread(self, ident: int, seq: int, earliest: int) -> int | None:
        """The thread that was started in [earliest, seq]: it may make its first record before its starter comes back,
        and without the GIL its last one, too."""
        threads = self._of[ident]
        for thread in threads[bisect.bisect_left(threads, earliest, key=_last_seq) :]:
            if thread.last_seq >= seq or thread.first_seq >= earliest:  # else it had the ident before
                return thread.thread
        return None


def _last_seq(thread: Thread) -> int:
    return thread.last_seq


def started_by(threads: Sequence[Thread], synchronisation: Sequence[Synchronisation]) -> list[Thread]:
    starters = {each.started: each.thread for each in synchronisation if each.started is not None}
    return [replace(thread, started_by=starters.get(thread.thread)) for thread in threads]
