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


class _Loop(NamedTuple):
    """A `while` loop, by its lines."""

    first: int
    last: int
    only_waits: bool


class _Scope(NamedTuple):
    """A function or class, by its lines."""

    first: int
    last: int
    loops: tuple[_Loop, ...]


class WaitingLoops:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._sources = {file.id: file.source for file in trace.files}
        self._scopes: dict[int, list[_Scope]] = {}

    def before(self, file: int, line: int | None) -> bool:
        """Whether there is one before a line, in the same function."""
        return line is not None and any(loop.only_waits and loop.last <= line for loop in self._loops(file, line))

    def any_between(self, file: int, first: int, last: int) -> bool:
        """Whether there is any `while` loop, whatever it does, between two lines of a function."""
        return any(first <= loop.first and loop.last < last for loop in self._loops(file, last))

    def _loops(self, file: int, line: int) -> tuple[_Loop, ...]:
        """Those of the function around a line."""
        if file not in self._scopes:
            self._scopes[file] = list(_scopes(self._sources.get(file, b"")))
        around = [scope for scope in self._scopes[file] if scope.first <= line <= scope.last]
        innermost = max(around, key=lambda scope: scope.first, default=None)
        return () if innermost is None else innermost.loops


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
            if isinstance(node, ast.While):
                loops.append(_Loop(node.lineno, node.end_lineno or node.lineno, all(map(_only_waits, node.body))))
            inside += ast.iter_child_nodes(node)
        yield _Scope(first, last, tuple(loops))


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
