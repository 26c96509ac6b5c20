"""Free keys that are searched for: `while name in d: name = another(name)`, then `d[name] = item`.

A loop asks for one key after the other until one is free, in this function or in one that gives it back. Two threads
that both find the same one free both store there, and one item is lost; of a set, both take the name for theirs. The
key is the same if look and act are at one location, and the thread did nothing else there in between.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.checks import Stale
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.made_of import called_name, stored
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

_MOST = 1_000  # looks of one instruction
_COUNTING = frozenset(["count", "range"])


class FreeKey(NamedTuple):
    """Places among the events."""

    look: int  # it was free
    act: int  # the thread's next access there, which stored something
    changes: list[int]  # what other threads did there in between, in order
    other: int | None  # another thread's look after that, which found it taken: the next that was done there


def taken_twice(evidence: Evidence) -> Iterator[Stale]:
    """Keys that another thread took after a thread had found them free, and before that took them. In order."""
    events, trace, pasts = evidence.trace.events, evidence.trace, evidence.pasts
    for look, act, changes, _ in free_keys(evidence):
        if not changes or events.kind[changes[-1]] != EventKind.WRITE:
            continue
        change, location = changes[-1], trace.locations[int(events.location[act])]
        if location.container_type != "set" and is_same(events[act].value, events[change].value):
            continue
        knows = pasts.holds(act, change)
        if knows is True:
            continue
        looked, changed, acted = (int(events.seq[each]) for each in (look, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (changes[0], act))
        yield Stale(location.id, looked, changed, acted, knows is False and looked < changing and changed < acting)


def free_keys(evidence: Evidence) -> Iterator[FreeKey]:
    """In the order of the looks; not of locations that code wrote to which is not woven."""
    trace, events, syntax = evidence.trace, evidence.trace.events, evidence.activations.syntax
    sites = [
        number
        for number, site in trace.sites.items()
        if site.operation == Operation.CONTAINS
        if (found := syntax.of_site(number)) is not None and _is_search(*found)
    ]
    if not sites:
        return
    unseen = {each.location for each in evidence.unseen}
    looks = np.flatnonzero((events.kind == EventKind.READ) & np.isin(events.site, sites) & (events.location >= 0))
    looked: Counter[int] = Counter()
    for look in looks.tolist():
        number = int(events.location[look])
        location = trace.locations[number]
        looked[int(events.site[look])] += 1
        if looked[int(events.site[look])] > _MOST or number in unseen:
            continue
        if location.kind is LocationKind.ITEM and location.certain:
            key = _taken(evidence, look, set(sites))
            if key is not None:
                yield key


def _taken(evidence: Evidence, look: int, sites: set[int]) -> FreeKey | None:
    events, histories = evidence.trace.events, evidence.checks.histories
    before = (each for each in histories.before(look) if events.kind[each] != EventKind.READ)
    earlier = next(before, None)
    if earlier is not None and events.kind[earlier] != EventKind.DELETE:
        return None  # it was taken
    act: int | None = None
    changes: list[int] = []
    for place in histories.after(look):
        is_own = bool(events.thread[place] == events.thread[look])
        if act is not None:
            is_look = not is_own and events.kind[place] == EventKind.READ and int(events.site[place]) in sites
            return FreeKey(look, act, changes, place if is_look else None)
        if is_own and events.kind[place] != EventKind.WRITE:
            return None
        if is_own:
            act = place
        elif events.kind[place] != EventKind.READ:
            changes.append(place)
    return None if act is None else FreeKey(look, act, changes, None)


def _is_search(tree: Tree, node: ast.AST) -> bool:
    """Whether a loop asks so for one key after the other, until one is not there."""
    match node:
        case ast.Compare(key, [ast.In() | ast.NotIn() as sign], [_]):
            names = {each.id for each in ast.walk(key) if isinstance(each, ast.Name)}
        case _:
            return False
    is_found = isinstance(sign, ast.In)
    branch: ast.If | None = None
    for step in tree.above(node):
        match step.parent:
            case ast.BoolOp(op=ast.Or()) if is_found:
                continue
            case ast.While() as loop if step.field == "test" and branch is None:
                return is_found and not names.isdisjoint(_given(loop))
            case ast.If() as branch if step.field == "test" and not is_found and not branch.orelse:
                if not isinstance(branch.body[-1], ast.Return | ast.Break):
                    return False
            case ast.For() | ast.While() as loop if step.field == "body" and branch is not None:
                return not names.isdisjoint(_given(loop))
            case _:
                return False
    return False


def _given(loop: ast.AST) -> set[str]:
    """The variables to which each turn may give another value: numbers that are counted, or what is made there. What it
    goes over besides is there already: keys of which some may be missing, and none is taken."""
    match loop:
        case ast.For(target, ast.Call(func), body) if called_name(func) in _COUNTING:
            parts = [target, *body]
        case ast.For(body=body) | ast.While(body=body):
            parts = [*body]
        case _:
            return set()
    return {name for part in parts for name in stored(part)}
