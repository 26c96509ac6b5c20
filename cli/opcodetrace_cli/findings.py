"""opcodetrace findings."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from opcodetrace.errors import UsageError
from opcodetrace.explain import run_report
from opcodetrace.explain.gate import WORST_FIRST, of, word
from opcodetrace.findings import KINDS
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words.text import encodable, printable_json, shown_path
from opcodetrace.store.database import Database
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.report_model import Story
from opcodetrace.trace.stored import StoredRun
from opcodetrace_cli.database import database_option, run_option

TOLD = {word(kind): kind for kind in KINDS.values() if kind.is_told}


class Found(NamedTuple):
    """A finding, in all the runs that have it."""

    story: Story  # in the first of them in which it is worst
    runs: list[StoredRun]


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
        runs = opened.runs() if every else []
        runs = runs or [opened.run(run)]
        stories = [(story, each) for each in runs for story in run_report.brief(opened, each)]
    wanted = [
        (story, each)
        for story, each in stories
        if (not kinds or word(story.kind) in kinds)
        and (not severities or story.severity in severities)
        and (place is None or _is_at(story, each, place))
    ]
    found = list(merged(wanted))
    if form == "json":
        click.echo(printable_json(json.dumps([_object(each) for each in found], indent=2)))
        return
    for each in found:
        click.echo(encodable(printable(_line(each, len(runs))), sys.stdout.encoding))
    if not found:
        click.echo("nothing was found" if not (kinds or severities or place) else "nothing of that was found")


def merged(stories: Iterable[tuple[Story, StoredRun]]) -> Iterator[Found]:
    """Each finding once, however many runs have it; the worst first, else in the order of the stories."""
    alike: dict[tuple[str, str], Found] = {}
    for story, run in stories:
        key = story.kind.name, story.fingerprint or finding_words.line(story, run.info)
        found = alike.setdefault(key, Found(story, []))
        found.runs.append(run)
        if WORST_FIRST.index(story.severity) < WORST_FIRST.index(found.story.severity):
            alike[key] = Found(story, found.runs)
    yield from sorted(alike.values(), key=lambda found: WORST_FIRST.index(found.story.severity))


def _line(found: Found, runs: int) -> str:
    of_runs = f", in {len(found.runs):,} of {quantity(runs, 'run')}" if runs > 1 else ""
    return f"{finding_words.line(found.story, found.runs[0].info)}{of_runs}"


def _is_at(story: Story, run: StoredRun, pattern: str) -> bool:
    places = [shown_path(site.path, run.info) for site in of(story)]
    places += [f"{shown_path(site.path, run.info)}:{site.line}" for site in of(story)]
    return any(fnmatch.fnmatchcase(place, pattern) for place in places)


def _object(found: Found) -> dict[str, object]:
    story, info = found.story, found.runs[0].info
    return {
        "kind": story.kind.name,
        "severity": story.severity.value,
        "certainty": None if story.severity is not Severity.HAPPENED else story.certainty.value,
        "fingerprint": story.fingerprint,
        "labels": list(story.labels),
        "places": {
            role: {"path": shown_path(site.path, info), "line": site.line, "function": site.function}
            for role, site in story.sites.items()
        },
        "count": story.count,
        "locations": story.locations,
        "runs": [run.id for run in found.runs],
    }
