"""Start the script in a child, ingest what it left in the spool, analyse, store: in that order, here alone."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import stat
import sys
import time
import zipimport
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

from opcodetrace import script_process
from opcodetrace.errors import (
    DatabaseError,
    InternalError,
    NotATraceFile,
    NotRecorded,
    OpcodetraceError,
    ScriptError,
    SpoolError,
    UsageError,
)
from opcodetrace.interruption import held_back
from opcodetrace.spool.folder import Meta, Process, Spool, orphans
from opcodetrace.spool.layout import MAX_LAST, RECORD_SIZE, HeaderFlag, ring_for
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.window import Window
from opcodetrace.standard_streams import STDIN, STDOUT, kept_closed, say_failure
from opcodetrace.trace.execution import Outcome, RunInfo

PATIENCE = 5.0  # seconds that a script is held up by others who have locked the trace file


@dataclass(frozen=True, slots=True)
class Target:
    """What to record: a script's path or a module's name, and its arguments."""

    name: str
    args: tuple[str, ...] = ()
    is_module: bool = False

    def command(self) -> list[str]:
        """What Python itself is told to run it."""
        if self.is_module:
            return ["-m", self.name, *self.args]
        return [*(["--"] if self.name.startswith("-") else []), self.name, *self.args]

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
class RecordedRun:
    """A script that ran. `run` is None if `failure` says why its trace is not in the database."""

    info: RunInfo
    outcome: Outcome
    run: int | None
    failure: OpcodetraceError | None
    spool: Path | None = None  # where the recording still lies, if it is not lost
    interrupted: bool = False  # a signal asked to stop, whatever the script made of it
    remarks: tuple[str, ...] = ()  # patterns that did nothing, modules that could not be woven

    @property
    def exit_code(self) -> int:
        """The script's own, unless that is 0 and what was recorded could not be stored."""
        code = self.outcome.exit_code or 0
        return self.failure.exit_code if self.failure is not None and code == 0 else code


def record(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    database: str | os.PathLike[str] = "opcodetrace.db",
    is_module: bool = False,
    options: Options | None = None,
    required: bool = False,
) -> RecordedRun:
    """Run a script once and add its trace to the database."""
    target = Target(os.fspath(script), tuple(args), is_module)
    return next(record_many(target, Path(database), options or Options(), 1, required=required))


def record_many(
    target: Target,
    database: Path,
    options: Options,
    runs: int,
    *,
    required: bool = False,
    before_output: Callable[[], None] = lambda: None,
    before_storing: Callable[[int], None] = lambda records: None,
) -> Iterator[RecordedRun]:
    """Run it `runs` times, one after the other; each recording is given as soon as it is stored.

    Nothing is run if the script or the database was named wrongly. If nothing can be recorded for any other reason, the
    script runs unrecorded, and that is said; if recording is `required`, nothing is run, and that reason is raised.
    With more than one run, what the script prints passes through us (`before_output` is called before), and only the
    first has our stdin. `before_storing` is told how many records there are to read, which takes some seconds for each
    million.
    """
    check_options(options)
    target.check()
    with kept_closed() as closed:
        failure: OpcodetraceError | None
        try:
            database = Path(os.path.abspath(database))
        except OSError as error:
            failure = DatabaseError(f"cannot find {database}: the current folder is gone ({error.strerror})")
        else:
            failure = why_not(database)
        if failure is not None:
            if required:
                raise failure
            say_unrecorded(failure)
        recorder = _Recorder(target, database, options, required, closed, failure)
        for number in range(runs):
            output = script_process.Output(before_output) if runs > 1 and STDOUT not in closed else None
            yield recorder.run(number, output, before_storing)


def _is_archive(path: str) -> bool:
    """Whether Python would run the file as a zip archive."""
    try:
        zipimport.zipimporter(path)
    except zipimport.ZipImportError:
        return False
    return True


def check_options(options: Options) -> None:
    """Raise if the options contradict one another."""
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
    from opcodetrace.store import trace_file

    if trace_file.is_current(database):
        return
    from opcodetrace.store.database import Database

    with contextlib.closing(Database.open(database, create=True)):
        pass


