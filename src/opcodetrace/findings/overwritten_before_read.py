"""Overwritten before read: a thread wrote, and read back what another thread had written meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.read_back import overwritten_before_read
from opcodetrace.analyse.returned_own_writes import ReturnedOwnWrites
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent

NAME = "overwritten before read"
WRITE = "own write"
OTHER_WRITE = "overwriting write"
READ = "read back"


class OverwrittenBeforeReadKind(Kind):
    """See `analyse.read_back`."""

    name = NAME
    plural = "overwritten before read"
    claim = "A thread wrote a value for its own use, another thread overwrote it, and the first one read the other's."
    roles = (
        Role(WRITE, "the write of what the thread was to read back", groups=True),
        Role(OTHER_WRITE, "the other thread's write, which took its place", Mark.WARNING, True),
        Role(READ, "the read that returned the other thread's value", Mark.WRONG, groups=True),
    )
    pivot = OTHER_WRITE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        found = [(each, Certainty.PROVEN) for each in overwritten_before_read(evidence)]
        found += [(each, Certainty.INFERRED) for each in ReturnedOwnWrites(evidence).of_others()]
        for each, certainty in found:
            severity = Severity.HAPPENED if each.is_sure else Severity.POSSIBLE
            roles = {WRITE: each.write, OTHER_WRITE: each.other, READ: each.read}
            yield Finding(NAME, severity, certainty, roles, (each.location,))
        for pushed in evidence.stacks.undone():
            roles = {WRITE: pushed.push, OTHER_WRITE: pushed.other, READ: pushed.pop}
            yield Finding(NAME, Severity.HAPPENED, Certainty.INFERRED, roles, (pushed.location,))

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "value")
        verb = "was" if total.high == 1 else "were"
        its = "its thread" if total.high == 1 else "their threads"
        what, at = ("", self.where(total)) if total.label is None else (self.where(total), "")
        return (
            f"{number[0].upper()}{number[1:]}{what} {verb} overwritten by another thread before {its} read it back{at}."
        )

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places[WRITE]}, overwritten at {places[OTHER_WRITE]}, read back at {places[READ]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        write, change, read = (teller.step(role) for role in (WRITE, OTHER_WRITE, READ))
        if write is None or change is None or read is None:
            return
        one, other = teller.lane(write.thread), teller.lane(change.thread)
        if write.whole:
            yield (
                f"{one} {teller.did(write)}, then {other} {teller.did(change)}, and what {one} took out and threw away "
                f"({teller.place(read.site)}) was not its own item, but that of {other}."
            )
            yield "That it takes it for its own is inferred: all threads push there, and throw away what they pop."
            yield "Give each thread a list of its own, or hold one lock until the item is taken out again."
            return
        yield (
            f"{one} {teller.did(write)} to {teller.label}, then {other} {teller.did(change)}, and {one} read that back "
            f"({teller.place(read.site)}) in place of its own value."
        )
        if teller.certainty is Certainty.PROVEN:
            yield (
                f"In this run, each thread that read {teller.label} had just written it: it is used like a local "
                "variable, but all threads share it."
            )
        else:
            yield "It returned what it read. No lock that both threads took was held from the write to the read."
        yield "Keep the value in a local variable, or hold one lock from the write to the read."

    def how_sure(self, teller: Teller) -> str:
        write = teller.step(WRITE)
        if write is not None and write.whole:
            return "Inferred: the trace shows whose item was taken out, but not that the thread meant its own."
        if teller.severity is Severity.HAPPENED:
            return "Proven: the trace shows the three accesses and their values."
        if teller.certainty is Certainty.INFERRED:
            return (
                "Possible: the thread did read and return what the other one had written, but if that is a sum of what "
                "both did, it may do as well."
            )
        return (
            "Possible: the thread did read what the other one had written, but the value came out of a call, and the "
            "other thread's may do as well."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        write = teller.step(WRITE)
        if write is None:
            return None
        if write.whole:
            return {OTHER_WRITE: f"COVERS the item of {teller.lane(write.thread)}", READ: "not its OWN ITEM"}.get(role)
        return {OTHER_WRITE: f"OVERWRITES what {teller.lane(write.thread)} is to read", READ: "not its OWN VALUE"}.get(
            role
        )


OVERWRITTEN_BEFORE_READ = OverwrittenBeforeReadKind()
