"""Unguarded read: what a thread reads twice for one purpose could be changed meanwhile, and was not in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.unguarded_reads import unguarded_reads
from opcodetrace.findings.protocol import UNLESS_CODE_RUNS, PossibleKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "unguarded read"
FIRST = "first read"
SECOND = "second read"
OTHER_WRITE = "other write"


class UnguardedReadKind(PossibleKind):
    """See `analyse.unguarded_reads`. What happened at the same lines is told as unrepeatable read alone."""

    name = NAME
    claim = "Nothing that was seen keeps another thread from changing a value between two reads of it for one purpose."
    roles = (
        Role(FIRST, "the one read", groups=True),
        Role(SECOND, "the other one, which could return another value", Mark.WARNING, True),
        Role(OTHER_WRITE, "another thread's write, which could come between the two", Mark.WARNING, True),
    )
    pivot = SECOND

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        events = evidence.trace.events
        places = events.places(each.second for each in evidence.unrepeatable_reads)
        told = {int(events.site[place]) for place in places.values()}
        for each in unguarded_reads(evidence, told):
            roles = {FIRST: each.first, SECOND: each.second, OTHER_WRITE: each.other}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            certainty = Certainty.PROVEN if each.is_sure else Certainty.INFERRED
            yield Finding(NAME, severity, certainty, roles, (each.location,))

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Reads at {quantity(total.places, 'location')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Reads of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} read at {places[FIRST]} and again at {places[SECOND]}, unguarded between"

    def sentences(self, teller: Teller) -> Iterable[str]:
        first, second, other = (teller.step(role) for role in (FIRST, SECOND, OTHER_WRITE))
        if first is None or second is None or other is None:
            return
        name, another = teller.lane(first.thread), teller.lane(other.thread)
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        when = "before" if other.seq < first.seq else "after"
        at = ", ".join(dict.fromkeys(teller.place(each.site) for each in (first, second)))
        yield (
            f"{name} read {teller.label} twice in one expression ({at}). In this run, {another} wrote to it {when} "
            f"that ({teller.place(other.site)}). {otherwise} that could come in between, and the code takes both for "
            "one value."
        )
        yield "Read it once into a local variable, or hold one lock throughout."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            unless = "" if teller.certainty is Certainty.PROVEN else f", {UNLESS_CODE_RUNS}"
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between the two reads"
                f"{unless}, one without a GIL may. Nothing was seen that makes one thread wait for the other."
            )
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == OTHER_WRITE else None


UNGUARDED_READ = UnguardedReadKind()
