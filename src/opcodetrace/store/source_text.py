"""The text of a source file, by the positions that code objects give (lines from 1, columns in UTF-8 bytes)."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize

EXPRESSION_LENGTH = 120
_MEMBER = re.compile(r"(\w+\.)*[A-Z]\w*\.\w+")


class SourceText:
    """A source file cut into lines, as the compiler counts them."""

    def __init__(self, source: bytes) -> None:
        self._lines = _decode(source).replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def line(self, number: int | None) -> str:
        """The line, stripped; "" where there is none."""
        if number is None or not 0 < number <= len(self._lines):
            return ""
        return self._lines[number - 1].strip()

    def expression(
        self, line: int | None, column: int | None, end_line: int | None, end_column: int | None
    ) -> str | None:
        """The text between two positions, on one line and of bounded length; None where it is not known or empty."""
        if line is None or column is None or end_line is None or end_column is None:
            return None
        if not 0 < line <= end_line <= len(self._lines):
            return None
        cut = [text.encode("utf-8", "surrogatepass") for text in self._lines[line - 1 : end_line]]
        cut[-1] = cut[-1][:end_column]
        cut[0] = cut[0][column:]
        text = " ".join(b"\n".join(cut).decode("utf-8", "replace").split())
        if len(text) > EXPRESSION_LENGTH:
            text = text[: EXPRESSION_LENGTH - 1] + "…"
        return text or None


def _decode(source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding, "replace")
    except (SyntaxError, LookupError):
        return source.decode("utf-8", "replace")


@functools.lru_cache(maxsize=4096)
def container_text(expression: str) -> str | None:
    """What the last subscript or attribute is taken of: `bank` in `bank["a"]`, `self.a` in `self.a.b`."""
    node = _parsed(expression)
    if not isinstance(node, ast.Subscript | ast.Attribute):
        return None
    return ast.get_source_segment(expression, node.value)


@functools.lru_cache(maxsize=4096)
def member_key_text(expression: str) -> str | None:
    """The key of a subscript that is written as a member of a class: `Color.RED` in `votes[Color.RED]`."""
    node = _parsed(expression)
    if not isinstance(node, ast.Subscript):
        return None
    key = ast.get_source_segment(expression, node.slice)
    return key if key and _MEMBER.fullmatch(key) else None


def _parsed(expression: str) -> ast.expr | None:
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
