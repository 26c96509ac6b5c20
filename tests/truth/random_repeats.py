"""Random programs whose threads make the same checks and act by them; which of these nothing keeps apart is known.

The threads of a program share a few functions: each checks a location and acts if it finds what it looks for. They call
them one after the other, in an order that the generator draws and that the trace does not show, under some locks, after
some signals and before others. So no check is ever stale. The model is the definition, and looks at every two calls of
a function, or of two that make something if nothing is there: in the first one the thread acted, so that the second, by
another thread, found nothing to do any more, which this one had not found out before; at every two that both deleted;
and at every one that looked up what it made in any case, with one that deleted it. They are unguarded unless one came
before the other by signals, or a lock was held at both.

`python -m tests.truth.random_repeats --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import record
from tests.truth.random_guards import PRELUDE
from tests.truth.recorded import TURNS, draw_orders, run

ABSENT = object()


class Way(NamedTuple):
    """What a function does with a location, {} in its lines. The act stands in the line before the last."""

    lines: list[str]
    finds: Callable[[object], bool]
    leaves: Callable[[object], object]
    suspends: bool  # a thread can be suspended between check and act
    harms: bool  # to do it twice


def _is_absent(value: object) -> bool:
    return value is ABSENT


def _is_there(value: object) -> bool:
    return value is not ABSENT


def _list(_: object) -> object:
    return []


def _nothing(_: object) -> object:
    return ABSENT


WAYS = [
    Way(["if {key} not in table:", "    sleep(0)", "    {} = []", "{}.append(1)"], _is_absent, _list, True, True),
    Way(["if {key} not in table:", "    {} = []", "{}.append(1)"], _is_absent, _list, False, True),
    Way(["try: {}", "except KeyError:", "    {} = []", "{}.append(1)"], _is_absent, _list, False, True),
    Way(["if {key} not in table:", "    sleep(0)", "    {} = ()", "len({})"], _is_absent, _list, True, False),
    Way(["if {key} in table:", "    sleep(0)", "    del {}", "pass"], _is_there, _nothing, True, True),
    Way(["if {key} in table:", "    del {}", "pass"], _is_there, _nothing, False, True),
]


class Function(NamedTuple):
    name: str
    way: Way
    location: str
    line: int  # of its act


class Step(NamedTuple):
    thread: int
    function: Function
    locks: tuple[int, ...]


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    precede: list[list[bool]]  # [later][earlier]
    lines: list[str]


class Told(NamedTuple):
    location: str
    line: int  # of the act
    severity: str


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    lines: list[str] = []
    functions = []
    for place in range(choose.randint(1, 3)):
        way, name = choose.choice(WAYS), f"act{number}_{place}"
        key = f"p{number}_{choose.randint(0, 1)}" if way.harms else f"p{number}_never_changed"
        location = f"table['{key}']"
        lines.append(f"def {name}():")
        lines += ["    " + each.format(location, key=repr(key)) for each in way.lines]
        functions.append(Function(name, way, location, first_line + len(lines) - 2))
    orders = draw_orders(number, choose, signals=0.15)
    lines += orders.makes
    steps, calls = [], []
    for thread in orders.threads:
        function = choose.choice(functions)
        held = tuple(sorted(choose.sample(range(3), choose.choice([0, 0, 1, 1, 2]))))
        steps.append(Step(thread, function, held))
        guards = [f"{'    ' * depth}with locks[{lock}]:" for depth, lock in enumerate(held)]
        calls.append([*guards, f"{'    ' * len(held)}{function.name}()"])
    lines += orders.program(f"work{number}", calls)
    return Program(steps, orders.precede, lines)


def told_of(step: Step) -> Told:
    suspends = FREE_THREADED or step.function.way.suspends
    return Told(step.function.location, step.function.line, "possible" if suspends else "gil-only")


def looked_up(step: Step, *, acts: bool) -> set[Told]:
    """What is made in any case is looked up after that, and would not be there if it was deleted. If it was there, the
    branch in which a thread can be suspended was not taken, but counts as if it might have been."""
    told = told_of(step)._replace(line=step.function.line + 1)
    return {told} if acts else {told._replace(severity=severity) for severity in ("possible", "gil-only")}


def ask_alike(one: Function, other: Function) -> bool:
    """Whether they are the same check, or both make something if nothing is there."""
    return one == other or (one.way.finds is other.way.finds is _is_absent)


def holds_after(step: Step) -> object:
    return step.function.way.leaves(ABSENT)


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What is unguarded; and of that, what the run shows one right after the other, without a third thread in between:
    by what such a one does with locks or events the later thread may have heard of the other."""
    steps = program.steps
    holds: dict[str, object] = {}
    acted = []
    for step in steps:
        value = holds.get(step.function.location, ABSENT)
        acts = step.function.way.finds(value)
        holds[step.function.location] = step.function.way.leaves(value) if acts else value
        acted.append(acts)
    everything, in_a_row = set(), set()
    for place, one in enumerate(steps):
        for other_place, other in enumerate(steps):
            is_ordered = program.precede[max(place, other_place)][min(place, other_place)]
            deletes = acted[place] and acted[other_place] and holds_after(one) is holds_after(other) is ABSENT
            same = one.function.location == other.function.location
            if is_ordered or not same or not set(one.locks).isdisjoint(other.locks):
                continue
            if deletes:
                everything.add(told_of(one))
            if acted[other_place] and holds_after(other) is ABSENT is not holds_after(one):
                everything |= looked_up(one, acts=acted[place])
    for earlier, one in enumerate(steps):
        if not acted[earlier] or not one.function.way.harms:
            continue
        looked: set[int] = set()  # threads that have looked before, by another check, and found it done
        for later in range(earlier + 1, len(steps)):
            other = steps[later]
            if other.function.location != one.function.location:
                continue
            if acted[later]:
                break
            if not ask_alike(one.function, other.function) or other.thread == one.thread or other.thread in looked:
                looked.add(other.thread)
                continue
            if not program.precede[later][earlier] and set(one.locks).isdisjoint(other.locks):
                everything.add(told_of(one))
                if len({each.thread for each in steps[earlier:later]}) == 1:
                    in_a_row.add(told_of(one))
            break  # of each act the next one is looked at
    return everything, in_a_row


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
        "SELECT findings.kind, label, line, severity FROM findings"
        " JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id WHERE role = 'act'"
    )
    found: defaultdict[str, set[Told]] = defaultdict(set)
    for kind, label, line, severity in rows:
        assert kind == "unguarded check"
        location = str(label).partition(" (")[0]  # what is there may have that label, too
        found[location].add(Told(location, int(str(line)), str(severity)))
    differences = []
    for program in programs:
        everything, in_a_row = truth(program)
        told = set().union(*(found[location] for location in {step.function.location for step in program.steps}))
        if not in_a_row <= told <= everything:
            text = "\n".join(program.lines)
            differences.append(f"{text}\nmissing {in_a_row - told}\nuntrue {told - everything}")
    return sum(map(len, found.values())), differences


if __name__ == "__main__":
    run(check, __doc__)
