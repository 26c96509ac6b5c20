"""opcodetrace record."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opcodetrace import recorder, script_process
from opcodetrace.errors import InternalError, OpcodetraceError
from opcodetrace.recorder import RecordedRun, Target
from opcodetrace.spool.layout import MAX_LAST
from opcodetrace.spool.options import DEFAULT_WINDOW, Options
from opcodetrace.standard_streams import say, say_failure
from opcodetrace.trace.printable import printable
from opcodetrace_cli import configuration
from opcodetrace_cli.database import database_option

if TYPE_CHECKING:  # the script starts before what shows and stores its trace is loaded
    from opcodetrace.store.database import Database
    from opcodetrace.trace.finding import Tally
    from opcodetrace.trace.stored import StoredRun

REQUIRED = "Do not run SCRIPT if it cannot be recorded: exit with 74 (70: a failure of opcodetrace itself)."
MIN_WINDOW = 1 << 16
MANY_RECORDS = 1_000_000  # to store so many takes long enough for a word on it
INCLUDE = (
    "Weave modules of this name too, wherever they lie: queue, requests.* (and requests itself). Repeat it for more. "
    "Replaces what the configuration includes."
)
EXCLUDE = (
    "Do not weave modules of this name, included or not. Repeat it for more. Replaces what the configuration excludes."
)


def size(text: str | int) -> int:
    """A number of bytes: 4096, 64M, 2G."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgG]?)(?:i?[bB])?", str(text).strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a size; write it like 256M or 2G")
    number = int(float(found[1]) * 1024 ** " kmg".index(found[2].lower() or " "))
    if number < MIN_WINDOW:
        raise click.BadParameter(f"{text} is less than {MIN_WINDOW // 1024}K")
    return number


@click.command(context_settings={"allow_interspersed_args": False})
@database_option
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option("--runs", type=click.IntRange(min=1), default=1, metavar="N", help="Record it N times.")
@click.option(
    "--switch-interval",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    metavar="SECONDS",
    help="How long a thread may keep the GIL (sys.setswitchinterval); less makes more switches.",
)
@click.option("--max-events", type=click.IntRange(min=1), metavar="N", help="End the recording after N events.")
@click.option(
    "--last",
    type=click.IntRange(min=1, max=MAX_LAST),
    metavar="N",
    help="Keep only the last N events, however long it runs.",
)
@click.option(
    "--window",
    "window_bytes",
    type=size,
    default=DEFAULT_WINDOW,
    show_default="1G",
    metavar="SIZE",
    help="End the recording when it takes that much of the disk; with --last, the most that it may take.",
)
@click.option(
    "--keep",
    type=click.Choice(["shared", "all"]),
    default="shared",
    show_default=True,
    help="Which accesses to store: those to what several threads share, or all.",
)
@click.option("--calls", is_flag=True, help="Record the caller of each function, too (slower).")
@click.option(
    "--values/--no-values",
    default=None,
    help="Record the values that were read and written, or only which objects they were.  [default: values]",
)
@click.option(
    "--redact",
    metavar="NAME",
    multiple=True,
    help="Do not store values of names with this word: with token, also those of api_token. Repeat it for more. "
    "Replaces the configuration's.",
)
@click.option("--include", metavar="PATTERN", multiple=True, help=INCLUDE)
@click.option("--exclude", metavar="PATTERN", multiple=True, help=EXCLUDE)
@click.option("--require-recording", "required", is_flag=True, help=REQUIRED)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something fails.")
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[ARG]...")
def record(
    database: Path,
    is_module: bool,
    runs: int,
    switch_interval: float | None,
    max_events: int | None,
    last: int | None,
    window_bytes: int,
    keep: str,
    calls: bool,
    values: bool | None,
    redact: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    required: bool,
    quiet: bool,
    script: str,
    args: tuple[str, ...],
) -> None:
    """Run SCRIPT and record how its threads interleave.

    Everything after SCRIPT is the script's own. What opcodetrace says goes to stderr; the exit code is the script's.
    If it cannot be recorded (a full disk, a locked trace file), it runs unrecorded, and a line on stderr says why.
    """
    target = Target(script, args, is_module)
    patterns = configuration.patterns(include, exclude)
    with_values = configuration.values(values)
    hidden = configuration.redact(redact)
    options = Options(
        switch_interval, max_events, window_bytes, keep == "all", *patterns, last, calls, with_values, hidden
    )
    if runs == 1:
        storing = functools.partial(tell_of_storing, database, quiet)
        (recording,) = recorder.record_many(target, database, options, 1, required=required, before_storing=storing)
        report_failure(recording, database)
        report_remarks([recording])
        if recording.run is not None and not quiet:
            with told():
                summarize(recording.run, database)
        script_process.end_as(recording.outcome, recording.exit_code)
    recordings = record_runs(target, database, options, runs, required, quiet)
    report_remarks(recordings)
    if not quiet:
        with told():
            tabulate(recordings, database)
    failed = next((recording for recording in recordings if recording.exit_code), recordings[-1])
    script_process.end_as(failed.outcome, failed.exit_code)


