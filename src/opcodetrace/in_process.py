"""Recording in the process that asks for it: what a notebook or a test uses.

`recorder` starts a script in a child and collects from outside. Here all is done in one process, one after the other:
functions are woven in place, the body runs, and when it has ended its recording is stored.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, ParamSpec, TypeVar

from opcodetrace import pipeline, recorder
from opcodetrace.errors import AlreadyRecording, FindingsError, InternalError, OpcodetraceError, SpoolError, UsageError
from opcodetrace.explain import run_report
from opcodetrace.findings import KINDS
from opcodetrace.probe import _probe
from opcodetrace.report import REPORTERS
from opcodetrace.report.words.run import found_words
from opcodetrace.report.write import write_report
from opcodetrace.rewrite.in_place import Weaving, Weavings, functions_of, functions_of_namespace
from opcodetrace.spool.folder import Meta, Process, Spool
from opcodetrace.spool.layout import RECORD_SIZE
from opcodetrace.spool.messages import encode
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.window import Window
from opcodetrace.standard_streams import kept_closed, say
from opcodetrace.store.database import Database
from opcodetrace.trace.execution import Outcome
from opcodetrace.trace.finding_kind import happened
from opcodetrace.trace.printable import printable
from opcodetrace.trace.redaction import is_pattern
from opcodetrace.trace.report_model import RunReport, Story
from opcodetrace.trace.run import Truncation
from opcodetrace.trace.stored import StoredRun

P = ParamSpec("P")
R = TypeVar("R")

WINDOW = 1 << 28  # bytes
MIN_WINDOW = 1 << 16

_busy = threading.Lock()  # held by the recording that is under way
_weavings = Weavings(_probe)  # guarded by it, as is:
_weavings_with_calls = Weavings(_probe, _weavings, calls=True)


def record(
    *targets: object,
    database: str | os.PathLike[str] | None = None,
    max_events: int | None = None,
    window_bytes: int | None = None,
    switch_interval: float | None = None,
    keep_all: bool = False,
    calls: bool = False,
    values: bool = True,
    redact: Sequence[str] = (),
    check: bool = False,
) -> Recorder:
    """Record a part of this process: `with record() as recording: ...`, or `@record()` above a function.

    Watched are the `targets`: functions, classes, modules, names of modules. Without any, all functions of the module
    that calls `record`, or that the decorated function is of; and the decorated function itself in any case.
    Statements of the `with` block are not watched, nor is any function that was running before: call one in the block.

    The run is added to `database` (else $OPCODETRACE_DB, else ./opcodetrace.db). Recording ends early after
    `max_events`, or when `window_bytes` (256 MiB) of the disk are full; the body goes on. `switch_interval` (seconds)
    is set meanwhile. `keep_all` stores accesses that threads do not share, too; `calls`, the caller of each function.
    Without `values`, of no value more is kept than which object it is; values of names that one of `redact` means
    (`token` is `api_token`, too) are not stored.
    With `check`, what went wrong raises FindingsError at the end, unless the body has raised something.

    UsageError if an argument cannot be. Entering raises AlreadyRecording, DatabaseError, SpoolError.
    """
    for name, number, least in (("max_events", max_events, 1), ("window_bytes", window_bytes, MIN_WINDOW)):
        if number is not None and (not isinstance(number, int) or number < least):
            raise UsageError(f"{name} is {number!r}; give a whole number of at least {least}, or leave it out")
    if switch_interval is not None and not 0 < switch_interval <= 1000:
        raise UsageError(f"switch_interval is {switch_interval!r}; give seconds, more than 0 and at most 1000")
    for pattern in redact:
        if not is_pattern(pattern):
            raise UsageError(f"redact has {pattern!r}, which is no name; write it like token, api_key or pass*")
    if window_bytes is None:
        window_bytes = WINDOW if max_events is None else max(MIN_WINDOW, max_events * RECORD_SIZE)
    if database is None:
        database = os.environ.get("OPCODETRACE_DB", "opcodetrace.db")
    caller = sys._getframe(1)
    return Recorder(
        targets,
        Path(os.path.abspath(database)),
        Options(switch_interval, max_events, window_bytes, keep_all, calls=calls, values=values, redact=tuple(redact)),
        check,
        caller.f_globals,
        caller.f_code.co_filename,
    )


class Recorder:
    """What `record` gives: a context manager, which can be used again and again, and a decorator."""

    def __init__(
        self,
        targets: tuple[object, ...],
        database: Path,
        options: Options,
        check: bool,
        namespace: dict[str, Any],
        body: str,
    ) -> None:
        """`body` names what is recorded; `namespace` is watched if there are no targets."""
        self._targets = targets
        self._database = database
        self._options = options
        self._check = check
        self._namespace = namespace
        self._body = body
        self._sessions: list[_Session] = []

    def __enter__(self) -> Recording:
        recording = Recording(self._database, self._body)
        self._sessions.append(_Session(recording, self._options, self._functions))
        return recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sessions.pop().end(error, self._check)

    def _functions(self) -> list[FunctionType]:
        if self._targets:
            return functions_of(self._targets)
        return functions_of_namespace(self._namespace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, each call of which is recorded; its attribute `recording` is that of the latest."""
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        if code is None or isinstance(function, type):
            raise UsageError(f"cannot record {function!r}: decorate a function written in Python")
        globals_ = inspect.unwrap(function).__globals__
        targets = (*self._targets, function) if self._targets else ()
        recorder = Recorder(
            targets,
            self._database,
            self._options,
            self._check,
            globals_,
            f"{code.co_filename}::{code.co_qualname}",
        )
        return recorder._around(function)

    def _around(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise UsageError(
                f"cannot record {function.__qualname__}: it is a generator, which runs piece by piece; "
                "record the function that goes through it"
            )
        wrapper: Any
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: P.args, **keywords: P.kwargs) -> Any:
                with self as wrapper.recording:
                    return await function(*args, **keywords)

        else:

            @functools.wraps(function)
            def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
                with self as wrapper.recording:
                    return function(*args, **keywords)

        wrapper.recording = None
        watched: Callable[P, R] = wrapper
        return watched


