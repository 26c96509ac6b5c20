"""Text as it is shown: on one line, printable, in what the stream can take."""

from __future__ import annotations

from opcodetrace.trace.execution import RunInfo

MAX_DECIMAL_BITS = 4096  # Python limits the length of decimal numbers
ASCII = str.maketrans(dict(zip("│─┼▶◀└⋮…∥·×⇄", "|-+><`:~=-x%", strict=True)))


def identity(text: str) -> str:
    """A name or a piece of code, as it is."""
    return text


def printable(text: str) -> str:
    """The text on one line, tabs as spaces and whatever does not print escaped."""
    text = text.replace("\t", "    ")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


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
