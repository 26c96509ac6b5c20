"""Checks by which an item is chosen: `free = [conn for conn in self.conns if not conn.busy]`, then `conn = free[0]` and
`conn.busy = True`.

No branch leads from the check to the act, but what the act is done to has passed it. The source tells what a variable
may have been chosen from; that it was the same object is seen by its location.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.made_of import Function, called_name, own_nodes
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation

_STORES = (Operation.STORE_ATTR, Operation.STORE_SUBSCR)
_LOADS = (Operation.LOAD_ATTR, Operation.LOAD_SUBSCR)
# give one of what they are given, or all of it
_GIVE_ONE = frozenset(["next", "min", "max", "choice", "sorted", "list", "tuple", "iter", "reversed"])
_TAKE_ONE = frozenset(["pop", "popleft"])
_DEEPEST = 4  # variables and calls between what was chosen and the act
_EQUALS = {ast.Eq: "==", ast.NotEq: "not =="}
_IS = {ast.Is: "is None", ast.IsNot: "is not None"}


class _Choice(NamedTuple):
    """What an item must have, and the name that it has there."""

    name: str
    conditions: tuple[ast.expr, ...]


class Chosen:
    """The checks of a trace by which items are chosen."""

    def __init__(self, trace: Trace, activations: Activations) -> None:
        self._trace = trace
        self._activations = activations

    @cached_property
    def tests(self) -> dict[int, dict[int, str]]:
        """By the site of a store: the sites of the checks that what it is done to has passed, and what these found."""
        events, found = self._trace.events, dict[int, dict[int, str]]()
        writes = np.zeros(int(events.site.max(initial=0)) + 1, bool)
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            writes[events.site[part][events.kind[part] == EventKind.WRITE]] = True
        for number in np.flatnonzero(writes).tolist():
            site = self._trace.sites.get(number)
            if site is None or site.operation not in _STORES:
                continue
            file = self._trace.site_codes[number].file
            tree = self._activations.syntax.tree(file)
            target = tree.at(site)
            for read, answer in () if target is None else self._passed(tree, target):
                for check in self._reads[file].get(read, ()):
                    found.setdefault(number, {})[check] = answer
        return found

    def is_of_one(self, act: int, check: int) -> bool:
        """Whether a check was made in the activation that acts, or in one that it called: a generator of its own."""
        acting, checking = (self._activations.of(place) for place in (act, check))
        call = self._activations.calls.get(checking.begun)
        return acting == checking or (call is not None and acting.begun >= 0 and call.caller_seq == acting.begun)

    @cached_property
    def _reads(self) -> dict[int, dict[ast.AST, list[int]]]:
        """By file and expression: the sites that read it."""
        found: defaultdict[int, defaultdict[ast.AST, list[int]]] = defaultdict(lambda: defaultdict(list))
        for code in self._trace.codes:
            tree = self._activations.syntax.tree(code.file)
            for site in code.sites:
                node = tree.at(site) if site.operation in _LOADS else None
                if node is not None:
                    found[code.file][node].append(site.id)
        return {file: dict(reads) for file, reads in found.items()}

    def _passed(self, tree: Tree, target: ast.AST) -> Iterator[tuple[ast.expr, str]]:
        """The reads of the same of an item that decided that it was chosen; and what they must have found."""
        match target:
            case ast.Attribute(ast.Name(name)) | ast.Subscript(ast.Name(name), ast.Constant()):
                function = tree.function(target) if tree.filtering else None
                chooses = function is not None and function in tree.filtering
                for choice in _choices(function, name, _DEEPEST) if function is not None and chooses else ():
                    for condition in choice.conditions:
                        yield from _asked(condition, choice.name, target, is_so=True)
            case _:
                return


def _choices(function: Function, name: str, depth: int) -> Iterator[_Choice]:
    """By which the object was chosen that a variable is given; nothing if it is given several."""
    given: list[ast.expr | None] = []
    nodes = list(own_nodes(function))
    for node in nodes:
        match node:
            case ast.For(ast.Name(each), source) if each == name:
                given.append(source)
            case ast.Assign([ast.Name(each)], value) | ast.NamedExpr(ast.Name(each), value) if each == name:
                given.append(value)
            case ast.AnnAssign(ast.Name(each), value=value) if each == name:
                given.append(value)
    of_comprehensions = {
        each for node in nodes if isinstance(node, ast.comprehension) for each in ast.walk(node.target)
    }
    stored = sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in nodes
        if node not in of_comprehensions
    )
    if len(given) == stored == 1 and given[0] is not None:
        yield from _choices_in(function, given[0], depth)


def _choices_in(function: Function, source: ast.expr, depth: int) -> Iterator[_Choice]:
    if not depth:
        return
    match source:
        case ast.ListComp(ast.Name(item), [only]) | ast.GeneratorExp(ast.Name(item), [only]):
            if isinstance(only.target, ast.Name) and only.target.id == item and only.ifs:
                yield _Choice(item, tuple(only.ifs))
        case ast.Call(ast.Name("filter"), [ast.Lambda(ast.arguments(args=[argument]), body), _]):
            yield _Choice(argument.arg, (body,))
        case ast.Call(ast.Attribute(taken_from, method)) if method in _TAKE_ONE:
            yield from _choices_in(function, taken_from, depth - 1)
        case ast.Call(func, [first, *_]) if called_name(func) in _GIVE_ONE:
            yield from _choices_in(function, first, depth - 1)
        case ast.Subscript(several):
            yield from _choices_in(function, several, depth - 1)
        case ast.Name(name):
            yield from _choices(function, name, depth - 1)


def _asked(condition: ast.expr, item: str, target: ast.AST, *, is_so: bool) -> Iterator[tuple[ast.expr, str]]:
    """What must have been found for a condition to be so, of all that stands at the target of a store."""
    match condition:
        case ast.UnaryOp(ast.Not(), operand):
            yield from _asked(operand, item, target, is_so=not is_so)
        case ast.BoolOp(ast.And(), values) if is_so:
            for value in values:
                yield from _asked(value, item, target, is_so=True)
        case ast.Compare(read, [sign], [ast.Constant(value)]) if _is_alike(read, item, target):
            answer = _IS.get(type(sign)) if value is None else None
            if type(sign) in _EQUALS:
                answer = f"{_EQUALS[type(sign)]} {value!r}"
            if answer is not None:
                yield read, answer if is_so else _opposite(answer)
        case ast.Attribute() | ast.Subscript() if _is_alike(condition, item, target):
            yield condition, "true" if is_so else "false"


def _opposite(answer: str) -> str:
    if answer in _IS.values():
        return "is None" if answer == "is not None" else "is not None"
    return answer.removeprefix("not ") if answer.startswith("not ") else f"not {answer}"


def _is_alike(read: ast.expr, item: str, target: ast.AST) -> bool:
    match read, target:
        case ast.Attribute(ast.Name(name), one), ast.Attribute(attr=other):
            return name == item and one == other
        case ast.Subscript(ast.Name(name), ast.Constant(one)), ast.Subscript(slice=ast.Constant(other)):
            return name == item and one == other
    return False
