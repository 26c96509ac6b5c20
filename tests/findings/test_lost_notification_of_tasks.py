"""Notifications of tasks that reached nobody: those that a task waited for after that, and those that nobody needed."""

from __future__ import annotations

import sys

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

KIND = "lost notification"
HEAD = """
import asyncio
class Box: pass
box, items, done, ready, state = Box(), [], [], False, 'new'
box.ready = False
async def turns(number):
    for _ in range(number): await asyncio.sleep(0)
async def patiently(awaited):
    try: await awaited
    except TimeoutError: pass
def run(*works):
    async def main():
        global cond, event, both
        cond, event, both = asyncio.Condition(), asyncio.Event(), asyncio.Barrier(2)
        await asyncio.gather(*(work() for work in works))
    asyncio.run(main())
"""
# In each, `one` has checked, then `other` changes that and notifies, then `one` waits.
LATE = """
async def one():
    global ready, state
    CHECK
        await both.wait(); await both.wait()
        async with cond, asyncio.timeout(0.01): await cond.wait()
async def other():
    global ready, state
    await both.wait()
    async with cond:
        CHANGE
        cond.notify_all()
    await both.wait()
async def first(): await patiently(one())
run(first, other)
"""
PULSE = """
async def one():
    if not ready:
        await both.wait(); await both.wait()
        await WAIT
async def other():
    global ready
    await both.wait()
    ready = True
    event.set()
    event.clear()
    await both.wait()
async def first(): await patiently(one())
run(first, other)
"""
# A worker that works, and clears the event after that
WORKER = """
async def one():
    while len(done) < 2:
        await event.wait()
        batch = list(items)
        await both.wait(); await both.wait()
        for item in batch:
            items.remove(item)
            done.append(item)
        event.clear()
async def other():
    items.append(1)
    event.set()
    await both.wait()
    items.append(2)
    event.set()
    await both.wait()
async def first():
    async with asyncio.timeout(0.01): await one()
run(lambda: patiently(first()), other)
"""


def late(check: str, change: str) -> str:
    return LATE.replace("CHECK", check).replace("CHANGE", change)


HAPPENED = {
    "a flag": late("if not ready:", "ready = True"),
    "an attribute": late("if not box.ready:", "box.ready = True"),
    "a list": late("if not items:", "items.append(1)"),
    "a loop that the timeout left": late("while not ready:", "ready = True"),
    "a pulse": PULSE.replace("await WAIT", "async with asyncio.timeout(0.01): await event.wait()"),
    "a task that was cancelled": """
async def one():
    if not ready:
        await both.wait(); await both.wait()
        await event.wait()
async def other():
    global ready
    task = asyncio.create_task(one())
    await both.wait()
    ready = True
    event.set()
    event.clear()
    await both.wait()
    await turns(3)
    task.cancel()
run(other)
""",
    "a task that the end of the loop cancelled": """
async def one():
    while not items:
        await both.wait(); await both.wait()
        async with cond: await cond.wait()
async def other():
    done.append(asyncio.create_task(one()))
    await both.wait()
    async with cond:
        items.append(1)
        cond.notify()
    await both.wait()
    await turns(3)
run(other)
""",
    "a loop that was left pending": """
async def one():
    if not ready:
        await both.wait(); await both.wait()
        await event.wait()
async def other():
    global ready, both, event
    both, event = asyncio.Barrier(2), asyncio.Event()
    done.append(asyncio.ensure_future(one()))
    await both.wait()
    ready = True
    event.set()
    event.clear()
    await both.wait()
    await turns(3)
loop = asyncio.new_event_loop()
loop.run_until_complete(other())
""",
}
if sys.version_info >= (3, 12):  # before that `wait_for` has a task of its own, in which no watched code runs
    HAPPENED["wait_for"] = PULSE.replace("WAIT", "asyncio.wait_for(event.wait(), 0.01)")
    HAPPENED["wait_for, of a condition"] = late("if not ready:", "ready = True").replace(
        "async with cond, asyncio.timeout(0.01): await cond.wait()",
        "async with cond: await asyncio.wait_for(cond.wait(), timeout=0.01)",
    )
