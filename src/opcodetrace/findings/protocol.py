"""What a kind of finding is to the rest of opcodetrace."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import ClassVar

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.protections import Found, protections
from opcodetrace.findings.grouping import grouped
from opcodetrace.trace.finding import Certainty, Count, Finding, Findings, Severity
from opcodetrace.trace.finding_kind import FindingKind, Need, Role, Teller, Total
from opcodetrace.trace.quantity import extent
from opcodetrace.trace.report_step import SyncStep

# Of what only the GIL prevents, if it is not known whether all in between is the interpreter's own.
UNLESS_CODE_RUNS = "unless code of the program runs there (a property, an operator written in Python)"


class Kind(ABC):
    """A kind of finding: says how it is found, and how it is told (`trace.finding_kind.FindingKind` has each member).

    Most need no more than a name, a claim, roles, `find`, `heading` and `sentences`."""

    name: ClassVar[str]
    claim: ClassVar[str]
    roles: ClassVar[tuple[Role, ...]]
    pivot: ClassVar[str]
    in_order: ClassVar[bool] = True
    nothing: ClassVar[str | None] = None
    fails_check: ClassVar[bool] = True
    is_told: ClassVar[bool] = True
    needs: ClassVar[Need] = Need.NOTHING

    @property
    def plural(self) -> str:
        return f"{self.name}s"

    @abstractmethod
    def find(self, evidence: Evidence) -> Iterable[Finding]:
        """All findings of this kind, in the order of the run. No guess makes a finding."""

    def counts(self, evidence: Evidence, found: list[Finding]) -> Iterable[Count]:
        """How many there are at each location, over all orders that agree with the trace."""
        low: defaultdict[int | None, int] = defaultdict(int)
        high: defaultdict[int | None, int] = defaultdict(int)
        for finding in found:
            at = finding.locations[0] if finding.locations else None
            low[at] += finding.severity is Severity.HAPPENED
            high[at] += finding.severity is not Severity.GIL_ONLY
        return [Count(self.name, at, low[at], number) for at, number in high.items()]

    def headline(self, total: Total) -> str:
        number = extent(total.low, total.high, self.name, self.plural)
        return f"{number[0].upper()}{number[1:]}{self.where(total)}."

    def where(self, total: Total) -> str:
        """The end of a headline: of counter[0]."""
        if total.label is None:
            return f", at {total.places:,} locations" if total.places else ""
        return f" of {total.label}" + (f" (at {total.cells:,} locations of that name)" if total.cells > 1 else "")

    def caveat(self, total: Total, labels: str) -> str:
        return self.headline(total)

    @abstractmethod
    def heading(self, what: str, places: Mapping[str, str]) -> str: ...

    @abstractmethod
    def sentences(self, teller: Teller) -> Iterable[str]: ...

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.POSSIBLE:
            return "Possible: nothing that was seen excludes it."
        if teller.severity is Severity.GIL_ONLY:
            return "Only the GIL prevents it: this build cannot do it, one without the GIL can."
        if teller.certainty is Certainty.PROVEN:
            return "Proven: the trace shows it."
        return "Inferred: a value went through a call, a parameter or a return."

    def remark(self, role: str, teller: Teller) -> str | None:
        return None


class PossibleKind(Kind):
    """A kind of what another run can do, and this one did not: it fails no check, and has no order of its own."""

    in_order = False
    fails_check = False

    def counts(self, evidence: Evidence, found: list[Finding]) -> Iterable[Count]:
        at = Counter(finding.locations[0] if finding.locations else None for finding in found)
        return [Count(self.name, location, number, number) for location, number in at.items()]


def queue_words(teller: Teller, step: SyncStep) -> str:
    """The queue of an operation, by its name if the source shows one."""
    return "a queue" if step.object is None or step.object.label.startswith("<") else teller.lock(step)


def find_all(kinds: Mapping[str, Kind], evidence: Evidence) -> Findings:
    """What each kind finds, kind by kind."""
    found: list[Finding] = []
    counts: list[Count] = []
    for kind in kinds.values():
        of_kind = list(kind.find(evidence))
        found += of_kind
        counts += kind.counts(evidence, of_kind)
    evidence.trace.show_where_asked()
    group_of, groups = grouped(kinds, found, evidence.trace)
    protected = list(protections(evidence, _by_location(kinds, found)))
    return Findings(found, group_of, groups, counts, evidence.sources, evidence.uncertain_locations, protected)


def _by_location(kinds: Mapping[str, Kind], findings: Iterable[Finding]) -> dict[int, Found]:
    """What was found at each location: something that the GIL does not prevent, if there is any."""
    at: dict[int, Found] = {}
    for each in findings:
        kind = kinds[each.kind]
        only_gil = each.severity is Severity.GIL_ONLY
        for location in each.locations if kind.is_told and kind.pivot in each.roles else ():
            if location not in at or (at[location].only_gil and not only_gil):
                at[location] = Found(only_gil, each.certainty, each.roles[kind.pivot])
    return at


def needs_of(kinds: Mapping[str, FindingKind]) -> Need:
    """What any of them needs."""
    need = Need.NOTHING
    for kind in kinds.values():
        need |= kind.needs
    return need
