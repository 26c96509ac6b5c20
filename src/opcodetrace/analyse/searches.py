"""Items that are looked for in a list by a loop, and put in if they are not found.

`for each in items: if each.name == name: return each`, then `items.append(Item(name))`: no read tells that the item is
not there, but the loop that went over all of them does. Another thread that looks for the same one before it is put in
puts in one of its own. That it looks for the same one shows if it came later: its loop ended at the item that the first
thread had put in. Silent is all else: who finds another item, or none, may look for another one; what is looked for by
a value of its own only (`if not each.busy`) may be there twice, as may what is never changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activation
from opcodetrace.analyse.changed_objects import ChangedObjects
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.histories import MAX_BACK
from opcodetrace.analyse.made_of import called_name, own_nodes
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

Array = npt.NDArray[Any]

_MOST_ACTS = 200  # of one instruction that are looked at
_MOST_LOOKS = 20  # of other threads after each
_NEAR = 2_000  # events in which a loop must have ended
_BACK = 300  # accesses of the list before an act
_ASKING = frozenset(["any", "all", "next"])
_LOOPS = (ast.For, ast.GeneratorExp)
_ENDS = (ast.Return, ast.Raise, ast.Break)


class Searched(NamedTuple):
    """Places among the events."""

    look: int  # the beginning of the loop
    act: int
    other: int  # the beginning of another thread's, which found what the act had put in


def searched(evidence: Evidence) -> Iterator[Searched]:
    """In order of the acts."""
    search = _Search(evidence)
    for site, loops in search.sites.items():
        acts = search.acts_at(site)
        for act in acts[:_MOST_ACTS].tolist():
            look = search.look(act, loops)
            other = None if look is None else search.found_later(act, look)
            if look is not None and other is not None:
                yield Searched(look, act, other)


class _Loop(NamedTuple):
    begins_at: tuple[ast.AST, ...]  # what it goes over; in 3.11 the loop itself
    gives_it: bool  # what was found is used: one that nobody changes may be there twice


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._activations = evidence.activations
        self._histories = evidence.checks.histories
        self._changed_objects = ChangedObjects(
            evidence.trace, self._histories, evidence.sources, evidence.activations.syntax
        )

    @cached_property
    def _adding(self) -> Array:
        """The writes of lists as a whole."""
        lists = [
            number
            for number, each in self._trace.locations.items()
            if each.kind is LocationKind.WHOLE and each.certain and each.container_type == "list" and each.threads > 1
        ]
        events = self._events
        found: Array = np.flatnonzero((events.kind == EventKind.WRITE) & np.isin(events.location, lists))
        return found

    @cached_property
    def sites(self) -> dict[int, list[_Loop]]:
        """Those that put in what was looked for, with the loops."""
        found = {}
        for site in np.unique(self._events.site[self._adding]).tolist():
            node = self._activations.syntax.of_site(site)
            loops = [] if node is None else list(_loops_before(*node))
            if loops:
                found[site] = loops
        return found

    def acts_at(self, site: int) -> Array:
        found: Array = self._adding[self._events.site[self._adding] == site]
        return found

    def look(self, act: int, loops: list[_Loop]) -> int | None:
        """Where the act's own activation began to go over the list last, if nobody changed that since."""
        events = self._events
        if not adds_one(events[act]):
            return None
        own = self._activations.of(act)
        for place in self._histories.before(act, _BACK):
            if events.kind[place] != EventKind.READ:
                return None
            loop = self._begins(place, loops) if events.thread[place] == events.thread[act] else None
            if loop is not None:
                is_harm = not loop.gives_it or self._is_changed(act)
                return place if is_harm and self._belongs_to(place, own) else None
        return None

    def _belongs_to(self, place: int, own: Activation) -> bool:
        """Whether an activation goes over it, or a generator that it makes."""
        activation = self._activations.of(place)
        call = self._activations.calls.get(activation.begun)
        return activation == own or (call is not None and call.caller_seq == own.begun >= 0)

    def _is_changed(self, act: int) -> bool:
        """Whether what an act put in is changed later on."""
        value = self._events[act].value
        if not isinstance(value, Opaque) or value.identity is None:
            return False
        return self._changed_objects.is_changed(value.identity, act)

    def _begins(self, place: int, loops: list[_Loop]) -> _Loop | None:
        site = self._trace.sites.get(int(self._events.site[place]))
        if site is None or site.operation != Operation.ITERATE:
            return None
        found = self._activations.syntax.of_site(site.id)
        return next((each for each in loops if found is not None and found[1] in each.begins_at), None)

    def found_later(self, act: int, look: int) -> int | None:
        """Another thread's next look that ended at what the act had put in."""
        events = self._events
        value = events[act].value
        if not isinstance(value, Opaque) or value.identity is None or self._trace.containers is None:
            return None
        parts = np.flatnonzero(self._trace.containers == value.identity)
        looks = 0
        for place in self._histories.after(act):
            if events.kind[place] != EventKind.READ or looks == _MOST_LOOKS:
                break  # what the act put in need not be the last item any more
            if events.site[place] != events.site[look] or events.thread[place] == events.thread[act]:
                continue
            looks += 1
            if self._ended_at(place, parts, int(events.site[act])):
                return place
        return None

    def _ended_at(self, look: int, parts: Array, adding: int) -> bool:
        """Whether a loop came to the item that has these locations, the last one, and its thread put none in before it
        went over the list again: so this was the one."""
        events = self._events
        later = slice(look + 1, look + _NEAR)
        places = look + 1 + np.flatnonzero(events.thread[later] == events.thread[look])
        again = np.flatnonzero(events.site[places] == events.site[look])
        places = places[: again[0]] if len(again) else places
        of_it = places[np.isin(events.location[places], parts) & (events.kind[places] == EventKind.READ)]
        if not len(of_it) or self._puts_in(look, adding):
            return False
        compared = places[events.site[places] == events.site[of_it[0]]]  # of each item that it went over, one
        return self._is_inside(int(of_it[0]), look) and bool(compared[-1] in of_it)

    def _puts_in(self, look: int, adding: int) -> bool:
        """Whether the thread of a look put something in before its next look, as far as that can be told."""
        events = self._events
        for place in (later := self._histories.after(look)):
            if events.thread[place] == events.thread[look]:
                if events.site[place] == adding and events.kind[place] == EventKind.WRITE:
                    return True
                if events.site[place] == events.site[look]:
                    return False
        return len(later) == MAX_BACK

    def _is_inside(self, place: int, look: int) -> bool:
        """Whether an access is part of the loop that begins with a look."""
        syntax = self._activations.syntax
        found, begun = (syntax.of_site(int(self._events.site[each])) for each in (place, look))
        if found is None or begun is None or found[0] is not begun[0]:
            return False
        loop = begun[1] if isinstance(begun[1], _LOOPS) else next(found[0].above(begun[1])).parent
        if isinstance(loop, ast.comprehension):
            loop = next(found[0].above(loop)).parent
        return any(each is found[1] for each in ast.walk(loop))


