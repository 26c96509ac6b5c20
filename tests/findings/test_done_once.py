"""What was done to each of many objects once, by whichever thread came first; and what is kept apart, or is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of

# The first thread does half of the jobs; the second one looks at these, and does the others; and the first one looks at
# those. They wait by pipes, which are not recorded.
PROGRAM = """
import os, threading, time
MAY = {"new": True, "done": False}
class Job:
    def __init__(self, number):
        self.state, self.due, self.items, self.number, self.value = "new", 1, [], number, None
        self.lock = threading.Lock()
    def is_due(self): return time.time() >= self.due
    def get_state(self): return self.state
    def run(self):
        ran.append(self)
        time.sleep(0)
        self.due = time.time() + 1000
ran, counted, lock, turns = [], [0], threading.Lock(), [threading.Event() for _ in range(2)]
jobs = [Job(number) for number in range(NUMBER)]
claimed, free = {}, [*jobs]
half = NUMBER // 2
def process(job, me):
    PROCESS
PARTS = [[(None, jobs[:half], 0), (1, jobs[half:], None)], [(0, jobs, 1)]]
pipes = [os.pipe() for _ in range(2)]
def work(me):
    for before, part, after in PARTS[me]:
        if before is not None:
            os.read(pipes[before][0], 1)
            WAIT
        for job in part:
            WORK
        if after is not None:
            SET
            os.write(pipes[after][1], b".")
threads = [threading.Thread(target=work, args=(me,)) for me in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
WORK = "process(job, me)"
STATE = 'if MAY[job.state]:\n    ran.append(job)\n    time.sleep(0)\n    job.state = "done"'
POSSIBLE = {
    "looked up in a table": (STATE, "self.state"),
    "counted": (STATE.replace("ran.append(job)", "counted[0] += 1"), "self.state"),
    "counted after that": (f"{STATE}\n    counted[0] += 1".replace("    ran.append(job)\n", ""), "self.state"),
    "compared with a time": (
        "if time.time() >= job.due:\n    ran.append(job)\n    time.sleep(0)\n    job.due = time.time() + 1000",
        "self.due",
    ),
    "kept in an iterator": ("for each in sorted(one for one in [job] if one.is_due()): each.run()", "self.due"),
    "gone over, and added to": (
        "if not list(one for one in job.items):\n    time.sleep(0)\n    job.items.append(me)",
        "job.items",
    ),
}
NONE = {
    "under a lock": (f"with lock:\n    {STATE.replace(chr(10), chr(10) + '    ')}", WORK),
    "under a lock of each": (f"with job.lock:\n    {STATE.replace(chr(10), chr(10) + '    ')}", WORK),
    "looked up again under a lock": (
        f"if MAY[job.state]:\n    with lock:\n        {STATE.replace(chr(10), chr(10) + '        ')}",
        WORK,
    ),
    "claimed in one step": (
        STATE.replace(":\n", ":\n    if claimed.setdefault(job.number, me) != me: return\n"),
        WORK,
    ),
    "claimed by a removal": (
        STATE.replace(":\n", ":\n    try: free.remove(job)\n    except ValueError: return\n"),
        WORK,
    ),
    "claimed under a lock": (
        STATE.replace(
            ":\n", ":\n    with lock:\n        if job.number in claimed: return\n        claimed[job.number] = me\n"
        ),
        WORK,
    ),
    "a lock for each access": (
        'with lock: state = job.state\nif MAY[state]:\n    ran.append(job)\n    with lock: job.state = "done"',
        WORK,
    ),
    "nothing else is done": ('if MAY[job.state]:\n    time.sleep(0)\n    job.state = "done"', WORK),
    "made as there is nothing": (
        "if job.value not in (5, 6):\n    ran.append(job)\n    time.sleep(0)\n    job.value = 5",
        WORK,
    ),
    "each does its own": (
        f"MAY[job.state]\nif job.number % 2 == me:\n    {STATE.replace(chr(10), chr(10) + '    ')}",
        WORK,
    ),
    "one does all": (STATE, "if me == 0 or job.number < half: process(job, me)"),
    "who looks does so in another way": (
        STATE.replace("job.state]", "job.get_state()]"),
        "if (job.number < half) == (me == 0): process(job, me)\n            else: MAY[job.get_state()]",
    ),
    "the other one has waited": (STATE, "process(job, me)  # after a turn"),
    "counted by all": (STATE.replace("ran.append(job)", "pass").replace("if", "counted[0] += 1\nif"), WORK),
    "done whenever it is asked for": (STATE.replace("MAY[job.state]", "MAY[job.state] or True"), WORK),
}


def _program(process: str, work: str = WORK, number: int = 32) -> str:
    turns = ("turns[before].wait()", "turns[after].set()") if "turn" in work else ("pass", "pass")
    parts = {"PROCESS": process.replace("\n", "\n    "), "WAIT": turns[0], "SET": turns[1], "WORK": work}
    program = PROGRAM.replace("NUMBER", str(number))
    for word, part in parts.items():
        program = program.replace(word, part, 1)
    return program


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    texts = {name: _program(process) for name, (process, _) in POSSIBLE.items()}
    texts |= {name: _program(*parts) for name, parts in NONE.items()}
    begins = STATE.replace("MAY[job.state]", "MAY[job.state] and (job.number >= half) == bool(me)")
    texts["each begins with its own"] = _program(begins).replace("(0, jobs, 1)", "(0, jobs[::-1], 1)")
    texts["few objects"] = _program(STATE, number=7)
    return told_of(texts, "unguarded check", tmp_path_factory.mktemp("once"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_be_done_twice(name: str, told: dict[str, Told]) -> None:
    assert {*told[name].findings} == {("possible", "inferred", POSSIBLE[name][1])}


@pytest.mark.parametrize("name", [*NONE, "each begins with its own", "few objects"])
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_what_only_the_gil_prevents(tmp_path: Path) -> None:
    at_once = "if MAY[job.state]: counted[0] += 1; job.state = 'done'"
    (found,) = {*told_of({"one": _program(at_once)}, "unguarded check", tmp_path)["one"].findings}
    assert found == ("possible" if FREE_THREADED else "gil-only", "inferred", "self.state")
