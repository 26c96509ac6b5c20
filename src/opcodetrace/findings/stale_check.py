"""Stale check: a thread acted on a check that was true no longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.free_keys import taken_twice
from opcodetrace.analyse.missing_attributes import attributes_made_twice
from opcodetrace.analyse.numbered_items import numbered_alike
from opcodetrace.analyse.same_value import is_same
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.event import ABSENT, EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent
from opcodetrace.trace.site import Operation

NAME = "stale check"
CHECK = "check"
CHANGE = "change"
ACT = "act"
READ = "read"
OUTDATED = "outdated by"
COUNT = "count"
COUNTED = "counted from"


class StaleCheckKind(Kind):
    """See `analyse.checks`, `analyse.missing_attributes` and `analyse.numbered_items`. What is a lost update is none of
    these."""

    name = NAME
    claim = "A thread checked something, another thread changed it, and the first one acted as if it had not."
    roles = (
        Role(CHECK, "the read on which it depended that the write is made", groups=True),
        Role(
            CHANGE,
            "the other thread's write or deletion, after which the check would have gone otherwise",
            Mark.WARNING,
            True,
        ),
        Role(ACT, "the write or deletion that the check decided upon", Mark.WRONG, groups=True),
        Role(READ, "if the change took back what the check had not found: what the write was made of"),
        Role(OUTDATED, "and the other thread's write by which that is out of date"),
        Role(COUNT, "if there is no check: how many items there were, which gave the number to write at", groups=True),
        Role(COUNTED, "if the act comes in any case, by a count of uses: the read that it was made of"),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for stale in evidence.stale_checks:
            severity = Severity.HAPPENED if stale.is_sure else Severity.POSSIBLE
            roles = {CHECK: stale.check, CHANGE: stale.change, ACT: stale.act}
            roles |= {} if stale.counted is None else {COUNTED: stale.counted}
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (stale.location,))
        places = evidence.trace.events.seq
        for each, is_sure in evidence.overtaken:
            severity = Severity.HAPPENED if is_sure else Severity.POSSIBLE
            at = {CHECK: each.check, CHANGE: each.reset, ACT: each.act, READ: each.read, OUTDATED: each.change}
            location = int(evidence.trace.events.location[each.act])
            roles = {role: int(places[place]) for role, place in at.items()}
            yield Finding(NAME, severity, Certainty.INFERRED, roles, (location,))
        lost = {each.overwritten_by for each in evidence.lost}
        unseen = {each.location for each in evidence.unseen}
        for made in attributes_made_twice(evidence, lost, unseen):
            severity = Severity.HAPPENED if made.is_sure else Severity.POSSIBLE
            roles = {CHANGE: made.change, ACT: made.act}
            yield Finding(NAME, severity, Certainty.PROVEN, roles, (made.location,))
        told = {each.act for each in evidence.stale_checks}
        for taken in taken_twice(evidence):
            if taken.act not in told and taken.act not in lost:
                severity = Severity.HAPPENED if taken.is_sure else Severity.POSSIBLE
                roles = {CHECK: taken.check, CHANGE: taken.change, ACT: taken.act}
                yield Finding(NAME, severity, Certainty.PROVEN, roles, (taken.location,))
        for alike in numbered_alike(evidence, unseen):
            if alike.act not in told and alike.act not in lost:
                severity = Severity.HAPPENED if alike.is_sure else Severity.POSSIBLE
                certainty = Certainty.PROVEN if alike.replaces else Certainty.INFERRED
                roles = {COUNT: alike.counted, CHANGE: alike.change, ACT: alike.act}
                yield Finding(NAME, severity, certainty, roles, (alike.location,))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "check")
        one = total.high == 1
        verb = ("was" if one else "were") if total.low else "may have been"
        what, at = ("", self.where(total)) if total.label is None else (self.where(total), "")
        acted = f"when a thread acted on {'it' if one else 'them'}"
        return f"{number[0].upper()}{number[1:]}{what} {verb} true no longer {acted}{at}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        if COUNT in places:
            return f"{what} stored at {places[ACT]} by a count at {places[COUNT]}, stored at {places[CHANGE]}, too"
        if CHECK not in places:
            return f"{what} missed and made at {places[ACT]}, changed at {places[CHANGE]}"
        return f"check of {what} at {places[CHECK]} acted on at {places[ACT]}, changed at {places[CHANGE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, change, act = (teller.step(role) for role in (CHECK, CHANGE, ACT))
        if change is None or act is None:
            return
        one, other = teller.lane(act.thread), teller.lane(change.thread)
        count = teller.step(COUNT)
        if count is not None:
            yield (
                f"{one} counted what there was ({teller.place(count.site)}), then {other} {teller.did(change)} by such "
                f"a count, and {one} used the same number: it {teller.did(act)}."
            )
            did = "Both gave it to what they added." if act.whole else f"What {other} wrote was replaced."
            yield f"{did} It would be excluded if both held the same lock for all of that."
            return
        if check is not None and teller.step(COUNTED) is not None:
            yield (
                f"{one} checked {teller.label} ({teller.place(check.site)}) and called something by that. Meanwhile "
                f"{other} {teller.did(change)}, and {one} went on from there: it {teller.did(act)}."
            )
            yield (
                f"By what {other} wrote, the check would have gone otherwise. It would be excluded if both held the "
                "same lock: the first from its check to its write."
            )
            return
        if check is None:
            yield (
                f"{one} asked for {teller.label}, which was not there, so Python called the function that makes it. "
                f"Then {other} {teller.did(change)}, and {one} went on: it {teller.did(act)}."
            )
        else:
            yield (
                f"{one} checked {teller.label} ({teller.place(check.site)}), then {other} {teller.did(change)}, and "
                f"{one} went on as its check had told: it {teller.did(act)}."
            )
        read, outdated = teller.step(READ), teller.step(OUTDATED)
        if read is not None and outdated is not None:
            yield (
                f"That was made of what it had read before ({teller.place(read.site)}), and {other} had changed "
                f"({teller.place(outdated.site)}). So what is out of date stays there."
            )
        elif check is not None and act.whole and act.value is ABSENT and check.value == 0:
            yield "So it may have been filled twice."
        elif check is not None and act.whole and act.value is ABSENT:
            yield "So no item was left, though one was to stay."
        elif check is not None and act.whole:
            if teller.severity is Severity.HAPPENED:
                is_twice = is_same(check.value, act.value) and check.site.operation == Operation.CONTAINS
                yield "So it is in there twice." if is_twice else "So there is more in it than the check allows."
        elif change.site == act.site and change.kind != EventKind.DELETE and change.value is not ABSENT:
            replaced = "" if is_same(change.value, act.value) else f"; what {other} wrote was replaced"
            yield f"So both did what only one of them was to do{replaced}."
        yield "It would be excluded if both held the same lock: the first from its check to its write."

    def how_sure(self, teller: Teller) -> str:
        if teller.certainty is Certainty.INFERRED and teller.step(COUNT) is not None:
            return "Inferred: the trace shows that both used one number, but not that it was to be one item's alone."
        if teller.severity is Severity.HAPPENED and teller.step(COUNT) is not None:
            return "Proven: the trace shows the three accesses; the code, that the numbers are made of counts."
        if teller.severity is Severity.HAPPENED and teller.step(COUNTED) is not None:
            return (
                "Proven: the trace shows the accesses and what the change left there; the code, that the check decides "
                "upon a call before it counts."
            )
        if teller.severity is Severity.HAPPENED and teller.step(CHECK) is None:
            return (
                "Proven: the trace shows the accesses, and which look-up led to the function. Python calls it only if "
                "it has found nothing."
            )
        if teller.severity is Severity.HAPPENED and teller.step(READ) is not None:
            return (
                "Inferred: the trace shows the accesses, and that the value was used after that; the code, that it was "
                "made of what was read."
            )
        if teller.severity is Severity.HAPPENED:
            return (
                "Proven: the trace shows the three accesses and what the change left there, by which the check would "
                "have gone otherwise; the code, that the check decides upon the last access."
            )
        return (
            "Possible: in other orders that agree with the recording, the change came before the check; or what was "
            "there then does not tell how the check would have gone; or code that is not woven wrote there, too."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        change = teller.step(CHANGE)
        if change is None:
            return None
        other = teller.lane(change.thread)
        if teller.step(READ) is not None:
            return {CHANGE: "taken back", ACT: "made of what was there before"}.get(role)
        if teller.step(COUNT) is not None:
            return {COUNT: f"right until {other} comes", ACT: "under the SAME NUMBER"}.get(role)
        acts = "after a STALE CHECK" if teller.step(COUNTED) is not None else "by a STALE CHECK"
        return {CHECK: f"true until {other} comes", ACT: acts}.get(role)


STALE_CHECK = StaleCheckKind()
