"""Checks of queues: `if not jobs.empty(): job = jobs.get_nowait()`.

Between the two another thread may take the last item, or fill the queue up. A look (`empty`, `qsize`, `full`) leaves no
record of its own, but takes the queue's lock; which one that is, shows in operations of the queue. As all of them take
it, their order is known. What a look found is not recorded; but that a thread took something by it tells, and so does
that another one, for which nothing had changed since, did not. That the one decides upon the other is in the source, of
one function; of an inner look and an outer one, the inner one counts.
"""

from __future__ import annotations

import ast
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from opcodetrace.analyse.happens_before import SyncOperation
from opcodetrace.analyse.lockset import locksets
from opcodetrace.analyse.pasts import Hearsay
from opcodetrace.analyse.syntax import LOOPS, Tree, ends
from opcodetrace.analyse.windows import can_be_judged
from opcodetrace.trace.protection import Update
from opcodetrace.trace.sync import LOCKS, QUEUES, TASK_QUEUES, Act

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

_FULL = "queue.Full", "Full"
_EMPTY = "queue.Empty", "Empty"
_SOME = {(ast.Gt, 0), (ast.GtE, 1), (ast.NotEq, 0)}  # how `qsize()` compares if there is something
_NONE = {(ast.Eq, 0), (ast.Lt, 1), (ast.LtE, 0)}
_LOOKS = frozenset(["empty", "qsize", "full"])
_MAX_TRIES = 64  # of one place in the code that are looked into
_MAX_LOOKS = 64  # of other threads that are gone through after one access


class _Is(Enum):
    """What a step is to a queue."""

    LOOK = auto()
    TAKE = auto()
    ADD = auto()


class QueueCheck(NamedTuple):
    """A thread's look at a queue and what it did by that; and what another thread did, after it, or in between."""

    queue: int  # a SyncObject
    check: int  # seqs
    act: int
    other: int


class _Step(NamedTuple):
    """What a thread did with a queue."""

    at: int  # the seq at which it had the queue's lock: all steps have one order
    what: _Is
    operation: SyncOperation

    @property
    def thread(self) -> int:
        return self.operation.first.thread

    @property
    def seq(self) -> int:
        """At which it began."""
        return self.operation.first.seq

    @property
    def last(self) -> int:
        """At which it ended; it has no end if it raised."""
        return (self.operation.last or self.operation.first).seq

    @property
    def site(self) -> int:
        return -1 if self.operation.first.site is None else self.operation.first.site


class _Try(NamedTuple):
    """A look and what was done by it, and another thread's step that came later."""

    queue: int
    look: _Step
    act: _Step
    other: _Step

    @property
    def key(self) -> tuple[int, int, int]:
        return self.queue, self.look.site, self.act.site

    def updates(self) -> tuple[Update, Update]:
        """From look to act, and the other step."""
        own = Update(-1, self.act.thread, self.look.seq, self.act.seq)
        return own, Update(-1, self.other.thread, self.other.seq, self.other.seq)


class _Decided(NamedTuple):
    """A call that takes or adds an item, by a look at the same queue."""

    looks: frozenset[tuple[int, int, int, int]]  # where these calls stand: those of the innermost condition
    only_if_full: bool
    waits: bool
    is_plain: bool  # nothing else is asked: who does not act has found it otherwise


