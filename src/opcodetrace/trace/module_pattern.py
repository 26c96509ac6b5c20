"""Patterns by which modules are included and excluded: `requests.*`, `queue`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

_PATTERN = re.compile(r"[\w.*?!\-\[\]]+")


def is_pattern(text: str) -> bool:
    """Whether it can match the dotted name of a module at all: a path, for one, cannot."""
    return _PATTERN.fullmatch(text) is not None


def matches(pattern: str, module: str) -> bool:
    """As shells match file names. `requests.*` is `requests` too, and all below it."""
    return fnmatchcase(module, pattern) or (pattern.endswith(".*") and fnmatchcase(module, pattern[:-2]))


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a module's name matches any of them."""
    return lambda module: any(matches(pattern, module) for pattern in patterns)
