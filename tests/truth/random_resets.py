"""Tiny random programs that remember what they make of a value until it is reset; all of their interleavings are gone
through.

Threads share a few functions. Some make something of a value if nothing is remembered, and remember that; others change
the value and reset what is remembered, in the one order or the other; some only reset. All may take locks for all that
they do, or for a part. The functions are called one after the other, in an order that the generator draws and that the
trace does not show, after some signals and before others, so in no run anything goes wrong. The model makes the same
accesses in every order that locks and signals allow. It is wrong if, with nobody about to reset it, what is remembered
was made of another value than is there. With the GIL it does so once more with switches only where the interpreter has
a switch point: *possible* must be what comes so in one of these, *gil-only* what comes so only elsewhere.

The other way round, what comes so must be told if a thread stored, and another one changed and reset next after that,
or before: nobody else wrote there in between, and no third thread did anything. Not if the value was read before the
check.

`python -m tests.truth.random_resets --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
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

CHECK, READ, STORE, CONSTANT = "check", "read", "store", "constant"  # of who remembers
CHANGE, RESET = "change", "reset"
MAKERS = [  # lines, where {value} is what they are made of, {made} what is remembered
    ["{missing}:", "{made} = {value} + 1"],
    ["{missing}:", "seen = {value}", "sleep(0)", "{made} = seen + 1"],
    ["{missing}:", "sleep(0)", "{made} = {value} + 1"],
    ["{missing}:", "{made} = make{number}()"],
    ["{missing}:", "sleep(0)", "{made} = 7"],
    ["seen = {value}", "{missing}:", "sleep(0)", "{made} = seen + 1"],
    ["{missing}:", "{lock}{missing}:", "seen = {value}", "sleep(0)", "{made} = seen + 1"],
]
RESETTERS = [
    ["{value} = {new}", "{reset}"],
    ["{value} = {new}", "sleep(0)", "{reset}"],
    ["{reset}", "{value} = {new}"],
    ["{reset}", "sleep(0)", "{value} = {new}"],
    ["{value} = {new}", "drop{number}()"],
    ["{reset}"],
]


class Program(NamedTuple):
    label: str
    steps: list[Step]  # in the order in which they are made
    lines: list[str]


class Wrong(NamedTuple):
    """What was remembered is out of date."""

    line: int  # of the store
    step: int
    changed_by: int  # the step that changed the value


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    value = f"box.value{number}"
    if choose.random() < 0.5:
        made, reset, missing = f"box.made{number}", f"box.made{number} = None", f"if box.made{number} is None"
        lines = [f"{made} = None"]
    else:
        key = repr(f"made{number}")
        made, reset, missing = f"table[{key}]", f"table.pop({key}, None)", f"if {key} not in table"
        lines = []
    lines += [f"{value} = 0", f"def make{number}(): return {value} + 1", f"def drop{number}(): {reset}"]
    words = {"value": value, "made": made, "reset": reset, "missing": missing, "number": number}
    functions = []
    for place in range(choose.randint(2, 3)):
        ways = MAKERS if place == 0 else RESETTERS if place == 1 else choose.choice([MAKERS, RESETTERS])
        way = choose.choice(ways)
        words["new"] = choose.randint(1, 2)
        name = f"act{number}_{place}"
        functions.append(_function(name, way, words, choose, first_line + len(lines)))
        lines += functions[-1].lines
    steps, calls = draw_steps(number, choose, functions)
    return Program(made, steps, [*lines, *calls])


def _function(name: str, way: list[str], words: dict[str, object], choose: random.Random, line: int) -> Function:
    """With its ops. It may hold one lock for all that it does, or for a line of who changes."""
    writer = Writer(name, line)
    whole = choose.choice([None, None, 0, 1])
    is_maker = any("{made}" in each for each in way)
    if whole is not None:
        writer.take(whole)
    checks: list[int] = []
    for text in way:
        if text.startswith("{lock}") and whole is None:
            writer.take(choose.randrange(LOCKS - 1))
        is_apart = whole is None and not is_maker and "sleep" not in text and choose.random() < 0.3
        if is_apart:
            writer.take(choose.randrange(LOCKS - 1))
        checks += _add(writer, text.removeprefix("{lock}"), words)
        if is_apart:
            writer.give_up()
    for each in reversed(checks):
        writer.end(each)
    return writer.function()


def _add(writer: Writer, text: str, words: dict[str, object]) -> Iterator[int]:
    """Gives what ends the block that the line begins."""
    line = text.format(**words)
    if text.startswith("{missing}"):
        yield writer.check(CHECK, line)
        return
    is_call = "drop" in text or "make" in text or "sleep" in text  # it looks at the eval breaker as it begins
    writer.goes_on &= not is_call
    if "{value} +" in text or text.startswith("seen") or "make" in text:
        writer.access(READ)
    if text.startswith("{made}"):
        writer.access(CONSTANT if text.endswith("7") else STORE)
    if text.startswith("{value}"):
        writer.access(CHANGE, int(str(words["new"])))
    if text == "{reset}" or "drop" in text:
        writer.access(RESET)
        writer.goes_on = text == "{reset}" and words["reset"] == f"{words['made']} = None"  # no call
    writer.write(line)


class Memory(NamedTuple):
    value: int = 0
    changed_by: int = -1  # the step that changed it last
    made: tuple[int, int, int] | None = None  # of which value, the line of the store, its step; None: nothing is there
    seen: tuple[int, ...] = (0, 0, 0)  # by thread


def _after(memory: Memory, op: Op, thread: int) -> tuple[Memory, bool]:
    match op.what:
        case "check":
            return memory, memory.made is None
        case "read":
            seen = (*memory.seen[:thread], memory.value, *memory.seen[thread + 1 :])
            return memory._replace(seen=seen), True
        case "store":
            return memory._replace(made=(memory.seen[thread], op.line, op.step)), True
        case "constant":
            return memory._replace(made=(-1, op.line, op.step)), True
        case "change" if op.at != memory.value:
            return memory._replace(value=op.at, changed_by=op.step), True
        case "reset":
            return memory._replace(made=None), True
    return memory, True


def _out_of_date(threads: Sequence[Sequence[Op]], memory: Memory, at: Sequence[int]) -> Iterator[Wrong]:
    if memory.made is not None and -1 != memory.made[0] != memory.value and not _is_to_be_reset(threads, at):
        yield Wrong(*memory.made[1:], memory.changed_by)


def _is_to_be_reset(threads: Sequence[Sequence[Op]], places: Sequence[int]) -> bool:
    """Whether a thread has changed the value, and will reset what is remembered in the same call."""
    for ops, at in zip(threads, places, strict=True):
        step = next((op.step for op in ops[at:] if op.what == RESET), None)
        if step is not None and any(op.what == CHANGE and op.step == step for op in ops[:at]):
            return True
    return False


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What may be told; and of that, what must be.

    Of every two calls it may be told if the one can come into the other, as far as locks, signals and the value go,
    whatever is remembered by other calls; it must be if that comes so with all of them."""
    true: set[Told] = set()
    for one in range(len(program.steps)):
        for other in range(len(program.steps)):
            if program.steps[one].thread != program.steps[other].thread:
                whats = [{op.what for op in program.steps[number].function.ops} for number in (one, other)]
                if STORE in whats[0] and {CHANGE, RESET} <= whats[1]:
                    true |= {told for told, wrong in _of_calls(program, {one, other}) if wrong[1:] == (one, other)}
    shown = set(_shown(program))
    return true, {told for told, wrong in _of_calls(program) if wrong[1:] in shown}


