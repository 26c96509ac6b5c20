"""Which findings a check fails for: those that are bad enough, that are not known yet, and that nobody ignores."""

from __future__ import annotations

import fnmatch
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opcodetrace.errors import UsageError
from opcodetrace.trace.finding import Severity
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.report_model import RunReport, Story
from opcodetrace.trace.source_text import decoded
from opcodetrace.trace.stored import StoredSite

NONE = "none"
WORST_FIRST = tuple(Severity)
_COMMENT = re.compile(r"#\s*opcodetrace:\s*ignore(?:\[(?P<kinds>[^\]]*)\])?(?P<reason>.*)")
_CHOSEN = re.compile(r"(?P<kind>[a-z-]+)(?::(?P<path>.+))?")


def word(kind: FindingKind) -> str:
    """How a kind is named on the command line, in a comment or in the configuration: lost-update."""
    return kind.name.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class FailOn:
    """By the name of a kind: the least severity that counts."""

    least: Mapping[str, Severity]

    @classmethod
    def usual(cls, kinds: Mapping[str, FindingKind], severity: Severity = Severity.HAPPENED) -> FailOn:
        """All kinds that say that a run went wrong, or may have."""
        return cls({name: severity for name, kind in kinds.items() if kind.fails_check})

    @classmethod
    def of(cls, kinds: Mapping[str, FindingKind], given: Iterable[str]) -> FailOn:
        """Of `lost-update`, `stale-check:possible`, `gil-only` (of any kind), `none`. Raises UsageError."""
        told = {word(kind): name for name, kind in kinds.items() if kind.is_told}
        least: dict[str, Severity] = {}
        for each in given:
            name, _, severity = each.partition(":")
            if each == NONE:
                continue
            if each in WORST_FIRST:
                names, severity = list(told.values()), each
            elif name.replace(" ", "-") in told:
                names = [told[name.replace(" ", "-")]]
            else:
                known = ", ".join([*told, *WORST_FIRST, NONE])
                raise UsageError(f"--fail-on {each}: there is no kind or severity {name!r}; name one of {known}")
            if severity not in ("", *WORST_FIRST):
                raise UsageError(
                    f"--fail-on {each}: there is no severity {severity!r}; name one of {', '.join(WORST_FIRST)}"
                )
            for kind in names:
                chosen = Severity(severity or Severity.HAPPENED)
                least[kind] = max(chosen, least.get(kind, chosen), key=WORST_FIRST.index)
        return cls(least)

    def counts(self, kind: str, severity: Severity) -> bool:
        return kind in self.least and WORST_FIRST.index(severity) <= WORST_FIRST.index(self.least[kind])


@dataclass(frozen=True, slots=True)
class Ignore:
    """`# opcodetrace: ignore[lost-update] why`, at the line of a finding; without kinds, of all."""

    path: str
    line: int
    kinds: frozenset[str]
    text: str

    def matches(self, story: Story) -> bool:
        if self.kinds and word(story.kind) not in self.kinds:
            return False
        return any((site.path, site.line) == (self.path, self.line) for site in places(story))


def comments(path: str, source: bytes) -> Iterator[Ignore]:
    """Those of a source file."""
    if b"opcodetrace" not in source:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(decoded(source)).readline):
            found = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
            if found is not None:
                kinds = frozenset(each.strip().replace(" ", "-") for each in (found["kinds"] or "").split(","))
                yield Ignore(path, token.start[0], kinds - {""}, found[0].strip())
    except (tokenize.TokenError, SyntaxError):
        return


@dataclass(frozen=True, slots=True)
class Gate:
    """What lets a finding pass, and what does not."""

    fail_on: FailOn
    known: Collection[str] = ()  # fingerprints
    ignored: Sequence[str] = ()  # of the configuration: stale-check, or stale-check:src/*.py

    def judge(
        self, report: RunReport, stories: Sequence[Story], written: Sequence[Ignore], shown: Callable[[str], str]
    ) -> list[Judged]:
        """Each of a run's findings. `written`: the comments in its sources. `shown` gives a path as a user knows it."""
        happened = {story.kind.name for story in stories if story.severity is Severity.HAPPENED}

        def severity_of(story: Story) -> Severity:
            surely = story.kind.fails_check and report.tally(story.kind).low and story.kind.name not in happened
            # at least so many happened, it is not known which
            return Severity.HAPPENED if story.severity is Severity.POSSIBLE and surely else story.severity

        return [
            Judged(
                story,
                self.fail_on.counts(story.kind.name, severity_of(story)),
                story.fingerprint is not None and story.fingerprint in self.known,
                any(each.matches(story) for each in written)
                or any(
                    _is_chosen(each, story.kind, shown(site.path)) for each in self.ignored for site in places(story)
                ),
            )
            for story in stories
        ]

    def untold(self, report: RunReport, stories: Sequence[Story]) -> list[FindingKind]:
        """The kinds that count and of which the run has findings, without any that could be told."""
        shown = {story.kind.name for story in stories}
        return [
            kind
            for kind in report.told
            if kind.fails_check
            and kind.name not in shown
            and (
                (report.tally(kind).low and self.fail_on.counts(kind.name, Severity.HAPPENED))
                or self.fail_on.counts(kind.name, Severity.POSSIBLE)
            )
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, and whether a check fails for it."""

    story: Story
    is_bad: bool  # of a kind and severity that count
    is_known: bool
    is_ignored: bool

    @property
    def counts(self) -> bool:
        return self.is_bad and not self.is_known and not self.is_ignored


def places(story: Story) -> list[StoredSite]:
    """Where a finding is: the places that tell it apart from others."""
    return [story.sites[role.name] for role in story.kind.roles if role.groups and role.name in story.sites]


def is_finding(text: str, kinds: Mapping[str, FindingKind]) -> bool:
    """Whether it is a kind, or a kind and a path: stale-check, stale-check:src/*.py."""
    found = _CHOSEN.fullmatch(text)
    return found is not None and found["kind"] in map(word, kinds.values())


def _is_chosen(pattern: str, kind: FindingKind, path: str) -> bool:
    found = _CHOSEN.fullmatch(pattern)
    if found is None or found["kind"] != word(kind):
        return False
    return found["path"] is None or fnmatch.fnmatchcase(path, found["path"])
