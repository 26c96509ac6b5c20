"""What a function does with a container that it has read from somewhere, as its source says.

All is answered for the sake of silence: what is unusual counts as if the container were kept.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from opcodetrace.analyse.made_of import called_name, is_new_container, own_nodes, parameters, times_stored
from opcodetrace.analyse.syntax import Tree

# Functions that only look at what they are given, and those that go over all of it at once and keep nothing of it but
# its items.
_LOOK = frozenset("bool callable getattr hasattr hash id isinstance len print repr str type".split())  # noqa: SIM905
_GO_OVER = frozenset(
    """
    Counter all any bytes deepcopy deque dict dumps frozenset fsum heapify join list max merge min set sorted sum tuple
    """.split()  # noqa: SIM905
)
_PUT_ALL = frozenset(
    ["extend", "extendleft", "update"]
)  # methods that copy what they are given, of built-in containers
_ITERATE = frozenset("chain enumerate filter iter islice map reversed zip".split())  # noqa: SIM905
_VIEWS = frozenset(["items", "keys", "values"])
_NAMES = 3  # variables that a container is followed through

Position: TypeAlias = tuple[int, int]  # line and column


@dataclass(frozen=True, slots=True)
class Uses:
    goes_over: bool = False  # all its items are read, or it is handed on to what may read them
    is_kept: bool = False  # something may have it after its last use here
    last: Position = (0, 0)  # where the last of its uses ends

    def __or__(self, other: Uses) -> Uses:
        return Uses(self.goes_over or other.goes_over, self.is_kept or other.is_kept, max(self.last, other.last))


_KEPT = Uses(is_kept=True)
_HANDED_ON = Uses(goes_over=True, is_kept=True)


def uses_of(tree: Tree, read: ast.AST) -> Uses:
    """What becomes of the container that an expression reads, in its function."""
    return _Search(tree, read).of(read, _NAMES)


def is_copied_at_once(tree: Tree, read: ast.AST) -> bool:
    """Whether C code goes over the container as soon as it is read: `list(self.items)`, `self.items[:]`."""
    step = next(tree.above(read), None)
    match None if step is None else step.parent:
        case ast.Call(func=ast.Name(id=name), args=[_], keywords=[]):
            return name in _GO_OVER
        case ast.Call(ast.Attribute(receiver, method), [given], []) if given is read:
            is_text = isinstance(receiver, ast.Constant) and method == "join"
            return is_text or (method in _PUT_ALL and _is_built_in(tree, receiver))
        case ast.AugAssign(target, ast.Add(), value) if value is read:
            return _is_built_in(tree, target)
        case ast.Subscript(slice=ast.Slice(lower, upper, stride)):
            return all(each is None or isinstance(each, ast.Constant) for each in (lower, upper, stride))
        case ast.Attribute(attr="copy"):
            return True
        case _:
            return False


def _is_built_in(tree: Tree, receiver: ast.expr) -> bool:
    """Whether all that its function, or its file, ever assigns to a variable or an attribute are new containers."""
    match receiver:
        case ast.Name(name):
            function = tree.function(receiver)
            if function is None or name in parameters(function):
                return False
            nodes = own_nodes(function) if times_stored(function, name) else tree.nodes
        case ast.Attribute(attr=name):
            nodes = tree.nodes
        case _:
            return False
    values: list[ast.expr | None] = []
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    values += _assigned(target, value, name)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                values += _assigned(target, value, name)
            case ast.For(target=target) | ast.comprehension(target=target) | ast.NamedExpr(target=target):
                values += _assigned(target, None, name)
            case ast.withitem(optional_vars=ast.expr() as target):
                values += _assigned(target, None, name)
    return bool(values) and all(value is not None and is_new_container(value) for value in values)


def _assigned(target: ast.AST, value: ast.expr | None, name: str) -> Iterator[ast.expr | None]:
    """What an assignment gives to what has a name; None of what cannot be told."""
    match target, value:
        case ((ast.Name(id=given) | ast.Attribute(attr=given)), _):
            if given == name:
                yield value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for one, other in zip(targets, values, strict=True):
                yield from _assigned(one, other, name)
        case ((ast.Tuple() | ast.List()), _):
            for one in target.elts:
                yield from _assigned(one, None, name)
        case ast.Starred(inside), _:
            yield from _assigned(inside, None, name)


class _Search:
    def __init__(self, tree: Tree, read: ast.AST) -> None:
        self._tree = tree
        self._function = tree.function(read)
        self._around = {step.parent for step in tree.above(read)}  # in the same turn of these loops
        self._seen: set[str] = set()

    def of(self, node: ast.AST, names: int) -> Uses:
        """What is done with the value of a node."""
        step = next(self._tree.above(node), None)
        if step is None:
            return _KEPT
        here = Uses(last=self._end(node))
        over = Uses(goes_over=True, last=here.last)
        match step.parent, step.field:
            case ((ast.For() | ast.AsyncFor()), "iter"):
                return over
            case ast.comprehension(), "iter":
                made = next(self._tree.above(step.parent)).parent
                return over | self.of(made, names) if isinstance(made, ast.GeneratorExp) else over
            case ast.Call() as call, "args":
                return self._given(call, here, over, names)
            case ast.Attribute() as method, "value":
                return self._method(method, here, over, names)
            case ast.Subscript(slice=key), "value":
                return over if isinstance(key, ast.Slice) else here
            case ast.Dict(keys=keys, values=values), "values":
                return over if keys[[each is node for each in values].index(True)] is None else _KEPT
            case ((ast.Starred() | ast.BinOp()), _):
                return over
            case (
                (ast.Compare() | ast.UnaryOp() | ast.Assert() | ast.FormattedValue() | ast.Expr() | ast.Delete()),
                _,
            ):
                return here
            case ((ast.If() | ast.While() | ast.IfExp() | ast.comprehension()), ("test" | "ifs")):
                return here
            case ((ast.BoolOp() | ast.IfExp()) as either, _):
                return here | self.of(either, names)
            case ast.AugAssign(), "value":
                return over
            case ((ast.Return() | ast.Yield() | ast.YieldFrom()), _):
                return here | _HANDED_ON
            case ast.NamedExpr(target=target) as named, "value":
                return here | self._assigned(target, names) | self.of(named, names)
            case ast.Assign(targets=[target]), "value":
                return here | self._assigned(target, names)
            case ast.AnnAssign(target=target), "value":
                return here | self._assigned(target, names)
            case ast.Tuple() as several, "elts":
                return here | self._assigned_with_others(several, node, names)
            case _:
                return _KEPT

    def _given(self, call: ast.Call, here: Uses, over: Uses, names: int) -> Uses:
        name = called_name(call.func)
        if name in _LOOK or (name in _GO_OVER and self._is_tested(call)):
            return here
        if name in _GO_OVER:
            return over
        if name in _PUT_ALL and isinstance(call.func, ast.Attribute) and _is_built_in(self._tree, call.func.value):
            return over
        return over | self.of(call, names) if name in _ITERATE else here | _HANDED_ON

    def _is_tested(self, node: ast.AST) -> bool:
        """Whether only a condition is made of it: `if max(self.times) > limit`."""
        for step in self._tree.above(node):
            if isinstance(step.parent, ast.If | ast.While | ast.IfExp) and step.field == "test":
                return True
            if isinstance(step.parent, ast.stmt):
                break
        return False

    def _method(self, method: ast.Attribute, here: Uses, over: Uses, names: int) -> Uses:
        step = next(self._tree.above(method))
        if not isinstance(step.parent, ast.Call) or step.field != "func":
            return here | _KEPT
        if method.attr in _VIEWS:
            return over | self.of(step.parent, names)
        return over if method.attr == "copy" else here

    def _assigned(self, target: ast.AST, names: int) -> Uses:
        """What becomes of a value that is assigned to a variable."""
        if not isinstance(target, ast.Name) or self._function is None or names <= 0:
            return _KEPT
        if target.id in self._seen:
            return Uses()
        self._seen.add(target.id)
        found = Uses()
        for name in self._loads(target.id, self._function):
            if self._tree.function(name) is not self._function:
                return _KEPT
            found |= self.of(name, names - 1)
        return found

    def _loads(self, name: str, function: ast.AST) -> Iterator[ast.Name]:
        for each in ast.walk(function):
            match each:
                case ast.Global(names) | ast.Nonlocal(names) if name in names:
                    yield ast.Name(name, ast.Load())  # of no function
                case ast.Name(id=other, ctx=ast.Load()) if other == name:
                    yield each

    def _assigned_with_others(self, several: ast.Tuple, node: ast.AST, names: int) -> Uses:
        """`batch, self.items = self.items, []`."""
        match next(self._tree.above(several)).parent:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if value is several:
                if len(targets) == len(several.elts):
                    return self._assigned(targets[[each is node for each in several.elts].index(True)], names)
        return _KEPT

    def _end(self, node: ast.AST) -> Position:
        """Of the statement that it is used in, or of the loop that goes round with it."""
        end = (0, 0)
        for step in self._tree.above(node):
            is_loop = isinstance(step.node, ast.For | ast.AsyncFor | ast.While)
            if isinstance(step.node, ast.stmt) and (end == (0, 0) or is_loop):
                end = _end_of(step.node)
            if end != (0, 0) and step.parent in self._around:
                break
        return end


def end_of_statement(tree: Tree, node: ast.AST) -> Position:
    """Where the innermost statement ends that an expression is a part of."""
    statements = (step.node for step in tree.above(node) if isinstance(step.node, ast.stmt))
    found = next(statements, None)
    return (0, 0) if found is None else _end_of(found)


def _end_of(statement: ast.stmt) -> Position:
    return statement.end_lineno or 0, statement.end_col_offset or 0
