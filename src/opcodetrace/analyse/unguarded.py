"""Unguarded updates: nothing that was seen keeps another thread's write out from between a read and its write.

An update is a thread's read of a location, and its write of a value that was made of it. Another thread's write to the
location could have come in between if neither of the two had waited for the other (`pasts.Pasts`), and if no lock was
held throughout the update that the other thread held as it wrote (`lockset`). Both are needed: O'Callahan and Choi,
"Hybrid dynamic data race detection" (2003). What is no race to a detector of data races, as each access is one step,
is one here: "atomicity violation" in Lu, Tucek, Qin and Zhou, "AVIO" (2006), where this is the case read, remote write,
write.

Nor is it told if the later of the two threads had heard of the other's write (`pasts.Hearsay`), and of a location's
first write: who makes an object need not guard it. With the GIL it takes a switch point between read and write, too.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.evidence import PIECE, Accesses, Evidence
from opcodetrace.analyse.lockset import held_locks, held_semaphores, locksets
from opcodetrace.analyse.pasts import OF_PRESENCE, Hearsay, Pasts
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import CERTAINTIES
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Operation, SwitchPoint

Array = npt.NDArray[Any]
Lines = frozenset[tuple[int, int | None]]  # file and line, of two writes

CLOSEST = 16  # pairs of writes of a location and two places in the code that are looked at: those closest to each other
MAX_PAIRS = 20_000  # of all locations together; those closest to each other
MAX_SYNCHRONISATION = 300_000  # records; of a run with more, nothing is told
# As `type.tp_name` has them: types written in C whose operators and finalisers run no Python code of their own.
_BUILT_IN = frozenset(
    """
    list dict set frozenset tuple bytearray complex range slice array.array collections.OrderedDict
    collections.defaultdict collections.deque datetime.date datetime.datetime datetime.timedelta decimal.Decimal
    """.split()  # noqa: SIM905
)
_WAITS = frozenset(["IMPORT_NAME"])  # may give up the GIL, besides those that look at the eval breaker
# Run no Python code if the values that they are given are built in; of others that is not known.
_OF_BUILT_IN = frozenset(
    """
    BINARY_OP COMPARE_OP IS_OP UNARY_NEGATIVE UNARY_POSITIVE UNARY_INVERT UNARY_NOT LOAD_GLOBAL LOAD_NAME STORE_FAST
    STORE_GLOBAL STORE_NAME LOAD_DEREF POP_TOP
    """.split()  # noqa: SIM905
)


class Unguarded(NamedTuple):
    """An update, and another thread's write that could have come into it. It came before the update, or after it."""

    location: int
    read: int  # seqs
    write: int
    other: int
    certainty: Certainty  # that the update's value was made of what was read
    gil_only: bool  # this build has no switch point in between


class _Pair(NamedTuple):
    """Two writes of a location by different threads. Places among the events."""

    one: int  # the earlier one
    other: int


def unguarded(evidence: Evidence, told: Collection[Lines] = ()) -> Iterator[Unguarded]:
    """One for each location and pair of lines. Without the lines of `told`, which are findings of another kind.

    None in a run of which synchronisation is missing, or too much: no lock must be overlooked."""
    trace = evidence.trace
    if trace.let_go or trace.merged or len(trace.synchronisation) > MAX_SYNCHRONISATION:
        return
    accesses = Accesses.of(trace)
    pairs = _pairs(evidence, accesses)
    if not pairs:
        return
    search = _Search(evidence, accesses, pairs)
    found: dict[tuple[int, Lines], Unguarded] = {}
    for pair in pairs:
        lines = search.lines(pair)
        key = int(trace.events.location[pair.one]), lines
        if lines in told or (key in found and not found[key].gil_only):
            continue
        for each in search.of(pair):
            before = found.get(key)
            if before is None or (before.gil_only and not each.gil_only):
                found[key] = each
    yield from sorted(found.values(), key=lambda each: (each.write, each.other))


def lines_of(trace: Trace, sites: Iterable[int]) -> Lines:
    return frozenset((trace.site_codes[site].file, trace.sites[site].line) for site in sites if site in trace.sites)


