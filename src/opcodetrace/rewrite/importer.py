"""Weaves modules as they are imported.

`SourceLoader.get_code` is replaced, rather than a finder added: `sys.meta_path`, `__loader__` and `__spec__` stay what
they are. The replacement's frames carry importlib's own file name, so importlib cuts them out of tracebacks and
debuggers step over them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import _bootstrap_external
from os import path
from types import CodeType
from typing import Any

from opcodetrace.rewrite.synchronisation import LIBRARY
from opcodetrace.rewrite.weave import Weaver

_HOOK = """
def get_code(self, fullname):
    code = original(self, fullname)
    return code if code is None else weave(self, fullname, code)
"""


def install(weaver: Weaver, roots: Iterable[str]) -> None:
    """From now on modules whose file lies below one of the folders `roots` are woven as they are loaded.

    The standard library and installed packages (site-packages) below a root are left as they are.
    """
    folders = tuple(_folder(root) for root in roots)
    excluded = tuple(_folder(each) for each in {sys.prefix, sys.base_prefix} if _is_below(each, folders))
    library = _folder(path.dirname(path.__file__))
    loader: Any = _bootstrap_external.SourceLoader

    def in_scope(filename: str) -> bool:
        filename = path.realpath(filename)
        parts = filename.split(path.sep)
        return (
            filename.startswith(folders)
            and not filename.startswith((library, *excluded))
            and "site-packages" not in parts
            and "dist-packages" not in parts
        )

    def weave(self: Any, fullname: str, code: CodeType) -> CodeType:
        try:
            filename = self.get_filename(fullname)
            if not in_scope(filename):
                operations = LIBRARY.get(fullname) if filename.startswith(library) else None
                return code if operations is None else weaver.describe(code, operations)
            return weaver.weave_module(code, filename, fullname, self.get_data(filename))
        except Exception:
            return code  # a loader of the program's own: its module runs as it is

    namespace: dict[str, Any] = {"original": loader.get_code, "weave": weave}
    exec(compile(_HOOK, "<frozen importlib._bootstrap_external>", "exec"), namespace)
    hook = namespace["get_code"]
    for attribute in ("__doc__", "__module__", "__qualname__"):
        setattr(hook, attribute, getattr(loader.get_code, attribute))
    loader.get_code = hook


def _folder(name: str) -> str:
    return path.join(path.realpath(name), "")


def _is_below(name: str, folders: tuple[str, ...]) -> bool:
    return _folder(name).startswith(folders)
