"""Text as it is shown: on one line, printable, in what the stream can take.

Whatever a program, a command line or a file has named goes through here before anybody sees it: it must steer no
terminal, turn no line round, and be no formula of a spreadsheet."""

from __future__ import annotations

import re

from opcodetrace.trace.execution import RunInfo
from opcodetrace.trace.printable import printable

MAX_DECIMAL_BITS = 4096  # Python limits the length of decimal numbers
FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet takes for the beginning of one
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UNPRINTED = re.compile(r"[^ -~]")
ASCII = str.maketrans(dict(zip("│─┼▶◀└⋮…∥·×⇄", "|-+><`:~=-x%", strict=True)))


def identity(text: str) -> str:
    """A name or a piece of code, as it is."""
    return text


def printable_json(text: str) -> str:
    """JSON that says the same, in which what does not print is an escape of JSON's; line ends stay."""
    return text if text.isprintable() else _UNPRINTED.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    if found[0] == "\n" or found[0].isprintable():
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def spreadsheet_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, and that steers no terminal; tabs and line ends stay."""
    shown = "".join(each if each in "\n\t" else printable(each) for each in text) if not text.isprintable() else text
    is_formula = shown.startswith(FORMULA) and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown


def encodable(text: str, encoding: str | None) -> str:
    """The text in what a stream can take: frames in ASCII and the rest escaped if it takes no Unicode."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(ASCII).encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")
    return text


def literal(value: object) -> str:
    """A value as Python writes it; a number that is too long for Python to write in decimals, in hexadecimal."""
    return hex(value) if isinstance(value, int) and value.bit_length() > MAX_DECIMAL_BITS else repr(value)


def shorten(text: str, length: int) -> str:
    """The text, with its middle left out if it is longer than that."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def call_text(expression: str, length: int) -> str:
    """A call, its arguments left out if it would be too long."""
    expression = printable(expression)
    callee = expression.partition("(")[0]
    if len(expression) > length and expression.endswith(")") and 0 < len(callee) <= length - 3:
        return f"{callee}(…)"
    return shorten(expression, length)


def shown_path(path: str, info: RunInfo) -> str:
    """The path as the user would type it: relative to where the run was started, if it lies below."""
    inside = info.cwd.rstrip("/") + "/"
    if path.startswith(inside):
        return path[len(inside) :]
    return path
