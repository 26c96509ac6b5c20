"""Real recordings, made by the command line: by `record` in this process, else in one of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO, NoReturn
from unittest import mock

from click.testing import CliRunner

from opcodetrace import pipeline, script_process  # noqa: F401  # what a forked recorder needs is imported
from opcodetrace.errors import SpoolError
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind, SyncFlag
from opcodetrace.spool.window import Window
from opcodetrace.trace.execution import Outcome
from opcodetrace_cli import main
from tests import windows

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "opcodetrace"]
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Recording:
    """What `opcodetrace record` did: its exit code, what it and the script printed, and where the trace lies."""

    exit_code: int
    stdout: str
    stderr: str
    database: Path

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as connection:
            rows: list[tuple[object, ...]] = connection.execute(sql, parameters).fetchall()
        return rows

    def lost(self, run: int = 1) -> dict[str, int]:
        """How many lost updates of each location the run lists, by label."""
        sql = "SELECT location, count(*) FROM lost_updates WHERE run_id = ? GROUP BY location"
        return {str(label): int(str(count)) for label, count in self.query(sql, run)}

    def bounds(self, run: int = 1) -> dict[str, tuple[int, int]]:
        """How many updates of each location the run lost, at least and at most; without those that lost nothing."""
        sql = """
            SELECT label, sum(low), sum(high) FROM lost_counts JOIN locations ON locations.id = location_id
            WHERE lost_counts.run_id = ? GROUP BY label HAVING sum(high)
        """
        return {str(label): (int(str(low)), int(str(high))) for label, low, high in self.query(sql, run)}

    def assert_lost(self, expected: dict[str, int], run: int = 1) -> None:
        """That just these were lost, each so often; without the GIL, that the bounds of each hold its number."""
        bounds = self.bounds(run)
        if FREE_THREADED:
            for label in bounds.keys() | expected.keys():
                low, high = bounds.get(label, (0, 0))
                true = expected.get(label, 0)
                assert low <= true <= high, f"{label} lost {true}; found {low} to {high}"
        else:
            expected = {label: count for label, count in expected.items() if count}
            assert self.lost(run) == expected
            assert bounds == {label: (count, count) for label, count in expected.items()}


def environment(**changes: str) -> dict[str, str]:
    """For a child: it finds opcodetrace wherever it runs, and no trace file but the one that it is given."""
    inherited = dict(os.environ)
    inherited.pop("OPCODETRACE_DB", None)
    if inherited.get("PYTHONPATH"):
        inherited["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, inherited["PYTHONPATH"].split(os.pathsep)))
    return inherited | changes


def opcodetrace(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a command of opcodetrace, in a process of its own."""
    return subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, text=True, env=environment())


