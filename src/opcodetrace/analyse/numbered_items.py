"""Items that get a number which is made of how many there are: `d[len(d)] = item`, `d[max(d) + 1] = item`.

Two threads that count before either has stored its item store under one number, and one item is lost. That they did so
shows: another thread stored there by such a number, after the first one had counted. The number may be that of a list
to which the same function appends (`index = len(names)`, `names.append(name)`, `d[index] = item`).

Nothing is replaced in a list, but two items have one number: `items.append(Item(len(items)))`, or `index = len(items)`,
`items.append(item)`, `return index`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.looks import Looks
from opcodetrace.analyse.made_of import called_name, own_nodes
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

_DICTS = frozenset(["dict", "collections.OrderedDict", "collections.defaultdict"])
_STORES = frozenset([Operation.STORE_SUBSCR, Operation.CALL])
_NO_NUMBER = frozenset(["all", "any", "bool", "bytearray", "bytes", "max", "min", "range", "sum"])  # of an item
_MOST = 1_000  # acts of one instruction that are looked at
_BACK = 100  # accesses of the list before an act


class StoredTwice(NamedTuple):
    location: int
    counted: int  # seqs
    change: int
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace
    replaces: bool  # one item is lost; else two have one number


class _Number(NamedTuple):
    """What the source says of a key, or of what goes with an item."""

    counted: ast.Call  # `len(...)`, `max(...)`
    more: int | None  # than what was counted; None of the highest key


def numbered_alike(evidence: Evidence, unseen: Collection[int]) -> Iterator[StoredTwice]:
    """In order of the instructions. Not of locations that code wrote to which is not woven (`unseen`)."""
    search, trace = _Search(evidence), evidence.trace
    events = trace.events
    storing = [number for number, site in trace.sites.items() if site.operation in _STORES]
    writes = np.flatnonzero((events.kind == EventKind.WRITE) & np.isin(events.site, storing) & (events.location >= 0))
    sites = [site for site in np.unique(events.site[writes]).tolist() if search.number(site) is not None]
    acts = writes[np.isin(events.site[writes], sites)]
    # those of locations that another thread stores at so, too
    pairs = np.unique(np.stack([events.location[acts], events.thread[acts]]), axis=1)
    locations, threads = np.unique(pairs[0], return_counts=True)
    looked_at: Counter[int] = Counter()  # by site
    for act in acts[np.isin(events.location[acts], locations[threads > 1])].tolist():
        site = int(events.site[act])
        looked_at[site] += 1
        found = search.of(act) if looked_at[site] <= _MOST and int(events.location[act]) not in unseen else None
        if found is not None:
            yield found


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._pasts = evidence.pasts
        self._activations = evidence.activations
        self._histories = evidence.checks.histories
        self._looks = Looks(evidence.trace, evidence.activations)
        self._numbers: dict[int, _Number | None] = {}
        self._grows: dict[int, bool] = {}

    def number(self, site: int) -> _Number | None:
        if site not in self._numbers:
            found = self._activations.syntax.of_site(site)
            self._numbers[site] = None if found is None else _number(*found)
        return self._numbers[site]

    def of(self, act: int) -> StoredTwice | None:
        """If another thread stored by the same number since this one had counted."""
        location = self._trace.locations[int(self._events.location[act])]
        count = self._counted(act) if location.certain else None
        if count is None:
            return None
        if location.kind is LocationKind.WHOLE:
            change = self._appended_alike(act, count)
        elif location.kind is LocationKind.ITEM and location.container_type in _DICTS:
            change = self._replaced(act)
        else:
            return None
        if change is None or count > change:
            return None
        if (knows := self._pasts.holds(act, change)) is True:
            return None
        events = self._events
        counted, changed, acted = (int(events.seq[each]) for each in (count, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = knows is False and counted < changing and changed < acting
        replaces = location.kind is LocationKind.ITEM
        return StoredTwice(location.id, counted, changed, acted, is_sure, replaces)

    def _replaced(self, act: int) -> int | None:
        """The last thing that was done at its location, if another thread stored something else there by a count."""
        events = self._events
        change = next(iter(self._histories.before(act, 1)), None)
        if change is None or events.kind[change] != EventKind.WRITE or events.thread[change] == events.thread[act]:
            return None
        is_other = not is_same(events[act].value, events[change].value)
        return change if is_other and self._counted(change) is not None else None

    def _appended_alike(self, act: int, count: int) -> int | None:
        """What another thread appended since, by the same number; None if the thread has looked at the list again. Not
        to a list of which items are taken out: how many there are is a number of no item."""
        events = self._events
        if not self._only_grows(int(events.location[act])):
            return None
        found = None
        for place in self._histories.before(act, _BACK):
            if place <= count:
                break
            is_change = events.kind[place] != EventKind.READ
            if events.thread[place] == events.thread[act]:
                if is_change or events.site[place] != events.site[act]:
                    return None
            elif is_change and adds_one(events[place]):
                other = self._counted(place)
                if other is not None and self._given(place, other) == self._given(act, count):
                    found = place
        return found

    def _only_grows(self, location: int) -> bool:
        """Whether all that was done to a list in the run was to append to it."""
        if location not in self._grows:
            events, places = self._events, self._histories.places_of(location)
            changes = places[events.kind[places] != EventKind.READ]
            grows = bool((events.tag[changes] != ValueTag.ABSENT).all())
            is_list = self._trace.locations[location].container_type == "list"
            self._grows[location] = is_list and grows and not self._is_moved(location)
        return self._grows[location]

    def _is_moved(self, location: int) -> bool:
        """Whether anything was done to an item of a list, as far as that was recorded."""
        resized, events = self._trace.resized, self._events
        if resized is None:
            return True
        items = np.flatnonzero(resized.containers == resized.containers[location])
        return any(
            bool((events.kind[self._histories.places_of(each)] == EventKind.DELETE).any()) for each in items.tolist()
        )

    def _given(self, act: int, count: int) -> int | None:
        """The number."""
        number, size = self.number(int(self._events.site[act])), self._events[count].value
        return size + number.more if number is not None and number.more is not None and type(size) is int else None

    def _counted(self, act: int) -> int | None:
        """Where the thread counted for an act; None if it is not known, or gave another key."""
        number = self.number(int(self._events.site[act]))
        if number is None:
            return None
        if number.more is None:
            return self._looks.last(act, number.counted)
        count = self._looks.last_of(act, number.counted)
        given = None if count is None else self._given(act, count)
        location = self._trace.locations[int(self._events.location[act])]
        is_it = given is not None and (location.kind is LocationKind.WHOLE or given == location.key)
        return count if is_it else None


def _number(tree: Tree, node: ast.AST) -> _Number | None:
    match node:
        case ast.Subscript(container, key, ast.Store()):
            return _key(tree, node, container, _value(tree, key))
        case ast.Call(ast.Attribute(container, "append"), [item], []):
            found = {_len(each, container) for each in _with_the_item(tree, node, item)} - {None}
            return found.pop() if len(found) == 1 else None
    return None


def _value(tree: Tree, node: ast.expr) -> ast.expr:
    """What a variable is given, if that is one place."""
    bound = tree.bound(node) if isinstance(node, ast.Name) else None
    return bound.value if isinstance(bound, ast.Assign | ast.NamedExpr) else node


def _key(tree: Tree, node: ast.AST, container: ast.expr, value: ast.expr) -> _Number | None:
    for among in (container, *_appended_to(tree, node)):
        found = _len(value, among)
        if found is not None:
            return found
    match value:
        case ast.BinOp(ast.Call(ast.Name("max"), [among], keywords) as count, ast.Add(), ast.Constant(int(more))):
            if more > 0 and all(each.arg == "default" for each in keywords):
                match among:
                    case ast.Call(ast.Attribute(inside, "keys"), [], []):
                        among = inside
                return _Number(count, None) if ast.unparse(among) == ast.unparse(container) else None
    return None


def _len(value: ast.expr, container: ast.expr) -> _Number | None:
    """If a value is the number of items of a container, or so many more."""
    more = 0
    match value:
        case ast.BinOp(inside, ast.Add(), ast.Constant(int(more))):
            value = inside
    match value:
        case ast.Call(ast.Name("len"), [among], []) if ast.unparse(among) == ast.unparse(container):
            return _Number(value, more)
    return None


def _appended_to(tree: Tree, node: ast.AST) -> Iterator[ast.expr]:
    """What a function appends to: a count of that is a number that is taken."""
    function = tree.function(node)
    for each in own_nodes(function) if function is not None else ():
        match each:
            case ast.Call(ast.Attribute(container, "append"), [_], []):
                yield container


def _with_the_item(tree: Tree, act: ast.Call, item: ast.expr) -> Iterator[ast.expr]:
    """The values that go with an item which is appended: it is made of them, it has them as an attribute, they are
    stored as its index, or are returned as that."""
    yield from _parts(tree, item)
    function = tree.function(act)
    yield from _parts(tree, _value(tree, item))
    for each in own_nodes(function) if function is not None else ():
        match each:
            case ast.Assign([ast.Attribute(ast.Name(name))], value) if isinstance(item, ast.Name) and item.id == name:
                yield _value(tree, value)
            case ast.Assign([ast.Subscript(_, key)], value) if ast.unparse(key) == ast.unparse(item):
                yield _value(tree, value)
            case ast.Return(ast.Name() as value) if each.lineno > act.lineno:
                yield _value(tree, value)


def _parts(tree: Tree, value: ast.expr) -> Iterator[ast.expr]:
    """Those of a value, as it is made by calls and displays of them."""
    pending: list[ast.expr | None] = [value]
    while pending:
        node = pending.pop()
        match node:
            case ast.Call(func, arguments, keywords) if called_name(func) not in _NO_NUMBER:
                pending += [*arguments, *(each.value for each in keywords)]
            case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements) | ast.Dict(_, elements):
                pending += elements
        if node is not None:
            yield _value(tree, node)
