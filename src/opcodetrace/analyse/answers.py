"""What checks found, and whether they would find the same after a change (`trace.site.Test.answer`)."""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from opcodetrace.trace.event import Event, EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.site import Operation, Site

_MEMBER = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")  # of an Enum, as it is told
_AMONG = re.compile(r"(not )?in (\(.*\))", re.DOTALL)
OF_NOTHING = frozenset(["absent", "raises", "is None"])  # answers by which something is made, as nothing is there
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,  # True or False
}


_EQUALS = {"==": True, "is": True, "!=": False}


def holds_after(answer: str, change: Event, location: Location, check: Site) -> bool | None:
    """Whether a check would find what it had found after a write or deletion; None if that cannot be told."""
    if change.kind == EventKind.DELETE:
        return _holds_without(answer, location, check)
    return would_hold(answer, change.value)


def would_hold(answer: str, value: Value) -> bool | None:
    """Whether a check would find what it had found if this is there; None if that cannot be told."""
    if answer in ("present", "absent", "raises"):
        return answer == "present"
    if is_unknown(value):
        return None
    among = _AMONG.fullmatch(answer)
    if among is not None:
        is_one = _is_among(among[2], value)
        return None if is_one is None else is_one != bool(among[1])
    if answer in ("is None", "is not None"):
        return (value is None) == (answer == "is None")
    if isinstance(value, Opaque) and is_member(value):
        return _would_be_member(answer, str(value.text))
    if not isinstance(value, int | float | str | bytes | None):
        return None
    if answer in ("true", "false"):
        return bool(value) == (answer == "true")
    sign, _, constant = answer.removeprefix("not ").partition(" ")
    try:
        compared: bool = _COMPARISONS[sign](value, ast.literal_eval(constant))
    except (TypeError, KeyError, ValueError, SyntaxError):
        return None
    return compared != answer.startswith("not ")


def _is_among(members: str, value: Value) -> bool | None:
    """Whether a value is among those that are written so: constants, and members of Enums."""
    parsed = _parsed_members(members)
    if parsed is None:
        return None
    constants, names = parsed
    if isinstance(value, Opaque):
        text = str(value.text)
        if not is_member(value) or any(name.partition(".")[0] != text.partition(".")[0] for name in names):
            return None
        return text in names if names else None
    if not isinstance(value, int | float | str | bytes | None):
        return None
    return True if value in constants else None if names else False


@functools.lru_cache(maxsize=256)
def _parsed_members(members: str) -> tuple[tuple[object, ...], tuple[str, ...]] | None:
    try:
        elements = ast.parse(members, mode="eval").body
        parts = elements.elts if isinstance(elements, ast.Tuple) else []
        names = tuple(ast.unparse(each) for each in parts if isinstance(each, ast.Attribute))
        return tuple(ast.literal_eval(each) for each in parts if not isinstance(each, ast.Attribute)), names
    except (SyntaxError, ValueError):
        return None


def _would_be_member(answer: str, member: str) -> bool | None:
    """Whether a comparison with a member of the same Enum finds what it had found if this one is there."""
    sign, _, compared = answer.removeprefix("not ").partition(" ")
    if sign not in _EQUALS or not _MEMBER.fullmatch(compared):
        return None
    if compared.partition(".")[0] != member.partition(".")[0]:
        return None
    return ((compared == member) == _EQUALS[sign]) != answer.startswith("not ")


def _holds_without(answer: str, location: Location, check: Site) -> bool | None:
    """The same if nothing is there any more. In place of an attribute or a global its class or the builtins may have
    one; a call may give a default."""
    if answer in ("absent", "raises"):
        return True
    if location.kind is not LocationKind.ITEM:
        return None
    if answer == "present":
        return False
    raises = location.container_type == "dict" and check.operation != Operation.CALL  # its heirs may have __missing__
    return False if raises else None


def is_member(value: Value) -> bool:
    """Whether it is a member of an Enum: as good as a constant."""
    return isinstance(value, Opaque) and value.text is not None and bool(_MEMBER.fullmatch(value.text))
