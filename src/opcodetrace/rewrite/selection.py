"""Which modules are woven: those of the project, more by `--include`, fewer by `--exclude`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from os import path
from typing import Any

from opcodetrace.trace.module_pattern import matcher
from opcodetrace.trace.site import Patterns


class Selection:
    """Which modules are woven: those whose file lies below one of the folders `roots`, except the standard library and
    installed packages (site-packages) there; and what an include pattern matches, wherever it lies. Exclude patterns
    win."""

    def __init__(self, roots: Iterable[str], patterns: Patterns) -> None:
        self.patterns = patterns
        self.library = _folder(path.dirname(path.__file__))
        self._included = matcher(patterns.include)
        self.is_excluded = matcher(patterns.exclude)
        self._folders = tuple(_folder(root) for root in roots)
        self._installed = (
            self.library,
            *(_folder(each) for each in {sys.prefix, sys.base_prefix} if _folder(each).startswith(self._folders)),
        )

    def is_woven(self, module: str, filename: str) -> bool:
        """Whether the module's code is to be woven."""
        return self._is_meant(module, filename) and not self.is_excluded(module)

    def is_kept_out(self, module: str, filename: str) -> bool:
        """Whether the module would be woven, were it not for an exclude pattern."""
        return self.is_excluded(module) and self._is_meant(module, filename)

    def imported_earlier(self, modules: Mapping[str, Any]) -> list[str]:
        """Names of those that an include pattern matches: Python modules that were imported before they could be
        woven."""
        return [
            name
            for name, module in modules.items()
            if (getattr(module, "__file__", None) or "").endswith(".py")
            and self._included(name)
            and not self.is_excluded(name)
        ]

    def _is_meant(self, module: str, filename: str) -> bool:
        return self._included(module) or self._is_of_project(filename)

    def _is_of_project(self, filename: str) -> bool:
        filename = path.realpath(filename)
        parts = filename.split(path.sep)
        return (
            filename.startswith(self._folders)
            and not filename.startswith(self._installed)
            and "site-packages" not in parts
            and "dist-packages" not in parts
        )


def _folder(name: str) -> str:
    return path.join(path.realpath(name), "")
