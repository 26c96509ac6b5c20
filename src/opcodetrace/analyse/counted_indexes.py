"""Indexes that were made of the number of items: `for i in range(len(items)): items[i]`, `items[len(items) - 1]`.

So an index was right when the items were counted. If there is no such item any more, another thread has taken some out.
Count and access may stand in two functions that a third one calls: `index = v.size() - 1; v.get(index)` (Goetz et al.,
"Java Concurrency in Practice", 5.1.1).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from opcodetrace.analyse.activations import Activations, Part
from opcodetrace.analyse.made_of import Function, called_name, parameters, times_stored
from opcodetrace.analyse.syntax import Tree

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_DEEPEST = 4  # variables that are made of each other
_SAME_NUMBERS = frozenset(["reversed", "list", "tuple", "iter"])


class _Index(NamedTuple):
    """Where it is given."""

    part: Part
    value: ast.AST


def is_counted(activations: Activations, access: int, count: int, number: int) -> bool:
    """Whether the source says that the index of an access is lower than the number that a `len` gave, and not negative.
    Access and count are places among the events."""
    index, counted = list(_indexes(activations, access)), list(_results(activations, count))
    return any(
        one.part.point.is_in_one(other.point)
        and _Count(one.part.tree, other.point.node, number).is_above(one.value, _DEEPEST)
        for one in index
        for other in counted
    )


def _indexes(activations: Activations, access: int) -> Iterator[_Index]:
    """The index, here and in the callers that gave it as an argument."""
    function: Function | None = None
    name: str | None = None
    value: ast.AST | None = None
    for number, part in enumerate(activations.parts(access)):
        node = part.node
        if not number:
            value = node.slice if isinstance(node, ast.Subscript) else None
        elif not (isinstance(node, _COMPREHENSIONS) and value in list(ast.walk(node))):  # a function before 3.12
            value = None if name is None else _argument(node, function, name)
        if value is None:
            return
        yield _Index(part, value)
        function = part.tree.function(node)
        name = None
        if isinstance(value, ast.Name) and function is not None and not times_stored(function, value.id):
            name = value.id if value.id in parameters(function) else None


def _argument(call: ast.AST, function: Function | None, name: str) -> ast.AST | None:
    """What a call gives a parameter of the function that it calls."""
    match call:
        case ast.Subscript(slice=index):
            return index  # __getitem__
        case ast.Call(func, arguments, keywords) if function is not None:
            for keyword in keywords:
                if keyword.arg == name:
                    return keyword.value
            names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            if isinstance(func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
                names = names[1:]
            at = names.index(name) if name in names else len(arguments)
            is_plain = not any(isinstance(each, ast.Starred) for each in arguments)
            return arguments[at] if is_plain and at < len(arguments) else None
    return None


def _results(activations: Activations, count: int) -> Iterator[Part]:
    """What gives the number, here and in a caller if the function returns it as it is."""
    for number, step in enumerate(activations.parts(count)):
        if number > 1:
            return
        yield step
        above = next(step.tree.above(step.point.node), None)
        if above is None or not isinstance(above.parent, ast.Return):
            return


class _Count(NamedTuple):
    """How many items there were, and what gives that."""

    tree: Tree
    node: ast.AST
    number: int

    def is_above(self, index: ast.AST | None, depth: int) -> bool:
        """Whether an index is lower."""
        match index:
            case ast.BinOp(left, ast.Sub(), ast.Constant(int(less))):
                return 0 < less <= self.number and self._is(left, depth)
            case ast.Name() if depth:
                match self.tree.bound(index):
                    case ast.Assign(value=value) | ast.NamedExpr(value=value):
                        return self.is_above(value, depth - 1)
                    case ast.For(iter=numbers) | ast.comprehension(iter=numbers):
                        return self._is_above_all(numbers, depth - 1)
        return False

    def _is_above_all(self, numbers: ast.AST, depth: int) -> bool:
        match numbers:
            case ast.Call(func, [inner], []) if called_name(func) in _SAME_NUMBERS:
                return self._is_above_all(inner, depth)
            case ast.Call(func, [end] | [ast.Constant(int()), end], []) if called_name(func) == "range":
                return self._is(end, depth) or self.is_above(end, depth)
        return False

    def _is(self, value: ast.AST, depth: int) -> bool:
        """Whether a value is the number."""
        if value is self.node:
            return True
        bound = self.tree.bound(value) if isinstance(value, ast.Name) and depth else None
        return isinstance(bound, ast.Assign | ast.NamedExpr) and self._is(bound.value, depth - 1)
