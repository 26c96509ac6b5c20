"""What a value that is written is made of, as the source has it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum, auto
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Calls, and methods, that make the same of the same.
_CONVERSIONS = frozenset(
    """
    abs bool bytearray bytes chr copy deepcopy dict float frozenset int len list max min ord reversed round set sorted
    str sum tuple
    """.split()  # noqa: SIM905
)
_CONTAINERS = frozenset(["bytearray", "defaultdict", "deque", "dict", "list", "set"])
_METHODS = frozenset(
    """
    copy decode encode format items join keys lower lstrip partition replace rstrip split splitlines strip title upper
    values
    """.split()  # noqa: SIM905
)
_TAKE = frozenset(["pop", "popleft", "popitem", "get_nowait"])  # what one call takes out, no other one gets


class Made(Enum):
    """What a value that is written is made of."""

    OWN = auto()  # of what only this call has: its arguments
    FRESH = auto()  # it is a container that is made anew: this call's, if it fills it and then takes out what is in it
    BY_A_CALL = auto()  # the same, through a call: it may be as good as another one
    ANYTHING = auto()


def made_of(value: ast.expr, target: ast.AST, function: Function | None) -> Made | None:
    """What is assigned to a target in a function. What the target names, too, tells nothing apart:
    `cache[key] = make(key)`. None if it is a constant."""
    if is_constant(value):
        return None
    if isinstance(value, ast.Call) and called_name(value.func) in _TAKE:
        return Made.OWN
    if isinstance(value, ast.Name) and value.id == "self" and function is not None and function.name == "__init__":
        return Made.OWN  # nobody else has the object yet
    named = {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    # what is no attribute of the object itself may be shared by several
    own = set() if function is None else _own_names(function, {"cls"} if "self" not in named else {"self", "cls"})
    own -= named
    if not any(isinstance(each, ast.Name) and each.id in own for each in ast.walk(value)):
        return Made.FRESH if _is_fresh(value) else Made.ANYTHING
    return Made.BY_A_CALL if any(map(_may_give_anything, ast.walk(value))) else Made.OWN


def is_new_container(value: ast.expr) -> bool:
    """Whether it makes one: `[]`, `{}`, `defaultdict(list)`."""
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(ast.Name(function) | ast.Attribute(attr=function)):
            return function in _CONTAINERS | {"OrderedDict", "Counter"}
    return False


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions in it."""
    pending: list[ast.AST] = [*function.body, function.args]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending += ast.iter_child_nodes(node)


def parameters(function: Function) -> set[str]:
    """Their names."""
    given = function.args
    return {
        each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if each
    }


def _own_names(function: Function, shared_parameters: set[str]) -> set[str]:
    """Local variables whose values are made of the function's arguments, or of what a loop goes through."""
    own = parameters(function) - shared_parameters
    nodes = list(own_nodes(function))
    assigned = []
    for node in nodes:
        match node:
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                own |= set(stored(target))
            case ast.Assign(targets=targets, value=value):
                assigned.append(({name for target in targets for name in stored(target)}, value))
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                assigned.append((set(stored(target)), value))
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                assigned.append((set(stored(target)), value))
    shared = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    before = -1
    while before < len(own):
        before = len(own)
        for names, value in assigned:
            if any(isinstance(each, ast.Name) and each.id in own for each in ast.walk(value)):
                own |= names
    return own - shared


def stored(target: ast.AST) -> Iterator[str]:
    for each in ast.walk(target):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


def times_stored(function: Function, name: str) -> int:
    """How often something is given to a variable, or it is deleted, as the source has it."""
    return sum(
        isinstance(each, ast.Name) and each.id == name and not isinstance(each.ctx, ast.Load)
        for each in own_nodes(function)
    )


def is_constant(value: ast.AST) -> bool:
    """`None`, `-1`, `()`, `State.OPEN`, `OPEN`."""
    match value:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return is_constant(operand)
        case ast.Tuple(elts=elements):
            return all(map(is_constant, elements))
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name.isupper()
        case _:
            return False


def _is_fresh(value: ast.AST) -> bool:
    """Whether it is a new container: `[]`, `set()`, `ErrorList()`."""
    match value:
        case ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(values=items):
            return all(map(is_constant, items))
        case ast.Call(func, args=arguments, keywords=[]):
            name = called_name(func)
            is_class = name in _CONTAINERS or name[:1].isupper()
            return is_class and (not arguments or name == "defaultdict")
        case _:
            return False


def _may_give_anything(node: ast.AST) -> bool:
    """Whether it is a call of what may not depend on all that it is given."""
    match node:
        case ast.Call(ast.Name(id=name)):
            return name not in _CONVERSIONS
        case ast.Call(ast.Attribute(attr=name)) if name in _METHODS:
            return False
        case ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom():
            return True
        case _:
            return False


def called_name(called: ast.AST) -> str:
    match called:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""
