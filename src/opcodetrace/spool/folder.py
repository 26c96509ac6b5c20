"""The spool: the folder beside the trace file that holds a run until it is in the database.

`<database>.spool-<pid>-<n>/` holds `window` (the records), `sites` (what the weaver sent), `options.json` (how to
record) and `meta.json` (how the run was made, and how it ended). The living collector holds a lock on `meta.json`; a
spool without one is an orphan.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import itertools
import json
import os
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from opcodetrace.errors import SpoolError
from opcodetrace.spool.layout import HEADER, MAGIC, HeaderFlag
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.private_file import open_private, read_private
from opcodetrace.trace.execution import Outcome, RunInfo

MAX_OPTIONS = 1 << 20  # bytes of the file
UNFINISHED_AFTER = 600.0  # seconds; to make a spool takes a few milliseconds

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its id, and when it started, which no later one of that id shares (None if it cannot be found out)."""

    pid: int
    started: str | None

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, _started(pid))

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # somebody's, then: its start time tells
        return self.started is None or self.started == _started(self.pid)


def _started(pid: int) -> str | None:
    """When the process started, as text that no later process of this id shares."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name, in parentheses, may itself hold spaces and parentheses; the start time is field 22.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    if fields[0] in (b"Z", b"X"):
        return "ended"
    return f"{boot}/{fields[19].decode()}"


def _started_by_ps(pid: int) -> str | None:
    try:
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


@dataclass(frozen=True, slots=True)
class Meta:
    """What `recover` needs to know of a run that is not in its spool's window."""

    info: RunInfo
    process: Process | None = None
    disk_full: bool = False
    unreadable: str | None = None  # why it could not be recovered
    outcome: Outcome | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode("ascii")

    @classmethod
    def from_json(cls, text: bytes) -> Meta:
        read: dict[str, Any] = json.loads(text)
        info = read["info"]
        info["argv"] = tuple(info["argv"])
        meta = cls(
            info=RunInfo(**info),
            process=Process(**read["process"]) if read["process"] else None,
            disk_full=read["disk_full"],
            unreadable=read["unreadable"],
            outcome=Outcome(**read["outcome"]) if read["outcome"] else None,
        )
        for part in (meta.info, meta.process, meta.outcome):
            if part is not None:
                _check_types(part)
        if not isinstance(meta.disk_full, bool) or not isinstance(meta.unreadable, str | None):
            raise ValueError("disk_full or unreadable is of another type")
        return meta


