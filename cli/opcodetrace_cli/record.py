"""opcodetrace record."""

from __future__ import annotations

import contextlib
import functools
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opcodetrace import recorder, script_process
from opcodetrace.errors import InternalError, OpcodetraceError, UsageError
from opcodetrace.recorder import RecordedRun, Target
from opcodetrace.spool.layout import MAX_LAST
from opcodetrace.spool.options import DEFAULT_WINDOW, Options
from opcodetrace.standard_streams import say, say_failure
from opcodetrace_cli import configuration
from opcodetrace_cli.database import database_option

if TYPE_CHECKING:  # the script starts before what shows and stores its trace is loaded
    from opcodetrace.store.database import Database
    from opcodetrace.trace.stored import StoredRun

LOST, FINDING, FAILED = "lost", "finding", "failed"
# When `--until` ends the runs: what is said of the run that did.
UNTIL = {
    LOST: "it lost an update",
    FINDING: "something happened in it for which a check fails",
    FAILED: "it failed",
}
REQUIRED = "Do not run SCRIPT if it cannot be recorded: exit with 74 (70: a failure of opcodetrace itself)."
MIN_WINDOW = 1 << 16
MANY_RECORDS = 1_000_000  # to store so many takes long enough for a word on it
INCLUDE = (
    "Weave modules of this name too, wherever they lie; of a package, all below it: queue, requests. Repeat it for "
    "more. Replaces what the configuration includes."
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
    "--until",
    type=click.Choice([*UNTIL]),
    help="End --runs with the first run that lost an update (lost), in which something happened for which check fails "
    "(finding), or that failed (failed: an exit code other than 0, or a signal).",
)
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
    until: str | None,
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

    Everything after SCRIPT is the script's own. What opcodetrace says goes to stderr; the exit code is the script's,
    with --runs that of the first run that failed.
    If it cannot be recorded (a full disk, a locked trace file), it runs unrecorded, and a line on stderr says why.
    """
    if until is not None and runs == 1:
        raise UsageError(
            f"--until {until} ends a recording of several runs; say with --runs how many there are at most"
        )
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
    recordings, met = record_runs(target, database, options, runs, until, required, quiet)
    report_remarks(recordings)
    if until is not None and not quiet:
        tell_until(until, recordings[-1], len(recordings), met=met)
    if not quiet:
        with told():
            tabulate(recordings, database)
    failed = next((recording for recording in recordings if recording.exit_code), recordings[-1])
    script_process.end_as(failed.outcome, failed.exit_code)


def record_runs(
    target: Target, database: Path, options: Options, runs: int, until: str | None, required: bool, quiet: bool
) -> tuple[list[RecordedRun], bool]:
    """Record N times, or until a run meets `until`, and whether one did. A terminal gets a progress bar."""
    recordings = []
    met = False
    with bar(runs, quiet) as (hide, advance):
        for recording in recorder.record_many(target, database, options, runs, required=required, before_output=hide):
            recordings.append(recording)
            advance()
            report_failure(recording, database)
            met = until is not None and is_met(until, recording, database)
            if met or recording.interrupted:
                break
    return recordings, met


def is_met(until: str, recording: RecordedRun, database: Path) -> bool:
    """Whether a run is such a one."""
    if until == FAILED:
        return recording.outcome.failed is True
    if recording.run is None:
        return False
    from opcodetrace.findings import KINDS
    from opcodetrace.findings.lost_update import LOST_UPDATE
    from opcodetrace.store.database import Database
    from opcodetrace.trace.finding_kind import happened

    with told(), contextlib.closing(Database.open(database)) as opened:
        found = opened.run(recording.run).found
        return happened(KINDS, [tally for tally in found if until != LOST or tally.kind == LOST_UPDATE.name])
    return False


def tell_until(until: str, last: RecordedRun, number: int, *, met: bool) -> None:
    """Which run ended the recording, or that none did."""
    if met:
        run = "" if last.run is None else f", run {last.run} in the trace file"
        say(f"ended with the {ordinal(number)} run{run}: {UNTIL[until]}")
    elif not last.interrupted:
        say(f"of {count(number, 'run')}, there was none of which --until {until} holds")


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


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
        if run.outcome.signal is not None:
            say(f"the script was ended by a signal: {signal_name(run.outcome.signal)}")
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


def signal_name(number: int) -> str:
    """SIGSEGV; its number if it has no name here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def tell(database: Database, run: StoredRun, first: str | None = None) -> None:
    """The report with the first group of findings alone, or with that of a fingerprint."""
    from opcodetrace.explain import run_report
    from opcodetrace.report.text import TextReporter

    sys.stderr.write("\n")
    TextReporter().write(run_report.compose(database, run, max_stories=1, max_brief=0, first=first), sys.stderr)


def tabulate(recordings: list[RecordedRun], database: Path) -> None:
    """What sets the runs apart; then the report of the one that says most."""
    from rich.console import Console

    from opcodetrace.explain.across_runs import Comparison, Ended
    from opcodetrace.store.database import Database
    from opcodetrace_cli import comparison as tables

    with contextlib.ExitStack() as stack:
        numbers = [recording.run for recording in recordings if recording.run is not None]
        opened = stack.enter_context(Database.open(database)) if numbers else None
        ended = []
        for recording in recordings:
            run = None if opened is None or recording.run is None else opened.run(recording.run)
            ended.append(Ended(recording.outcome, None) if run is None else Ended.of(run))
        comparison = Comparison.of(opened, ended)
        tables.show(comparison, Console(stderr=True, highlight=False))
        if opened is None:
            return
        say(f"runs {numbers[0]} to {numbers[-1]} are in {database}; next: {command('runs', database)}")
        telling = comparison.tells_most()
        if telling is not None:
            say(tables.why_shown(comparison, telling))
            tell(opened, telling.run, telling.fingerprint)