@dataclass(frozen=True, slots=True)
class _Recorder:
    """What the runs of one command have in common."""

    target: Target
    database: Path
    options: Options
    required: bool
    closed: frozenset[int]
    why_not: OpcodetraceError | None  # nothing can be recorded, and that was said

    def start(self, arguments: list[str], output: script_process.Output | None, number: int) -> Popen[bytes]:
        return script_process.start(arguments, output, reads_stdin=number == 0 or STDIN in self.closed)

    def info(self) -> RunInfo:
        script = f"-m {self.target.name}" if self.target.is_module else self.target.name
        return run_info(script, self.target.args, self.options)

    def prepare(self) -> tuple[Spool, Meta, Window]:
        """A spool to record into. OpcodetraceError if there can be none."""
        try:
            meta = Meta(self.info())
            spool = Spool.create(self.database, meta, StoredOptions(self.options, _libraries()))
            try:
                window = _window(spool, self.options)
            except BaseException:
                spool.delete()
                raise
        except OpcodetraceError:
            raise
        except Exception as error:
            raise InternalError.of(error) from error
        return spool, meta, window

    def arguments(self, spool: Spool) -> list[str]:
        """What child.py is told."""
        target = self.target
        need, kind = "required" if self.required else "optional", "module" if target.is_module else "script"
        return [os.fspath(script_process.CHILD), os.fspath(spool.folder), need, kind, target.name, *target.args]

    def run(
        self,
        number: int,
        output: script_process.Output | None,
        before_storing: Callable[[int], None],
    ) -> RecordedRun:
        """Run the script once; record it if that can be."""
        with script_process.Signals() as signals:
            failure = self.why_not
            if failure is None:
                try:
                    spool, meta, window = self.prepare()
                except OpcodetraceError as error:
                    if self.required:
                        raise
                    failure = error
                    say_unrecorded(error)
            if failure is not None:
                return self._run_unrecorded(number, output, signals, failure)
            try:
                child = self.start(self.arguments(spool), output, number)
            except BaseException:
                spool.delete()
                raise
            meta = replace(meta, process=Process.of(child.pid))
            with contextlib.suppress(OSError):  # a full disk: recover then knows less
                spool.write_meta(meta)
            started = time.monotonic()
            script_process.wait(child, window, output, signals)
            outcome = script_process.outcome_of(child.returncode, time.monotonic() - started, output)
            attached = bool(window.flags & HeaderFlag.ATTACHED)
            records = window.next if self.options.last is None else min(window.next, self.options.last)
            meta = replace(meta, outcome=outcome)
            with contextlib.suppress(OSError):
                spool.write_meta(meta)
            window.close()
            if spool.is_unrecorded() or not attached:
                said = spool.is_unrecorded()  # by the script's process itself
                spool.delete()
                failure = NotRecorded("" if said else "nothing was recorded: the process ended before the script began")
                return RecordedRun(meta.info, outcome, None, failure, None, signals.asked_to_stop)
            signals.child_has_ended()
            return self._store(spool, meta, outcome, records, signals, before_storing)

    def _run_unrecorded(
        self,
        number: int,
        output: script_process.Output | None,
        signals: script_process.Signals,
        failure: OpcodetraceError,
    ) -> RecordedRun:
        """As Python itself would; why was said."""
        child = self.start(self.target.command(), output, number)
        started = time.monotonic()
        script_process.wait(child, None, output, signals)
        outcome = script_process.outcome_of(child.returncode, time.monotonic() - started, output)
        why = NotRecorded("")
        why.__cause__ = failure
        return RecordedRun(self.info(), outcome, None, why, None, signals.asked_to_stop)

    def _store(
        self,
        spool: Spool,
        meta: Meta,
        outcome: Outcome,
        records: int,
        signals: script_process.Signals,
        before_storing: Callable[[int], None],
    ) -> RecordedRun:
        failure: OpcodetraceError
        try:
            before_storing(records)
            with held_back():  # what is loaded by halves cannot be loaded again
                from opcodetrace import pipeline  # NumPy and SQLite are loaded when the script has ended

            if not gc.get_freeze_count():
                gc.freeze()  # modules stay: no collection need walk them, nor the end of this process
            run, remarks = pipeline.store_run(spool, meta, self.database)
        except OpcodetraceError as error:
            failure = error
        except KeyboardInterrupt:  # what a signal's handler raised while SQLite worked is that to us
            if signals.stopped is None:
                spool.release()
                raise
            failure = signals.stopped
        except Exception as error:  # the script's outcome and what was recorded of it outlive our own faults
            failure = InternalError.of(error)
        else:
            return RecordedRun(meta.info, outcome, run, None, None, signals.asked_to_stop, tuple(remarks))
        if spool.run is not None:  # the signal came too late
            return RecordedRun(meta.info, outcome, spool.run, None, None, signals.asked_to_stop)
        spool.release()
        return RecordedRun(meta.info, outcome, None, failure, spool.folder, signals.asked_to_stop)


