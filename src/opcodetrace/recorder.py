"""Start the script in a child, ingest what it left in the spool, analyse, store: in that order, here alone."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import resource
import select
import signal
import stat
import subprocess
import sys
import threading
import time
import zipimport
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from opcodetrace.errors import DatabaseError, OpcodetraceError, ScriptError, SpoolError, UsageError
from opcodetrace.probe.spool import Meta, Process, Spool, orphans
from opcodetrace.probe.window import Window
from opcodetrace.store import trace_file
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.record import MAX_LAST, RECORD_SIZE, HeaderFlag, ring_for

DEFAULT_WINDOW = 1 << 30
_CHILD = Path(__file__).with_name("child.py")
_ALLOCATE_EVERY = 0.005  # seconds; the window is allocated much further ahead than a script comes in that time
_OWN = (signal.SIGINT, signal.SIGQUIT)  # a terminal sends them to the script as well
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Options:
    """How to record."""

    switch_interval: float | None = None
    max_events: int | None = None
    window_bytes: int = DEFAULT_WINDOW
    keep_all: bool = False
    include: tuple[str, ...] = ()  # patterns of module names (trace.module_pattern)
    exclude: tuple[str, ...] = ()
    last: int | None = None  # keep the last so many events; not together with `max_events`
    calls: bool = False  # record from where each function is called


@dataclass(frozen=True, slots=True)
class Target:
    """What to record: a script's path or a module's name, and its arguments."""

    name: str
    args: tuple[str, ...] = ()
    is_module: bool = False

    def check(self) -> None:
        """Whether a script can be opened. Python itself says what is wrong with a module, or inside of a script."""
        if self.is_module:
            return
        try:
            mode = os.stat(self.name).st_mode
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ScriptError(f"cannot record {self.name!r}: {why}; name a Python file, or -m and a module") from error
        if stat.S_ISDIR(mode):
            raise ScriptError(f"cannot record {self.name!r}: it is a folder; name the Python file in it")
        if not os.access(self.name, os.R_OK):
            raise ScriptError(f"cannot record {self.name!r}: permission to read it is missing")
        if stat.S_ISREG(mode) and (self.name.endswith(".pyc") or _is_archive(self.name)):
            raise ScriptError(f"cannot record {self.name!r}: it is compiled or an archive; name the Python source")


@dataclass(frozen=True, slots=True)
class Recording:
    """A script that ran. `run` is None where `failure` says why its trace is not in the database."""

    info: RunInfo
    outcome: Outcome
    run: int | None
    failure: OpcodetraceError | None
    spool: Path | None = None  # where the recording still lies, if it is not lost
    interrupted: bool = False  # a signal asked to stop, whatever the script made of it
    remarks: tuple[str, ...] = ()  # patterns that did nothing, modules that could not be woven

    @property
    def exit_code(self) -> int:
        """The script's own, unless that is 0 and the trace was not stored."""
        code = self.outcome.exit_code or 0
        return self.failure.exit_code if self.failure is not None and code == 0 else code


class NotRecordedError(OpcodetraceError):
    """The script ran, and nothing of it was recorded."""


