"""Unguarded iteration: another thread can change the container meanwhile, and did not in this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.unguarded_iterations import unguarded_iterations
from opcodetrace.findings.protocol import PossibleKind
from opcodetrace.trace.event import ABSENT, EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.report_step import AccessStep

NAME = "unguarded iteration"
START = "start"
CHANGE = "change"


class UnguardedIterationKind(PossibleKind):
    """See `analyse.unguarded_iterations`. Iterations that failed are told as that alone."""

    name = NAME
    claim = "Nothing that was seen keeps another thread from adding or removing an item while a thread iterates."
    roles = (
        Role(START, "the read of the container that begins the iteration", Mark.WARNING, True),
        Role(CHANGE, "the other thread's change, which could come in between", Mark.WARNING, True),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        place_of = trace.events.places(each.start for each in evidence.failed_iterations)
        told = {(each.location, int(trace.events.site[place_of[each.start]])) for each in evidence.failed_iterations}
        for each in unguarded_iterations(evidence, told):
            roles = {START: each.start, CHANGE: each.change}
            locations = tuple(dict.fromkeys((each.location, each.changed)))
            yield Finding(NAME, Severity.POSSIBLE, Certainty.PROVEN, roles, locations)

    def headline(self, total: Total) -> str:
        if total.label is None:
            return f"Iterations over {quantity(total.places, 'container')} are unguarded, as far as was seen."
        cells = f" (at {total.cells:,} locations of that name)" if total.cells > 1 else ""
        return f"Iterations over {total.label}{cells} are unguarded, as far as was seen."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"iteration over {what} at {places[START]} unguarded against the change at {places[CHANGE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        start, change = (teller.step(role) for role in (START, CHANGE))
        if start is None or change is None:
            return
        one, other = teller.lane(start.thread), teller.lane(change.thread)
        when = "after that had begun" if change.seq > start.seq else "before"
        yield (
            f"{one} iterated over {teller.label} ({teller.place(start.site)}). In this run, {other} {_did(change)} "
            f"{when} ({teller.place(change.site)}). In another run that could come between two steps of "
            "the iteration. Of a dictionary, set or deque the next step would raise RuntimeError, of a list an item "
            "would be skipped or seen twice."
        )
        yield (
            f"Hold one lock throughout the iteration and at {teller.place(change.site)}, or iterate over a copy that "
            "is made in one step, by list(...)."
        )

    def how_sure(self, teller: Teller) -> str:
        return "Possible: nothing was seen that makes one of the two wait for the other."

    def remark(self, role: str, teller: Teller) -> str | None:
        return {START: "begins to iterate", CHANGE: "could come in between"}.get(role)


def _did(change: AccessStep) -> str:
    if change.kind == EventKind.DELETE:
        return "removed an item"
    return "changed it" if change.value is ABSENT else "added an item"


UNGUARDED_ITERATION = UnguardedIterationKind()
