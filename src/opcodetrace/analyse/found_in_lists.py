"""Items and indexes that a thread had found in a list, and that are no more there as it comes to use them.

`item = items[0]`, then `items.remove(item)`; `index = items.index(x)`, then `del items[index]`; `for item in
list(items): items.remove(item)`. No branch leads from the look to the act, but it was a check all the same: what was
found was there. If that fails, another thread has taken items out since: in the source the variable is given nothing
else, and the thread itself has taken nothing out in between, except for the items of the same loop before this one.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.checks import Checks, Stale
from opcodetrace.analyse.gone_over import copied
from opcodetrace.analyse.looks import Looks
from opcodetrace.analyse.made_of import Function, called_name, own_nodes, parameters, stored, times_stored
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.syntax import LOOPS, Tree, ends
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

_LISTS = frozenset(["list", "collections.deque"])
_BY_ITEM = frozenset(["remove", "index"])
_ONE_OF = frozenset(["choice", "max", "min"])  # they give one of what they go over
_NATURAL = frozenset(["bisect", "bisect_left", "bisect_right", "index", "len", "randrange"])
_TAKE_NOTHING_OUT = frozenset(
    ["append", "appendleft", "extend", "extendleft", "insert", "reverse", "rotate", "sort", "heappush"]
)
_MOST = 200  # failures of an instruction that are looked at


class _Found(NamedTuple):
    """Where the source has it from."""

    look: ast.AST  # the list is looked at by a part of that
    loop: ast.For | None = None  # each turn of which has another item of its own


def failed_in_lists(trace: Trace, pasts: Pasts, checks: Checks, told: Collection[int]) -> Iterator[Stale]:
    """Those of which nothing is `told` yet (seqs). Not if the program is ready for the failure."""
    events = trace.events
    wholes = [
        number
        for number, each in trace.locations.items()
        if each.kind is LocationKind.WHOLE and each.certain and each.container_type in _LISTS
    ]
    failures = np.flatnonzero(events.failed() & (events.kind == EventKind.READ) & np.isin(events.location, wholes))
    if not len(failures):
        return
    search = _Search(trace, pasts, checks)
    looked_at: Counter[int] = Counter()
    for failure in failures.tolist():
        site = int(events.site[failure])
        looked_at[site] += 1
        if looked_at[site] <= _MOST and int(events.seq[failure]) not in told:
            yield from search.of(failure)


class _Search:
    def __init__(self, trace: Trace, pasts: Pasts, checks: Checks) -> None:
        self._trace = trace
        self._events = trace.events
        self._pasts = pasts
        self._checks = checks
        self._activations = checks.called.activations
        self._looks = Looks(trace, self._activations)
        self._known: dict[int, _Found | None] = {}

    def of(self, failure: int) -> Iterator[Stale]:
        found = self._found(int(self._events.site[failure]), str(self._events[failure].value))
        look = None if found is None else self._looks.last(failure, found.look)
        if found is None or look is None or self._is_expected(failure):
            return
        changes = self._changes(look, failure, found)
        if not changes:
            return
        events, change = self._events, changes[-1]
        knows = self._pasts.holds(failure, change)
        if knows:
            return
        looked, changed, failed = (int(events.seq[each]) for each in (look, change, failure))
        failing = failed - int(events.before[failure])
        is_sure = knows is False and changed < failing
        is_sure &= all(looked < int(events.seq[each] - events.before[each]) for each in changes)
        is_sure &= len({int(events.site[each]) for each in changes}) == 1  # else it is not known by which
        yield Stale(int(events.location[failure]), looked, changed, failed, is_sure)

    def _found(self, site: int, error: str) -> _Found | None:
        if site not in self._known:
            at = self._activations.syntax.of_site(site)
            self._known[site] = None if at is None else _found_before(*at, error)
        return self._known[site]

    def _is_expected(self, failure: int) -> bool:
        """Whether the program is ready for it, here or in a caller, other than to report it."""
        handlers, error = self._checks.handlers, str(self._events[failure].value)
        lines = list(self._activations.lines(failure))
        if any(handlers.expect_in(*each, error) for each in lines):
            return True
        named = [error] if error == ValueError.__name__ else [error, LookupError.__name__]
        is_named = any(handlers.deal_with(*each, name) for each in lines for name in named)
        return is_named and not handlers.report(lines, error)

    def _changes(self, look: int, failure: int, found: _Found) -> list[int]:
        """What other threads may have taken out in between, in order; nothing if the thread itself may have."""
        events, resized = self._events, self._trace.resized
        if resized is None:
            return []
        between = slice(look + 1, failure)
        locations = np.flatnonzero(resized.containers == resized.containers[events.location[failure]])
        its = (events.kind[between] != EventKind.READ) & np.isin(events.location[between], locations)
        changes = []
        for place in (look + 1 + np.flatnonzero(its)).tolist():
            if not self._may_take_out(place):
                continue
            if events.thread[place] != events.thread[failure]:
                changes.append(place)
            elif not (found.loop is not None and self._is_same(place, failure)):
                return []
        return changes

    def _is_same(self, one: int, other: int) -> bool:
        """Whether the same activation made both by one instruction."""
        is_site = self._events.site[one] == self._events.site[other]
        return bool(is_site) and self._activations.of(one) == self._activations.of(other)

    def _may_take_out(self, change: int) -> bool:
        """Whether a change may have taken items out of a list."""
        event = self._events[change]
        kind = self._trace.locations[event.location].kind
        if kind is LocationKind.WHOLE and adds_one(event):
            return False
        found = self._activations.syntax.of_site(event.site)
        match None if found is None else found[1]:
            case ast.Call(func):
                return called_name(func) not in _TAKE_NOTHING_OUT
        # an item that is replaced is one that is not there any more, and may be what `remove` is to find
        return True


def _found_before(tree: Tree, node: ast.AST, error: str) -> _Found | None:
    """Of an access that fails by an error if the item, or the index, is not there."""
    function = tree.function(node)
    match node:
        case _ if function is None:
            return None
        case ast.Delete([ast.Subscript() as target]):
            return _found_before(tree, target, error)
        case ast.Call(ast.Attribute(container, method), [ast.Name(item)], []) if method in _BY_ITEM:
            return _item(tree, function, node, item, container) if error == ValueError.__name__ else None
        case _ if error != IndexError.__name__:
            return None
        case ast.Call(ast.Attribute(container, "pop"), [ast.Name(index)], []) | ast.Subscript(
            container, ast.Name(index)
        ):
            return _index(tree, function, node, index, container) or (
                _under(tree, node, container, index) if _is_natural(function, index) else None
            )
        case ast.Call(ast.Attribute(container, "pop" | "popleft"), [] | [ast.Constant(0)], []) | ast.Subscript(
            container, ast.Constant(0) | ast.UnaryOp(ast.USub(), ast.Constant(1))
        ):
            return _under(tree, node, container, None)
    return None


def _item(tree: Tree, function: Function, act: ast.AST, item: str, container: ast.expr) -> _Found | None:
    """If all that the variable is ever given is an item of the list."""
    for given, source in _given(function, item):
        match given:
            case ast.For(target=ast.Name()):
                return _over(tree, act, given, source, container)
            case ast.For(target=ast.Tuple([_, ast.Name(name)])) if name == item:
                among = _enumerated(source)
                return None if among is None else _over(tree, act, given, among, container)
            case ast.Assign():
                return _taken(tree, act, item, source, container)
    return None


def _index(tree: Tree, function: Function, act: ast.AST, index: str, container: ast.expr) -> _Found | None:
    """If all that the variable is ever given is an index of the list."""
    for given, source in _given(function, index):
        match given, source:
            case ast.For(target=ast.Tuple([ast.Name(name), _])), _ if name == index:
                among = _enumerated(source)
                found = None if among is None else _over(tree, act, given, among, container)
                # what is taken out of the list itself moves the indexes of a copy
                return found if found is None or _is_of(among, container) else found._replace(loop=None)
            case ast.Assign(), ast.Call(ast.Attribute(inside, "index")) if _is_of(inside, container):
                return _Found(source)
            case ast.Assign(), ast.Call(
                ast.Name("next"), [ast.GeneratorExp(ast.Name(one), [ast.comprehension(target, numbered)])]
            ):
                match target, _enumerated(numbered):
                    case ast.Tuple([ast.Name(name), _]), ast.expr() as among if name == one:
                        return _Found(numbered) if _is_of(among, container) else None
    return None


def _is_natural(function: Function, index: str) -> bool:
    """Whether a variable has no number below 0, as all that it is given shows: `0`, `i + 1` in place, `bisect(...)`."""
    natural = 0
    for node in own_nodes(function):
        match node:
            case ast.Assign([ast.Name(given)], ast.Constant(int(number))) if given == index and number >= 0:
                natural += 1
            case ast.Assign([ast.Name(given)], ast.Call(func)) if given == index and called_name(func) in _NATURAL:
                natural += 1
            case ast.AugAssign(ast.Name(given), ast.Add(), ast.Constant(int(number))) if given == index and number >= 0:
                natural += 1
            case ast.For(ast.Name(given), ast.Call(ast.Name("range"), [_])) if given == index:
                natural += 1
    return 0 < natural == times_stored(function, index) and index not in parameters(function)


def _given(function: Function, name: str) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Where a variable is given its value, and what it is made of; nothing if that is not one place."""
    nodes = list(own_nodes(function))
    targets = [each.target for each in nodes if isinstance(each, ast.comprehension)]  # variables of their own
    inside = sum(name == each for target in targets for each in stored(target))
    if times_stored(function, name) - inside != 1 or name in parameters(function):
        return
    for node in nodes:
        match node:
            case ast.For(target=target, iter=source) if name in stored(target):
                yield node, source
            case ast.Assign([ast.Name(given)], source) if given == name:
                yield node, source


