"""The report as Markdown, for a pull request or an issue: the interleaving is a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, TextIO

from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import lanes as lane_words
from opcodetrace.report.words import protection as protection_words
from opcodetrace.report.words import run as run_words
from opcodetrace.report.words import steps as steps_words
from opcodetrace.report.words import text as text_words
from opcodetrace.report.words.finding import StoryTeller
from opcodetrace.report.words.steps import StepWords
from opcodetrace.report.words.text import encodable
from opcodetrace.trace.printable import printable
from opcodetrace.trace.report_model import Interleaving, RunReport, Story
from opcodetrace.trace.report_step import ORIGIN, AccessStep, ComputeStep, FoldStep, Lane, SwitchStep, SyncStep
from opcodetrace.trace.stored import StoredSite

MAX_WATCHED = 10
MAX_SOURCE = 80  # characters of a source line

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$])")
PLAIN_NAME = re.compile(r"(?:[^\W_]|[ .,()/-]|(?<=[^\W_])_(?=[^\W_]))+")
BACKTICKS = re.compile("`+")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", printable(text))


def name(text: str) -> str:
    """A thread's name, as code if Markdown would read something into it."""
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
            stream.write(encodable(printable(line), stream.encoding) + "\n")


def _lines(report: RunReport) -> Iterator[str]:
    run = report.run
    yield f"## {run_words.headline(report, code).rstrip('.')}"
    yield ""
    yield f"{code(run_words.script(run))} · {' · '.join(escaped(part) for part in run_words.title(report))}"
    confidence = [] if report.told else run_words.origin_of_confidence(report)
    if confidence:
        yield ""
        yield escaped(" ".join(confidence))
    if report.watched:
        yield ""
        yield f"| shared location | writes | reads | {lane_words.plural(report.lanes)} | found |"
        yield "|---|--:|--:|--:|--:|"
        for watched in report.watched[:MAX_WATCHED]:
            label = code(watched.label) + (f" (×{watched.cells:,})" if watched.cells > 1 else "")
            numbers = f"{watched.writes:,} | {watched.reads:,} | {watched.threads:,}"
            yield f"| {in_table(label)} | {numbers} | {finding_words.location_words(watched, report)} |"
        rest = report.watched[MAX_WATCHED:]
        if rest:
            found = any(finding_words.found_words(watched.found, report.kinds) for watched in rest)
            yield ""
            yield f"… and {len(rest):,} more{'' if found else ', at which nothing was found'}."
    for number, story in enumerate(report.stories, 1):
        yield ""
        yield from _story(number, story, report)
    if report.protected:
        yield ""
        yield f"### {protection_words.PROTECTED_ELSEWHERE if report.told else protection_words.PROTECTED}"
    for protected in report.protected:
        yield ""
        yield protection_words.protection(protected, report, code)
        yield ""
        yield f"*{protection_words.protection_certainty(protected, report)}*"
        if protected.hand_over is not None:
            yield ""
            yield protection_words.hand_over(protected.hand_over)
            yield ""
            yield from _table(
                protected.hand_over, steps_words.step_words(protected.hand_over, report.lanes, code, name)
            )
    if report.more_protected:
        yield ""
        yield protection_words.more_protected(report.more_protected)
    if report.told and not report.stories:
        yield ""
        yield finding_words.UNTOLD
    for line in finding_words.further(report):
        yield ""
        yield f"{line}."
    caveats = list(run_words.caveats(report, code, escaped))
    if caveats:
        yield ""
        yield "### What to know of this recording"
        yield ""
        for caveat in caveats:
            yield f"- {caveat}"


def _story(number: int, story: Story, report: RunReport) -> Iterator[str]:
    total = len(report.stories) + len(report.more)
    ordinal = f"Finding {number} of {total:,}" if total > 1 else "Finding"
    heading = finding_words.heading(story, report.run.info, code, name)
    if story.like is not None:
        yield f"{ordinal}: {heading}, like finding {story.like}."
        return
    yield f"### {ordinal}: {heading}"
    teller, interleaving = finding_words.teller(story, report, code, name), story.interleaving
    if teller is None or interleaving is None:
        return
    yield ""
    first = "One of them: " if story.count > 1 else ""
    yield first + " ".join(
        [*teller.sentences(), *protection_words.locks(story, report, code), *filter(None, [teller.started()])]
    )
    yield ""
    yield f"*{teller.how_sure()}*"
    if report.free_threaded:
        yield ""
        yield steps_words.order(interleaving)
    if any(isinstance(step, AccessStep) and step.unordered for step in interleaving.steps):
        yield ""
        yield f"∥ {steps_words.UNORDERED}."
    yield ""
    yield from _table(interleaving, teller.words, teller)


def _table(interleaving: Interleaving, words: StepWords, teller: StoryTeller | None = None) -> Iterator[str]:
    """One column a thread; a step of the table is one instruction, a switch or a fold."""
    lanes = interleaving.lanes
    yield "| " + " | ".join(in_table(name(printable(lane.title))) for lane in lanes) + " |"
    yield "|" + "---|" * len(lanes)
    at: int | None = None
    for step in interleaving.steps:
        match step:
            case SwitchStep():
                switch = step.switch
                awaited = words.awaited_by(step)
                stopped = words.switch(step) + (f" ({awaited})" if awaited else "")
                text = f"⇄ *switch to {words.lane(switch.to_thread)}: {stopped}*"
                yield _row(lanes, switch.from_thread, text)
                at = None
            case FoldStep():
                own = step.threads[0] if len(step.threads) == 1 else lanes[0].thread
                yield _row(lanes, own, f"⋮ *{words.fold(step, interleaving.label)}*")
                at = None
            case SyncStep():
                place = "" if step.site is None else f"{words.place(step.site)}: "
                remark = None if teller is None else teller.remark(step)
                yield _row(
                    lanes, step.thread, f"{place}*{words.synchronised(step)}*" + (f" **{remark}**" if remark else "")
                )
                at = None
            case AccessStep() if step.role == ORIGIN:
                text = f"*earlier: {words.lane(step.thread)} {words.action(step)}, {words.place(step.site)}*"
                yield _row(lanes, step.thread, text)
            case _:
                source = "" if step.continues and at == step.thread else _source(step.site, words) + "<br>"
                yield _row(lanes, step.thread, source + _action(step, words, teller))
                at = step.thread


def _source(site: StoredSite, words: StepWords) -> str:
    text = site.source_line or site.expression or f"in {site.function}"
    return f"{words.place(site)}: {code(text_words.shorten(text, MAX_SOURCE))}"


def _action(step: AccessStep | ComputeStep, words: StepWords, teller: StoryTeller | None) -> str:
    operation = step.operation if isinstance(step, ComputeStep) else step.site.operation
    action = f"{words.action(step)} ({code(operation)})"
    if isinstance(step, AccessStep):
        remark = None if teller is None else teller.remark(step)
        action = ("∥ " if step.unordered else "") + action + (f" **{remark}**" if remark else "")
    return action


def _row(lanes: tuple[Lane, ...], thread: int, text: str) -> str:
    """A row with text in one column: the thread's, or the first if it has none."""
    numbers = [lane.thread for lane in lanes]
    column = numbers.index(thread) if thread in numbers else 0
    return "| " + " | ".join(in_table(text) if index == column else "" for index in range(len(lanes))) + " |"
