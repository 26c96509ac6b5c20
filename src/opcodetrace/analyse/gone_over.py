"""Items that a dictionary or a set is asked for as they were in a copy of it: `for key in list(d): del d[key]`.

No branch leads from the copy to the act, but it was a check all the same: what was copied was there. If another thread
takes the item out in between, the act fails. The source tells what a loop goes over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.looks import Looks
from opcodetrace.analyse.made_of import Function, called_name, own_nodes, times_stored
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation

Array = npt.NDArray[Any]

_COPYING = frozenset(["list", "tuple", "set", "frozenset", "sorted", "dict"])
_FAIL = frozenset(["pop", "remove"])  # with one argument, if it is not there
_DICTS = frozenset(["dict", "collections.OrderedDict"])  # that have no __missing__
_ACTS = frozenset([Operation.LOAD_SUBSCR, Operation.DELETE_SUBSCR, Operation.CALL])
_FILL = frozenset(["append", "extend", "insert", "add", "update", "setdefault"])
_DEEPEST = 4  # variables and calls between a loop and what was copied
_EQUALS = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_OF_AGE = frozenset(["len", "monotonic", "now", "perf_counter", "time", "utcnow"])
_ENDS_A_TURN = (ast.Continue, ast.Break, ast.Return, ast.Raise)


class GoneOver(NamedTuple):
    """A loop over a copy of a container, as its body asks this for an item."""

    copy: ast.AST  # the expression that makes it
    is_for_each: bool  # whatever the item is
    is_by_value: bool  # or that is decided by no more than the item's age or a value of its own, for any thread


class Copy(NamedTuple):
    """An expression that gives the items, or keys, of a container as they were."""

    container: ast.expr
    made_by: ast.AST
    gives_pairs: bool
    conditions: tuple[ast.expr, ...] = ()


class LoopsOverCopies:
    """Those of a trace."""

    def __init__(self, trace: Trace, activations: Activations) -> None:
        self._trace = trace
        self._looks = Looks(trace, activations)
        self._events = trace.events
        self._activations = activations
        self._known: dict[int, GoneOver | None] = {}

    def at(self, site: int) -> GoneOver | None:
        """The loop by which a site asks for an item; None if there is none."""
        if site not in self._known:
            known = self._trace.sites.get(site)
            is_act = known is not None and known.operation in _ACTS
            found = self._activations.syntax.of_site(site) if is_act else None
            self._known[site] = None if found is None else _gone_over(*found)
        return self._known[site]

    @cached_property
    def sites(self) -> frozenset[int]:
        """Those that ask for items so, of functions whose files copy a container that changes its size."""
        trace, resized = self._trace, self._trace.resized
        if resized is None or not resized.pairs.shape[1]:
            return frozenset()
        looks = np.searchsorted(self._events.seq, np.unique(resized.pairs[0]))
        made_at = np.unique(self._events.site[looks]).tolist()
        files = {trace.site_codes[each].file for each in made_at if each in trace.site_codes}
        return frozenset(
            site.id
            for code in trace.codes
            if code.file in files
            for site in code.sites
            if site.operation in _ACTS and self.at(site.id) is not None
        )

    def failed(self, among: Array) -> Array:
        """The places of those failed accesses that they make. `among` is a mask."""
        places = np.flatnonzero(among)
        sites = [site for site in np.unique(self._events.site[places]).tolist() if self.at(site) is not None]
        found: Array = places[np.isin(self._events.site[places], sites)]
        return found

    def acts(self, among: Array) -> Array:
        """The places of those accesses that they make. `among` is a mask."""
        sites = list(self.sites)
        return np.flatnonzero(among & np.isin(self._events.site, sites)) if sites else np.empty(0, np.int64)

    def copied_by(self, act: int) -> int | None:
        """Where the container was copied, as its activation did that last before an act that failed; None if it is not
        known. Places among the events."""
        over = self.at(int(self._events.site[act]))
        return None if over is None or not self._may_fail(act) else self._looks.last(act, over.copy)

    def is_made_at(self, over: GoneOver, look: int) -> bool:
        """Whether a look at a container as a whole makes the copy that a loop goes over."""
        found = self._activations.syntax.of_site(int(self._events.site[look]))
        return found is not None and any(node is found[1] for node in ast.walk(over.copy))

    def _may_fail(self, act: int) -> bool:
        location = self._trace.locations[int(self._events.location[act])]
        is_call = self._trace.sites[int(self._events.site[act])].operation == Operation.CALL
        is_item = location.kind is LocationKind.ITEM and location.certain
        return is_item and (is_call or location.container_type in _DICTS or location.container_type == "set")


def _gone_over(tree: Tree, node: ast.AST) -> GoneOver | None:
    match node:
        case ast.Delete([ast.Subscript() as target]):
            return _gone_over(tree, target)
        case ast.Subscript(container, ast.Name(key), ctx=ast.Load() | ast.Del()):
            pass
        case ast.Call(ast.Attribute(container, method), [ast.Name(key)], []) if method in _FAIL:
            pass
        case _:
            return None
    conditions: list[ast.expr] = []
    for step in tree.above(node):
        match step.parent:
            case ast.For() as loop if step.field == "body":
                if not _comes_to(loop.body, step.node, conditions):
                    return None
                copy = copied(tree, loop.iter, _DEEPEST)
                if _gives(loop.target, key, pairs=copy is not None and copy.gives_pairs):
                    return _over(tree, loop, key, container, copy, conditions)
                return None  # a loop in a loop
            case ast.For() | ast.While() | ast.AsyncFor() | ast.comprehension():
                return None
            case ast.If(test=test) as branch if step.field != "test":
                conditions.append(test)
                block = branch.body if step.field == "body" else branch.orelse
                if not _comes_to(block, step.node, conditions):
                    return None
            case ast.Try(body=body) | ast.With(body=body) if step.field == "body":
                if not _comes_to(body, step.node, conditions):
                    return None
            case ast.BoolOp(values=values):
                conditions += values[: values.index(step.node)]  # type: ignore[arg-type]
            case ast.IfExp(test=test) if step.field != "test":
                conditions.append(test)
            case ast.stmt() | ast.expr() | ast.keyword():
                pass
            case _:
                return None
    return None


def _over(
    tree: Tree, loop: ast.For, key: str, container: ast.expr, copy: Copy | None, conditions: list[ast.expr]
) -> GoneOver | None:
    if copy is None or ast.unparse(copy.container) != ast.unparse(container):
        return None
    rebound = any(
        isinstance(each, ast.Name) and each.id == key and not isinstance(each.ctx, ast.Load)
        for statement in loop.body
        for each in ast.walk(statement)
    )
    asked = (*conditions, *copy.conditions)
    return None if rebound else GoneOver(copy.made_by, not asked, all(map(_is_of_its_own, asked)))


def _gives(target: ast.expr, key: str, *, pairs: bool) -> bool:
    """Whether a loop's variable for the key has that name."""
    match target:
        case ast.Name(name):
            return name == key and not pairs
        case ast.Tuple([ast.Name(name), _]):
            return name == key and pairs
    return False


