"""Items that are stored under a number which is made of how many there are: `d[len(d)] = item`, `d[max(d) + 1] = item`.

Two threads that count before either has stored its item store under one number, and one item is lost. That it did so
shows: another thread stored there by such a number, after the first one had counted. The number may be that of a list to
which the same function appends (`index = len(names)`, `names.append(name)`, `d[index] = item`).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.looks import Looks
from opcodetrace.analyse.made_of import own_nodes
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

_DICTS = frozenset(["dict", "collections.OrderedDict", "collections.defaultdict"])
_MOST = 200  # of two instructions that are looked at


class StoredTwice(NamedTuple):
    location: int
    count: int  # seqs
    change: int
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace


class _Number(NamedTuple):
    """What the source says of the key."""

    count: ast.Call  # `len(...)`, `max(...)`
    more: int | None  # than what was counted; None of the highest key


def stored_under_one_number(evidence: Evidence, unseen: Collection[int]) -> Iterator[StoredTwice]:
    """In order. Not of locations that code wrote to which is not woven (`unseen`)."""
    search, trace = _Search(evidence), evidence.trace
    events = trace.events
    storing = [number for number, site in trace.sites.items() if site.operation == Operation.STORE_SUBSCR]
    writes = np.flatnonzero((events.kind == EventKind.WRITE) & np.isin(events.site, storing) & (events.location >= 0))
    sites = [site for site in np.unique(events.site[writes]).tolist() if search.number(site) is not None]
    acts = writes[np.isin(events.site[writes], sites)]
    # those of locations that another thread stores at so, too
    pairs = np.unique(np.stack([events.location[acts], events.thread[acts]]), axis=1)
    locations, threads = np.unique(pairs[0], return_counts=True)
    looked_at: Counter[int] = Counter()
    for act in acts[np.isin(events.location[acts], locations[threads > 1])].tolist():
        site = int(events.site[act])
        if int(events.location[act]) not in unseen and looked_at[site] < _MOST:
            found = search.of(act)
            looked_at[site] += found is not None
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

    def number(self, site: int) -> _Number | None:
        if site not in self._numbers:
            found = self._activations.syntax.of_site(site)
            self._numbers[site] = None if found is None else _number(*found)
        return self._numbers[site]

    def of(self, act: int) -> StoredTwice | None:
        """If the last thing that was done at its location is another thread's, which stored there by a number, too,
        since this one had counted."""
        events = self._events
        location = self._trace.locations[int(events.location[act])]
        if location.kind is not LocationKind.ITEM or not location.certain or location.container_type not in _DICTS:
            return None
        change = next(iter(self._histories.before(act)), None)
        if change is None or events.kind[change] != EventKind.WRITE or events.thread[change] == events.thread[act]:
            return None
        count = self._counted(act) if self._counted(change) is not None else None
        if count is None or count > change or is_same(events[act].value, events[change].value):
            return None
        if (knows := self._pasts.holds(act, change)) is True:
            return None
        counted, changed, acted = (int(events.seq[each]) for each in (count, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = knows is False and counted < changing and changed < acting
        return StoredTwice(location.id, counted, changed, acted, is_sure)

    def _counted(self, act: int) -> int | None:
        """Where the thread counted for an act; None if it is not known, or gave another number."""
        number = self.number(int(self._events.site[act]))
        if number is None:
            return None
        if number.more is None:
            return self._looks.last(act, number.count)
        count = self._looks.last_of(act, number.count)
        if count is None:
            return None
        size, key = self._events[count].value, self._trace.locations[int(self._events.location[act])].key
        return count if type(size) is type(key) is int and size + number.more == key else None  # type: ignore[operator]


def _number(tree: Tree, node: ast.AST) -> _Number | None:
    match node:
        case ast.Subscript(container, key, ast.Store()):
            pass
        case _:
            return None
    bound = tree.bound(key) if isinstance(key, ast.Name) else None
    value = bound.value if isinstance(bound, ast.Assign | ast.NamedExpr) else key
    match value:
        case ast.BinOp(ast.Call() as count, ast.Add(), ast.Constant(int(more))):
            pass
        case ast.Call() as count:
            more = 0
        case _:
            return None
    match count:
        case ast.Call(ast.Name("len"), [among], []):
            is_one = ast.unparse(among) == ast.unparse(container) or _is_appended_to(tree, node, among)
            return _Number(count, more) if is_one else None
        case ast.Call(ast.Name("max"), [among], keywords) if all(each.arg == "default" for each in keywords) and more:
            if isinstance(among, ast.Call) and isinstance(among.func, ast.Attribute) and among.func.attr == "keys":
                among = among.func.value
            return _Number(count, None) if ast.unparse(among) == ast.unparse(container) else None
    return None


def _is_appended_to(tree: Tree, node: ast.AST, among: ast.expr) -> bool:
    """Whether the function appends to what it has counted, so that the number is taken."""
    function = tree.function(node)
    for each in own_nodes(function) if function is not None else ():
        match each:
            case ast.Call(ast.Attribute(container, "append"), [_], []) if ast.unparse(container) == ast.unparse(among):
                return True
    return False
