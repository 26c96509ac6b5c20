"""What flows into a value, as it is gathered and as it is found."""

from typing import NamedTuple

from opcodetrace.rewrite.flow.nodes import Nodes


class StaticSources(NamedTuple):
    """What flows into a value, in indexes of instructions; the fields are those of `trace.site.Flow`."""

    reads: frozenset[int]
    writes: frozenset[int]
    phis: frozenset[int]
    called_reads: frozenset[int]
    called_writes: frozenset[int]
    called_phis: frozenset[int]
    opaque: bool
    tested: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    results: frozenset[int] = frozenset()
    parameters: frozenset[int] = frozenset()


class Definition(NamedTuple):
    """A marker: after instruction `after` (-1: at the function's entry) the variable `phi` is given `sources`."""

    after: int
    phi: int
    sources: StaticSources


class Found:
    """Sources as they are gathered."""

    __slots__ = (
        "called_phis",
        "called_reads",
        "called_writes",
        "opaque",
        "parameters",
        "phis",
        "reads",
        "results",
        "visited",
        "writes",
    )

    def __init__(self) -> None:
        self.reads: set[int] = set()
        self.writes: set[int] = set()
        self.phis: set[int] = set()
        self.called_reads: set[int] = set()
        self.called_writes: set[int] = set()
        self.called_phis: set[int] = set()
        self.opaque = False
        self.results: set[int] = set()
        self.parameters: set[int] = set()
        self.visited: set[tuple[Nodes, bool]] = set()

    def anything(self) -> bool:
        return self.sources() != EMPTY

    def add(self, other: "Found", called: bool) -> None:
        """`called`: all that the other found comes through a call."""
        (self.called_reads if called else self.reads).update(other.reads)
        (self.called_writes if called else self.writes).update(other.writes)
        (self.called_phis if called else self.phis).update(other.phis)
        self.called_reads |= other.called_reads
        self.called_writes |= other.called_writes
        self.called_phis |= other.called_phis
        self.opaque |= other.opaque
        self.results |= other.results
        self.parameters |= other.parameters

    def sources(self) -> StaticSources:
        return StaticSources(
            frozenset(self.reads),
            frozenset(self.writes),
            frozenset(self.phis),
            frozenset(self.called_reads),
            frozenset(self.called_writes),
            frozenset(self.called_phis),
            self.opaque,
            results=frozenset(self.results),
            parameters=frozenset(self.parameters),
        )


EMPTY = Found().sources()


def union(one: StaticSources, other: StaticSources) -> StaticSources:
    return StaticSources(
        one.reads | other.reads,
        one.writes | other.writes,
        one.phis | other.phis,
        one.called_reads | other.called_reads,
        one.called_writes | other.called_writes,
        one.called_phis | other.called_phis,
        one.opaque or other.opaque,
        one.tested | other.tested,
        one.failed | other.failed,
        one.results | other.results,
        one.parameters | other.parameters,
    )
