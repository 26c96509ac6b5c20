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
    """As shells match file names. The name of a package is all below it, too; so is `requests.*`."""
    package = pattern.removesuffix(".*")
    return fnmatchcase(module, package) or fnmatchcase(module, f"{package}.*")


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a module's name matches any of them."""
    return lambda module: any(matches(pattern, module) for pattern in patterns)
