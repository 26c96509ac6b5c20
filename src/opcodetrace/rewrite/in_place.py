"""Weaves functions that exist already, by giving them woven code in place of their own.

For code that is recorded in the process that it runs in: its modules were imported before, and run on afterwards.
"""

from __future__ import annotations

import functools
import gc
import linecache
import sys
import warnings
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from opcodetrace.errors import UsageError
from opcodetrace.rewrite.scope import Scope, scope_of
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.trace.hook import Probe

Entry = tuple[object, ...]  # what the weaver sends

_WAITED_IN = ("threading", "queue")  # library code in which threads wait: a report can say for what
_EXECUTED = "<string>"  # the file name of code made by exec: the methods that dataclasses write


def functions_of(targets: Iterable[object]) -> list[FunctionType]:
    """All functions that the targets name: functions, classes, modules and names of modules.

    Of a class: its methods and those of the bases and nested classes of its module. Of a module: every function that lives and
    was defined there, wherever it is held. UsageError where a target is none of these.
    """
    found: dict[int, FunctionType] = {}
    for target in targets:
        named = import_named(target) if isinstance(target, str) else target
        if isinstance(named, ModuleType):
            _collect_namespace(vars(named), found)
            continue
        here: dict[int, FunctionType] = {}
        _collect(named, here, None, set())
        found |= here
        if not here and not isinstance(named, type):
            raise UsageError(
                f"cannot record {_shown(named)}: name a function, a class, a module or a module's name, written in Python"
            )
    return list(found.values())


def functions_of_namespace(namespace: dict[str, Any]) -> list[FunctionType]:
    """Every function that lives and was defined in a module's namespace."""
    found: dict[int, FunctionType] = {}
    _collect_namespace(namespace, found)
    return list(found.values())


def import_named(name: str) -> ModuleType:
    """The module of this name. UsageError where there is none."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"cannot record the module {name!r}: {error}") from error


def _shown(target: object) -> str:
    text = repr(target) if type(target).__repr__ is not object.__repr__ else f"an object of {type(target).__qualname__}"
    return text if len(text) <= 60 else f"an object of {type(target).__qualname__}"


def _collect_namespace(namespace: dict[str, Any], found: dict[int, FunctionType]) -> None:
    # A function refers to the globals of the module that it was defined in: the collector knows all that do.
    # What gc.freeze() put out of its sight is found by the module's own names.
    candidates: dict[int, FunctionType] = {}
    for referrer in gc.get_referrers(namespace):
        if type(referrer) is FunctionType and referrer.__globals__ is namespace:
            candidates[id(referrer)] = referrer
    seen: set[int] = set()
    for value in list(namespace.values()):
        if not isinstance(value, type) or value.__module__ == namespace.get("__name__"):
            _collect(value, candidates, namespace, seen)
    for function in candidates.values():
        if function.__code__.co_filename != _EXECUTED or linecache.getlines(_EXECUTED):
            found[id(function)] = function


def _collect(
    target: object, found: dict[int, FunctionType], namespace: dict[str, Any] | None, seen: set[int]
) -> None:
    """Adds the functions in a function, class or descriptor; with a `namespace`, only those that were defined there."""
    if id(target) in seen:
        return
    seen.add(id(target))
    if isinstance(target, type):
        for base in target.__mro__:
            if base is target or base.__module__ == target.__module__ != "builtins":
                for value in list(vars(base).values()):
                    if not isinstance(value, type):
                        _collect(value, found, namespace, seen)
                    elif value.__module__ == base.__module__ and value.__qualname__.startswith(f"{base.__qualname__}."):
                        _collect(value, found, namespace, seen)
        return
    if isinstance(target, FunctionType):
        if namespace is None or target.__globals__ is namespace:
            found[id(target)] = target
        for cell in target.__closure__ or ():  # what a decorator without functools.wraps holds
            inner = _cell_contents(cell)
            if isinstance(inner, FunctionType) and inner.__globals__ is target.__globals__:
                _collect(inner, found, namespace, seen)
        wrapped = vars(target).get("__wrapped__")
    elif isinstance(target, (MethodType, staticmethod, classmethod)):
        wrapped = target.__func__
    elif isinstance(target, (functools.partial, functools.partialmethod, functools.cached_property)):
        wrapped = target.func
    elif isinstance(target, property):
        for accessor in (target.fget, target.fset, target.fdel):
            _collect(accessor, found, namespace, seen)
        return
    else:
        wrapped = _wrapped(target)
    if wrapped is not None:
        _collect(wrapped, found, namespace, seen)


def _wrapped(target: object) -> object:
    """What an object of another type wraps (functools.lru_cache), without running code of the program's."""
    try:
        attributes = object.__getattribute__(target, "__dict__")
    except (AttributeError, TypeError):
        return None
    return attributes.get("__wrapped__") if type(attributes) is dict else None


def _cell_contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # empty


@dataclass(frozen=True, slots=True)
class _Woven:
    """Code that was woven, and what the weaver said of it: it is used again as long as its code lives."""

    original: weakref.ref[CodeType]
    code: CodeType
    scope: Scope
    entries: tuple[Entry, ...]


