"""opcodetrace check."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from opcodetrace.errors import OutputError, UsageError
from opcodetrace.explain import run_report
from opcodetrace.explain.across_runs import each_once
from opcodetrace.explain.gate import FailOn, Gate, Ignore, Judged, comments, word
from opcodetrace.findings import KINDS
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import run as run_words
from opcodetrace.report.words.text import encodable, shown_path
from opcodetrace.report.write import MISNAMED, write_whole
from opcodetrace.store.database import Database
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.report_model import RunReport
from opcodetrace.trace.stored import StoredRun
from opcodetrace_cli import configuration
from opcodetrace_cli.database import chosen, database_option, runs_option

FOUND = 1  # exit code
MAX_PASSING = 50  # findings that are named though they do not count
VERSION = 1  # of a baseline


class Checked(NamedTuple):
    """A run, held against the gate."""

    run: StoredRun
    report: RunReport
    judged: list[Judged]
    untold: list[FindingKind]
    written: list[Ignore]  # the comments in its sources


@click.command()
@database_option
@runs_option("the latest")
@click.option("--all", "every", is_flag=True, help="Check all runs of the trace file together.")
@click.option(
    "--fail-on",
    metavar="KIND[:SEVERITY],...",
    multiple=True,
    help="What exits with 1: a kind (lost-update), a kind and the least severity (stale-check:possible), a severity of "
    "any kind (happened, possible, gil-only), or none. Repeat it for more.  [default: what happened]",
)
@click.option("--possible", is_flag=True, help="Exit with 1 also if something may have gone wrong but need not.")
@click.option(
    "--baseline",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Findings in this file are known: they do not count.",
)
@click.option("--write-baseline", is_flag=True, help="Add what is found to the file of --baseline; exit with 0.")
def check(
    database: Path,
    numbers: tuple[range, ...],
    every: bool,
    fail_on: tuple[str, ...],
    possible: bool,
    baseline: Path | None,
    write_baseline: bool,
) -> None:
    """Say in a line each what was found in a run; exit with 1 if any of it counts, else with 0.

    A comment `# opcodetrace: ignore[KIND] reason` on a line of a finding, or `ignore = ["KIND:PATH"]` in the
    configuration, takes it out of the count."""
    if possible and fail_on:
        raise UsageError(f"--possible and --fail-on {fail_on[0]} exclude each other; say all of it with --fail-on")
    if write_baseline and baseline is None:
        raise UsageError("--write-baseline: there is no file to write; name it with --baseline FILE")
    severity = Severity.POSSIBLE if possible else Severity.HAPPENED
    given = [each.strip() for words in fail_on for each in words.split(",") if each.strip()]
    bad = FailOn.of(KINDS, given) if given else FailOn.usual(KINDS, severity)
    known = {} if baseline is None else read(baseline, may_lack=write_baseline)
    ignored = configuration.ignored()
    with Database.open(database) as opened:
        runs = chosen(opened, numbers, every)
        checked = [hold(opened, each, Gate(bad, known, ignored)) for each in runs or [opened.run()]]
    for line in lines(checked, baseline):
        click.echo(encodable(printable(line), sys.stdout.encoding))
    if write_baseline and baseline is not None:
        write(baseline, known, checked)
    elif any(each.untold or any(judged.counts for judged in each.judged) for each in checked):
        sys.exit(FOUND)


def hold(database: Database, run: StoredRun, gate: Gate) -> Checked:
    """All that was found in a run, judged."""
    report = run_report.compose(database, run, max_stories=0, max_brief=0)
    stories = run_report.brief(database, run)
    written = [each for path, source in database.sources(run.id).items() for each in comments(path, source)]
    judged = gate.judge(report, stories, written, lambda path: shown_path(path, run.info))
    return Checked(run, report, judged, gate.untold(report, stories), written)


def lines(checked: Sequence[Checked], baseline: Path | None) -> Iterator[str]:
    """What was found, a line each."""
    if len(checked) == 1:
        yield f"{run_words.script(checked[0].run)}, run {checked[0].run.id}: {run_words.headline(checked[0].report)}"
    judgement = {id(each.story): each for of_run in checked for each in of_run.judged}
    found = each_once((judged.story, each.run) for each in checked for judged in each.judged)
    told = []
    for each in found:
        counting = [one for one in each.alike if judgement[id(one[0])].counts]
        story, run = counting[0] if counting else each.worst
        told.append((finding_words.line(story, run.info, len(each.runs), len(checked)), judgement[id(story)]))
    yield from (f"  {line}" for line, judged in told if judged.counts)
    passing = [f"  {line}{_why(judged)}" for line, judged in told if not judged.counts]
    yield from passing[:MAX_PASSING]
    if len(passing) > MAX_PASSING:
        yield f"  … and {len(passing) - MAX_PASSING:,} more, none of which counts"
    for of_run in checked:
        for kind in of_run.untold:
            yield f"  run {of_run.run.id}: {kind.headline(finding_words.total(kind, of_run.report))}"
    yield from _idle(checked)
    for caveat in dict.fromkeys(caveat for of_run in checked for caveat in run_words.caveats(of_run.report)):
        yield f"  {caveat}"
    if told:
        yield _summary([judged for _, judged in told], len(checked), baseline)
        first = next((each for each in checked if any(judged.counts for judged in each.judged)), None)
        shown = first or next(each for each in checked if each.judged)
        yield f"How it came about: opcodetrace report --run {shown.run.id}"
    elif len(checked) > 1:
        yield f"{quantity(len(checked), 'run')}: nothing was found."


def _why(judged: Judged) -> str:
    """Why it does not count, if it is bad enough."""
    if judged.is_ignored:
        return ", ignored"
    return ", known" if judged.is_known else ""


def _idle(checked: Sequence[Checked]) -> Iterator[str]:
    """The comments that match no finding of any run."""
    stories = [judged.story for each in checked for judged in each.judged]
    written = {comment: each.run for each in checked for comment in each.written}
    for comment, run in written.items():
        if not any(comment.matches(story) for story in stories):
            yield f"  {shown_path(comment.path, run.info)}:{comment.line}: {comment.text!r} matches no finding"


def _summary(judged: Sequence[Judged], runs: int, baseline: Path | None) -> str:
    counting = sum(each.counts for each in judged)
    parts = [f"{quantity(len(judged), 'finding')}, {counting or 'none'} of which count{'' if counting > 1 else 's'}"]
    known = sum(each.is_known and not each.is_ignored for each in judged)
    ignored = sum(each.is_ignored for each in judged)
    parts += [f"{known:,} known ({baseline})"] if known else []
    parts += [f"{ignored:,} ignored"] if ignored else []
    of = f"{quantity(runs, 'run')}: " if runs > 1 else ""
    return f"{of}{'; '.join(parts)}."


def read(path: Path, *, may_lack: bool) -> dict[str, Any]:
    """A baseline's findings, by fingerprint. Raises UsageError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if may_lack:
            return {}
        raise UsageError(f"--baseline {path}: there is no such file; make it with --write-baseline") from error
    except OSError as error:
        raise UsageError(f"--baseline {path}: {error.strerror}; name a file that can be read") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"--baseline {path} is no JSON ({error}); make it anew with --write-baseline") from error
    found = content.get("findings") if isinstance(content, Mapping) and content.get("version") == VERSION else None
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("fingerprint"), str) for each in found
    ):
        raise UsageError(f"--baseline {path} is no baseline of version {VERSION}; make it anew with --write-baseline")
    return {each["fingerprint"]: each for each in found}


def write(path: Path, known: Mapping[str, Any], checked: Sequence[Checked]) -> None:
    """Adds all that was found to a baseline. Raises OutputError, or UsageError for a path that cannot be meant."""
    found = dict(known)
    for each in checked:
        for judged in each.judged:
            story = judged.story
            if story.fingerprint is not None:
                found[story.fingerprint] = {
                    "fingerprint": story.fingerprint,
                    "kind": word(story.kind),
                    "place": finding_words.first_place(story, each.run.info),
                }
    entries = sorted(found.values(), key=lambda each: (str(each.get("place")), str(each["fingerprint"])))
    text = json.dumps({"version": VERSION, "findings": entries}, indent=1)
    try:
        write_whole(path, lambda stream: stream.write(text + "\n"))
    except OSError as error:
        kind = UsageError if error.errno in MISNAMED else OutputError
        raise kind(f"cannot write the baseline {path}: {error.strerror or error}; name another file") from error
    click.echo(f"{quantity(len(entries), 'finding')} in {path}, {len(entries) - len(known):,} of them new")
