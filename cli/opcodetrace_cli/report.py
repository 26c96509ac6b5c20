"""opcodetrace report."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from opcodetrace.errors import UsageError
from opcodetrace.explain import run_report
from opcodetrace.report import REPORTERS, Reporter
from opcodetrace.report.text import MIN_WIDTH, TextReporter
from opcodetrace.report.write import write_report
from opcodetrace.store.database import Database
from opcodetrace.trace.redaction import SHOWN_HIDDEN
from opcodetrace_cli import configuration
from opcodetrace_cli.database import database_option, redact_option, run_option


@click.command()
@database_option
@run_option
@redact_option
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(REPORTERS)),
    help="How to write it; by FILE's extension if left out, else text.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it, if not here.")
@click.option(
    "--findings",
    type=click.IntRange(min=0),
    default=run_report.MAX_STORIES,
    show_default=True,
    metavar="N",
    help="How many groups of findings to show step by step: one for each kind and set of source lines.",
)
@click.option(
    "--width",
    type=click.IntRange(min=MIN_WIDTH, max=10_000),
    metavar="N",
    help="Columns of the text format.  [default: $COLUMNS, else the terminal's; elsewhere as many as it needs]",
)
def report(
    database: Path,
    run: int | None,
    redact: tuple[str, ...],
    format_name: str | None,
    output: Path | None,
    findings: int,
    width: int | None,
) -> None:
    """Show what was found in a run, each with its interleaving, and why nothing went wrong elsewhere.

    The locks that threads held, and the waits that put their updates in an order, are taken from the trace; the report
    says how sure that is: proven, inferred or possible. A terminal gets colours; NO_COLOR and FORCE_COLOR are obeyed.
    """
    to_file = output is not None and str(output) != "-"
    reporter = reporter_for(format_name or format_of(output), width, to_file)
    hidden = configuration.redact(redact) or SHOWN_HIDDEN
    with Database.open(database) as opened:
        composed = run_report.compose(opened, opened.run(run), findings, redact=hidden)
    write_report(composed, reporter, output if output is not None and to_file else sys.stdout)


def reporter_for(format_name: str, width: int | None, to_file: bool) -> Reporter:
    """The reporter of a format; only text has a width, and colours."""
    if format_name == TextReporter.name:
        return TextReporter(width, colour=False if to_file else None)
    if width is not None:
        raise UsageError(f"--width {width} is for the text format; {format_name} has lines of any length")
    return REPORTERS[format_name]()


def format_of(output: Path | None) -> str:
    """The format that a file's extension names."""
    if output is None or not output.suffix:
        return "text"
    for name, reporter in REPORTERS.items():
        if reporter.extension == output.suffix.lower():
            return name
    raise UsageError(f"no format goes with {output.name!r}; name one with --format: {', '.join(REPORTERS)}")