def _enumerated(source: ast.expr) -> ast.expr | None:
    match source:
        case ast.Call(ast.Name("enumerate"), [among], []):
            return among
    return None


def _over(tree: Tree, act: ast.AST, loop: ast.AST, among: ast.expr, container: ast.expr) -> _Found | None:
    """Of a loop over the list, or over a copy that is made before each such loop."""
    source = _source(tree, among)
    if source is None or not isinstance(loop, ast.For) or not _is_of(source[0], container):
        return None
    look = source[1]
    around = [step.parent for step in tree.above(loop) if isinstance(step.parent, LOOPS)]
    if around != [each for step in tree.above(look) if isinstance(each := step.parent, LOOPS) and each is not loop]:
        return None
    inner = next((step for step in tree.above(act) if isinstance(step.parent, LOOPS)), None)
    is_turn = inner is not None and inner.parent is loop and inner.field == "body"
    return _Found(look, loop if is_turn else None)


def _source(tree: Tree, among: ast.expr) -> tuple[ast.expr, ast.AST] | None:
    """The list of which something has the items, and the expression that looks at it."""
    copy = copied(tree, among)
    match among:
        case _ if copy is not None:
            return None if copy.gives_pairs else (copy.container, copy.made_by)
        case ast.Call(ast.Name("reversed" | "iter"), [inside], []):
            return inside, among
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return among, among
    return None


