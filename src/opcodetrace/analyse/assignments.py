"""Targets of assignments: how the source names them, and whether statements always assign to one."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def named_as(read: ast.AST) -> str:
    """The text of what is read, as the target of an assignment: `d[k]` if that is `d.get(k)`, `o.x` if it is
    `getattr(o, "x")`."""
    match read:
        case ast.Call(ast.Attribute(of, "get"), [key, *_], []):
            return f"{ast.unparse(of)}[{ast.unparse(key)}]"
        case ast.Call(ast.Name("getattr"), [of, ast.Constant(str(name)), *_], []):
            return f"{ast.unparse(of)}.{name}"
    return ast.unparse(read)


def writes_always(block: Sequence[ast.AST], target: ast.AST) -> bool:
    """Whether each way through a block assigns to what has the text of `target`, unless something raises."""
    if not isinstance(target, ast.Attribute | ast.Subscript | ast.Name):
        return False
    return _writes(block, ast.unparse(target))


def _writes(block: Sequence[ast.AST], text: str) -> bool:
    for statement in block:
        if _assigns(statement, text):
            return True
        if any(isinstance(each, ast.Return | ast.Break | ast.Continue) for each in ast.walk(statement)):
            return False
        if isinstance(statement, ast.Raise):
            return True
    return False


def _assigns(statement: ast.AST, text: str) -> bool:
    match statement:
        case ast.Assign(targets=targets):
            return any(ast.unparse(each) == text for each in targets)
        case ast.AnnAssign(target=target, value=ast.expr()):
            return ast.unparse(target) == text
        case ast.If(body=then, orelse=otherwise):
            return _writes(then, text) and _writes(otherwise, text)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return _writes(body, text)
        case ast.Try(body=body, handlers=handlers, finalbody=last):
            return (_writes(body, text) and all(_writes(each.body, text) for each in handlers)) or _writes(last, text)
        case _:
            return False
