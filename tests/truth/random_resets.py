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
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import record
from tests.truth.random_guards import PRELUDE
from tests.truth.recorded import END, SIGNALS, TURNS, order_of_steps, run

CHECK, READ, STORE, CONSTANT = "check", "read", "store", "constant"  # of who remembers
CHANGE, RESET = "change", "reset"
IMPORTS = ["import queue", "from concurrent.futures import Future"]
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


class Op(NamedTuple):
    """One thing that a thread does. `goes_on`: with the GIL it is not suspended before it."""

    what: str
    at: int = 0  # a lock or signal; the new value; how many ops are passed over if the check finds something
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
    order, waits, sets, count = order_of_steps(choose, signals=0.1)
    signals = choose.choices(list(SIGNALS), (4, 1, 1, 1, 1), k=count)
    lines.append(f"signals{number} = [{', '.join(signals)}]")
    steps = []
    bodies: defaultdict[int, list[str]] = defaultdict(list)
    for place, thread in enumerate(order):
        steps.append(Step(thread, choose.choice(functions), waits[place], sets[place]))
        bodies[thread] += [f"    signals{number}[{each}].{SIGNALS[signals[each]][1]}" for each in waits[place]]
        bodies[thread].append(f"    {steps[-1].function.name}()")
        bodies[thread] += [f"    signals{number}[{each}].{SIGNALS[signals[each]][0]}" for each in sets[place]]
        bodies[thread].append("    step()")
    for thread in range(max(order) + 1):
        lines += [f"def work{number}_{thread}(step):", *bodies[thread]]
    works = ", ".join(f"work{number}_{thread}" for thread in range(max(order) + 1))
    lines.append(f"run({[*order, *range(max(order) + 1), END]}, {works})")
    return Program(made, steps, lines)


def _function(name: str, way: list[str], words: dict[str, object], choose: random.Random, line: int) -> Function:
    """With its ops. It may hold one lock for all that it does, or for a line of who changes."""
    writer = _Writer(name, line)
    whole = choose.choice([None, None, 0, 1])
    is_maker = any("{made}" in each for each in way)
    if whole is not None:
        writer.take(whole)
    for text in way:
        if text.startswith("{lock}") and whole is None:
            writer.take(choose.randrange(2))
        is_apart = whole is None and not is_maker and "sleep" not in text and choose.random() < 0.3
        if is_apart:
            writer.take(choose.randrange(2))
        writer.add(text.removeprefix("{lock}"), words)
        if is_apart:
            writer.give_up()
    return writer.function()


