"""What the random programs share whose findings are known: turns and orders of their threads, and a command line."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from tests.recording import record

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
        def take():
            os.read(self.pipes[thread][0], 1)

        def step():
            self.next()
            take()

        step.give, step.take = self.next, take
        take()
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
SIGNALS = {  # how they are given, and waited for
    "threading.Event()": ("set()", "wait()"),
    "threading.Semaphore(0)": ("release()", "acquire()"),
    "queue.Queue()": ("put(1)", "get()"),
    "queue.SimpleQueue()": ("put(1)", "get()"),
    "Future()": ("set_result(1)", "result()"),
}
PRELUDE = """\
import queue, threading
from concurrent.futures import Future
from time import sleep
from turns import Turns
class Notice:
    def __init__(self):
        self.condition, self.given = threading.Condition(), False
    def set(self):
        with self.condition:
            self.given = True
            self.condition.notify_all()
    def wait(self):
        with self.condition:
            while not self.given: self.condition.wait()
def run(order, *works, later=()):
    global threads
    turns = Turns(order)
    threads = [threading.Thread(target=turns.run, args=each) for each in enumerate(works)]
    first = [each for number, each in enumerate(threads) if number not in later]
    for thread in first: thread.start()
    for thread in first: thread.join()
    for number in later: threads[number].join()
    turns.close()
"""


Told = tuple[str, frozenset[int], str]  # location, lines of the two writes, severity


class Located(Protocol):
    @property
    def location(self) -> str: ...


class OfSteps(Protocol):
    """A program of steps, each of which writes to a location."""

    @property
    def steps(self) -> Sequence[Located]: ...
    @property
    def lines(self) -> list[str]: ...


P = TypeVar("P", bound=OfSteps)


class Orders(NamedTuple):
    """Steps of threads, and what puts them in order."""

    threads: list[int]  # of each step, in the order in which they are made
    makes: list[str]  # the lines that make signals and barriers
    before: list[list[str]]  # the lines in front of each step: waits, joins
    after: list[list[str]]  # those behind it: signals, starts
    barriers: list[list[str]]  # those of each step's thread, after the step, when it is another one's turn
    later: list[int]  # threads that others start, in the order in which they do
    joined: set[int]  # threads that others join
    precede: list[list[bool]]  # [later][earlier]: whether one step came before another by any of that

    def program(self, name: str, steps: Sequence[list[str]], under_way: Container[int] = ()) -> list[str]:
        """The lines that make these steps, in functions with this name, and run them. Those `under_way` are not over as
        their turn ends: they hand it on themselves."""
        bodies: defaultdict[int, list[str]] = defaultdict(list)
        last = {thread: place for place, thread in enumerate(self.threads)}
        for place, thread in enumerate(self.threads):
            lines = [*self.before[place], *steps[place], *self.after[place]]
            if place in under_way:
                pass
            elif self.barriers[place]:
                lines += ["step.give()", *self.barriers[place], "step.take()"]
            elif place != last[thread] or thread not in self.joined:
                lines.append("step()")
            bodies[thread] += ["    " + each for each in lines]
        threads = range(max(self.threads) + 1)
        lines = [line for thread in threads for line in (f"def {name}_{thread}(step):", *bodies[thread])]
        works = ", ".join(f"{name}_{thread}" for thread in threads)
        return [*lines, f"run({[*self.threads, *threads, END]}, {works}, later={self.later})"]


def draw_orders(number: int, choose: random.Random, *, signals: float) -> Orders:
    """Random steps of two or three threads, and signals, barriers, starts and joins. `number` is that of the program;
    `signals` is the share of pairs of steps that have one."""
    order, waits, sets, count = order_of_steps(choose, signals=signals)
    kinds = choose.choices([*SIGNALS, "Notice()"], (4, 1, 1, 1, 1, 2), k=count)
    ways = [SIGNALS.get(kind, ("set()", "wait()")) for kind in kinds]
    before = [[f"signals{number}[{each}].{ways[each][1]}" for each in waits[place]] for place in range(len(order))]
    after = [[f"signals{number}[{each}].{ways[each][0]}" for each in sets[place]] for place in range(len(order))]
    barriers: list[list[str]] = [[] for _ in order]
    makes = [f"signals{number} = [{', '.join(kinds)}]"]
    marks = [(thread, set(waits[place]), set(sets[place])) for place, thread in enumerate(order)]

    def put_in_order(earlier: Collection[int], later: Collection[int]) -> None:
        nonlocal count
        for place in earlier:
            marks[place][2].add(count)
        for place in later:
            marks[place][1].add(count)
        count += 1

    if choose.random() < 0.2:
        cut = choose.randrange(1, len(order))
        parties = set(order[:cut]) & set(order[cut:])
        if len(parties) > 1:
            makes.append(f"barrier{number} = threading.Barrier({len(parties)})")
            for party in parties:
                barriers[max(place for place in range(cut) if order[place] == party)].append(f"barrier{number}.wait()")
            its = [place for place, thread in enumerate(order) if thread in parties]
            put_in_order([place for place in its if place < cut], [place for place in its if place >= cut])
    later: list[int] = []
    joined: set[int] = set()
    for place, thread in enumerate(order):
        own = [at for at, each in enumerate(order) if each == thread]
        if place == own[0] > 0 and choose.random() < 0.2:
            starter = choose.randrange(place)
            after[starter].append(f"threads[{thread}].start()")
            later.append(thread)
            put_in_order([starter], own)
        if place == own[-1] < len(order) - 1 and choose.random() < 0.3:
            joiner = choose.randrange(place + 1, len(order))
            if order[joiner] != thread:
                before[joiner].insert(0, f"threads[{thread}].join()")
                joined.add(thread)
                put_in_order(own, [joiner])
    return Orders(order, makes, before, after, barriers, later, joined, comes_before(marks))


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


def check_updates(
    folder: Path,
    turns: str,
    prelude: str,
    build: Callable[[int, int], P],
    truth: Callable[[P], tuple[set[Told], set[Told]]],
    count: int,
) -> tuple[int, list[str]]:
    """Records programs whose unguarded updates are known: all of them, and those that must be told. Gives how many
    findings they have, and what is otherwise than expected. `build` is given a program's number and first line."""
    (folder / "turns.py").write_text(turns)
    lines = prelude.splitlines()
    programs = []
    for number in range(count):
        programs.append(build(number, len(lines) + 1))
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
