"""Weaves the modules of a run: gives each its numbers, tells the collector of it, and keeps it for the next run."""

from __future__ import annotations

import marshal
from _thread import allocate_lock
from posix import getpid
from types import CodeType

from opcodetrace.rewrite.cache import Cache, Origin
from opcodetrace.rewrite.woven_module import NONE, Counts, WovenModule, describe, shift, weave
from opcodetrace.spool.messages import Send, WovenFile
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.site import LeftModule


class ModuleWeaver:
    """`send` is given a WovenFile for each module before its code can run, and a LeftModule for each that is left out.
    What it raises is raised here; the module is then to run as it is.
    """

    def __init__(
        self,
        send: Send,
        probe: Probe,
        cache: Cache | None = None,
        *,
        calls: bool = False,
    ) -> None:
        """`calls`: every function records its caller. `cache` must be one for the same `calls`."""
        self._calls = calls
        self._send = send
        self._probe = probe
        self._cache = cache
        self._owner = getpid()
        self._told: set[LeftModule] = set()
        self._lock = allocate_lock()  # modules are imported by several threads
        self._files = 0
        self._next = Counts()

    def load(self, path: str, module: str) -> CodeType | None:
        """The module's woven code, if it is in the cache; else None.

        Then call `origin(path)`, load the code, and give both to `weave_module`."""
        woven = None if self._cache is None else self._cache.load(path)
        return None if woven is None else self._ready(woven, path, module)

    def origin(self, path: str) -> Origin | None:
        """Of a module whose code is going to be loaded by CPython's own loader. None: it is not kept."""
        return None if self._cache is None else self._cache.origin(path)

    def weave_module(
        self,
        code: CodeType,
        path: str,
        module: str,
        source: bytes,
        origin: Origin | None = None,
        *,
        is_library: bool = False,
    ) -> CodeType:
        """The module's code with all functions in it woven. `is_library`: it is the standard library's.

        A code object that cannot be woven runs as it is, and the collector is told why."""
        operations = LIBRARY.get(module, NONE) if is_library else NONE
        woven = weave(code, source, self._probe, calls=self._calls, operations=operations)
        if origin is not None and self._cache is not None:
            self._cache.store(origin, source, woven)
        return self._ready(woven, path, module)

    def weave_executed(self, code: CodeType, path: str, module: str, source: bytes) -> CodeType:
        """The same for the code of a Python file that comes through `exec`. It is kept by what it is, not by its
        source: it may have been rewritten."""
        if self._cache is None:
            return self.weave_module(code, path, module, source)
        # 0: without references, so that equal code gives equal bytes
        executed = marshal.dumps(_without_slices(code), 0) + source  # type: ignore[arg-type]
        woven = self._cache.load_executed(path, executed)
        if woven is None:
            woven = weave(code, source, self._probe, calls=self._calls)
            self._cache.store_executed(path, executed, woven)
        return self._ready(woven, path, module)

    def is_recorded(self) -> bool:
        """Whether this is the process that is recorded, not one that it forked."""
        return getpid() == self._owner

    def describe(self, code: CodeType, module: str, source_path: str, source: bytes, origin: Origin | None) -> CodeType:
        """Library code as it is, except for what the probe needs to find what its calls wait for, and for hooks in the
        functions that synchronise."""
        described = describe(code, LIBRARY[module], self._probe)
        if origin is not None and self._cache is not None:
            self._cache.store(origin, source, described, kind="described")
        return described.code

    def load_described(self, path: str) -> CodeType | None:
        """The same, if it was described before."""
        described = None if self._cache is None else self._cache.load(path, kind="described")
        return None if described is None else described.code

    def leave(self, module: str, reason: str) -> None:
        """Tells the collector of a module that a pattern means, or that was to be woven, and that runs as it is."""
        left = LeftModule(module, reason)
        if left not in self._told:
            self._told.add(left)
            self._send(left)

    def _ready(self, woven: WovenModule, path: str, module: str) -> CodeType:
        with self._lock:
            file, self._files = self._files, self._files + 1
            first = self._next
            self._next = Counts(*map(sum, zip(first, woven.counts, strict=True)))
        assert woven.description is not None
        self._send(WovenFile(file, path, module, first, woven.description))
        return shift(woven, first, self._probe)


def _without_slices(constant: object) -> object:
    """The same with a tuple in place of each slice: 3.14 makes constants of these, which marshal knows from version 5
    on."""
    match constant:
        case slice():
            return ("slice", *map(_without_slices, (constant.start, constant.stop, constant.step)))
        case tuple():
            return tuple(map(_without_slices, constant))
        case CodeType():
            return constant.replace(co_consts=tuple(map(_without_slices, constant.co_consts)))
        case _:
            return constant
