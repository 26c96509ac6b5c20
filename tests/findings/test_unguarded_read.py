"""Reads for one purpose between which another thread could change the value, and those where none can."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import invoke, record

# The second thread comes after the first one, by what is not recorded.
PROGRAM = """
import os, threading
class Box: pass
class Shape:
    def __init__(self): self.length = 2
    @property
    def side(self): return self.length
    @property
    def edges(self): return 4
    @property
    def passed(self):  # the other thread comes, and goes, and leaves no trace
        os.write(writer, b".")
        os.read(back, 1)
        return 4
    @property
    def waited(self): return event.wait()
    @property
    def event(self): return event
box, shape, lock, event, (reader, writer), (back, there) = (
    Box(), Shape(), threading.Lock(), threading.Event(), os.pipe(), os.pipe())
box.side, box.count, box.conf, flat = 2, 0, Box(), Box()
flat.side = 2
box.conf.a, box.conf.b, other = 1, 2, Box()
other.a, other.b = 3, 4
def use(*given): return given
def look(beside): use(box.side, beside.side, box.side)
def first():
    FIRST
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
READS = "area = use(box.side * box.side)"
GIL_ONLY = {
    "a product": (READS, "box.side = 3", "box.side"),
    "two arguments": ("use(box.side, box.side)", "box.side = 3", "box.side"),
    "under locks of its own": ("with lock: area = box.side * box.side\n    use(area)", "box.side = 3", "box.side"),
}
# Reads between which code of the program may run, for all that is known.
INFERRED = {
    "beside what is a property": ("use(box.side, shape.edges, box.side)", "box.side = 3", "box.side"),
    "beside what is none": ("use(box.side, shape.length, box.side)", "box.side = 3", "box.side"),
}
POSSIBLE = {
    "beside a property, that leaves a trace": ("use(box.side, shape.side, box.side)", "box.side = 3", "box.side"),
    "by one way into a function": ("look(flat)\n    look(shape)", "box.side = 3", "box.side"),
    "as the other thread came in, and put it back": (
        "use(box.side, shape.passed, box.side)",
        "box.side = 3; box.side = 2\n    os.write(there, b'.')\n    os.read(reader, 1)\n    box.side = 3",
        "box.side",
    ),
    "written before": ("box.side = 3\n    event.set()", "use(box.side, shape.event, box.side)", "box.side"),
    "through an object that is replaced": ("use(box.conf.a, box.conf.b)", "box.conf = other", "box.conf"),
}
NONE = {
    "written before, and waited for in between": (
        "box.side = 3\n    event.set()",
        "use(box.side, shape.waited, box.side)",
    ),
    "written before, and told by a flag in between": (
        "box.side = 3\n    flat.side = 5",
        "use(box.side, flat.side, box.side)",
    ),
    "one of them may be left out": ("use(box.side if lock else 0, box.side)", "box.side = 3"),
    "called in between": ("use(box.side, use(), box.side)", "box.side = 3"),
    "read once": ("side = box.side\n    use(side * side)", "box.side = 3"),
    "under one lock": ("with lock: use(box.side * box.side)", "with lock: box.side = 3"),
    "the same value": (READS, "box.side = 2"),
    "counted": ("use(box.count + box.count)", "box.count += 1"),
    "shown": ("print(box.side * box.side)", "box.side = 3"),
    "in two turns of a loop": ("for _ in range(2): use(box.side)", "box.side = 3"),
    "another thread's own": ("use(box.side * box.side)", "use(box.side)"),
    "started later": (
        "use(box.side * box.side)\n    thread = threading.Thread(target=lambda: setattr(box, 'side', 3))\n"
        "    thread.start()\n    thread.join()",
        "pass",
    ),
}


def program(first: str, second: str) -> str:
    return PROGRAM.replace("FIRST", first).replace("SECOND", second)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {f"gil: {name}": program(first, second) for name, (first, second, _) in GIL_ONLY.items()}
    forms |= {name: program(first, second) for name, (first, second, _) in {**INFERRED, **POSSIBLE}.items()}
    forms |= {f"none: {name}": program(*each) for name, each in NONE.items()}
    return told_of(forms, "unguarded read", tmp_path_factory.mktemp("reads"))


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    severity = "possible" if FREE_THREADED else "gil-only"
    assert told[f"gil: {name}"].findings == [(severity, "proven", GIL_ONLY[name][2])]


@pytest.mark.parametrize("name", INFERRED)
def test_what_only_the_gil_prevents_for_all_that_is_known(name: str, told: dict[str, Told]) -> None:
    severity = ("possible", "proven") if FREE_THREADED else ("gil-only", "inferred")
    assert told[name].findings == [(*severity, INFERRED[name][2])]


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_could_be_changed(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "proven", POSSIBLE[name][2])]


@pytest.mark.parametrize("name", NONE)
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[f"none: {name}"].findings == []


def test_it_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    source = program(*POSSIBLE["through an object that is replaced"][:2])
    script.write_text(source)
    assert record(tmp_path / "trace.db", "-q", script).exit_code == 0
    words = " ".join(invoke("report", "-d", tmp_path / "trace.db").stdout.split())
    line = 1 + source.splitlines().index("    use(box.conf.a, box.conf.b)")
    assert f"first read box.conf twice in one expression (line {line}). In this run, second wrote to it after" in words
    assert "In another run that could come in between, and the code takes both for one value." in words
