"""Unguarded update: a lost update that did not happen in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.unguarded import lines_of, unguarded
from opcodetrace.findings.protocol import UNLESS_CODE_RUNS, PossibleKind
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "unguarded update"
READ = "read"
WRITE = "write"
OTHER_WRITE = "other write"


class UnguardedUpdateKind(PossibleKind):
    """See `analyse.unguarded`. What happened at the same lines is told as a lost update alone."""

    name = NAME
    claim = "Nothing that was seen keeps another thread's write out from between a thread's read and its write."
    roles = (
        Role(READ, "the read that begins an update", flows_into=WRITE),
        Role(WRITE, "the write that ends it, and that would be made of a stale value", Mark.WARNING, groups=True),
        Role(OTHER_WRITE, "another thread's write, which could come between the two", Mark.WARNING, groups=True),
    )
    pivot = WRITE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        seqs = {seq for lost in evidence.lost for seq in (lost.lost, lost.overwritten_by) if seq is not None}
        site_of = {seq: int(trace.events.site[place]) for seq, place in trace.events.places(seqs).items()}
        told = {
            lines_of(trace, (site_of[lost.lost], site_of[lost.overwritten_by]))
            for lost in evidence.lost
            if lost.overwritten_by is not None
        }
        for each in unguarded(evidence, told):
            roles = {READ: each.read, WRITE: each.write, OTHER_WRITE: each.other}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, each.certainty, roles, (each.location,))
        for dropped in evidence.copied.unguarded():
            roles = {READ: dropped.read, WRITE: dropped.drop, OTHER_WRITE: dropped.change}
            severity = Severity.GIL_ONLY if dropped.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, Certainty.INFERRED, roles, (dropped.location, dropped.changed))

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Updates at {quantity(total.places, 'location')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Updates of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        if places[WRITE] == places[OTHER_WRITE]:
            return f"update of {what} at {places[WRITE]} unguarded against the same by another thread"
        return f"update of {what} at {places[WRITE]} unguarded against {places[OTHER_WRITE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        read, write, other = (teller.step(role) for role in (READ, WRITE, OTHER_WRITE))
        if read is None or write is None or other is None:
            return
        name, another = teller.lane(write.thread), teller.lane(other.thread)
        did, then = ("deleted it", "undone") if other.kind == EventKind.DELETE else ("wrote to it", "lost")
        at, until, elsewhere = (teller.place(each.site) for each in (read, write, other))
        when = "after" if other.seq > write.seq else "before"
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        yield (
            f"{name} reads {teller.label} ({at}) and writes what it makes of it ({until}). In this run, {another} "
            f"{did} {when} that ({elsewhere}). {otherwise} it could come in between, and what it did would be {then}."
        )
        window = f"from {at} to {until}" if at != until else f"at {until}"
        yield f"Hold one lock {window if elsewhere == until else f'{window} and at {elsewhere}'}."

    def how_sure(self, teller: Teller) -> str:
        inferred = teller.certainty is not Certainty.PROVEN
        if teller.severity is Severity.GIL_ONLY:
            unless = f", {UNLESS_CODE_RUNS}" if inferred else ""
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between that read and "
                f"write{unless}, one without a GIL may. Nothing was seen that makes one wait for the other."
            )
        passed = " The value went through a call, a parameter or a return." if inferred else ""
        return f"Possible: nothing was seen that makes one of the two wait for the other.{passed}"

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == OTHER_WRITE else None


UNGUARDED_UPDATE = UnguardedUpdateKind()
