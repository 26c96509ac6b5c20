"""Branches that leave a function: from them, nothing that stands behind them is reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from opcodetrace.analyse.syntax import LOOPS, Step, Tree

_LEAVES = (ast.Raise, ast.Return)
_GOES_ON = (ast.Break, ast.Continue)


def may_come_to(tree: Tree, node: ast.AST, then: ast.AST) -> bool:
    """Whether a part of a function, once it is executed, may be followed by one that stands behind it. Not if it is of
    a branch that ends by `raise` or `return`, and nothing goes on after that: `if key not in d: raise KeyError(key)`.
    """
    behind = {(step.parent, step.field) for step in tree.above(then)}
    leaves = False
    for step in tree.above(node):
        if (step.parent, step.field) in behind:
            if not leaves:
                return True
        elif leaves and _may_go_on(step):
            return True
        leaves = leaves or _leaves(step)
    return not leaves


def begins_the_next_turn(tree: Tree, node: ast.AST, then: ast.AST) -> bool:
    """Whether a jump back that stands for a part of a function leads to the next turn of a loop, in place of what
    follows in this one: a `continue`, or an `if` that is the last statement of a loop's body."""
    loops = {step.parent for step in tree.above(then) if isinstance(step.parent, LOOPS) and step.field == "body"}
    for step in tree.above(node):
        if isinstance(step.parent, ast.stmt):
            is_if = isinstance(step.parent, ast.If) and step.field == "test"
            loop = next((each.parent for each in tree.above(step.parent) if isinstance(each.parent, LOOPS)), None)
            return (is_if or isinstance(step.node, ast.Continue)) and loop in loops
    return False


def _leaves(step: Step) -> bool:
    match step.parent:
        case ast.If() | ast.match_case() | ast.ExceptHandler() if step.field in ("body", "orelse"):
            block: list[ast.stmt] = getattr(step.parent, step.field)
            return isinstance(block[-1], _LEAVES) and not any(isinstance(each, _GOES_ON) for each in _parts(block))
        case ast.Assert():
            return step.field == "msg"
        case _:
            return False


def _may_go_on(step: Step) -> bool:
    """Whether something behind a part may be executed though the part is left: an exception is caught, say."""
    match step.parent:
        case ast.With() | ast.AsyncWith():
            return step.field == "body"
        case ast.Try(finalbody=last) | ast.TryStar(finalbody=last):
            return step.field == "body" or bool(last)
        case _:
            return False


def _parts(block: list[ast.stmt]) -> Iterator[ast.AST]:
    for statement in block:
        yield from ast.walk(statement)
