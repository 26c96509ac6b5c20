"""Names whose values are not shown, or not stored: password, api_key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from opcodetrace.trace.event import Opaque, Value

if TYPE_CHECKING:
    from opcodetrace.trace.location import Location

SHOWN_HIDDEN = ("password", "passwd", "token", "secret", "key")  # in reports, if nothing else is said
_SHORTEST_SECRET = 4  # characters
_PATTERN = re.compile(r"[\w*?!\-\[\]]+")
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_pattern(text: str) -> bool:
    """Whether it can match a name at all."""
    return _PATTERN.fullmatch(text) is not None and bool(_words(text, r"[^\s_]+"))


def is_redacted(name: str, patterns: Sequence[str]) -> bool:
    """Whether words of the name, one after the other, are those of a pattern: `key` means `api_key` and `apiKey`, not
    `keyboard`; `api_key` both words; `pass*` all that begins so."""
    words = _words(name, r"[^\W_]+")
    for pattern in patterns:
        wanted = _words(pattern, r"[^\s_]+")
        for start in range(len(words) - len(wanted) + 1):
            if all(map(fnmatchcase, words[start : start + len(wanted)], wanted)):
                return True
    return False


def may_be_secret(value: Value) -> bool:
    """Whether the value itself, or what is told of what is in it, may be a password or the like: a text that is not too
    short, or digits that are too many for a number."""
    if isinstance(value, Opaque):
        text = value.text or ""
        return "'" in text or text.lstrip("-").isdigit()
    return isinstance(value, str | bytes) and len(value) >= _SHORTEST_SECRET


def _words(name: str, word: str) -> list[str]:
    return [each.lower() for each in re.findall(word, _BETWEEN_WORDS.sub("_", name))]


def is_location_redacted(location: Location, patterns: Sequence[str]) -> bool:
    """Whether what a location holds is not to be seen: by its label, or by a key that is a name."""
    key = location.key if isinstance(location.key, str) else ""
    return is_redacted(f"{location.label} {key}", patterns)
