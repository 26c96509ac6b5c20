"""Stolen wake-up: a thread was woken for something that another thread took before it could."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.stolen_wakeups import stolen_wakeups
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent

NAME = "stolen wake-up"
CHECK = "check"
NOTIFICATION = "notification"
THEFT = "theft"
ACT = "act"


class StolenWakeupKind(Kind):
    """See `analyse.stolen_wakeups`."""

    name = NAME
    claim = (
        "A thread waited until there was something and was notified of it; another thread took that first, and the "
        "woken thread's access raised, since it did not look again."
    )
    roles = (
        Role(CHECK, "the read by which the thread decided to wait"),
        Role(NOTIFICATION, "the `notify` that woke it"),
        Role(THEFT, "what another thread took meanwhile, or could have taken", Mark.WARNING, groups=True),
        Role(ACT, "what the woken thread took, or could not take any more", Mark.WRONG, groups=True),
    )
    pivot = ACT
    in_order = False

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in stolen_wakeups(evidence):
            severity = Severity.HAPPENED if each.happened else Severity.POSSIBLE
            roles = {CHECK: each.check, NOTIFICATION: each.notification, THEFT: each.theft, ACT: each.act}
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (each.location,), (each.object,))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, self.name, self.plural)
        verb = ("was" if total.high == 1 else "were") if total.low else "can be"
        return f"{number[0].upper()}{number[1:]} {verb} found{self.where(total)}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"wake-up for {what} stolen at {places[THEFT]}, taken for granted at {places[ACT]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, theft, act = (teller.step(role) for role in (CHECK, THEFT, ACT))
        given = teller.sync(NOTIFICATION)
        if check is None or theft is None or act is None or given is None or given.site is None:
            return
        one, other = teller.lane(act.thread), teller.lane(theft.thread)
        yield (
            f"{one} found nothing in {teller.label} ({teller.place(check.site)}) and waited, until "
            f"{teller.lane(given.thread)} notified {teller.lock(given)} ({teller.place(given.site)})."
        )
        if teller.severity is Severity.HAPPENED:
            yield (
                f"Before {one} had the lock again, {other} took out what it was woken for "
                f"({teller.place(theft.site)}), and {one}'s access {teller.did(act)}."
            )
        else:
            yield (
                f"{one} did not look again, and took something out ({teller.place(act.site)}). {other} took something "
                f"out after that ({teller.place(theft.site)}). In another run {other} could come first, before {one} "
                f"has the lock again, and {one} would fail."
            )
        yield "It would be excluded if the thread looked again once it is woken: `while` in place of `if`."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.HAPPENED:
            return (
                "Proven: the trace shows the check, the notification, what the other thread took and the access that "
                "failed; the code, that the thread does not look again."
            )
        return "Possible: nothing was seen that keeps the other thread from coming first."

    def remark(self, role: str, teller: Teller) -> str | None:
        if teller.severity is not Severity.HAPPENED:
            return "could come first" if role == THEFT else None
        return {THEFT: "STOLEN", ACT: "FAILED"}.get(role)


STOLEN_WAKEUP = StolenWakeupKind()
