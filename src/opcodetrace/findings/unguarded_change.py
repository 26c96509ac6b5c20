"""Unguarded change: a container could be replaced while a thread puts something into it, and was not in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import PossibleKind
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "unguarded change"
READ = "read"
CHANGE = "change"
REPLACEMENT = "replacement"


class UnguardedChangeKind(PossibleKind):
    """See `analyse.replaced`. What happened at the same places is told as a stale container alone."""

    name = NAME
    claim = (
        "A thread puts something into a container, and nothing that was seen keeps another one from taking that away "
        "before."
    )
    roles = (
        Role(READ, "the read by which a thread gets the container"),
        Role(CHANGE, "what it puts there, and what would be lost", Mark.WARNING, True),
        Role(
            REPLACEMENT,
            "another thread's write of something else in its place, or its deletion, which could come between",
            Mark.WARNING,
            True,
        ),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in evidence.unguarded_changes:
            roles = {READ: each.read, CHANGE: each.change, REPLACEMENT: each.replacement}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (each.location, each.changed))

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Changes of {quantity(total.places, 'container')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Changes of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"change of {what} at {places[CHANGE]} unguarded against its removal at {places[REPLACEMENT]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        read, change, replacement = (teller.step(role) for role in (READ, CHANGE, REPLACEMENT))
        if read is None or change is None or replacement is None:
            return
        one, other = teller.lane(change.thread), teller.lane(replacement.thread)
        at, until, elsewhere = (teller.place(each.site) for each in (read, change, replacement))
        took = "deleted it" if replacement.kind == EventKind.DELETE else "replaced it"
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        yield (
            f"{one} reads {teller.label} ({at}) and puts something into it ({until}). In this run, {other} {took} "
            f"after that ({elsewhere}). {otherwise} that could come in between, and what is put into the old one after "
            f"{other} is done with it would be lost."
        )
        window = f"from {at} to {until}" if at != until else f"at {until}"
        yield f"Hold one lock {window} and at {elsewhere}."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between that read and "
                "change, one without a GIL may. Nothing was seen that makes one wait for the other."
            )
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == REPLACEMENT else None


UNGUARDED_CHANGE = UnguardedChangeKind()
