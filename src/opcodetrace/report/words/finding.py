"""Findings in words: the frame is the same for all kinds, and each kind fills it (`trace.finding_kind`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from opcodetrace.report.words.steps import MAX_VALUE, StepWords, step_words
from opcodetrace.report.words.sync import held_words
from opcodetrace.report.words.text import identity, shown_path
from opcodetrace.trace.event import EventKind, Value
from opcodetrace.trace.execution import RunInfo
from opcodetrace.trace.finding import Certainty, Severity, Tally
from opcodetrace.trace.finding_kind import FindingKind, Mark, Total
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import extent, listing, quantity
from opcodetrace.trace.report_model import Interleaving, RunReport, Story, WatchedLocation
from opcodetrace.trace.report_step import ORIGIN, AccessStep, FoldStep, SyncStep
from opcodetrace.trace.stored import StoredSite

MAX_CALLS = 8  # of a stack, that are told
UNTOLD = "No interleaving can be shown: the search for an order that agrees with the recording was cut short."


@dataclass(frozen=True, slots=True)
class StoryTeller:
    """A story in the words of one format: the `Teller` that its kind is given."""

    story: Story
    interleaving: Interleaving
    words: StepWords
    unseen_writes: bool
    started_at: Mapping[int, StoredSite] = field(default_factory=dict)  # by thread

    @property
    def severity(self) -> Severity:
        return self.story.severity

    @property
    def certainty(self) -> Certainty:
        return self.story.certainty

    @property
    def same_version(self) -> bool:
        return self.interleaving.same_version

    @property
    def label(self) -> str:
        return self.words.code(printable(self.interleaving.label))

    def step(self, role: str) -> AccessStep | None:
        return self.interleaving.step(role)

    def sync(self, role: str) -> SyncStep | None:
        return self.interleaving.sync(role)

    def lock(self, step: SyncStep) -> str:
        return "a lock" if step.object is None else held_words(step.object, self.words.code)

    def lane(self, thread: int) -> str:
        return self.words.lane(thread)

    def value(self, value: Value, length: int = MAX_VALUE) -> str:
        return self.words.code(self.words.value(value, length))

    def place(self, site: StoredSite) -> str:
        return self.words.place(site)

    def did(self, step: AccessStep) -> str:
        return self.words.did(step)

    def written_between(self, one: str, other: str) -> bool:
        between = False
        for step in self.interleaving.steps:
            if isinstance(step, AccessStep) and step.role == one:
                between = True
            elif isinstance(step, AccessStep) and step.role == other:
                return False
            elif between and (
                (isinstance(step, AccessStep) and step.kind != EventKind.READ)
                or (isinstance(step, FoldStep) and (step.writes or step.accesses))
            ):
                return True
        return False

    def reached_from(self, role: str) -> str | None:
        stack = self.interleaving.stacks.get(role)
        if not stack:
            return None
        places = [f"{self.words.code(printable(site.function))} ({self.place(site)})" for site in stack[:MAX_CALLS]]
        if len(stack) > MAX_CALLS:
            places.append(f"{len(stack) - MAX_CALLS} more")
        return f"from {', from '.join(places)}"

    def sentences(self) -> list[str]:
        """What happened, and why."""
        return list(self.story.kind.sentences(self))

    def started(self) -> str | None:
        """Where the threads that play its roles were started; None if that is not known."""
        steps = [step for step in self.interleaving.steps if isinstance(step, AccessStep | SyncStep)]
        threads = sorted({step.thread for step in steps if step.role not in (None, ORIGIN)})
        at = {thread: self.started_at[thread] for thread in threads if thread in self.started_at}
        places = {thread: self.place(site) for thread, site in at.items()}
        if not places:
            return None
        if len(places) > 1 and len(places) == len(threads) and len(set(places.values())) == 1:
            return f"{'Both' if len(places) == 2 else 'All'} threads were started at {next(iter(places.values()))}."
        (first, at_first), *others = ((self.lane(thread), place) for thread, place in places.items())
        return f"{listing([f'{first} was started at {at_first}', *(f'{lane} at {place}' for lane, place in others)])}."

    def how_sure(self) -> str:
        return self.story.kind.how_sure(self)

    def remark(self, step: AccessStep | SyncStep) -> str | None:
        """What a step means for the finding."""
        if step.role is None:
            return None
        return "where it starts from" if step.role == ORIGIN else self.story.kind.remark(step.role, self)

    def mark(self, step: AccessStep | SyncStep) -> Mark:
        """How a step is brought out."""
        marks = {role.name: role.mark for role in self.story.kind.roles}
        return Mark.PLAIN if step.role is None else marks.get(step.role, Mark.PLAIN)


def teller(
    story: Story, report: RunReport, code: Callable[[str], str] = identity, name: Callable[[str], str] = identity
) -> StoryTeller | None:
    """The words of a story; None if it has no interleaving."""
    if story.interleaving is None:
        return None
    words = step_words(story.interleaving, report.lanes, code, name)
    unseen = any(not kind.is_told and report.tally(kind).high for kind in report.kinds.values())
    return StoryTeller(story, story.interleaving, words, unseen and not report.free_threaded, report.started_at)


def total(kind: FindingKind, report: RunReport, code: Callable[[str], str] = identity) -> Total:
    """How many findings of a kind a run has, and where."""
    tally = report.tally(kind)
    at = [watched for watched in report.watched if watched.tally(kind.name).high]
    label = code(printable(at[0].label)) if len(at) == 1 else None
    causes = sum(watched.tally(kind.name).causes for watched in at)
    return Total(tally.low, tally.high, causes, len(at), label, at[0].cells if len(at) == 1 else 0)


def headlines(report: RunReport, code: Callable[[str], str] = identity) -> list[str]:
    """How much was found, and where, in a sentence a kind."""
    return [kind.headline(total(kind, report, code)) for kind in report.told]


def nothing(report: RunReport) -> str:
    """What is said if nothing was found."""
    return next((kind.nothing for kind in report.kinds.values() if kind.nothing is not None), "Nothing was found")


def found_words(tallies: Iterable[Tally], kinds: Mapping[str, FindingKind]) -> str:
    """What was found, as a table has room for; "" if nothing was."""
    by_kind = {tally.kind: tally for tally in tallies if tally.high}
    return ", ".join(
        extent(by_kind[kind.name].low, by_kind[kind.name].high, kind.name, kind.plural)
        for kind in kinds.values()
        if kind.is_told and kind.name in by_kind
    )


def location_words(watched: WatchedLocation, report: RunReport) -> str:
    """The same of a location, or that nothing was looked for there, or nothing was found."""
    nothing = "not known" if report.run.merged else "-"
    if watched.uncertain == watched.cells:
        nothing = "not counted"
    return found_words(watched.found, report.kinds) or nothing


def heading(
    story: Story,
    info: RunInfo,
    code: Callable[[str], str] = identity,
    name: Callable[[str], str] = identity,
) -> str:
    """What became of which location, at which source lines, how often."""
    return f"{_heading(story, info, code, name)} ({'once' if story.count == 1 else f'{story.count:,} times'})"


def _heading(story: Story, info: RunInfo, code: Callable[[str], str], name: Callable[[str], str]) -> str:
    what = code(printable(story.label))
    if story.locations > 1:
        others = [code(printable(label)) for label in story.labels if label != story.label]
        more = story.locations - 1
        if not others:
            what += f" (at {story.locations:,} locations of that name)"
        elif more == len(others) == 1:
            what += f" and {others[0]}"
        else:
            what += f" and {quantity(more, 'more location')}"
    return story.kind.heading(what, {role: place(site, info, name) for role, site in story.sites.items()})


def place(site: StoredSite, info: RunInfo, name: Callable[[str], str] = identity) -> str:
    """line 9, if it is the script's; else util.py:9."""
    line = "?" if site.line is None else str(site.line)
    if os.path.join(info.cwd, site.path) == os.path.normpath(os.path.join(info.cwd, info.script)):
        return f"line {line}"
    return f"{name(printable(shown_path(site.path, info)))}:{line}"


