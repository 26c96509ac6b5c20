"""What a program takes for an error, and refuses: it raises by a check, here or in a function that it calls for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from opcodetrace.analyse.syntax import Tree


def is_refused(tree: Tree, test: ast.AST, act: ast.AST) -> bool:
    """Whether a statement raises by a test if what is done otherwise is not done: `if closed: raise ...`."""
    for step in tree.above(test):
        match step.parent:
            case ast.If(body=body, orelse=otherwise) as choice if step.field == "test":
                if _raises(tree, body) and not otherwise:
                    return tree.follows(choice, act) is True
                is_done = any(act in ast.walk(each) for each in body)
                return is_done and _raises(tree, otherwise)
            case ast.stmt():
                return False
    return False


def refusals(tree: Tree, test: ast.AST, act: ast.AST) -> Iterator[ast.AST]:
    """The statements that raise by a test, one way or another, in place of what is done otherwise."""
    for step in tree.above(test):
        match step.parent:
            case ast.If(body=body, orelse=otherwise) if step.field == "test":
                is_within = any(act in ast.walk(each) for each in body)
                for statement in otherwise if is_within else body:
                    yield from (each for each in ast.walk(statement) if _is_raised(tree, each))
                return
            case ast.stmt():
                return


def keeps_from(tree: Tree, first: ast.AST, then: ast.AST) -> bool:
    """Whether `then` is not executed if `first` raises, and comes after it in any case. What is called to be
    entered by a `with` may swallow the error: `with suppress(KeyError)`."""
    around = {step.parent for step in tree.above(then)}
    swallows = (
        isinstance(item.context_expr, ast.Call)
        for step in tree.above(first)
        if isinstance(step.parent, ast.With | ast.AsyncWith) and step.field == "body" and step.parent not in around
        for item in step.parent.items
    )
    return tree.follows(first, then) is True and not any(swallows)


def _raises(tree: Tree, block: list[ast.stmt]) -> bool:
    """Whether it ends by `raise`, and no other way leads out of it."""
    leaves = (ast.Return, ast.Break, ast.Continue)
    parts = (each for statement in block for each in ast.walk(statement))
    return bool(block) and _is_raised(tree, block[-1]) and not any(isinstance(each, leaves) for each in parts)


def _is_raised(tree: Tree, node: ast.AST) -> bool:
    """Whether a statement raises an error that its own function does not handle."""
    return isinstance(node, ast.Raise) and not any(
        isinstance(step.parent, ast.Try | ast.TryStar)
        and step.field == "body"
        and not all(isinstance(handler.body[-1], ast.Raise) for handler in step.parent.handlers)
        for step in tree.above(node)
    )
