"""Random programs whose tasks and threads update what they share, under asyncio's locks and orders; which updates
nothing guards is known.

Tasks of one event loop make a few steps each, in an order that the generator draws; so does another thread, and so do
callbacks of the loop. Whose turn it is, tasks see by a count that is not recorded, and so nothing is ever lost. Orders
are events, semaphores, queues and futures of asyncio, and the awaits of tasks. The model is the definition: two writes
of a location by different lanes, at least one of them an update, are unguarded unless one came before the other, or a
lock was held at both. What one loop runs comes into an update only if the task was suspended in it: then it is
possible, else there is none. Into that of a thread it may come, and a thread into all, if the interpreter can suspend
the one that updates there; else the GIL prevents it.

`python -m tests.truth.random_tasks --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.truth.recorded import Told, check_updates, comes_before, order_of_steps, run

TURNS = '''\
"""Tasks, and a thread, that take turns in a given order. This module is not woven, and no wait is recorded."""
import asyncio, os


class Turns:
    def __init__(self, order):
        self.order, self.now = order, 0
        self.mine, self.back = os.pipe(), os.pipe()

    async def come(self, lane):
        while self.order[self.now] != lane:
            if self.order[self.now] == "thread":  # the loop stands still meanwhile
                os.write(self.mine[1], b".")
                os.read(self.back[0], 1)
            else:
                await asyncio.sleep(0)

    def next(self):
        self.now += 1

    def take(self):
        os.read(self.mine[0], 1)

    def give(self):
        self.now += 1
        os.write(self.back[1], b".")

    def close(self):
        for pipe in (self.mine, self.back):
            for end in pipe:
                os.close(end)
'''
PRELUDE = """\
import asyncio, contextlib, threading
from turns import Turns
class Box: pass
box, table = Box(), {}
class Notice:
    def __init__(self): self.condition, self.given = asyncio.Condition(), False
    async def set(self):
        async with self.condition:
            self.given = True
            self.condition.notify_all()
    async def wait(self):
        async with self.condition: await self.condition.wait_for(lambda: self.given)
def same(value): return value
def run(order, thread, make, *works):
    async def main():
        global loop, signals, locks
        loop, signals, turns = asyncio.get_running_loop(), make(), Turns(order)
        locks = {"asyncio.Lock()": asyncio.Lock(), "asyncio.Condition()": asyncio.Condition(),
                 "threading.Lock()": threading.Lock()}
        beside = None if thread is None else loop.run_in_executor(None, thread, turns)
        await asyncio.gather(turns.come("end"), *(work(turns) for work in works))
        if beside is not None: await beside
        turns.close()
    asyncio.run(main())
