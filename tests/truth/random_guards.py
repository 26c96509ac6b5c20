"""Random programs whose threads update what they share, under locks and orders; which updates nothing guards is known.

Each thread makes a few steps, each under some locks, after some signals and before others: events, semaphores, queues,
futures, conditions, barriers, the starts and ends of threads. The steps are made one after
the other, in an order that the generator draws and that the trace does not show, so nothing is ever lost. Its model is
the definition, and looks at every two steps: two writes of a location by different threads, at least one of them an
update, are unguarded unless one came before the other by signals, or a lock was held at both. With the GIL, one that
can be suspended between read and write makes them possible, else the GIL prevents it.

`python -m tests.truth.random_guards --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import record
from tests.truth import recorded
from tests.truth.recorded import TURNS, draw_orders, run

PRELUDE = f"""\
{recorded.PRELUDE}
class Box: pass
box, table = Box(), {{}}
locks = [threading.Lock() for _ in range(3)]
"""
WAYS = {  # of a write: its lines, and whether a thread can be suspended in it, for a reason of its own
    "at once": (["{} += 1"], False),
    "with a call": (["seen = {}", "sleep(0)", "{} = seen + 1"], True),
    "with a loop": (["seen = {}", "for _ in range(2): pass", "{} = seen + 1"], True),
    "without a read": (["{} = {value}"], False),
}


class Step(NamedTuple):
    thread: int
    way: str
    location: str
    locks: tuple[int, ...]
    line: int  # of its write

    @property
    def is_update(self) -> bool:
        return self.way != "without a read"


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    precede: list[list[bool]]  # [later][earlier]
    lines: list[str]


Told = tuple[str, frozenset[int], str]  # location, lines of the two writes, severity


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    orders = draw_orders(number, choose, signals=0.15)
    names = [f"table['p{number}']", f"box.p{number}"]
    lines = [f"{name} = 0" for name in names] + orders.makes
    steps = []
    calls = []
    for place, thread in enumerate(orders.threads):
        location, way = choose.choice(names), choose.choice(list(WAYS))
        held = tuple(sorted(choose.sample(range(3), choose.choice([0, 0, 1, 1, 2]))))
        lines.append(f"def step{number}_{place}():")
        lines += [f"    {'    ' * depth}with locks[{lock}]:" for depth, lock in enumerate(held)]
        margin = "    " * (len(held) + 1)
        lines += [margin + each.replace("{value}", str(1000 + place)).format(location) for each in WAYS[way][0]]
        steps.append(Step(thread, way, location, held, first_line + len(lines) - 1))
        call = [f"step{number}_{place}()"]
        if choose.random() < 0.15:  # the locks are released by an exception
            lines.append(f"{margin}raise ValueError")
            call = ["try:", f"    {call[0]}", "except ValueError: pass"]
        calls.append(call)
    lines += orders.program(f"work{number}", calls)
    return Program(steps, orders.precede, lines)


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What is unguarded; and of that, what the run shows one right after the other, without a third thread in between:
    by what such a one does with locks or events the later thread may have heard of the other."""
    steps = program.steps
    everything, in_a_row = set(), set()
    for later, step in enumerate(steps):
        nearest = True
        for earlier in reversed(range(later)):
            other = steps[earlier]
            if other.location != step.location:
                continue
            is_nearest, nearest = nearest, False
            if (
                other.thread == step.thread
                or program.precede[later][earlier]
                or not (other.is_update or step.is_update)
            ):
                continue
            if not set(step.locks).isdisjoint(other.locks):
                continue
            suspends = FREE_THREADED or any(WAYS[each.way][1] for each in (step, other))
            told = step.location, frozenset((step.line, other.line)), "possible" if suspends else "gil-only"
            everything.add(told)
            between = {each.thread for each in steps[earlier:later]}
            if is_nearest and len(between) == 1:
                in_a_row.add(told)
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
        "SELECT findings.kind, label, min(line), max(line), severity FROM findings"
        " JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id WHERE role != 'read' GROUP BY findings.id"
    )
    found: defaultdict[str, set[Told]] = defaultdict(set)
    for kind, label, one, other, severity in rows:
        assert kind == "unguarded update"
        found[str(label)].add((str(label), frozenset((int(str(one)), int(str(other)))), str(severity)))
    differences = []
    for program in programs:
        everything, in_a_row = truth(program)
        told = set().union(*(found[location] for location in {step.location for step in program.steps}))
        if not in_a_row <= told <= everything:
            text = "\n".join(program.lines)
            differences.append(f"{text}\nmissing {in_a_row - told}\nuntrue {told - everything}")
    return sum(map(len, found.values())), differences


if __name__ == "__main__":
    run(check, __doc__)
