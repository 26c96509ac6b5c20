"""Tiny random programs whose threads read what others wrote, for data only or to decide by it; all of their
interleavings are gone through.

The threads of a program share an object with a few attributes, and functions that write, copy, count and read them:
into local variables, by a getter, into a text, into a tuple. Some decide by what they read whether they count: by an
`if`, a loop, a key that is not there, an attribute that is not there, an object or a function that is chosen by it, at
once or by way of another attribute. The functions are called one after the other, in an order that the generator draws
and that the trace does not show, after some signals and before others, so in no run anything is lost. The model makes
the same accesses in every order that the signals allow. An update that is told must be one into which the other write
comes in one of these. What decides nothing keeps nothing apart: so in programs of two threads without signals that
decide nothing, writes of different threads that follow each other at an attribute must be told if one of them is an
update.

`python -m tests.truth.random_news --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.recording import record
from tests.truth.interleavings import IMPORTS, Function, Op, Step, Writer, all_interleavings, draw_steps, ops_of_threads
from tests.truth.random_guards import PRELUDE
from tests.truth.recorded import END, TURNS, run

NAMES = "abc"
LATE = "d"  # is not there in the beginning
ALL = NAMES + LATE
VALUES = range(3)
MORE = len(VALUES)  # any other value
MOST_STATES = 700  # places of all threads together
SLOTS = 3  # local variables of a thread: what is being written, `n`, `text`
WRITTEN, NUMBER, SHOWN = range(SLOTS)

Told = tuple[str, frozenset[int]]  # an attribute; the lines of two writes


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    first: tuple[int, ...]  # the attributes' values
    decides: bool  # some function may
    lines: list[str]


class _Handed(NamedTuple):
    """By which attribute one function tells another one what it has done."""

    name: str
    value: int
    counted: str


class _Function:
    """Writes one."""

    def __init__(
        self,
        number: int,
        place: int,
        choose: random.Random,
        line: int,
        count: int | None,
        handed: _Handed | None,
    ) -> None:
        """`count`: the line of the function that counts, if it may decide something."""
        self._handed = handed
        self._box, self._choose = f"box{number}", choose
        self._number, self._count_line = number, count
        self._writer = Writer(f"act{number}_{place}", line)
        self._given = ""  # the attribute that n was read from
        self._shown = ""  # the same of text
        self._passed: set[str] = set()  # those by which it has decided to go on
        data = [self._write, self._copy, self._copy, self._read, self._show, self._count, self._give, self._both]
        decide = [self._decide, self._decide_by_n, self._get_and_decide, self._repeat, self._fail, self._be_late]
        decide += [self._choose_object, self._choose_function, self._decide_by_text, self._decide_at_once]
        decide.append(self._decide_by_another)
        if handed is not None and not place:
            choose.choice(data)()
            self._count()
            self._line(f"{self._box}.{handed.name} = {handed.value}", f"write {handed.name} {handed.value}")
            return
        if handed is not None:
            choose.choice(data)()
            (self._be_late if handed.name == LATE else choose.choice(decide))()
            decide = data
        for _ in range(choose.choice([1, 2, 2, 3]) if handed is None else 1):
            choose.choice(data if count is None else data + decide)()
        if choose.random() < 0.6:
            self._count()

    def function(self) -> Function:
        function = self._writer.function()
        ops = [op._replace(at=len(function.ops)) if op.at < 0 else op for op in function.ops]
        ops = [op._replace(line=self._count_line or 0) if op.what.endswith("by a call") else op for op in ops]
        return function._replace(ops=ops)

    # --- what the lines of a statement do

    def _asked(self, *others: str) -> tuple[str, int]:
        """An attribute, and the value for which it is asked."""
        if self._handed is not None and self._choose.random() < 0.8 and self._handed.name not in (LATE, *others):
            return self._handed[:2]
        return self._name(*others), self._choose.choice(VALUES)

    def _name(self, *others: str) -> str:
        if self._handed is not None and self._choose.random() < 0.6 and self._handed.name not in (LATE, *others):
            return self._handed.name
        return self._choose.choice([each for each in NAMES if each not in others])

    def _line(self, text: str, *accesses: str) -> None:
        for each in accesses:
            self._writer.access(each)
            self._writer.goes_on = False
        self._writer.write(text)

    def _check(self, text: str, *accesses: str) -> int:
        for each in accesses:
            self._writer.access(each)
        self._writer.goes_on = False
        return self._writer.check("check", text)

    def _end(self, check: int) -> None:
        self._writer.end(check)

    def _write(self) -> None:
        name, value = self._choose.choice([self._name(), self._name(), LATE]), self._choose.choice(VALUES)
        self._line(f"{self._box}.{name} = {value}", f"write {name} {value}")

    def _copy(self) -> None:
        name = self._name()
        other, value = self._name(name), self._choose.choice(VALUES)
        read = self._choose.choice([f"{self._box}.{other}", f"{other}{self._number}()"])
        ways = ["{} + {}", "{} - -{}", "max({}, 0) + {}"]
        if self._count_line is not None:  # a list could not be multiplied by another kind of number: it may decide
            ways.append("({}) * 1 + {}")
        text = self._choose.choice(ways).format(read, value)
        self._line(f"{self._box}.{name} = {text}", f"read {other} {WRITTEN}", f"made {name} {WRITTEN} {value}")

    def _read(self) -> None:
        self._given = name = self._name()
        added = self._choose.choice([0, 0, 1])
        text = f"{self._box}.{name} + 1" if added else f"{self._box}.{name}"
        self._line(f"n = {text}", f"read {name} {NUMBER}", f"add {NUMBER} {added}")

    def _give(self) -> None:
        if not self._given:
            self._read()
        name = self._name()
        if name != self._given:  # it would be an update
            self._line(f"{self._box}.{name} = n", f"made {name} {NUMBER} 0")

    def _show(self) -> None:
        self._shown = name = self._name()
        self._line(f'text = f"{{{self._box}.{name}}}"', f"read {name} {SHOWN}")

    def _both(self) -> None:
        self._given = self._shown = name = self._name()
        self._line(f"n, text = {name}{name}{self._number}()", f"read {name} {NUMBER}", f"read {name} {SHOWN}")

    def _count(self, *but: str) -> None:
        """An attribute by which nothing was decided: else it may be the thread's turn."""
        left = sorted(set(NAMES) - {*but} - self._passed)
        if not left:
            self._writer.write("pass")
            return
        name = self._choose.choice(left)
        if self._handed is not None and self._choose.random() < 0.7 and self._handed.counted in left:
            name = self._handed.counted
        if self._choose.random() < 0.5:
            self._line(f"{self._box}.{name} += 1", f"begin {name}", f"update {name}")
        else:
            self._line(f"m = {self._box}.{name}", f"begin {name}")
            self._line("sleep(0)")
            self._line(f"{self._box}.{name} = m + 1", f"update {name}")

    # --- what decides

    def _decide(self) -> None:
        name, value = self._asked()
        check = self._check(f"if {self._box}.{name} == {value}:", f"read {name} {WRITTEN}", f"find {WRITTEN} {value}")
        self._count(name)
        self._end(check)

    def _decide_by_n(self) -> None:
        if not self._given:
            self._read()
        value = self._asked()[1]
        check = self._check(f"if n == {value}:", f"find {NUMBER} {value}")
        self._count(self._given)
        self._end(check)

    def _decide_by_another(self) -> None:
        name, value = self._asked()
        other = self._choose.choice([each for each in NAMES if each != name])
        self._line(f"{self._box}.{other} = {self._box}.{name}", f"read {name} {WRITTEN}", f"made {other} {WRITTEN} 0")
        check = self._check(f"if {self._box}.{other} == {value}:", f"read {other} {WRITTEN}", f"find {WRITTEN} {value}")
        self._count(name, other)
        self._end(check)

    def _decide_by_text(self) -> None:
        if not self._shown:
            self._show()
        value = self._asked()[1]
        check = self._check(f"if str(text) == '{value}':", f"find {SHOWN} {value}")
        self._count(self._shown)
        self._end(check)

    def _get_and_decide(self) -> None:
        name, value = self._asked()
        check = self._check(
            f"if {name}{self._number}() == {value}:", f"read {name} {WRITTEN}", f"find {WRITTEN} {value}"
        )
        self._count(name)
        self._end(check)

    def _repeat(self) -> None:
        name, value = self._asked()
        check = self._check(
            f"for _ in range({self._box}.{name} == {value}):", f"read {name} {WRITTEN}", f"find {WRITTEN} {value}"
        )
        self._count(name)
        self._end(check)

    def _decide_at_once(self) -> None:
        name, value = self._asked()
        self._passed.add(name)
        self._line(f"if {self._box}.{name} != {value}: return", f"read {name} {WRITTEN}", f"find {WRITTEN} {value}")
        self._return_if_not()

    def _fail(self) -> None:
        name, value = self._asked()
        self._passed.add(name)
        self._line(f"try: {{{value}: 0}}[{self._box}.{name}]", f"read {name} {WRITTEN}", f"find {WRITTEN} {value}")
        self._writer.write("except KeyError: return")
        self._return_if_not()

    def _be_late(self) -> None:
        self._given = LATE
        self._line(f"try: n = {self._box}.{LATE}", f"read {LATE} {NUMBER}", f"there {NUMBER}")
        self._writer.write("except AttributeError: return")
        self._return_if_not()

    def _return_if_not(self) -> None:
        """The line above returns if it did not find what was looked for."""
        self._writer.access("check", -1)

    def _choose_object(self) -> None:
        name, value = self._asked()
        left = sorted(set(NAMES) - {name} - self._passed)
        if not left:
            return
        chosen = self._choose.choice(left)
        self._line(
            f"[Spare(), {self._box}][{self._box}.{name} == {value}].{chosen} += 1",
            f"read {name} {WRITTEN}",
            f"find {WRITTEN} {value}",
            f"begin-if {chosen}",
            f"update-if {chosen}",
        )

    def _choose_function(self) -> None:
        name, value = self._asked("c")
        if "c" in self._passed:
            return
        self._line(
            f"[nothing, count{self._number}][{self._box}.{name} == {value}]()",
            f"read {name} {WRITTEN}",
            f"find {WRITTEN} {value}",
        )
        self._writer.access("begin-if c by a call")
        self._writer.access("update-if c by a call")


