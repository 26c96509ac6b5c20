"""Programs of tasks that hang, since their event loop has nothing to do and nothing can come, and programs like them
that wait for what is still to come."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.findings.test_hang import is_asleep
from tests.recording import Recording, Underway

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what an event loop waits by is not recorded there")

HEAD = """
import asyncio, os, queue, threading
print(os.getpid(), flush=True)
async def turns(number):
    for _ in range(number): await asyncio.sleep(0)
"""
TAIL = """
asyncio.run(main())
"""
# A program, and the tasks that are told in the end.
HANG = {
    "a queue": (
        """
async def consumer(items):
    while (await items.get()) is not None: pass
async def producer(items):
    for number in range(3): await items.put(number)
async def main():
    items = asyncio.Queue()
    await asyncio.gather(consumer(items), producer(items))
""",
        ["Task-2"],
    ),
    "a full queue": (
        """
async def producer(items):
    for number in range(5): await items.put(number)
async def main():
    items = asyncio.Queue(1)
    other = asyncio.create_task(items.get())
    await producer(items)
""",
        ["Task-1"],
    ),
    "an item that is never done": (
        """
async def consumer(items):
    for number in range(2):
        if await items.get(): items.task_done()
async def main():
    items = asyncio.Queue()
    for number in range(2): items.put_nowait(number)
    other = asyncio.create_task(consumer(items))
    await items.join()
""",
        ["Task-1"],
    ),
    "an event whose setter failed": (
        """
async def setter(ready):
    raise ValueError
    ready.set()
async def main():
    ready = asyncio.Event()
    other = asyncio.create_task(setter(ready))
    await ready.wait()
""",
        ["Task-1"],
    ),
    "a condition that was notified before": (
        """
async def notifier(changed):
    async with changed: changed.notify_all()
async def waiter(changed):
    async with changed: await changed.wait()
async def main():
    changed = asyncio.Condition()
    await notifier(changed)
    await asyncio.gather(waiter(changed), waiter(changed))
""",
        ["Task-2", "Task-3"],
    ),
    "a semaphore": (
        """
async def worker(places):
    await places.acquire()
    if places is None: places.release()
async def main():
    places = asyncio.Semaphore(2)
    async with asyncio.TaskGroup() as group:
        for _ in range(3): group.create_task(worker(places))
""",
        ["Task-4"],
    ),
    "a lock that an ended task holds": (
        """
async def taker(lock):
    await lock.acquire()
    if lock is None: lock.release()
async def main():
    lock = asyncio.Lock()
    await asyncio.create_task(taker(lock))
    async with lock: pass
""",
        ["Task-1"],
    ),
    "a circle of locks": (
        """
async def take(one, other):
    async with one:
        await turns(2)
        async with other: pass
async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(take(a, b), take(b, a))
""",
        ["Task-2", "Task-3"],
    ),
    "a future that nobody resolves": (
        """
async def answer(replies):
    raise ValueError
    replies["key"].set_result(1)
async def main():
    replies = {}
    other = asyncio.create_task(answer(replies))
    replies["key"] = asyncio.get_running_loop().create_future()
    await replies["key"]
""",
        ["Task-1"],
    ),
    "one of several futures": (
        """
async def ask(replies, key):
    reply = replies[key] = asyncio.get_running_loop().create_future()
    return await reply
async def answer(replies):
    await turns(2)
    replies.pop(1).set_result("one")
async def main():
    replies = {}
    await asyncio.gather(ask(replies, 1), ask(replies, 2), answer(replies))
""",
        ["Task-3"],
    ),
    "a task that awaits one that waits": (
        """
async def consumer(items):
    while (await items.get()) is not None: pass
async def main():
    items = asyncio.Queue()
    items.put_nowait(1)
    await asyncio.create_task(consumer(items))
""",
        ["Task-2"],
    ),
    "a task that awaits who wants its lock": (
        """
async def taker(lock):
    async with lock: pass
async def main():
    lock = asyncio.Lock()
    async with lock: await asyncio.create_task(taker(lock))
""",
        ["Task-1", "Task-2"],
    ),
    "a task that gathers those who want its lock": (
        """
async def taker(lock):
    async with lock: pass
async def main():
    lock = asyncio.Lock()
    async with lock: await asyncio.gather(taker(lock), taker(lock))
""",
        ["Task-2", "Task-3"],
    ),
    "a group of those who want the lock": (
        """
async def taker(lock):
    async with lock: pass
async def main():
    lock = asyncio.Lock()
    async with lock, asyncio.TaskGroup() as group: group.create_task(taker(lock))
""",
        ["Task-2"],
    ),
    "the second loop of a program": (
        """
async def first(): await turns(2)
asyncio.run(first())
async def main():
    items = asyncio.Queue()
    items.put_nowait(1)
    await items.get()
    await items.get()
""",
        ["Task-4"],
    ),
    "beside idle threads": (
        """
async def main():
    items = asyncio.Queue()
    await asyncio.to_thread(print, "there", flush=True)
    items.put_nowait(1)
    await items.get()
    await items.get()
""",
        ["Task-1"],
    ),
}
GO_ON = {
    "a timer": """
async def giver(items):
    await asyncio.sleep(1000)
    items.put_nowait(1)
async def main():
    items = asyncio.Queue()
    other = asyncio.create_task(giver(items))
    print("there", flush=True)
    await items.get()
""",
    "a timeout": """
async def main():
    items = asyncio.Queue()
    items.put_nowait(await items.get() if items.qsize() else 1)
    await items.get()
    print("there", flush=True)
    await asyncio.wait_for(items.get(), 1000)
""",
    "a thread": """
