"""Start the script in a child, ingest what it left in the spool, analyse, store: in that order, here alone."""

from __future__ import annotations

import contextlib
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

from opcodetrace import script_process
from opcodetrace.errors import DatabaseError, InternalError, OpcodetraceError, ScriptError, SpoolError, UsageError
from opcodetrace.spool.folder import Meta, Process, Spool, orphans
from opcodetrace.spool.layout import MAX_LAST, RECORD_SIZE, HeaderFlag, ring_for
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.window import Window
from opcodetrace.store import trace_file
from opcodetrace.trace.execution import Outcome, RunInfo


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
        """The script's own, unless that is 0 and the trace was not stored."""
        code = self.outcome.exit_code or 0
        return self.failure.exit_code if self.failure is not None and code == 0 else code


class NotRecordedError(OpcodetraceError):
    """The script ran, and nothing of it was recorded."""


def record(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    database: str | os.PathLike[str] = "opcodetrace.db",
    is_module: bool = False,
    options: Options | None = None,
) -> RecordedRun:
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
    before_storing: Callable[[int], None] = lambda records: None,
) -> Iterator[RecordedRun]:
    """Run it `runs` times, one after the other; each recording is given as soon as it is stored.

    Nothing is run if the script or the database cannot be used. With more than one run, what the script prints passes
    through us (`before_output` is called before), and only the first has our stdin. `before_storing` is told how many
    records there are to read, which takes some seconds for each million.
    """
    check_options(options)
    target.check()
    database = Path(os.path.abspath(database))
    check_database(database)
    recover(database, lambda text: None, again=False)
    for number in range(runs):
        yield _record_once(target, database, options, number, runs > 1, before_output, before_storing)


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
    before_storing: Callable[[int], None],
) -> RecordedRun:
    script = f"-m {target.name}" if target.is_module else target.name
    info = run_info(script, target.args, options)
    meta = Meta(info)
    with script_process.Signals() as signals:
        spool = Spool.create(database, meta, StoredOptions(options, _libraries()))
        try:
            window = _window(spool, options)
            output = script_process.Output(before_output) if is_one_of_many else None
            child = script_process.start(_arguments(target, spool), output, reads_stdin=number == 0)
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
        records = window.next if options.last is None else min(window.next, options.last)
        meta = replace(meta, outcome=outcome, disk_full=window.disk_full)
        with contextlib.suppress(OSError):
            spool.write_meta(meta)
        window.close()
        if not attached:
            spool.delete()
            failure: OpcodetraceError = NotRecordedError("the script ran, but nothing of it was recorded")
            return RecordedRun(info, outcome, None, failure, None, signals.asked_to_stop)
        signals.child_has_ended()
        try:
            before_storing(records)
            from opcodetrace import pipeline  # NumPy and SQLite are loaded when the script has ended

            run, remarks = pipeline.store_run(spool, meta, database)
        except OpcodetraceError as error:
            failure = error
        except Exception as error:  # the script's outcome and what was recorded of it outlive our own faults
            failure = InternalError.of(error)
        else:
            spool.delete()
            return RecordedRun(info, outcome, run, None, None, signals.asked_to_stop, tuple(remarks))
        spool.release()
    return RecordedRun(info, outcome, None, failure, spool.folder, signals.asked_to_stop)


def _libraries() -> str:
    """Where the script's process finds `bytecode`: its path need not be ours."""
    bytecode = importlib.util.find_spec("bytecode")
    return os.path.dirname(os.path.dirname(bytecode.origin)) if bytecode and bytecode.origin else ""


def _arguments(target: Target, spool: Spool) -> list[str]:
    """What child.py is told."""
    return [os.fspath(spool.folder), "module" if target.is_module else "script", target.name, *target.args]


def _window(spool: Spool, options: Options) -> Window:
    try:
        return Window.create(
            spool.window,
            max_records=options.max_events,
            window_bytes=options.window_bytes,
            last=options.last,
            values=options.values,
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
            fault = error if isinstance(error, OpcodetraceError) else InternalError.of(error)
            say(f"{spool.folder} is left as it is: {fault}")
            if isinstance(fault, InternalError) and fault.traceback():
                say(fault.traceback())
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
    from opcodetrace import pipeline

    try:
        run, _ = pipeline.store_run(spool, replace(meta, outcome=replace(outcome, recovered=True)), database)
    except DatabaseError:
        raise
    except Exception as error:
        spool.write_meta(replace(meta, unreadable=f"{type(error).__name__}: {error}"))
        raise
    spool.delete()
    return run
