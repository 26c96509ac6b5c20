"""opcodetrace findings."""

from __future__ import annotations

import fnmatch
import json
import sys
from pathlib import Path

import click

from opcodetrace.errors import UsageError
from opcodetrace.explain import run_report
from opcodetrace.explain.across_runs import Found, each_once
from opcodetrace.explain.gate import WORST_FIRST, places, word
from opcodetrace.findings import KINDS
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words.text import encodable, printable_json, shown_path
from opcodetrace.store.database import Database
from opcodetrace.trace.printable import printable
from opcodetrace.trace.report_model import Story
from opcodetrace.trace.stored import StoredRun
from opcodetrace_cli.database import database_option, run_option

TOLD = {word(kind): kind for kind in KINDS.values() if kind.is_told}


@click.command()
@database_option
@run_option
@click.option("--all", "every", is_flag=True, help="List those of all runs of the trace file.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(TOLD)), help="Of this kind. Repeat it for more.")
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.Choice([each.value for each in WORST_FIRST]),
    help="Of this severity. Repeat it for more.",
)
@click.option("--place", metavar="PATH[:LINE]", help="With a place there; patterns as for files: src/*.py, shop.py:14.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def findings(
    database: Path,
    run: int | None,
    every: bool,
    kinds: tuple[str, ...],
    severities: tuple[str, ...],
    place: str | None,
    form: str,
) -> None:
    """List what was found, a line each."""
    if every and run is not None:
        raise UsageError(f"--all and --run {run} exclude each other; give one of them")
    with Database.open(database) as opened:
        runs = (opened.runs() if every else []) or [opened.run(run)]
        stories = [(story, each) for each in runs for story in run_report.brief(opened, each)]
    found = each_once(
        (story, each)
        for story, each in stories
        if (not kinds or word(story.kind) in kinds)
        and (not severities or story.severity in severities)
        and (place is None or _is_at(story, each, place))
    )
    if form == "json":
        click.echo(printable_json(json.dumps([_object(each) for each in found], indent=2)))
        return
    for each in found:
        story, in_run = each.worst
        line = finding_words.line(story, in_run.info, len(each.runs), len(runs))
        click.echo(encodable(printable(line), sys.stdout.encoding))
    if not found:
        click.echo("nothing was found" if not (kinds or severities or place) else "nothing of that was found")


def _is_at(story: Story, run: StoredRun, pattern: str) -> bool:
    shown = [(shown_path(site.path, run.info), site.line) for site in places(story)]
    return any(fnmatch.fnmatchcase(each, pattern) for path, line in shown for each in (path, f"{path}:{line}"))


def _object(found: Found) -> dict[str, object]:
    story, run = found.worst
    return {
        "kind": story.kind.name,
        "severity": story.severity.value,
        "certainty": story.certainty.value,
        "fingerprint": story.fingerprint,
        "labels": list(story.labels),
        "places": {
            role: {"path": shown_path(site.path, run.info), "line": site.line, "function": site.function}
            for role, site in story.sites.items()
        },
        "count": story.count,
        "locations": story.locations,
        "runs": found.runs,
    }
