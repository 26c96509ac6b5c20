"""opcodetrace check."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from opcodetrace.explain import run_report
from opcodetrace.report import wording
from opcodetrace.store.database import Database
from opcodetrace.trace.report_model import LostStory, RunReport
from opcodetrace_cli.database import database_option, run_option

LOST = 1  # exit code


@click.command()
@database_option
@run_option
@click.option("--possible", is_flag=True, help="Exit with 1 also where updates may have been lost but need not.")
def check(database: Path, run: int | None, possible: bool) -> None:
    """Say in short what a run lost; exit with 1 if that is anything, else with 0."""
    with Database.open(database) as opened:
        report = run_report.compose(opened, opened.run(run))
    for line in lines(report):
        click.echo(wording.encodable(line, sys.stdout.encoding))
    if report.lost or (possible and report.possibly_lost):
        sys.exit(LOST)


def lines(report: RunReport) -> list[str]:
    """What was found, a line each."""
    out = [f"{wording.script(report.run)}, run {report.run.id}: {wording.headline(report)}"]
    out += [f"  {finding(story, report)}" for story in report.stories]
    if report.more_stories:
        out.append(
            f"  … and {wording.quantity(report.more_stories, 'more pair')} of source lines, "
            f"with {wording.quantity(report.more_lost, 'lost update')}"
        )
    out += [f"  {caveat}" for caveat in wording.caveats(report)]
    if report.possibly_lost:
        out.append(f"How it came about: opcodetrace report --run {report.run.id}")
    return out


def finding(story: LostStory, report: RunReport) -> str:
    """A pair of source lines that lost updates."""
    path = wording.shown_path(story.lost_site.path, report.run.info)
    place = wording.printable(f"{path}:{'?' if story.lost_site.line is None else story.lost_site.line}")
    return f"{place}: {wording.story_heading(story, report.run.info)}, {story.certainty.value}"