def first_place(story: Story, info: RunInfo) -> str:
    """counter.py:9: where the first of the grouping roles was played."""
    sites = [story.sites[role.name] for role in story.kind.roles if role.groups and role.name in story.sites]
    if not sites:
        return printable(shown_path(info.script, info))
    line = "?" if sites[0].line is None else sites[0].line
    return printable(f"{shown_path(sites[0].path, info)}:{line}")


def line(story: Story, info: RunInfo, runs: int = 1, of: int = 1) -> str:
    """All of it that has room in a line: where, what, how often, how sure, and in how many runs of how many."""
    sure = story.certainty if story.severity is Severity.HAPPENED else story.severity
    in_runs = f", in {runs:,} of {quantity(of, 'run')}" if of > 1 else ""
    return f"{first_place(story, info)}: {story.kind.name}: {heading(story, info)}, {sure.value}{in_runs}"


def in_short(story: Story, info: RunInfo) -> str:
    """Where, and what: without what differs from run to run."""
    return f"{first_place(story, info)}: {story.kind.name}: {_heading(story, info, identity, identity)}"


def an(noun: str) -> str:
    """With its article."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def further(report: RunReport) -> Iterator[str]:
    """What is not told step by step, a line for each kind."""
    for kind in report.kinds.values():
        groups = [group for group in report.more if group.kind == kind.name]
        if groups:
            findings = quantity(sum(group.count for group in groups), kind.name, kind.plural)
            places = quantity(len(groups), "more set of source lines", "more sets of source lines")
            yield f"… and {places}, with {findings}"
