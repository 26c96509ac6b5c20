"""Which activation an access belongs to, who called it, and what the source says of the way between two accesses."""

from __future__ import annotations

import ast
import bisect
import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.assignments import named_as
from opcodetrace.analyse.made_of import called_name
from opcodetrace.analyse.syntax import SHOWS, Syntax, Tree, Use
from opcodetrace.trace.call import Call
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Operation, Site, SwitchPoint

Array = npt.NDArray[Any]

_MARKERS = (Operation.ENTER, Operation.DEFINE)
_SEQ_BITS = 36  # of a record's seq, in one number with its frame's
_DEEPEST = 40  # calls between two accesses
_FURTHEST = 4  # callers through which a value is followed


class Scope(NamedTuple):
    """How a write and a read belong together."""

    is_certain: bool  # whenever the read is made, the write was
    is_with: bool  # what enters a `with` statement writes, what leaves it reads


class Activation(NamedTuple):
    """One execution of a function's body."""

    frame: int
    begun: int  # its ENTER's seq; -1 if there is none


class Point(NamedTuple):
    """An instruction, in an activation."""

    activation: Activation
    node: ast.AST

    def is_in_one(self, other: Point) -> bool:
        """Whether both are in the same activation; of a caller no frame is known."""
        begun = self.activation.begun
        return begun == other.activation.begun if begun >= 0 else self.activation == other.activation


class Part(NamedTuple):
    """An activation, and the instruction of it that makes an access or led to it. A `with` statement calls two
    functions at one."""

    activation: Activation
    function: str
    tree: Tree
    node: ast.AST

    @property
    def point(self) -> Point:
        return Point(self.activation, self.node)