class IngestStopped(OpcodetraceError):
    """A signal ended the ingest; the spool is left for `recover`."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} before the trace was stored")
        self.exit_code = 128 + signum


def record(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    database: str | os.PathLike[str] = "opcodetrace.db",
    is_module: bool = False,
    options: Options | None = None,
) -> Recording:
    """Run a script once and add its trace to the database."""
    target = Target(os.fspath(script), tuple(args), is_module)
    return next(record_many(target, Path(database), options or Options(), 1))


def record_many(
    target: Target,
    database: Path,
    options: Options,
    runs: int,
    *,
    before_output: Callable[[], None] = lambda: None,
) -> Iterator[Recording]:
    """Run it `runs` times, one after the other; each recording is given as soon as it is stored.

    Nothing is run if the script or the database cannot be used. With more than one run, what the script prints passes
    through us (`before_output` is called before), and only the first has our stdin.
    """
    check_options(options)
    target.check()
    database = Path(os.path.abspath(database))
    check_database(database)
    recover(database, lambda text: None, again=False)
    for number in range(runs):
        yield _record_once(target, database, options, number, runs > 1, before_output)


def _is_archive(path: str) -> bool:
    """Whether Python would run the file as a zip archive."""
    try:
        zipimport.zipimporter(path)
    except zipimport.ZipImportError:
        return False
    return True


def check_options(options: Options) -> None:
    """Raise where the options contradict one another."""
    if options.last is None:
        return
    if options.max_events is not None:
        raise UsageError(
            f"--last {options.last} keeps the end of the run, --max-events {options.max_events} its beginning; "
            "give one of them"
        )
    if not 0 < options.last <= MAX_LAST:
        raise UsageError(f"--last {options.last} is out of range; the most is {MAX_LAST}")
    needed = ring_for(options.last) * RECORD_SIZE
    if needed > options.window_bytes:
        raise UsageError(
            f"--last {options.last} takes {needed >> 20}M of the disk, more than --window allows; "
            f"give --window {needed >> 20}M or keep fewer events"
        )


def check_database(database: Path) -> None:
    """Raise if the database cannot be made, opened or written."""
    if trace_file.is_current(database):
        return
    from opcodetrace.store.database import Database

    with contextlib.closing(Database.open(database, create=True)):
        pass


def _record_once(
    target: Target,
    database: Path,
    options: Options,
    number: int,
    is_one_of_many: bool,
    before_output: Callable[[], None],
) -> Recording:
    script = f"-m {target.name}" if target.is_module else target.name
    info = run_info(script, target.args, options)
    meta = Meta(info, options.keep_all, options.max_events, last=options.last)
    with _Signals() as signals:
        spool = Spool.create(database, meta)
        try:
            window = _window(spool, options)
            output = _Output(before_output) if is_one_of_many else None
            child = _start(target, options, spool, output, reads_stdin=number == 0)
        except BaseException:
            spool.delete()
            raise
        meta = replace(meta, process=Process.of(child.pid))
        with contextlib.suppress(OSError):  # a full disk: recover then knows less
            spool.write_meta(meta)
        started = time.monotonic()
        _wait(child, window, output, signals)
        outcome = _outcome(child.returncode, time.monotonic() - started, output)
        attached = bool(window.flags & HeaderFlag.ATTACHED)
        meta = replace(meta, outcome=outcome, disk_full=window.disk_full)
        with contextlib.suppress(OSError):
            spool.write_meta(meta)
        window.close()
        if not attached:
            spool.delete()
            failure: OpcodetraceError = NotRecordedError("the script ran, but nothing of it was recorded")
            return Recording(info, outcome, None, failure, None, signals.asked_to_stop)
        signals.child_has_ended()
        try:
            from opcodetrace import stages  # NumPy and SQLite are loaded when the script has ended

            run, remarks = stages.store_run(spool, meta, database)
        except OpcodetraceError as error:
            failure = error
        except Exception as error:  # the script's outcome and what was recorded of it outlive our own faults
            failure = OpcodetraceError(f"the trace could not be stored: {type(error).__name__}: {error}")
        else:
            spool.delete()
            return Recording(info, outcome, run, None, None, signals.asked_to_stop, tuple(remarks))
        spool.release()
    return Recording(info, outcome, None, failure, spool.folder, signals.asked_to_stop)


def _window(spool: Spool, options: Options) -> Window:
    try:
        return Window.create(
            spool.window, max_records=options.max_events, window_bytes=options.window_bytes, last=options.last
        )
    except OSError as error:
        raise SpoolError(f"cannot make {spool.window}: {error.strerror or error}") from error


def run_info(script: str, argv: tuple[str, ...], options: Options) -> RunInfo:
    """What is known of a run that this Python begins now."""
    return RunInfo(
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        script=script,
        argv=argv,
        python=sys.version.partition(" ")[0],
        implementation=sys.version,
        gil=getattr(sys, "_is_gil_enabled", lambda: True)(),
        switch_interval=options.switch_interval,
        cwd=os.getcwd(),
    )


def recover(database: Path, say: Callable[[str], None], *, again: bool = True) -> list[int]:
    """Add the runs whose collector died before they were in the database; `say` is told what is left alone, and why.

    What could not be recovered before is tried `again`, or passed over.
    """
    database = Path(os.path.abspath(database))
    recovered = []
    for spool in orphans(database):
        try:
            run = _recover(spool, database, say, again)
        except Exception as error:  # one bad spool must keep neither the others nor a recording
            say(f"{spool.folder} is left as it is: {error or type(error).__name__}")
            run = None
        finally:
            spool.release()
        if run is not None:
            recovered.append(run)
    return recovered


def _recover(spool: Spool, database: Path, say: Callable[[str], None], again: bool) -> int | None:
    meta = spool.read_meta()
    if meta.unreadable is not None and not again:
        return None
    # A recording in process ends before the process does.
    pid = None if meta.outcome is not None else spool.running(meta)
    if pid is not None:
        say(f"{spool.folder} is left as it is: process {pid}, which it records, still runs; recover when it has ended")
        return None
    if not spool.is_attached():
        spool.delete()  # the collector died before the script began
        return None
    outcome = meta.outcome or Outcome(exit_code=None, signal=None, duration=0.0)
    from opcodetrace import stages

    try:
        run, _ = stages.store_run(spool, replace(meta, outcome=replace(outcome, recovered=True)), database)
    except DatabaseError:
        raise
    except Exception as error:
        spool.write_meta(replace(meta, unreadable=f"{type(error).__name__}: {error}"))
        raise
    spool.delete()
    return run


# --- the child


def interpreter_options(orig_argv: Sequence[str]) -> list[str]:
    """The options of the command line that started this interpreter, as the child is to have them.

    Options in the shebang line of a console script are the installer's (some distributions put -sP or -I there), not
    the user's.
    """
    options, rest = _split_options(orig_argv[1:])
    if rest and not rest[0].startswith("-") and options == _shebang_options(rest[0]):
        return []
    return options


def _split_options(args: Sequence[str]) -> tuple[list[str], Sequence[str]]:
    """Python's own options, and what follows: -m, -c or the script."""
    options: list[str] = []
    index = 0
    while index < len(args):
        arg = args[index]
        if arg == "--check-hash-based-pycs":
            options += args[index : index + 2]
            index += 2
            continue
        if not arg.startswith("-") or arg in ("-", "--"):
            break
        for place, letter in enumerate(arg[1:], 1):
            if letter in "cm":
                if place > 1:
                    options.append(arg[:place])
                return options, ["-" + arg[place:], *args[index + 1 :]]
            if letter in "WX":
                options.append(arg)
                if place == len(arg) - 1:
                    index += 1
                    options += args[index : index + 1]
                break
        else:
            options.append(arg)
        index += 1
    return options, args[index:]


