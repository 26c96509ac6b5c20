"""The report as Markdown, for a pull request or an issue: the interleaving is a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, TextIO

from opcodetrace.report import wording
from opcodetrace.report.wording import Wording, encodable, printable, quantity
from opcodetrace.trace.report_model import (
    AccessStep,
    ComputeStep,
    FoldStep,
    Interleaving,
    Lane,
    LostStory,
    Role,
    RunReport,
    SwitchStep,
    SyncStep,
)
from opcodetrace.trace.run import StoredSite

MAX_WATCHED = 10
MAX_SOURCE = 80  # characters of a source line

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$])")
PLAIN_NAME = re.compile(r"(?:[^\W_]|[ .,()/-]|(?<=[^\W_])_(?=[^\W_]))+")
BACKTICKS = re.compile("`+")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", printable(text))


def name(text: str) -> str:
    """A thread's name, as code where Markdown would read something into it."""
    return text if PLAIN_NAME.fullmatch(text) else code(text)


def code(text: str) -> str:
    """A code span that shows the text as it is, in a table too."""
    text = printable(text)
    if not text.strip():
        return "` `"
    fence = "`" * (max((len(run) for run in BACKTICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def in_table(text: str) -> str:
    """A table's cell: a pipe would end it, in a code span too."""
    return text.replace("|", "\\|")


class MarkdownReporter:
    """A table for each interleaving, as GitHub and GitLab render it."""

    name: ClassVar[str] = "markdown"
    extension: ClassVar[str] = ".md"

    def write(self, report: RunReport, stream: TextIO) -> None:
        """Write the report."""
        for line in _lines(report):
            stream.write(encodable(line, stream.encoding) + "\n")


def _lines(report: RunReport) -> Iterator[str]:
    run = report.run
    yield f"## {wording.headline(report, code).rstrip('.')}"
    yield ""
    yield f"{code(wording.script(run))} · {' · '.join(escaped(part) for part in wording.title(report))}"
    if not report.possibly_lost:
        yield ""
        yield escaped(" ".join(wording.origin_of_confidence(report)))
    if report.watched:
        yield ""
        yield "| shared location | writes | reads | threads | lost |"
        yield "|---|--:|--:|--:|--:|"
        for watched in report.watched[:MAX_WATCHED]:
            label = code(watched.label) + (f" (×{watched.cells:,})" if watched.cells > 1 else "")
            numbers = f"{watched.writes:,} | {watched.reads:,} | {watched.threads:,}"
            yield f"| {in_table(label)} | {numbers} | {wording.lost_words(watched)} |"
        rest = report.watched[MAX_WATCHED:]
        if rest:
            lost = any(watched.high for watched in rest)
            yield ""
            yield f"… and {len(rest):,} more{'' if lost else ', of which none lost an update'}."
    for number, story in enumerate(report.stories, 1):
        yield ""
        yield from _story(number, story, report)
    if report.protected:
        yield ""
        yield f"### {wording.PROTECTED_ELSEWHERE if report.possibly_lost else wording.PROTECTED}"
    for protected in report.protected:
        yield ""
        yield wording.protection(protected, report, code)
        yield ""
        yield f"*{wording.protection_certainty(protected, report)}*"
        if protected.hand_over is not None:
            yield ""
            yield wording.HAND_OVER
            yield ""
            yield from _table(protected.hand_over, wording.wording(protected.hand_over, report.lanes, code, name))
    if report.more_protected:
        yield ""
        yield wording.more_protected(report.more_protected)
    if report.possibly_lost and not report.stories:
        yield ""
        yield wording.UNTOLD
    if report.more_stories:
        yield ""
        more, lost_updates = quantity(report.more_stories, "more pair"), quantity(report.more_lost, "lost update")
        yield f"… and {more} of source lines, with {lost_updates}."
    caveats = list(wording.caveats(report, code, escaped))
    if caveats:
        yield ""
        yield "### What to know of this recording"
        yield ""
        for caveat in caveats:
            yield f"- {caveat}"


def _story(number: int, story: LostStory, report: RunReport) -> Iterator[str]:
    total = len(report.stories) + report.more_stories
    ordinal = f"Finding {number} of {total:,}" if total > 1 else "Finding"
    yield f"### {ordinal}: {wording.story_heading(story, report.run.info, code)}"
    interleaving = story.interleaving
    if interleaving is None:
        return
    words = wording.wording(interleaving, report.lanes, code, name)
    yield ""
    first = "One of them: " if story.count > 1 else ""
    held = wording.holdings(story, report, code)
    yield first + " ".join([*words.sentences(interleaving), *([held] if held else [])])
    yield ""
    yield f"*{wording.certainty(interleaving, report)}*"
    if report.free_threaded:
        yield ""
        yield wording.order(interleaving)
    if any(isinstance(step, AccessStep) and step.unordered for step in interleaving.steps):
        yield ""
        yield f"∥ {wording.UNORDERED}."
    yield ""
    yield from _table(interleaving, words)


def _table(interleaving: Interleaving, words: Wording) -> Iterator[str]:
    """One column a thread; a step of the table is one instruction, a switch or a fold."""
    lanes = interleaving.lanes
    yield "| " + " | ".join(in_table(name(printable(lane.title))) for lane in lanes) + " |"
    yield "|" + "---|" * len(lanes)
    at: int | None = None
    for step in interleaving.steps:
        match step:
            case SwitchStep():
                switch = step.switch
                text = f"⇄ *switch to {words.lane(switch.to_thread)}: {words.switch(step)}*"
                yield _row(lanes, switch.from_thread, text)
                at = None
            case FoldStep():
                own = step.threads[0] if len(step.threads) == 1 else lanes[0].thread
                yield _row(lanes, own, f"⋮ *{words.fold(step, interleaving.label)}*")
                at = None
            case SyncStep():
                place = "" if step.site is None else f"{words.place(step.site)}: "
                yield _row(lanes, step.thread, f"{place}*{words.synchronised(step)}*")
                at = None
            case AccessStep(role=Role.ORIGIN):
                text = f"*earlier: {words.lane(step.thread)} {words.action(step)}, {words.place(step.site)}*"
                yield _row(lanes, step.thread, text)
            case _:
                source = "" if step.continues and at == step.thread else _source(step.site, words) + "<br>"
                yield _row(lanes, step.thread, source + _action(step, interleaving, words))
                at = step.thread


def _source(site: StoredSite, words: Wording) -> str:
    text = site.source_line or site.expression or f"in {site.function}"
    return f"{words.place(site)}: {code(wording.shorten(text, MAX_SOURCE))}"


def _action(step: AccessStep | ComputeStep, interleaving: Interleaving, words: Wording) -> str:
    operation = step.operation if isinstance(step, ComputeStep) else step.site.operation
    action = f"{words.action(step)} ({code(operation)})"
    if isinstance(step, AccessStep):
        remark = words.remark(step, interleaving)
        action = ("∥ " if step.unordered else "") + action + (f" **{remark}**" if remark else "")
    return action


def _row(lanes: tuple[Lane, ...], thread: int, text: str) -> str:
    """A row with text in one column: the thread's, or the first where it has none."""
    numbers = [lane.thread for lane in lanes]
    column = numbers.index(thread) if thread in numbers else 0
    return "| " + " | ".join(in_table(text) if index == column else "" for index in range(len(lanes))) + " |"
