"""What checks found, and whether they would find the same after a change (`trace.site.Test.answer`)."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from opcodetrace.trace.event import Event, EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.site import Operation, Site

_MEMBER = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")  # of an Enum, as it is told
OF_NOTHING = frozenset(["absent", "raises", "is None"])  # answers by which something is made, as nothing is there
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
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
