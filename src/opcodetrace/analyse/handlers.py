"""Where a program is ready for an access that fails: the bodies of `try` with `except`, and of `with suppress(...)`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opcodetrace.trace.run import Trace
from opcodetrace.trace.source_text import parsed


class _Part(NamedTuple):
    """A function, class or body, by its lines."""

    first: int
    last: int
    is_handled: bool


class Handlers:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._sources = {file.id: file.source for file in trace.files}
        self._parts: dict[int, list[_Part]] = {}

    def around(self, file: int, line: int | None) -> bool:
        """Whether what fails in a line may be handled in the same function."""
        if file not in self._parts:
            self._parts[file] = list(_parts(parsed(self._sources.get(file, b""))))
        if line is None:
            return False
        around = [part for part in self._parts[file] if part.first <= line <= part.last]
        innermost = max(around, key=lambda part: (part.first, -part.last), default=None)
        return innermost is not None and innermost.is_handled


def _parts(nodes: Iterable[ast.AST]) -> Iterator[_Part]:
    yield _Part(1, sys.maxsize, False)
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield _Part(node.lineno, node.end_lineno or node.lineno, False)
        elif (isinstance(node, ast.Try | ast.TryStar) and node.handlers) or (
            isinstance(node, ast.With) and any(_suppresses(item.context_expr) for item in node.items)
        ):
            last = node.body[-1]
            yield _Part(node.body[0].lineno, last.end_lineno or last.lineno, True)
        pending += ast.iter_child_nodes(node)


def _suppresses(entered: ast.expr) -> bool:
    match entered:
        case ast.Call(ast.Name("suppress") | ast.Attribute(attr="suppress")):
            return True
        case _:
            return False