class Weavings:
    """Weaves functions and gives them their own code back. What it wove it keeps for the next time."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._sent: list[Entry] = []
        self._weaver = Weaver(lambda entry: self._sent.append(entry), probe)
        self._woven: dict[int, _Woven] = {}  # by the id of the original
        self._described: dict[int, tuple[weakref.ref[CodeType], CodeType]] = {}
        self._files: dict[tuple[str, str], tuple[int, bytes, Entry]] = {}

    def weave(self, functions: list[FunctionType]) -> Weaving:
        """Woven code for the functions, which are not changed yet."""
        sources = _Sources()
        scope = _scope(functions, sources)
        entries: list[Entry] = []
        files: dict[int, Entry] = {}
        codes: dict[int, CodeType] = {}  # by the id of the original
        originals = {id(function.__code__): function.__code__ for function in functions}
        within = {id(nested) for code in originals.values() for nested in _nested(code)}
        outermost = {id(f.__code__): f for f in functions if id(f.__code__) not in within}
        for function in outermost.values():
            file, entry = self._file(function, sources)
            woven = self._weave(function.__code__, file, scope)
            files[file] = entry
            entries += woven.entries
            _pair(function.__code__, woven.code, codes)
        replacements = [
            (function, function.__code__, codes[id(function.__code__)])
            for function in functions
            if codes[id(function.__code__)] is not function.__code__
        ]
        replacements += self._describe()
        return Weaving(
            replacements,
            [*files.values(), *entries],
            [codes[id(function.__code__)] for function in outermost.values()],
        )

    def _file(self, function: FunctionType, sources: _Sources) -> tuple[int, Entry]:
        path = function.__code__.co_filename
        module = str(function.__globals__.get("__name__", ""))
        source = sources.of(path)
        known = self._files.get((path, module))
        if known is None or known[1] != source:
            del self._sent[:]
            file = self._weaver.add_file(path, module, source)
            known = self._files[path, module] = file, source, self._sent.pop()
        return known[0], known[2]

    def _weave(self, code: CodeType, file: int, scope: Scope) -> _Woven:
        known = self._woven.get(id(code))
        if known is not None and known.original() is code and known.scope == scope and _file_of(known) == file:
            return known
        del self._sent[:]
        key = id(code)
        woven = _Woven(
            weakref.ref(code, lambda reference: self._forget(key, reference)),
            self._weaver.weave(code, file, scope),
            scope,
            tuple(self._sent),
        )
        self._woven[key] = woven
        return woven

    def _forget(self, key: int, reference: weakref.ref[CodeType]) -> None:
        known = self._woven.get(key)
        if known is not None and known.original is reference:
            del self._woven[key]

    def _describe(self) -> list[tuple[FunctionType, CodeType, CodeType]]:
        """The functions of the library in which threads wait, with what tells the probe for what."""
        replacements = []
        for name in _WAITED_IN:
            module = sys.modules.get(name)
            functions: dict[int, FunctionType] = {}
            if isinstance(module, ModuleType):
                for value in list(vars(module).values()):
                    if getattr(value, "__module__", None) == name:
                        _collect(value, functions, vars(module), set())
            for function in functions.values():
                code = function.__code__
                known = self._described.get(id(code))
                if known is None or known[0]() is not code:
                    known = self._described[id(code)] = weakref.ref(code), self._weaver.describe(code)
                if known[1] is not code:
                    replacements.append((function, code, known[1]))
        return replacements


def _file_of(woven: _Woven) -> object:
    return next((entry[2] for entry in woven.entries if entry[0] == "code"), None)


class Weaving:
    """Functions, their own code, and the woven code that they have while they are recorded."""

    def __init__(
        self,
        replacements: list[tuple[FunctionType, CodeType, CodeType]],
        entries: list[Entry],
        codes: list[CodeType],
    ) -> None:
        self._replacements = replacements
        self.entries = entries  # what the collector must know of the code
        self.codes = codes  # woven; what is nested in them is not listed

    def put_in(self) -> None:
        for function, _, woven in self._replacements:
            function.__code__ = woven

    def take_out(self) -> None:
        """Gives each function its own code back, unless the program has given it another meanwhile."""
        for function, original, woven in self._replacements:
            if function.__code__ is woven:
                function.__code__ = original


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _pair(original: CodeType, woven: CodeType, codes: dict[int, CodeType]) -> None:
    """Which woven code belongs to which original, nested code too."""
    codes[id(original)] = woven
    for old, new in zip(original.co_consts, woven.co_consts, strict=False):
        if isinstance(old, CodeType) and isinstance(new, CodeType):
            _pair(old, new, codes)


class _Sources:
    """The sources of files, each read once."""

    def __init__(self) -> None:
        self._of: dict[str, bytes] = {}

    def of(self, path: str) -> bytes:
        """Of a file, or of a cell in a notebook; empty where there is none."""
        if path not in self._of:
            try:
                with open(path, "rb") as file:
                    self._of[path] = file.read()
            except (OSError, ValueError):
                self._of[path] = "".join(linecache.getlines(path)).encode("utf-8", "surrogatepass")
        return self._of[path]


def _scope(functions: list[FunctionType], sources: _Sources) -> Scope:
    """The variables to watch: by the source of each file, and by each function, which may be of another source."""
    scopes = [scope_of(function.__code__) for function in functions]
    for path in {function.__code__.co_filename for function in functions}:
        compiled = _compiled(sources.of(path), path)
        if compiled is not None:
            scopes.append(scope_of(compiled))
    return Scope(
        frozenset().union(*(scope.globals for scope in scopes)),
        frozenset().union(*(scope.cells for scope in scopes)),
    )


def _compiled(source: bytes, path: str) -> CodeType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            return None  # a notebook's magics: then the functions alone tell

