"""Stale container: a thread put something into a container that another one had replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent

NAME = "stale container"
READ = "read"
REPLACEMENT = "replacement"
CHANGE = "change"


class StaleContainerKind(Kind):
    """See `analyse.replaced`. What could have happened so is an unguarded change."""

    name = NAME
    claim = (
        "A thread put something into a container that another one had taken away and was done with, so nobody saw it."
    )
    roles = (
        Role(READ, "the read by which a thread got the container", groups=True),
        Role(
            REPLACEMENT, "the other thread's write of something else in its place, or its deletion", Mark.WARNING, True
        ),
        Role(CHANGE, "what the first thread then put into the old one, and what is lost", Mark.WRONG, True),
    )
    pivot = REPLACEMENT

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in map(evidence.replacements.told, evidence.replacements.lost):
            roles = {READ: each.read, REPLACEMENT: each.replacement, CHANGE: each.change}
            yield Finding(NAME, Severity.HAPPENED, Certainty.INFERRED, roles, (each.location, each.changed))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "change")
        verb = "was" if total.high == 1 else "were"
        return (
            f"{number[0].upper()}{number[1:]}{self.where(total)} {verb} made to a container that had been taken away."
        )

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"change of {what} at {places[CHANGE]} lost, as it was taken away at {places[REPLACEMENT]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        read, replacement, change = (teller.step(role) for role in (READ, REPLACEMENT, CHANGE))
        if read is None or replacement is None or change is None:
            return
        one, other = teller.lane(change.thread), teller.lane(replacement.thread)
        took = "deleted it" if replacement.kind == EventKind.DELETE else "replaced it"
        yield (
            f"{one} read {teller.label} ({teller.place(read.site)}), then {other} {took} "
            f"({teller.place(replacement.site)}), and {one} put something into the old one "
            f"({teller.place(change.site)}). {other} was done with that by then, and nobody looked at it again: what "
            "was put there is lost."
        )
        yield (
            f"It would be excluded if both held the same lock: the first from {teller.place(read.site)} to its change, "
            f"the other at {teller.place(replacement.site)}."
        )

    def how_sure(self, teller: Teller) -> str:
        return (
            "Inferred: the trace shows which container was read, taken away and changed, and no read of it after that. "
            "That nobody else has it is taken from the source."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        return "LOST" if role == CHANGE else None


STALE_CONTAINER = StaleContainerKind()