def _pairs(evidence: Evidence, accesses: Accesses) -> list[_Pair]:
    """Writes of a location that follow each other, by different threads, at least one of which is an update.

    Of each location and two places in the code, those closest to each other."""
    events, sources = evidence.trace.events, evidence.sources
    looked_into = np.zeros(int(events.location.max(initial=-1)) + 1, bool)
    looked_into[accesses.locations] = True
    thread_of, has_tasks = _threads_of_lanes(evidence.trace)
    found: list[Array] = [np.empty((2, 0), np.int64)]
    last: Array = np.empty(0, np.int32)
    for start in range(0, len(accesses.order), PIECE):
        places = accesses.order[start : start + PIECE]
        kinds = events.kind[places]
        is_write = ((kinds == EventKind.WRITE) | (kinds == EventKind.DELETE)) & looked_into[events.location[places]]
        writes = np.concatenate([last, places[is_write]])
        source = np.maximum(sources.place[writes], 0)
        same = (events.tag[source] == events.tag[writes]) & (events.word[source] == events.word[writes])
        writes = writes[(sources.place[writes] < 0) | (events.kind[writes] == EventKind.DELETE) | ~same]
        last = writes[-1:]
        one, other = writes[:-1], writes[1:]
        meets = events.location[one] == events.location[other]
        meets &= thread_of[events.thread[one]] != thread_of[events.thread[other]]
        meets &= ~has_tasks[events.thread[one]] & ~has_tasks[events.thread[other]]
        meets &= (sources.place[one] >= 0) | (sources.place[other] >= 0)
        found.append(_closest(evidence, np.stack([one[meets], other[meets]]).astype(np.int64)))
    pairs = _closest(evidence, np.concatenate(found, axis=1))
    distance = events.seq[pairs[1]] - events.seq[pairs[0]]
    pairs = pairs[:, np.argsort(distance, kind="stable")[:MAX_PAIRS]]
    return [_Pair(one, other) for one, other in pairs.T.tolist()]


def _closest(evidence: Evidence, pairs: Array) -> Array:
    events = evidence.trace.events
    one, other = pairs
    columns = (events.location[one], events.site[one], events.site[other])
    order = np.lexsort((events.seq[other] - events.seq[one], *columns[::-1]))
    same = np.zeros(len(order), bool)
    if len(order):
        same[1:] = np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in columns])
    numbers = np.arange(len(order))
    first = np.maximum.accumulate(np.where(same, 0, numbers))
    kept: Array = pairs[:, order[numbers - first < CLOSEST]]
    return kept


def _threads_of_lanes(trace: Trace) -> tuple[Array, Array]:
    """By lane: the thread that runs it, and whether that runs tasks. What these wait for is not recorded."""
    lanes = {each.thread: each.thread if each.task_of is None else each.task_of for each in trace.threads}
    size = max([int(trace.events.thread.max(initial=0)), *lanes, *lanes.values()]) + 1
    threads, has_tasks = np.arange(size), np.zeros(size, bool)
    for lane, thread in lanes.items():
        threads[lane] = thread
    has_tasks[[each.task_of for each in trace.threads if each.task_of is not None]] = True
    return threads, has_tasks[threads]