async def main():
    items, loop, stop = asyncio.Queue(), asyncio.get_running_loop(), os.pipe()
    def giver():
        print("there", flush=True)
        os.read(stop[0], 1)
        loop.call_soon_threadsafe(items.put_nowait, 1)
    threading.Thread(target=giver, daemon=True).start()
    await items.get()
""",
    "a socket": """
async def main():
    items, loop, pipe = asyncio.Queue(), asyncio.get_running_loop(), os.pipe()
    loop.add_reader(pipe[0], items.put_nowait, 1)
    print("there", flush=True)
    await items.get()
""",
    "an event that nobody sets": """
async def main():
    print("there", flush=True)
    await asyncio.Event().wait()
""",
    "workers beside one that stays": """
async def worker(items):
    while True: await items.get()
async def main():
    items = asyncio.Queue()
    workers = [asyncio.create_task(worker(items)) for _ in range(2)]
    for number in range(4): items.put_nowait(number)
    await turns(5)
    print("there", flush=True)
    await asyncio.get_running_loop().create_future()
""",
}


GO_ON |= {
    "a future that a thread resolves": """
async def main():
    loop, stop = asyncio.get_running_loop(), os.pipe()
    reply = loop.create_future()
    def giver():
        print("there", flush=True)
        os.read(stop[0], 1)
        loop.call_soon_threadsafe(reply.set_result, 1)
    threading.Thread(target=giver, daemon=True).start()
    await reply
""",
    "a timeout while others want the lock": """
async def taker(lock):
    async with lock: pass
async def main():
    lock = asyncio.Lock()
    print("there", flush=True)
    async with lock: await asyncio.wait_for(asyncio.gather(taker(lock), taker(lock)), 1000)
""",
    "a future that only stays, beside those that are resolved": """
async def worker(items):
    while True: (await items.get()).set_result(1)
async def main():
    loop, items = asyncio.get_running_loop(), asyncio.Queue()
    task = asyncio.create_task(worker(items))
    reply = loop.create_future()
    items.put_nowait(reply)
    await reply
    stay = loop.create_future()
    print("there", flush=True)
    await stay
""",
    "a new future, beside those that are resolved": """
async def worker(items):
    while True: (await items.get()).set_result(1)
async def main():
    loop, items = asyncio.get_running_loop(), asyncio.Queue()
    task = asyncio.create_task(worker(items))
    reply = loop.create_future()
    items.put_nowait(reply)
    await reply
    print("there", flush=True)
    await asyncio.Future()
""",
    "a task that awaits one that stays": """
async def stays(): await asyncio.Event().wait()
async def main():
    print("there", flush=True)
    await asyncio.create_task(stays())
""",
}


DEADLOCKS = "SELECT severity, certainty FROM findings WHERE kind = 'deadlock'"
TOLD = """
    SELECT DISTINCT threads.name FROM finding_events
    JOIN findings ON findings.id = finding_events.finding_id
    JOIN synchronisation AS wait ON wait.run_id = findings.run_id AND wait.seq = finding_events.seq
    JOIN threads ON threads.run_id = findings.run_id AND threads.thread = wait.thread
    WHERE role LIKE 'wait %' ORDER BY threads.name
"""


def ended(program: str, by: signal.Signals, folder: Path, *, idle: bool) -> Recording:
    """A run that a signal ends as soon as its event loop is idle, or all of its threads sleep."""
    script = folder / "program.py"
    script.write_text(HEAD + program + TAIL)
    run = Underway(folder / "trace.db", "-q", script)
    process = int(run.said())
    if "there" in program:
        assert run.said() == "there"
    if idle:
        run.until_idle()
    while not is_asleep(process):
        os.sched_yield()
    os.kill(process, by)
    return run.end()


@pytest.mark.parametrize("name", HANG)
def test_programs_that_hang(name: str, tmp_path: Path) -> None:
    recording = ended(HANG[name][0], signal.SIGKILL, tmp_path, idle=True)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]
    assert [name for (name,) in recording.query(TOLD)] == HANG[name][1]


@pytest.mark.parametrize("name", GO_ON)
def test_programs_that_can_go_on(name: str, tmp_path: Path) -> None:
    assert ended(GO_ON[name], signal.SIGKILL, tmp_path, idle=False).query(DEADLOCKS) == []


CTRL_C_ENDED = [
    "a queue",
    "an event whose setter failed",
    "a lock that an ended task holds",
    "a future that nobody resolves",
    "one of several futures",
    "a task that awaits one that waits",
    "a task that awaits who wants its lock",
]


@pytest.mark.parametrize("name", CTRL_C_ENDED)
def test_a_hang_that_ctrl_c_ended(name: str, tmp_path: Path) -> None:
    recording = ended(HANG[name][0], signal.SIGINT, tmp_path, idle=True)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]
    assert [name for (name,) in recording.query(TOLD)] == HANG[name][1]


@pytest.mark.parametrize("name", ["a timer", "an event that nobody sets", "workers beside one that stays"])
def test_what_ctrl_c_is_meant_to_end(name: str, tmp_path: Path) -> None:
    assert ended(GO_ON[name], signal.SIGINT, tmp_path, idle=name != "a timer").query(DEADLOCKS) == []


def test_a_lock_whose_holder_waits_is_not_told_as_left(tmp_path: Path) -> None:
    program = """
async def holder(lock, ready):
    async with lock: await ready.wait()
async def taker(lock):
    await turns(2)
    async with lock: pass
async def main():
    lock, ready = asyncio.Lock(), asyncio.Event()
    if lock is None: ready.set()
    await asyncio.gather(holder(lock, ready), taker(lock))
"""
    recording = ended(program, signal.SIGINT, tmp_path, idle=True)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]
    assert recording.query("SELECT role FROM finding_events WHERE role = 'left held'") == []
    assert recording.query(TOLD) == [("Task-2",)]
