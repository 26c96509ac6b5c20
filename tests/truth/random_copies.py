"""Tiny random programs that go over a copy of a dictionary, and ask this for what was in the copy; all of their
interleavings are gone through.

One function of a program goes over a copy and asks for each item, or takes it out; another one puts an item in, or
takes it out if it is there. All may take a lock for all that they do, or for the act alone. The functions are called
one after the other, in an order that the generator draws and that the trace does not show, after some signals and
before others, so in no run anything goes wrong. The model makes the same steps in every order that locks and signals
allow. It is wrong if an item that was in a copy is not there any more. With the GIL it does so once more with switches
only where the interpreter has a switch point, which are the same here: a copy takes a call.

The other way round, what comes so must be told of two calls that follow each other, by two threads: the first one took
the item out by a copy, and the second one makes the same copy; or the first one went over the item, and the second one
takes it out.

`python -m tests.truth.random_copies --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.truth.interleavings import (
    LOCKS,
    Function,
    Op,
    Step,
    Told,
    Writer,
    all_interleavings,
    check_programs,
    draw_steps,
    ops_of_threads,
)
from tests.truth.recorded import run

COPY, ASK, TAKE, PUT, DROP = "check", "ask", "take", "put", "drop"  # DROP: take it out if it is there
COPIES = ["list({d})", "tuple({d})", "sorted({d})", "{d}.copy()", "[key for key in {d}]", "list({d}.keys())"]
PAIRS = ["list({d}.items())", "sorted({d}.items())"]
ACTS = {"{d}[key]": ASK, "del {d}[key]": TAKE, "{d}.pop(key)": TAKE}
OTHERS = {"{d}['a'] = 1": PUT, "{d}.pop('a', None)": DROP}


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    lines: list[str]
    is_there: bool  # at first


class Wrong(NamedTuple):
    """An item was gone."""

    line: int
    step: int
    taken_by: int  # the step that took it out last


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    name, is_there = f"d{number}", choose.random() < 0.8
    lines = [f"{name} = {{'a': 1}}" if is_there else f"{name} = {{}}"]
    functions = [_sweep(f"act{number}", name, choose, first_line + len(lines))]
    lines += functions[0].lines
    for place in range(choose.randint(0, 2)):
        act = choose.choice(list(OTHERS))
        writer = Writer(f"other{number}_{place}", first_line + len(lines))
        if choose.random() < 0.3:
            writer.take(choose.randrange(LOCKS - 1))
        writer.access(OTHERS[act])
        writer.write(act.format(d=name))
        functions.append(writer.function())
        lines += functions[-1].lines
    steps, calls = draw_steps(number, choose, functions, held=0.2)
    return Program(steps, [*lines, *calls], is_there)


def _sweep(function: str, name: str, choose: random.Random, line: int) -> Function:
    """With its ops."""
    writer = Writer(function, line)
    held = choose.choice(["", "", "", "all", "act"])
    if held == "all":
        writer.take(choose.randrange(LOCKS - 1))
    is_pair = choose.random() < 0.3
    copied = choose.choice(PAIRS if is_pair else COPIES).format(d=name)
    block = writer.check(COPY, f"for key, _ in {copied}:" if is_pair else f"for key in {copied}:")
    if held == "act":
        writer.take(choose.randrange(LOCKS - 1))
    if choose.random() < 0.5:
        writer.write("sleep(0)")
    act = choose.choice(list(ACTS))
    writer.goes_on = False  # the copy takes a call
    writer.access(ACTS[act])
    writer.write(act.format(d=name))
    writer.end(block)
    return writer.function()


class Memory(NamedTuple):
    is_there: bool
    taken_by: int = -1  # the step that took it out last
    failed: Wrong | None = None


def _after(memory: Memory, op: Op, thread: int) -> tuple[Memory, bool]:
    match op.what:
        case "check":
            return memory, memory.is_there
        case "ask" | "take" if not memory.is_there:
            return memory._replace(failed=memory.failed or Wrong(op.line, op.step, memory.taken_by)), True
        case "take" | "drop" if memory.is_there:
            return memory._replace(is_there=False, taken_by=op.step), True
        case "put":
            return memory._replace(is_there=True), True
    return memory, True


def _gone(memory: Memory, _: Sequence[int]) -> Iterator[Wrong]:
    if memory.failed is not None:
        yield memory.failed


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what must be."""
    threads = ops_of_threads(program.steps)
    found = all_interleavings(threads, Memory(program.is_there), _after, _gone, gil=False)
    shown = set(_shown(program))
    return {(each.line, "possible") for each in found}, {
        (each.line, "possible") for each in found if (each.step, each.taken_by) in shown
    }


def _shown(program: Program) -> Iterator[tuple[int, int]]:
    """Of two steps that follow each other, by two threads: which asks, and which takes out."""
    memory = Memory(program.is_there)
    did: list[str] = []  # what the step before did to the item
    for number, step in enumerate(program.steps):
        before, last = did, program.steps[number - 1] if number else None
        did, at = [], 0
        while at < len(step.function.ops):
            op = step.function.ops[at]
            was_there = memory.is_there
            memory, goes_on = _after(memory, op._replace(step=number), step.thread)
            at = at + 1 if goes_on else op.at
            if was_there and op.what in (ASK, TAKE, DROP):
                did.append(op.what)
        if last is None or last.thread == step.thread or not before:
            continue
        is_sweep = step.function.name.startswith("act")
        if before == [TAKE] and is_sweep:
            yield from ((number, number - 1), (number - 1, number))
        if before == [ASK] and did == [DROP]:
            yield number - 1, number


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """See `interleavings.check_programs`."""
    return check_programs(folder, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
