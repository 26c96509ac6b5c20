"""opcodetrace check."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from opcodetrace.explain import run_report
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import run as run_words
from opcodetrace.report.words.text import encodable
from opcodetrace.store.database import Database
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.printable import printable
from opcodetrace.trace.report_model import RunReport, Story
from opcodetrace_cli.database import database_option, run_option

FOUND = 1  # exit code


@click.command()
@database_option
@run_option
@click.option("--possible", is_flag=True, help="Exit with 1 also if something may have gone wrong but need not.")
def check(database: Path, run: int | None, possible: bool) -> None:
    """Say in short what was found in a run; exit with 1 if that is anything, else with 0."""
    with Database.open(database) as opened:
        report = run_report.compose(opened, opened.run(run))
    for line in lines(report):
        click.echo(encodable(printable(line), sys.stdout.encoding))
    if report.fails or (possible and report.may_fail):
        sys.exit(FOUND)


def lines(report: RunReport) -> list[str]:
    """What was found, a line each."""
    out = [f"{run_words.script(report.run)}, run {report.run.id}: {run_words.headline(report)}"]
    out += [f"  {finding(story, report)}" for story in report.stories]
    out += [f"  {line}" for line in finding_words.further(report)]
    out += [f"  {caveat}" for caveat in run_words.caveats(report)]
    if report.told:
        out.append(f"How it came about: opcodetrace report --run {report.run.id}")
    return out


def finding(story: Story, report: RunReport) -> str:
    """Findings that are alike: where, what, how often, how sure."""
    words = finding_words.heading(story, report.run.info)
    if story.severity is not Severity.HAPPENED:
        return f"{finding_words.first_place(story, report.run.info)}: {words}, {story.severity.value}"
    return f"{finding_words.first_place(story, report.run.info)}: {words}, {story.certainty.value}"
