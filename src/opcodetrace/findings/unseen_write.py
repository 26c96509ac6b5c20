"""Unseen write: a read returned another value than the last write recorded had given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Role, Teller, Total

NAME = "unseen write"
READ = "read"


class UnseenWriteKind(Kind):
    """See `trace.version.UnseenWrite`. It is not a fault of the program: it limits what the recording shows."""

    name = NAME
    claim = "Code that is not woven wrote to a shared location: a read returned what no recorded write had given."
    fails_check = False
    is_told = False
    roles = (Role(READ, "the read that returned another value", groups=True),)
    pivot = READ

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in evidence.unseen:
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, {READ: each.seq}, (each.location,))

    def caveat(self, total: Total, labels: str) -> str:
        times = "once" if total.high == 1 else f"{total.high:,} times"
        return (
            f"Unseen writes: {times} a read{' of ' if labels else ''}{labels} returned another value than the last "
            "write recorded had given. Code that is not woven wrote there; the location starts anew at that read."
        )

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"unseen write of {what}, noticed at {places[READ]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        return ()

    def how_sure(self, teller: Teller) -> str:
        return "Proven: the value read is not the value written last."


UNSEEN_WRITE = UnseenWriteKind()
