"""`opcodetrace runs`: the runs in a trace file."""

from __future__ import annotations

import datetime
import pathlib
import sys
from collections import defaultdict

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opcodetrace.explain.across_runs import Comparison, Ended
from opcodetrace.findings import KINDS
from opcodetrace.recorder import recover
from opcodetrace.report.words.run import found_words
from opcodetrace.standard_streams import say
from opcodetrace.store.database import Database
from opcodetrace.trace.printable import printable
from opcodetrace.trace.stored import StoredRun
from opcodetrace_cli.comparison import show
from opcodetrace_cli.database import chosen, database_option, runs_option

UNLIMITED = 10_000  # columns of output that no terminal shows: a pipe cuts nothing off


@click.command()
@database_option
@runs_option("all")
@click.option(
    "--outcomes",
    is_flag=True,
    help="Show how they ended, what was found in which, and which interleavings ended how.",
)
def runs(database: pathlib.Path, numbers: tuple[range, ...], outcomes: bool) -> None:
    """List the runs in the trace file, or what sets them apart.

    Adds those first whose recording was interrupted, as `recover` does.
    """
    for number in recover(database, say, again=False):
        say(f"run {number} was recovered from an interrupted recording")
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else UNLIMITED, highlight=False)
    with Database.open(database) as trace_file:
        stored = chosen(trace_file, numbers, not numbers)
        if not stored:
            say(f"{database} holds no runs")
            return
        if outcomes:
            by_script: defaultdict[str, list[StoredRun]] = defaultdict(list)
            for run in stored:
                by_script[run.info.script].append(run)
            for place, (script, same) in enumerate(by_script.items()):
                if len(by_script) > 1:
                    console.print(Text(f"{chr(10) if place else ''}{printable(script)}"), soft_wrap=True)
                show(Comparison.of(trace_file, [Ended.of(run) for run in same]), console)
            return
    console.print(_table(stored, narrow=terminal and console.width < 110), soft_wrap=not terminal)


def _table(stored: list[StoredRun], *, narrow: bool) -> Table:
    table = Table(box=SIMPLE_HEAD if not narrow else None, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in ("run", "when"):
        table.add_column(name, justify="right" if name == "run" else "left", no_wrap=True)
    table.add_column("script", overflow="ellipsis", no_wrap=True, min_width=8)
    for name in ("python", "exit", "functions", "threads", "events", "switches", "found", "time"):
        if narrow and name == "functions":
            continue
        table.add_column(name, justify="left" if name == "python" else "right", no_wrap=True)
    for run in stored:
        table.add_row(*(Text(printable(cell)) for cell in _cells(run, narrow=narrow)))
    return table


def _cells(run: StoredRun, *, narrow: bool) -> tuple[str, ...]:
    info, outcome = run.info, run.outcome
    script = " ".join((info.script, *info.argv))
    free_threaded = "" if info.gil else "t"
    return (
        str(run.id),
        _when(info.started_at, narrow=narrow),
        pathlib.PurePath(info.script).name if narrow else script,
        (info.python.rpartition(".")[0] if narrow else info.python) + free_threaded,
        "?" if outcome.exit_code is None else str(outcome.exit_code),
        *([] if narrow else [_functions(run)]),
        str(run.threads),
        _count(run.stored, narrow=narrow) + ("+" if run.truncated or run.let_go else ""),
        _count(run.switches, narrow=narrow) if info.gil else "-",
        _found(run, narrow=narrow),
        f"{outcome.duration:.2f}s" if outcome.duration < 100 else f"{outcome.duration:.0f}s",
    )


def _found(run: StoredRun, *, narrow: bool) -> str:
    """What was found; of all kinds together if there is little room."""
    if not narrow:
        return found_words(run.found, run.merged, KINDS, "-")
    told = [tally for tally in run.found if tally.kind in KINDS and KINDS[tally.kind].is_told]
    low, high = sum(tally.low for tally in told), sum(tally.high for tally in told)
    found = str(low) if low == high else f"{low}-{high}"
    return f"{found}?" if run.merged else found


def _functions(run: StoredRun) -> str:
    """How many were woven, and of how many if not all were."""
    return f"{run.functions} of {run.functions + run.unwoven}" if run.unwoven else str(run.functions)


def _when(started_at: str, *, narrow: bool) -> str:
    try:
        local = datetime.datetime.fromisoformat(started_at).astimezone()
    except (ValueError, OverflowError):
        return started_at
    return local.strftime("%m-%d %H:%M" if narrow else "%Y-%m-%d %H:%M:%S")


def _count(number: int, *, narrow: bool) -> str:
    if not narrow or number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"
