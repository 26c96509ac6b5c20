"""opcodetrace findings."""

from __future__ import annotations

import fnmatch
import json
import sys
from pathlib import Path

import click

from opcodetrace.explain.across_runs import Comparison, Ended, Found, GoesWith
from opcodetrace.explain.gate import WORST_FIRST, places, word
from opcodetrace.explain.outcomes import SameOutcome
from opcodetrace.findings import KINDS
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words.text import encodable, printable_json, shown_path
from opcodetrace.store.database import Database
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.printable import printable
from opcodetrace.trace.report_model import Story
from opcodetrace.trace.stored import StoredRun
from opcodetrace_cli.comparison import goes_with_words
from opcodetrace_cli.database import chosen, database_option, runs_option

TOLD = {word(kind): kind for kind in KINDS.values() if kind.is_told}


@click.command()
@database_option
@runs_option("the latest")
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
    numbers: tuple[range, ...],
    every: bool,
    kinds: tuple[str, ...],
    severities: tuple[str, ...],
    place: str | None,
    form: str,
) -> None:
    """List what was found, a line each."""
    with Database.open(database) as opened:
        runs = chosen(opened, numbers, every) or [opened.run()]
        comparison = Comparison.of(opened, [Ended.of(each) for each in runs])

    def is_meant(story: Story, run: StoredRun) -> bool:
        return (
            (not kinds or word(story.kind) in kinds)
            and (not severities or story.severity in severities)
            and (place is None or _is_at(story, run, place))
        )

    meant = ((of_all, Found([each for each in of_all.alike if is_meant(*each)])) for of_all in comparison.found)
    found = [each for each in meant if each[1].alike]
    found.sort(key=lambda each: WORST_FIRST.index(each[1].worst[0].severity))
    if form == "json":
        listed = [_object(each, comparison.goes_with(of_all)) for of_all, each in found]
        click.echo(printable_json(json.dumps(listed, indent=2)))
        return
    for of_all, each in found:
        click.echo(encodable(printable(_line(each, comparison, comparison.goes_with(of_all))), sys.stdout.encoding))
    if not found:
        click.echo("nothing was found" if not (kinds or severities or place) else "nothing of that was found")


def _line(found: Found, comparison: Comparison, goes_with: GoesWith | None) -> str:
    """What it is, in how many runs, and in how many of those it happened; and with which outcome it goes."""
    story, in_run = found.worst
    line = finding_words.line(story, in_run.info, len(found.runs), len(comparison.runs))
    worst = len(found.by_severity()[story.severity])
    if worst < len(found.runs):
        line += f" ({story.severity} in {worst:,})"
    return line if goes_with is None else f"{line}; {goes_with_words(goes_with)}"


def _is_at(story: Story, run: StoredRun, pattern: str) -> bool:
    shown = [(shown_path(site.path, run.info), site.line) for site in places(story)]
    return any(fnmatch.fnmatchcase(each, pattern) for path, line in shown for each in (path, f"{path}:{line}"))


def _object(found: Found, goes_with: GoesWith | None) -> dict[str, object]:
    story, run = found.worst
    by_severity = found.by_severity()
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
        "happened_in": by_severity[Severity.HAPPENED],
        "possible_in": by_severity[Severity.POSSIBLE],
        "goes_with": None if goes_with is None else _side(goes_with.outcome),
    }


def _side(outcome: SameOutcome | None) -> object:
    """The runs that failed, or those with an outcome."""
    if outcome is None:
        return "failures"
    return {"exit_code": outcome.exit_code, "exception": outcome.exception, "last_line": outcome.last_line}