def invoke(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which is ten times as fast. It must not be `record` (see `record_here`)."""
    command = list(map(str, arguments))
    with mock.patch.dict(os.environ):
        os.environ.pop("OPCODETRACE_DB", None)
        done = CliRunner().invoke(main, command)
    return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)


def record(database: Path, *arguments: str | Path) -> Recording:
    """`opcodetrace record` into `database`; the options, the script and its arguments follow."""
    done = record_here(database, *arguments)
    return Recording(done.returncode, done.stdout.decode(), done.stderr.decode(), database)


def record_here(
    database: Path, *arguments: str | Path, options: Sequence[str] = (), stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """The same. The recorder runs in this process, which takes a third of the time; the script has one of its own as
    always, with these options of Python."""

    def end_as(outcome: Outcome, exit_code: int) -> NoReturn:
        raise SystemExit(exit_code if outcome.signal is None else -outcome.signal)

    code = 0
    command = ["record", "-d", str(database), *map(str, arguments)]
    orig_argv = [COMMAND[0], *options, *COMMAND[1:], *command]
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ))
        os.environ.pop("OPCODETRACE_DB", None)
        stack.enter_context(mock.patch.object(script_process, "end_as", end_as))  # it would end us by a signal
        stack.enter_context(mock.patch.object(sys, "orig_argv", orig_argv))  # else it has those of this process
        given, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        with descriptors(given, stdout, stderr):
            try:
                main.main(command, prog_name="opcodetrace")
            except SystemExit as ended:
                assert isinstance(ended.code, int | None)
                code = ended.code or 0
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(command, code, stdout.read(), stderr.read())


@contextlib.contextmanager
def descriptors(*files: IO[bytes]) -> Iterator[None]:
    """These are stdin, stdout and stderr, for us and for the processes that we start."""
    saved = [os.dup(number) for number in range(len(files))]
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        with (
            open(1, "w", closefd=False) as stdout,
            open(2, "w", buffering=1, closefd=False) as stderr,
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            yield
    finally:
        for number, descriptor in enumerate(saved):
            os.dup2(descriptor, number)
            os.close(descriptor)


def forked(
    command: list[str], streams: tuple[int, int, int], *, folder: Path | None = None, not_its: int | None = None
) -> ForkProcess:
    """A command of opcodetrace with these standard streams, in a process that is forked from this one, which has
    imported all that it needs. It must be told if it inherits the other end of its stdin."""
    process = FORK.Process(target=_run_forked, args=(command, streams, folder, not_its))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the threads of pytest-xdist only wait
        process.start()
    return process


def _run_forked(command: list[str], streams: tuple[int, int, int], folder: Path | None, not_its: int | None) -> None:
    if not_its is not None:
        os.close(not_its)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    if folder is not None:
        os.chdir(folder)
    known = environment()
    os.environ.clear()
    os.environ.update(known)
    sys.orig_argv[:] = [*COMMAND, *command]
    with open(1, "w", closefd=False) as sys.stdout, open(2, "w", buffering=1, closefd=False) as sys.stderr:
        main.main(command, prog_name="opcodetrace")


def spools(database: Path) -> list[Path]:
    """What lies beside the database."""
    return sorted(path for path in database.parent.iterdir() if ".spool-" in path.name)


class Underway:
    """A recording that goes on. Its script waits for lines, and is told them when what it has recorded is enough."""

    def __init__(self, database: Path, *arguments: str | Path) -> None:
        self.database = database
        stdin, tells = os.pipe()
        says, stdout = os.pipe()
        self._stdin, self._stdout = os.fdopen(tells, "w"), os.fdopen(says)
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as it goes on
        command = ["record", "-d", *map(str, (database, *arguments))]
        self.process = forked(command, (stdin, stdout, self._stderr.fileno()), not_its=tells)
        os.close(stdin)
        os.close(stdout)

    def until_waiting(self, *threads: str) -> None:
        """Returns as soon as the last that each of these threads recorded is that it is about to wait.

        They may have waited before, for what others were about to give: let them print when that is behind them, and
        take that by `said` first."""
        while not set(threads) <= self._waiting():
            self._assert_alive()
            os.sched_yield()

    def until_still(self, *threads: str) -> None:
        """The same, in C code, and all others have ended. A wait for a `queue.Queue` or the like is one for a lock."""
        self.until_waiting(*threads)
        while not (self._in_c() >= set(threads) and self._ended() >= self._names() - set(threads)):
            self._assert_alive()
            os.sched_yield()

    def until_idle(self) -> None:
        """Returns as soon as the main thread's event loop has nothing to do."""
        while not self._is_idle():
            self._assert_alive()
            os.sched_yield()

    def _is_idle(self) -> bool:
        with self._window() as window:
            synchronised = windows.read(window, underway=True).of(RecordKind.SYNC)
        return [each.key for each in synchronised if each.thread == 0][-1:] == ["idle"]

    def _names(self) -> set[object]:
        with self._window() as window:
            return {event.value for event in windows.read(window, underway=True).of(RecordKind.THREAD)}

    def _in_c(self) -> set[object]:
        with self._window() as window:
            trace = windows.read(window, underway=True)
        names = {event.thread: event.value for event in trace.of(RecordKind.THREAD)}
        last = {event.thread: event for event in trace.of(RecordKind.SYNC)}
        waits = ("acquire", "__enter__", "join", "_shutdown")
        return {
            names[each.thread]
            for each in last.values()
            if SyncFlag.BEGINS in SyncFlag(each.frame)
            and (each.key in waits or "SimpleQueue" in trace.types.get(each.container >> ADDRESS_BITS, ""))
        }

    def _ended(self) -> set[object]:
        with self._window() as window:
            named = windows.read(window, underway=True).of(RecordKind.THREAD)
            return {event.value for event in named if window.ended(event.thread)}

    def _window(self) -> Window:
        (folder,) = self.database.parent.glob(f"{self.database.name}.spool-*")
        return Window.open(folder / "window")

    def _waiting(self) -> set[object]:
        try:
            with self._window() as window:
                trace = windows.read(window, underway=True)
        except (ValueError, FileNotFoundError, SpoolError):  # there is none yet
            return set()
        names = {event.thread: event.value for event in trace.of(RecordKind.THREAD)}
        last = {event.thread: SyncFlag(event.frame) for event in trace.of(RecordKind.SYNC)}
        return {names[thread] for thread, flags in last.items() if SyncFlag.BEGINS in flags}

    def said(self) -> str:
        """The next line that the script prints."""
        return self._stdout.readline().rstrip("\n")

    def tell(self, line: str = "") -> None:
        """Gives the script a line."""
        self._stdin.write(line + "\n")
        self._stdin.flush()

    def end(self) -> Recording:
        """Waits until the run is stored."""
        with self._stdin, self._stdout, self._stderr:
            self._stdin.close()
            stdout = self._stdout.read()
            self.process.join()
            assert self.process.exitcode is not None
            self._stderr.seek(0)
            return Recording(self.process.exitcode, stdout, self._stderr.read(), self.database)

    def _assert_alive(self) -> None:
        assert self.process.is_alive(), self.end()


class Scripts:
    """A folder in which scripts are run plainly and recorded, to be compared to the byte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "traces" / "trace.db"  # elsewhere, so that the script's folder stays as it is
        self.database.parent.mkdir()

    def write(self, name: str, source: str | bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.encode() if isinstance(source, str) else source)
        return path

    def run(
        self,
        command: Sequence[str | Path],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command in the folder."""
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=env or environment(),
            pass_fds=pass_fds,
            check=False,
        )

    def plain(
        self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """`python [OPTION]... ARG...`."""
        return self.run([sys.executable, *options, *args], stdin=stdin)

    def recording_command(self, *args: str | Path, options: Sequence[str] = ()) -> list[str | Path]:
        """`python [OPTION]... -m opcodetrace record -q ARG...`."""
        return [COMMAND[0], *options, *COMMAND[1:], "record", "-d", self.database, "-q", *args]

    def recorded(
        self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """The same through opcodetrace, which says nothing itself. Its process is forked, unless there are options."""
        if options:
            return self.run(self.recording_command(*args, options=options), stdin=stdin)
        command = list(map(str, self.recording_command(*args)[len(COMMAND) :]))
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            given.write(stdin)
            given.seek(0)
            process = forked(command, (given.fileno(), stdout.fileno(), stderr.fileno()), folder=self.folder)
            process.join()
            assert process.exitcode is not None
            stdout.seek(0)
            stderr.seek(0)
            return subprocess.CompletedProcess(command, process.exitcode, stdout.read(), stderr.read())

    def record(
        self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """The same with the recorder in this process: enough if nobody asks how that one starts and ends."""
        with contextlib.chdir(self.folder):
            return record_here(self.database, "-q", *args, options=options, stdin=stdin)

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        """A recording that goes on, in a session of its own; its stdin and stdout are pipes."""
        return subprocess.Popen(
            self.recording_command(*args),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment(),
            start_new_session=True,
        )

    def opcodetrace(self, *args: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Another command of opcodetrace, by `invoke`."""
        with contextlib.chdir(self.folder):
            done = invoke(args[0], "-d", self.database, *args[1:])
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.encode(), done.stderr.encode())

    def spools(self) -> list[Path]:
        """What lies beside the database."""
        return spools(self.database)

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """What the database says."""
        return Recording(0, "", "", self.database).query(sql, *parameters)

    def same(self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b"", here: bool = False) -> int:
        """Assert that a recording does what the plain run does, to the byte; gives the exit code. With `here` it is
        made by `record`."""
        plain = self.plain(*args, options=options, stdin=stdin)
        recorded = (self.record if here else self.recorded)(*args, options=options, stdin=stdin)
        assert recorded.stderr.decode() == plain.stderr.decode()
        assert recorded.stdout.decode() == plain.stdout.decode()
        assert recorded.returncode == plain.returncode
        return plain.returncode