def say_unrecorded(error: OpcodetraceError) -> None:
    """That the script runs all the same, and what keeps us from recording it."""
    what = InternalError if isinstance(error, InternalError) else OpcodetraceError
    told = what(f"the script runs unrecorded: {error}")
    told.__cause__ = error.__cause__
    say_failure(told)


def why_not(database: Path) -> OpcodetraceError | None:
    """What keeps us from recording into this trace file now. NotATraceFile if it is none."""
    from opcodetrace.store.waiting import at_most

    try:
        with at_most(PATIENCE):
            check_database(database)
            recover(database, lambda text: None, again=False)
    except NotATraceFile:
        raise
    except OpcodetraceError as error:
        return error
    except Exception as error:
        return InternalError.of(error)
    return None


def _libraries() -> str:
    """Where the script's process finds `bytecode`: its path need not be ours."""
    bytecode = importlib.util.find_spec("bytecode")
    return os.path.dirname(os.path.dirname(bytecode.origin)) if bytecode and bytecode.origin else ""


def _window(spool: Spool, options: Options) -> Window:
    try:
        window = Window.create(
            spool.window,
            max_records=options.max_events,
            window_bytes=options.window_bytes,
            last=options.last,
            values=options.values,
        )
    except OSError as error:
        raise SpoolError(f"cannot make {spool.window}: {error.strerror or error}; free some space") from error
    if window.disk_full and not window.limit:
        window.close()
        raise SpoolError(f"cannot make {spool.window}: its disk has no room; free some space or name another with -d")
    return window


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
        cwd=_current_folder(),
    )


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "?"  # somebody deleted it


def recover(database: Path, say: Callable[[str], None], *, again: bool = True) -> list[int]:
    """Add the runs whose collector died before they were in the database; `say` is told what is left alone, and why.

    What could not be recovered before is tried `again`, or passed over.
    """
    database = Path(os.path.abspath(database))
    recovered = []
    for spool in orphans(database, say if again else lambda text: None):
        try:
            run = _recover(spool, database, say, again)
        except Exception as error:  # one bad spool must keep neither the others nor a recording
            fault = error if isinstance(error, OpcodetraceError) else InternalError.of(error)
            say(f"{spool.folder} is left as it is: {fault}")
            if isinstance(fault, InternalError) and sys.stderr is not None:
                sys.stderr.write(fault.traceback())
            run = None
            if isinstance(fault, DatabaseError) and not again:
                break  # it is the trace file that cannot be used, and a script waits
        finally:
            spool.release()
        if run is not None:
            recovered.append(run)
    return recovered


def _recover(spool: Spool, database: Path, say: Callable[[str], None], again: bool) -> int | None:
    try:
        meta = spool.read_meta()
    except SpoolError:
        if not again:
            return None
        return _recover_without_meta(spool, database, say)
    if meta.unreadable is not None and not again:
        return None
    if meta.stored is not None:
        spool.delete()
        if spool.folder.exists() and again:
            say(f"{spool.folder} is left as it is: it is run {meta.stored} already, and cannot be deleted; delete it")
        return None
    # A recording in process ends before the process does.
    pid = None if meta.outcome is not None else spool.running(meta)
    if pid is not None:
        say(f"{spool.folder} is left as it is: process {pid}, which it records, still runs; recover when it has ended")
        return None
    if not spool.is_attached():
        spool.delete()  # the collector died before the script began
        return None
    try:
        return _store_recovered(spool, meta, database)
    except DatabaseError:
        raise
    except Exception as error:
        with contextlib.suppress(OSError):
            spool.write_meta(replace(meta, unreadable=f"{type(error).__name__}: {error}"))
        raise


def _recover_without_meta(spool: Spool, database: Path, say: Callable[[str], None]) -> int | None:
    """As much as can be. Nobody holds the lock of such a spool, so that says nothing of its collector."""
    if not spool.is_attached():
        raise SpoolError("neither its meta.json nor its window tell of a run")
    meta = spool.made_up_meta()
    pid = spool.collector() or spool.running(meta)
    if pid is not None:
        say(f"{spool.folder} is left as it is: process {pid}, which may record it, runs; recover when it has ended")
        return None
    return _store_recovered(spool, meta, database)


def _store_recovered(spool: Spool, meta: Meta, database: Path) -> int:
    from opcodetrace import pipeline

    pipeline.check_whole(spool)
    outcome = meta.outcome or Outcome(exit_code=None, signal=None, duration=0.0)
    run, _ = pipeline.store_run(spool, replace(meta, outcome=replace(outcome, recovered=True)), database)
    return run
