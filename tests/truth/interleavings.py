"""Tiny programs, all of whose interleavings are gone through: what the oracles that do so share."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from tests.recording import record
from tests.truth.random_guards import PRELUDE
from tests.truth.recorded import END, SIGNALS, TURNS, order_of_steps

IMPORTS = ["import queue", "from concurrent.futures import Future"]
BRANCHES = ("check", "again")  # ops after which control goes to another one, `Op.at`, if they find nothing
LOCKS = 3  # how many of them there are; functions take one at a time
M = TypeVar("M")
W = TypeVar("W")


class Op(NamedTuple):
    """One thing that a thread does. `goes_on`: with the GIL it is not suspended before it."""

    what: str
    at: int = 0  # a lock or signal; a value; how many ops are passed over if a check finds otherwise
    line: int = 0
    step: int = 0
    goes_on: bool = False


class Function(NamedTuple):
    name: str
    ops: list[Op]
    lines: list[str]


class Step(NamedTuple):
    thread: int
    function: Function
    waits: list[int]
    sets: list[int]


class Writer:
    """Writes a function, and says what it does. Its lines stand from that one on."""

    def __init__(self, name: str, line: int) -> None:
        self._name, self._line = name, line
        self._lines = [f"def {name}():"]
        self._ops: list[Op] = []
        self._held: list[int] = []
        self._depth = 1
        self.goes_on = False  # from one access to the next

    def take(self, lock: int) -> None:
        self.write(f"with locks[{lock}]:")
        self._ops.append(Op("acquire", lock))
        self._held.append(lock)
        self._depth += 1
        self.goes_on = False

    def give_up(self) -> None:
        self._ops.append(Op("release", self._held.pop()))
        self._depth -= 1
        self.goes_on = False

    def write(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def access(self, what: str, at: int = 0) -> None:
        """By the line that is written next."""
        self._ops.append(Op(what, at, self._line + len(self._lines), goes_on=self.goes_on))
        self.goes_on = True

    def check(self, what: str, text: str) -> int:
        """Begins a block. Gives what ends it."""
        self.access(what)
        self.write(text)
        self._depth += 1
        return len(self._ops) - 1

    def end(self, check: int) -> None:
        """The block of a check, and what is locked in it."""
        while self._held and any(op == Op("acquire", self._held[-1]) for op in self._ops[check:]):
            self.give_up()
        self._depth -= 1
        self._ops[check] = self._ops[check]._replace(at=len(self._ops))

    def function(self) -> Function:
        while self._held:
            self.give_up()
        return Function(self._name, self._ops, self._lines)


def draw_steps(
    number: int, choose: random.Random, functions: Sequence[Function], *, held: float = 0
) -> tuple[list[Step], list[str]]:
    """Random calls of functions by two or three threads, after some signals and before others; and the lines that make
    them. `held`: the share of those that are made under a lock."""
    order, waits, sets, count = order_of_steps(choose, signals=0.1)
    signals = choose.choices(list(SIGNALS), (4, 1, 1, 1, 1), k=count)
    lines = [f"signals{number} = [{', '.join(signals)}]"]
    steps = []
    bodies: defaultdict[int, list[str]] = defaultdict(list)
    for place, thread in enumerate(order):
        function = choose.choice(functions)
        call = [f"    {function.name}()"]
        if choose.random() < held:
            its = {op.at for op in function.ops if op.what == "acquire"}
            lock = choose.choice([each for each in range(LOCKS) if each not in its])
            call = [f"    with locks[{lock}]:", f"        {function.name}()"]
            ops = [op._replace(at=op.at + 1) if op.what in BRANCHES else op for op in function.ops]
            function = function._replace(ops=[Op("acquire", lock), *ops, Op("release", lock)])
        steps.append(Step(thread, function, waits[place], sets[place]))
        bodies[thread] += [f"    signals{number}[{each}].{SIGNALS[signals[each]][1]}" for each in waits[place]]
        bodies[thread] += call
        bodies[thread] += [f"    signals{number}[{each}].{SIGNALS[signals[each]][0]}" for each in sets[place]]
        bodies[thread].append("    step()")
    for thread in range(max(order) + 1):
        lines += [f"def work{number}_{thread}(step):", *bodies[thread]]
    works = ", ".join(f"work{number}_{thread}" for thread in range(max(order) + 1))
    lines.append(f"run({[*order, *range(max(order) + 1), END]}, {works})")
    return steps, lines


def ops_of_threads(
    steps: Sequence[Step], left_out: Callable[[int, Op], bool] = lambda step, op: False
) -> list[list[Op]]:
    """What each thread does. In place of what is `left_out` of a step it does nothing."""
    threads: list[list[Op]] = [[] for _ in range(max(step.thread for step in steps) + 1)]
    for number, step in enumerate(steps):
        ops = threads[step.thread]
        ops += [Op("wait", each) for each in step.waits]
        start = len(ops)
        for op in step.function.ops:
            its = op._replace(step=number, at=op.at + start if op.what in BRANCHES else op.at)
            ops.append(its._replace(what="nothing") if left_out(number, op) else its)
        ops += [Op("set", each) for each in step.sets]
    return threads


class _State(NamedTuple):
    at: tuple[int, ...]  # by thread: the next of its ops
    holders: tuple[int | None, ...]  # by lock
    given: frozenset[int]  # signals


def all_interleavings(
    threads: Sequence[Sequence[Op]],
    memory: M,
    after: Callable[[M, Op, int], tuple[M, bool]],
    wrong: Callable[[M, Sequence[int]], Iterable[W]],
    *,
    gil: bool,
) -> set[W]:
    """What goes wrong in one of them. `after`: the memory after a thread's access, and whether a check found what it
    looks for. `wrong`: what is, by the memory and where the threads are. With the GIL, they are switched only where an
    op does not go on."""
    found: set[W] = set()
    pending = [(_State((0,) * len(threads), (None,) * LOCKS, frozenset()), memory)]
    seen = set()
    while pending:
        state, memory = pending.pop()
        if (state, memory) in seen:
            continue
        seen.add((state, memory))
        found.update(wrong(memory, state.at))
        goes_on = [t for t, ops in enumerate(threads) if gil and state.at[t] < len(ops) and ops[state.at[t]].goes_on]
        for thread in goes_on or range(len(threads)):
            ops, at = threads[thread], state.at[thread]
            if at >= len(ops) or _has_to_wait(state, ops[at]):
                continue
            then, op = at + 1, ops[at]
            holders, given, left = list(state.holders), state.given, memory
            if op.what in ("acquire", "release"):
                holders[op.at] = thread if op.what == "acquire" else None
            elif op.what == "set":
                given |= {op.at}
            elif op.what not in ("wait", "nothing"):
                left, holds = after(memory, op, thread)
                then = at + 1 if holds else op.at
            moved = (*state.at[:thread], then, *state.at[thread + 1 :])
            pending.append((_State(moved, tuple(holders), given), left))
    return found


def _has_to_wait(state: _State, op: Op) -> bool:
    return (op.what == "acquire" and state.holders[op.at] is not None) or (
        op.what == "wait" and op.at not in state.given
    )


Told = tuple[int, str]  # a line, and the severity


class Program(Protocol):
    @property
    def lines(self) -> list[str]: ...


P = TypeVar("P", bound=Program)


def check_programs(
    folder: Path,
    build: Callable[[int, int], P],
    truth: Callable[[P], tuple[set[Told], set[Told]]],
    count: int,
) -> tuple[int, list[str]]:
    """Records programs of which it is known what may be told, and what must be, by the line of the act. Gives how many
    findings they have, and what is otherwise than expected. `build` is given a program's number and first line."""
    (folder / "turns.py").write_text(TURNS)
    lines = [*IMPORTS, *PRELUDE.splitlines()]
    programs = []
    for number in range(count):
        programs.append((len(lines) + 1, build(number, len(lines) + 1)))
        lines += programs[-1][1].lines
    script = folder / "script.py"
    script.write_text("\n".join(lines) + "\n")
    recording = record(folder / "trace.db", "-q", "--exclude", "turns", script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT findings.kind, severity, max(CASE role WHEN 'act' THEN line END) FROM findings"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id GROUP BY findings.id"
    )
    assert {kind for kind, _, _ in rows} <= {"unguarded check", "unguarded iteration"}
    found = {(int(str(line)), str(severity)) for kind, severity, line in rows if kind == "unguarded check"}
    return len(found), list(_differences(found, programs, truth))


def _differences(
    found: set[Told], programs: Iterable[tuple[int, P]], truth: Callable[[P], tuple[set[Told], set[Told]]]
) -> Iterator[str]:
    for first_line, program in programs:
        its = range(first_line, first_line + len(program.lines))
        told = {each for each in found if each[0] in its}
        true, needed = truth(program)
        severities = dict(sorted(told))  # the highest: possible
        missing = {(line, severity) for line, severity in needed if severities.get(line, "") < severity}
        if missing or not told <= true:
            text = "\n".join(f"{number:4} {line}" for number, line in zip(its, program.lines, strict=True))
            yield f"{text}\nuntrue {told - true}\nmissing {missing}"