class Recording:
    """A run that is being recorded, then one that is in the database."""

    def __init__(self, database: Path, script: str) -> None:
        self.database = database
        self.script = script  # the file whose block is recorded, or file::function
        self.run: int | None = None  # its number, once it is stored
        self._stored: StoredRun | None = None
        self._report: RunReport | None = None

    @property
    def stored(self) -> StoredRun:
        """The run as it is stored. UsageError before that, here and below."""
        if self._stored is None:
            if self.run is None:
                raise UsageError("the recording is not stored: ask it after the block has ended")
            with contextlib.closing(Database.open(self.database)) as database:
                self._stored = database.run(self.run)
        return self._stored

    @property
    def lost(self) -> int:
        """How many updates were lost: the least number that the recording proves."""
        return self.stored.lost

    @property
    def lost_at_most(self) -> int:
        """The greatest number of lost updates that some order of the events gives: more than `lost` only without the
        GIL, or if the recording has gaps."""
        return self.stored.lost_at_most

    @property
    def truncated(self) -> Truncation | None:
        """Why the recording ended before the body, if it did."""
        return self.stored.truncated

    @property
    def findings(self) -> tuple[Story, ...]:
        """What was found, by kind and source lines, the most frequent first; each with an example."""
        return self._composed().stories

    def report(self, format: str = "text") -> str:
        """The report as text, markdown or json. UsageError if there is no such format."""
        if format not in REPORTERS:
            raise UsageError(f"there is no report format {format!r}; take one of {', '.join(REPORTERS)}")
        page = io.StringIO()
        write_report(self._composed(), REPORTERS[format](), page)
        return page.getvalue()

    def _composed(self) -> RunReport:
        if self._report is None:
            stored = self.stored
            with contextlib.closing(Database.open(self.database)) as database:
                self._report = run_report.compose(database, stored)
        return self._report

    def __repr__(self) -> str:
        if self.run is None:
            return printable(f"<opcodetrace.Recording of {self.script}, not stored>")
        found = found_words(self.stored.found, self.stored.merged, KINDS, "nothing found")
        return printable(f"<opcodetrace.Recording: run {self.run} of {self.database}, {found}>")

    def _repr_markdown_(self) -> str:
        """For notebooks."""
        return f"`{self!r}`" if self.run is None else self.report("markdown")


