"""Weaves the modules of a run: gives each its numbers, tells the collector of it, and keeps it for the next run."""

from __future__ import annotations

import marshal
from _thread import allocate_lock
from collections.abc import Mapping
from posix import getpid
from types import CodeType

from opcodetrace.rewrite.cache import Cache
from opcodetrace.rewrite.woven_module import NONE, Counts, WovenModule, describe, shift, weave
from opcodetrace.spool.messages import Send, WovenFile
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.site import LeftModule
from opcodetrace.trace.sync import Act


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
        # plain tuples: the program finds nothing of ours among what the garbage collector tracks
        self._told: set[tuple[str, str]] = set()
        self._lock = allocate_lock()  # modules are imported by several threads
        self._files = 0
        self._next = tuple(Counts())

    def weave_module(
        self, code: CodeType, path: str, module: str, source: bytes, *, operations: Mapping[str, Act] = NONE
    ) -> CodeType:
        """The module's code with all functions in it woven; `operations` are those of `Weaver`.

        A code object that cannot be woven runs as it is, and the collector is told why."""
        return self._ready(self._woven(code, source, operations), path, module)

    def weave_file(
        self,
        code: CodeType,
        path: str,
        module: str,
        source: bytes,
        *,
        operations: Mapping[str, Act] = NONE,
        only: tuple[str, ...] = (),
    ) -> CodeType:
        """The same for the code of a Python file, which is kept for the next run. `only` is as for `Weaver`.

        It is kept by what it is, not by the file's time: it may have been rewritten on its way."""
        if self._cache is None:
            return self._ready(self._woven(code, source, operations, only), path, module)
        made_from = _bytes_of(code) + source
        kind = "parts" if only else "woven"
        woven = self._cache.load(path, made_from, kind=kind)
        if woven is None:
            woven = self._woven(code, source, operations, only)
            self._cache.store(path, made_from, woven, kind=kind)
        return self._ready(woven, path, module)

    def _woven(
        self, code: CodeType, source: bytes, operations: Mapping[str, Act], only: tuple[str, ...] = ()
    ) -> WovenModule:
        return weave(code, source, self._probe, calls=self._calls, operations=operations, only=only)

    def is_recorded(self) -> bool:
        """Whether this is the process that is recorded, not one that it forked."""
        return getpid() == self._owner

    def describe_file(self, code: CodeType, path: str, operations: Mapping[str, Act]) -> CodeType:
        """Library code as it is, except for what the probe needs to find what its calls wait for, and for hooks in the
        functions that synchronise."""
        made_from = b"" if self._cache is None else _bytes_of(code)
        described = None if self._cache is None else self._cache.load(path, made_from, kind="described")
        if described is None:
            described = describe(code, operations, self._probe)
            if self._cache is not None:
                self._cache.store(path, made_from, described, kind="described")
        return described.code

    def leave(self, module: str, reason: str) -> None:
        """Tells the collector of a module that a pattern means, or that was to be woven, and that runs as it is."""
        if (module, reason) not in self._told:
            self._told.add((module, reason))
            self._send(LeftModule(module, reason))

    def _ready(self, woven: WovenModule, path: str, module: str) -> CodeType:
        with self._lock:
            file, self._files = self._files, self._files + 1
            first = Counts(*self._next)
            self._next = tuple(map(sum, zip(first, woven.counts, strict=True)))
        assert woven.description is not None
        self._send(WovenFile(file, path, module, first, woven.description))
        return shift(woven, first, self._probe)


def _bytes_of(code: CodeType) -> bytes:
    """Equal for equal code, and only for that."""
    return marshal.dumps(_without_slices(code), 0)  # type: ignore[arg-type]  # 0: without references


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
