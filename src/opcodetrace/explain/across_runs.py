"""Findings of several runs, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opcodetrace.explain.gate import WORST_FIRST, places
from opcodetrace.trace.report_model import Story
from opcodetrace.trace.stored import StoredRun


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


def each_once(stories: Iterable[tuple[Story, StoredRun]]) -> list[Found]:
    """By kind and fingerprint (of older runs, which have none: by their lines); the worst first, else as they come."""
    found: dict[tuple[object, ...], Found] = {}
    for story, run in stories:
        lines = [(site.path, site.line) for site in places(story)]
        found.setdefault((story.kind.name, story.fingerprint or tuple(lines)), Found([])).alike.append((story, run))
    return sorted(found.values(), key=lambda each: WORST_FIRST.index(each.worst[0].severity))
