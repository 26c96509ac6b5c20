"""What tasks, the callbacks of their event loop, and other threads can do to each other, and what keeps them apart.
In no run here does anything go wrong, unless a test says so. Pipes say who comes first: these are no order that is
recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of
from tests.recording import record

PROGRAM = """
import asyncio, os, threading
class Box: pass
class Conn:
    def __init__(self): self.used = 0
box, d, names = Box(), {}, {1: 1, 2: 2}
box.count, box.left = 0, 1
pipe, back = os.pipe(), os.pipe()
lock, waited = threading.Lock(), threading.Event()
def give(): os.write(pipe[1], b".")
def take(): os.read(pipe[0], 1)
def let_go_on():
    give()
    os.read(back[0], 1)
def answer(): os.write(back[1], b".")
def same(value): return value
def add(): box.count += 1
def add_slowly():
    count = box.count
    box.count = same(count) + 1
def get_conn():
    if "c" not in d: d["c"] = same(Conn())
    d["c"].used += 1
def close(): box.left = 0
def add_name(): names[3] = 3
async def slowly():
    count = box.count
    await asyncio.sleep(0)
    box.count = count + 1
async def at_once(): box.count += 1
async def get_conn_slowly():
    if "c" not in d:
        conn = Conn()
        await asyncio.sleep(0)
        d["c"] = conn
    d["c"].used += 1
async def use_slowly():
    if box.left > 0:
        await asyncio.sleep(0)
        box.left -= 1
async def later():
    for _ in range(100): await asyncio.sleep(0)
async def call_later(function):
    await later()
    loop.call_soon(function)
    await asyncio.sleep(0)
async def first():
    FIRST
def second():
    SECOND
async def main():
    global loop, event
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    work = loop.run_in_executor(None, second)
    await asyncio.create_task(first())
    await work
    box.count += 0
