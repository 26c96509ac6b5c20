"""Tiny random programs that ask how much is in a dictionary or a set, and put something in or take something out by
that; all of their interleavings are gone through.

The threads of a program share some functions: one puts an item in if there is room, or takes one out if there is one;
others do so in any case. All may take a lock for all that they do, or for the check and the act apart. The functions
are called one after the other, in an order that the generator draws and that the trace does not show, after some
signals and before others, so in no run anything goes wrong. The model makes the same steps in every order that locks
and signals allow. It is wrong if a thread puts an item in though there is no room any more, or takes one out though
there is none. With the GIL it does so once more with switches only where the interpreter has a switch point: *possible*
must be what comes so in one of these, *gil-only* what comes so only elsewhere.

The other way round, what comes so must be told if a call left no room, or nothing, and the next one, of the same
function by another thread, did nothing because of that.

`python -m tests.truth.random_sizes --programs 1000` records that many and prints each difference.
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

ROOM, ANY, PUT, TAKE = "check", "again", "put", "take"  # checks: whether there is room; whether there is something
MORE, LESS = "more", "less"  # in any case


class Way(NamedTuple):
    """Of what a function does: its check, and its act."""

    check: str
    act: str
    of_room: bool = False
    counts: bool = False  # by `len`: a call, after which the interpreter looks at the eval breaker


OF_A_DICT = [
    Way("if len({d}) < {limit}:", "{d}[object()] = 1", of_room=True, counts=True),
    Way("if not {d}:", "{d}[object()] = 1", of_room=True),
    Way("if {d}:", "{d}.popitem()"),
    Way("if len({d}) > 0:", "{d}.popitem()", counts=True),
]
OF_A_SET = [Way("if {d}:", "{d}.pop()"), Way("if len({d}) != 0:", "{d}.pop()", counts=True)]


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    lines: list[str]
    size: int  # at first
    limit: int


class Wrong(NamedTuple):
    """An act by a check that holds no longer."""

    line: int
    step: int
    changed_by: int  # the step that had changed the size last


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    is_dict, name = choose.random() < 0.7, f"d{number}"
    way = choose.choice(OF_A_DICT if is_dict else OF_A_SET)
    limit = 1 if way.check.startswith("if not") else choose.randint(1, 3)
    size = choose.randint(0, limit if way.of_room else 2)
    items = ", ".join(f"'{each}': 1" if is_dict else f"'{each}'" for each in "abc"[:size])
    lines = [f"{name} = {{{items}}}" if is_dict or size else f"{name} = set()"]
    words: dict[str, object] = {"d": name, "limit": limit}
    functions = [_function(f"act{number}", way, words, choose, first_line + len(lines))]
    lines += functions[0].lines
    if choose.random() < 0.5:
        puts = f"{name}[object()] = 1" if is_dict else f"{name}.add(object())"
        takes = f"if '{choose.choice('ab')}' in {name}: pass"  # asks for an item: changes nothing
        act = choose.choice([puts, takes])
        other = Writer(f"other{number}", first_line + len(lines))
        if choose.random() < 0.3:
            other.take(choose.randrange(LOCKS - 1))
        other.access(MORE if act == puts else "nothing")
        other.write(act)
        functions.append(other.function())
        lines += functions[1].lines
    steps, calls = draw_steps(number, choose, functions, held=0.2)
    return Program(steps, [*lines, *calls], size, limit)


def _function(name: str, way: Way, words: dict[str, object], choose: random.Random, line: int) -> Function:
    """With its ops."""
    writer = Writer(name, line)
    held = choose.choice(["", "", "", "all", "act"])
    if held == "all":
        writer.take(choose.randrange(LOCKS - 1))
    block = writer.check(ROOM if way.of_room else ANY, way.check.format(**words))
    if held == "act":
        writer.take(choose.randrange(LOCKS - 1))
    if way.counts:
        writer.goes_on = False
    if choose.random() < 0.5:
        writer.goes_on = False
        writer.write("sleep(0)")
    if way.of_room:
        writer.goes_on = False  # it makes an object, by a call
    writer.access(PUT if way.of_room else TAKE)
    writer.write(way.act.format(**words))
    writer.end(block)
    return writer.function()


class Memory(NamedTuple):
    size: int
    changed_by: int = -1  # the step that changed it last
    failed: Wrong | None = None


def _after(limit: int, memory: Memory, op: Op, thread: int) -> tuple[Memory, bool]:
    match op.what:
        case "check":
            return memory, memory.size < limit
        case "again":
            return memory, memory.size > 0
        case "put" | "take":
            holds = memory.size < limit if op.what == PUT else memory.size > 0
            wrong = memory.failed if holds else memory.failed or Wrong(op.line, op.step, memory.changed_by)
            size = memory.size + 1 if op.what == PUT else max(memory.size - 1, 0)
            return Memory(size, op.step, wrong), True
        case "more":
            return memory._replace(size=memory.size + 1, changed_by=op.step), True
    return memory, True


def _done_in_vain(memory: Memory, _: Sequence[int]) -> Iterator[Wrong]:
    if memory.failed is not None:
        yield memory.failed


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what must be."""
    after = partial(_after, program.limit)
    found = partial(all_interleavings, ops_of_threads(program.steps), Memory(program.size), after, _done_in_vain)
    everywhere = found(gil=False)
    native = everywhere if FREE_THREADED else found(gil=True)
    severity = {each: "possible" if each in native else "gil-only" for each in everywhere}
    shown = set(_shown(program))
    return {(each.line, severity[each]) for each in everywhere}, {
        (each.line, severity[each]) for each in everywhere if (each.step, each.changed_by) in shown
    }


def _shown(program: Program) -> Iterator[tuple[int, int]]:
    """Two steps that follow each other, by two threads: the first one left no room, or nothing, for the second."""
    memory, acted = Memory(program.size), False
    for number, step in enumerate(program.steps):
        before, did = memory, False
        at = 0
        while at < len(step.function.ops):
            op = step.function.ops[at]
            memory, goes_on = _after(program.limit, memory, op._replace(step=number), step.thread)
            at = at + 1 if goes_on else op.at
        did = memory.size != before.size
        last = program.steps[number - 1] if number else None
        name = step.function.name
        if acted and not did and last is not None and last.thread != step.thread and last.function.name == name:
            yield from ((number, number - 1), (number - 1, number)) if name.startswith("act") else ()
        acted = did


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """See `interleavings.check_programs`."""
    return check_programs(folder, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