def _shebang_options(script: str) -> list[str] | None:
    try:
        with open(script, "rb") as file:
            line = file.readline(512)
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    _, _, options = line[2:].strip().partition(b" ")
    return [os.fsdecode(options.strip())] if options.strip() else None


def _start(
    target: Target, options: Options, spool: Spool, output: _Output | None, *, reads_stdin: bool
) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise UsageError("cannot record: this Python does not know its own executable (sys.executable)")
    bytecode = importlib.util.find_spec("bytecode")
    folder = os.path.dirname(os.path.dirname(bytecode.origin)) if bytecode and bytecode.origin else ""
    command = [
        sys.executable,
        *interpreter_options(sys.orig_argv),
        os.fspath(_CHILD.resolve()),
        os.fspath(spool.folder),
        "" if options.switch_interval is None else repr(options.switch_interval),
        folder,
        ",".join(options.include),
        ",".join(options.exclude),
        "calls" if options.calls else "",
        "module" if target.is_module else "script",
        target.name,
        *target.args,
    ]
    try:
        return subprocess.Popen(
            command,
            stdin=None if reads_stdin else subprocess.DEVNULL,
            stdout=None if output is None else output.write_end,
            close_fds=False,  # what the shell opened for the script reaches it
        )
    except (OSError, ValueError) as error:
        raise OpcodetraceError(f"cannot start {sys.executable}: {error}") from error
    finally:
        if output is not None:
            output.close_write_end()


def _wait(child: subprocess.Popen[bytes], window: Window, output: _Output | None, signals: _Signals) -> None:
    """Until the child has ended: keep the window ahead of it, hand signals on, copy its output through."""
    allocating = True
    while child.poll() is None:
        try:
            if allocating:
                window.allocate_ahead()
        except OSError:
            allocating = False  # the recording ends where the window does
        for signum in signals.to_forward():
            child.send_signal(signum)
        if output is None:
            signals.sleep(_ALLOCATE_EVERY)
        else:
            output.copy(signals, _ALLOCATE_EVERY)
    if output is not None:
        output.finish()


