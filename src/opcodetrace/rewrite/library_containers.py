"""Containers of the standard library that are written in Python: a class of the program that derives from one is a
container like one of its own, so what these functions access is recorded, too.

Of such a module these functions alone are woven, as soon as a woven module names one of its containers. If it has been
imported, each function is given woven code where it is, unless it has another than the module's own.
"""

from __future__ import annotations

import _imp
import sys
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from opcodetrace.errors import place_of
from opcodetrace.rewrite.cache import read_file
from opcodetrace.rewrite.module_weaver import ModuleWeaver
from opcodetrace.trace.library import CONTAINERS, is_of_container
from opcodetrace.trace.site import EXCLUDED

_ABSTRACT = "collections.abc"  # as it calls itself; it is known by another name from the start
_IMPORTED_AS = {_ABSTRACT: "_collections_abc"}
# By the name that a program says: whose functions it then runs.
_NAMED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Mapping", "MutableMapping", "MutableSet", "MutableSequence"), (_ABSTRACT,)),
    **dict.fromkeys(("UserDict", "UserList"), ("collections", _ABSTRACT)),
    "Counter": ("collections",),
    "cached_property": ("functools",),
    **dict.fromkeys(("WeakValueDictionary", "WeakKeyDictionary"), ("weakref", _ABSTRACT)),
    "WeakSet": ("_weakrefset",),
}


class LibraryContainers:
    """Those of this process, and which of them are woven."""

    def __init__(self, weaver: ModuleWeaver, is_excluded: Callable[[str], bool]) -> None:
        self._weaver = weaver
        self._is_excluded = is_excluded
        self._lock = allocate_lock()  # modules are imported by several threads
        self._known: frozenset[str] = frozenset()
        self._awaited: frozenset[str] = frozenset()
        self._replaced: tuple[CodeType, ...] = ()

    def weave_named_in(self, code: CodeType) -> None:
        """Weaves those whose names are in this code or in what is nested in it. Raises only what it
        raises to tell of one that is left."""
        for module in modules_named_in(code):
            with self._lock:
                if module in self._known:
                    continue
                self._known |= {module}
                found = imported(module)
                if self._is_excluded(module):
                    self._weaver.leave(module, EXCLUDED)
                    continue
                if found is None:
                    self._awaited |= {module}
            if found is not None:
                try:
                    self._weave(module, found)
                except Exception as error:
                    self._weaver.leave(module, f"{type(error).__name__}: {error}, at {place_of(error)}")

    def awaited(self, module: str) -> tuple[str, ...]:
        """What is to be woven of a module that is being imported."""
        return CONTAINERS[module] if module in self._awaited else ()

    def _weave(self, name: str, module: ModuleType) -> None:
        file, spec = module.__dict__.get("__file__"), module.__dict__.get("__spec__")
        if file is None or spec is None:
            self._weaver.leave(name, "the file that it was made from is not known")
            return
        code: CodeType = spec.loader.get_code(spec.name)
        shown = code.co_filename  # <frozen _collections_abc>, which a woven module that was kept is not shown as
        woven = self._weaver.weave_file(code, file, name, read_file(file), only=CONTAINERS[name])
        _imp._fix_co_filename(woven, shown)  # type: ignore[attr-defined]
        codes = {before.co_qualname: (before, after) for before, after in _pairs(code, woven) if before is not after}
        for function in container_functions(name, module):
            before, after = codes.get(function.__code__.co_qualname, (None, None))
            if after is not None and function.__code__ == before:
                self._replaced += (function.__code__,)  # another thread may be about to run it
                function.__code__ = after


def modules_named_in(code: CodeType) -> list[str]:
    """The modules of those whose names are in this code or in what is nested in it."""
    return list(dict.fromkeys(module for name in sorted(_names(code) & _NAMED.keys()) for module in _NAMED[name]))


def imported(module: str) -> ModuleType | None:
    found = sys.modules.get(_IMPORTED_AS.get(module, module))
    return found if type(found) is ModuleType else None


def container_functions(name: str, module: ModuleType) -> Iterator[FunctionType]:
    """Those of the containers of a module."""
    for owner in dict.fromkeys(each.partition(".")[0] for each in CONTAINERS[name]):
        for value in list(vars(module.__dict__[owner]).values()):
            function: Any = getattr(value, "__func__", value)
            if type(function) is FunctionType and is_of_container(name, function.__qualname__):
                yield function


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _pairs(one: CodeType, other: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """What is nested in two codes of the same make."""
    for before, after in zip(one.co_consts, other.co_consts, strict=False):
        if isinstance(before, CodeType) and isinstance(after, CodeType):
            yield before, after
            yield from _pairs(before, after)
