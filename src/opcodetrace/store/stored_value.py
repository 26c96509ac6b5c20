"""How values lie in the database: as SQLite's own types if those say it all, else as text that people can read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opcodetrace.trace.event import ABSENT, Absent, Opaque, Raised, Value

# `<name #number>`, or in runs of before objects were numbered `<name at address>`; then what could be told of it.
_OPAQUE = re.compile(r"<(.*?)(?: #([0-9]+)| at (?:0x)?([0-9a-f]+))?>(?: (=|once) (.*))?", re.DOTALL)

# What ascii() makes of a text; anything else of the text may stand for itself.
_ESCAPE = r"""\\(?:[\\'"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})"""
_QUOTED = re.compile(rf"""(['"])((?:[^\\]|{_ESCAPE})*)\1""", re.DOTALL)

SqlValue = int | float | str | bytes | None
MAX_NAME = 1 << 16  # characters of a name, a label, an expression, a value
MAX_INTEGER = (1 << 63) - 1
DECIMAL_BITS = 4096  # longer integers are written in hexadecimal: Python limits the length of decimal ones


def storable(text: str) -> str:
    """A name such that SQLite can take it, cut if it is longer than what is read back."""
    text = _escaped(text)
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


def storable_row(row: Any) -> Any:
    """What is bound to a statement, its texts such that SQLite can take them."""
    if isinstance(row, Mapping):
        return {name: _storable_cell(cell) for name, cell in row.items()}
    return tuple(map(_storable_cell, row))


def _storable_cell(cell: object) -> object:
    return _escaped(cell) if isinstance(cell, str) else cell


def _escaped(text: str) -> str:
    """The text, with lone surrogates as Python writes them: SQLite's UTF-8 has none, and any may be in a name."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def to_sql(value: Value) -> tuple[SqlValue, str | None]:
    """The columns `value` and `value_type`."""
    match value:
        case bool():
            return str(value), "bool"
        case int():
            if -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
                return value, None
            return (str(value) if value.bit_length() <= DECIMAL_BITS else hex(value)), "int"
        case float():
            return (value, None) if value == value else ("nan", "float")
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return ascii(value), "str"
            return value, None
        case None:
            return "None", "NoneType"
        case Opaque():
            return storable(str(value)), "object"
        case Absent():
            return None, None
        case Raised():
            return storable(value.type_name), "raised"
        case _:
            return bytes(value), None


def from_sql(value: SqlValue, value_type: str | None) -> Value:
    """ValueError if it is nothing that `to_sql` makes."""
    if value_type is None:
        return ABSENT if value is None else value
    if not isinstance(value, str) or not isinstance(value_type, str):
        raise ValueError("a text with the name of its type")
    text = value
    match value_type:
        case "bool" if text in ("True", "False"):
            return text == "True"
        case "bool":
            raise ValueError("True or False")
        case "int":
            return int(text, 0)
        case "float":
            return float(text)
        case "str":
            return _unquoted(text)
        case "NoneType":
            return None
        case "raised":
            return Raised(text)
        case _:
            return _opaque(text)


def _unquoted(text: str) -> str:
    """What ascii() was given."""
    found = _QUOTED.fullmatch(text)
    if found is None:
        raise ValueError("a quoted text")
    return found[2].encode("ascii", "backslashreplace").decode("unicode_escape")


def _opaque(text: str) -> Opaque:
    """What str() makes of it."""
    found = _OPAQUE.fullmatch(text)
    if found is None:
        return Opaque(text, None)
    name, identity, address, relation, told = found.groups()
    number = int(identity) if identity else int(address, 16) if address else None
    return Opaque(name, number, told, relation == "once")
