"""Which activation an access belongs to, who called it, and what the source says of the way between two accesses."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.syntax import Syntax, Tree, Use
from opcodetrace.trace.call import Call
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import SwitchPoint

_DEEPEST = 40  # calls between two accesses
_FURTHEST = 4  # callers through which a value is followed


class Scope(NamedTuple):
    """How a write and a read belong together."""

    is_with: bool  # what enters a `with` statement writes, what leaves it reads


class Activation(NamedTuple):
    """One execution of a function's body."""

    frame: int
    begun: int  # its ENTER's seq; -1 if there is none


class _Part(NamedTuple):
    """An activation, and the instruction of it that makes an access or led to it. A `with` statement calls two
    functions at one."""

    activation: Activation
    function: str
    tree: Tree
    node: ast.AST


class Activations:
    """Those of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.syntax = Syntax(trace)

    @cached_property
    def _begins(self) -> dict[int, list[int]]:
        """By frame: the seqs of its ENTERs, in order."""
        events = self._trace.events
        (enters,) = np.nonzero(events.kind == EventKind.ENTER)
        found: dict[int, list[int]] = {}
        for frame, seq in zip(events.frame[enters].tolist(), events.seq[enters].tolist(), strict=True):
            found.setdefault(frame, []).append(seq)
        return found

    @cached_property
    def _calls(self) -> dict[int, Call]:
        return {call.seq: call for call in self._trace.calls}

    @cached_property
    def _from(self) -> dict[tuple[int | None, int | None], list[int]]:
        """By caller and place: the seqs of its calls, in order."""
        found: dict[tuple[int | None, int | None], list[int]] = {}
        for call in self._trace.calls:
            found.setdefault((call.caller_seq, call.place), []).append(call.seq)
        return found

    @cached_property
    def _points(self) -> dict[tuple[int, int], SwitchPoint]:
        """By code and offset."""
        return {(code.id, point.offset): point for code in self._trace.codes for point in code.switch_points}

    def of(self, place: int) -> Activation:
        """The one that an event belongs to."""
        frame, seq = int(self._trace.events.frame[place]), int(self._trace.events.seq[place])
        begins = self._begins.get(frame, [])
        at = bisect.bisect_right(begins, seq)
        return Activation(frame, begins[at - 1] if at else -1)

    def called_by_the_first(self, begun: int) -> int:
        """Of an activation (its ENTER's seq): where the one that led to it began which the first function of its thread
        called. The first one may be a loop that goes on for as long as the thread lives."""
        call = self._calls.get(begun)
        for _ in range(_DEEPEST):
            caller = None if call is None or call.caller_seq is None else self._calls.get(call.caller_seq)
            if caller is None or caller.caller_seq is None or caller.thread != self._calls[begun].thread:
                break
            begun, call = caller.seq, caller
        return begun

    def _parts(self, place: int) -> Iterator[_Part]:
        """From an access up to the first function in woven code that its thread was in."""
        number = int(self._trace.events.site[place])
        found = self.syntax.of_site(number)
        if found is None:
            return
        activation = self.of(place)
        yield _Part(activation, self._trace.site_codes[number].function, *found)
        call = self._calls.get(activation.begun)
        for _ in range(_DEEPEST):
            caller = None if call is None or call.caller_seq is None else self._calls.get(call.caller_seq)
            if call is None or caller is None or call.place is None or caller.thread != call.thread:
                return
            code = self._trace.site_codes[caller.site]
            point = self._points.get((code.id, call.place))
            tree = self.syntax.tree(code.file)
            node = None if point is None else tree.at(point)
            if node is None:
                return
            yield _Part(Activation(-1, caller.seq), code.function, tree, node)
            call = caller

    def node_of_caller(self, place: int) -> ast.AST | None:
        """The instruction that led to the activation of an access, in the function that was under way."""
        parts = self._parts(place)
        next(parts, None)
        above = next(parts, None)
        return None if above is None else above.node

    def comes_after(self, write: int, read: int) -> Scope | None:
        """Whether the code says that this write comes before that read: in one activation, or on the ways down from
        one; each time, and in the same turn of all loops. None if it does not."""
        above = list(self._parts(write))
        below = list(self._parts(read))
        at = {part.activation.begun: number for number, part in enumerate(below)}
        for number, part in enumerate(above):
            down = at.get(part.activation.begun)
            if down is None or (part.activation.begun < 0 and (number, down) != (0, 0)):
                continue
            if below[down].activation.begun < 0 and below[down].activation != part.activation:
                return None
            if not self._is_latest(write, read, above[: number + 1]):
                return None
            if number == down == 0 and ast.unparse(part.node) != ast.unparse(below[0].node):
                return None  # slots[i] and slots[j]
            return self._scope(above[: number + 1], below[: down + 1])
        return None

    def _is_latest(self, write: int, read: int, above: list[_Part]) -> bool:
        """Whether the last one on the way up from a write had not come by the same instruction again before the read:
        in another turn of a loop, for another object."""
        events = self._trace.events
        if len(above) == 1:
            between = slice(write + 1, read)
            again = (events.site[between] == events.site[write]) & (events.frame[between] == events.frame[write])
            return not again.any()
        call = self._calls[above[-2].activation.begun]
        seqs = self._from[call.caller_seq, call.place]
        return bisect.bisect_right(seqs, call.seq) == bisect.bisect_left(seqs, int(events.seq[read]))

    def _scope(self, above: list[_Part], below: list[_Part]) -> Scope | None:
        (*setters, one), (*getters, other) = above, below
        if not all(part.tree.is_certain(part.node) for part in setters):
            return None
        if any(part.tree.is_in_a_loop(part.node) for part in getters):
            return None
        item = one.tree.item(one.node)
        if item is not None and item is other.tree.item(other.node):
            names = [parts[-1].function.rpartition(".")[2] for parts in (setters, getters) if parts]
            is_with = names in (["__enter__", "__exit__"], ["__aenter__", "__aexit__"])
            return Scope(is_with=True) if is_with else None
        return Scope(is_with=False) if one.tree.follows(one.node, other.node) else None

    def is_looked_at(self, read: int, whole: ast.AST | None = None) -> bool:
        """Whether what was read, or the `whole` expression that it is a part of, is compared, tested or shown, here or
        by who called this function to get it."""
        parts = list(self._parts(read))
        if not parts:
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
