"""Flags that are set before the work is done: `if not self.ready: self.ready = True; self.items = load()`.

Another thread sees the flag, goes past the check, and looks for what is not there yet: an order that is taken for
granted (Lu, Park, Seo and Zhou, "Learning from mistakes", 2008), and a publication that comes too early (Goetz et al.,
"Java Concurrency in Practice", 3.5). A flag that is set first may be right: `if self.closed: return; self.closed =
True`. What makes it wrong is that the other thread needs, by the very check, what is written after it.

A container is a flag, too, if it is checked that it is there, or that something is in it, and then filled: `if
self.words is None: self.words = {}; self.load()`, `if not self.words: self.load()`. Who passes the check finds it half
filled.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from enum import IntEnum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.answers import holds_after, would_hold
from opcodetrace.analyse.checks import Checked, Checks
from opcodetrace.analyse.first_seen import first_seen
from opcodetrace.analyse.made_of import is_new_container
from opcodetrace.analyse.refusals import is_nothing_refused
from opcodetrace.analyse.sizes import size_after
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation, asks_more

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]

_NEAR = 2_000  # events after a check, and before a failed access, among which the thread's own are looked at
_MOST = 64  # of those
_MOST_WRITES = 16  # of None, that are passed over
_DICTS = frozenset(["dict", "collections.OrderedDict"])  # that have no __missing__
_RAISED = {**dict.fromkeys(_DICTS, KeyError.__name__), "list": IndexError.__name__}  # if there is no such item
_EMPTY = frozenset(["[]", "0 items"])  # what is told of a container with nothing in it
_BY_KEY = frozenset([Operation.LOAD_SUBSCR, Operation.DELETE_SUBSCR])
_LOADS = frozenset([Operation.LOAD_ATTR, Operation.LOAD_GLOBAL])


class Need(IntEnum):
    """What is wrong if it is not there yet."""

    RAISES = auto()
    PASSED_OVER = auto()  # a loop that does nothing: it may be meant so


class Early(NamedTuple):
    """A thread saw a flag that another one had set before its work, and looked for what that makes. Places among the
    events."""

    flag: int
    check: int  # the read of the flag
    look: int
    fill: int  # the other thread's write of what is looked for
    need: Need


class EarlyFlags:
    """Those of a trace."""

    def __init__(self, trace: Trace, checks: Checks) -> None:
        self._trace = trace
        self._events = trace.events
        self._checks = checks
        self._handlers = checks.handlers
        self._fills: dict[int, list[int]] = {}
        self._filled: dict[str, bool] = {}

    @property
    def _activations(self) -> Activations:
        return self._checks.called.activations

    def fill(self, location: int, flag: int | None = None) -> int | None:
        """The first write of something there, besides None; None if there is none, or something was deleted before. An
        empty container that was there before a flag counts as nothing, too."""
        if location not in self._fills:
            self._fills[location] = list(self._writes(location))
        for place in self._fills[location]:
            if flag is None or place > flag or not self._is_empty_one(place):
                return place
        return None

    def _writes(self, location: int) -> Iterator[int]:
        events = self._events
        its = self._checks.histories.places_of(location)
        for place in its[events.kind[its] != EventKind.READ][:_MOST_WRITES].tolist():
            if events.kind[place] != EventKind.WRITE:
                return
            if events.tag[place] != ValueTag.NONE:
                yield int(place)

    def _is_empty_one(self, place: int) -> bool:
        """Whether it is a container that was made with nothing in it, and no code fills what has its name."""
        value, location = self._events[place].value, self._trace.locations[int(self._events.location[place])]
        if not isinstance(value, Opaque) or value.type_name not in _RAISED or value.text not in _EMPTY:
            return False
        return isinstance(location.key, str) and not self._is_ever_filled(location.key)

    def _is_ever_filled(self, name: str) -> bool:
        """Whether some source may put something into what an attribute or a variable of a name has."""
        if name not in self._filled:
            syntax, files = self._activations.syntax, self._trace.files
            self._filled[name] = any(
                name in syntax.tree(file.id).maybe_filled for file in files if name.encode() in file.source
            )
        return self._filled[name]

    def known_by(self, look: int, fill: int) -> tuple[int, int] | None:
        """The flag by which a thread took something to be there, and its check of that: the last one before it looked.
        It was set by the thread that made it later."""
        events = self._events
        near = slice(max(0, look - _NEAR), look)
        own = near.start + np.flatnonzero(events.thread[near] == events.thread[look])
        begun = self._activations.called_by_the_first(self._activations.of(look).begun)
        for check in own[::-1][:_MOST].tolist():
            if events.seq[check] <= begun:
                return None
            if self._is_cell(check) and events.location[check] != events.location[look]:
                flag = self._written_by(check)
                if flag is not None and events.thread[flag] == events.thread[fill]:
                    found = self._decided(flag)
                    if found is not None and self._is_passed(found, flag, check):
                        return flag, check
        return None

    def _is_cell(self, read: int) -> bool:
        location = self._trace.locations.get(int(self._events.location[read]))
        return self._events.kind[read] == EventKind.READ and location is not None and location.certain

    def _written_by(self, read: int) -> int | None:
        """The write that a read gave the value of."""
        before = self._checks.histories.before(read)
        return next((place for place in before if self._events.kind[place] != EventKind.READ), None)

    def _decided(self, flag: int) -> Checked | None:
        """The check by which a flag was set, if nobody else changed it meanwhile."""
        if self._events.kind[flag] != EventKind.WRITE:
            return None
        site = int(self._events.site[flag])
        tests = self._checks.tests.get(site, {})
        found = self._checks.of_whole(flag, tests)
        if found is None and (tests or site in self._checks.called.tests):
            found = self._checks.of(flag, tests)
        return None if found is None or found.changes or not found.answer or asks_more(found.asked) else found

    def _is_passed(self, found: Checked, flag: int, check: int) -> bool:
        """Whether another thread makes the very check, and finds that it was done."""
        events, trace = self._events, self._trace
        location = trace.locations[int(events.location[flag])]
        site = trace.sites[int(events.site[found.check])]
        called = self._checks.called
        if events.location[found.check] != events.location[flag]:  # whether something is in it
            holds = would_hold(found.answer, size_after(events[found.check], [events[flag]]))
        else:
            holds = holds_after(found.answer, events[flag], location, site)
        return (
            holds is False
            and called.are_at_one_place(found.check, check)
            and called.comes_the_same_way(check, found.way)
        )

    def looks(self, flag: int, check: int) -> Iterator[Early]:
        """What a thread looks for after its check of a flag, and what is made only after the flag was set. The one who
        makes it looks for it, too, by the same instruction, once it has made it."""
        events = self._events
        if not self._is_found(flag, check):
            return
        found = self._decided(flag)
        if found is None or not self._is_passed(found, flag, check):
            return
        own = check + 1 + np.flatnonzero(events.thread[check + 1 : check + _NEAR] == events.thread[check])
        seen = {-1, int(events.location[check])}
        for look in own[:_MOST].tolist():
            number = int(events.location[look])
            if number in seen:
                continue
            seen.add(number)
            fill = self.fill(number, flag) if self._is_cell(look) and number not in self._trace.restructured else None
            if fill is None or fill <= flag or events.thread[fill] != events.thread[flag]:
                continue
            if self._is_one_step(flag, fill):
                continue
            is_half_filled = self._is_filled(flag, look)
            tells_of_itself = self._checks.resizes.of_container(flag) is not None
            if not is_half_filled and (tells_of_itself or not self._was_missing(number, look, fill)):
                continue
            need = self._need(look, fill)
            if need is None and is_half_filled and self._asks_for(look) and self._is_filled_by_one(flag, look):
                need = Need.PASSED_OVER
            again = None if need is None else self._looks_too(fill, look)
            if need is None or again is None or not self._are_alike((found.check, again), (check, look)):
                continue
            is_done_once = self._is_last_write(number, again) and self._is_last_write(int(events.location[flag]), check)
            if need is Need.RAISES or is_done_once:
                yield Early(flag, check, look, fill, need)

    def _is_one_step(self, flag: int, fill: int) -> bool:
        """Whether one call of C code may have made both: `d.update(found)`."""
        events, site = self._events, int(self._events.site[flag])
        own = events.thread[flag : fill + 1] == events.thread[flag]
        is_call = self._trace.sites[site].operation == Operation.CALL
        return is_call and bool((events.site[flag : fill + 1][own] == site).all())

    def _is_found(self, flag: int, check: int) -> bool:
        """Whether a check found what the flag had written; of a container, that its thread had put something in."""
        written = self._written_by(check)
        whole = self._checks.resizes.of_container(flag)
        if whole is None or written is None:
            return written == flag
        is_of_it = self._checks.resizes.of_container(written) == whole == int(self._events.location[check])
        return is_of_it and written >= flag and bool(self._events.thread[written] == self._events.thread[flag])

    def _is_filled(self, flag: int, look: int) -> bool:
        """Whether what is looked for is in the container that is the flag: it was stored with nothing in it, or its
        first item was put in."""
        containers, location = self._trace.containers, int(self._events.location[look])
        whole = self._checks.resizes.of_container(flag)
        if whole is not None:
            return self._checks.resizes.whole(location) == whole
        value = self._events[flag].value
        if containers is None or not isinstance(value, Opaque) or value.text not in _EMPTY:
            return False
        return bool(value.identity == containers[location] != 0)

    def _asks_for(self, look: int) -> bool:
        """Whether an item is asked for: `key in d`, `d.get(key)`."""
        site = self._trace.sites[int(self._events.site[look])]
        is_item = self._trace.locations[int(self._events.location[look])].kind is LocationKind.ITEM
        return is_item and site.operation in (Operation.CONTAINS, Operation.CALL)

    def _is_filled_by_one(self, flag: int, look: int) -> bool:
        """Whether all that ever changes a container's items is what its thread does, as far as it is shared."""
        events = self._events
        if self._trace.resized is None:
            return False
        containers = self._trace.resized.containers
        (its,) = np.nonzero(containers == containers[events.location[look]])
        changes = (
            place
            for location in its.tolist()
            for place in self._checks.histories.of(location)
            if events.kind[place] != EventKind.READ
        )
        return all(events.thread[place] == events.thread[flag] and place >= flag for place in changes)

    def _was_missing(self, location: int, look: int, fill: int) -> bool:
        """Whether it is known that nothing was there before it was made: the container was empty as it was first seen,
        None was there, or a look found nothing."""
        events, trace = self._events, self._trace
        before = [place for place in self._checks.histories.before(fill) if place <= look or look > fill]
        if trace.locations[location].kind in (LocationKind.ATTRIBUTE, LocationKind.GLOBAL):
            return any(events.tag[place] == ValueTag.NONE or self._is_empty_one(place) for place in before)
        container = 0 if trace.containers is None else int(trace.containers[location])
        if self._is_empty_global(look):
            return True
        first = int(self._first_seen[container]) if 0 < container < len(self._first_seen) else fill
        if first < fill:
            value = events[first].value
            if isinstance(value, Opaque) and value.text in _EMPTY:
                return True
        return any(map(self._found_nothing, before))

    def _is_empty_global(self, look: int) -> bool:
        """Whether it is in a container that its module makes with nothing in it."""
        found = self._activations.syntax.of_site(int(self._events.site[look]))
        match None if found is None else _looked_at(found[1]):
            case ast.Subscript(ast.Name(name) as node) | ast.Compare(comparators=[ast.Name(name) as node]):
                pass
            case ast.Call(ast.Attribute(ast.Name(name) as node)):
                pass
            case ast.Name(name) as node:
                pass
            case _:
                return False
        tree = found[0]  # type: ignore[index]
        value = tree.given_once(name) if tree.is_free(node, name) else None
        return value is not None and _is_empty(value)

    def _found_nothing(self, read: int) -> bool:
        """Whether it was asked for, and not there."""
        events = self._events
        site = self._trace.sites.get(int(events.site[read]))
        if events.kind[read] != EventKind.READ or site is None:
            return False
        if self._trace.locations[int(events.location[read])].kind is LocationKind.WHOLE:
            is_number = site.operation in (Operation.TEST, Operation.CALL) and events.tag[read] == ValueTag.INT
            return bool(is_number and events.word[read] == 0)
        return bool(events.tag[read] == ValueTag.ABSENT and (events.word[read] or site.operation == Operation.CALL))

    @cached_property
    def _first_seen(self) -> Array:
        return first_seen(self._events)

    def _looks_too(self, fill: int, look: int) -> int | None:
        events = self._events
        return next(
            (
                place
                for place in self._checks.histories.after(fill)
                if events.thread[place] == events.thread[fill] and events.site[place] == events.site[look]
            ),
            None,
        )

    def _is_last_write(self, location: int, place: int) -> bool:
        """Whether all that is ever written there has been by then. A flag that is taken back says who is at work."""
        its = self._checks.histories.places_of(location)
        writes = its[self._events.kind[its] != EventKind.READ]
        return bool(writes[-1] < place)

    def _are_alike(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Whether two threads came from a check to a look the same way: from one function, by the same instructions."""
        nodes = [self._joint(*each) for each in (one, other)]
        return nodes[0] is not None and nodes[0] == nodes[1]

    def _joint(self, check: int, look: int) -> tuple[ast.AST, ast.AST] | None:
        """In the innermost activation in which both were made, or called: the two instructions there."""
        below = list(self._activations.parts(look))
        for part in self._activations.parts(check):
            for other in below:
                if part.point.is_in_one(other.point):
                    return part.node, other.node
        return None

    def _need(self, look: int, fill: int) -> Need | None:
        """What is wrong if there is nothing; None if nothing is."""
        events, trace = self._events, self._trace
        number = int(events.site[look])
        site, location = trace.sites.get(number), trace.locations[int(events.location[look])]
        found = self._activations.syntax.of_site(number)
        if site is None or found is None:
            return None
        tree, node = found
        if site.operation == Operation.ITERATE:
            return Need.PASSED_OVER if location.kind is LocationKind.WHOLE else None
        if site.operation in (Operation.TEST, Operation.CONTAINS):
            return Need.RAISES if _is_refused(tree, node) else None
        if site.operation == Operation.CALL and location.kind is LocationKind.ITEM:
            looks = ((part.tree, part.node) for part in self._activations.parts(look))
            return Need.RAISES if is_nothing_refused(looks) else None
        error = KeyError.__name__
        if location.kind in (LocationKind.ATTRIBUTE, LocationKind.GLOBAL):
            if site.operation not in _LOADS:
                return None
            error = AttributeError.__name__ if _is_asked(tree, node) else TypeError.__name__
            is_used = _is_used(tree, node)
            empty = next((each for each in self._checks.histories.before(fill) if self._is_empty_one(each)), None)
            if empty is not None:
                error = _RAISED[str(events[empty].value.type_name)]  # type: ignore[union-attr]
                is_used = _is_asked_for_an_item(tree, node)
        else:
            is_used = site.operation in _BY_KEY and location.container_type in _DICTS
        return Need.RAISES if is_used and not self._is_foreseen(look, error) else None

    def _is_foreseen(self, look: int, error: str) -> bool:
        """Whether the program deals with the failure, other than to report it."""
        lines = list(self._activations.lines(look))
        return not self._handlers.report(lines, error) and any(self._handlers.deal_with(*line, error) for line in lines)


def _is_empty(value: ast.expr) -> bool:
    """Whether a container is made with nothing in it."""
    match value:
        case ast.List([]) | ast.Dict([]) | ast.Call(args=[], keywords=[]):
            return is_new_container(value)
    return False


def _looked_at(node: ast.AST) -> ast.AST:
    """What a look is at. (3.11 takes the whole statement for it.)"""
    if isinstance(node, ast.If | ast.Assert):
        node = node.test
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node = node.operand
    return node


def _is_refused(tree: Tree, node: ast.AST) -> bool:
    """Whether a statement raises if a look finds nothing: `if not self.items: raise`, `if key not in self.items:
    raise`. (3.11 takes the whole statement for the look.)"""
    for step in tree.above(node):
        if isinstance(node, ast.If | ast.Assert) or not isinstance(step.parent, ast.UnaryOp | ast.If | ast.Assert):
            break
        node = step.parent
    if not isinstance(node, ast.If | ast.Assert):
        return False
    test, finds = node.test, True
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, finds = test.operand, not finds
    match test:
        case ast.Compare(ops=[ast.NotIn()]):
            finds = not finds
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Compare(ops=[ast.In()]):
            pass
        case _:
            return False
    if isinstance(node, ast.Assert):
        return finds
    refusal = node.orelse if finds else node.body
    return bool(refusal) and isinstance(refusal[-1], ast.Raise)


def _is_used(tree: Tree, node: ast.AST) -> bool:
    """Whether what is done with a value fails if it is None."""
    step = next(tree.above(node), None)
    match None if step is None else (step.parent, step.field):
        case ((ast.Attribute() | ast.Subscript()), "value"):
            return True
        case ast.Call(), "func":
            return True
        case ((ast.For() | ast.comprehension()), "iter"):
            return True
    return False


def _is_asked_for_an_item(tree: Tree, node: ast.AST) -> bool:
    """Whether what is done with a value fails if it is an empty container."""
    step = next(tree.above(node), None)
    return (
        step is not None
        and isinstance(step.parent, ast.Subscript)
        and step.field == "value"
        and isinstance(step.parent.ctx, ast.Load | ast.Del)
        and not isinstance(step.parent.slice, ast.Slice)
    )


def _is_asked(tree: Tree, node: ast.AST) -> bool:
    """Whether a value is asked for an attribute."""
    step = next(tree.above(node), None)
    return step is not None and isinstance(step.parent, ast.Attribute)


def early_looks(evidence: Evidence, pairs: Iterable[tuple[int, int]]) -> Iterator[Early]:
    """`pairs`: writes, and the next checks of the same by other threads."""
    search = EarlyFlags(evidence.trace, evidence.checks)
    unseen = {each.location for each in evidence.unseen}
    for flag, check in pairs:
        for each in search.looks(flag, check):
            if unseen.isdisjoint(evidence.trace.events.location[[each.flag, each.look]].tolist()):
                yield each