POSSIBLE = {
    "looked at again after a timeout": late("while not ready:", "ready = True").replace(
        "async with cond, asyncio.timeout(0.01): await cond.wait()",
        "try:\n            async with cond, asyncio.timeout(0.01): await cond.wait()\n"
        "        except TimeoutError: both.wait = lambda: turns(1)",
    ),
    "cleared after the work": WORKER,
}
NONE = {
    "checked right before the wait": late("if not ready:", "ready = True").replace(
        "await cond.wait()", "\n            if not ready: await cond.wait()"
    ),
    "checked in a loop right before the wait": late("if True:", "ready = True").replace(
        "await cond.wait()", "\n            while not ready: await cond.wait()"
    ),
    "checked by wait_for": late("if not ready:", "ready = True").replace(
        "cond.wait()", "cond.wait_for(lambda: len(done) > 0)"
    ),
    "changed back": late("if not ready:", "ready = True; ready = False"),
    "an item taken again": late("if not items:", "items.append(1)").replace(
        "cond.notify_all()", "items.pop(); cond.notify_all()"
    ),
    "notified, then changed": late("if not ready:", "cond.notify()")
    .replace("cond.notify_all()", "pass")
    .replace("    await both.wait()\nasync def first", "    ready = True\n    await both.wait()\nasync def first"),
    "notified while it waits": PULSE.replace("await both.wait(); await both.wait()\n        await WAIT", "await WAIT")
    .replace("WAIT", "event.wait()")
    .replace("both.wait()", "turns(1)"),
    "notified, and cancelled at once": """
async def one():
    if not ready:
        await turns(1)
        async with cond: await cond.wait()
async def other():
    global ready
    task = asyncio.create_task(one())
    await turns(3)
    async with cond:
        ready = True
        cond.notify()
    task.cancel()
    await turns(3)
run(other)
""",
    "notified once more while it waits, and cancelled": """
async def one():
    if not ready:
        await both.wait(); await both.wait()
        async with cond: await cond.wait()
async def other():
    global ready
    task = asyncio.create_task(one())
    await both.wait()
    async with cond:
        ready = True
        cond.notify()
    await both.wait()
    await turns(3)
    async with cond: cond.notify()
    task.cancel()
    await turns(3)
run(other)
""",
    "set, and seen by is_set": """
async def one():
    if not ready:
        await both.wait(); await both.wait(); await both.wait()
        async with asyncio.timeout(0.01): await event.wait()
async def other():
    global ready
    await both.wait()
    ready = True
    event.set()
    await both.wait()
    if event.is_set(): event.clear()
    await both.wait()
run(lambda: patiently(one()), other)
""",
    "set, and not cleared": PULSE.replace("WAIT", "event.wait()").replace("    event.clear()\n", ""),
    "cleared before the look": WORKER.replace("        event.clear()\n", "").replace(
        "        batch = list", "        event.clear()\n        batch = list"
    ),
    "a poll": """
async def one():
    for _ in range(3):
        await patiently(asyncio.wait_for(event.wait(), 0.001))
async def other():
    event.set()
    event.clear()
run(one, other)
""",
    "a wait without the lock": late("if not ready:", "ready = True").replace(
        "async with cond, asyncio.timeout(0.01): await cond.wait()",
        "try: await cond.wait()\n        except RuntimeError: pass",
    ),
    "producers and consumers": """
async def take():
    for _ in range(5):
        async with cond:
            while not items: await cond.wait()
            done.append(items.pop())
async def put():
    for number in range(5):
        async with cond:
            items.append(number)
            cond.notify()
        await turns(1)
run(take, put, take, put)
""",
    "workers that wait to the end": """
async def take():
    while True:
        async with cond:
            while not items: await cond.wait()
            done.append(items.pop())
        await turns(2)
async def put():
    tasks = [asyncio.create_task(take()) for _ in range(2)]
    for number in range(5):
        async with cond:
            items.append(number)
            cond.notify()
        await turns(1)
    await turns(9)
    for each in tasks: each.cancel()
run(put)
""",
}
PROGRAMS = HAPPENED | POSSIBLE | NONE


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    return told_of({name: HEAD + source for name, source in PROGRAMS.items()}, KIND, folder)


@pytest.mark.parametrize("name", HAPPENED)
def test_one_that_happened(name: str, told: dict[str, Told]) -> None:
    assert [found[:2] for found in told[name].findings] == [("happened", "proven")]


@pytest.mark.parametrize("name", POSSIBLE)
def test_one_that_is_possible(name: str, told: dict[str, Told]) -> None:
    assert [found[:2] for found in told[name].findings] == [("possible", "proven")]


@pytest.mark.parametrize("name", NONE)
def test_none(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_a_condition_is_told_in_words(scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + HAPPENED["an attribute"])
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 notification was lost." in told
    assert (
        "Task-2 checked box.ready (line 20). Then Task-3 wrote True (line 27) and notified the Condition cond" in told
    )
    assert "Nobody waited. After that Task-2 began to wait (line 22), and nobody notified it." in told