def record_runs(
    target: Target, database: Path, options: Options, runs: int, required: bool, quiet: bool
) -> list[RecordedRun]:
    """Record N times, with a progress bar if stderr is a terminal."""
    recordings = []
    with bar(runs, quiet) as (hide, advance):
        for recording in recorder.record_many(target, database, options, runs, required=required, before_output=hide):
            recordings.append(recording)
            advance()
            report_failure(recording, database)
            if recording.interrupted:
                break
    return recordings


@contextlib.contextmanager
def bar(runs: int, quiet: bool) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """A progress bar that is taken away while the script prints."""
    if quiet or not sys.stderr.isatty():
        yield (lambda: None), (lambda: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("recording"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
    task = progress.add_task("", total=runs)

    def advance() -> None:
        progress.start()
        progress.update(task, advance=1, refresh=True)

    progress.start()
    progress.refresh()
    try:
        yield progress.stop, advance
    finally:
        progress.stop()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What is said of a recording that is stored; that it cannot be said or read back fails nothing."""
    try:
        yield
    except KeyboardInterrupt:  # enough of it: we end as the script did
        pass
    except Exception as error:
        failure = error if isinstance(error, OpcodetraceError) else InternalError.of(error)
        say_failure(type(failure)(f"the run is stored, but cannot be shown: {failure}"))


def tell_of_storing(database: Path, quiet: bool, records: int) -> None:
    """Say what takes long, and that it may be put off."""
    if records >= MANY_RECORDS and not quiet:
        say(f"storing {records:,} records; Ctrl-C leaves them for: {command('recover', database)}")


def report_failure(recording: RecordedRun, database: Path) -> None:
    """Say why a script that ran is not in the database."""
    if recording.failure is None or not str(recording.failure):  # none, or told before the script ran
        return
    say_failure(recording.failure)
    if recording.spool is not None:
        say(f"what was recorded is kept in {recording.spool}; add it with: {command('recover', database)}")


def report_remarks(recordings: list[RecordedRun]) -> None:
    """Say which patterns did nothing, and which modules could not be woven; of many runs, each remark once."""
    for remark in dict.fromkeys(remark for recording in recordings for remark in recording.remarks):
        say(remark)


def command(name: str, database: Path) -> str:
    """A command of ours, as the user would type it."""
    if database == Path("opcodetrace.db"):
        return f"opcodetrace {name}"
    return f"opcodetrace {name} -d {database}"


def count(number: int, noun: str) -> str:
    """1,204 switches."""
    plural = "es" if noun.endswith(("s", "ch")) else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def summarize(number: int, database: Path) -> None:
    """What was recorded, where it is, and the first of what was found."""
    from opcodetrace.findings import KINDS
    from opcodetrace.report.words import run as run_words
    from opcodetrace.report.words.finding import found_words
    from opcodetrace.store.database import Database

    with contextlib.closing(Database.open(database)) as opened:
        run = opened.run(number)
        parts = [count(run.threads, "thread")]
        if run.tasks:
            parts.append(count(run.tasks, "task"))
        parts.append(f"{count(run.stored, 'event')} (of {count(run.accesses, 'access')})")
        if run.info.gil:
            parts.append(count(run.switches, "switch"))
        parts.append(run_words.found_words(run.found, run.merged, KINDS, "nothing found"))
        say(f"run {run.id}: {', '.join(parts)}")
        if run.let_go:
            say(f"the first {run.let_go:,} events were evicted (--last {run.last:,})")
        woven = f"woven: {count(run.modules, 'module')}, {count(run.functions, 'function')}"
        if run.unwoven:
            woven += f"; {count(run.unwoven, 'function')} ran unseen ({command('query unwoven', database)})"
        say(woven)
        if run.truncated is not None:
            say(f"recording ended before the script did: {run.truncated.value}")
        if run.children:
            say(f"not recorded: {count(run.children, 'child process')}")
        say(f"the trace is in {database}; next: {command('report', database)}")
        if found_words(run.found, KINDS):
            tell(opened, run)


def tell(database: Database, run: StoredRun) -> None:
    """The report with the first group of findings alone."""
    from opcodetrace.explain import run_report
    from opcodetrace.report.text import TextReporter

    sys.stderr.write("\n")
    TextReporter().write(run_report.compose(database, run, max_stories=1, max_brief=0), sys.stderr)


def tabulate(recordings: list[RecordedRun], database: Path) -> None:
    """How many runs ended how, printed what, and what was found; then the report of the first that went worst."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from opcodetrace.findings import KINDS
    from opcodetrace.report.words import run as run_words
    from opcodetrace.report.words.finding import found_words
    from opcodetrace.store.database import Database
    from opcodetrace.trace.finding_kind import happened, possible

    table = Table("runs", "exit code", "last line printed", "found", title=None)
    with contextlib.ExitStack() as stack:
        if any(recording.run is not None for recording in recordings):
            opened = stack.enter_context(Database.open(database))
        stored = [None if recording.run is None else opened.run(recording.run) for recording in recordings]
        groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
        for index, recording in enumerate(recordings):
            outcome = recording.outcome
            groups[outcome.exit_code, outcome.stdout_sha256].append(index)
        for indexes in sorted(groups.values(), key=len, reverse=True):
            outcome = recordings[indexes[0]].outcome
            runs = [run for run in (stored[index] for index in indexes) if run is not None]
            merged = dict.fromkeys(lanes for run in runs for lanes in run.merged)
            cells = (
                str(len(indexes)),
                str(outcome.exit_code),
                printable(outcome.stdout_tail or ""),
                run_words.found_words(spread(runs), merged, KINDS, "-" if runs else "not recorded"),
            )
            table.add_row(*map(Text, cells))
        Console(stderr=True, highlight=False).print(table)
        told = [run for run in stored if run is not None and found_words(run.found, KINDS)]
        shown = min(
            told, key=lambda run: (not happened(KINDS, run.found), not possible(KINDS, run.found)), default=None
        )
        numbers = [run.id for run in stored if run is not None]
        if numbers:
            say(f"runs {numbers[0]} to {numbers[-1]} are in {database}; next: {command('runs', database)}")
        if shown is not None:
            tell(opened, shown)


def spread(runs: list[StoredRun]) -> list[Tally]:
    """By kind, from the fewest to the most findings that the runs have."""
    from opcodetrace.trace.finding import Tally

    by_kind: defaultdict[str, list[Tally]] = defaultdict(list)
    for run in runs:
        for tally in run.found:
            by_kind[tally.kind].append(tally)
    return [
        Tally(
            kind,
            min(tally.low for tally in found) if len(found) == len(runs) else 0,
            max(tally.high for tally in found),
        )
        for kind, found in by_kind.items()
    ]