def _taken(tree: Tree, act: ast.AST, item: str, value: ast.expr, container: ast.expr) -> _Found | None:
    """Of an item that is taken a look at by itself: `items[0]`, `max(items)`, `next(x for x in items if x.free)`."""
    look = value
    match value:
        case ast.Subscript(inside, index) if not isinstance(index, ast.Slice):
            return _Found(value) if _is_of(inside, container) else None
        case ast.Call(func, [among], keywords) if called_name(func) in _ONE_OF:
            if any(each.arg != "key" for each in keywords):
                return None
        case ast.Call(ast.Name("next"), [ast.Call(ast.Name("iter"), [among])]):
            pass
        case ast.Call(
            ast.Name("next"),
            [ast.GeneratorExp(ast.Name(one), [ast.comprehension(ast.Name(name), among)]), *default],
        ) if one == name and (not default or _is_found(tree, act, item)):
            look = among
        case _:
            return None
    source = _source(tree, among)
    return _Found(look) if source is not None and _is_of(source[0], container) else None


def _is_found(tree: Tree, act: ast.AST, item: str) -> bool:
    """Whether an act is only made if a variable is not None."""
    for step in tree.above(act):
        match step.parent:
            case ast.If(test=test) if step.field == "body" and any(_is_there(each, item) for each in _parts(test)):
                return True
        block = getattr(step.parent, step.field, None)
        for each in block[: block.index(step.node)] if isinstance(block, list) else ():
            if isinstance(each, ast.If) and not each.orelse and ends(each.body) and _is_missing(each.test, item):
                return True
    return False


def _is_there(test: ast.expr, item: str) -> bool:
    match test:
        case ast.Name(name) | ast.Compare(ast.Name(name), [ast.IsNot()], [ast.Constant(None)]):
            return name == item
    return False


def _is_missing(test: ast.expr, item: str) -> bool:
    match test:
        case ast.UnaryOp(ast.Not(), ast.Name(name)) | ast.Compare(ast.Name(name), [ast.Is()], [ast.Constant(None)]):
            return name == item
    return False


def _under(tree: Tree, act: ast.AST, container: ast.expr, index: str | None) -> _Found | None:
    """Under a test that there is such an index in the list, or any item if it is the first or the last one."""
    function = tree.function(act)
    for step in tree.above(act):
        match step.parent:
            case (ast.If(test=test) | ast.While(test=test)) as branch if step.field == "body":
                if any(_is_inside(each, container, index) for each in _parts(test)):
                    given = index is not None and any(
                        isinstance(each, ast.Name)
                        and each.id == index
                        and not isinstance(each.ctx, ast.Load)
                        and branch.lineno <= each.lineno <= getattr(act, "lineno", 0)
                        for each in (own_nodes(function) if function is not None else ())
                    )
                    return None if given else _Found(test)
                if isinstance(branch, ast.While):
                    return None
            case ast.For() | ast.AsyncFor() | ast.While() | ast.comprehension():
                return None
    return None


def _is_inside(test: ast.expr, container: ast.expr, index: str | None) -> bool:
    match test:
        case ast.Compare(ast.Name(name), [ast.Lt()], [counted]) | ast.Compare(counted, [ast.Gt()], [ast.Name(name)]):
            return name == index and _is_len(counted, container)
        case ast.Compare(counted, [ast.Gt() | ast.NotEq()], [ast.Constant(0)]):
            return index is None and _is_len(counted, container)
    return index is None and (_is_of(test, container) or _is_len(test, container))


def _is_len(node: ast.expr, container: ast.expr) -> bool:
    match node:
        case ast.Call(ast.Name("len"), [inside], []):
            return _is_of(inside, container)
    return False


def _is_of(node: ast.expr | None, container: ast.expr) -> bool:
    return node is not None and ast.unparse(node) == ast.unparse(container)


def _parts(test: ast.expr) -> list[ast.expr]:
    """What must all hold."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