"""
SIGNALS = {  # from task to task: how they are given, and waited for
    "asyncio.Event()": ("{}.set()", "await {}.wait()"),
    "asyncio.Semaphore(0)": ("{}.release()", "await {}.acquire()"),
    "asyncio.Queue()": ("{}.put_nowait(1)", "await {}.get()"),
    "asyncio.get_running_loop().create_future()": ("{}.set_result(1)", "await {}"),
    "Notice()": ("await {}.set()", "await {}.wait()"),
}
TO_THREAD = {"threading.Event()": ("{}.set()", "{}.wait()")}
FROM_THREAD = {"asyncio.Event()": ("loop.call_soon_threadsafe({}.set)", "await {}.wait()")}
LOCKS = {"asyncio.Lock()": "async with", "asyncio.Condition()": "async with", "threading.Lock()": "with"}
THREAD = 2  # the number of the lane that is a thread, if there is one
WAYS = {  # of a write: its lines, whether it is an update, whether a task is suspended in it, whether a thread may be
    "at once": (["{} += 1"], True, False, False),
    "with a call": (["seen = {}", "same(1)", "{} = seen + 1"], True, False, True),
    "with an await": (["seen = {}", "await asyncio.sleep(0)", "{} = seen + 1"], True, True, True),
    "without a read": (["{} = {value}"], False, False, False),
    "after an await": (["await asyncio.sleep(0)", "{} += 1"], True, False, False),
    "by a callback": (["{} += 1"], True, False, False),
}
OF_TASKS = frozenset(["with an await", "after an await", "by a callback"])


class Step(NamedTuple):
    lane: int
    way: str
    location: str
    locks: tuple[str, ...]
    line: int  # of its write
    finds_done: bool  # it awaits a future that is done: it may have heard of anything

    def can_be_broken_into(self, other: Step) -> bool | None:
        """Whether the other may come in between its read and its write; None: only without the GIL."""
        _, is_update, awaits, is_suspended = WAYS[self.way]
        if not is_update:
            return False
        if THREAD not in (self.lane, other.lane):
            return awaits
        return True if is_suspended or FREE_THREADED else None


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    precede: list[list[bool]]  # [later][earlier]
    lines: list[str]


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    order, waits, sets, count = order_of_steps(choose, signals=0.15)
    kinds: list[str] = []
    ways: list[tuple[str, str]] = []
    for signal in range(count):
        giver = next(order[place] for place in range(len(order)) if signal in sets[place])
        taker = next(order[place] for place in range(len(order)) if signal in waits[place])
        of = TO_THREAD if taker == THREAD else FROM_THREAD if giver == THREAD else SIGNALS
        kinds.append(choose.choice(list(of)))
        ways.append(of[kinds[-1]])
    names = [f"table['p{number}']", f"box.p{number}"]
    lines = [f"{name} = 0" for name in names]
    steps: list[Step] = []
    bodies: defaultdict[int, list[str]] = defaultdict(list)
    for place, lane in enumerate(order):
        is_thread = lane == THREAD
        location, way = (
            choose.choice(names),
            choose.choice([each for each in WAYS if not is_thread or each not in OF_TASKS]),
        )
        held = choose.sample(list(LOCKS)[2 * is_thread :], choose.choice([0, 0, 1]))
        begin = "def" if is_thread or way == "by a callback" else "async def"
        if way == "by a callback":
            held = []
        finds_done = any("create_future" in kinds[each] for each in waits[place])
        lines.append(f"{begin} step{number}_{place}():")
        lines += [f"    {'    ' * depth}{LOCKS[lock]} locks['{lock}']:" for depth, lock in enumerate(held)]
        margin = "    " * (len(held) + 1)
        lines += [margin + each.replace("{value}", str(1000 + place)).format(location) for each in WAYS[way][0]]
        steps.append(Step(lane, way, location, tuple(held), first_line + len(lines) - 1, finds_done))
        call = f"step{number}_{place}()"
        calls = [call if is_thread else f"await {call}"]
        if way == "by a callback":
            calls = [f"loop.call_soon({call[:-2]})", "await asyncio.sleep(0)"]
        bodies[lane] += [
            "    " + each
            for each in (
                "turns.take()" if is_thread else f"await turns.come({lane})",
                *(ways[each][1].format(f"signals[{each}]") for each in waits[place]),
                *calls,
                *(ways[each][0].format(f"signals[{each}]") for each in sets[place]),
                "turns.give()" if is_thread else "turns.next()",
            )
        ]
    for lane, body in sorted(bodies.items()):
        lines += [f"{'def' if lane == THREAD else 'async def'} work{number}_{lane}(turns):", *body]
    works = ", ".join(f"work{number}_{lane}" for lane in sorted(bodies) if lane != THREAD)
    thread = f"work{number}_{THREAD}" if THREAD in bodies else "None"
    turns = ["thread" if lane == THREAD else lane for lane in order]
    lines.append(f"run({[*turns, 'end']}, {thread}, lambda: [{', '.join(kinds)}], {works})")
    marks = [(lane, set(waits[place]), set(sets[place])) for place, lane in enumerate(order)]
    return Program(steps, comes_before(marks), lines)


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What is unguarded; and of that, what the run shows one right after the other, without a third lane in between."""
    steps = program.steps
    everything, in_a_row = set(), set()
    for later, step in enumerate(steps):
        nearest = True
        for earlier in reversed(range(later)):
            other = steps[earlier]
            if other.location != step.location:
                continue
            is_nearest, nearest = nearest, False
            if other.lane == step.lane or program.precede[later][earlier] or set(step.locks) & set(other.locks):
                continue
            broken = {step.can_be_broken_into(other), other.can_be_broken_into(step)} - {False}
            if not broken:
                continue
            severity = "possible" if True in broken else "gil-only"
            told = step.location, frozenset((step.line, other.line)), severity
            everything.add(told)
            finds_done = any(each.finds_done for each in steps[earlier + 1 : later + 1])
            if is_nearest and len({each.lane for each in steps[earlier:later]}) == 1 and not finds_done:
                in_a_row.add(told)
    return everything, in_a_row


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """See `recorded.check_updates`."""
    return check_updates(folder, TURNS, PRELUDE, lambda number, line: build(number, choose, line), truth, count)


if __name__ == "__main__":
    run(check, __doc__)
