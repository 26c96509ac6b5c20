"""Unguarded check: a stale check that did not happen in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.unguarded_checks import unguarded_checks
from opcodetrace.findings.protocol import PossibleKind, queue_words
from opcodetrace.trace.event import ABSENT, EventKind, Opaque
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.report_step import AccessStep
from opcodetrace.trace.site import Operation
from opcodetrace.trace.sync import Act

NAME = "unguarded check"
CHECK = "check"
ACT = "act"
OTHER_CHECK = "other check"
CHANGE = "change"
FLAG = "flag"
READ = "read"
OUTDATED = "outdated by"
EFFECT = "also done"


class UnguardedCheckKind(PossibleKind):
    """See `analyse.unguarded_checks`. What happened at the same lines is told as that alone."""

    name = NAME
    claim = (
        "Nothing that was seen keeps another thread out from between a thread's check and what it does by it; or a "
        "thread may pass a check by a flag that another one sets before it makes what is then needed."
    )
    roles = (
        Role(FLAG, "if the check said that something had been made: the other thread's write that it found"),
        Role(CHECK, "the read on which it depended that the act is done", groups=True),
        Role(ACT, "what the check decided upon", Mark.WARNING, groups=True),
        Role(OTHER_CHECK, "another thread's check of the same, which could come in between", Mark.WARNING),
        Role(
            CHANGE, "or its write or deletion, which could, and would make the check find something else", Mark.WARNING
        ),
        Role(READ, "if that only takes back what the act stores: what this is made of"),
        Role(OUTDATED, "and the other thread's write by which that would be out of date", Mark.WARNING),
        Role(EFFECT, "what else the thread did by the check, if that is what would be wrong twice"),
    )
    pivot = ACT

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        acts = {each.act for each in (*evidence.stale_checks, *evidence.failures)}
        acts |= {each.second for each in evidence.unrepeatable_reads}
        acts |= {seq for lost in evidence.lost for seq in (lost.lost, lost.overwritten_by) if seq is not None}
        acts |= {int(trace.events.seq[each.act]) for each, _ in evidence.overtaken}
        told = {int(trace.events.site[place]) for place in trace.events.places(acts).values()}
        for each in unguarded_checks(evidence, told):
            roles = {CHECK: each.check, ACT: each.act, OTHER_CHECK if each.is_same_check else CHANGE: each.other}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            certainty = Certainty.PROVEN if each.is_sure else Certainty.INFERRED
            if each.read is not None and each.outdated_by is not None:
                roles |= {READ: each.read, OUTDATED: each.outdated_by}
            if each.effect is not None:
                roles[EFFECT] = each.effect
            locations = [each.location]
            if each.flag is not None and each.acts_at is not None:
                roles = {FLAG: each.flag, **roles}
                locations.append(each.acts_at)
            yield Finding(NAME, severity, certainty, roles, tuple(locations))
        for one in evidence.queue_checks.unguarded():
            roles = {CHECK: one.check, ACT: one.act, OTHER_CHECK: one.other}
            yield Finding(NAME, Severity.POSSIBLE, Certainty.PROVEN, roles, (), (one.queue,))

    def headline(self, total: Total) -> str:
        if not total.places:
            return "Checks of a queue are unguarded, as far as was seen."
        if total.label is None:
            return f"Checks of {quantity(total.places, 'location')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Checks of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        of = what or "a queue"
        return f"check of {of} at {places[CHECK]} unguarded until it is acted on at {places[ACT]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, act, other, change = (teller.step(role) for role in (CHECK, ACT, OTHER_CHECK, CHANGE))
        if check is None or act is None:
            yield from _of_queue(teller)
            return
        flag = teller.step(FLAG)
        if flag is not None and change is not None:
            yield from _too_early(teller, check, act, change, flag)
            return
        read, outdated = teller.step(READ), teller.step(OUTDATED)
        if read is not None and outdated is not None and change is not None:
            yield from _overtaken(teller, act, change, read, outdated)
            return
        name, at = teller.lane(act.thread), teller.place(check.site)
        fills = check.whole and check.value == 0 and act.value is ABSENT
        copies = _goes_over_all(check)
        did = f"filled it ({teller.place(act.site)})" if fills else _did(teller, act)
        searched = copies and act.kind == EventKind.WRITE
        if searched:
            yield f"{name} looked for an item in {teller.label} ({at}), found none, and {did}."
        elif copies:
            did = f"asked for an item ({teller.place(act.site)})" if act.kind == EventKind.READ else did
            yield f"{name} went over what was in {teller.label} ({at}), and {did}."
        else:
            yield f"{name} checked {teller.label} ({at}), and by that it {did}."
        effect = teller.step(EFFECT)
        if effect is not None:
            yield f"By the same check it also {teller.did(effect)}, which adds to what was there."
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        if other is not None:
            again = "fill it, too" if fills else _twice(act) if effect is None else "do all of it, too"
            again = "add one of its own" if searched else again
            came = "after that, and found this one" if searched else "after that"
            same = "the same check" if other.site == check.site else f"one like it ({teller.place(other.site)})"
            yield (
                f"In this run, {teller.lane(other.thread)} made {same} {came}. {otherwise} it could do so in "
                f"between, and would {again}."
            )
        if searched:
            yield "That both looked for the same one is inferred: the loop of the one who came later ended there."
        elif teller.certainty is Certainty.INFERRED and copies:
            yield "That both may want the same item is inferred: in this run it was another one."
        elif teller.certainty is Certainty.INFERRED:
            yield "That one depends on the other is inferred: who came later found something else, and did not do it."
        if change is not None:
            when = "after" if change.seq > act.seq else "before"
            yield (
                f"In this run, {teller.lane(change.thread)} {_did(teller, change)} {when} that. {otherwise} that could "
                f"come in between, and {name} would {_too_late(act, change)}."
            )
        yield f"Hold one lock {_window(teller, check, act, change or other)}."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.GIL_ONLY:
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between that check and "
                "act, one without a GIL may. Nothing was seen that makes one wait for the other."
            )
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        if teller.step(FLAG) is not None:
            return {FLAG: "set too early", CHANGE: "only now"}.get(role)
        if teller.sync(ACT) is not None and role == CHECK:
            return "looks at the queue"
        return "could come in between" if role in (OTHER_CHECK, CHANGE) else None


def _of_queue(teller: Teller) -> Iterator[str]:
    """Of a look at a queue, and what was done with the queue by it."""
    check, act, other = (teller.sync(role) for role in (CHECK, ACT, OTHER_CHECK))
    if check is None or act is None or other is None or None in (check.site, act.site, other.site):
        return
    name, looked, did = teller.lane(act.thread), teller.place(check.site), teller.place(act.site)  # type: ignore[arg-type]
    takes = act.operation == Act.GET
    what = "took the last item" if takes else "put something in"
    yield f"{name} looked at {queue_words(teller, act)} ({looked}), and by that it {what} ({did})."
    came = teller.place(other.site)  # type: ignore[arg-type]
    if other.operation == Act.GET:
        yield (
            f"In this run, {teller.lane(other.thread)} had to wait for an item after that ({came}). In another run it "
            f"could come in between, and would take that one; {name} would find none."
        )
    else:
        found = "nothing in it" if takes else "no room"
        yield (
            f"In this run, {teller.lane(other.thread)} looked after that ({came}), and found {found}. In another run "
            f"it could do so in between, and both would go on, one of them in vain."
        )
    yield (
        f"Let {did} find out by itself, without the look: handle "
        f"{'queue.Empty' if takes else 'queue.Full'}. Or hold one lock from {looked} to {did}."
    )


def _too_early(
    teller: Teller, check: AccessStep, act: AccessStep, change: AccessStep, flag: AccessStep
) -> Iterator[str]:
    """Of a flag that is set before the work is done."""
    name, other = teller.lane(act.thread), teller.lane(change.thread)
    looked, made = teller.place(act.site), teller.place(change.site)
    if flag.whole:
        yield (
            f"{other} put the first item into {teller.label} ({teller.place(flag.site)}), and only after that ({made}) "
            f"the one that {name} looked for ({looked}) as it had found that {teller.label} was not empty "
            f"({teller.place(check.site)})."
        )
    else:
        yield (
            f"{other} set {teller.label} ({teller.place(flag.site)}), and made only after that ({made}) what {name} "
            f"looked for ({looked}) as it had checked {teller.label} ({teller.place(check.site)})."
        )
    if act.seq < change.seq:
        yield f"In this run, {name} came in between, and found nothing."
    else:
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        yield f"{otherwise} {name} could come in between, and would find nothing."
    if teller.certainty is Certainty.INFERRED:
        yield f"That {name} needs it is inferred: {other} looks for it, too, but only once it has made it."
    begun = teller.place(flag.site)
    since = f"from {begun} to {made}" if begun != made else f"around all that is put in ({made})"
    first = "Fill another one, and store it once it is full" if flag.whole else "Set it last"
    yield f"{first}, or hold one lock {since}, and at {looked}."


def _overtaken(
    teller: Teller, act: AccessStep, change: AccessStep, read: AccessStep, outdated: AccessStep
) -> Iterator[str]:
    """Of what is remembered until it is reset."""
    name, other = teller.lane(act.thread), teller.lane(change.thread)
    made, changed = teller.place(read.site), teller.place(outdated.site)
    otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
    yield (
        f"{name} keeps in {teller.label} ({teller.place(act.site)}) what it makes of what it reads ({made}). "
        f"{other} changes that ({changed}), and takes back what is kept ({teller.place(change.site)})."
    )
    yield (f"{otherwise} both could come after {name} has read, and before it stores: what is out of date would stay.")
    yield f"Hold one lock from {made} to {teller.place(act.site)}, and for the change with its reset."


def _goes_over_all(check: AccessStep) -> bool:
    """Whether it copies a container, or begins to iterate over it. With `--no-values`, sizes have no value, either."""
    is_asked = check.site.operation in (Operation.TEST, Operation.CONTAINS)
    is_counted = (check.site.expression or "").startswith(("len(", "bool("))
    return check.whole and check.value is ABSENT and not (is_asked or is_counted)


def _did(teller: Teller, step: AccessStep) -> str:
    """What became of the location; of a container, of what is in it."""
    if step.whole and step.site.operation == Operation.STORE_SUBSCR:
        return f"put something in ({teller.place(step.site)})"
    takes = step.kind == EventKind.DELETE if step.whole else False
    takes |= step.kind == EventKind.WRITE and step.value is ABSENT
    return f"took something out ({teller.place(step.site)})" if takes else teller.did(step)


def _twice(act: AccessStep) -> str:
    """What the other thread would do if it had made the same check before."""
    if act.kind == EventKind.DELETE:
        return "do the same, which would fail"
    if act.whole and act.value is ABSENT:
        return "take something out, too, though the check would hold no longer"
    if act.whole:
        return "add to it, too, though the check would hold no longer"
    if isinstance(act.value, Opaque) and not act.value.type_name.startswith(("datetime.", "decimal.")):
        return "make an object of its own; what was done to the one that it replaces would be lost"
    return "do the same, though the check would hold no longer"


def _too_late(act: AccessStep, change: AccessStep) -> str:
    """What the thread would do if the other one's change came after its check."""
    if act.kind == EventKind.READ and change.kind == EventKind.WRITE:
        return "get None in spite of its check"
    if act.kind in (EventKind.READ, EventKind.DELETE):
        return "fail in spite of its check"
    if act.value is ABSENT:
        return "fail if nothing is left"
    return "go on as if its check still held"


def _window(teller: Teller, check: AccessStep, act: AccessStep, other: AccessStep | None) -> str:
    if (check.site.path, check.site.function) != (act.site.path, act.site.function):
        return "around both, from before the check until it is acted on; one inside of each function is not enough"
    at, until = teller.place(check.site), teller.place(act.site)
    window = f"from {at} to {until}" if at != until else f"at {until}"
    elsewhere = until if other is None else teller.place(other.site)
    return window if elsewhere in (at, until) else f"{window} and at {elsewhere}"


UNGUARDED_CHECK = UnguardedCheckKind()
