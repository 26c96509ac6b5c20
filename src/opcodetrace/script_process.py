"""The process that the script runs in, as seen from the one that started it: its options, output, signals and end."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from opcodetrace.errors import OpcodetraceError, UsageError
from opcodetrace.interruption import STOPS
from opcodetrace.spool.window import Window
from opcodetrace.trace.execution import Outcome

CHILD = Path(__file__).with_name("child.py").resolve()
_GO_AHEAD_EVERY = 0.005  # seconds
_OWN = (signal.SIGINT, signal.SIGQUIT)  # a terminal sends them to the script as well
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class IngestStopped(OpcodetraceError):
    """A signal ended the ingest; the spool is left for `recover`."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} before the trace was stored")
        self.exit_code = 128 + signum


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


def start(arguments: Sequence[str], output: Output | None, *, reads_stdin: bool) -> subprocess.Popen[bytes]:
    """Run our own Python with its options and these arguments. Its stdout is ours or `output`'s; its stdin is ours or
    empty."""
    if not sys.executable:
        raise UsageError("cannot record: this Python does not know its own executable (sys.executable)")
    command = [sys.executable, *interpreter_options(sys.orig_argv), *arguments]
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


def wait(child: subprocess.Popen[bytes], window: Window | None, output: Output | None, signals: Signals) -> None:
    """Until the child has ended: keep the window ahead of it, hand signals on, copy its output through."""
    going_ahead = window is not None
    while child.poll() is None:
        try:
            if going_ahead and window is not None:
                window.go_ahead()
        except OSError:
            going_ahead = False  # the recording ends with what is allocated
        for signum in signals.to_forward():
            child.send_signal(signum)
        if output is None:
            signals.sleep(_GO_AHEAD_EVERY)
        else:
            output.copy(signals, _GO_AHEAD_EVERY)
    if output is not None:
        output.finish()


class Output:
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

    def copy(self, signals: Signals, timeout: float) -> None:
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


def outcome_of(returncode: int, duration: float, output: Output | None) -> Outcome:
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
            # The script dumped the core. On Linux 1 means none even if a program receives the dumps; 0 does not.
            limit = 1 if sys.platform == "linux" else 0
            resource.setrlimit(resource.RLIMIT_CORE, (limit, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError, ValueError):  # SIGKILL needs no handler
            signal.signal(outcome.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {outcome.signal})
        os.kill(os.getpid(), outcome.signal)
    sys.exit(exit_code)


class Signals:
    """What arrives while a script is recorded. Handled, never ignored: a child inherits what is ignored.

    SIGINT and SIGQUIT are the script's affair until it has ended; then they end the ingest, as do SIGTERM and SIGHUP.
    """

    def __init__(self) -> None:
        self._active = threading.current_thread() is threading.main_thread()
        self._ended = False
        self.asked_to_stop = False
        self.stopped: IngestStopped | None = None
        self._arrived: list[int] = []
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Signals:
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
        self.asked_to_stop |= signum in STOPS
        if not self._ended:
            if signum in _FORWARDED:
                self._arrived.append(signum)
        elif signum in STOPS:
            self.stopped = IngestStopped(signum)
            raise self.stopped

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
