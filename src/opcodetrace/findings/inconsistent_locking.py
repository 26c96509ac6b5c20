"""Inconsistent locking: a lock that is held at all accesses of a location but those of one function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.inconsistent_locking import inconsistent
from opcodetrace.findings.protocol import PossibleKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "inconsistent locking"
FIRST = "first access"
SECOND = "second access"
OTHER_WRITE = "other write"


class InconsistentLockingKind(PossibleKind):
    """See `analyse.inconsistent_locking`. Locations with updates are left to unguarded updates."""

    name = NAME
    claim = "A thread writes to a location without the lock that all others hold for it, or with another one."
    roles = (
        Role(FIRST, "the first of two accesses under the lock"),
        Role(SECOND, "the second one, which counts on what the first one found or left", Mark.WARNING, groups=True),
        Role(OTHER_WRITE, "another thread's write without that lock, which could come in between", Mark.WARNING, True),
    )
    pivot = OTHER_WRITE

    @property
    def plural(self) -> str:
        return NAME

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        found = list(inconsistent(evidence))
        if not found:
            return
        told = {stale.location for stale in evidence.stale_checks}
        for each in found:
            if each.location not in told:
                roles = {FIRST: each.first, SECOND: each.second, OTHER_WRITE: each.other}
                severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
                yield Finding(NAME, severity, Certainty.PROVEN, roles, (each.location,), (each.lock,))

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Locks are held inconsistently at {quantity(total.places, 'location')}."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"The lock of {total.label}{cells} is not held at every write."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places[OTHER_WRITE]} without the lock that {places[SECOND]} holds"

    def sentences(self, teller: Teller) -> Iterable[str]:
        first, second, other = (teller.step(role) for role in (FIRST, SECOND, OTHER_WRITE))
        if first is None or second is None or other is None:
            return
        name, another = teller.lane(first.thread), teller.lane(other.thread)
        when = "after" if other.seq > second.seq else "before"
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        yield (
            f"{name} holds a lock as it uses {teller.label}: it {teller.did(first)}, then {teller.did(second)}. "
            f"In this run, {another} {teller.did(other)} {when} that, without this lock, which all others hold. "
            f"{otherwise} it could come in between."
        )
        yield f"Hold the same lock at {teller.place(other.site)}."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between the two accesses."
            )
        return "Possible: nothing was seen that makes one of the two threads wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == OTHER_WRITE else None


INCONSISTENT_LOCKING = InconsistentLockingKind()
