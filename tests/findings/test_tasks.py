"""What tasks of one event loop can do to each other, and what keeps them apart. In no run here does anything go wrong,
unless a test says so."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import record

# The second task begins as the first is done. It counts turns of the loop, which is no order.
PROGRAM = """
import asyncio
class Box:
    async def add(self, more): self.sum = await same(self.sum) + more
    async def take(self):
        if self.conn is None: self.conn = await connect()
    async def take_under(self, lock):
        if self.conn is None:
            async with lock:
                if self.conn is None: self.conn = await connect()
class Conn:
    def __init__(self): self.used = 0
box, d, jobs, total = Box(), {"n": 0, "k": 1}, [1, 2, 3], 0
box.count, box.sum, box.conn, box.done, box.left, box.turn, box.state = 0, 0, None, False, 1, 0, "idle"
async def same(value):
    await asyncio.sleep(0)
    return value
async def connect(): return await same(Conn())
async def slowly():
    count = box.count
    await asyncio.sleep(0)
    box.count = count + 1
async def at_once(): box.count += 1
async def under(lock):
    async with lock: await slowly()
async def get_conn():
    if "c" not in d: d["c"] = await connect()
async def use():
    if box.left > 0:
        await same(1)
        box.left -= 1
async def drop():
    if "k" in d:
        await same(1)
        del d["k"]
async def drop_if_there():
    if "k" in d:
        await same(1)
        d.pop("k", None)
async def get_at_once():
    if "c" not in d: d["c"] = Conn()
    d["c"].used += 1
async def get_task():
    if "c" not in d: d["c"] = asyncio.create_task(connect())
    (await d["c"]).used += 1
async def get_number():
    if "c" not in d: d["c"] = await same(12)
async def begin():
    if box.state == "idle":
        box.state = "busy"
        await same(1)
async def later():
    for _ in range(100): await asyncio.sleep(0)
async def first():
    global total
    FIRST
async def second():
    global total
    await later()
    SECOND
async def main():
    global lock, other_lock, semaphore, event, condition, queue, last, future, barrier, loop, ready
    loop = asyncio.get_running_loop()
    lock, other_lock, semaphore, event, condition = (
        asyncio.Lock(), asyncio.Lock(), asyncio.Semaphore(1), asyncio.Event(), asyncio.Condition())
    queue, last, future, ready = asyncio.Queue(), asyncio.LifoQueue(), loop.create_future(), loop.create_future()
    barrier = asyncio.Barrier(2) if hasattr(asyncio, "Barrier") else None
    await asyncio.gather(first(), second())
    box.count = await same(box.count) + 1
