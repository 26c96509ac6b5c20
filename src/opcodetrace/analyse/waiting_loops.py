"""Loops that only wait: `while not event.is_set(): time.sleep(0.1)`.

What they look at is often state of a library, which is not recorded. Who comes out of one may know of anything that was
done before.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opcodetrace.trace.run import Trace
from opcodetrace.trace.source_text import parsed

_WAITS = frozenset(["sleep", "wait", "sched_yield", "select", "poll"])  # last names of what is called to let time pass


class _Scope(NamedTuple):
    """A function or class, by its lines, and where its first waiting loop ends."""

    first: int
    last: int
    waited: int | None


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
        return innermost is not None and innermost.waited is not None and innermost.waited <= line


def _scopes(source: bytes) -> Iterator[_Scope]:
    if b"while" not in source:
        return
    pending: list[tuple[int, int, Iterable[ast.AST]]] = [(1, sys.maxsize, parsed(source))]
    while pending:
        first, last, nodes = pending.pop()
        loops = []
        inside = list(nodes)
        while inside:
            node = inside.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                pending.append((node.lineno, node.end_lineno or node.lineno, ast.iter_child_nodes(node)))
                continue
            if isinstance(node, ast.While) and all(_only_waits(each) for each in node.body):
                loops.append(node.end_lineno or node.lineno)
            inside += ast.iter_child_nodes(node)
        yield _Scope(first, last, min(loops, default=None))


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
