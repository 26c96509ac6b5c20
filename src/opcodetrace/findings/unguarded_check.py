"""Unguarded check: a stale check that did not happen in this run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.checks import acted_on_a_stale_check, failed_after_a_check
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.unguarded_checks import unguarded_checks
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.event import ABSENT, EventKind, Opaque
from opcodetrace.trace.finding import Certainty, Count, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "unguarded check"
CHECK = "check"
ACT = "act"
OTHER_CHECK = "other check"


class UnguardedCheckKind(Kind):
    """See `analyse.unguarded_checks`. What happened at the same lines is told as a stale check or failed access alone."""

    name = NAME
    claim = "Nothing that was seen keeps another thread from making the same check between a thread's check and its act."
    roles = (
        Role(CHECK, "the read on which it depended that the act is done", groups=True),
        Role(ACT, "the write or deletion that the check decided upon", Mark.WARNING, groups=True),
        Role(OTHER_CHECK, "another thread's same check, which could come in between", Mark.WARNING),
    )
    pivot = ACT
    in_order = False
    fails_check = False

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        happened = [*acted_on_a_stale_check(trace, ()), *failed_after_a_check(trace)]
        seqs = {seq for each in happened for seq in (each.check, each.act)}
        site_of = {seq: int(trace.events.site[place]) for seq, place in trace.events.places(seqs).items()}
        told = {(site_of[each.check], site_of[each.act]) for each in happened}
        for each in unguarded_checks(evidence, told):
            roles = {CHECK: each.check, ACT: each.act, OTHER_CHECK: each.other}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (each.location,))

    def counts(self, evidence: Evidence, found: list[Finding]) -> Iterator[Count]:
        for location, number in Counter(finding.locations[0] for finding in found).items():
            yield Count(NAME, location, number, number)

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Checks of {quantity(total.places, 'location')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Checks of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"check of {what} at {places[CHECK]}, acted on at {places[ACT]}, unguarded against the same by another thread"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, act, other = (teller.step(role) for role in (CHECK, ACT, OTHER_CHECK))
        if check is None or act is None or other is None:
            return
        name, another = teller.lane(act.thread), teller.lane(other.thread)
        at, until = (teller.place(each.site) for each in (check, act))
        yield (
            f"{name} checked {teller.label} ({at}), and by that it {teller.did(act)}. In this run, {another} made the "
            f"same check after that."
        )
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        if act.kind == EventKind.DELETE:
            then = "do the same, which would fail"
        elif isinstance(act.value, Opaque):
            then = "make an object of its own; what is done to the one that is replaced would be lost"
        elif act.value is ABSENT:
            then = "take something out, too, which would fail if nothing is left"
        else:
            then = "do the same, though the check would hold no longer"
        yield f"{otherwise} it could check in between, and would {then}."
        yield f"Hold one lock {f'from {at} to {until}' if at != until else f'at {until}'}."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between that check and "
                "act, one without a GIL may. Nothing was seen that makes one wait for the other."
            )
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == OTHER_CHECK else None


UNGUARDED_CHECK = UnguardedCheckKind()