asyncio.run(main())
"""
GIL_ONLY = "possible" if FREE_THREADED else "gil-only"
MEET = {
    "a task's update": ("await slowly()\ngive()", "take()\nadd()", "unguarded update", "box.count", "possible"),
    "a thread's update": (
        "await at_once()\ngive()",
        "take()\nadd_slowly()",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "updates at once": ("await at_once()\ngive()", "take()\nadd()", "unguarded update", "box.count", GIL_ONLY),
    "a thread that comes first": (
        "let_go_on()\nawait slowly()",
        "take()\nadd()\nanswer()",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a callback that a thread asks for": (
        "await slowly()\ngive()",
        "take()\nloop.call_soon_threadsafe(add)",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a callback against a thread": (
        "loop.call_soon(add)\nawait asyncio.sleep(0)\ngive()",
        "take()\nadd_slowly()",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a callback of another task": (
        "await asyncio.gather(slowly(), call_later(add))",
        "pass",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a timer": (
        "loop.call_later(0, lambda: (add(), event.set()))\nawait slowly()\nawait event.wait()",
        "pass",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a callback of a task that is done": (
        "task = asyncio.create_task(later())\ntask.add_done_callback(lambda task: add())\nawait slowly()\nawait task",
        "pass",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a task of another loop": (
        "await slowly()\ngive()",
        "take()\nasyncio.run(slowly())",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a lock that one alone takes": (
        "with lock: await slowly()\ngive()",
        "take()\nadd()",
        "unguarded update",
        "box.count",
        "possible",
    ),
    "a check of a task": (
        "await get_conn_slowly()\ngive()",
        "take()\nget_conn()",
        "unguarded check",
        "d['c']",
        "possible",
    ),
    "a check of a thread": (
        "let_go_on()\nawait get_conn_slowly()",
        "take()\nget_conn()\nanswer()",
        "unguarded check",
        "d['c']",
        "possible",
    ),
    "a check against a callback": (
        "await asyncio.gather(use_slowly(), call_later(close))",
        "pass",
        "unguarded check",
        "box.left",
        "possible",
    ),
    "an iteration": (
        "for each in names: await asyncio.sleep(0)\ngive()",
        "take()\nadd_name()",
        "unguarded iteration",
        "names",
        "possible",
    ),
}
APART = {
    "a thread that is awaited": ("await slowly()\nawait asyncio.to_thread(add)\nawait slowly()", "pass"),
    "an executor that is awaited": ("await loop.run_in_executor(None, add)\nawait slowly()", "pass"),
    "a lock": (
        "with lock: await at_once()\ngive()",
        "take()\nwith lock: add()",
    ),
    "a callback at once, beside tasks at once": ("await asyncio.gather(at_once(), call_later(add))", "pass"),
    "a callback that comes before the next step": (
        "loop.call_soon(add)\nawait asyncio.sleep(0)\nawait slowly()",
        "pass",
    ),
    "a task that begins before the next step": (
        "asyncio.create_task(at_once())\nawait asyncio.sleep(0)\nawait slowly()",
        "pass",
    ),
    "callbacks in the order in which they were scheduled": (
        "async def wait():\n        await event.wait()\n        await slowly()\n"
        "    task = asyncio.create_task(wait())\n    await asyncio.sleep(0)\n"
        "    loop.call_soon(add)\n    loop.call_soon(event.set)\n    await task",
        "pass",
    ),
    "what a thread does before it asks for a callback": (
        "await event.wait()\nawait slowly()",
        "add()\nloop.call_soon_threadsafe(event.set)",
    ),
    "a callback before what wakes": (
        "await event.wait()\nawait slowly()",
        "loop.call_soon_threadsafe(add)\nloop.call_soon_threadsafe(event.set)",
    ),
    "a coroutine that a thread waits for": (
        "await later()",
        "add()\nasyncio.run_coroutine_threadsafe(slowly(), loop).result()\nadd()",
    ),
    "a callback that a thread waits for": (
        "await event.wait()\nawait slowly()",
        "loop.call_soon_threadsafe(add)\nloop.call_soon_threadsafe(waited.set)\nwaited.wait()\nadd()\n"
        "loop.call_soon_threadsafe(event.set)",
    ),
    "a callback of what is awaited": (
        "task = asyncio.create_task(slowly())\ntask.add_done_callback(lambda task: add())\nawait asyncio.gather(task)\n"
        "await slowly()",
        "pass",
    ),
    "a check that a thread makes before": ("await asyncio.to_thread(get_conn)\nawait get_conn_slowly()", "pass"),
    "an iteration over a copy": ("for each in list(names): await asyncio.sleep(0)\ngive()", "take()\nadd_name()"),
    "an iteration without an await": ("await asyncio.gather(call_later(add_name))\nfor each in names: pass", "pass"),
}


def program(first: str, second: str) -> str:
    steps = [each if "\n    " in each else each.replace("\n", "\n    ") for each in (first, second)]
    return PROGRAM.replace("FIRST", steps[0]).replace("SECOND", steps[1])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {**MEET, **APART}
    programs = {name: program(first, second) for name, (first, second, *_) in forms.items()}
    return all_told_of(programs, tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("form", MEET)
def test_what_can_come_in(told: dict[str, Told], form: str) -> None:
    _, _, kind, label, severity = MEET[form]
    assert (kind, severity, label) in {(kind, severity, label) for kind, severity, _, label in told[form].findings}


@pytest.mark.parametrize("form", APART)
def test_what_is_kept_apart(told: dict[str, Told], form: str) -> None:
    assert told[form].findings == []


@pytest.mark.parametrize(
    ("first", "second", "lanes"),
    [
        ("await slowly()\ngive()", "take()\nadd()", {"Task-2", "asyncio_0"}),
        ("await slowly()\ngive()", "take()\nloop.call_soon_threadsafe(add)", {"Task-2", "MainThread"}),
    ],
)
def test_both_are_named(tmp_path: Path, first: str, second: str, lanes: set[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text(program(first, second))
    rows = record(tmp_path / "trace.db", "-q", script).query(
        "SELECT threads.name FROM finding_events JOIN findings ON findings.id = finding_events.finding_id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN threads ON threads.run_id = events.run_id AND threads.thread = events.thread"
    )
    assert {str(name) for (name,) in rows} == lanes


def test_a_callback_takes_an_update_away(tmp_path: Path) -> None:
    """It happened: the callback runs while the task is suspended."""
    script = tmp_path / "script.py"
    script.write_text(program("loop.call_soon(add)\nawait slowly()", "pass"))
    rows = record(tmp_path / "trace.db", "-q", script).query("SELECT kind, severity FROM findings")
    assert rows == [("lost update", "happened")]