class Activations:
    """Those of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.syntax = Syntax(trace)

    @cached_property
    def _begins(self) -> Array:
        """Of each ENTER its frame and seq as one number; in order."""
        events = self._trace.events
        (enters,) = np.nonzero(events.kind == EventKind.ENTER)
        found: Array = np.sort(self._key(events.frame[enters].astype(np.int64), events.seq[enters]))
        return found

    def _key(self, frame: Any, seq: Any) -> Any:
        return (frame << _SEQ_BITS) + seq

    @cached_property
    def calls(self) -> dict[int, Call]:
        """By where they begin."""
        return {call.seq: call for call in self._trace.calls}

    @cached_property
    def columns(self) -> tuple[Array, Array, Array, Array]:
        """Of all calls where they begin, in order, their sites, their callers' beginnings and places in these; -1 for
        none."""
        calls = sorted(self._trace.calls, key=lambda call: call.seq)
        count = len(calls)
        callers = (-1 if call.caller_seq is None else call.caller_seq for call in calls)
        places = (-1 if call.place is None else call.place for call in calls)
        return (
            np.fromiter((call.seq for call in calls), np.int64, count),
            np.fromiter((call.site for call in calls), np.int64, count),
            np.fromiter(callers, np.int64, count),
            np.fromiter(places, np.int64, count),
        )

    @cached_property
    def _by_caller(self) -> tuple[Array, Array]:
        callers = self.columns[2]
        order = np.argsort(callers, kind="stable")
        return callers[order], order

    @cached_property
    def points(self) -> dict[tuple[int, int], SwitchPoint]:
        """By code and offset."""
        return {(code.id, point.offset): point for code in self._trace.codes for point in code.switch_points}

    def node_at(self, code: Code, offset: int) -> ast.AST | None:
        """What stands at an offset of a function."""
        tree, point = self.syntax.tree(code.file), self.points.get((code.id, offset))
        places: list[Site | SwitchPoint] = [] if point is None else [point]
        places += [site for site in code.sites if site.offset == offset and site.operation not in _MARKERS]
        return next((node for node in map(tree.at, places) if node is not None), None)

    def called_from(self, caller: int, place: int) -> list[int]:
        """Where the activations begin, in order, that the one which began at `caller` called from a place."""
        callers, order = self._by_caller
        begin, end = np.searchsorted(callers, (caller, caller + 1))
        seqs, _, _, places = self.columns
        own = order[begin:end]
        found: list[int] = seqs[own[places[own] == place]].tolist()
        return found

    def of(self, place: int) -> Activation:
        """The one that an event belongs to."""
        frame, seq = int(self._trace.events.frame[place]), int(self._trace.events.seq[place])
        at = int(np.searchsorted(self._begins, self._key(frame, seq), side="right")) - 1
        begun = int(self._begins[at]) - self._key(frame, 0) if at >= 0 else -1
        return Activation(frame, max(begun, -1))

    def called_by_the_first(self, begun: int) -> int:
        """Of an activation (its ENTER's seq): where the one that led to it began which the first function of its thread
        called. The first one may be a loop that goes on for as long as the thread lives."""
        call = self.calls.get(begun)
        for _ in range(_DEEPEST):
            caller = None if call is None or call.caller_seq is None else self.calls.get(call.caller_seq)
            if caller is None or caller.caller_seq is None or caller.thread != self.calls[begun].thread:
                break
            begun, call = caller.seq, caller
        return begun

    def parts(self, place: int) -> Iterator[Part]:
        """From an access up to the first function in woven code that its thread was in."""
        number = int(self._trace.events.site[place])
        found = self.syntax.of_site(number)
        if found is None:
            return
        activation = self.of(place)
        yield Part(activation, self._trace.site_codes[number].function, *found)
        for caller, code, point in self._callers(activation):
            tree = self.syntax.tree(code.file)
            node = tree.at(point)
            if node is None:
                return
            yield Part(Activation(-1, caller), code.function, tree, node)

    def _callers(self, activation: Activation) -> Iterator[tuple[int, Code, SwitchPoint]]:
        """Of each one that led to it in woven code: the seq at which it began, and the instruction that called."""
        call = self.calls.get(activation.begun)
        for _ in range(_DEEPEST):
            caller = None if call is None or call.caller_seq is None else self.calls.get(call.caller_seq)
            if call is None or caller is None or call.place is None or caller.thread != call.thread:
                return
            code = self._trace.site_codes[caller.site]
            point = self.points.get((code.id, call.place))
            if point is None:
                return
            yield caller.seq, code, point
            call = caller

    def lines(self, place: int) -> Iterator[tuple[int, int | None]]:
        """File and line of an access, and of the calls that led to it."""
        site = self._trace.sites.get(int(self._trace.events.site[place]))
        if site is not None:
            yield self._trace.site_codes[site.id].file, site.line
            for _, code, point in self._callers(self.of(place)):
                yield code.file, point.line

    def node_of_caller(self, place: int) -> ast.AST | None:
        """The instruction that led to the activation of an access, in the function that was under way."""
        parts = self.parts(place)
        next(parts, None)
        above = next(parts, None)
        return None if above is None else above.node

    def point(self, place: int, above: int) -> Point | None:
        """The instruction that made an access, or led to it so many calls above."""
        return next(itertools.islice((part.point for part in self.parts(place)), above, None), None)

    def comes_after(self, write: int, read: int) -> Scope | None:
        """Whether the code says that this write comes before that read: in one activation, or on the ways down from
        one; and in the same turn of all loops. None if it does not."""
        above = list(self.parts(write))
        below = list(self.parts(read))
        at = {part.activation.begun: number for number, part in enumerate(below)}
        for number, part in enumerate(above):
            down = at.get(part.activation.begun)
            if down is None or (part.activation.begun < 0 and (number, down) != (0, 0)):
                continue
            if below[down].activation.begun < 0 and below[down].activation != part.activation:
                return None
            if not self._is_latest(write, read, above[: number + 1]):
                return None
            if number == down == 0 and named_as(part.node) != named_as(below[0].node):
                return None  # slots[i] and slots[j]
            return self._scope(above[: number + 1], below[: down + 1])
        return None

    def _is_latest(self, write: int, read: int, above: list[Part]) -> bool:
        """Whether the last one on the way up from a write had not come by the same instruction again before the read:
        in another turn of a loop, for another object."""
        events = self._trace.events
        if len(above) == 1:
            between = slice(write + 1, read)
            again = (events.site[between] == events.site[write]) & (events.frame[between] == events.frame[write])
            return not again.any()
        call = self.calls[above[-2].activation.begun]
        if call.caller_seq is None or call.place is None:
            return False
        seqs = self.called_from(call.caller_seq, call.place)
        return bisect.bisect_right(seqs, call.seq) == bisect.bisect_left(seqs, int(events.seq[read]))

    def _scope(self, above: list[Part], below: list[Part]) -> Scope | None:
        (*setters, one), (*getters, other) = above, below
        is_certain = all(part.tree.is_certain(part.node) for part in setters)
        if any(part.tree.may_wait(part.node) for part in getters):
            return None
        item = one.tree.item(one.node)
        if item is not None and item is other.tree.item(other.node):
            names = [parts[-1].function.rpartition(".")[2] for parts in (setters, getters) if parts]
            is_with = names in (["__enter__", "__exit__"], ["__aenter__", "__aexit__"])
            return Scope(is_certain, is_with=True) if is_with else None
        follows = one.tree.follows(one.node, other.node)
        return None if follows is False else Scope(is_certain and follows is True, is_with=False)

    def is_looked_at(self, read: int, whole: ast.AST | None = None, above: int = 0) -> bool:
        """Whether what was read, or the `whole` expression that it is a part of, is compared, tested or shown, here or
        by who called this function to get it. The expression stands so many calls `above` the read."""
        parts = list(self.parts(read))[above:]
        if not parts or (isinstance(whole, ast.Call) and called_name(whole.func) in SHOWS):
            return True
        was_given = isinstance(whole, ast.Call)
        for part in parts[:_FURTHEST]:
            use = part.tree.use(part.node if whole is None else whole)
            whole = None
            if use is Use.DROPPED:
                return not was_given
            if use in (Use.LOOKED_AT, Use.OTHER):
                return use is Use.LOOKED_AT
            was_given |= use is Use.RESULT_RETURNED
        return len(parts) > _FURTHEST