class QueueChecks:
    """Those of a run."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._trace = trace = evidence.trace
        self._syntax = evidence.activations.syntax
        self._handlers = evidence.handlers
        self._decided: dict[int, _Decided | None] = {}
        self._last_seqs = {each.thread: each.last_seq for each in trace.threads}

    @cached_property
    def failed(self) -> list[QueueCheck]:
        """What raised because of what another thread had done since the look."""
        return list(self._failed())

    def _failed(self) -> Iterator[QueueCheck]:
        for queue, steps in self._steps.items():
            for place, step in enumerate(steps):
                if self._has_raised(step):
                    look = self._look(steps, place)
                    others = [] if look is None else steps[look + 1 : place]
                    change = next((each for each in reversed(others) if self._counters(each, step)), None)
                    if look is not None and change is not None and not self._knows(step, change):
                        yield self._found(queue, steps[look], step, change)

    def unguarded(self) -> Iterator[QueueCheck]:
        """What would be done in vain if another thread came in between, one for each place in the code. Without what
        failed at the same place."""
        tries = list(self._tries())
        held = self._held(update for each in tries for update in each.updates())
        found: set[tuple[int, int, int]] = set()
        for each in tries:
            own, others = (held[update] for update in each.updates())
            if each.key not in found and not own & others and self._may_come_between(each):
                found.add(each.key)
                yield self._found(each.queue, each.look, each.act, each.other)

    def _tries(self) -> Iterator[_Try]:
        """What is looked into: of each place in the code the first ones."""
        told = {each.act for each in self.failed}
        sites = {step.site for steps in self._steps.values() for step in steps if step.last in told}
        number: Counter[tuple[int, int, int]] = Counter()
        for queue, steps in self._steps.items():
            sizes = _sizes(steps)
            for place, step in enumerate(steps):
                decided = self._decided_at(step.site) if step.what is not _Is.LOOK else None
                if decided is None or not step.operation.done or step.site in sites:
                    continue
                if step.what is _Is.ADD and (decided.waits or not decided.is_plain):
                    continue  # it only waits until somebody takes something; or it is not known what was found
                if step.what is _Is.TAKE and (sizes is None or sizes[place] != 0):
                    continue
                look = self._look(steps, place)
                if look is None or self._expects(step):
                    continue
                key = queue, steps[look].site, step.site
                for other in self._in_vain(steps, place, decided) if number[key] < _MAX_TRIES else ():
                    number[key] += 1
                    yield _Try(queue, steps[look], step, other)

    @staticmethod
    def _found(queue: int, look: _Step, act: _Step, other: _Step) -> QueueCheck:
        return QueueCheck(queue, look.last, act.last, other.last)

    @cached_property
    def _steps(self) -> Mapping[int, list[_Step]]:
        """By queue, in the order of its lock. None in a run of which operations may be missing."""
        trace = self._trace
        if not can_be_judged(trace) or trace.missed or trace.holes:
            return {}
        queues = {each.id for each in trace.sync_objects if each.type_name in QUEUES - TASK_QUEUES}
        locks = {each.id for each in trace.sync_objects if each.type_name in LOCKS}
        if not queues:
            return {}
        found: defaultdict[int, list[_Step]] = defaultdict(list)
        queue_of: dict[int, int] = {}  # by its lock
        acts: dict[str, _Is] = {Act.GET: _Is.TAKE, Act.PUT: _Is.ADD}
        operations = self._evidence.pasts.operations.all
        for operation in operations:
            first = operation.first
            what = acts.get(first.operation)
            parts = [
                each
                for each in operation.parts
                if each.operation == Act.ACQUIRE and not each.begins and not each.failed and each.object in locks
            ]
            if first.object in queues and what is not None and parts:  # a SimpleQueue has no lock of its own
                queue_of[parts[0].object or 0] = first.object or 0
                at = operation.took_effect() if operation.done else parts[0].seq
                found[first.object or 0].append(_Step(at, what, operation))
        for operation in operations:
            first = operation.first
            queue = queue_of.get(first.object or 0)
            if queue is None or first.operation != Act.ACQUIRE or not operation.done or first.site is None:
                continue
            if self._looks_at(first.site):
                found[queue].append(_Step(operation.took_effect(), _Is.LOOK, operation))
        return {queue: sorted(steps, key=lambda step: step.at) for queue, steps in found.items()}

    def _looks_at(self, site: int) -> bool:
        found = self._syntax.of_site(site)
        return found is not None and _look(found[1]) is not None

    def _decided_at(self, site: int) -> _Decided | None:
        if site not in self._decided:
            found = self._syntax.of_site(site)
            self._decided[site] = None if found is None else _decided(*found)
        return self._decided[site]

    def _look(self, steps: list[_Step], place: int) -> int | None:
        """The place of the look by which one was made: the thread did nothing else with the queue since."""
        act = steps[place]
        decided = self._decided_at(act.site)
        if decided is None:
            return None
        for at in range(place - 1, max(-1, place - 1 - _MAX_LOOKS), -1):
            if steps[at].thread == act.thread:
                return at if self._is_one_of(decided, steps[at], act) else None
        return None

    def _is_one_of(self, decided: _Decided, look: _Step, act: _Step) -> bool:
        if look.what is not _Is.LOOK:
            return False
        site, code = self._trace.sites[look.site], self._trace.site_codes
        return code[look.site].id == code[act.site].id and site.span in decided.looks

    def _has_raised(self, step: _Step) -> bool:
        """Whether it did not get what it was to: its thread went on without."""
        operation = step.operation
        decided = self._decided_at(step.site)
        if step.what is _Is.LOOK or operation.last is not None or decided is None or decided.waits:
            return False
        over = operation.parts[-1].operation == Act.RELEASE and not operation.waited
        return over and self._last_seqs.get(step.thread, -1) > operation.parts[-1].seq and not self._expects(step)

    def _expects(self, step: _Step) -> bool:
        """Whether the program is ready for it to raise."""
        names = _EMPTY if step.what is _Is.TAKE else _FULL
        return any(self._handlers.expect(step.site, name) for name in names)

    def _knows(self, step: _Step, other: _Step) -> bool:
        """Whether a thread had waited for another one to have done something, or may have."""
        return self._evidence.pasts.knows(step.thread, step.seq, other.thread, other.last) is not False

    @staticmethod
    def _counters(each: _Step, act: _Step) -> bool:
        """Whether another thread's step is one after which the look would have found something else."""
        return each.thread != act.thread and each.what is act.what and each.operation.done

    def _in_vain(self, steps: list[_Step], place: int, decided: _Decided) -> Iterator[_Step]:
        """Other threads' steps after one, before the queue changed again, that found it as that had left it: looks by
        which nothing was done, and who had to wait for an item."""
        act, added = steps[place], math.inf
        for at in range(place + 1, min(len(steps), place + 1 + _MAX_LOOKS)):
            step = steps[at]
            is_other = step.thread != act.thread
            if step.what is _Is.LOOK:
                if is_other and added == math.inf and not decided.only_if_full and self._is_in_vain(steps, at, act):
                    yield step
            elif step.what is _Is.ADD and act.what is _Is.TAKE:
                added = min(added, step.at)
            else:
                waited = step.what is act.what is _Is.TAKE and step.operation.waited
                if is_other and waited and step.seq < added:
                    yield step
                return

    def _is_in_vain(self, steps: list[_Step], at: int, act: _Step) -> bool:
        """Whether a look is one of those that decide upon such an act, and its thread did nothing by it."""
        look = steps[at]
        if not self._decides(look.site, act.what):
            return False
        own = (step for step in steps[at + 1 : at + 1 + _MAX_LOOKS] if step.thread == look.thread)
        then = next(own, None)
        if then is None or then.what is _Is.LOOK:
            return then is not None or at + 1 + _MAX_LOOKS >= len(steps)
        decided = self._decided_at(then.site)
        return decided is None or not self._is_one_of(decided, look, then)

    def _decides(self, look: int, what: _Is) -> bool:
        code, span = self._trace.site_codes[look].id, self._trace.sites[look].span
        return any(kind is what and of == code and span in decided.looks for kind, of, decided in self._acts)

    @cached_property
    def _acts(self) -> list[tuple[_Is, int, _Decided]]:
        """What is done by looks anywhere, with its function."""
        sites = {(step.what, step.site) for steps in self._steps.values() for step in steps if step.what != _Is.LOOK}
        return [
            (what, self._trace.site_codes[site].id, decided)
            for what, site in sites
            if (decided := self._decided_at(site)) is not None
        ]

    def _may_come_between(self, one: _Try) -> bool:
        """Whether another thread's later step might have come between look and act, as far as what it knew goes."""
        if self._knows(one.other, one.act):
            return False
        its_lock = {part.object for part in one.act.operation.parts if part.object is not None}
        return not self._hearsay.has_reached(
            one.act.thread, one.act.last, one.other.thread, one.other.seq, its_lock | {one.queue}
        )

    @cached_property
    def _hearsay(self) -> Hearsay:
        return Hearsay(self._evidence)

    def _held(self, updates: Iterable[Update]) -> dict[Update, frozenset[int]]:
        """The locks and semaphores that were held throughout."""
        judge = self._evidence.pasts.judge
        order = sorted(set(updates), key=lambda update: (update.seq, update.began))
        of: dict[Update, frozenset[int]] = {}
        for held in (judge.locks, judge.semaphores) if order else ():
            for update, locks in locksets(order, held):
                of[update] = of.get(update, frozenset()) | locks
        return of


