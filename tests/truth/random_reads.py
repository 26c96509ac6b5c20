"""Random programs whose threads read what they share twice for one purpose; which of these reads returned what another
thread had changed meanwhile, and which nothing guards, is known.

The threads of a program share a few functions: some read a location twice, others write there. They call them in an
order that the generator draws and that the trace does not show, under some locks, after some signals and before
others. One after the other, but for a function that hands its turn on between its reads, by a property. The model is
the definition. If both reads are parts of one expression, and returned different values, that happened, unless their
thread had waited for the change. If both returned the same, every call by another thread that changed the value before
or after them is looked at: the reads are unguarded unless the one came before the other by signals, or a lock was held
at both. With the GIL, what can be suspended between the reads makes them possible, else the GIL prevents it. A location
that is counted anywhere is left out, and so are reads that are compared or shown, that may be left out, or between
which something is called, and two reads in two statements.

`python -m tests.truth.random_reads --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import record
from tests.truth import recorded
from tests.truth.recorded import TURNS, draw_orders, run

PRELUDE = f"""\
{recorded.PRELUDE}
class Box: pass
class Pair:
    def __init__(self, one): self.one, self.other = one, one
class Shape:
    def __init__(self): self.length = 2
    @property
    def side(self): return self.length
    @property
    def edges(self): return 4
class Turn:
    def __init__(self, hand_on, step): self.hand_on, self.step = hand_on, step
    @property
    def over(self): return self.hand_on(self.step)
