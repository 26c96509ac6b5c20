"""Items that are taken one by one for as long as more than one is there; the last one stays, and is read again and
again: `if len(answers) > 1: return answers.pop(0)`, else `answers[0]`. If two threads find two, both take one.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcodetrace.analyse.answers import would_hold
from opcodetrace.analyse.syntax import Syntax, Tree, ends
from opcodetrace.trace.run import Trace

if TYPE_CHECKING:
    from opcodetrace.analyse.checks import Checked


def is_undone_by_taking(trace: Trace, syntax: Syntax, found: Checked, changes: Sequence[int], act: int) -> bool:
    """Whether a check of how many items there are would go otherwise after changes that took some, and the act takes
    the last one. Changes and act are places among the events."""
    events = trace.events
    size = events[found.check].value
    test, done, *taken = (syntax.of_site(int(events.site[place])) for place in (found.check, act, *changes))
    if found.way or test is None or done is None or type(size) is not int:
        return False
    if not all(each is not None and _takes_one(each[1]) for each in taken) or size - len(taken) != 1:
        return False
    is_undone = would_hold(found.answer, size) is True and would_hold(found.answer, 1) is False
    return is_undone and _reads_what_is_left(test[0], test[1], done[1])


def _takes_one(node: ast.AST) -> bool:
    """Whether a call takes one item out of a list or a deque."""
    match node:
        case ast.Call(ast.Attribute(attr="pop" | "popleft"), [] | [_]):
            return True
    return False


def _reads_what_is_left(tree: Tree, check: ast.AST, act: ast.AST) -> bool:
    """Whether an item is taken by a check that keeps the last one, which is read if nothing is taken:
    `if len(items) > 1: items.pop(0)`, else `items[0]`."""
    match act:
        case ast.Call(ast.Attribute(container)) if _takes_one(act):
            text = ast.unparse(container)
        case _:
            return False
    for step in tree.above(check):
        match step.parent:
            case ast.If(body=body, orelse=otherwise) as choice if step.field == "test":
                is_within = any(act in ast.walk(each) for each in body)
                is_next = not is_within and not otherwise and ends(body) and tree.follows(choice, act)
                is_other = any(act in ast.walk(each) for each in otherwise)
                instead = otherwise if is_within else body if is_next or is_other else []
                return any(_reads_an_end(each, text) for statement in instead for each in ast.walk(statement))
            case ast.stmt():
                return False
    return False


def _reads_an_end(node: ast.AST, text: str) -> bool:
    match node:
        case ast.Subscript(container, ast.Constant(0) | ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.Load()):
            return ast.unparse(container) == text
    return False
