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
from opcodetrace.rewrite.library_containers import container_functions, imported, modules_named_in
from opcodetrace.rewrite.scope import Scope, scope_of
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool.messages import Message
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.site import Code


def functions_of(targets: Iterable[object]) -> list[FunctionType]:
    """All functions that the targets name: functions, classes, modules and names of modules.

    Of a class: its methods and those of the bases and nested classes of its module. Of a module: every function that
    lives and was defined there, wherever it is held. UsageError if a target is none of these.
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
            raise UsageError(f"cannot record {_shown(named)}: name a function, class or module written in Python")
    return list(found.values())


def functions_of_namespace(namespace: dict[str, Any]) -> list[FunctionType]:
    """Every function that lives and was defined in a module's namespace."""
    found: dict[int, FunctionType] = {}
    _collect_namespace(namespace, found)
    return list(found.values())


def import_named(name: str) -> ModuleType:
    """The module of this name. UsageError if there is none."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"cannot record the module {name!r}: {error}") from error


def _shown(target: object) -> str:
    text = repr(target) if type(target).__repr__ is not object.__repr__ else f"an object of {type(target).__qualname__}"
    return text if len(text) <= 60 else f"an object of {type(target).__qualname__}"


def _collect_namespace(namespace: dict[str, Any], found: dict[int, FunctionType]) -> None:
    found |= {id(function): function for function in _defined_in(namespace)}
    # What gc.freeze() put out of the collector's sight is found by the module's own names.
    seen: set[int] = set()
    for value in list(namespace.values()):
        if not isinstance(value, type) or value.__module__ == namespace.get("__name__"):
            _collect(value, found, namespace, seen)


def _defined_in(*namespaces: dict[str, Any]) -> list[FunctionType]:
    """A function refers to the globals of the module that it was defined in: the collector knows all that do. It goes
    through all objects of the process for that, so of several modules they are asked for at once."""
    wanted = {id(each) for each in namespaces}
    referrers = gc.get_referrers(*namespaces)
    return [each for each in referrers if isinstance(each, FunctionType) and id(each.__globals__) in wanted]


def _collect(target: object, found: dict[int, FunctionType], namespace: dict[str, Any] | None, seen: set[int]) -> None:
    """Adds the functions in a function, class or descriptor; with a `namespace`, only those that were defined there."""
    if id(target) in seen:
        return
    seen.add(id(target))
    if isinstance(target, type):
        for base in target.__mro__:
            if base is target or base.__module__ == target.__module__ != "builtins":
                for value in list(vars(base).values()):
                    if not isinstance(value, type) or _is_nested(value, base):
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


def _is_nested(inner: type, outer: type) -> bool:
    return inner.__module__ == outer.__module__ and inner.__qualname__.startswith(f"{outer.__qualname__}.")


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
    messages: tuple[Message, ...]


class Weavings:
    """Weaves functions and gives them their own code back. What it wove it keeps for the next time."""

    def __init__(self, probe: Probe, beside: Weavings | None = None, *, calls: bool = False) -> None:
        """`calls` is as for `Weaver`. Both share what they know of originals: this one can undo what `beside` wove."""
        self._probe = probe
        self._sent: list[Message] = []
        self._weaver = Weaver(lambda message: self._sent.append(message), probe, calls=calls)
        self._woven: dict[int, _Woven] = {}  # by the id of the original
        # By the id of the woven code.
        self._originals: dict[int, tuple[weakref.ref[CodeType], weakref.ref[CodeType]]]
        self._originals = {} if beside is None else beside._originals
        self._described: dict[int, tuple[weakref.ref[CodeType], CodeType]] = {}
        self._files: dict[tuple[str, str], tuple[int, bytes, Message]] = {}

    def weave(self, functions: list[FunctionType]) -> Weaving:
        """Woven code for the functions, and for those of the library's containers that their modules name. They are not
        changed yet."""
        sources = _Sources()
        modules = _compiled_files((function.__code__ for function in functions), sources)
        given = {id(each): each for each in (*functions, *_of_containers(modules))}.values()
        own = [(function, code) for function in given if (code := self._original(function.__code__)) is not None]
        scope = _scope([code for _, code in own], modules)
        messages: list[Message] = []
        files: dict[int, Message] = {}
        pairs: dict[int, tuple[CodeType, CodeType]] = {}  # original and woven code, by the id of the original
        within = {id(nested) for _, code in own for nested in _nested(code)}
        outermost = {id(code): (function, code) for function, code in own if id(code) not in within}
        for function, code in outermost.values():
            file, entry = self._file(function, code, sources)
            woven = self._weave(code, file, scope)
            files[file] = entry
            messages += woven.messages
            _pair(code, woven.code, pairs)
        for original, woven_code in pairs.values():
            if woven_code is not original:
                self._remember(original, woven_code)
        replacements = [
            (function, code, pairs[id(code)][1]) for function, code in own if pairs[id(code)][1] is not code
        ]
        replacements += self._describe()
        return Weaving(
            replacements, [*files.values(), *messages], list(pairs.values()), [pairs[code][1] for code in outermost]
        )

    def _original(self, code: CodeType) -> CodeType | None:
        """The code itself. If it is woven (its function was made while another recording was under way), its original,
        or None if that is gone."""
        if not code.co_consts or not isinstance(code.co_consts[-1], self._probe.Code):
            return code
        known = self._originals.get(id(code))
        return known[1]() if known is not None and known[0]() is code else None

    def _remember(self, original: CodeType, woven: CodeType) -> None:
        key = id(woven)
        known = self._originals.get(key)
        if known is None or known[0]() is not woven:

            def forget(reference: weakref.ref[CodeType]) -> None:
                if key in self._originals and self._originals[key][0] is reference:
                    del self._originals[key]

            self._originals[key] = weakref.ref(woven, forget), weakref.ref(original)

    def _file(self, function: FunctionType, code: CodeType, sources: _Sources) -> tuple[int, Message]:
        path = code.co_filename
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
        for name, operations in LIBRARY.items():
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
                    known = self._described[id(code)] = weakref.ref(code), self._weaver.describe(code, operations)
                self._probe.adopt(known[1])
                if known[1] is not code:
                    replacements.append((function, code, known[1]))
        return replacements


def _file_of(woven: _Woven) -> object:
    return next((message.file for message in woven.messages if isinstance(message, Code)), None)


class Weaving:
    """Functions, their own code, and the woven code that they have while they are recorded."""

    def __init__(
        self,
        replacements: list[tuple[FunctionType, CodeType, CodeType]],
        messages: list[Message],
        pairs: list[tuple[CodeType, CodeType]],
        codes: list[CodeType],
    ) -> None:
        """Functions with their own code and that which they get; all pairs of original and woven code."""
        self._replacements = replacements
        self._pairs = pairs
        self.messages = messages  # what the collector must know of the code
        self.codes = codes  # woven; what is nested in them is not listed

    def put_in(self) -> None:
        for function, _, woven in self._replacements:
            function.__code__ = woven

    def take_out(self) -> None:
        """Gives each function its own code back, unless the program has given it another meanwhile.

        Functions that woven code has made since get the code that they would have been made with."""
        for function, original, woven in self._replacements:
            if function.__code__ is woven:
                function.__code__ = original
        original_of = {id(woven): original for original, woven in self._pairs if woven is not original}
        namespaces = {id(function.__globals__): function.__globals__ for function, *_ in self._replacements}
        for function in _defined_in(*namespaces.values()):
            if id(function.__code__) in original_of:
                function.__code__ = original_of[id(function.__code__)]


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _pair(original: CodeType, woven: CodeType, pairs: dict[int, tuple[CodeType, CodeType]]) -> None:
    """Which woven code belongs to which original, nested code too."""
    pairs[id(original)] = original, woven
    for old, new in zip(original.co_consts, woven.co_consts, strict=False):
        if isinstance(old, CodeType) and isinstance(new, CodeType):
            _pair(old, new, pairs)


class _Sources:
    """The sources of files, each read once."""

    def __init__(self) -> None:
        self._of: dict[str, bytes] = {}

    def of(self, path: str) -> bytes:
        """Of a file, or of a cell in a notebook; empty if there is none."""
        if path not in self._of:
            try:
                with open(path, "rb") as file:
                    self._of[path] = file.read()
            except (OSError, ValueError):
                self._of[path] = "".join(linecache.getlines(path)).encode("utf-8", "surrogatepass")
        return self._of[path]


def _scope(codes: list[CodeType], modules: list[CodeType]) -> Scope:
    """The variables to watch: by the source of each file, and by each function, which may be of another source."""
    scopes = [scope_of(code) for code in (*codes, *modules)]
    return Scope(
        frozenset().union(*(scope.globals for scope in scopes)),
        frozenset().union(*(scope.cells for scope in scopes)),
        frozenset().union(*(scope.attributes for scope in scopes)),
    )


def _of_containers(modules: list[CodeType]) -> Iterator[FunctionType]:
    """The functions of the library's containers that modules name."""
    for name in dict.fromkeys(each for module in modules for each in modules_named_in(module)):
        module = imported(name)
        if module is not None:
            yield from container_functions(name, module)


def _compiled_files(codes: Iterable[CodeType], sources: _Sources) -> list[CodeType]:
    found = (_compiled(sources.of(path), path) for path in {code.co_filename for code in codes})
    return [each for each in found if each is not None]


def _compiled(source: bytes, path: str) -> CodeType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            return None  # a notebook's magics: then the functions alone tell