def keep(step): return 0
box, table, shape, yes = Box(), {{}}, Shape(), True
locks = [threading.Lock(), threading.RLock(), threading.Condition(), threading.Semaphore()]
def use(*given, **named): return given
def shown(*given): pass
"""
SEMAPHORE = 3  # the number of that among the locks: who uses it after another one may have heard of it


class Reads(NamedTuple):
    """How a function reads a location, {} in its lines. The line before the last has the reads."""

    lines: list[str]
    counts: bool = True  # the code takes both for one value
    suspends: bool = False  # a thread can be suspended between them
    may_run_code: bool = False  # as far as can be seen, code of the program may run between them
    hands_on: bool = False  # its turn, between them
    of_pairs: bool = False  # the values are objects


READS = [
    Reads(["use({} * {})", "pass"]),
    Reads(["use({}, {})", "pass"]),
    Reads(["use(one={}, other={})", "pass"]),
    Reads(["made = ({}, 1, {})", "use(made)"]),
    Reads(["made = [{} - 1, -{}]", "return made"]),
    Reads(["made = use({}, (0, {}))", "return made"]),
    Reads(["box.out{mine} = {} + {}", "pass"]),
    Reads(["table[{mine}] = {} + 1, {}", "pass"]),
    Reads(["if yes:", "    use({} * {})", "pass"]),
    Reads(["use({}, shape.side, {})", "pass"], suspends=True),
    Reads(["use({}, shape.edges, {})", "pass"], may_run_code=True),  # which leaves no record
    Reads(["use({}, shape.length, {})", "pass"], may_run_code=True),
    Reads(["use({}, turn.over, {})", "pass"], may_run_code=True, hands_on=True),
    Reads(["use({} + turn.over + {})", "pass"], may_run_code=True, hands_on=True),
    Reads(["made = [{}, [turn.over], {}]", "return made"], may_run_code=True, hands_on=True),
    Reads(["use({}.one, {}.other)", "pass"], suspends=True, of_pairs=True),
    Reads(["use({}.one - {}.other)", "pass"], suspends=True, of_pairs=True),
    Reads(["use({}.one, turn.over, {}.other)", "pass"], suspends=True, hands_on=True, of_pairs=True),
    Reads(["seen = {}", "use(seen * seen)", "pass"], counts=False),
    Reads(["use({}, shown(turn.over), {})", "pass"], counts=False, hands_on=True),
    Reads(["one = {}", "turn.over", "use(one, {})", "pass"], counts=False, hands_on=True),
    Reads(["use({} if yes else 0, turn.over, {})", "pass"], counts=False, hands_on=True),
    Reads(["use({}, [0 for _ in (1, 2)], {})", "pass"], counts=False),
    Reads(["for _ in range(2):", "    use({})", "pass"], counts=False),
    Reads(["if {} + turn.over > {}:", "    pass", "pass"], counts=False, hands_on=True),
    Reads(["print({} * {})", "pass"], counts=False),
    Reads(["use({} if {} else 0)", "pass"], counts=False),
]
VALUES = range(1, 4)
SEVERITIES = ["gil-only", "possible", "happened"]  # one of each function and location is told, the highest


class Function(NamedTuple):
    name: str
    location: str
    line: int  # of its accesses
    reads: Reads | None
    value: int | None = None  # that it writes; None: it counts


class Call(NamedTuple):
    thread: int
    function: Function
    locks: tuple[int, ...]
    begins: int  # the step at which it is begun
    ends: int  # that at which it is over


class Program(NamedTuple):
    calls: list[Call]  # in the order in which they begin
    threads: list[int]  # of each step
    precede: list[list[bool]]  # [later][earlier], of steps
    starts: list[bool]  # whether another thread is started after each step
    has_notices: bool  # who waits for one that was given does not wait, but reads a flag
    of_pairs: bool
    lines: list[str]


class Told(NamedTuple):
    location: str
    line: int  # of the reads
    severity: str
    certainty: str
    write: int  # its line


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    orders = draw_orders(number, choose, signals=0.1)
    of_pairs = choose.random() < 0.2
    names = choose.sample([f"table['p{number}']", f"box.p{number}", f"p{number}", f"items{number}[1]"], 2)
    first = "Pair(0)" if of_pairs else "0"
    lines = [f"items{number} = [{first}, {first}]", *(f"{name} = {first}" for name in names), *orders.makes]
    functions = []
    ways = [each for each in READS if each.of_pairs == of_pairs]
    for place in range(choose.randint(2, 4)):
        name, location = f"act{number}_{place}", names[0] if place < 2 else choose.choice(names)
        lines.append(f"def {name}(turn):")
        if place == 0 or (place > 1 and choose.random() < 0.5):
            reads = choose.choices(ways, [(2 if each.hands_on else 1) * (3 if each.counts else 1) for each in ways])[0]
            mine = str(number * 10 + place)
            lines += ["    " + each.replace("{mine}", mine).replace("{}", location) for each in reads.lines]
            functions.append(Function(name, location, first_line + len(lines) - 2, reads))
        else:
            value = None if choose.random() < 0.05 and not of_pairs else choose.choice(VALUES)
            made = f"Pair({value})" if of_pairs else str(value)
            lines += [f"    global {location}"] if location.isidentifier() else []
            lines.append(f"    {location} += 1" if value is None else f"    {location} = {made}")
            functions.append(Function(name, location, first_line + len(lines) - 1, None, value))
    starts = [any(".start()" in each for each in after) for after in orders.after]
    calls: list[Call] = []
    steps: list[list[str]] = [[] for _ in orders.threads]
    under_way = set()
    for place, thread in enumerate(orders.threads):
        if any(call.ends == place for call in calls):
            continue
        function = choose.choice(functions)
        taken = {lock for call in calls if call.ends > place for lock in call.locks}
        held = [lock for lock in range(4) if lock not in taken]
        held = sorted(choose.sample(held, min(len(held), choose.choice([0, 0, 0, 1, 1, 2]))))
        later = [step for step, other in enumerate(orders.threads) if step > place and other == thread]
        ends, hand_on = place, "keep"
        if function.reads is not None and function.reads.hands_on and later and not orders.barriers[place]:
            ends, hand_on = later[0], f"hand_on{number}_{place}"
            between = [*orders.after[place], "step()", *orders.before[ends], "return 0"]
            lines += [f"def {hand_on}(step):", *("    " + each for each in between)]
            orders.after[place], orders.before[ends] = [], []
            under_way.add(place)
        calls.append(Call(thread, function, tuple(held), place, ends))
        guards = [f"{'    ' * depth}with locks[{lock}]:" for depth, lock in enumerate(held)]
        steps[place] = [*guards, f"{'    ' * len(held)}use({function.name}(Turn({hand_on}, step)))"]
    lines += orders.program(f"work{number}", steps, under_way)
    return Program(calls, orders.threads, orders.precede, starts, "Notice()" in orders.makes[0], of_pairs, lines)


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what the run shows one right after the other, without a third thread in between:
    by what such a one does with locks or events the later thread may have heard of the other. Of each function and
    location one is told."""
    functions = [call.function for call in program.calls]
    counted = {each.location for each in functions if each.reads is None and each.value is None}
    readers = [
        call
        for call in program.calls
        if call.function.reads is not None and call.function.reads.counts and call.function.location not in counted
    ]
    happened: set[Told] = set()
    everything: set[Told] = set()
    in_a_row: set[Told] = set()
    perhaps: set[Told] = set()  # happened, if the reader did not have to wait
    for call in readers:
        writes = list(writes_to(program, call.function.location))
        held = [0, *(value for _, _, value in writes)]
        seen, found = (held[sum(write.ends < at for write, _, _ in writes)] for at in (call.begins, call.ends))
        if seen != found:
            shown = next(write for write, _, _ in reversed(writes) if write.ends < call.ends)
            told = told_of(call, "happened", "proven", shown)
            if not program.precede[call.ends][shown.begins]:
                happened.add(told)
            elif program.has_notices:
                perhaps.add(told)
            continue
        came_in = any(write.thread != call.thread and call.begins < write.begins < call.ends for write, _, _ in writes)
        changing = [write for write, before, value in writes if before != value and write.thread != call.thread]
        after = [write for write in changing if write.begins > call.ends]
        before = [write for write in changing if write.ends < call.begins][::-1]
        for write in (*after, *before):
            earlier, later = sorted((call, write), key=lambda each: each.begins)
            if program.precede[later.ends][earlier.ends] or not set(call.locks).isdisjoint(write.locks):
                continue
            severities = list(unguarded(call, came_in=came_in))
            everything |= {told_of(call, *each, write) for each in severities}
            others = {program.threads[step] for step in range(earlier.ends, later.ends) if step != later.begins}
            may_have_heard = any(program.starts[earlier.begins : later.ends])
            if SEMAPHORE in later.locks:
                its = [each for each in program.calls if earlier.begins <= each.begins < later.begins]
                may_have_heard |= any(SEMAPHORE in each.locks for each in its)
            if write in (*after[:1], *before[:1]) and others == {earlier.thread} and not may_have_heard:
                in_a_row.add(told_of(call, *severities[0], write))
    everything = {each for each in everything if each.line not in lines_of(happened)} | happened | perhaps
    in_a_row = {each for each in in_a_row if each.line not in lines_of(happened | perhaps)} | happened
    return everything, in_a_row


