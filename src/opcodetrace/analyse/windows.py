"""Windows: from one access of a thread to a later one of the same location, and what keeps other threads out of them.

Another thread's access could have come in between if neither of the two had waited for the other (`pasts.Pasts`), and
if no lock was held throughout the window that the other thread held at its access (`lockset`). Both are needed:
O'Callahan and Choi, "Hybrid dynamic data race detection" (2003). What is no race to a detector of data races, as each
access is one step, is one here: "atomicity violation" in Lu, Tucek, Qin and Zhou, "AVIO" (2006).

Nor does it count if the later of the two threads had heard of the other's access (`pasts.Hearsay`). With the GIL it
takes a switch point in the window, too.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.branches import begins_the_next_turn, may_come_to
from opcodetrace.analyse.lockset import locksets
from opcodetrace.analyse.pasts import Hearsay
from opcodetrace.trace.event import EventKind, Opaque, Value
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Operation, Site, SwitchPoint
from opcodetrace.trace.sync import Act

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

MADE_ANEW = 4  # locks that one piece of code took one after the other: it makes one whenever nobody has it
MAX_SYNCHRONISATION = 300_000  # records; of a run with more, nothing is told
# As `type.tp_name` has them: types written in C whose operators and finalisers run no Python code of their own.
BUILT_IN = frozenset(
    """
    list dict set frozenset tuple bytearray complex range slice array.array collections.OrderedDict function method
    builtin_function_or_method
    collections.defaultdict collections.deque datetime.date datetime.datetime datetime.timedelta decimal.Decimal
    """.split()  # noqa: SIM905
)
# Numbers that may be addresses of objects, on the systems that Python runs on.
_ADDRESSES = range(1 << 24, 1 << 47, 8)
_WAITS = frozenset(["IMPORT_NAME"])  # may give up the GIL, besides those that look at the eval breaker
# Run no Python code if the values that they are given are built in; of others that is not known.
_OF_BUILT_IN = frozenset(
    """
    BINARY_OP COMPARE_OP IS_OP UNARY_NEGATIVE UNARY_POSITIVE UNARY_INVERT UNARY_NOT LOAD_GLOBAL LOAD_NAME STORE_FAST
    STORE_GLOBAL STORE_NAME LOAD_DEREF POP_TOP
    """.split()  # noqa: SIM905
)


class Window(NamedTuple):
    """Two accesses, or one that is both. Places among the events."""

    first: int
    last: int


def can_be_judged(trace: Trace) -> bool:
    """Whether all is known of a run that could keep threads apart: a lock must not be overlooked."""
    return not trace.let_go and not trace.merged and len(trace.synchronisation) <= MAX_SYNCHRONISATION


class Lanes:
    """Which lanes may come between each other's accesses, by their numbers.

    Threads; tasks of an event loop of which it is known what made each of their steps go on; and what the thread of
    such a loop does beside them: its callbacks. These are single steps to each other. If that is not known of a loop,
    its tasks and its thread are not judged."""

    def __init__(self, trace: Trace) -> None:
        lanes = {each.thread: each.thread if each.task_of is None else each.task_of for each in trace.threads}
        size = max([int(trace.events.thread.max(initial=0)), *lanes, *lanes.values()]) + 1
        self.thread = np.arange(size)  # that runs it
        self.thread[list(lanes)] = list(lanes.values())
        self.has_tasks = np.zeros(size, bool)  # its thread runs tasks
        self.has_tasks[[each.task_of for each in trace.threads if each.task_of is not None]] = True
        self.has_tasks = self.has_tasks[self.thread]
        followed = np.zeros(size, bool)
        followed[[lane for lane, thread in lanes.items() if lane != thread and thread in trace.callbacks.followed]] = (
            True
        )
        self._followed = followed
        self._is_judged = followed | ~self.has_tasks
        self._is_judged[list(trace.callbacks.followed)] = True
        # what is one for our purposes: a lane, or a thread with tasks of which it is not told apart what orders them
        self.unit = np.where(followed, np.arange(size), self.thread)

    def is_task(self, lane: int) -> bool:
        """Whether it is a task whose steps are followed."""
        return bool(self._followed[lane])

    def may_meet(self, one: Array, other: Array) -> Array:
        meet: Array = (self.unit[one] != self.unit[other]) & self._is_judged[one] & self._is_judged[other]
        return meet

    def share_a_loop(self, one: int, other: int) -> bool:
        """Whether one event loop runs both."""
        return bool(self.thread[one] == self.thread[other])


class Windows:
    """Says of windows what keeps the accesses of other threads out of them."""

    def __init__(self, evidence: Evidence, windows: Iterable[Window]) -> None:
        """Of all windows of which the locks will be asked for."""
        self._evidence = evidence
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._failed = trace.events.failed()
        self._task_of = {each.thread: each.task_of for each in trace.threads if each.task_of is not None}
        self._idents = {each.thread: each.ident for each in trace.threads}
        self._pasts = evidence.pasts
        self._syntax = evidence.checks.called.activations.syntax
        updates = sorted({self._update(each) for each in windows}, key=lambda update: (update.seq, update.began))
        self._locks: dict[tuple[int, int], frozenset[int]] = {}  # by the seqs of a window
        for of_kind in (self._pasts.judge.locks, self._pasts.judge.semaphores):
            for update, locks in locksets(updates, of_kind):
                key = update.began, update.seq
                self._locks[key] = self._locks.get(key, frozenset()) | locks

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._evidence)

    def _update(self, window: Window) -> Update:
        events, (first, last) = self._events, window
        return Update(
            int(events.location[last]), int(events.thread[last]), int(events.seq[first]), int(events.seq[last])
        )

    def have_a_common_lock(self, one: Window, other: Window) -> bool:
        """Whether both were under the same lock or semaphore, from first to last; or under two that are made anew in
        place of each other, as far as is known: taken by the same instructions, one after the other was used no more.
        """
        own, others = (self._locks[each.began, each.seq] for each in map(self._update, (one, other)))
        return bool(own & others) or any(itertools.starmap(self._stand_in, itertools.product(own, others)))

    def is_given_up(self, window: Window, other: int) -> bool:
        """Whether a lock that was held at its first access, and at another thread's, was not held until its last."""
        at_first, through, others = (
            self._locks[each.began, each.seq]
            for each in map(self._update, (Window(window.first, window.first), window, Window(other, other)))
        )
        return bool((at_first - through) & others)

    def _stand_in(self, one: int, other: int) -> bool:
        """Whether two locks may be one by its name, that is made anew whenever nobody has it: the same instructions
        took them, and more, and one of the two was used no more once the other one was."""
        uses, kinds = self._uses, self._taken_at
        alike = one in kinds and kinds[one] == kinds.get(other) and None not in kinds[one]
        if not alike or self._made_at[kinds[one]] < MADE_ANEW:
            return False
        return uses[one][1] < uses[other][0] or uses[other][1] < uses[one][0]

    def lets_in(self, window: Window, other: int) -> bool:
        """Whether another lane may come in at all: what the same loop runs does only if the window's own task was
        suspended in it."""
        own, others = (self._thread(int(self._events.thread[place])) for place in (window.last, other))
        return own != others or self._is_suspended(window)

    def _thread(self, lane: int) -> int:
        thread = self._task_of.get(lane)
        return lane if thread is None else thread

    def _is_suspended(self, window: Window) -> bool:
        """Whether it is a task's, and another one of the same loop may come in. A callback is never suspended."""
        thread = self._task_of.get(int(self._events.thread[window.last]))
        if thread is None:
            return False
        first, last = (int(self._events.seq[place]) for place in window)
        return self._trace.callbacks.suspends(thread, first, last)

    def may_be_ordered(self, earlier: int, later: int, *, by_locks: bool = False) -> bool:
        """Whether the thread of the later access waited for the earlier one, or may have heard of it; also by the lock
        that it took after the other one had released it, if that counts."""
        if self._pasts.holds(later, earlier) is not False:
            return True
        return self._hearsay.reached(earlier, later, by_locks=by_locks)

    def is_another_cell(self, first: int, last: int) -> bool:
        """Whether items of the list were moved in between."""
        moved = self._trace.restructured.get(int(self._events.location[first]), ())
        return bisect.bisect(moved, int(self._events.seq[first])) != bisect.bisect(moved, int(self._events.seq[last]))

    def have_one_ident(self, one: int, other: int) -> bool:
        """Whether the location is an item whose key is the identifier of both threads: the system gives one out again
        once its thread has ended, so the two never run at the same time."""
        key = self._trace.locations[int(self._events.location[one])].key
        threads = {self._thread(int(self._events.thread[place])) for place in (one, other)}
        return isinstance(key, int) and len(threads) > 1 and {self._idents.get(each) for each in threads} == {key}

    def may_be_another_object(self, one: int, other: int) -> bool:
        """Whether the location is an item whose key may be the address of an object (`d[id(node)]`), and the item was
        deleted between the two, or may have been: as the object died, perhaps, and another one may have come to life
        there since."""
        location = int(self._events.location[one])
        if not _may_be_address(self._trace.locations[location].key):
            return False
        at, gone = location * len(self._events), self._gone
        return bool(np.subtract(*np.searchsorted(gone, (at + max(one, other), at + min(one, other)))))

    @cached_property
    def _gone(self) -> Array:
        """The deletions of such items, and the reads that may have found none, by location and place as one number."""
        events = self._events
        wanted = [each.id for each in self._trace.locations.values() if _may_be_address(each.key)]
        may_be_gone = (events.kind == EventKind.DELETE) | (
            (events.kind == EventKind.READ) & (events.tag == ValueTag.ABSENT)
        )
        places = np.flatnonzero(may_be_gone & np.isin(events.location, wanted))
        return np.sort(events.location[places].astype(np.int64) * len(events) + places)

    def is_gil_only(self, window: Window, call: int | None = None) -> bool:
        """Whether this build has no switch point in it, and one without the GIL would. See `may_switch`. While a task
        is suspended, its loop runs, and waits: other threads may run, too."""
        if self._is_suspended(window):
            return False
        return not self._trace.free_threaded and not self.may_switch(*window, call)

    def may_switch(self, first: int, last: int, call: int | None = None) -> bool:
        """Whether an interpreter with a GIL may suspend a thread between the two. If the first one was made by what the
        other one's function had called: `call` is the call's offset there, if it does not follow from the flow."""
        events, trace = self._events, self._trace
        lane = int(events.thread[last])
        began, ended = (bisect.bisect_left(self._operations_of[lane], int(events.seq[each])) for each in (first, last))
        if began < ended:  # it may have had to wait
            return True
        between = slice(first + 1, last)
        if ((events.kind[between] == EventKind.ENTER) & (events.thread[between] == lane)).any():
            return True  # a function looks at the eval breaker as it begins
        others = events.seq[between][events.thread[between] != lane]
        if len(others) and others[0] < events.seq[last] - events.before[last]:
            return True  # it was, in this very run
        points = self._points(first, last, call)
        if points is None or trace.sites[int(events.site[first])].operation == Operation.CALL:
            return True
        runs_code = any(_has_python_code(events[place].value) for place in (first, last))
        return any(runs_code or point.preempts or point.opcode in _WAITS for point in points)

    def may_run_code(self, first: int, last: int) -> bool:
        """Whether code of the program may run in between, for all that is known of the types: a property, an operator
        written in Python."""
        location = self._trace.locations[int(self._events.location[last])]
        if location.kind is LocationKind.ITEM and location.container_type not in BUILT_IN:
            return True
        return any(point.opcode not in _OF_BUILT_IN for point in self._points(first, last) or ())

    def _points(self, first: int, last: int, call: int | None = None) -> list[SwitchPoint] | None:
        """Where a thread may be suspended between the two; None if it is not known which way it came."""
        events, trace = self._events, self._trace
        begin, end = (trace.sites[int(events.site[place])] for place in (first, last))
        code, own = trace.site_codes[begin.id], trace.site_codes[end.id]
        if code.id == own.id and events.frame[first] == events.frame[last]:
            if begin.offset >= end.offset:
                return None  # it passed a backward jump
            points = [each for each in _between(code, begin.offset, end.offset) if self._comes_to(each, end)]
            if self._failed[first]:  # the handler lies behind all else of the function
                points = [each for each in points if (begin.line or 0) <= (each.line or 0) <= (end.line or 0)]
            return points
        calls = (call,) if call is not None else () if end.flow is None else end.flow.results
        if not calls:
            return None
        called = [
            each for each in _between(code, begin.offset, math.inf) if not self._begins_the_next_turn(each, begin)
        ]
        return called + [each for each in _between(own, min(calls), end.offset) if self._comes_to(each, end)]

    def _comes_to(self, point: SwitchPoint, end: Site) -> bool:
        """Whether a thread that was there may have come to an access behind it in the same function."""
        found = self._syntax.of_site(end.id)
        node = None if found is None else found[0].at(point)
        if found is None or node is None:
            return True
        return not self._begins_the_next_turn(point, end) and may_come_to(found[0], node, found[1])

    def _begins_the_next_turn(self, point: SwitchPoint, site: Site) -> bool:
        """Whether a thread that was there has gone on to the next turn of a loop that the site is in."""
        found = self._syntax.of_site(site.id) if "JUMP_BACKWARD" in point.opcode else None
        node = None if found is None else found[0].at(point)
        return found is not None and node is not None and begins_the_next_turn(found[0], node, found[1])

    @cached_property
    def _taken_at(self) -> Mapping[int, frozenset[int | None]]:
        """By lock or semaphore: the sites that took it."""
        acquire: str = Act.ACQUIRE
        found: defaultdict[int, set[int | None]] = defaultdict(set)
        for each in self._trace.synchronisation:
            if each.object is not None and each.operation == acquire:
                found[each.object].add(each.site)
        return {number: frozenset(sites) for number, sites in found.items()}

    @cached_property
    def _made_at(self) -> Mapping[frozenset[int | None], int]:
        """How many locks were taken at the same sites."""
        return Counter(self._taken_at.values())

    @cached_property
    def _uses(self) -> Mapping[int, tuple[int, int]]:
        """By object: the seqs of its first operation, and of its last."""
        found: dict[int, tuple[int, int]] = {}
        for each in self._trace.synchronisation:
            if each.object is not None:
                found[each.object] = found.get(each.object, (each.seq, each.seq))[0], each.seq
        return found

    @cached_property
    def _operations_of(self) -> Mapping[int, list[int]]:
        """By lane: the seqs of its operations of synchronisation."""
        seqs: defaultdict[int, list[int]] = defaultdict(list)
        for each in self._trace.synchronisation:
            seqs[each.thread].append(each.seq)
        return seqs


def _between(code: Code, after: int, before: float) -> list[SwitchPoint]:
    return [point for point in code.switch_points if after < point.offset < before]


def _may_be_address(key: Value) -> bool:
    return isinstance(key, int) and key in _ADDRESSES


def _has_python_code(value: object) -> bool:
    """Whether operators of the value, or its finaliser, may be written in Python."""
    return isinstance(value, Opaque) and value.type_name not in BUILT_IN
