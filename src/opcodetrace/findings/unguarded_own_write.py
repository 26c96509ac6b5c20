"""Unguarded own write: what a thread writes and reads back could be overwritten meanwhile, and was not in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.read_back import unguarded_own_writes
from opcodetrace.analyse.returned_own_writes import ReturnedOwnWrites
from opcodetrace.findings.protocol import PossibleKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity

NAME = "unguarded own write"
WRITE = "own write"
READ = "read back"
OTHER_WRITE = "other write"


class UnguardedOwnWriteKind(PossibleKind):
    """See `analyse.read_back`. What happened at the same locations is told as overwritten before read alone."""

    name = NAME
    claim = "Nothing that was seen keeps another thread from overwriting what a thread writes and then reads back."
    roles = (
        Role(WRITE, "the write of what the thread is to read back", groups=True),
        Role(READ, "the read of it, which could return the other thread's value", Mark.WARNING, True),
        Role(OTHER_WRITE, "another thread's write, which could come between the two", Mark.WARNING, True),
    )
    pivot = READ

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        found = [(each, Certainty.PROVEN) for each in unguarded_own_writes(evidence)]
        found += [(each, Certainty.INFERRED) for each in ReturnedOwnWrites(evidence).unguarded()]
        for each, certainty in found:
            roles = {WRITE: each.write, READ: each.read, OTHER_WRITE: each.other}
            severity = Severity.GIL_ONLY if each.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, certainty, roles, (each.location,))
        for pushed in evidence.stacks.unguarded():
            roles = {WRITE: pushed.push, READ: pushed.pop, OTHER_WRITE: pushed.other}
            severity = Severity.GIL_ONLY if pushed.gil_only else Severity.POSSIBLE
            yield Finding(NAME, severity, Certainty.INFERRED, roles, (pushed.location,))

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Own writes at {quantity(total.places, 'location')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Own writes of {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places[WRITE]}, unguarded until it is read back at {places[READ]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        write, read, other = (teller.step(role) for role in (WRITE, READ, OTHER_WRITE))
        if write is None or read is None or other is None:
            return
        name, another = teller.lane(write.thread), teller.lane(other.thread)
        otherwise = "Without the GIL" if teller.severity is Severity.GIL_ONLY else "In another run"
        if write.whole:
            yield (
                f"{name} {teller.did(write)}, and took the last item out again ({teller.place(read.site)}). In this "
                f"run, {another} {teller.did(other)} after that. {otherwise} that could come in between, and {name} "
                f"would have the item of {another} for its own."
            )
            yield "That it takes it for its own is inferred: all threads push there, and throw away what they pop."
            yield "Give each thread a list of its own, or hold one lock until the item is taken out again."
            return
        yield (
            f"{name} wrote to {teller.label} ({teller.place(write.site)}) and read it back "
            f"({teller.place(read.site)}). In this run, {another} wrote to it after that "
            f"({teller.place(other.site)}). {otherwise} that could come in between, and {name} would read the value of "
            f"{another}."
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
        if teller.severity is Severity.GIL_ONLY:
            return (
                "As far as was seen, only the GIL prevents it: this build switches no threads between that write and "
                "read, one without a GIL may. Nothing was seen that makes one wait for the other."
            )
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "could come in between" if role == OTHER_WRITE else None


UNGUARDED_OWN_WRITE = UnguardedOwnWriteKind()
