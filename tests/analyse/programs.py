"""Random threaded programs on shared cells, run by a random scheduler.

The values know where they come from: beside its trace a run has the true source of each write and the true order."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from opcodetrace.trace.event import ABSENT, Event, EventKind, Value
from opcodetrace.trace.events import Events
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Flow, Operation, Site
from tests.traces import make_site

CELLS = 3
VARIABLES = 3  # of a function; the number of one is its phi, made unique by the function's
ROTATING = -1  # the cell whose number is that of the loop's iteration


def trace_of(events: list[Event], sites: Iterable[Site], uncertain: Iterable[int] = ()) -> Trace:
    cells = sorted({event.location for event in events if event.location >= 0})
    return Trace(
        free_threaded=any(event.earliest != event.seq for event in events),
        threads=[],
        files=[],
        codes=[],
        sites={site.id: site for site in sites},
        site_codes={},
        locations={
            cell: Location(cell, LocationKind.ITEM, "list", cell, f"c[{cell}]", cell not in uncertain, 0, 0, 0)
            for cell in cells
        },
        events=Events.of(events),
        switches=[],
        records=len(events),
        accesses=len(events),
        stored=len(events),
        missed=0,
        holes=0,
        truncated=None,
        truncated_seq=None,
        births=True,
    )


@dataclass(frozen=True)
class Tainted:
    number: int
    proven: dict[int, int] = field(default_factory=dict)  # cell: newest event whose value is in here
    inferred: dict[int, int] = field(default_factory=dict)  # the same, by way of a call

    def plus(self, other: Tainted) -> Tainted:
        return Tainted(
            (self.number + other.number) % 7,
            newest(self.proven, other.proven),
            newest(self.inferred, other.inferred),
        )

    def called(self) -> Tainted:
        return Tainted((self.number + 3) % 7, {}, newest(self.proven, self.inferred))


def newest(*labels: dict[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for some in labels:
        for cell, seq in some.items():
            found[cell] = max(seq, found.get(cell, -1))
    return found


class Statement(NamedTuple):
    verb: str
    cell: int = 0
    variable: int = 0
    other: int = 0
    sites: tuple[int, ...] = ()
    body: tuple[Statement, ...] = ()


class Stop(Exception):
    """The activation ends: it asked for a deleted cell."""


ALL = ("read", "const", "add", "call", "copy", "write", "increment", "pass", "set", "delete")


class Program:
    """Functions of random statements. `run` gives them to threads."""

    def __init__(self, choose: random.Random, verbs: tuple[str, ...] = ALL, cells: int = CELLS) -> None:
        self.choose = choose
        self.verbs = verbs
        self.cells = cells
        self.sites: list[Site] = []
        self.functions = [self.function(number) for number in range(choose.randint(1, 2))]

    def site(self, operation: str, flow: Flow | None = None, phi: int | None = None) -> int:
        self.sites.append(make_site(len(self.sites), operation, flow, phi))
        return len(self.sites) - 1

    def define(self, number: int, variable: int, flow: Flow) -> int:
        return self.site(Operation.DEFINE, flow, number * VARIABLES + variable)

    def function(self, number: int) -> tuple[Statement, ...]:
        start = [Statement("enter", sites=(self.site(Operation.ENTER),))]
        for variable in range(VARIABLES):
            start.append(Statement("const", 0, variable, sites=(self.define(number, variable, Flow()),)))
        return (*start, *self.block(number, 2))

    def block(self, number: int, depth: int) -> tuple[Statement, ...]:
        return tuple(self.statement(number, depth) for _ in range(self.choose.randint(1, 4)))

    def statement(self, number: int, depth: int) -> Statement:
        choose, site = self.choose, self.site
        if depth and choose.random() < 0.3:
            if len(self.verbs) > 3 and choose.random() < 0.3:
                return Statement("recurse", other=choose.randrange(number + 1))
            return Statement("loop", other=choose.randint(2, 3), body=self.block(number, depth - 1))
        verb = choose.choice(self.verbs)
        cell = ROTATING if choose.random() < 0.2 else choose.randrange(self.cells)
        variable, other = choose.randrange(VARIABLES), choose.randrange(VARIABLES)
        phi, phi2 = number * VARIABLES + variable, number * VARIABLES + other
        sites: tuple[int, ...]
        if verb == "read":
            read = site(Operation.LOAD_SUBSCR)
            sites = (read, self.define(number, variable, Flow(reads=(read,))))
        elif verb == "const":
            sites = (self.define(number, variable, Flow()),)
        elif verb == "add":
            sites = (self.define(number, variable, Flow(phis=(phi, phi2))),)
        elif verb == "copy":
            sites = (self.define(number, variable, Flow(phis=(phi2,))),)
        elif verb == "call":
            sites = (self.define(number, variable, Flow(called_phis=(phi2,))),)
        elif verb == "write":
            write = site(Operation.STORE_SUBSCR, Flow(phis=(phi,)))
            sites = (write, self.define(number, variable, Flow(phis=(phi,), writes=(write,))))
        elif verb in ("increment", "pass"):
            read = site(Operation.LOAD_SUBSCR)
            flow = Flow(reads=(read,)) if verb == "increment" else Flow(called_reads=(read,))
            sites = (read, site(Operation.STORE_SUBSCR, flow))
        elif verb == "set":
            sites = (site(Operation.STORE_SUBSCR, Flow()),)
        else:
            sites = (site(Operation.DELETE_SUBSCR),)
        return Statement(verb, cell, variable, other, sites)


class Run:
    """One run of a program: the trace, and the truth beside it.

    With `intervals`, other threads run between an access and the hooks on both sides of it, as without the GIL."""

    def __init__(self, program: Program, threads: int, calls: int, intervals: bool = False) -> None:
        self.program = program
        self.choose = program.choose
        self.intervals = intervals
        self.events: list[Event] = []
        self.happened: list[tuple[int, Event]] = []
        self.sources: dict[int, int] = {}
        self.certainty: dict[int, Certainty] = {}
        self.memory: list[int | None] = [0] * CELLS
        self.moment = 0
        alive = [self.thread(number, calls) for number in range(threads)]
        while alive:
            one = self.choose.choice(alive)
            try:
                for _ in range(self.choose.randint(1, 3)):
                    next(one)
            except StopIteration:
                alive.remove(one)

    @property
    def trace(self) -> Trace:
        return trace_of(self.events, self.program.sites)

    def accesses(self, cell: int) -> list[Event]:
        """To one cell, in the order in which they happened."""
        return [event for _, event in sorted(self.happened) if event.location == cell]

    def thread(self, number: int, calls: int) -> Generator[None, None, None]:
        for _ in range(calls):
            try:
                yield from self.activation(number, 0, self.choose.choice(self.program.functions))
            except Stop:
                continue

    def activation(self, thread: int, depth: int, body: tuple[Statement, ...]) -> Generator[None, None, None]:
        if depth < 3:
            yield from self.block(thread, depth, body, [Tainted(0)] * VARIABLES, 0)

    def block(
        self, thread: int, depth: int, body: tuple[Statement, ...], variables: list[Tainted], iteration: int
    ) -> Generator[None, None, None]:
        for statement in body:
            verb, _, variable, other, sites, inner = statement
            cell = iteration % self.program.cells if statement.cell == ROTATING else statement.cell
            if verb == "loop":
                for i in range(other):
                    yield from self.block(thread, depth, inner, variables, i)
                continue
            if verb == "recurse":
                with contextlib.suppress(Stop):
                    yield from self.activation(thread, depth + 1, self.program.functions[other])
                continue
            if verb == "enter":
                self.note(thread, sites[0], EventKind.ENTER, depth)
                continue
            if verb == "read":
                variables[variable] = yield from self.read(thread, sites[0], cell, depth)
            elif verb == "const":
                variables[variable] = Tainted(self.choose.randrange(7))
            elif verb == "add":
                variables[variable] = variables[variable].plus(variables[other])
            elif verb == "copy":
                variables[variable] = variables[other]
            elif verb == "call":
                variables[variable] = variables[other].called()
            elif verb == "write":
                value = variables[variable]
                seq = yield from self.write(thread, sites[0], cell, depth, value)
                variables[variable] = replace(value, proven=newest(value.proven, {cell: seq}))
            elif verb == "increment":
                value = yield from self.read(thread, sites[0], cell, depth)
                yield from self.write(thread, sites[1], cell, depth, replace(value, number=value.number + 1))
            elif verb == "pass":
                value = yield from self.read(thread, sites[0], cell, depth)
                yield from self.write(thread, sites[1], cell, depth, value.called())
            elif verb == "set":
                value = Tainted(self.choose.randrange(7))
                yield from self.write(thread, sites[0], cell, depth, value)
            elif verb == "delete":
                yield from self.write(thread, sites[0], cell, depth, None)
            if self.program.sites[sites[-1]].phi is not None:
                self.note(thread, sites[-1], EventKind.DEFINE, depth)

    def note(self, thread: int, site: int, kind: EventKind, depth: int) -> None:
        seq = len(self.events)
        self.events.append(Event(seq, seq, thread, site, kind, -1, ABSENT, self.frame(thread, depth)))

    def frame(self, thread: int, depth: int) -> int:
        return 100 * thread + depth

    def record(
        self, thread: int, site: int, kind: EventKind, cell: int, depth: int, value: Value, at: tuple[int, int]
    ) -> int:
        earliest, moment = at
        seq = len(self.events)
        event = Event(
            seq, earliest if self.intervals else seq, thread, site, kind, cell, value, self.frame(thread, depth)
        )
        self.events.append(event)
        self.happened.append((moment, event))
        return seq

    def now(self) -> int:
        self.moment += 1
        return self.moment

    def read(self, thread: int, site: int, cell: int, depth: int) -> Generator[None, None, Tainted]:
        yield
        earliest = len(self.events)
        if self.intervals:
            yield
        number = self.memory[cell]
        if number is None:
            raise Stop
        at = earliest, self.now()
        if self.intervals:
            yield
        seq = self.record(thread, site, EventKind.READ, cell, depth, number, at)
        return Tainted(number, {cell: seq})

    def write(self, thread: int, site: int, cell: int, depth: int, value: Tainted | None) -> Generator[None, None, int]:
        yield
        earliest = len(self.events)
        if self.intervals:
            yield
        if value is None and self.memory[cell] is None:
            raise Stop
        self.memory[cell] = None if value is None else value.number
        at = earliest, self.now()
        if self.intervals:
            yield
        kind = EventKind.DELETE if value is None else EventKind.WRITE
        seq = self.record(thread, site, kind, cell, depth, ABSENT if value is None else value.number, at)
        if value is not None:
            by_flow, by_call = value.proven.get(cell), value.inferred.get(cell)
            source = by_call if by_flow is None else by_flow
            if source is not None and not self.is_repeated(source, value):
                self.sources[seq] = source
                self.certainty[seq] = Certainty.INFERRED if by_flow is None else Certainty.PROVEN
        return seq

    def is_repeated(self, source: int, value: Tainted) -> bool:
        """Whether the value is what the thread had written there itself, made of nothing that was there."""
        event = self.events[source]
        return event.kind == EventKind.WRITE and source not in self.sources and event.value == value.number
