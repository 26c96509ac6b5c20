"""Lost notification: a thread notified when nobody waited, or one of several, and who it was for waits on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.notifications import missed
from opcodetrace.analyse.passed_over import passed_over
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent

NAME = "lost notification"
CHECK = "check"
CHANGE = "change"
NOTIFICATION = "notification"
CLEAR = "clear"
WAIT = "wait"


class LostNotificationKind(Kind):
    """See `analyse.notifications` and `analyse.passed_over`. It is told of the location that the notification was
    about, if that is known."""

    name = NAME
    claim = (
        "A thread notified when nobody waited, or its `set` was cleared before anybody saw it; another thread, which "
        "did not know of the change, then waited for it until a timeout, until it was cancelled (a task), or for ever. "
        "Or several waited for it, and `notify` woke another one."
    )
    roles = (
        Role(CHECK, "the read by which the thread decided to wait"),
        Role(CHANGE, "the other thread's write, after which it would not have waited"),
        Role(NOTIFICATION, "the `notify` or `set` that reached nobody, or another thread", Mark.WARNING, True),
        Role(CLEAR, "the `clear` that made the Event forget it", Mark.WARNING, True),
        Role(WAIT, "the wait that nobody ended", Mark.WRONG, True),
    )
    pivot = NOTIFICATION

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in missed(evidence):
            severity = Severity.HAPPENED if each.is_sure else Severity.POSSIBLE
            played = {
                CHECK: each.check,
                CHANGE: each.change,
                NOTIFICATION: each.notification,
                CLEAR: each.clear,
                WAIT: each.wait,
            }
            roles = {role: seq for role, seq in played.items() if seq is not None}
            locations = () if each.location is None else (each.location,)
            yield Finding(NAME, severity, Certainty.PROVEN, roles, locations, (each.object,))
        for one in passed_over(evidence):
            roles = {CHECK: one.check, CHANGE: one.change, NOTIFICATION: one.notification, WAIT: one.wait}
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (one.location,), (one.object,))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "notification", self.name.replace("lost ", "") + "s")
        verb = ("was" if total.high == 1 else "were") if total.low else "may have been"
        return f"{number[0].upper()}{number[1:]} {verb} lost."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"notification at {places[NOTIFICATION]} lost, waited for at {places[WAIT]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, change = teller.step(CHECK), teller.step(CHANGE)
        given, clear, wait = teller.sync(NOTIFICATION), teller.sync(CLEAR), teller.sync(WAIT)
        if given is None or wait is None or given.site is None or wait.site is None:
            return
        one, other = teller.lane(wait.thread), teller.lane(given.thread)
        what = teller.lock(given)
        if check is not None and change is not None and wait.seq < change.seq:
            who = "" if change.thread == given.thread else f"{other} "
            yield (
                f"{one} checked {teller.label} ({teller.place(check.site)}) and began to wait "
                f"({teller.place(wait.site)}). Then {teller.lane(change.thread)} {teller.did(change)}, and {who}"
                f"notified {what} ({teller.place(given.site)}), which woke another thread."
            )
            yield f"Nobody ever woke {one}, though what it waits for is so."
            yield "It would be excluded if all threads that wait were notified: `notify_all()`."
            return
        if check is not None and change is not None:
            yield (
                f"{one} checked {teller.label} ({teller.place(check.site)}). Then {other} {teller.did(change)} and "
                f"{_gave(given.operation)} {what} ({teller.place(given.site)})."
            )
        elif change is not None:
            yield (
                f"While {one} was at work, {other} changed {teller.label} ({teller.place(change.site)}) and "
                f"{_gave(given.operation)} {what} ({teller.place(given.site)})."
            )
        else:
            yield f"{other} {_gave(given.operation)} {what} ({teller.place(given.site)})."
        if clear is None or clear.site is None:
            yield f"Nobody waited. After that {one} began to wait ({teller.place(wait.site)}), and nobody notified it."
        else:
            yield (
                f"Before anybody saw that, {teller.lane(clear.thread)} cleared it ({teller.place(clear.site)}). After "
                f"that {one} began to wait ({teller.place(wait.site)}), and nobody set it again."
            )
        if clear is None:
            yield (
                "It would be excluded if each wait stood in a loop that checks, with the lock held, what it waits for, "
                "and if that were changed with the lock held."
            )
        else:
            yield "It would be excluded if the Event were cleared before the thread looks at what it was set for."

    def how_sure(self, teller: Teller) -> str:
        change, wait = teller.step(CHANGE), teller.sync(WAIT)
        if change is not None and wait is not None and wait.seq < change.seq:
            return (
                "Proven: the trace shows that nobody woke the thread, and that what it had checked was changed for "
                "good; the code, that the check decides upon the wait."
            )
        if teller.severity is Severity.HAPPENED:
            return (
                "Proven: the trace shows that the check came before the change, and that the wait began after the "
                "notification; the code, that the check decides upon the wait."
            )
        if teller.step(CHECK) is not None:
            return "Possible: in its loop the thread looks again once the wait has timed out, so only time may be lost."
        if teller.step(CHANGE) is not None:
            return "Possible: the thread was not seen to read that again before it waited, but not all reads are seen."
        return "Possible: the thread checked nothing before it waited, and had waited for nothing that came later."

    def remark(self, role: str, teller: Teller) -> str | None:
        wait, change = teller.sync(WAIT), teller.step(CHANGE)
        is_passed_over = wait is not None and change is not None and wait.seq < change.seq
        if role == WAIT:
            return "for EVER" if is_passed_over else "TOO LATE"
        if role == NOTIFICATION and is_passed_over:
            return "wakes another"
        return "reaches nobody" if role == NOTIFICATION and wait is not None else None


def _gave(operation: str) -> str:
    return "set" if operation == "set" else "notified"


LOST_NOTIFICATION = LostNotificationKind()
