"""A lock that all but one function hold: what that makes possible, and what is none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import Scripts, record

# The two threads take turns, by pipes, which are not recorded: so neither waits for the other, as far as is known.
PROGRAM = """
import os, queue, threading
class Box: pass
box, lock, audit, rlock = Box(), threading.Lock(), threading.Lock(), threading.RLock()
condition, handed = threading.Condition(), {"first": queue.Queue(), "second": queue.Queue()}
box.state = box.other = 9
turns = {"first": os.pipe(), "second": os.pipe()}
def step(): return 1
def wait(name): os.read(turns[name][0], 1)
def let(name): os.write(turns[name][1], b".")
def peek(): return box.state
def reset(n): box.state = -n - 50
def guarded(n):
    FIRST
def alone(n):
    SECOND
def first():
    for n in range(5):
        wait("first")
        guarded(n)
        let("second")
def second():
    for n in range(4):
        wait("second")
        alone(n)
        let("first")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
let("first")
for thread in threads: thread.join()
print(box.state)
"""
DECIDED = "with lock:\n    if box.state != n:\n        step()\n        box.state = n"
POSSIBLE = {
    "decided by a check": (DECIDED, "box.state = -n"),
    "exchanged": ("with lock:\n    old = box.state\n    step()\n    box.state = n", "box.state = -n"),
    "read back": ("with lock:\n    box.state = n\n    step()\n    str(box.state)", "box.state = -n"),
    "checked and used": (
        "with lock:\n    box.state = n\nwith lock:\n    if box.state is not None: step(); str(box.state)",
        "box.state = -n",
    ),
    "another lock": (DECIDED, "with audit: box.state = -n"),
    "an RLock": (DECIDED.replace("lock", "rlock"), "box.state = -n"),
    "a condition": (DECIDED.replace("lock", "condition"), "box.state = -n"),
    "not always without": (DECIDED, "if n == 2:\n    with lock: box.state = -n\nelse: box.state = -n"),
    "the other side decides": (DECIDED, "if box.state != -n: box.state = -n"),
    "read in the end": (DECIDED, "box.state = -n\nstr(box.state)"),
}
GIL_ONLY = {"exchanged at once": ("with lock: old, box.state = box.state, n", "box.state = -n")}
NONE = {
    "the same lock": (DECIDED, "with lock: box.state = -n"),
    "one of two locks": (DECIDED.replace("with lock", "with lock, audit"), "with audit: box.state = -n"),
    "no lock": ("if box.state != n: box.state = n", "box.state = -n"),
    "a constant": (DECIDED, "box.state = -1"),
    "a latest value": ("with lock: box.state = n", "box.state = -n"),
    "a latest value that is read": ("with lock: box.state = n\nwith lock: str(box.state)", "box.state = -n"),
    "an update": ("with lock: box.state += n", "box.state = -n"),
    "a read without the lock": (f"{DECIDED}\npeek()", "box.state = -n"),
    "too few writes": ("if n < 2:\n" + textwrap.indent(DECIDED, "    "), "box.state = -n"),
    "more without than with": (DECIDED, "box.state = -n\nbox.state = -n - 10"),
    "two functions do without": (DECIDED, "if n % 2: reset(n)\nelse: box.state = -n"),
    "no thread is always under the lock": (f"{DECIDED}\nif n == 2: alone(n)", "if n < 3: box.state = -n"),
    "handed over": (
        f'handed["first"].get() if n else None\n{DECIDED}\nhanded["second"].put(n)',
        'handed["second"].get()\nbox.state = -n\nhanded["first"].put(n)',
    ),
    "one after the other": (
        "if not n:\n    for n in range(1, 6):\n" + textwrap.indent(DECIDED, " " * 8),
        "if n == 3:\n    for n in range(1, 4): box.state = -n",
    ),
    "one thread alone": (DECIDED, "pass"),
    "read twice, for two things": (
        "with lock:\n    str(box.state)\n    step()\n    str(box.state)\nwith lock: box.state = n",
        "box.state = -n",
    ),
    "written twice": ("with lock:\n    box.state = -99\n    step()\n    box.state = n", "box.state = -n"),
    "one after the other, the other way": (
        "if n == 4:\n    for n in range(1, 6):\n" + textwrap.indent(DECIDED, " " * 8),
        "if not n:\n    for n in range(1, 4): box.state = -n",
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = POSSIBLE | GIL_ONLY | NONE
    assert len(programs) == len(POSSIBLE) + len(GIL_ONLY) + len(NONE)
    texts = {
        name: PROGRAM.replace("FIRST", textwrap.indent(first, "    ").strip()).replace(
            "SECOND", textwrap.indent(second, "    ").strip()
        )
        for name, (first, second) in programs.items()
    }
    return told_of(texts, "inconsistent locking", tmp_path_factory.mktemp("inconsistent"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_happen(name: str, told: dict[str, Told]) -> None:
    assert set(told[name].findings) == {("possible", "proven", "box.state")}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    assert set(told[name].findings) == {("possible" if FREE_THREADED else "gil-only", "proven", "box.state")}


@pytest.mark.parametrize("name", NONE)
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_the_report_says_who_holds_what(scripts: Scripts) -> None:
    first, second = POSSIBLE["another lock"]
    script = PROGRAM.replace("FIRST", textwrap.indent(first, "    ").strip()).replace("SECOND", second)
    scripts.write("script.py", script)
    assert scripts.record("script.py").returncode == 0
    report = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "first held the Lock lock and second held the Lock audit" in report
    assert scripts.opcodetrace("check").returncode == 0


def test_what_happened_is_told_as_a_stale_check_alone(tmp_path: Path) -> None:
    between = 'with lock:\n        if box.state != 3:\n            if n == 2: let("second"); wait("first")\n'
    script = tmp_path / "script.py"
    script.write_text(
        PROGRAM.replace("FIRST", f"{between}            box.state = n")
        .replace("SECOND", "box.state = 3 if n == 2 else -n")
        .replace("range(5)", "range(4)")
    )
    recording = record(tmp_path / "trace.db", "-q", script)
    assert recording.query("SELECT DISTINCT kind FROM findings") == [("stale check",)]
