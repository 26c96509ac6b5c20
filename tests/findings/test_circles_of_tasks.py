"""Tasks that waited for each other in a circle, however that ended, and tasks like them that could go on."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

HEAD = """
import asyncio
tasks, ready = [], []
async def turns(number):
    for _ in range(number): await asyncio.sleep(0)
async def take(one, other):
    async with one:
        await turns(2)
        async with other: pass
async def patiently(awaited, seconds=0.01):
    try: await asyncio.wait_for(awaited, seconds)
    except TimeoutError: pass
    except asyncio.TimeoutError: pass
def left_pending(*works):
    async def first():
        tasks.extend(asyncio.ensure_future(each) for each in works)
        await turns(9)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(first())
    return loop
a, b, c = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
"""
HAPPENED = {
    "a timeout around both": """
async def main(): await patiently(asyncio.gather(take(a, b), take(b, a)))
asyncio.run(main())
""",
    "cancelled as the loop ended": """
async def main():
    tasks.extend(map(asyncio.ensure_future, (take(a, b), take(b, a))))
    await turns(9)
asyncio.run(main())
""",
    "left pending": "kept = left_pending(take(a, b), take(b, a))",
    "left pending by a loop that was closed": """
left_pending(take(a, b), take(b, a)).close()
tasks.clear()
""",
    "a loop that was stopped": """
loop = asyncio.new_event_loop()
tasks.extend(map(loop.create_task, (take(a, b), take(b, a))))
async def stop():
    await turns(9)
    loop.stop()
tasks.append(loop.create_task(stop()))
loop.run_forever()
""",
    "three of them": """
async def main(): await patiently(asyncio.gather(take(a, b), take(b, c), take(c, a)))
asyncio.run(main())
""",
    "one that takes a lock twice": """
async def main(): await patiently(asyncio.gather(take(a, a)))
asyncio.run(main())
""",
    "one that awaits who wants its lock": """
async def inner():
    async with a: pass
async def outer():
    async with a: await asyncio.create_task(inner())
async def main(): await patiently(asyncio.gather(outer()))
asyncio.run(main())
""",
    "one that awaits a task of a task": """
async def inner():
    async with a: pass
async def between(): await tasks[0]
async def outer():
    tasks.append(asyncio.create_task(inner()))
    tasks.append(asyncio.create_task(between()))
    async with a: await tasks[1]
kept = left_pending(outer())
""",
    "two that await each other": """
async def one(): await tasks[1]
async def two(): await tasks[0]
kept = left_pending(one(), two())
""",
    "the lock of a condition": """
async def main():
    changed = asyncio.Condition(a)
    async def waiter():
        async with b:
            await turns(2)
            async with changed: await changed.wait()
    await patiently(asyncio.gather(waiter(), take(a, b)))
asyncio.run(main())
""",
}
POSSIBLE = {
    "a timeout of its own": """
async def careful(one, other):
    async with one:
        await turns(2)
        try:
            async with asyncio.timeout(0.01):
                async with other: pass
        except TimeoutError: pass
async def main(): await asyncio.gather(careful(a, b), careful(b, a))
asyncio.run(main())
""",
    "one that tries again": """
async def again(one, other):
    try: await take(one, other)
    except asyncio.CancelledError: await take(other, one)
async def main():
    tasks.append(asyncio.create_task(again(a, b)))
    tasks.append(asyncio.create_task(take(b, a)))
    await turns(9)
    tasks[0].cancel()
    await asyncio.gather(*tasks)
asyncio.run(main())
""",
    "one that did not wait any more": """
async def one():
    async with a:
        try:
            await turns(2)
            async with b: pass
        except asyncio.CancelledError: await turns(5)
async def two():
    async with b:
        while not ready: await turns(1)
        async with a: pass
async def main():
    tasks.extend(map(asyncio.ensure_future, (one(), two())))
    await turns(5)
    tasks[0].cancel()
    await turns(1)
    ready.append(1)
    await asyncio.gather(*tasks)
asyncio.run(main())
""",
    "one after the other": """
async def main():
    tasks.append(asyncio.create_task(take(a, b)))
    await turns(9)
    tasks.append(asyncio.create_task(take(b, a)))
    await turns(9)
asyncio.run(main())
""",
}
NONE = {
    "one order": """
async def main(): await patiently(asyncio.gather(take(a, b), take(a, b)), None)
asyncio.run(main())
""",
    "a gate": """
async def through(one, other):
    async with c: await take(one, other)
async def main(): await patiently(asyncio.gather(through(a, b), through(b, a)), None)
asyncio.run(main())
""",
    "a lock that another one is to release": """
async def one():
    await a.acquire()
    await a.acquire()
async def two():
    await turns(3)
    a.release()
async def main(): await patiently(asyncio.gather(one(), two()), None)
asyncio.run(main())
""",
    "one that awaits who wants another lock": """
async def inner():
    async with b: pass
async def outer():
    async with a: await asyncio.create_task(inner())
async def main(): await asyncio.gather(outer(), outer())
asyncio.run(main())
""",
    "one that awaits who waits for its turn": """
async def inner():
    async with b: pass
async def outer():
    async with a: await asyncio.create_task(inner())
async def third():
    async with b: await turns(3)
async def main(): await asyncio.gather(third(), outer())
asyncio.run(main())
""",
    "one that awaits after it has let the lock go": """
async def inner():
    async with a: pass
async def outer():
    async with a: tasks.append(asyncio.create_task(inner()))
    await tasks[0]
async def main(): await patiently(asyncio.gather(outer()))
asyncio.run(main())
""",
    "who waited for a task that took the lock later": """
async def inner():
    await turns(2)
    async with a: pass
async def outer():
    async with a:
        tasks.append(asyncio.create_task(inner()))
        await patiently(tasks[0], 0.01) if ready else await turns(1)
    await tasks[0]
async def main(): await asyncio.gather(outer(), outer())
asyncio.run(main())
""",
}
PROGRAMS = HAPPENED | POSSIBLE | NONE


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    return told_of({name: HEAD + source for name, source in PROGRAMS.items()}, "deadlock", folder)


@pytest.mark.parametrize("name", HAPPENED)
def test_circles_that_closed(name: str, told: dict[str, Told]) -> None:
    assert [found[:2] for found in told[name].findings] == [("happened", "proven")]


@pytest.mark.parametrize("name", POSSIBLE)
def test_circles_that_could_close(name: str, told: dict[str, Told]) -> None:
    assert [found[:2] for found in told[name].findings] == [("possible", "proven")]


@pytest.mark.parametrize("name", NONE)
def test_no_circles(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_a_task_that_awaits_who_wants_its_lock_is_told_in_words(scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + HAPPENED["one that awaits who wants its lock"])
    assert scripts.record("script.py").returncode == 0
    checked = scripts.opcodetrace("check")
    assert checked.returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "Task-2 waits for the end of Task-3 (line 26). Task-3 waits for" in told
    assert "which Task-2 took (line 26) and holds" in told
    assert "made no other step until it was cancelled or the run ended" in told
    assert "CANNOT GO ON" in told
