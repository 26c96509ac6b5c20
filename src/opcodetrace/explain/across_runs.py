"""Findings of several runs, each once; and what sets the runs apart: how they ended, what was found, in which order
they went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from opcodetrace.explain import run_report
from opcodetrace.explain.gate import WORST_FIRST, places
from opcodetrace.explain.outcomes import SameOutcome, same_outcomes
from opcodetrace.findings import KINDS
from opcodetrace.store.database import Database
from opcodetrace.trace.execution import Outcome
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.finding_kind import happened
from opcodetrace.trace.report_model import Story
from opcodetrace.trace.stored import StoredRun

ENOUGH = 2  # runs on either side, to say that a finding goes with an outcome


@dataclass(frozen=True, slots=True)
class Found:
    """A finding in all runs that have it, one or more times in each: a run may have it at several severities."""

    alike: list[tuple[Story, StoredRun]]

    @property
    def worst(self) -> tuple[Story, StoredRun]:
        """The first one at the worst severity."""
        return min(self.alike, key=lambda each: WORST_FIRST.index(each[0].severity))

    @property
    def runs(self) -> list[int]:
        return list(dict.fromkeys(run.id for _, run in self.alike))

    def by_severity(self) -> dict[Severity, list[int]]:
        """The runs by the worst that it was in them."""
        worst: dict[int, Severity] = {}
        for story, run in self.alike:
            worst[run.id] = min(story.severity, worst.get(run.id, story.severity), key=WORST_FIRST.index)
        runs: dict[Severity, list[int]] = {severity: [] for severity in WORST_FIRST}
        for number, severity in worst.items():
            runs[severity].append(number)
        return runs


def each_once(stories: Iterable[tuple[Story, StoredRun]]) -> list[Found]:
    """By kind and fingerprint (of older runs, which have none: by their lines); the worst first, else as they come."""
    found: dict[tuple[object, ...], Found] = {}
    for story, run in stories:
        lines = [(site.path, site.line) for site in places(story)]
        found.setdefault((story.kind.name, story.fingerprint or tuple(lines)), Found([])).alike.append((story, run))
    return sorted(found.values(), key=lambda each: WORST_FIRST.index(each.worst[0].severity))


def stories_of(database: Database, run: StoredRun) -> Iterator[tuple[Story, StoredRun]]:
    """What was found in a run. If a kind has a single finding, which may have happened, and it is known that one did,
    it happened."""
    stories = run_report.brief(database, run)
    surely = {tally.kind for tally in run.found if tally.low and tally.kind in KINDS and KINDS[tally.kind].fails_check}
    times = Counter(story.kind.name for story in stories if story.severity is not Severity.GIL_ONLY)
    for story in stories:
        is_sure = story.severity is Severity.POSSIBLE and story.kind.name in surely and times[story.kind.name] == 1
        yield replace(story, severity=Severity.HAPPENED) if is_sure else story, run


@dataclass(frozen=True, slots=True)
class Ended:
    """A script that ran. `run` is None if it was not recorded."""

    outcome: Outcome
    run: StoredRun | None

    @classmethod
    def of(cls, run: StoredRun) -> Ended:
        return cls(run.outcome, run)


@dataclass(frozen=True, slots=True)
class GoesWith:
    """A finding happened in all runs of one side and in none of the others, nor may it have happened there."""

    outcome: SameOutcome | None  # None: with the runs that failed
    runs: int
    others: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Many runs of a script."""

    ended: Sequence[Ended]
    outcomes: list[SameOutcome]  # the most frequent first
    found: list[Found]

    @classmethod
    def of(cls, database: Database | None, ended: Sequence[Ended]) -> Comparison:
        """Without a database there are no findings: nothing was recorded."""
        runs = [] if database is None else [each.run for each in ended if each.run is not None]
        stories = (story for run in runs if database is not None for story in stories_of(database, run))
        return cls(ended, same_outcomes([each.outcome for each in ended]), each_once(stories))

    @property
    def runs(self) -> list[StoredRun]:
        return [each.run for each in self.ended if each.run is not None]

    def of_outcome(self, outcome: SameOutcome) -> list[StoredRun]:
        """Its runs that were recorded."""
        members = [self.ended[place].run for place in outcome.members]
        return [run for run in members if run is not None]

    def outcome_of(self) -> dict[int, SameOutcome]:
        """By run."""
        return {run.id: outcome for outcome in self.outcomes for run in self.of_outcome(outcome)}

    def by_outcome(self, numbers: Iterable[int]) -> list[tuple[SameOutcome, int]]:
        """How many of some runs ended how."""
        of = self.outcome_of()
        counts = Counter(of[number].name for number in numbers)
        return [(outcome, counts[outcome.name]) for outcome in self.outcomes if counts[outcome.name]]

    def classes(self) -> list[tuple[str | None, list[int]]]:
        """The runs by the class of their interleaving, the most frequent first; last those of which it is not known."""
        runs: defaultdict[str | None, list[int]] = defaultdict(list)
        for run in self.runs:
            runs[run.interleaving].append(run.id)
        return sorted(runs.items(), key=lambda each: (each[0] is None, -len(each[1]), each[1]))

    def goes_with(self, found: Found) -> GoesWith | None:
        """What a finding sets apart: the runs that failed, else an outcome."""
        if len(self.runs) < len(self.ended):
            return None  # nobody knows what happened in the others
        if len({run.info.script for run in self.runs}) > 1:
            return None
        failed = {run.id for run in self.runs if run.outcome.failed}
        if any(run.outcome.failed is None for run in self.runs):
            failed = set()
        sides = [(None, failed)] + [
            (outcome, {run.id for run in self.of_outcome(outcome)}) for outcome in self.outcomes
        ]
        return next((GoesWith(outcome, len(side), len(self.runs) - len(side)) for outcome, side in sides
                     if self._sets_apart(found, side)), None)  # fmt: skip

    def _sets_apart(self, found: Found, side: set[int]) -> bool:
        by_severity = found.by_severity()
        others = [run for run in self.runs if run.id not in side]
        return (
            len(side) >= ENOUGH
            and len(others) >= ENOUGH
            and set(by_severity[Severity.HAPPENED]) == side
            and not by_severity[Severity.POSSIBLE]
            and all(run.is_whole for run in others)
        )

    def tells_most(self) -> Telling | None:
        """The run to look at first: one that failed and in which something happened; else one in which something
        happened, in the fewest runs; else the first of the rarest outcome in which anything was found."""
        size = {number: len(outcome.members) for number, outcome in self.outcome_of().items()}
        with_findings = {number for each in self.found for number in each.runs}
        told = {run.id: run for run in self.runs if run.id in with_findings}
        happened_in: dict[int, Found] = {}  # the rarest in each run
        for each in sorted(self.found, key=lambda each: len(each.by_severity()[Severity.HAPPENED])):
            for number in each.by_severity()[Severity.HAPPENED]:
                happened_in.setdefault(number, each)
        if happened_in:

            def rank(number: int) -> tuple[bool, int, int]:
                times = len(happened_in[number].by_severity()[Severity.HAPPENED])
                return not told[number].outcome.failed, times, number

            number = min(happened_in, key=rank)
            return Telling(told[number], happened_in[number])
        if not told:
            return None
        surely = [number for number, run in told.items() if happened(KINDS, run.found)]
        number = min(surely or told, key=lambda number: (not told[number].outcome.failed, size[number], number))
        return Telling(told[number], None)


@dataclass(frozen=True, slots=True)
class Telling:
    """The run that says most, and why it does."""

    run: StoredRun
    found: Found | None  # what happened there in the fewest runs; None: it is not known where anything happened

    @property
    def fingerprint(self) -> str | None:
        """Of that, to be told first."""
        return None if self.found is None else self.found.worst[0].fingerprint
