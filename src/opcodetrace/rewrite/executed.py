"""Weaves code as `exec` or `eval` runs it: modules (importlib and `runpy` execute them so, whatever loaded them), test
modules that pytest rewrote, methods that `dataclasses` or attrs made, what the program made itself.

So importlib, its loaders and the `.pyc` files are what they are without us. Code of a Python file is woven like the
module that it makes. Code of no file belongs to the module whose globals it runs in. If those name no module, it
belongs to the nearest caller outside the package that generated it.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from opcodetrace.errors import place_of
from opcodetrace.rewrite.cache import read_file
from opcodetrace.rewrite.library_containers import LibraryContainers
from opcodetrace.rewrite.module_weaver import ModuleWeaver
from opcodetrace.rewrite.selection import Selection
from opcodetrace.rewrite.woven_module import NONE
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.site import EXCLUDED

MAX_GENERATED = 5000  # distinct code objects of no file; each takes memory for good


def install(weaver: ModuleWeaver, selection: Selection, probe: Probe, script: CodeType | None = None) -> None:
    """From now on `exec` and `eval` run selected code woven."""
    executed = _Executed(weaver, selection)
    if script is not None:
        executed.containers.weave_named_in(script)
    probe.weave_executed(executed.wanted, executed.weave)


class _Part(NamedTuple):
    """What code about to be executed is part of."""

    module: str
    is_described: bool = False  # library code in which threads wait, and that is not woven
    only: tuple[str, ...] = ()  # the classes and functions that are woven; all, if there are none


class _Executed:
    def __init__(self, weaver: ModuleWeaver, selection: Selection) -> None:
        self._weaver = weaver
        self._selection = selection
        self.containers = LibraryContainers(weaver, selection.is_excluded)
        self._known: dict[tuple[CodeType, str, str], CodeType] = {}

    def wanted(self, executed: CodeType | str | bytes, namespace: dict[str, Any]) -> _Part | None:
        """What code about to be executed is part of; None if it is to run as it is."""
        if not self._weaver.is_recorded():
            return None
        name = _module_name(namespace)
        if isinstance(executed, CodeType) and _is_python_file(executed.co_filename):
            return self._selected(name or "", executed.co_filename) or self._of_library(name, executed.co_filename)
        if name is not None:
            file = _file_of(name)
            if file is not None or name == "__main__":
                return self._selected(name, file or "")
        return self._of_caller(sys._getframe(1))

    def _selected(self, name: str, file: str) -> _Part | None:
        if self._selection.is_woven(name, file):
            return _Part(name)
        if self._selection.is_kept_out(name, file):
            self._weaver.leave(name, EXCLUDED)
        return None

    def _of_library(self, name: str | None, file: str) -> _Part | None:
        if name is None or not self._is_library(file):
            return None
        if name in LIBRARY:
            return _Part(name, is_described=True)
        containers = self.containers.awaited(name)
        return _Part(name, only=containers) if containers else None

    def _is_library(self, file: str) -> bool:
        return file.startswith(self._selection.library)

    def _of_caller(self, frame: FrameType | None) -> _Part | None:
        """The module that has code executed: the caller, or else the first one outside the package that calls."""
        maker: str | None = None
        while frame is not None:
            name = _text(frame.f_globals, "__name__")
            package = "" if name is None else name.partition(".")[0]
            if name is not None and package != maker:
                file = _file_of(name)
                if self._selection.is_woven(name, file or ""):
                    return _Part(name)
                if maker is not None:
                    return None
                maker = package
            frame = frame.f_back
        return None

    def weave(self, code: CodeType, executed: CodeType | str | bytes, part: _Part) -> CodeType:
        """The code woven, or as it is; the collector is told which."""
        path, module = code.co_filename, part.module
        try:
            if isinstance(executed, CodeType) and _is_python_file(path):
                operations = LIBRARY.get(module, NONE) if self._is_library(path) else NONE
                if part.is_described:
                    return self._weaver.describe_file(code, path, operations)
                self.containers.weave_named_in(code)
                content = _content(path, module)
                return self._weaver.weave_file(code, path, module, content, operations=operations, only=part.only)
            key = (code, path, module)
            if key not in self._known:
                if len(self._known) >= MAX_GENERATED:
                    self._weaver.leave(path, f"more than {MAX_GENERATED:,} pieces of code were generated")
                    return code
                self._known[key] = self._weaver.weave_module(code, path, module, _source(executed, path))
            return self._known[key]
        except Exception as error:
            self._weaver.leave(module, f"{type(error).__name__}: {error}, at {place_of(error)}")
            return code


def _is_python_file(path: str) -> bool:
    return path.endswith(".py") and not path.startswith("<")


def _module_name(namespace: dict[str, Any]) -> str | None:
    """By what it was found, if `runpy` runs it as `__main__`."""
    name, spec = _text(namespace, "__name__"), dict.get(namespace, "__spec__")
    if name == "__main__" and type(spec) is ModuleSpec:
        return _text(spec.__dict__, "name") or name
    return name


def _text(namespace: dict[str, Any], key: str) -> str | None:
    value = dict.get(namespace, key)
    return value if type(value) is str else None


def _file_of(module: str) -> str | None:
    """The file of an imported module; what else lies in sys.modules may run code of its own if it is asked."""
    found = sys.modules.get(module)
    return _text(found.__dict__, "__file__") if type(found) is ModuleType else None


def _content(path: str, module: str) -> bytes:
    """Of a Python file, or of one in an archive, by CPython's own importer of these. Raises OSError."""
    try:
        return read_file(path)
    except OSError:
        zipimport, found = sys.modules.get("zipimport"), sys.modules.get(module)
        if type(zipimport) is not ModuleType or type(found) is not ModuleType:
            raise
        loader: Any = found.__dict__.get("__loader__")
        if type(loader) is not zipimport.zipimporter:
            raise
        return bytes(loader.get_data(path))


def _source(executed: CodeType | str | bytes, path: str) -> bytes:
    """Of code that was compiled elsewhere only what its maker has told `linecache`, for tracebacks."""
    if isinstance(executed, str):
        return executed.encode("utf-8", "surrogatepass")
    if isinstance(executed, bytes):
        return executed
    linecache = sys.modules.get("linecache")
    cached = getattr(linecache, "cache", {}).get(path) if type(linecache) is ModuleType else None
    lines = cached[2] if isinstance(cached, tuple) and len(cached) == 4 else ()
    return "".join(lines).encode("utf-8", "surrogatepass")