class _Search:
    """Looks into pairs of writes."""

    def __init__(self, evidence: Evidence, accesses: Accesses, pairs: Sequence[_Pair]) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._sources = evidence.sources
        self._pasts = Pasts(trace)
        self._accesses = accesses
        self._shared_at: dict[int, int] = {}
        places = sorted({place for pair in pairs for place in pair})
        self._read = {place: read for place in places if (read := self._source_read(place)) is not None}
        objects = {each.id: each for each in trace.sync_objects}
        held = (held_locks(trace.synchronisation, objects), held_semaphores(self._pasts.operations, objects))
        windows = sorted(
            {
                Update(
                    int(self._events.location[place]),
                    int(self._events.thread[place]),
                    int(self._events.seq[begin]),
                    int(self._events.seq[place]),
                )
                for place in places
                for begin in (place, self._read.get(place, place))
            },
            key=lambda update: (update.seq, update.began),
        )
        self._locks: dict[tuple[int, int], frozenset[int]] = {}  # by the seqs of a read and its write
        for of_kind in held:
            for window, locks in locksets(windows, of_kind):
                key = window.began, window.seq
                self._locks[key] = self._locks.get(key, frozenset()) | locks

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._trace, self._sources, self._pasts)

    def lines(self, pair: _Pair) -> Lines:
        return lines_of(self._trace, (int(self._events.site[place]) for place in pair))

    def of(self, pair: _Pair) -> Iterator[Unguarded]:
        """The one or the other as the update; the one whose line comes first, first."""
        by_line = sorted(pair, key=lambda place: self._place_in_code(int(self._events.site[place])))
        for place in by_line:
            read = self._read.get(place)
            other = pair.one if place == pair.other else pair.other
            if read is not None and not self._is_excluded(read, place, other):
                yield self._told(read, place, other)

    def _place_in_code(self, site: int) -> tuple[int, int, int]:
        each = self._trace.sites.get(site)
        return (0, 0, 0) if each is None else (self._trace.site_codes[site].file, each.line or 0, each.offset)

    def _source_read(self, place: int) -> int | None:
        """The place of the read of which a write was made; None if it is no update."""
        events = self._events
        read = int(self._sources.place[place])
        if events.kind[place] != EventKind.WRITE or read < 0 or events.kind[read] != EventKind.READ:
            return None
        same_cell = events.location[read] == events.location[place] and events.thread[read] == events.thread[place]
        site = self._trace.sites.get(int(events.site[place]))
        if not same_cell or int(events.site[read]) not in self._trace.sites:
            return None
        if site is None or site.flow is None or not any(site.flow._replace(tested=(), failed=())):
            return None  # a constant, chosen by a branch
        if any(test.site == events.site[read] and test.answer not in OF_PRESENCE for test in site.tests):
            return None  # made only if the value was so: it may be this thread's turn
        return read

    def _is_excluded(self, read: int, write: int, other: int) -> bool:
        """Whether something keeps the other write out of the update, or may do so."""
        events = self._events
        first = other if other < write else read
        later = read if other < write else other
        moved = self._trace.restructured.get(int(events.location[write]), ())
        if bisect.bisect(moved, int(events.seq[first])) != bisect.bisect(moved, int(events.seq[max(write, other)])):
            return True  # it is another cell of the list
        own = self._locks[int(events.seq[read]), int(events.seq[write])]
        if own & self._locks[int(events.seq[other]), int(events.seq[other])]:
            return True
        if other < write and (other not in self._read and self._is_first(other)):
            return True
        earlier = other if other < write else write
        return self._pasts.holds(later, earlier) is not False or self._hearsay.reached(earlier, later)

    def _is_first(self, place: int) -> bool:
        """Whether no other thread had been at the location before."""
        location = int(self._events.location[place])
        if location not in self._shared_at:
            number = int(np.searchsorted(self._accesses.locations, location))
            its = self._accesses.order[self._accesses.begins[number] : self._accesses.ends[number]]
            threads = self._events.thread[its]
            others = threads != threads[0]
            self._shared_at[location] = int(its[np.argmax(others)]) if others.any() else len(self._events)
        return place < self._shared_at[location]

    def _told(self, read: int, write: int, other: int) -> Unguarded:
        certainty = CERTAINTIES[int(self._sources.certainty[write])]
        gil_only = not self._trace.free_threaded and not self._may_switch(read, write)
        if gil_only and self._may_run_code(read, write):
            certainty = Certainty.INFERRED
        location = int(self._events.location[write])
        first, last, remote = (int(self._events.seq[place]) for place in (read, write, other))
        return Unguarded(location, first, last, remote, certainty, gil_only)

    def _may_switch(self, read: int, write: int) -> bool:
        """Whether an interpreter with a GIL may suspend a thread between the two."""
        events, trace = self._events, self._trace
        lane, first, last = (int(each) for each in (events.thread[write], events.seq[read], events.seq[write]))
        seqs = self._operations_of[lane]
        if bisect.bisect_left(seqs, first) < bisect.bisect_left(seqs, last):  # it may have had to wait
            return True
        between = slice(read + 1, write)
        if ((events.kind[between] == EventKind.ENTER) & (events.thread[between] == lane)).any():
            return True  # a function looks at the eval breaker as it begins
        points = self._points(read, write)
        if points is None or trace.sites[int(events.site[read])].operation == Operation.CALL:
            return True
        runs_code = any(_has_python_code(events[place].value) for place in (read, write))
        return any(runs_code or point.preempts or point.opcode in _WAITS for point in points)

    def _may_run_code(self, read: int, write: int) -> bool:
        """Whether code of the program may run in between, for all that is known of the types: a property, an operator
        written in Python."""
        location = self._trace.locations[int(self._events.location[write])]
        if location.kind is LocationKind.ITEM and location.container_type not in _BUILT_IN:
            return True
        return any(point.opcode not in _OF_BUILT_IN for point in self._points(read, write) or ())

    def _points(self, read: int, write: int) -> list[SwitchPoint] | None:
        """Where a thread may be suspended between the two; None if it is not known which way it came."""
        events, trace = self._events, self._trace
        reads, writes = (int(events.site[place]) for place in (read, write))
        of_read, of_write = trace.sites[reads], trace.sites[writes]
        code, own = trace.site_codes[reads], trace.site_codes[writes]
        if code.id == own.id and events.frame[read] == events.frame[write]:
            # if it went back, it passed a backward jump
            return _between(code, of_read.offset, of_write.offset) if of_read.offset < of_write.offset else None
        calls = () if of_write.flow is None else of_write.flow.results
        if not calls:
            return None
        return [*_between(code, of_read.offset, math.inf), *_between(own, min(calls), of_write.offset)]

    @cached_property
    def _operations_of(self) -> Mapping[int, list[int]]:
        """By lane: the seqs of its operations of synchronisation."""
        seqs: defaultdict[int, list[int]] = defaultdict(list)
        for each in self._trace.synchronisation:
            seqs[each.thread].append(each.seq)
        return seqs


def _between(code: Code, after: int, before: float) -> list[SwitchPoint]:
    return [point for point in code.switch_points if after < point.offset < before]


def _has_python_code(value: object) -> bool:
    """Whether operators of the value, or its finaliser, may be written in Python."""
    return isinstance(value, Opaque) and value.type_name not in _BUILT_IN