class Spool:
    """A spool that this process holds the lock of."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock: int | None = lock

    @property
    def window(self) -> Path:
        return self.folder / "window"

    @property
    def sites(self) -> Path:
        return self.folder / "sites"

    @classmethod
    def create(cls, database: Path, meta: Meta, options: StoredOptions) -> Spool:
        """Make the folder; it gets its name only when its lock is held, so that nobody takes it for an orphan."""
        folder = database.with_name(f"{database.name}.spool-{os.getpid()}-{next(_numbers)}")
        unlocked = _unfinished(folder)
        try:
            for stale in (unlocked, folder):  # of an earlier process of this id; an orphan that holds a run is kept
                if stale is unlocked or not (stale / "meta.json").exists():
                    _remove(stale)
            if folder.exists():
                return cls.create(database, meta, options)
            unlocked.mkdir(0o700)
            unlocked.chmod(0o700)  # the umask may have taken more of it
            lock = _make(unlocked / "meta.json")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.close(_make(unlocked / "sites"))
                with open(_make(unlocked / "options.json"), "wb") as file:
                    file.write(options.to_json())
                spool = cls(folder, lock)
                spool.write_meta(meta)
                unlocked.rename(folder)
            except BaseException:
                os.close(lock)
                _remove(unlocked)
                raise
        except OSError as error:
            raise SpoolError(f"cannot make the spool {folder}: {error.strerror or error}") from error
        return spool

    @classmethod
    def take(cls, folder: Path) -> Spool | None:
        """The lock of a spool that is there already; None if its collector lives or it has just been deleted."""
        try:
            lock = open_private(os.fspath(folder / "meta.json"), os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SpoolError(f"cannot open the spool {folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        if os.fstat(lock).st_nlink == 0:  # deleted between open and lock
            os.close(lock)
            return None
        return cls(folder, lock)

    def write_meta(self, meta: Meta) -> None:
        """In place: the lock belongs to the file, not to its name."""
        text = meta.to_json()
        assert self._lock is not None
        os.pwrite(self._lock, text, 0)
        os.ftruncate(self._lock, len(text))

    def read_meta(self) -> Meta:
        assert self._lock is not None
        try:
            return Meta.from_json(os.pread(self._lock, 1 << 24, 0))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SpoolError(f"{self.folder / 'meta.json'} is damaged: {error}") from error

    def read_options(self) -> Options:
        path = self.folder / "options.json"
        try:
            return StoredOptions.from_json(read_private(os.fspath(path), MAX_OPTIONS)).options
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SpoolError(f"{path} is damaged: {error}") from error

    def running(self, meta: Meta) -> int | None:
        """The id of the script's process if it still runs."""
        process = meta.process
        if process is None:  # the collector died before it could write it down
            _, pid = self._header()
            process = Process(pid, None) if pid else None
        return process.pid if process is not None and process.is_alive() else None

    def is_attached(self) -> bool:
        """Whether the script's process ever mapped the window."""
        flags, _ = self._header()
        return bool(flags & HeaderFlag.ATTACHED)

    def _header(self) -> tuple[int, int]:
        """The window's flags and the script's process id; zeros if there is no window yet."""
        try:
            with open(open_private(os.fspath(self.window)), "rb") as file:
                magic, _, _, pid, flags, *_ = HEADER.unpack(file.read(HEADER.size))
        except (OSError, struct.error):
            return 0, 0
        return (flags, pid) if magic == MAGIC else (0, 0)

    def delete(self) -> None:
        """Take the spool away, its run being in the database (or there being none)."""
        gone = _unfinished(self.folder)  # if we are killed meanwhile, the rest of it is swept
        with contextlib.suppress(OSError):
            self.folder.rename(gone)
            _remove(gone)
        self.release()

    def release(self) -> None:
        """Leave the spool for `recover`."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


# By the name of a field: what JSON may have there. A spool may be anybody's.
_TEXTS = frozenset({"started_at", "script", "python", "implementation", "cwd"})
_TEXTS_OR_NONE = frozenset({"started", "stdout_sha256", "stdout_tail"})
_FLAGS = frozenset({"gil", "recovered"})
_MOST = (1 << 31) - 1


def _check_types(part: RunInfo | Process | Outcome) -> None:
    """ValueError if a field is of another type than a recording gives it."""
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name in _TEXTS or field.name in _TEXTS_OR_NONE:
            fits = isinstance(value, str) or (value is None and field.name in _TEXTS_OR_NONE)
        elif field.name in _FLAGS:
            fits = isinstance(value, bool)
        elif field.name == "argv":
            fits = all(isinstance(each, str) for each in value)
        elif field.name in ("duration", "switch_interval"):
            fits = value is None if field.name == "switch_interval" and value is None else _is_seconds(value)
        else:  # exit_code, signal, pid
            is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST
            fits = is_number or (value is None and field.name != "pid")
        if not fits:
            raise ValueError(f"{field.name} is {value!r:.60}")


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _make(path: Path) -> int:
    """A new file that its owner alone may read and write, whatever the umask: it may hold what is secret."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _unfinished(folder: Path) -> Path:
    """The name of a spool that is being made, or deleted."""
    return folder.with_name(f".{folder.name}.unfinished")


def _remove(folder: Path) -> None:
    """As much of it as can be."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _is_own_folder(found: os.stat_result) -> bool:
    """Whether it is a folder, and no link to one, that our own user made."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def orphans(database: Path) -> Iterator[Spool]:
    """The spools beside `database` whose collector is gone, oldest first, each locked by us from now on."""
    prefix = f"{database.name}.spool-"
    _sweep(database)
    try:
        found = [
            entry
            for entry in os.scandir(database.parent)
            if entry.name.startswith(prefix) and _is_own_folder(entry.stat(follow_symlinks=False))
        ]
        found.sort(key=lambda entry: (entry.stat(follow_symlinks=False).st_mtime, entry.name))
    except OSError:
        return
    for entry in found:
        try:
            spool = Spool.take(Path(entry.path))
        except SpoolError:  # what somebody put there must keep neither the others nor a recording
            continue
        if spool is not None:
            yield spool


def _sweep(database: Path) -> None:
    """Delete what collectors left that died while they made or deleted a spool."""
    for folder in database.parent.glob(f".{glob.escape(database.name)}.spool-*.unfinished"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if _is_own_folder(found) and found.st_mtime < time.time() - UNFINISHED_AFTER:
                _remove(folder)
