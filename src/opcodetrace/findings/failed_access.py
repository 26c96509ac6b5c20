"""Failed access: what a thread had found to be there was gone as it came to take it, or was not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.asked_of_none import uses_of_none
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.uncaught import uncaught_failures
from opcodetrace.findings.protocol import Kind, queue_words
from opcodetrace.trace.event import Raised
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent
from opcodetrace.trace.sync import Act

NAME = "failed access"
CHECK = "check"
SEEN = "seen"
SHARE = "share"
FLAG = "flag"
CHANGE = "change"
FAILURE = "failure"
BACK = "write back"


class FailedAccessKind(Kind):
    """See `analyse.checks` and `analyse.uncaught`. An access that fails without a check is how Python is written: no
    finding, unless nobody caught the exception."""

    name = NAME
    plural = "failed accesses"
    claim = (
        "A thread found that something was there, another thread took it away, and the first one's access raised; or "
        "another thread had shared what was not made yet, or had said that it was."
    )
    roles = (
        Role(CHECK, "the read on which it depended that the access is made", groups=True),
        Role(SEEN, "if there is no check: the own access by which the thread knew that it was there"),
        Role(SHARE, "if it was not there yet: the other thread's write by which the first one had got the object"),
        Role(FLAG, "or the other thread's write by which the first one had found that it was made"),
        Role(
            CHANGE,
            "the other thread's write or deletion, after which the check would have gone otherwise; or its late write",
            Mark.WARNING,
            True,
        ),
        Role(FAILURE, "the access that raised, or found nothing so that its function raised", Mark.WRONG, groups=True),
        Role(BACK, "if it was away for a moment: the other thread's write that put it there again"),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for stale in evidence.failures:
            severity = Severity.HAPPENED if stale.is_sure else Severity.POSSIBLE
            roles = {CHECK: stale.check, CHANGE: stale.change, FAILURE: stale.act}
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (stale.location,))
        told = {stale.act for stale in evidence.failures}
        unseen = {each.location for each in evidence.unseen}
        for each in (
            *uncaught_failures(evidence.trace, evidence.pasts, evidence.checks, told, unseen),
            *uses_of_none(evidence, unseen),
        ):
            severity = Severity.HAPPENED if each.is_sure else Severity.POSSIBLE
            roles = {CHANGE: each.change, FAILURE: each.failure}
            locations = [each.location]
            if each.seen is not None:
                roles = {SEEN: each.seen, **roles}
            if each.share is not None and each.shared_at is not None:
                roles = {SHARE: each.share, **roles}
                locations.append(each.shared_at)
            if each.flag is not None and each.flagged_at is not None:
                roles = {FLAG: each.flag, **roles}
                locations.append(each.flagged_at)
            if each.back is not None:
                roles[BACK] = each.back
            certainty = Certainty.PROVEN if each.is_proven else Certainty.INFERRED
            yield Finding(NAME, severity, certainty, roles, tuple(locations))

        for one in evidence.queue_checks.failed:
            roles = {CHECK: one.check, CHANGE: one.other, FAILURE: one.act}
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), (one.queue,))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "access", "accesses")
        verb = "failed" if total.low else "may have failed"
        return f"{number[0].upper()}{number[1:]} {verb} because of another thread's change{self.where(total)}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"access to {what or 'a queue'} at {places[FAILURE]} failed, changed at {places[CHANGE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, seen, change, failure = (teller.step(role) for role in (CHECK, SEEN, CHANGE, FAILURE))
        if change is None or failure is None:
            yield from _of_queue(teller)
            return
        one, other = teller.lane(failure.thread), teller.lane(change.thread)
        share, flag = teller.step(SHARE), teller.step(FLAG)
        if flag is not None:
            yield (
                f"{other} said that it was done ({teller.place(flag.site)}), so {one} went on, and its access "
                f"{teller.did(failure)}. {other} {teller.did(change)} only after that."
            )
            yield f"The program was not ready for that: the exception ended {one}, or was only reported."
            yield f"It would be excluded if {other} said so only then, or if both held the same lock from the check on."
            return
        if share is not None:
            yield (
                f"{other} shared the object ({teller.place(share.site)}), and {one}'s access {teller.did(failure)}. "
                f"{other} {teller.did(change)} only after that."
            )
            yield f"The program was not ready for that: the exception ended {one}, or was only reported."
            yield f"It would be excluded if {other} shared the object when it is made, or if both held the same lock."
            return
        back = teller.step(BACK)
        if back is not None:
            raised = f"{one}'s access {teller.did(failure)}"
            if not isinstance(failure.value, Raised):
                raised = f"{one} found that it was not there and raised an error ({teller.place(failure.site)})"
            yield (
                f"{other} took it away for a moment ({teller.place(change.site)}), so that {raised}. Then {other} put "
                f"it there again ({teller.place(back.site)})."
            )
            yield f"The program was not ready for that: the exception ended {one}, or was only reported."
            yield (
                f"It would be excluded if {other} made what is new apart and put it in the place of the old at once, "
                "or if both held the same lock."
            )
            return
        if check is None:
            knew = "" if seen is None else f"{one} {teller.did(seen)}, then "
            if failure.value is not None and change.seq > failure.seq:
                yield f"{one}'s access {teller.did(failure)}: {other} was still making the object."
                yield f"{other} {teller.did(change)} only after that."
            elif failure.value is None and change.seq > failure.seq:
                yield f"{one} {teller.did(failure)} and used that as something else. Then {other} {teller.did(change)}."
            elif failure.value is None:
                yield f"{knew}{other} {teller.did(change)}. {one} {teller.did(failure)} and used it as something else."
            else:
                yield f"{knew}{other} {teller.did(change)}, so that {one}'s access {teller.did(failure)}."
            yield f"The program was not ready for that: the exception ended {one}, or was only reported."
            yield f"It would be excluded if both held the same lock, {one} from before it looked until its access."
            return
        yield (
            f"{one} checked {teller.label} ({teller.place(check.site)}), then {other} {teller.did(change)}, so that "
            f"{one}'s access {teller.did(failure)}."
        )
        yield "It would be excluded if both held the same lock: the first from its check to its access."

    def how_sure(self, teller: Teller) -> str:
        failure = teller.step(FAILURE)
        if teller.step(BACK) is not None and failure is not None:
            if teller.certainty is Certainty.INFERRED:
                return "Inferred: that the container which was replaced had it, as an earlier one there did."
            if not isinstance(failure.value, Raised):
                return (
                    "Proven: the trace shows the accesses; the code, that the function then raises, and that the error "
                    "is only reported."
                )
        if teller.severity is Severity.HAPPENED and teller.step(CHECK) is None and teller.sync(CHECK) is None:
            return "Proven: the trace shows the accesses; the exception ended the thread, or was only reported."
        if teller.severity is Severity.HAPPENED:
            return "Proven: the trace shows the three accesses, and the code that the access rests upon the check."
        return (
            "Possible: in other orders that agree with the recording, the change came before the thread looked; or it "
            "was another one of the changes since."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        change = teller.step(CHANGE) or teller.sync(CHANGE)
        if change is None:
            return None
        other = teller.lane(change.thread)
        remarks = {CHECK: f"true until {other} comes", SEEN: f"there until {other} comes", FAILURE: "FAILED"}
        failure = teller.step(FAILURE)
        if teller.step(BACK) is not None:
            remarks[CHANGE] = "away for a MOMENT"
            if failure is not None and not isinstance(failure.value, Raised):
                remarks[FAILURE] = "finds NOTHING"
        elif teller.step(SHARE) is not None or (failure is not None and failure.seq < change.seq):
            remarks[CHANGE] = "too late"
        return remarks.get(role)


def _of_queue(teller: Teller) -> Iterator[str]:
    """Of a look at a queue, by which something was taken out, or put in."""
    check, change, failure = (teller.sync(role) for role in (CHECK, CHANGE, FAILURE))
    if check is None or change is None or failure is None or None in (check.site, change.site, failure.site):
        return
    one, other = teller.lane(failure.thread), teller.lane(change.thread)
    looked, came, failed = (teller.place(each.site) for each in (check, change, failure))  # type: ignore[arg-type]
    takes = failure.operation == Act.GET
    changed, found = ("took an item", "found none") if takes else ("put one in", "found no room")
    yield (
        f"{one} looked at {queue_words(teller, failure)} ({looked}), then {other} {changed} ({came}), so that "
        f"{one} {found} ({failed})."
    )
    yield (
        f"It would be excluded if {failed} were to find out by itself, without the look, with "
        f"{'queue.Empty' if takes else 'queue.Full'} handled; or if both held the same lock."
    )


FAILED_ACCESS = FailedAccessKind()