def _sizes(steps: list[_Step]) -> list[int] | None:
    """How many items the queue had after each step; None if it had some that were not seen."""
    size, sizes = 0, []
    for step in steps:
        if step.operation.done:
            size += (step.what is _Is.ADD) - (step.what is _Is.TAKE)
        if size < 0:
            return None
        sizes.append(size)
    return sizes


def _look(node: ast.AST) -> str | None:
    match node:
        case ast.Call(ast.Attribute(attr=name), [], []) if name in _LOOKS:
            return name
    return None


def _decided(tree: Tree, act: ast.AST) -> _Decided | None:
    """By which looks a call is made, if by any."""
    match act:
        case ast.Call(ast.Attribute(of, "get" | "get_nowait" as name), arguments, keywords):
            takes = True
        case ast.Call(ast.Attribute(of, "put" | "put_nowait" as name), [_, *arguments], keywords):
            takes = False
        case _:
            return None
    wanted = ast.unparse(of)
    waits = not name.endswith("_nowait") and not _is_false(arguments[:1], keywords)
    for number, (condition, holds) in enumerate(_conditions(tree, act)):
        found = [
            (look, is_full)
            for look, is_full in _asked(condition, holds, takes)
            if ast.unparse(look.func.value) == wanted  # type: ignore[attr-defined]
        ]
        if found:
            looks = frozenset((each.lineno, each.col_offset, each.end_lineno, each.end_col_offset) for each, _ in found)
            is_plain = number == 0 and not any(isinstance(each, ast.BoolOp) for each in ast.walk(condition))
            return _Decided(looks, all(is_full for _, is_full in found), waits, is_plain)  # type: ignore[arg-type]
    return None


