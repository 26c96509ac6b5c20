"""Intermediate read: a thread read what another one had put there for a moment only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.intermediate_reads import intermediate_reads
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller

NAME = "intermediate read"
WRITE = "write for a moment"
OWN = "own use"
READ = "intermediate read"
BACK = "write back"
AGAIN = "kept write"


class IntermediateReadKind(Kind):
    """See `analyse.intermediate_reads`."""

    name = NAME
    claim = "A thread read a value that another thread had put there for its own use, and then put the old one back."
    roles = (
        Role(WRITE, "the write of what was there for a moment", Mark.WARNING, True),
        Role(OWN, "the same thread's read of it, for which it was there"),
        Role(READ, "the other thread's read of it", Mark.WRONG, True),
        Role(BACK, "the write that put back what had been there before", groups=True),
        Role(AGAIN, "the other thread's write of what it had read, which stayed there", Mark.WRONG),
    )
    pivot = READ
    in_order = False

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in intermediate_reads(evidence):
            roles = {WRITE: each.write, READ: each.read, BACK: each.back}
            if each.own is not None:
                roles[OWN] = each.own
            if each.again is not None:
                roles[AGAIN] = each.again
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (each.location,))

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places[WRITE]}, read at {places[READ]}, put back at {places[BACK]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        write, read, back = (teller.step(role) for role in (WRITE, READ, BACK))
        if write is None or read is None or back is None:
            return
        one, other = teller.lane(write.thread), teller.lane(read.thread)
        yield (
            f"{one} {teller.did(write)} to {teller.label} for its own use, {other} read that "
            f"({teller.place(read.site)}), and then {one} put back what had been there ({teller.place(back.site)})."
        )
        again = teller.step(AGAIN)
        if again is not None:
            yield f"Later {other} put back what it had read ({teller.place(again.site)}), so that it stayed there."
        yield "Hand the value on as an argument, keep it in a threading.local(), or hold one lock throughout."

    def how_sure(self, teller: Teller) -> str:
        return "Proven: the trace shows the accesses and their values; the code, that the old value is put back."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "there for a MOMENT only" if role == READ else None


INTERMEDIATE_READ = IntermediateReadKind()
