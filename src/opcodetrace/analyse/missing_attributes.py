"""Attributes and items that are made when they are missed: two threads miss one, and both make it.

Python looks for an attribute itself before it calls `__getattr__`, or the `__get__` of a descriptor that has no
`__set__` (`cached_property`): that such a function was called for `o.x` says that `o` had no `x` by then. So it is a
check, like `if "x" not in o.__dict__`, with nothing of it in the code. So it is with an item of a dictionary if its
class has a `__missing__`.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.checks import is_made_anew
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.made_of import own_nodes
from opcodetrace.trace.event import EventKind, Value
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.site import Code, Operation

BACK = 4096  # events before a function among which its thread's last one is looked for
_GET, _GETATTR = "__get__", "__getattr__"
_MISSING = "__missing__"
_OWNER = {_GET: 1, _GETATTR: 0, _MISSING: 0}  # which parameter is the object that was asked
_KINDS = frozenset([LocationKind.ATTRIBUTE, LocationKind.ITEM])  # of `o.__dict__`, if a class has a `__getattr__`
_WRITES = frozenset([Operation.STORE_SUBSCR, Operation.STORE_ATTR, Operation.CALL])


class MadeTwice(NamedTuple):
    """A thread missed an attribute or an item, another one wrote it, and then the first one wrote what it had made."""

    location: int
    change: int  # seqs
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace


def attributes_made_twice(
    evidence: Evidence, told: Collection[int | None], unseen: Collection[int]
) -> Iterator[MadeTwice]:
    """Not if it is the same value, nor if the thread has looked at it again since, or had waited for the other one.
    Without those of `told` (seqs), which are findings of another kind, and not of locations that code wrote to which is
    not woven (`unseen`)."""
    search, trace = _Search(evidence), evidence.trace
    makers = [number for number, site in trace.sites.items() if not site.tests and search.is_maker(number)]
    if not makers:
        return
    events = trace.events
    acts = np.flatnonzero((events.kind == EventKind.WRITE) & np.isin(events.site, makers) & (events.location >= 0))
    # those of locations that another thread writes, too
    pairs = np.unique(np.stack([events.location[acts], events.thread[acts]]), axis=1)
    locations, threads = np.unique(pairs[0], return_counts=True)
    for act in acts[np.isin(events.location[acts], locations[threads > 1])].tolist():
        if int(events.location[act]) not in unseen and int(events.seq[act]) not in told:
            found = search.of(act)
            if found is not None:
                yield found


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._pasts = evidence.pasts
        self._activations = evidence.activations
        self._is_whole = not (trace.missed or trace.holes or trace.let_go or trace.merged)

    @cached_property
    def histories(self) -> Histories:
        return Histories(self._events)

    def is_maker(self, site: int) -> bool:
        """Whether an instruction writes an attribute of the object that its function was called for; or the item."""
        code = self._trace.site_codes[site]
        method = _method(code)
        if method not in _OWNER or self._trace.sites[site].operation not in _WRITES:
            return False
        owner = _OWNER[method]
        if code.signature.resumes or len(code.signature.parameters) <= owner:
            return False
        found = self._activations.syntax.of_site(site)
        names = code.signature.parameters[owner : owner + 2 if method == _MISSING else owner + 1]
        written = None if found is None else _item(found[1]) if method == _MISSING else _written_to(found[1])
        if found is None or written != names:
            return False
        function = found[0].function(found[1])
        return function is not None and not any(
            isinstance(each, ast.Name) and each.id in names and isinstance(each.ctx, ast.Store)
            for each in own_nodes(function)
        )

    def of(self, act: int) -> MadeTwice | None:
        events = self._events
        number = int(events.location[act])
        location = self._trace.locations[number]
        activation = self._activations.of(act)
        if activation.begun < 0 or not location.certain or location.kind not in _KINDS:
            return None
        changes: list[int] = []
        since = self._looked_after(act, activation.begun)
        for place in self.histories.before(act):
            if events.thread[place] == events.thread[act]:
                if events.seq[place] > activation.begun:
                    return None  # it has looked again, or knows what it did itself
                break
            if events.seq[place] <= since or events.kind[place] == EventKind.DELETE:
                break
            if events.kind[place] != EventKind.READ:
                changes.append(place)
        if not changes or events.kind[changes[0]] != EventKind.WRITE:
            return None
        change = changes[0]
        if is_made_anew(self._trace, events[change], events[act]) or not self._was_missed(act, location):
            return None
        knows = self._pasts.holds(act, change)
        if knows:
            return None
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = knows is False and since < changing and int(events.seq[change]) < acting
        return MadeTwice(number, int(events.seq[change]), int(events.seq[act]), is_sure)

    def _looked_after(self, act: int, begun: int) -> int:
        """After which seq Python looked for the attribute: its thread's last event before the function. What was
        written there since, and not deleted, came after that look, which would have found it."""
        events = self._events
        first = int(np.searchsorted(events.seq, begun))
        own = np.flatnonzero(events.thread[max(0, first - BACK) : first] == events.thread[act])
        return int(events.seq[max(0, first - BACK) + own[-1]]) if self._is_whole and len(own) else begun

    def _was_missed(self, act: int, location: Location) -> bool:
        """Whether Python called the function because the object had no attribute of that name, or no such item. Who
        asked for the item may be code that is not woven."""
        caller = self._activations.node_of_caller(act)
        if _method(self._trace.site_codes[int(self._events.site[act])]) == _MISSING:
            return location.kind is LocationKind.ITEM and (caller is None or isinstance(caller, ast.Subscript))
        if not isinstance(caller, ast.Attribute) or caller.attr != location.key:
            return False
        site = self._trace.site_codes[int(self._events.site[act])]
        return _method(site) == _GETATTR or (location.container_type, location.key) in self._from_memory

    @cached_property
    def _from_memory(self) -> set[tuple[str, Value]]:
        """By type: the attributes that were read from the memory of an object. Those of a descriptor with a `__set__`
        never are: its `__get__` is called for an attribute that is there, too."""
        events, trace = self._events, self._trace
        loads = [number for number, site in trace.sites.items() if site.operation == Operation.LOAD_ATTR]
        read = (events.kind == EventKind.READ) & np.isin(events.site, loads) & ~events.failed()
        locations = (trace.locations[number] for number in np.unique(events.location[read]).tolist() if number >= 0)
        return {(each.container_type, each.key) for each in locations if each.kind is LocationKind.ATTRIBUTE}


def _method(code: Code) -> str:
    return code.function.rpartition(".")[2]


def _written_to(node: ast.AST) -> tuple[str, ...] | None:
    """The variable whose attribute is written."""
    match node:
        case ast.Subscript(ast.Attribute(ast.Name(name), "__dict__")) | ast.Attribute(ast.Name(name)):
            return (name,)
        case ast.Call(ast.Name("setattr"), [ast.Name(name), *_]):
            return (name,)
    return None


def _item(node: ast.AST) -> tuple[str, ...] | None:
    """The variables of which an item is written, and that are its key."""
    match node:
        case ast.Subscript(ast.Name(name), ast.Name(key)):
            return name, key
        case ast.Call(ast.Attribute(ast.Name(), "__setitem__"), [ast.Name(name), ast.Name(key), _]):
            return name, key
    return None
