"""Lost update: a write on which no later value builds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.event import ABSENT, EventKind, Raised
from opcodetrace.trace.finding import Certainty, Count, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent
from opcodetrace.trace.report_step import AccessStep

NAME = "lost update"
SOURCE_READ = "source read"
STALE_READ = "stale read"
LOST_WRITE = "lost write"
OVERWRITING_WRITE = "overwriting write"


class LostUpdateKind(Kind):
    """See `trace.version.LostUpdate`."""

    name = NAME
    claim = "A thread's write was overwritten by a value that does not build upon it, so it is as if never made."
    nothing = "No update was lost"
    roles = (
        Role(SOURCE_READ, "the read whose value flowed into the lost write", flows_into=LOST_WRITE),
        Role(
            STALE_READ,
            "the read whose value flowed into the overwriting write; it did not see the lost one",
            Mark.WARNING,
            flows_into=OVERWRITING_WRITE,
        ),
        Role(LOST_WRITE, "the write that was lost", Mark.WRONG, groups=True),
        Role(OVERWRITING_WRITE, "the write that replaced it", Mark.WRONG, groups=True),
    )
    pivot = LOST_WRITE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for lost in evidence.lost:
            roles = {
                SOURCE_READ: lost.source_read,
                STALE_READ: lost.read,
                LOST_WRITE: lost.lost,
                OVERWRITING_WRITE: lost.overwritten_by,
            }
            played = {role: seq for role, seq in roles.items() if seq is not None}
            yield Finding(NAME, lost.severity, lost.certainty, played, (lost.location,))
        for each in evidence.copied.lost():
            played = {STALE_READ: each.read, LOST_WRITE: each.change, OVERWRITING_WRITE: each.drop}
            yield Finding(NAME, Severity.HAPPENED, Certainty.INFERRED, played, (each.location, each.changed))

    def counts(self, evidence: Evidence, found: list[Finding]) -> Iterator[Count]:
        dropped: defaultdict[int, list[int]] = defaultdict(list)  # of containers at each location: what dropped them
        for finding in found:
            if len(finding.locations) > 1:
                dropped[finding.locations[0]].append(finding.roles[OVERWRITING_WRITE])
        for each in evidence.counts:
            also = dropped.pop(each.location, [])
            low, high, causes = each.low + len(also), each.high + len(also), each.overwriters + len(set(also))
            yield Count(NAME, each.location, low, high, causes, each.exhausted)
        for location, drops in dropped.items():
            yield Count(NAME, location, len(drops), len(drops), len(set(drops)))

    def headline(self, total: Total) -> str:
        low, high = total.low, total.high
        happened = "was lost" if high == 1 else "were lost"
        verb = happened if low else "may have been lost"
        number = extent(low, high, "update")
        number = number[0].upper() + number[1:]
        if total.label is None:
            sentence = f"{number} {verb}{self.where(total)}"
        else:
            sentence = f"{number} of {total.label} {verb}"
            sentence += f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        if high == low > 1 and total.causes == 1:
            sentence += ", all to a single write"
        return f"{sentence}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        end = f"overwritten at {places[OVERWRITING_WRITE]}" if OVERWRITING_WRITE in places else "lost"
        return f"update of {what} at {places[LOST_WRITE]} {end}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        lost, overwriting = teller.step(LOST_WRITE), teller.step(OVERWRITING_WRITE)
        if lost is None:
            return
        name = teller.lane(lost.thread)
        lost_it = "was lost" if teller.severity is Severity.HAPPENED else "may have been lost"
        if overwriting is None:
            yield (f"{name}'s update of {teller.label} {lost_it}: it {teller.did(lost)}, and nothing was built on it.")
            return
        other = "then" if overwriting.thread == lost.thread else f"then {teller.lane(overwriting.thread)}"
        if overwriting.kind == EventKind.DELETE:
            undone = f"{other} deleted it ({teller.place(overwriting.site)})"
        elif overwriting.value is ABSENT:
            undone = f"{other} wrote over it ({teller.place(overwriting.site)})"
        else:
            undone = f"{other} wrote {teller.value(overwriting.value)} over it ({teller.place(overwriting.site)})"
        yield f"{name}'s update of {teller.label} {lost_it}: it {teller.did(lost)}, {undone}."
        yield from self._why(teller, lost, overwriting)
        for role, of in ((LOST_WRITE, "The lost write"), (OVERWRITING_WRITE, "The write over it")):
            calls = teller.reached_from(role)
            if calls is not None:
                yield f"{of} was reached {calls}."

    def _why(self, teller: Teller, lost: AccessStep, overwriting: AccessStep) -> Iterator[str]:
        """Why the overwriting write did not contain the lost one."""
        stale = teller.step(STALE_READ)
        itself = overwriting.thread == lost.thread
        who = "It" if itself else teller.lane(overwriting.thread)
        if stale is None:
            yield f"{who} had carried on from a value of its own, not from what was written there meanwhile."
            return
        before = "before that" if itself else f"before {teller.lane(lost.thread)} wrote"
        if isinstance(stale.value, Raised):
            raised = f"had raised {teller.value(stale.value)}"
            yield f"{who} wrote that because its access ({teller.place(stale.site)}) {raised} {before}."
            return
        read = "what it had read" if stale.value is ABSENT else f"the {teller.value(stale.value)} that it had read"
        if overwriting.kind == EventKind.WRITE and overwriting.value is ABSENT and stale.value is not ABSENT:
            yield f"{who} had read the {teller.value(stale.value)} ({teller.place(stale.site)}) {before}."
            return
        how = "had computed its value from"
        if teller.severity is Severity.HAPPENED and teller.certainty is Certainty.INFERRED:
            how = "seems to have made its value from"
        yield f"{who} {how} {read} ({teller.place(stale.site)}) {before}."
        if teller.same_version and stale.value is not ABSENT:
            same = f"Both updates started from the same {teller.value(stale.value)}"
            if overwriting.value is ABSENT or teller.written_between(LOST_WRITE, OVERWRITING_WRITE):
                yield f"{same}."
            else:
                yield f"{same}, so the two left {teller.label} at {teller.value(overwriting.value)}."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is not Severity.HAPPENED:
            if teller.unseen_writes:
                return (
                    "Possible: code that is not woven wrote to this location too, so more may have happened than is "
                    "shown."
                )
            return (
                "Possible: in other orders that agree with the recording, or by values that were not recorded, other "
                "updates are lost, or none."
            )
        if teller.certainty is Certainty.INFERRED:
            return (
                "Inferred: a value went through a call, a parameter or a return, or was chosen by a branch; its read "
                "is taken to be the one shown."
            )
        return "Proven: the value written is traced to the read that it came from."

    def remark(self, role: str, teller: Teller) -> str | None:
        lost, overwriting, own = teller.step(LOST_WRITE), teller.step(OVERWRITING_WRITE), teller.step(role)
        if own is None:
            return None
        if role == STALE_READ and lost is not None:
            done = "deletes" if lost.kind == EventKind.DELETE else "writes"
            return f"stale once {'it' if lost.thread == own.thread else teller.lane(lost.thread)} {done}"
        if role == LOST_WRITE:
            if overwriting is None:
                return "LOST"
            return f"LOST to {'itself' if overwriting.thread == own.thread else teller.lane(overwriting.thread)}"
        if role == OVERWRITING_WRITE and lost is not None:
            if lost.kind == EventKind.DELETE:
                return f"undoes what {teller.lane(lost.thread)} did"
            whose = "its own" if lost.thread == own.thread else f"{teller.lane(lost.thread)}'s"
            return f"overwrites {whose} {'update' if lost.value is ABSENT else teller.value(lost.value, 12)}"
        return None


LOST_UPDATE = LostUpdateKind()
