"""Woven modules kept beside the `.pyc` files, so that the next run need not weave them again.

A file is `HEAD`, then what `marshal` makes of `(code, parts, counts, description)`, the code with None for the objects
of the probe's. Its name holds a hash of all that the weaving depends on but the module itself; that is in the head: a
hash of the code and its source. What does not agree, to the byte, is as if it were not there; so is a file that is a
link, another user's, or that others may write.
"""

from __future__ import annotations

import _imp
import contextlib
import marshal
import struct
import sys
from collections.abc import Iterator
from importlib import _bootstrap_external
from io import FileIO
from os import path
from posix import O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY, close, getpid, listdir, open, replace, stat, unlink, write

import bytecode

from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.rewrite.woven_module import Counts, WovenModule, take_apart
from opcodetrace.spool import messages, private_file
from opcodetrace.spool.private_file import read_private
from opcodetrace.trace import hook, library, site
from opcodetrace.trace.hook import Probe

FORMAT = 2
HEAD = struct.Struct("<8sQQQ")  # magic, hash of what it was made from, the rest's length and hash
MAGIC = b"octwoven"
MAX_KEPT = 1 << 28  # bytes of a file
_KEY = 0x6F706374726163


class Cache:
    """The files in which woven modules are kept. It never fails: what cannot be read or written is not cached."""

    def __init__(self, probe: Probe, weaver: str) -> None:
        """`weaver` is `version_of_weaver()`."""
        self._probe = probe
        self._suffix = f"opcodetrace-{weaver}"

    def load(self, source_path: str, made_from: bytes, *, kind: str = "woven") -> WovenModule | None:
        """The module of this file as it was woven before, with its numbers from 0; None if there is none.

        `made_from` is all that tells it from other code of this file."""
        try:
            data = _read_kept(self._name(source_path, kind))
            magic, made_from_hash, length, content_hash = HEAD.unpack_from(data)
            content = memoryview(data)[HEAD.size :]
            if (magic, made_from_hash, length) != (MAGIC, _hash(made_from), len(content)):
                return None
            return self._restored(content, source_path) if content_hash == _hash(content) else None
        except Exception:
            return None

    def _restored(self, content: memoryview, source_path: str) -> WovenModule:
        code, parts, counts, description = marshal.loads(content)
        self._probe.furnish(code, parts, 0, 0)
        _imp._fix_co_filename(code, source_path)  # type: ignore[attr-defined]  # as for a .pyc
        return WovenModule(code, Counts(*counts), description)

    def store(self, source_path: str, made_from: bytes, woven: WovenModule, *, kind: str = "woven") -> None:
        """Keep a module that was woven and not yet shifted, for `load`. Other processes see the whole file or none."""
        with contextlib.suppress(Exception):
            if sys.dont_write_bytecode:
                return
            code, parts = take_apart(woven.code, self._probe)
            content = marshal.dumps((code, parts, tuple(woven.counts), woven.description))  # type: ignore[arg-type]
            head = HEAD.pack(MAGIC, _hash(made_from), len(content), _hash(content))
            mode = stat(source_path).st_mode & 0o644 | 0o200
            _write_whole(self._name(source_path, kind), head + content, mode)

    def _name(self, source_path: str, kind: str) -> str:
        pyc: str = _bootstrap_external.cache_from_source(source_path)
        return f"{pyc.removesuffix('.pyc')}.{self._suffix}.{kind}"


def version_of_weaver() -> str:
    """A hash of what the outcome of weaving depends on beside the module itself: the sources of the weaver, and the
    Python. OSError if a source cannot be read."""
    names = [*_sources_in(path.dirname(str(__file__)))]
    names += [str(module.__file__) for module in (hook, library, messages, private_file, site)]
    python = (sys.version, FREE_THREADED, _bootstrap_external.MAGIC_NUMBER, bytecode.__version__)
    return f"{_hash(repr((FORMAT, python)).encode() + b''.join(read_file(name) for name in names)):016x}"


def _sources_in(folder: str) -> Iterator[str]:
    for name in sorted(listdir(folder)):
        if name.endswith(".py"):
            yield f"{folder}/{name}"
        elif name != "__pycache__" and path.isdir(f"{folder}/{name}"):
            yield from _sources_in(f"{folder}/{name}")


def _hash(data: bytes | memoryview) -> int:
    """SipHash, as CPython takes it to check a .pyc: 64 bits."""
    return int.from_bytes(_imp.source_hash(_KEY, data), "little")


def _read_kept(name: str) -> bytes:
    """A file of ours. It holds marshalled code that is going to be run: only our own user can have written it."""
    return read_private(name, MAX_KEPT, closed_to_others=True)


def read_file(name: str) -> bytes:
    """Raises OSError."""
    with FileIO(name) as file:
        return file.readall()


def _write_whole(name: str, data: bytes, mode: int) -> None:
    """The file appears whole, or not at all."""
    unfinished = f"{name}.{getpid()}.{id(data)}"
    file = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    try:
        try:
            written = 0
            while written < len(data):
                written += write(file, data[written:])
        finally:
            close(file)
        replace(unfinished, name)
    except BaseException:
        with contextlib.suppress(OSError):
            unlink(unfinished)
        raise
