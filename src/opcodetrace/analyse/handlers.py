"""Where a program is ready for an access that fails: in `try` with an `except` that does no more than go on, end the
loop or return, and in `with suppress(...)`. A handler that does something may tell of the failure."""

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
    is_ready: bool


class Handlers:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sources = {file.id: file.source for file in trace.files}
        self._parts: dict[int, list[_Part]] = {}

    def around_site(self, site: int) -> bool:
        """The same of an access."""
        known = self._trace.sites.get(site)
        return known is not None and self.around(self._trace.site_codes[site].file, known.line)

    def around(self, file: int, line: int | None) -> bool:
        """Whether what fails in a line is expected, as far as its function shows."""
        if file not in self._parts:
            self._parts[file] = list(_parts(parsed(self._sources.get(file, b""))))
        if line is None:
            return False
        around = [part for part in self._parts[file] if part.first <= line <= part.last]
        innermost = max(around, key=lambda part: (part.first, -part.last), default=None)
        return innermost is not None and innermost.is_ready


def _parts(nodes: Iterable[ast.AST]) -> Iterator[_Part]:
    yield _Part(1, sys.maxsize, False)
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield _Part(node.lineno, node.end_lineno or node.lineno, False)
        elif (isinstance(node, ast.Try | ast.TryStar) and any(_goes_on(each) for each in node.handlers)) or (
            isinstance(node, ast.With) and any(_suppresses(item.context_expr) for item in node.items)
        ):
            last = node.body[-1]
            yield _Part(node.body[0].lineno, last.end_lineno or last.lineno, True)
        pending += ast.iter_child_nodes(node)


def _goes_on(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(each, ast.Pass | ast.Continue | ast.Break)
        or (isinstance(each, ast.Return) and (each.value is None or isinstance(each.value, ast.Constant | ast.Name)))
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in handler.body
    )


def _suppresses(entered: ast.expr) -> bool:
    match entered:
        case ast.Call(ast.Name("suppress") | ast.Attribute(attr="suppress")):
            return True
        case _:
            return False
