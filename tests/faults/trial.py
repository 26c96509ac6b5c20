"""One trial: a folder of its own, what is drawn, the processes that it starts, and the bound after which it hangs."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.faults.prepared import Prepared
from tests.recording import COMMAND, environment

BOUND = 600.0  # seconds: a trial takes some seconds on a busy machine
MARK = "FAULTS_TRIAL"  # in the environment of all that a trial starts
PROC = Path("/proc")
PROC_TELLS = (PROC / "self" / "environ").exists()  # Linux


class BrokenLaw(Exception):
    """What a trial has shown that must not be."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote to what the trial reads."""

    code: int
    stdout: bytes
    stderr: bytes

    def __str__(self) -> str:
        return (
            f"exit code {self.code}\nstdout: {self.stdout[-2000:]!r}\nstderr:\n{self.stderr.decode(errors='replace')}"
        )


class Trial:
    """What a class of trials is given. It draws from `random`, runs processes and asks the laws."""

    def __init__(self, seed: int, number: int, folder: Path, prepared: Prepared) -> None:
        self.random = random.Random(f"{seed}:{number}")
        self.folder = folder
        self.prepared = prepared
        self.database = folder / "traces" / "trace.db"
        self.log: list[str] = []  # what was drawn and done, for who looks at a failure
        self.inside: list[str | Path] = []  # put before each command: the file system that it runs in
        self._hung: str | None = None
        self._mark = f"{os.getpid()}-{seed}-{number}-{random.SystemRandom().randrange(1 << 32)}"
        self._watch = threading.Timer(BOUND, self._end_hanging)
        self._watch.daemon = True

    def __enter__(self) -> Trial:
        self.database.parent.mkdir(parents=True)
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.until_all_ended()
        self._watch.cancel()
        for pid in self.processes():
            _kill(pid)
        if self._hung is not None:
            raise BrokenLaw(self._hung)

    def note(self, text: str) -> None:
        self.log.append(text)

    def require(self, holds: bool, what: object) -> None:
        """A law. If the trial hangs, its processes are killed, and what they then show says nothing."""
        if self._hung is not None:
            raise BrokenLaw(self._hung)
        if not holds:
            raise BrokenLaw(str(what))

    def chance(self, one_of: int) -> bool:
        return self.random.randrange(one_of) == 0

    def size(self, least: int, most: int) -> int:
        """A number whose magnitude is drawn: as many below 100 as between 100 and 10,000."""
        return min(most, int(least * (most / least) ** self.random.random()))

    def script(self, source: str, name: str = "script.py") -> Path:
        path = self.folder / name
        path.write_text(source)
        return path

    def with_earlier_run(self) -> None:
        """The trace file holds a run already."""
        self.prepared.copy_trace_file(self.database)

    # processes

    def start(
        self,
        command: Sequence[str | Path],
        *,
        stdin: int | IO[bytes] = subprocess.PIPE,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        command = [*self.inside, *command]
        self.note(shlex.join(map(str, command)))
        process = subprocess.Popen(
            command,
            bufsize=0,  # what `line` has not taken, `ended` finds
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=self.folder,
            env=environment(**{MARK: self._mark, **(env or {})}),
            start_new_session=True,
        )
        # Linux lets us go on before the new program has its environment, by which `processes` knows it
        while PROC_TELLS and not (self._is_ours(PROC / str(process.pid)) or _has_ended(process.pid)):
            os.sched_yield()
        if self._hung is not None:  # what was to be ended was looked for before it was there
            self._hung += f"\n  {process.pid}, just started: {shlex.join(map(str, command))}"
            _kill(process.pid)
        return process

    def ended(self, process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Ended:
        """Waits for a process, and for all that write where it wrote."""
        stdout, stderr = process.communicate(stdin)
        done = Ended(process.returncode, stdout or b"", stderr or b"")
        self.note(str(done))
        return done

    def run(self, command: Sequence[str | Path], stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
        return self.ended(self.start(command, env=env), stdin)

    def plain(self, *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
        """The script as Python runs it."""
        return self.run([sys.executable, *arguments], stdin, env)

    def recording(self, *arguments: str | Path) -> list[str | Path]:
        """The command that records; options first, the script and its arguments follow."""
        return [*COMMAND, "record", "-d", self.database, *arguments]

    def command(self, name: str, *arguments: str | Path) -> list[str | Path]:
        return [*COMMAND, name, "-d", self.database, *arguments]

    def opcodetrace(self, name: str, *arguments: str | Path) -> Ended:
        return self.run(self.command(name, *arguments))

    def line(self, process: subprocess.Popen[bytes]) -> bytes:
        """The next line of its stdout; empty if there is none any more."""
        assert process.stdout is not None
        return process.stdout.readline()

    def pass_time(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """A moment that is drawn: until then, or until the process has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)

    def send(self, pids: Iterable[int], signum: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
                self.note(f"sent {signal.Signals(signum).name} to {pid}")

    # what is left

    def processes(self) -> list[int]:
        """All that the trial has started, and what they have started, as far as they run. Linux only."""
        entries = PROC.iterdir() if PROC_TELLS else ()
        return [int(entry.name) for entry in entries if entry.name.isdigit() and self._is_ours(entry)]

    def _is_ours(self, entry: Path) -> bool:
        with contextlib.suppress(OSError):
            return f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
        return False

    def until_all_ended(self) -> None:
        """What does not end hangs, and the bound ends it."""
        for pid in iter(lambda: next(iter(self.processes()), None), None):
            with contextlib.suppress(ProcessLookupError):
                until_ended(pid)
        self.require(True, "")

    def _end_hanging(self) -> None:
        running = [f"  {pid} in {_waits_in(pid)}: {_command_line(pid)}" for pid in self.processes()]
        self._hung = "\n".join([f"it hangs: after {BOUND:g} s these still run", *running])
        while pids := self.processes():
            for pid in pids:
                _kill(pid)


def until_ended(pid: int) -> None:
    """Until a process that need not be a child of ours has ended. Linux only; ProcessLookupError if there is none."""
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that run."""
    try:
        return [int(word) for word in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []


def _has_ended(pid: int) -> bool:
    """A child of ours, which is not reaped by that."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "?"


def _waits_in(pid: int) -> str:
    try:
        return (PROC / str(pid) / "wchan").read_text() or "?"
    except OSError:
        return "?"