class _Output:
    """The script's stdout on its way to ours."""

    def __init__(self, before_output: Callable[[], None]) -> None:
        import hashlib

        self.before_output = before_output
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self._pending = memoryview(b"")
        self._hash = hashlib.sha256()
        self._tail = b""
        self._open = True

    def close_write_end(self) -> None:
        os.close(self.write_end)

    def copy(self, signals: _Signals, timeout: float) -> None:
        """One step. A reader of ours that does not read holds up the script, but not us."""
        if self._pending:
            ready = signals.sleep(timeout, write=1)
        else:
            ready = signals.sleep(timeout, read=self.read_end if self._open else None)
        if ready:
            self._step()

    def _step(self) -> None:
        if self._pending:
            self._write(self._pending[: select.PIPE_BUF])
            return
        try:
            data = os.read(self.read_end, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._close()
            return
        self._hash.update(data)
        self._tail = (self._tail + data)[-4096:]
        self.before_output()
        self._pending = memoryview(data)

    def _write(self, data: memoryview) -> None:
        try:
            written = os.write(1, data)
        except BlockingIOError:
            return
        except OSError:  # our reader is gone: the script shall notice, as if it wrote there itself
            self._pending = memoryview(b"")
            self._close()
            return
        self._pending = self._pending[written:]

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.read_end)

    def finish(self) -> None:
        """Copy what the pipe still holds; processes that the script left behind may keep it open."""
        while self._open:
            if self._pending:
                select.select([], [1], [])
            elif not select.select([self.read_end], [], [], 0)[0]:
                break
            self._step()
        self._close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def last_line(self) -> str:
        lines = self._tail.decode("utf-8", "replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "")


def _outcome(returncode: int, duration: float, output: _Output | None) -> Outcome:
    signum = -returncode if returncode < 0 else None
    return Outcome(
        exit_code=128 + signum if signum is not None else returncode,
        signal=signum,
        duration=duration,
        stdout_sha256=None if output is None else output.sha256,
        stdout_tail=None if output is None else output.last_line,
    )


def end_as(outcome: Outcome, exit_code: int) -> NoReturn:
    """End this process as the script ended: with its exit code, or by the same signal."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if outcome.signal is not None:
        with contextlib.suppress(OSError, ValueError):
            # The script dumped the core. On Linux 1 means none even where a program receives the dumps; 0 does not.
            limit = 1 if sys.platform == "linux" else 0
            resource.setrlimit(resource.RLIMIT_CORE, (limit, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError, ValueError):  # SIGKILL needs no handler
            signal.signal(outcome.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {outcome.signal})
        os.kill(os.getpid(), outcome.signal)
    sys.exit(exit_code)


class _Signals:
    """What arrives while a script is recorded. Handled, never ignored: a child inherits what is ignored.

    SIGINT and SIGQUIT are the script's affair until it has ended; then they end the ingest, as do SIGTERM and SIGHUP.
    """

    def __init__(self) -> None:
        self._active = threading.current_thread() is threading.main_thread()
        self._ended = False
        self.asked_to_stop = False
        self._arrived: list[int] = []
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> _Signals:
        if not self._active:
            return self
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for signum in (*_OWN, *_FORWARDED, signal.SIGCHLD):
            handler = signal.getsignal(signum)
            if handler is None or (handler is signal.SIG_IGN and signum != signal.SIGCHLD):
                continue  # nohup, say: the script ignores it too
            self._before[signum] = handler
            signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._active:
            return
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read_end)
        os.close(self._write_end)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop |= signum in _STOPS
        if not self._ended:
            if signum in _FORWARDED:
                self._arrived.append(signum)
        elif signum in _STOPS:
            raise IngestStopped(signum)

    def to_forward(self) -> list[int]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def child_has_ended(self) -> None:
        """What ends the ingest is ours from now on. SIGQUIT does it at once, even while SQLite waits for a lock."""
        self._ended = True
        if signal.SIGQUIT in self._before:
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    def sleep(self, timeout: float, *, read: int | None = None, write: int | None = None) -> bool:
        """Until a signal arrives (a child's end is one), the time is up, or true if a descriptor is ready."""
        reads = [] if read is None else [read]
        writes = [] if write is None else [write]
        if self._active:
            reads.append(self._read_end)
        ready, writable, _ = select.select(reads, writes, [], timeout)
        if self._active and self._read_end in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._read_end, 4096)
        return bool(writable) or read in ready