asyncio.run(main())
print(box.count)
"""
UPDATES = {
    "of an attribute": ("await slowly()", "await slowly()", "box.count"),
    "of a global": ("n = total\nawait same(1)\ntotal = n + 1", "total += 1", "global total"),
    "of an item": ('n = d["n"]\nawait same(1)\nd["n"] = n + 1', 'd["n"] = 5', "d['n']"),
    "through a coroutine": ("await box.add(1)", "await box.add(2)", "self.sum"),
    "in one statement": ("box.count += await same(1)", "box.count += await same(1)", "box.count"),
    "different locks": ("await under(lock)", "async with other_lock: await slowly()", "box.count"),
    "a lock given up in between": (
        "async with lock: n = box.count\nasync with lock: box.count = n + 1",
        "async with lock: n = box.count\nawait same(1)\nasync with lock: box.count = n + 1",
        "box.count",
    ),
    "a lock that one alone takes": ("await under(lock)", "await slowly()", "box.count"),
    "a task of its own": ("await asyncio.create_task(slowly())", "await asyncio.create_task(slowly())", "box.count"),
}
APART = {
    "nothing comes in without an await": ("box.count += 1\nawait same(1)", "box.count += 1\nawait same(1)"),
    "an await that does not suspend": (
        "async def here(): return 1\nbox.count += await here()",
        "async def here(): return 1\nbox.count += await here()",
    ),
    "a lock": ("await under(lock)", "await under(lock)"),
    "a lock that is taken and released": (
        "await lock.acquire()\nawait slowly()\nlock.release()",
        "await lock.acquire()\nawait slowly()\nlock.release()",
    ),
    "the lock of a condition": ("await under(condition)", "await under(condition)"),
    "a semaphore": ("await under(semaphore)", "await under(semaphore)"),
    "an event": ("await slowly()\nevent.set()", "await event.wait()\nawait slowly()"),
    "an event that is waited for first": (
        "await later()\nawait later()\nawait slowly()\nevent.set()",
        "await event.wait()\nawait slowly()",
    ),
    "a condition": (
        "await later()\nawait later()\nawait slowly()\nbox.done = True\nasync with condition: condition.notify_all()",
        "async with condition: await condition.wait_for(lambda: box.done)\nawait slowly()",
    ),
    "a queue": ("await slowly()\nawait queue.put(1)", "await queue.get()\nawait slowly()"),
    "a queue, last in first out": ("await slowly()\nlast.put_nowait(1)", "last.get_nowait()\nawait slowly()"),
    "a queue that is joined": (
        "queue.put_nowait(1)\nawait later()\nawait later()\nawait slowly()\nqueue.task_done()",
        "await queue.join()\nawait slowly()",
    ),
    "a future": ("await later()\nawait later()\nawait slowly()\nfuture.set_result(1)", "await future\nawait slowly()"),
    "a future that is done": ("await slowly()\nfuture.set_result(1)", "await future\nawait slowly()"),
    "a future that is asked": ("await slowly()\nfuture.set_result(1)", "if future.done(): await slowly()"),
    "a callback": (
        "await slowly()\nloop.call_soon(ready.set_result, 1)",
        "await ready\nawait slowly()",
    ),
    "a timer": ("await slowly()\nloop.call_later(0, event.set)", "await event.wait()\nawait slowly()"),
    "a barrier": (
        "await slowly()\nif barrier: await barrier.wait()",
        "if barrier: await barrier.wait()\nif barrier: await slowly()",
    ),
    "tasks that are awaited": (
        "one = asyncio.create_task(slowly())\nawait later()\nawait one\nawait slowly()",
        "pass",
    ),
    "tasks that are gathered": (
        "one = asyncio.create_task(at_once())\nawait later()\nother = asyncio.create_task(at_once())\n"
        "await asyncio.gather(one, other)\nawait slowly()",
        "pass",
    ),
    "a group of tasks": (
        "async with asyncio.TaskGroup() as group:\n"
        "        for _ in range(3): group.create_task(at_once())\n"
        "    await slowly()",
        "pass",
    ),
    "tasks that are waited for": (
        "tasks = [asyncio.create_task(at_once()) for _ in range(3)]\nawait asyncio.wait(tasks)\nawait slowly()",
        "pass",
    ),
    "a task that is cancelled": (
        "one = asyncio.create_task(slowly())\nawait later()\none.cancel()\n"
        "await asyncio.gather(one, return_exceptions=True)\nawait slowly()",
        "pass",
    ),
    "a thread": (
        "await slowly()\nawait asyncio.to_thread(loop.call_soon_threadsafe, event.set)",
        "await event.wait()\nawait slowly()",
    ),
    "a flag": ("await slowly()\nbox.done = True", "while not box.done: await asyncio.sleep(0)\nawait slowly()"),
    "one's turn": (
        "await slowly()\nbox.turn = 1",
        "if box.turn == 1: await slowly()",
    ),
    "another object": (
        "own = Box()\n    own.sum = 0\n    await own.add(1)",
        "own = Box()\n    own.sum = 0\n    await own.add(1)",
    ),
    "writes that are made of nothing": ("box.count = await same(1)", "box.count = await same(2)"),
}
CHECKS = {
    "a connection": ("await get_conn()", "await get_conn()", "d['c']"),
    "an attribute": ("await box.take()", "await box.take()", "self.conn"),
    "an update": ("await use()", "await use()", "box.left"),
    "a deletion": ("await drop()", "await drop()", "d['k']"),
    "taken out of a list": (
        "while jobs:\n        await same(1)\n        jobs.pop()",
        "jobs.append(1)\n    while jobs:\n        await same(1)\n        jobs.pop()",
        "jobs",
    ),
}
CHECKED = {
    "a lock, and checked again": ("await box.take_under(lock)", "await box.take_under(lock)"),
    "a lock": ("async with lock: await get_conn()", "async with lock: await get_conn()"),
    "no await in between": ("await get_at_once()", "await get_at_once()"),
    "a task in its place": ("await get_task()", "await get_task()"),
    "a cache of what is never changed": ("await get_number()", "await get_number()"),
    "a state that is written before the await": ("await begin()", "await begin()"),
    "ready for the error": ("await drop_if_there()", "await drop_if_there()"),
}


def programs(forms: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {
        name: PROGRAM.replace("FIRST", first.replace("\n", "\n    ") if "\n    " not in first else first).replace(
            "SECOND", second.replace("\n", "\n    ") if "\n    " not in second else second
        )
        for name, (first, second, *_) in forms.items()
    }


def write(folder: Path, source: str) -> Path:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(source))
    return script


@pytest.fixture(scope="module")
def updates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    return told_of(programs({**UPDATES, **APART}), "unguarded update", tmp_path_factory.mktemp("updates"))


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    return told_of(programs({**CHECKS, **CHECKED}), "unguarded check", tmp_path_factory.mktemp("checks"))


@pytest.mark.parametrize("form", UPDATES)
def test_an_update_that_another_task_can_come_into(updates: dict[str, Told], form: str) -> None:
    assert {(severity, label) for severity, _, label in updates[form].findings} == {("possible", UPDATES[form][2])}


@pytest.mark.parametrize("form", APART)
def test_updates_that_are_kept_apart(updates: dict[str, Told], form: str) -> None:
    assert updates[form].findings == []


@pytest.mark.parametrize("form", CHECKS)
def test_a_check_that_another_task_can_come_behind(checks: dict[str, Told], form: str) -> None:
    assert {(severity, label) for severity, _, label in checks[form].findings} == {("possible", CHECKS[form][2])}


@pytest.mark.parametrize("form", CHECKED)
def test_checks_that_are_kept_apart(checks: dict[str, Told], form: str) -> None:
    assert checks[form].findings == []


def test_tasks_of_loops_one_after_the_other(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import asyncio
        class Box: count = 0
        box = Box()
        async def slowly():
            count = box.count
            await asyncio.sleep(0)
            box.count = count + 1
        asyncio.run(slowly())
        asyncio.run(slowly())
        """,
    )
    assert record(tmp_path / "trace.db", "-q", script).query("SELECT kind FROM findings") == []


