"""Read skew: a thread made one value of two that were never there together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.read_skews import read_skews
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller

NAME = "read skew"
FIRST = "first read"
SECOND = "second read"
WRITE = "first write"
OTHER = "second write"


class ReadSkewKind(Kind):
    """See `analyse.read_skews`."""

    name = NAME
    claim = (
        "A thread read two values that are only ever written together, one from before another thread's writes and one "
        "from after them, and made one value of both."
    )
    roles = (
        Role(FIRST, "the read of one of them", groups=True),
        Role(SECOND, "the read of the other one", Mark.WRONG, True),
        Role(WRITE, "the other thread's write of one of them", Mark.WARNING, True),
        Role(OTHER, "the other thread's write of the other one", Mark.WARNING, True),
    )
    pivot = SECOND
    in_order = False

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in read_skews(evidence):
            roles = {FIRST: each.first, SECOND: each.second, WRITE: each.write, OTHER: each.other}
            yield Finding(NAME, Severity.HAPPENED, Certainty.INFERRED, roles, each.locations)

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return (
            f"{what} and what belongs to it read at {places[FIRST]} and {places[SECOND]}, written at {places[WRITE]} "
            f"and {places[OTHER]}"
        )

    def sentences(self, teller: Teller) -> Iterable[str]:
        first, second, write, other = (teller.step(role) for role in (FIRST, SECOND, WRITE, OTHER))
        if first is None or second is None or write is None or other is None:
            return
        one, writer = teller.lane(first.thread), teller.lane(write.thread)
        yield (
            f"{one} read {teller.value(first.value)} from {teller.label} ({teller.place(first.site)}) and "
            f"{teller.value(second.value)} from what belongs to it ({teller.place(second.site)}), and made one value "
            f"of both. {writer} {teller.did(write)} and {teller.did(other)}: the two that were read were never there "
            "together."
        )
        yield "It would be excluded if both held one lock: the reader for both reads, the writer for both writes."

    def how_sure(self, teller: Teller) -> str:
        return (
            "Inferred: the trace shows the values, and that no write of one was without the other. That the two belong "
            "together is taken from that, and from the source."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        return "does not belong to the FIRST READ" if role == SECOND else None


READ_SKEW = ReadSkewKind()