def _loops_before(tree: Tree, act: ast.AST) -> Iterator[_Loop]:
    """The loops by which it was looked for what a call then puts in: `items.append(item)`."""
    function = tree.function(act)
    match act:
        case ast.Call(ast.Attribute(container, "append"), [_], []) if function is not None:
            text = ast.unparse(container)
        case _:
            return
    around = {step.parent for step in tree.above(act)}
    for node in own_nodes(function):
        match node:
            case ast.For(target=ast.Name(name), iter=iterable) if ast.unparse(iterable) == text:
                is_else = any(each is act for part in node.orelse for each in ast.walk(part))
                ends = [each for part in node.body for each in ast.walk(part) if isinstance(each, _ENDS)]
                tests = [each.test for part in node.body for each in ast.walk(part) if isinstance(each, ast.If)]
                is_after = is_else or (node not in around and not any(isinstance(each, ast.Break) for each in ends))
                if is_after and node.lineno < act.lineno and ends and any(_asks_for_one(each, name) for each in tests):
                    gives = not all(isinstance(each, ast.Raise) or _is_constant(each) for each in ends)
                    yield _Loop((iterable, node), gives)
            case ast.GeneratorExp(elt, [ast.comprehension(ast.Name(name), iterable, ifs)]):
                step = next(tree.above(node), None)
                call = None if step is None else step.parent
                asked = called_name(call.func) if isinstance(call, ast.Call) else None
                is_it = ast.unparse(iterable) == text and any(_asks_for_one(each, name) for each in (elt, *ifs))
                if asked in _ASKING and is_it:
                    yield _Loop((iterable, node), asked == "next")


def _is_constant(end: ast.AST) -> bool:
    return isinstance(end, ast.Return) and (end.value is None or isinstance(end.value, ast.Constant))


def _asks_for_one(test: ast.expr, item: str) -> bool:
    """Whether it compares a part of an item with a value of the function's: `each.name == name`."""
    return any(
        _is_part_of(one, item) and isinstance(other, ast.Name) and other.id != item
        for each in ast.walk(test)
        if isinstance(each, ast.Compare) and len(each.ops) == 1 and isinstance(each.ops[0], ast.Eq | ast.NotEq)
        for one, other in ((each.left, each.comparators[0]), (each.comparators[0], each.left))
    )


def _is_part_of(node: ast.expr, item: str) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
        if isinstance(node, ast.Name):
            return node.id == item
    return False