def test_a_check_before_a_lock_is_stale_though_its_task_waited_for_the_lock(tmp_path: Path) -> None:
    """It happened: who gets a lock from another task need not know what that did."""
    script = write(
        tmp_path,
        """
        import asyncio
        class Conn: pass
        class Client:
            def __init__(self): self.conn, self.lock = None, asyncio.Lock()
            async def get(self):
                if self.conn is None:
                    async with self.lock:
                        await asyncio.sleep(0)
                        self.conn = Conn()
        async def main():
            client = Client()
            await asyncio.gather(client.get(), client.get())
        asyncio.run(main())
        """,
    )
    recording = record(tmp_path / "trace.db", "-q", script)
    assert recording.query("SELECT kind, severity FROM findings") == [("stale check", "happened")]


LOCKS = """
import asyncio, os, signal
async def turns(number):
    for _ in range(number): await asyncio.sleep(0)
async def take(one, other, number=0):
    await turns(number)
    async with one:
        await turns(5)
        async with other: pass
async def take_behind(gate, one, other, number=0):
    await turns(number)
    async with gate: await take(one, other)
async def interrupt():
    await turns(100)
    os.kill(os.getpid(), signal.SIGINT)
async def main():
    a, b, c = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
    MAIN
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("main", "severities"),
    [
        ("await asyncio.gather(take(a, b), take(b, a, 50))", ["possible"]),
        ("await asyncio.gather(take(a, b), take(b, a), interrupt())", ["happened"]),
        ("await asyncio.gather(take(a, b), take(b, c), take(c, a), interrupt())", ["happened"]),
        ("await asyncio.gather(take(a, a), interrupt())", ["happened"]),
        ("await asyncio.gather(take(a, b), take(a, b, 50))", []),
        ("await asyncio.gather(take(a, b), take(a, b), interrupt())", []),
        ("await take(a, b)\n    await asyncio.create_task(take(b, a))", []),
        ("await asyncio.create_task(take(a, b))\n    await asyncio.create_task(take(b, a))", []),
        ("await asyncio.gather(take_behind(c, a, b), take_behind(c, b, a, 50))", []),
    ],
)
def test_deadlocks(tmp_path: Path, main: str, severities: list[str]) -> None:
    recording = record(tmp_path / "trace.db", "-q", write(tmp_path, LOCKS.replace("MAIN", main)))
    assert recording.query("SELECT severity FROM findings WHERE kind = 'deadlock'") == [(each,) for each in severities]