class _Writer:
    """Writes a function, and says what it does."""

    def __init__(self, name: str, line: int) -> None:
        self._name, self._line = name, line
        self._lines = [f"def {name}():"]
        self._ops: list[Op] = []
        self._held: list[int] = []
        self._depth = 1
        self._goes_on = False

    def take(self, lock: int) -> None:
        self._write(f"with locks[{lock}]:")
        self._ops.append(Op("acquire", lock))
        self._held.append(lock)
        self._depth += 1
        self._goes_on = False

    def give_up(self) -> None:
        self._ops.append(Op("release", self._held.pop()))
        self._depth -= 1
        self._goes_on = False

    def add(self, text: str, words: dict[str, object]) -> None:
        is_call = "drop" in text or "make" in text or "sleep" in text  # it looks at the eval breaker as it begins
        self._goes_on &= not is_call
        if text.startswith("{missing}"):
            self._access(CHECK, len(self._held))
        if "{value} +" in text or text.startswith("seen") or "make" in text:
            self._access(READ)
        if text.startswith("{made}"):
            self._access(CONSTANT if text.endswith("7") else STORE)
        if text.startswith("{value}"):
            self._access(CHANGE, int(str(words["new"])))
        if text == "{reset}" or "drop" in text:
            self._access(RESET)
            self._goes_on = text == "{reset}" and words["reset"] == f"{words['made']} = None"  # no call
        self._write(text.format(**words))
        self._depth += text.startswith("{missing}")

    def _write(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def _access(self, what: str, at: int = 0) -> None:
        self._ops.append(Op(what, at, self._line + len(self._lines), goes_on=self._goes_on))
        self._goes_on = True

    def function(self) -> Function:
        """All that a check decides upon lies behind it, but for the release of the locks that are held by then."""
        end = len(self._ops) + len(self._held)
        ops = [op._replace(at=end - op.at) if op.what == CHECK else op for op in self._ops]
        ops += [Op("release", lock) for lock in reversed(self._held)]
        return Function(self._name, ops, self._lines)


class State(NamedTuple):
    """Where a program is."""

    at: tuple[int, ...]  # by thread: the next of its ops
    holders: tuple[int | None, ...]  # by lock
    given: frozenset[int]  # signals
    value: int
    changed_by: int  # the step that changed it last
    made: tuple[int, int, int] | None  # of which value, the line of the store, its step; None: nothing is there
    seen: tuple[int, ...]  # by thread


def ops_of(number: int, step: Step, before: int) -> list[Op]:
    """Of a step that comes after so many ops of its thread."""
    waits = [Op("wait", each) for each in step.waits]
    start = before + len(waits)
    ops = [op._replace(step=number) for op in step.function.ops]
    ops = [op._replace(at=op.at + start) if op.what == CHECK else op for op in ops]
    return [*waits, *ops, *(Op("set", each) for each in step.sets)]


def all_interleavings(threads: Sequence[Sequence[Op]], *, gil: bool) -> set[Wrong]:
    """What goes wrong in one of them."""
    begin = State((0,) * len(threads), (None,) * 2, frozenset(), 0, -1, None, (0,) * len(threads))
    found: set[Wrong] = set()
    seen: set[State] = set()
    pending = [begin]
    while pending:
        state = pending.pop()
        if state in seen:
            continue
        seen.add(state)
        if state.made is not None and state.made[0] != state.value and not _is_to_be_reset(threads, state):
            found.add(Wrong(*state.made[1:], state.changed_by))
        goes_on = [t for t, ops in enumerate(threads) if state.at[t] < len(ops) and gil and ops[state.at[t]].goes_on]
        pending += [after for t in goes_on or range(len(threads)) if (after := _after(threads, state, t)) is not None]
    return found


def _is_to_be_reset(threads: Sequence[Sequence[Op]], state: State) -> bool:
    """Whether a thread has changed the value, and will reset what is remembered in the same call."""
    for ops, at in zip(threads, state.at, strict=True):
        step = next((op.step for op in ops[at:] if op.what == RESET), None)
        if step is not None and any(op.what == CHANGE and op.step == step for op in ops[:at]):
            return True
    return False


def _after(threads: Sequence[Sequence[Op]], state: State, thread: int) -> State | None:
    """The state after a thread's next op; None if it has none, or cannot go on."""
    ops, at = threads[thread], state.at[thread]
    if at >= len(ops):
        return None
    op, then = ops[at], at + 1
    holders, seen = list(state.holders), list(state.seen)
    match op.what:
        case "acquire":
            if holders[op.at] is not None:
                return None
            holders[op.at] = thread
        case "release":
            holders[op.at] = None
        case "wait":
            if op.at not in state.given:
                return None
        case "set":
            state = state._replace(given=state.given | {op.at})
        case "check":
            then = at + 1 if state.made is None else op.at
        case "read":
            seen[thread] = state.value
        case "store":
            state = state._replace(made=(seen[thread], op.line, op.step))
        case "constant":
            state = state._replace(made=(-1, op.line, op.step))
        case "change":
            if op.at != state.value:
                state = state._replace(value=op.at, changed_by=op.step)
        case "reset":
            state = state._replace(made=None)
    moved = (*state.at[:thread], then, *state.at[thread + 1 :])
    return state._replace(at=moved, holders=tuple(holders), seen=tuple(seen))


Told = tuple[int, str]  # the line of the store, severity


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
    threads: list[list[Op]] = [[] for _ in range(max(step.thread for step in program.steps) + 1)]
    for number, step in enumerate(program.steps):
        ops = ops_of(number, step, len(threads[step.thread]))
        if calls is not None and number not in calls:
            ops = [
                op._replace(what="nothing") if op.what in (CHECK, READ, STORE, CONSTANT, RESET) else op for op in ops
            ]
        threads[step.thread] += ops
    everywhere = all_interleavings(threads, gil=False)
    native = everywhere if FREE_THREADED else all_interleavings(threads, gil=True)
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
    """Records programs; gives how many findings they have, and what is otherwise than expected."""
    (folder / "turns.py").write_text(TURNS)
    lines = [*IMPORTS, *PRELUDE.splitlines()]
    programs = []
    for number in range(count):
        programs.append((len(lines) + 1, build(number, choose, len(lines) + 1)))
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
    assert {kind for kind, _, _ in rows} <= {"unguarded check"}
    found = {(int(str(line)), str(severity)) for _, severity, line in rows}
    differences = []
    for first_line, program in programs:
        its = range(first_line, first_line + len(program.lines))
        told = {each for each in found if each[0] in its}
        true, needed = truth(program)
        severities = dict(sorted(told))  # the highest: possible
        missing = {(line, severity) for line, severity in needed if severities.get(line, "") < severity}
        if missing or not told <= true:
            text = "\n".join(f"{number:4} {line}" for number, line in zip(its, program.lines, strict=True))
            differences.append(f"{text}\nuntrue {told - true}\nmissing {missing}")
    return len(found), differences


if __name__ == "__main__":
    run(check, __doc__)
