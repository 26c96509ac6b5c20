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
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.truth import recorded
from tests.truth.recorded import TURNS, Told, check_updates, draw_orders, run

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
    """See `recorded.check_updates`."""
    return check_updates(folder, TURNS, PRELUDE, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
