"""Intermediate read: a thread read what another one had put there for a moment only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.intermediate_reads import intermediate_reads, possible_reads
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
        told = list(intermediate_reads(evidence))
        for each in (*told, *possible_reads(evidence, told)):
            roles = {WRITE: each.write, READ: each.read, BACK: each.back}
            if each.own is not None:
                roles[OWN] = each.own
            if each.again is not None:
                roles[AGAIN] = each.again
            yield Finding(NAME, each.severity, Certainty.PROVEN, roles, (each.location,))

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places[WRITE]}, read at {places[READ]}, put back at {places[BACK]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        write, read, back = (teller.step(role) for role in (WRITE, READ, BACK))
        if write is None or read is None or back is None:
            return
        one, other = teller.lane(write.thread), teller.lane(read.thread)
        again = teller.step(AGAIN)
        if teller.severity is not Severity.HAPPENED and again is not None:
            otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
            yield (
                f"{one} {teller.did(write)} to {teller.label} for a moment, and then put back what had been there "
                f"({teller.place(back.site)}). In this run, {other} read it after that ({teller.place(read.site)}), "
                f"and put back what it had read ({teller.place(again.site)})."
            )
            yield (
                f"{otherwise} it could read it in between, and what was to be there for a moment would stay. Hand the "
                f"value on as an argument, keep it in a threading.local(), or hold one lock throughout."
            )
            return
        yield (
            f"{one} {teller.did(write)} to {teller.label} for its own use, {other} read that "
            f"({teller.place(read.site)}), and then {one} put back what had been there ({teller.place(back.site)})."
        )
        if again is not None:
            yield f"Later {other} put back what it had read ({teller.place(again.site)}), so that it stayed there."
        yield "Hand the value on as an argument, keep it in a threading.local(), or hold one lock throughout."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            return "As far as was seen, only the GIL prevents it. Nothing was seen that makes one wait for the other."
        if teller.severity is Severity.POSSIBLE:
            return "Possible: nothing was seen that makes one of the two wait for the other."
        return "Proven: the trace shows the accesses and their values; the code, that the old value is put back."

    def remark(self, role: str, teller: Teller) -> str | None:
        if teller.severity is not Severity.HAPPENED:
            return "could come in between" if role == READ else None
        return "there for a MOMENT only" if role == READ else None


INTERMEDIATE_READ = IntermediateReadKind()
