"""Own writes that could be overwritten before they are read back, in all their forms; and what is none.

The forms are those of `test_overwritten_before_read`. Here the second thread begins as the first is done, so nothing is
overwritten. It waits by a pipe, which is not recorded."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.findings.test_overwritten_before_read import FOUND, POSSIBLE, SAME, SILENT
from tests.recording import Scripts

PROGRAM = """
import os, queue, threading, time
class Box: pass
box, cells, table, done, lock = Box(), [0], {}, [], threading.Lock()
event, items, semaphore = threading.Event(), queue.Queue(), threading.Semaphore(1)
shared = None
me = threading.local()
reader, writer = os.pipe()
def meet(): time.sleep(0)
LINES
def first():
    FIRST
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    OTHER
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
JOB = "def job(name):\n    box.name = name\n    meet()\n    return box.name.upper()"
GIL_ONLY = {
    "no switch in between": ("def job(name):\n    box.name = name\n    done.append(box.name)", SAME, "box.name")
}
STILL = SILENT.keys() - {"polled"}  # that waits for the other thread
NONE = {  # what the first thread does, and the second
    "the same lock": (JOB, 'with lock: job("a")', 'with lock: job("b")'),
    "a semaphore": (JOB, 'with semaphore: job("a")', 'with semaphore: job("b")'),
    "an event": (JOB, 'job("a"); event.set()', 'event.wait(); job("b")'),
    "a queue": (JOB, 'job("a"); items.put(1)', 'items.get(); job("b")'),
    "a flag": (JOB, 'job("a"); box.done = True', 'if box.done: job("b")'),
    "the same value again": (JOB, 'job("a")', 'job("a")'),
    "one thread alone": (JOB, 'job("a"); job("b")', "pass"),
    "it is shown": (
        "class Screen:\n"
        "    def set(self, text):\n        self.text = text\n        self._redraw()\n"
        "    def _redraw(self):\n        meet()\n        self.shown = self.text.upper()\n"
        "screen = Screen()",
        'screen.set("a")',
        'screen.set("b")',
    ),
    "it came out of a call": (POSSIBLE["it came out of a call"][0], 'job("a")', 'job("b")'),
}


def program(lines: str, other: str, first: str = 'job("a")') -> str:
    return PROGRAM.replace("LINES", lines).replace("FIRST", first).replace("OTHER", other)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(lines, other) for name, (lines, other, _) in {**FOUND, **GIL_ONLY}.items()}
    programs |= {name: program(*SILENT[name]) for name in STILL}
    programs |= {name: program(lines, other, first) for name, (lines, first, other) in NONE.items()}
    return told_of(programs, "unguarded own write", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_what_can_happen(name: str, told: dict[str, Told]) -> None:
    """What is read at once, as a container is to fill it, only the GIL protects."""
    wide = {each for each in told[name].findings if each[0] != "gil-only"}
    assert wide == {("possible", "proven", FOUND[name][2])}
    assert {label for *_, label in told[name].findings} == {FOUND[name][2]}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible" if FREE_THREADED else "gil-only", "proven", GIL_ONLY[name][2])]


@pytest.mark.parametrize("name", [*sorted(STILL), *NONE])
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_the_wider_of_two_ways_through_the_same_lines(scripts: Scripts) -> None:
    """What only the GIL protects in the one call does not hide the other."""
    job = (
        "class Sized:\n    @property\n    def size(self):\n        with lock: return 0\n"
        "def job(name, beside):\n    box.name = name\n    beside.size\n    return box.name.upper()"
    )
    last = "def third():\n    os.read(back, 1)\n    job('c', box)\nback, there = os.pipe()"
    second = "job('b', Sized())\n    os.write(there, b'.')"
    source = program(f"{job}\n{last}", second, "with lock: box.size = 0\n    job('a', box)").replace(
        "(first, ", "(first, third, "
    )
    scripts.write("script.py", source)
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("unguarded own write", "possible")]


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", program(JOB, SAME))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "Own writes of box.name are unguarded, as far as was seen." in told
    assert (
        "first wrote to box.name (line 11) and read it back (line 13). In this run, second wrote to it after that "
        "(line 11). In another run that could come in between, and first would read the value of second."
    ) in told
