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
import re
import stat
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opcodetrace.errors import SpoolError
from opcodetrace.spool.layout import HEADER, HEADER_SIZE, MAGIC, NEXT_OFFSET, RECORD_SIZE, HeaderFlag
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.private_file import open_private, read_private
from opcodetrace.trace.execution import Outcome, RunInfo

MAX_LOST = 2_000  # characters of a damaged meta.json that are kept
MAX_OPTIONS = 1 << 20  # bytes of the file
UNFINISHED_AFTER = 600.0  # seconds; to make a spool takes a few milliseconds

_ENDED = "ended"  # a process whose parent has not asked for its exit code yet
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
        now = _started(self.pid)
        return now != _ENDED and self.started in (None, now)


def _started(pid: int) -> str | None:
    """When the process started, as text that no later process of this id shares."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name, in parentheses, may itself hold spaces and parentheses; the start time is field 22.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    if fields[0] in (b"Z", b"X"):
        return _ENDED
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
    unreadable: str | None = None  # why it could not be recovered
    outcome: Outcome | None = None
    stored: int | None = None  # the number of the run in the database, if the spool could not be deleted then
    lost: str | None = None  # if it was made up for a spool that has none: what is not known

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
            unreadable=read["unreadable"],
            outcome=Outcome(**read["outcome"]) if read["outcome"] else None,
            stored=read.get("stored"),
            lost=read.get("lost"),
        )
        for part in (meta.info, meta.process, meta.outcome):
            if part is not None:
                _check_types(part)
        if not (isinstance(meta.unreadable, str | None) and isinstance(meta.lost, str | None)):
            raise ValueError("unreadable or lost is no text")
        if meta.stored is not None and type(meta.stored) is not int:
            raise ValueError(f"stored is {meta.stored!r:.60}")
        return meta


class Spool:
    """A spool that this process holds the lock of."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self.run: int | None = None  # its number in the trace file; there is no spool then
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
        try:
            folder, unlocked = _fresh(database)
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
            raise SpoolError(f"cannot make a spool beside {database}: {error.strerror or error}") from error
        return spool

    @classmethod
    def take(cls, folder: Path) -> Spool | None:
        """The lock of a spool that is there already; None if its collector lives or it has just been deleted.
        SpoolError if it is no spool, or cannot be opened."""
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SpoolError(f"cannot look at it: {error.strerror or error}") from error
        if stat.S_ISLNK(found.st_mode):
            raise SpoolError("it is a link, and no spool of ours")
        if not _is_own_folder(found):
            raise SpoolError("it is another user's" if stat.S_ISDIR(found.st_mode) else "it is no folder")
        meta = os.fspath(folder / "meta.json")
        try:
            lock = open_private(meta, os.O_RDWR)
        except FileNotFoundError:
            if not folder.exists():
                return None
            if not _holds_window(folder):
                raise SpoolError("it is no spool: it has neither a meta.json nor a window") from None
            try:  # it has lost it, or is being deleted by somebody who does it by hand
                lock = os.open(meta, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            except OSError as error:
                raise SpoolError(f"cannot open its meta.json: {error.strerror or error}") from error
        except OSError as error:
            raise SpoolError(f"cannot open its meta.json: {error.strerror or error}") from error
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
        except OSError as error:
            raise SpoolError(f"cannot read {self.folder / 'meta.json'}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SpoolError(f"{self.folder / 'meta.json'} is damaged: {error}") from error

    def made_up_meta(self) -> Meta:
        """What is known of a run whose `meta.json` is lost or damaged."""
        assert self._lock is not None
        text = os.pread(self._lock, 1 << 24, 0).decode("utf-8", "backslashreplace")
        created = datetime.fromtimestamp((self.folder / "options.json").stat().st_mtime, UTC)
        info = RunInfo(
            started_at=created.isoformat(timespec="milliseconds"),
            script="?",
            argv=(),
            python="?",
            implementation="?",
            gil=True,
            switch_interval=self.read_options().switch_interval,
            cwd="?",
        )
        what = f"damaged: {text[:MAX_LOST]}" if text else "lost"
        return Meta(
            info, lost=f"it is not known which script this was, nor its arguments and its Python: meta.json was {what}"
        )

    def collector(self) -> int | None:
        """The id of the process that made the spool, if one of that id runs. (For a spool whose lock may be lost.)"""
        found = re.fullmatch(r".*\.spool-(\d+)-\d+", self.folder.name, re.DOTALL)
        pid = int(found[1]) if found else 0
        return pid if pid and Process(pid, None).is_alive() else None

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
        """Whether the script's process ever mapped the window. SpoolError if that can no longer be told."""
        try:
            head = _head(self.window)
        except FileNotFoundError:
            head = b""
        except OSError as error:
            raise SpoolError(f"cannot read {self.window}: {error.strerror}") from error
        if len(head) == HEADER.size and HEADER.unpack(head)[0] == MAGIC:
            if HEADER.unpack(head)[4] & HeaderFlag.ATTACHED:
                return True
            if _holds_records(self.window):
                raise SpoolError(f"{self.window} is damaged: it holds records, and says that no process wrote any")
            return False
        if any(head) or _size(self.sites):  # else the collector died while it made it
            raise SpoolError(f"{self.window} is damaged: it does not begin as a window of opcodetrace")
        return False

    def _header(self) -> tuple[int, int]:
        """The window's flags and the script's process id; zeros if there is no window yet."""
        try:
            magic, _, _, pid, flags, *_ = HEADER.unpack(_head(self.window))
        except (OSError, struct.error):
            return 0, 0
        return (flags, pid) if magic == MAGIC else (0, 0)

    def is_unrecorded(self) -> bool:
        """Whether the script's process said that it could not record."""
        return (self.folder / "unrecorded").exists()

    def is_stored(self, run: int) -> None:
        """The run is in the database, under this number: take the spool away, or note that it can be."""
        self.run = run
        with contextlib.suppress(OSError):
            self._take_away()
        if self._lock is not None and self.folder.exists():
            with contextlib.suppress(OSError, SpoolError):
                self.write_meta(replace(self.read_meta(), stored=run))
        self.release()

    def delete(self) -> None:
        """Take the spool away, its run being in the database (or there being none)."""
        with contextlib.suppress(OSError):
            self._take_away()
        self.release()

    def _take_away(self) -> None:
        gone = _unfinished(self.folder)  # if we are killed meanwhile, the rest of it is swept
        self.folder.rename(gone)
        _remove(gone)

    def release(self) -> None:
        """Leave the spool for `recover`."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _head(window: Path) -> bytes:
    with open(open_private(os.fspath(window)), "rb") as file:
        return file.read(HEADER.size)


def _holds_records(window: Path) -> bool:
    with open(open_private(os.fspath(window)), "rb") as file:
        head = file.read(HEADER_SIZE)
        return any(head[NEXT_OFFSET : NEXT_OFFSET + 8]) or any(file.read(RECORD_SIZE))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _holds_window(folder: Path) -> bool:
    """Whether a folder is a spool, whatever else it lacks."""
    try:
        return bool(HEADER.unpack(_head(folder / "window"))[0] == MAGIC)
    except (OSError, struct.error):
        return False


# By the name of a field: what JSON may have there. A spool may be anybody's.
_TEXTS = frozenset({"started_at", "script", "python", "implementation", "cwd"})
_TEXTS_OR_NONE = frozenset({"started", "stdout_sha256", "stdout_tail", "exception"})
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


def _is_own_folder(found: os.stat_result) -> bool:
    """Whether it is a folder, and no link to one, that our own user made."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


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


def _fresh(database: Path) -> tuple[Path, Path]:
    """The name of a new spool, and its folder under the name that it has until it is whole. What bears one of these
    names is passed over: it may hold a run."""
    while True:
        folder = database.with_name(f"{database.name}.spool-{os.getpid()}-{next(_numbers)}")
        unlocked = _unfinished(folder)
        _remove(unlocked)  # of an earlier process of this id
        if not os.path.lexists(folder):
            with contextlib.suppress(FileExistsError):
                unlocked.mkdir(0o700)
                unlocked.chmod(0o700)  # the umask may have taken more of it
                return folder, unlocked


def orphans(database: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[Spool]:
    """The spools beside `database` whose collector is gone, oldest first, each locked by us from now on.

    What only bears the name of one, or is somebody else's, is passed over; `say` is told of it."""
    _sweep(database)
    for folder in _spools(database):
        try:
            spool = Spool.take(folder)
        except SpoolError as error:
            say(f"{folder} is left as it is: {error}")
            continue
        if spool is not None:
            yield spool


def _spools(database: Path) -> list[Path]:
    """All that bears the name of a spool, oldest first."""
    prefix = f"{database.name}.spool-"
    found: list[tuple[float, str]] = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(database.parent):
            if entry.name.startswith(prefix):
                with contextlib.suppress(OSError):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    return [Path(path) for _, path in sorted(found)]


def _sweep(database: Path) -> None:
    """Delete what collectors left that died while they made or deleted a spool."""
    with contextlib.suppress(OSError):
        for folder in database.parent.glob(f".{glob.escape(database.name)}.spool-*.unfinished"):
            with contextlib.suppress(OSError):
                found = folder.lstat()
                if _is_own_folder(found) and found.st_mtime < time.time() - UNFINISHED_AFTER:
                    _remove(folder)