def _of_calls(program: Program, calls: Collection[int] | None = None) -> Iterator[tuple[Told, Wrong]]:
    """What goes wrong in some interleaving; of `calls` (steps) only, if given, though others lock and change, too."""
    remembers = (CHECK, READ, STORE, CONSTANT, RESET)
    threads = ops_of_threads(
        program.steps, lambda step, op: calls is not None and step not in calls and op.what in remembers
    )
    found = partial(all_interleavings, threads, Memory(), _after, partial(_out_of_date, threads))
    everywhere = found(gil=False)
    native = everywhere if FREE_THREADED else found(gil=True)
    for each in everywhere:
        yield (each.line, "possible" if each in native else "gil-only"), each


def _shown(program: Program) -> list[tuple[int, int]]:
    """Steps that stored, and next after them, or before, steps of another thread that changed and reset."""
    found = []
    made, value = False, 0
    last: tuple[int, str, bool] | None = (
        None  # the last step that wrote what is remembered, what it did, what it changed
    )
    for number, step in enumerate(program.steps):
        whats = [op.what for op in step.function.ops]
        if RESET in whats:
            takes_out = made or program.label.startswith("box")  # else it leaves no trace
            new = next((op.at for op in step.function.ops if op.what == CHANGE), value)
            did, changes = RESET, new != value
            value, made = new, False
            if not takes_out:
                continue
        elif not made:
            did, changes = (STORE if STORE in whats and whats.index(CHECK) < whats.index(READ) else CONSTANT), False
            made = True
        else:
            continue
        if last is not None and program.steps[last[0]].thread != step.thread:
            others = {each.thread for each in program.steps[last[0] : number]}
            if len(others) == 1 and {did, last[1]} == {STORE, RESET} and (changes or last[2]):
                found.append((number, last[0]) if did == STORE else (last[0], number))
        last = number, did, changes
    return found


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """See `interleavings.check_programs`."""
    return check_programs(folder, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
