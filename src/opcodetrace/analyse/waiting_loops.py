"""Loops that only wait: `while not event.is_set(): time.sleep(0.1)`.

What they look at is often state of a library, which is not recorded. Who comes out of one may know of anything that was
done before.
"""

from __future__ import annotations

import ast
import bisect
from collections.abc import Iterator
from typing import NamedTuple

from opcodetrace.trace.run import Trace

_WAITS = frozenset(["sleep", "wait", "sched_yield", "select", "poll"])  # last names of what is called to let time pass


_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class _Scope(NamedTuple):
    """A function's or module's lines, and where its waiting loops end."""

    first: int
    last: int
    loops: list[int]


class WaitingLoops:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._sources = {file.id: file.source for file in trace.files}
        self._scopes: dict[int, list[_Scope]] = {}

    def before(self, file: int, line: int | None) -> bool:
        """Whether there is one before a line, in the same function."""
        if file not in self._scopes:
            self._scopes[file] = list(_scopes(self._sources.get(file, b"")))
        if line is None:
            return False
        around = [scope for scope in self._scopes[file] if scope.first <= line <= scope.last]
        innermost = max(around, key=lambda scope: scope.first, default=None)
        return innermost is not None and bisect.bisect_right(innermost.loops, line) > 0


def _scopes(source: bytes) -> Iterator[_Scope]:
    if b"while" not in source:
        return
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    pending: list[_Named | ast.Module] = [tree]
    while pending:
        scope = pending.pop()
        loops = []
        inside = list(ast.iter_child_nodes(scope))
        while inside:
            node = inside.pop()
            if isinstance(node, _Named):
                pending.append(node)
                continue
            if isinstance(node, ast.While) and all(_only_waits(each) for each in node.body):
                loops.append(node.end_lineno or node.lineno)
            inside += ast.iter_child_nodes(node)
        if isinstance(scope, ast.Module):
            yield _Scope(1, 1 << 30, sorted(loops))
        else:
            yield _Scope(scope.lineno, scope.end_lineno or scope.lineno, sorted(loops))


def _only_waits(statement: ast.stmt) -> bool:
    """Whether a loop of such statements does nothing but wait, and count how long."""
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break() | ast.Raise():
            return True
        case ast.Expr(ast.Call(func)):
            name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
            return name in _WAITS
        case ast.If():
            return all(_only_waits(each) for each in (*statement.body, *statement.orelse))
        case ast.AugAssign(ast.Name()) | ast.Assign([ast.Name()]):
            return True
        case _:
            return False
