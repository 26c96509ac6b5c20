"""Where a thread looked at a container before it did something there, as far as that was recorded.

C code may go over a container without a record (`dict(d)`, `max(items)`). Then the look is the read by which the thread
got the container for that.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]

_MOST_BACK = 3_000  # events


class Looks:
    """Those of a trace. Places among the events."""

    def __init__(self, trace: Trace, activations: Activations) -> None:
        self._trace = trace
        self._events = trace.events
        self._activations = activations

    @cached_property
    def _identities(self) -> Array:
        return np.append(self._events.identities(), 0)

    def last(self, act: int, within: ast.AST) -> int | None:
        """Where the activation of an act last looked, by a part of an expression or statement, at the container that
        the act is of."""
        events, resized, objects = self._events, self._trace.resized, self._trace.containers
        if resized is None:
            return None
        at, containers = int(events.location[act]), resized.containers
        near = slice(max(0, act - _MOST_BACK), act)
        location = events.location[near]
        is_it = (location >= 0) & (containers[location] == containers[at])
        if objects is not None and objects[at]:
            is_object = events.tag[near] == ValueTag.OBJECT
            is_it |= is_object & (self._identities[np.where(is_object, events.word[near], -1)] == objects[at])
        is_it &= (events.thread[near] == events.thread[act]) & (events.kind[near] == EventKind.READ)
        return self._latest(act, near, is_it, within)

    def last_of(self, act: int, node: ast.AST) -> int | None:
        """Where it last looked so at whatever container: at this very expression."""
        near = slice(max(0, act - _MOST_BACK), act)
        events = self._events
        is_it = (events.thread[near] == events.thread[act]) & (events.kind[near] == EventKind.READ)
        wholes = np.isin(events.location[near], self._wholes)
        return self._latest(act, near, is_it & wholes, node)

    @cached_property
    def _wholes(self) -> Array:
        locations = self._trace.locations.values()
        return np.array([each.id for each in locations if each.kind is LocationKind.WHOLE and each.certain], np.int64)

    def _latest(self, act: int, near: slice, which: Array, within: ast.AST) -> int | None:
        """Of some events of the thread, the latest by the activation of an act and by a part of an expression."""
        parts = set(ast.walk(_looked_at(within)))
        own = self._activations.of(act)
        for place in (near.start + np.flatnonzero(which))[::-1].tolist():
            if int(self._events.seq[place]) <= own.begun:
                return None
            found = self._activations.syntax.of_site(int(self._events.site[place]))
            if found is not None and _looked_at(found[1]) in parts and self._activations.of(place) == own:
                return int(place)
        return None


def _looked_at(node: ast.AST) -> ast.AST:
    """What a statement or a comprehension asks first: 3.11 and 3.12 take the whole of it for that. Else the same."""
    match node:
        case ast.If(test=test) | ast.While(test=test):
            return test
        case ast.For(iter=among):
            return among
        case (
            ast.ListComp(generators=[first, *_])
            | ast.SetComp(generators=[first, *_])
            | ast.GeneratorExp(generators=[first, *_])
        ):
            return first.iter  # what its conditions read comes later
    return node
