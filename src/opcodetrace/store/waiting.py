"""Connections to a trace file that others use as well: they wait for one another, and Ctrl-C ends that."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from opcodetrace.interruption import held_back
from opcodetrace.standard_streams import say
from opcodetrace.store.stored_value import storable_row

T = TypeVar("T")

WAIT = 300.0  # seconds that a writer waits for another one, and a reader for a commit
ATTEMPT = 0.1  # of which SQLite waits so many at a time: meanwhile no signal is handled
SAID_AFTER = 1.0
INSTRUCTIONS_BETWEEN_SIGNALS = 100_000  # of SQLite's machine
MIN_WORK = 50_000_000  # instructions that a question to any file may take ...
WORK_PER_BYTE = 50  # ... and more of them by the file's size: to go through all rows takes one or two a byte
LOCK_BYTES = 1 << 30  # from here on lie the bytes that SQLite locks

_at_most: ContextVar[float] = ContextVar("at_most", default=WAIT)
# What Python calls as it decodes a text. Other programs write the file, too: it need not be UTF-8.
_decoded = functools.partial(str, encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is connected meanwhile waits no longer than that."""
    before = _at_most.set(seconds)
    try:
        yield
    finally:
        _at_most.reset(before)


class Work:
    """SQLite's progress handler. Python's signal handlers run in it: if one raises, SQLite stops. Once it was told to
    limit a question, it ends one that goes round in a damaged file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._size = 0
        self._left: int | None = None
        self.exhausted = False

    def limit(self) -> None:
        """A question begins."""
        with contextlib.suppress(OSError):
            self._size = self._path.stat().st_size
        self._left = (MIN_WORK + WORK_PER_BYTE * self._size) // INSTRUCTIONS_BETWEEN_SIGNALS
        self.exhausted = False

    def __call__(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        self.exhausted = self._left < 0
        return self.exhausted


class WaitingConnection(sqlite3.Connection):
    """Waits for whoever has locked the file, and says so if that takes long.

    Signals are handled while it waits or works: what they raise while SQLite works is KeyboardInterrupt to the caller.
    Any text can be bound: what is no UTF-8 is escaped."""

    path: pathlib.Path
    wait: float
    work: Work
    said = False  # that it waits: once is enough

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()
        super().__init__(*arguments, **options)

    def close(self) -> None:
        """An answer that was not read to its end would keep the file locked for as long as somebody holds its cursor, a
        traceback for one: Python closes by sqlite3_close_v2."""
        for each in self._cursors:
            each.close()
        super().close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            cursor = self._patiently(lambda: super(WaitingConnection, self).execute(sql, parameters))
        except UnicodeEncodeError:
            escaped = storable_row(parameters)
            cursor = self._patiently(lambda: super(WaitingConnection, self).execute(sql, escaped))
        self._cursors.add(cursor)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        latest: Any = ()

        def noted() -> Iterator[Any]:
            nonlocal latest
            for latest in rows:  # noqa: UP028 - the latest one is asked for below
                yield latest

        left = noted()
        while True:
            try:
                return super().executemany(sql, left)
            except UnicodeEncodeError:  # those before it are in the table
                super().execute(sql, storable_row(latest))

    def commit_and(self, following: Iterable[Callable[[], None]]) -> None:
        """Commit, and do what must follow: no signal comes between."""

        def step() -> None:
            with held_back():
                super(WaitingConnection, self).execute("COMMIT")
                for each in following:
                    each()

        self._patiently(step)

    def _patiently(self, step: Callable[[], T]) -> T:
        began = time.monotonic()
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if is_interrupt(error) and not self.work.exhausted:
                    raise KeyboardInterrupt from None
                waited = time.monotonic() - began
                if not is_busy(error) or waited >= self.wait:
                    raise
                if waited >= SAID_AFTER and not self.said:
                    self.said = True
                    say(f"waiting for {self.path}, which {holder(self.path)} uses; Ctrl-C ends that")


def connect(path: pathlib.Path, uri: str, wait: float | None = None) -> WaitingConnection:
    """`uri` says how SQLite is to open the file."""
    wait = _at_most.get() if wait is None else wait
    connection = sqlite3.connect(
        uri, uri=True, timeout=min(ATTEMPT, wait), isolation_level=None, factory=WaitingConnection
    )
    connection.path, connection.wait = path, wait
    connection.text_factory = _decoded
    connection.work = Work(path)
    connection.set_progress_handler(connection.work, INSTRUCTIONS_BETWEEN_SIGNALS)
    return connection


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else has locked the file."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_interrupt(error: sqlite3.Error) -> bool:
    """Whether a signal's handler has raised while SQLite worked, or its work was at an end."""
    return code_of(error) == sqlite3.SQLITE_INTERRUPT


def code_of(error: sqlite3.Error) -> int:
    """SQLite's code of an error, without what the extended ones add."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def holder(path: pathlib.Path) -> str:
    """Who has locked the file, if that can be found out."""
    with contextlib.suppress(OSError, ValueError):
        inode = os.stat(path).st_ino
        holders = _holders(inode)
        for _, pid in sorted(holders):
            if pid != os.getpid() and _has_open(pid, path):
                return f"another process ({pid}{_command(pid)})"
    return "another process"


def _holders(inode: int) -> Iterator[tuple[bool, int]]:
    """The processes that have locked bytes of SQLite in a file of this inode; writers first as they are sorted."""
    for line in pathlib.Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if len(fields) != 8 or fields[1] not in ("POSIX", "OFDLCK"):
            continue  # also those that wait for a lock (->)
        _, _, _, mode, pid, place, start, _ = fields
        if int(place.rpartition(":")[2]) == inode and int(start) >= LOCK_BYTES and int(pid) > 0:
            yield mode != "WRITE", int(pid)


def _has_open(pid: int, path: pathlib.Path) -> bool:
    """Inodes are unique in a file system only. Of somebody else's process it is believed."""
    real = os.path.realpath(path)
    try:
        return any(os.readlink(entry.path) == real for entry in os.scandir(f"/proc/{pid}/fd"))
    except PermissionError:
        return True
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    command = " ".join(os.fsdecode(word) for word in words).strip()
    return f": {command[:60]}{'…' if len(command) > 60 else ''}" if command else ""