class _Session:
    """From the moment that the functions are woven until the run is stored."""

    def __init__(self, recording: Recording, options: Options, functions: Callable[[], list[FunctionType]]) -> None:
        """Begins. Raises with everything as it was before."""
        self._recording = recording
        self._pid = os.getpid()
        if not _busy.acquire(blocking=False):
            raise AlreadyRecording(
                "cannot record: another recording is under way in this process; end it first, or record around both"
            )
        with kept_closed(), contextlib.ExitStack() as undo:
            undo.callback(_busy.release)
            if _probe.attached():
                raise AlreadyRecording(
                    "cannot record: this process is recorded by `opcodetrace record` already; run the script without it"
                )
            recorder.check_database(recording.database)
            weaving = (_weavings_with_calls if options.calls else _weavings).weave(functions())
            info = recorder.run_info(recording.script, (), options)
            self._meta = Meta(info, Process.of(self._pid))
            with contextlib.ExitStack() as undo_spool:
                self._spool = Spool.create(recording.database, self._meta, StoredOptions(options))
                undo_spool.callback(self._spool.delete)
                self._window = _window(self._spool, options)
                undo_spool.callback(self._window.close)
                _write_sites(self._spool, weaving)
                _attach(self._spool)
                undo.callback(_probe.detach)
                for code in weaving.codes:
                    _probe.adopt(code)
                if options.switch_interval is not None:
                    undo.callback(sys.setswitchinterval, sys.getswitchinterval())
                    sys.setswitchinterval(options.switch_interval)
                undo.callback(weaving.take_out)
                weaving.put_in()
                undo.callback(_probe.stop)
                self._started = time.monotonic()
                _probe.start()
                undo_spool.pop_all()
            self._undo = undo.pop_all()

    def end(self, error: BaseException | None, check: bool) -> None:
        """Ends and stores the run; `error` is what the body raised. OpcodetraceError if it cannot be stored, and
        with `check` FindingsError, unless the body has raised."""
        duration = time.monotonic() - self._started
        self._undo.close()
        self._window.close()
        if os.getpid() != self._pid:
            self._spool.release()  # a forked child comes here too: the run is its parent's
            return
        outcome = Outcome(exit_code=_exit_code(error), signal=None, duration=duration)
        try:
            self._store(replace(self._meta, outcome=outcome))
            if check and error is None and happened(KINDS, self._recording.stored.found):
                raise FindingsError(self._recording.report())
        except OpcodetraceError as failure:
            if error is None:
                raise
            say(str(failure))

    def _store(self, meta: Meta) -> None:
        try:
            with contextlib.suppress(OSError):  # a full disk: recover then knows less
                self._spool.write_meta(meta)
            with kept_closed():
                self._recording.run, _ = pipeline.store_run(self._spool, meta, self._recording.database)
        except Exception as error:
            self._spool.release()
            what = error if isinstance(error, OpcodetraceError) else InternalError.of(error)
            failure = OpcodetraceError(
                f"the recording could not be stored: {what}; it is kept in {self._spool.folder}, "
                f"add it with: opcodetrace recover -d {self._recording.database}"
            )
            raise failure from error
        except BaseException:
            self._recording.run = self._spool.run
            self._spool.release()
            raise


def _window(spool: Spool, options: Options) -> Window:
    """The window: nobody goes ahead of the probe."""
    try:
        window = Window.create(
            spool.window, max_records=options.max_events, window_bytes=options.window_bytes, values=options.values
        )
        window.allocate_all()
    except OSError as error:
        raise SpoolError(f"cannot make {spool.window}: {error.strerror or error}") from error
    return window


def _write_sites(spool: Spool, weaving: Weaving) -> None:
    try:
        spool.sites.write_bytes(b"".join(map(encode, weaving.messages)))
    except OSError as error:
        raise SpoolError(f"cannot write {spool.sites}: {error.strerror or error}") from error


def _attach(spool: Spool) -> None:
    try:
        _probe.attach(os.fspath(spool.window))
    except OSError as error:
        raise SpoolError(f"cannot map {spool.window}: {error.strerror or error}") from error


def _exit_code(error: BaseException | None) -> int:
    """That of a script that ended so."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return error.code if type(error.code) is int else int(error.code is not None)
    return 1
