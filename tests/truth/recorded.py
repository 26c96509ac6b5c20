"""What the random programs share whose findings are known: turns for their threads, and a command line."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

END = -1  # in an order: nobody's turn
AT_ONCE = 200  # programs in one recorded process
TURNS = '''\
"""Threads that take turns in a given order, by pipes: no wait is recorded. This module is not woven."""
import os


class Turns:
    def __init__(self, order):
        self.order, self.now, self.ended = order, -1, set()
        self.pipes = {thread: os.pipe() for thread in order}
        self.next()

    def next(self):
        self.now += 1
        while self.order[self.now] in self.ended:
            self.now += 1
        os.write(self.pipes[self.order[self.now]][1], b".")

    def run(self, thread, work):
        def step():
            self.next()
            os.read(self.pipes[thread][0], 1)

        os.read(self.pipes[thread][0], 1)
        try:
            work(step)
        except (KeyError, AttributeError):
            pass
        self.ended.add(thread)
        self.next()

    def close(self):
        for pipe in self.pipes.values():
            for end in pipe:
                os.close(end)
'''


def order_of_steps(choose: random.Random, *, signals: float) -> tuple[list[int], list[list[int]], list[list[int]], int]:
    """Random steps of two or three threads: the thread of each, in order; the events that each waits for first, and
    those that it sets in the end; how many events. `signals`: the share of pairs of steps that have one."""
    counts = [choose.randint(1, 3) for _ in range(choose.choice([2, 2, 3]))]
    order = [thread for thread, count in enumerate(counts) for _ in range(count)]
    choose.shuffle(order)
    waits: list[list[int]] = [[] for _ in order]
    sets: list[list[int]] = [[] for _ in order]
    events = 0
    for later in range(len(order)):
        for earlier in range(later):
            if order[earlier] != order[later] and choose.random() < signals:
                sets[earlier].append(events)
                waits[later].append(events)
                events += 1
    return order, waits, sets, events


def comes_before(steps: Sequence[tuple[int, Collection[int], Collection[int]]]) -> list[list[bool]]:
    """Whether one step came before another, [later][earlier], because both are of one thread, or by events. Of each
    step, in order: its thread, the events that it waits for first, and those that it sets in the end."""
    before = [[False] * len(steps) for _ in steps]
    for later, (thread, waits, _) in enumerate(steps):
        for earlier, (other, _, sets) in enumerate(steps[:later]):
            if other == thread or not set(sets).isdisjoint(waits):
                before[later][earlier] = True
                for first in range(earlier):
                    before[later][first] |= before[earlier][first]
    return before


def run(check: Callable[[Path, random.Random, int], tuple[int, list[str]]], description: str | None) -> None:
    """Records programs, and prints each difference between what `check` expects and what is found."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    choose = random.Random(options.seed)
    total, different = 0, 0
    for start in range(0, options.programs, AT_ONCE):
        with tempfile.TemporaryDirectory() as name:
            number, differences = check(Path(name), choose, min(AT_ONCE, options.programs - start))
        total += number
        different += len(differences)
        for difference in differences:
            print(difference, end="\n\n")
    print(f"{options.programs} programs, {total} findings, {different} differences")
    raise SystemExit(different > 0)
