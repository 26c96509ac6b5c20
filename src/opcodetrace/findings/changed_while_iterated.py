"""Changed while iterated: a container that another thread changed as one went over it, which raised RuntimeError."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.event import ABSENT, EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent
from opcodetrace.trace.report_step import AccessStep

NAME = "changed while iterated"
START = "start"
CHANGE = "change"
FAILURE = "failure"


class ChangedWhileIteratedKind(Kind):
    """See `analyse.iterations`."""

    name = NAME
    plural = NAME
    claim = "A thread iterated over a container, another thread added or removed an item meanwhile, and that raised."
    roles = (
        Role(START, "the read of the container that begins the iteration"),
        Role(CHANGE, "the other thread's write or deletion that added or removed an item", Mark.WARNING, True),
        Role(FAILURE, "the next step of the iteration, which raised RuntimeError", Mark.WRONG, True),
    )
    pivot = CHANGE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in evidence.failed_iterations:
            severity = Severity.HAPPENED if each.is_sure else Severity.POSSIBLE
            roles = {START: each.start, CHANGE: each.change, FAILURE: each.failure}
            locations = tuple(dict.fromkeys((each.location, each.changed)))
            yield Finding(NAME, severity, Certainty.PROVEN, roles, locations)

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, "iteration")
        over = f" over {total.label}" if total.label is not None else ""
        cells = f" (at {total.cells:,} locations of that name)" if total.label is not None and total.cells > 1 else ""
        at = f", at {total.places:,} locations" if total.label is None and total.places else ""
        because = "because" if total.low else "perhaps because"
        return f"{number[0].upper()}{number[1:]}{over} failed {because} another thread changed it{cells}{at}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"iteration over {what} at {places[FAILURE]} failed, changed at {places[CHANGE]}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        start, change, failure = (teller.step(role) for role in (START, CHANGE, FAILURE))
        if start is None or change is None or failure is None:
            return
        one, other, did = teller.lane(failure.thread), teller.lane(change.thread), _did(change, teller.severity)
        yield (
            f"{one} iterated over {teller.label} ({teller.place(start.site)}). Meanwhile {other} {did} "
            f"({teller.place(change.site)}), and the next step of {one}'s iteration {teller.did(failure)}."
        )
        yield "It would be excluded if both held the same lock: the first from the start of its iteration to the end."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.HAPPENED:
            return "Proven: the trace shows the iteration's start, the change after it, and the step that failed."
        return "Possible: which change made the iteration fail is not known. This one may have been it."

    def remark(self, role: str, teller: Teller) -> str | None:
        return {START: "begins to iterate", FAILURE: "FAILED"}.get(role)


def _did(change: AccessStep, severity: Severity) -> str:
    if change.kind == EventKind.DELETE:
        return "removed an item"
    is_item = change.value is not ABSENT  # of a change of the whole there is no value
    return "added an item" if is_item and severity is Severity.HAPPENED else "changed it"


CHANGED_WHILE_ITERATED = ChangedWhileIteratedKind()