def lines_of(told: set[Told]) -> set[int]:
    return {each.line for each in told}


def told_of(call: Call, severity: str, certainty: str, write: Call) -> Told:
    return Told(call.function.location, call.function.line, severity, certainty, write.function.line)


def unguarded(call: Call, *, came_in: bool) -> Iterator[tuple[str, str]]:
    """The severities and certainties that may be told of reads that nothing guards, the least first. `came_in`: another
    thread wrote there between them. If one did other things meanwhile, the trace may show that, or not."""
    reads = call.function.reads
    if reads is None or reads.suspends or came_in or FREE_THREADED:
        yield "possible", "proven"
    elif call.begins == call.ends:
        yield "gil-only", "inferred" if reads.may_run_code else "proven"
    else:
        yield from (("gil-only", "inferred"), ("possible", "proven"))


def writes_to(program: Program, location: str) -> Iterator[tuple[Call, int, int]]:
    """Those of a program, in order, each with what was there before it and what is there after it."""
    before = 0
    for number, call in enumerate(program.calls):
        if call.function.location == location and call.function.reads is None:
            value = call.function.value or before + 1
            after = 100 + number if program.of_pairs else value  # each makes a pair of its own
            yield call, before, after
            before = after


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """Records programs; gives how many findings they have, and what is otherwise than expected."""
    (folder / "turns.py").write_text(TURNS)
    lines = PRELUDE.splitlines()
    programs = []
    for number in range(count):
        programs.append(build(number, choose, len(lines) + 1))
        lines += programs[-1].lines
    script = folder / "script.py"
    script.write_text("\n".join(lines) + "\n")
    recording = record(folder / "trace.db", "-q", "--exclude", "turns", script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT findings.kind, label, severity, findings.certainty,"
        " max(CASE role WHEN 'first read' THEN line END),"
        " max(CASE role WHEN 'other write' THEN line WHEN 'change between' THEN line END)"
        " FROM findings"
        " JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id WHERE findings.kind != 'unguarded update' GROUP BY findings.id"
    )
    found: defaultdict[str, set[Told]] = defaultdict(set)
    for kind, label, severity, certainty, line, write in rows:
        assert kind == ("unrepeatable read" if severity == "happened" else "unguarded read"), kind
        location = str(label).removeprefix("global ")
        found[location].add(Told(location, int(str(line)), str(severity), str(certainty), int(str(write))))
    differences = []
    for program in programs:
        everything, in_a_row = truth(program)
        told = set().union(*(found[location] for location in {call.function.location for call in program.calls}))
        severities = defaultdict(set)
        for each in told:
            severities[each[:2]].add(SEVERITIES.index(each.severity))
        missing = {each for each in in_a_row if max(severities[each[:2]], default=-1) < SEVERITIES.index(each.severity)}
        if missing or not told <= everything:
            text = "\n".join(program.lines)
            differences.append(f"{text}\nmissing {missing}\nuntrue {told - everything}")
    return sum(map(len, found.values())), differences


if __name__ == "__main__":
    run(check, __doc__)