class Thread(NamedTuple):
    slots: tuple[int | None, ...] = (None,) * SLOTS
    found: bool = False  # what it looked for
    counts: str = ""  # the attribute that it is about to update
    since: frozenset[int] = frozenset()  # lines of others' writes there


class Memory(NamedTuple):
    values: tuple[int | None, ...]  # by name
    threads: tuple[Thread, ...]
    lost: frozenset[Told] = frozenset()  # by the last access


def _after(memory: Memory, op: Op, thread: int) -> tuple[Memory, bool]:
    memory = memory._replace(lost=frozenset())
    own = memory.threads[thread]
    what, *given = op.what.split()
    match what:
        case "check":
            return memory, own.found
        case "read":
            value = memory.values[ALL.index(given[0])]
            slots = tuple(value if slot == int(given[1]) else its for slot, its in enumerate(own.slots))
            return _of_thread(memory, thread, own._replace(slots=slots)), True
        case "add":
            slots = tuple(
                min((its or 0) + int(given[1]), MORE) if slot == int(given[0]) else its
                for slot, its in enumerate(own.slots)
            )
            return _of_thread(memory, thread, own._replace(slots=slots)), True
        case "find":
            return _of_thread(memory, thread, own._replace(found=own.slots[int(given[0])] == int(given[1]))), True
        case "there":
            return _of_thread(memory, thread, own._replace(found=own.slots[int(given[0])] is not None)), True
        case "begin" | "begin-if":
            counts = given[0] if what == "begin" or own.found else ""
            return _of_thread(memory, thread, own._replace(counts=counts, since=frozenset())), True
        case "write":
            return _written(memory, thread, given[0], int(given[1]), op.line), True
        case "made":
            value = own.slots[int(given[1])]
            assert value is not None
            return _written(memory, thread, given[0], min(value + int(given[2]), MORE), op.line), True
        case "update" | "update-if" if own.counts:
            lost = frozenset((own.counts, frozenset([op.line, line])) for line in own.since)
            memory = _of_thread(memory, thread, own._replace(counts="", since=frozenset()))
            value = memory.values[ALL.index(given[0])]
            assert value is not None
            return _written(memory, thread, given[0], min(value + 1, MORE), op.line)._replace(lost=lost), True
    return memory, True


