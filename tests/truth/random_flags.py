"""Tiny random programs that set a flag as they begin something, or as it is done; all of their interleavings are gone
through.

The threads of a program share a function: by a flag it makes something once, and then looks for that. A dictionary may
be the flag itself, by something that is in it already. The flag may come first or last, and locks may be held for all,
for the work, for the check alone, for the look, or by who calls. The function is called one after the other, in an
order that the generator draws and that the trace does not show, after some signals and before others, so in no run
anything is missing. The model makes the same accesses in every order that locks and signals allow. It is wrong if a
thread finds the flag set, and then nothing. With the GIL it does so once more with switches only where the interpreter
has a switch point: *possible* must be what comes so in one of these, *gil-only* what comes so only elsewhere.

The other way round, what comes so must be told if the next call, by another thread, came right after the one that made
it, and no third thread did anything in between.

`python -m tests.truth.random_flags --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
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

CHECK, FLAG, FILL, LOOK = "check", "flag", "fill", "look"
SLOWLY = "sleep(0)"


class Way(NamedTuple):
    """Of making something, and looking for it: the text of both, and of how it is at first."""

    first: str
    fill: str
    look: str
    fails: bool = True  # to find nothing is an error
    calls: bool = False  # to make it takes a call, after which the interpreter looks at the eval breaker
    is_flag: bool = False  # a dictionary that is the flag itself


WAYS = [
    Way("{} = {{}}", "{}['k'] = 1", "{}['k']"),
    Way("{} = {{}}", "{}['k'] = [1]", "{}['k'].index(1)"),
    Way("box.{} = None", "box.{} = [1]", "box.{}.index(1)"),
    Way("{} = []", "{}.append(1)", "if not {}: raise ValueError", calls=True),
    Way("{} = {{}}", "{}['k'] = 1", "{}.get('k')", fails=False),
    Way("box.{} = None", "box.{} = [1]", "len(str(box.{}))", fails=False),
    Way("{} = {{}}", "{}['k'] = 1", "if 'k' in {}: pass", fails=False),
    Way("{} = {{}}", "{}['k'] = 1", "{}['k']", is_flag=True),
    Way("{} = {{}}", "{}['k'] = 1", "{}.get('k')", fails=False, is_flag=True),
    Way("{} = {{}}", "{}['k'] = 1", "if 'k' in {}: pass", fails=False, is_flag=True),
]


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    lines: list[str]


class Wrong(NamedTuple):
    """A look found nothing."""

    line: int
    step: int
    set_by: int  # the step that had set the flag


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    way, name = choose.choice([*WAYS[:4], *WAYS[:4], *WAYS, *WAYS[7:]]), f"made{number}"
    lines = [f"box.flag{number} = False", way.first.format(name)]
    function = _function(number, way, choose, first_line + len(lines))
    steps, calls = draw_steps(number, choose, [function], held=0.2)
    return Program(steps, [*lines, *function.lines, *calls])


def _function(number: int, way: Way, choose: random.Random, line: int) -> Function:
    """With its ops."""
    flag, name = f"box.flag{number}", f"made{number}"
    is_set = f"{name}['first'] = 1" if way.is_flag else f"{flag} = True"
    writer = Writer(f"act{number}", line)
    held = choose.choice(["", "", "", "all", "check and work", "check", "work", "look"])
    if held in ("all", "check and work", "check"):
        writer.take(choose.randrange(LOCKS - 1))
    block = writer.check(CHECK, f"if not {name if way.is_flag else flag}:")
    is_first = way.is_flag or choose.random() < 0.75
    if is_first:
        writer.access(FLAG)
        writer.write(is_set)
    if held == "check":
        # the work comes after the lock has been given up
        writer.write("is_first = True")
        writer.end(block)
        writer.write("else: is_first = False")
        writer.give_up()
        block = writer.check("again", "if is_first:")
    if held == "work":
        writer.take(choose.randrange(LOCKS - 1))
    if choose.random() < 0.6:
        writer.goes_on = False
        writer.write(SLOWLY)
    writer.access(FILL)
    writer.goes_on = not way.calls
    writer.write(way.fill.format(name))
    if not is_first:
        writer.access(FLAG)
        writer.write(is_set)
    writer.end(block)
    if held == "check and work":
        writer.give_up()
    if held in ("look", "work"):
        writer.take(choose.randrange(LOCKS - 1))
    writer.access(LOOK if way.fails or way.is_flag else "nothing")
    writer.write(way.look.format(name))
    return writer.function()


class Memory(NamedTuple):
    set_by: int | None = None
    filled: bool = False
    begun: frozenset[int] = frozenset()  # threads that make it
    failed: Wrong | None = None


def _after(memory: Memory, op: Op, thread: int) -> tuple[Memory, bool]:
    match op.what:
        case "check" if memory.set_by is None:
            return memory._replace(begun=memory.begun | {thread}), True
        case "check":
            return memory._replace(begun=memory.begun - {thread}), False
        case "again":
            return memory, thread in memory.begun
        case "flag":
            return memory._replace(set_by=op.step), True
        case "fill":
            return memory._replace(filled=True), True
        case "look" if not memory.filled and memory.set_by is not None and memory.failed is None:
            return memory._replace(failed=Wrong(op.line, op.step, memory.set_by)), True
    return memory, True


def _found_nothing(memory: Memory, _: Sequence[int]) -> Iterator[Wrong]:
    if memory.failed is not None:
        yield memory.failed


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what must be."""
    found = partial(all_interleavings, ops_of_threads(program.steps), Memory(), _after, _found_nothing)
    everywhere = found(gil=False)
    native = everywhere if FREE_THREADED else found(gil=True)
    severity = {each: "possible" if each in native else "gil-only" for each in everywhere}
    shown = _shown(program)
    return {(each.line, severity[each]) for each in everywhere}, {
        (each.line, severity[each]) for each in everywhere if (each.step, each.set_by) == shown
    }


def _shown(program: Program) -> tuple[int, int] | None:
    """The first step that is not of the first one's thread, and the first one, if that thread alone comes before it."""
    for number, step in enumerate(program.steps):
        if step.thread != program.steps[0].thread:
            return number, 0
    return None


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """See `interleavings.check_programs`."""
    return check_programs(folder, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
