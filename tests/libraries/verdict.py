"""What the findings of a run are worth, held against what its driver expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from opcodetrace.trace.finding import Severity
from tests.libraries.driver import Driver, Place

SEVERITIES = list(Severity)  # the worst first


class Verdict(StrEnum):
    """`PARTLY`: at the right place, but of another kind or less severe; or of the right kind, elsewhere."""

    FOUND = "found"
    PARTLY = "partly"
    MISSED = "missed"
    SILENT = "silent"  # a right program of which nothing is told
    FALSE = "false"
    FAILED = "failed"  # the driver did not come to its end, or was not recorded


@dataclass(frozen=True)
class Told:
    """A group of findings, as `opcodetrace findings --format json` lists it."""

    kind: str
    severity: Severity
    places: tuple[tuple[str, int, str], ...]  # path, line, function of each role
    label: str = ""

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Told:
        places = ((place["path"], place["line"], place["function"]) for place in listed["places"].values() if place)
        return cls(listed["kind"], Severity(listed["severity"]), tuple(places), _shortened(listed["labels"]))

    def is_at(self, places: Sequence[Place]) -> bool:
        return not places or any(place.holds(path, function) for place in places for path, _, function in self.places)

    def __str__(self) -> str:
        where = sorted({f"{path.rpartition('/')[2]}:{line}" for path, line, _ in self.places})
        return f"{self.kind}:{self.severity} of {self.label} at {', '.join(where)}"


def judge(driver: Driver, told: Sequence[Told]) -> Verdict:
    if driver.is_right:
        return Verdict.FALSE if told else Verdict.SILENT
    best = Verdict.MISSED
    for each in told:
        right_kind = any(
            each.kind == expected.kind and SEVERITIES.index(each.severity) <= SEVERITIES.index(expected.least)
            for expected in driver.expected
        )
        right_place = each.is_at(driver.at)
        if right_kind and right_place:
            return Verdict.FOUND
        if right_kind or (right_place and driver.at):
            best = Verdict.PARTLY
    return best


def _shortened(labels: Sequence[str]) -> str:
    return ", ".join(labels[:2]) + (f" and {len(labels) - 2} more" if len(labels) > 2 else "")
