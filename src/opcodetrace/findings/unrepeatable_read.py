"""Unrepeatable read: a thread read a location twice for one purpose, and found two values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller

NAME = "unrepeatable read"
FIRST = "first read"
CHANGE = "change between"
SECOND = "second read"
OTHER = "other read"


class UnrepeatableReadKind(Kind):
    """See `analyse.read_twice`."""

    name = NAME
    claim = "A thread read a value twice for one purpose, and another thread changed it in between."
    roles = (
        Role(FIRST, "the read that returned the older value", groups=True),
        Role(CHANGE, "the other thread's write between the two", Mark.WARNING, True),
        Role(SECOND, "the read that returned the newer value", Mark.WRONG, groups=True),
        Role(OTHER, "of a number that is counted on from there: the other thread's read of the older value"),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in evidence.unrepeatable_reads:
            roles = {FIRST: each.first, CHANGE: each.change, SECOND: each.second}
            if each.other is not None:
                roles[OTHER] = each.other
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (each.location,))

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} read at {places[FIRST]} and again at {places[SECOND]}, changed at {places[CHANGE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        first, change, second = (teller.step(role) for role in (FIRST, CHANGE, SECOND))
        if first is None or change is None or second is None:
            return
        one, other = teller.lane(first.thread), teller.lane(change.thread)
        taken = teller.step(OTHER)
        if taken is not None:
            yield (
                f"{one} took {teller.value(first.value)} from {teller.label} ({teller.place(first.site)}). {other} had "
                f"taken the same number, and {teller.did(change)}. Then {one} counted on from "
                f"{teller.value(second.value)} ({teller.place(second.site)}). No update is lost, but both handed on "
                "one number."
            )
            yield "Hold one lock from the read to the write, or take the number by itertools.count()."
            return
        yield (
            f"{one} read {teller.value(first.value)} from {teller.label} ({teller.place(first.site)}), then {other} "
            f"{teller.did(change)}, and {one} read again ({teller.place(second.site)}) and got that. The code takes "
            "both for one value."
        )
        yield "Read it once into a local variable, or hold one lock throughout."

    def how_sure(self, teller: Teller) -> str:
        return (
            "Proven: the trace shows the three accesses and their values; the code, that the two reads belong together."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        return "not what it was at the FIRST READ" if role == SECOND else None


UNREPEATABLE_READ = UnrepeatableReadKind()