def _of_thread(memory: Memory, thread: int, its: Thread) -> Memory:
    return memory._replace(threads=(*memory.threads[:thread], its, *memory.threads[thread + 1 :]))


def _written(memory: Memory, thread: int, name: str, value: int, line: int) -> Memory:
    values = tuple(value if each == name else its for each, its in zip(ALL, memory.values, strict=True))
    threads = tuple(
        its._replace(since=its.since | {line}) if number != thread and its.counts == name else its
        for number, its in enumerate(memory.threads)
    )
    return memory._replace(values=values, threads=threads)


def _lost(memory: Memory, _: Sequence[int]) -> Iterator[Told]:
    yield from memory.lost


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    while True:
        program = _build(number, choose, first_line)
        if math.prod(len(ops) for ops in ops_of_threads(program.steps)) <= MOST_STATES:
            return program


def _build(number: int, choose: random.Random, first_line: int) -> Program:
    box, decides = f"box{number}", choose.random() < 0.7
    first = [choose.choice(VALUES) for _ in NAMES]
    lines = [f"{box} = Box()", *(f"{box}.{name} = {value}" for name, value in zip(NAMES, first, strict=True))]
    lines += [f"def {name}{number}(): return {box}.{name}" for name in NAMES]
    lines += [f"def {name}{name}{number}(): return {box}.{name}, {box}.{name}" for name in NAMES]
    lines.append(f"def count{number}(): {box}.c += 1")
    count = first_line + len(lines) - 1 if decides else None
    functions: list[Function] = []
    handed = None
    if decides and choose.random() < 0.5:
        name, counted = choose.sample(NAMES, 2)
        handed = _Handed(name, (first[NAMES.index(name)] + choose.choice([1, 2])) % MORE, counted)
        handed = choose.choice([handed] * 6 + [handed._replace(name=LATE)])
    for place in range(2 if handed is not None else choose.choice([2, 2, 3])):
        functions.append(_Function(number, place, choose, first_line + len(lines), count, handed).function())
        lines += functions[-1].lines
    if handed is None:
        steps, calls = draw_steps(number, choose, functions)
    else:  # one after the other
        steps = [Step(thread, function, [], []) for thread, function in enumerate(functions)]
        calls = []
        for thread, function in enumerate(functions):
            calls += [f"def work{number}_{thread}(step):", f"    {function.name}()", "    step()"]
        calls.append(f"run([0, 1, 0, 1, {END}], work{number}_0, work{number}_1)")
    return Program(steps, tuple(first), decides, [*lines, *calls])


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what must be."""
    threads = ops_of_threads(program.steps)
    memory = Memory((*program.first, None), (Thread(),) * len(threads))
    lost = all_interleavings(threads, memory, _after, _lost, gil=False)
    if program.decides or len(threads) > 2 or any(step.waits for step in program.steps):
        return lost, set()
    return lost, set(_shown(program))


def _shown(program: Program) -> Iterator[Told]:
    """Writes of different threads that follow each other in the run, if one is an update."""
    last: dict[str, tuple[int, Op]] = {}  # by attribute
    for step in program.steps:
        for op in step.function.ops:
            what, name, *_ = op.what.split()
            if what in ("write", "made", "update"):
                thread, before = last.get(name, (step.thread, op))
                if thread != step.thread and "update" in (what, before.what.split()[0]):
                    yield name, frozenset([op.line, before.line])
                last[name] = step.thread, op


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """Records programs; gives how many findings they have, and what is otherwise than expected."""
    (folder / "turns.py").write_text(TURNS)
    lines = [*IMPORTS, *PRELUDE.splitlines(), "class Spare: a = b = c = 0", "def nothing(): pass"]
    programs = []
    for number in range(count):
        programs.append((len(lines) + 1, build(number, choose, len(lines) + 1)))
        lines += programs[-1][1].lines
    script = folder / "script.py"
    script.write_text("\n".join(lines) + "\n")
    recording = record(folder / "trace.db", "-q", "--exclude", "turns", script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT label, min(line), max(line) FROM findings JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id"
        " WHERE findings.kind = 'unguarded update' AND role != 'read' GROUP BY findings.id"
    )
    found = {
        (str(label).partition(" (")[0].rpartition(".")[2], frozenset([int(str(one)), int(str(other))]))
        for label, one, other in rows
    }
    differences = []
    for first_line, program in programs:
        its = range(first_line, first_line + len(program.lines))
        told = {each for each in found if min(each[1]) in its}
        true, needed = truth(program)
        if not needed <= told <= true:
            text = "\n".join(f"{number:4} {line}" for number, line in zip(its, program.lines, strict=True))
            differences.append(f"{text}\nuntrue {told - true}\nmissing {needed - told}")
    return len(found), differences


if __name__ == "__main__":
    run(check, __doc__)