def _is_false(arguments: list[ast.expr], keywords: list[ast.keyword]) -> bool:
    """Whether `block` is."""
    given = [*arguments, *(each.value for each in keywords if each.arg == "block")]
    return any(isinstance(each, ast.Constant) and not each.value for each in given)


def _conditions(tree: Tree, node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """The conditions under which it is executed, with what each must have given; the innermost first. Not those outside
    of a loop: it may be executed again and again for one of these."""
    for step in tree.above(node):
        parent, field = step.parent, step.field
        block = getattr(parent, field)
        if isinstance(step.node, ast.stmt) and isinstance(block, list):
            for before in reversed(block[: block.index(step.node)]):
                if isinstance(before, ast.If) and not before.orelse and ends(before.body):
                    yield before.test, False
        match parent:
            case ast.If(test=test) | ast.IfExp(test=test) if field in ("body", "orelse"):
                yield test, field == "body"
            case ast.While(test=test) if field == "body":
                yield test, True
            case ast.BoolOp(op, values) if step.node in values:
                yield from ((each, isinstance(op, ast.And)) for each in values[: values.index(step.node)])
            case ast.ExceptHandler() | ast.comprehension() | ast.ListComp() | ast.GeneratorExp():
                return
        if isinstance(parent, LOOPS):
            return


def _asked(condition: ast.expr, holds: bool, takes: bool) -> Iterator[tuple[ast.Call, bool]]:
    """The looks of a condition that found something to be taken, or room, as it gave that; and whether one found the
    queue full."""
    match condition:
        case ast.UnaryOp(ast.Not(), operand):
            yield from _asked(operand, not holds, takes)
        case ast.BoolOp(op, values) if isinstance(op, ast.And) is holds:
            for each in values:
                yield from _asked(each, holds, takes)
        case ast.Call() as call:
            name = _look(call)
            if takes and ((name == "empty" and not holds) or (name in ("qsize", "full") and holds)):
                yield call, name == "full"
            elif not takes and name == "full" and not holds:
                yield call, False
        case ast.Compare(ast.Call() as call, [sign], [ast.Constant(int(limit))]) if takes and _look(call) == "qsize":
            if (type(sign), limit) in (_SOME if holds else _NONE):
                yield call, False