def _comes_to(block: list[ast.stmt], statement: ast.AST, conditions: list[ast.expr]) -> bool:
    """Whether control comes to a statement of a block, whatever the item is: what may end the turn before it is added
    to the conditions. False if it cannot be told."""
    for each in block:
        if each is statement:
            return True
        if any(isinstance(inner, _ENDS_A_TURN) for inner in ast.walk(each)):
            if not isinstance(each, ast.If):
                return False
            conditions.append(each.test)
    return False


def copied(tree: Tree, node: ast.expr, depth: int = _DEEPEST) -> Copy | None:
    """What was copied to make the items that a loop goes over."""
    match node:
        case ast.Call(ast.Name(name), [given], keywords) if name in _COPYING and (not keywords or name == "sorted"):
            inner = copied(tree, given, depth - 1) if depth else None
            if inner is not None:
                return inner
            container, pairs = _viewed(given)
            return None if container is None else Copy(container, node, pairs)
        case ast.Call(ast.Attribute(container, "copy"), [], []) | ast.Subscript(container, ast.Slice()):
            return Copy(container, node, gives_pairs=False)
        case ast.Call(ast.Attribute(inside, "items" | "keys" as view), [], []) if depth:
            inner = copied(tree, inside, depth - 1)
            return None if inner is None else inner._replace(gives_pairs=view == "items")
        case ast.ListComp(elt, [ast.comprehension(target, source, filters, 0)]) | ast.SetComp(
            elt, [ast.comprehension(target, source, filters, 0)]
        ):
            container, pairs = _viewed(source)
            inner = copied(tree, source, depth - 1) if depth else None
            if inner is not None:
                container, pairs = inner.container, inner.gives_pairs
            if container is None or not isinstance(elt, ast.Name) or not _gives(target, elt.id, pairs=pairs):
                return None
            return Copy(container, node, gives_pairs=False, conditions=tuple(filters))
        case ast.Name(name) if depth:
            function = tree.function(node)
            if function is None or times_stored(function, name) != 1 or _is_filled(function, name):
                return None
            given_to = next(_assigned(own_nodes(function), name), None)
            return None if given_to is None else copied(tree, given_to, depth - 1)
    return None


def _is_filled(function: Function, name: str) -> bool:
    """Whether something is put into what a variable has."""
    return any(
        isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id == name
        and each.attr in _FILL
        for each in own_nodes(function)
    )


def _assigned(nodes: Iterator[ast.AST], name: str) -> Iterator[ast.expr]:
    for node in nodes:
        match node:
            case ast.Assign([ast.Name(given)], value) if given == name:
                yield value


def _viewed(node: ast.expr) -> tuple[ast.expr | None, bool]:
    """The container whose keys are given, and whether these come in pairs with what is there."""
    match node:
        case ast.Call(ast.Attribute(container, "keys"), [], []):
            return container, False
        case ast.Call(ast.Attribute(container, "items"), [], []):
            return container, True
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return node, False
    return None, False


def _is_of_its_own(condition: ast.expr) -> bool:
    """Whether a condition sorts items by no more than their age, or by what they are themselves. One that compares them
    with something else, or calls something, may leave each thread its own."""
    for node in ast.walk(condition):
        match node:
            case ast.Call(func) if called_name(func) not in _OF_AGE:
                return False
            case ast.Compare(left, operators, others):
                is_equal = any(isinstance(each, _EQUALS) for each in operators)
                if is_equal and not any(isinstance(each, ast.Constant) for each in (left, *others)):
                    return False
    return True
