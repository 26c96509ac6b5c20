"""Tasks, however their steps are run: each is a lane, or the run says that it is not."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording, invoke, record

WORK = """
    counter = [0]

    async def pause():
        await asyncio.sleep(0)

    async def add():
        for _ in range(3):
            seen = counter[0]
            await pause()
            counter[0] = seen + 1

    async def main():
        await asyncio.gather(*(add() for _ in range(4)))
"""
# An event loop that runs the steps of tasks without Context.run, as those in C do.
OWN_LOOP = """
    class Handle(asyncio.Handle):
        def _run(self):
            self._callback(*self._args)

    class Loop(asyncio.SelectorEventLoop):
        def call_soon(self, callback, *args, context=None):
            handle = Handle(callback, args, self, context)
            self._ready.append(handle)
            return handle

    loop = Loop()
    loop.run_until_complete(main())
    loop.close()
"""
LOST = {"counter[0]": 9}  # of 12: each round, all four write the same


def recorded(folder: Path, program: str) -> Recording:
    script = folder / "program.py"
    script.write_text(textwrap.dedent(program))
    recording = record(folder / "trace.db", script)
    assert recording.exit_code == 0, recording.stderr
    return recording


def merged(recording: Recording) -> list[str]:
    ((text,),) = recording.query("SELECT merged FROM runs")
    lanes: list[str] = json.loads(str(text))
    return lanes


def assert_nothing_is_claimed(recording: Recording, lanes: str) -> None:
    for command in ("report", "check"):
        told = invoke(command, "-d", recording.database)
        text = " ".join(told.stdout.split())
        assert told.returncode == 0
        assert f"What was lost is not known: {lanes} were not told apart." in text
        assert f"{lanes.capitalize()}: several took turns within a thread" in text
        assert "o update was lost" not in text
        assert "nothing to lose" not in text
    assert f"{lanes} not told apart" in invoke("runs", "-d", recording.database).stdout
    assert f"{lanes} not told apart" in recording.stderr


def test_an_event_loop_that_runs_steps_without_context_run(tmp_path: Path) -> None:
    program = f"""
    import asyncio
    {WORK}
    {OWN_LOOP}
    """
    recording = recorded(tmp_path, program)
    assert recording.lost() == LOST
    assert merged(recording) == []
    assert recording.query("SELECT count(*) FROM threads WHERE task_of IS NOT NULL") == [(5,)]


def test_a_task_that_is_cancelled_by_such_a_loop(tmp_path: Path) -> None:
    """It goes on by throw, not by send."""
    program = f"""
    import asyncio
    counter = [0]

    async def worker():
        seen = counter[0]
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            counter[0] = seen + 1

    async def main():
        task = asyncio.current_task().get_loop().create_task(worker())
        await asyncio.sleep(0)
        seen = counter[0]
        task.cancel()
        await asyncio.sleep(0)
        counter[0] = seen + 1

    {OWN_LOOP}
    """
    assert recorded(tmp_path, program).lost() == {"counter[0]": 1}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks")
def test_eager_tasks_are_lanes_from_their_first_step(tmp_path: Path) -> None:
    program = f"""
    import asyncio
    {WORK}
    async def eagerly():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await main()

    asyncio.run(eagerly())
    """
    recording = recorded(tmp_path, program)
    assert recording.lost() == LOST
    # each task's first read is in its own lane
    assert recording.query("SELECT count(DISTINCT thread) FROM events WHERE kind = 1") == [(4,)]


@pytest.mark.skipif(FREE_THREADED, reason="without the GIL there are no switches")
def test_the_innermost_await_is_where_a_task_stopped(tmp_path: Path) -> None:
    program = """
    import asyncio, types
    counter = [0]

    @types.coroutine
    def bare():
        yield

    class Awaitable:
        def __await__(self):
            yield from bare().__await__() if hasattr(bare(), "__await__") else bare()

    async def numbers():
        await Awaitable()
        yield 1

    async def wrapped():
        async for _ in numbers():
            pass

    async def add():
        seen = counter[0]
        await wrapped()
        counter[0] = seen + 1

    async def main():
        await asyncio.gather(add(), add())

    asyncio.run(main())
    """
    recording = recorded(tmp_path, program)
    switches = recording.query(
        "SELECT site.function, awaited_by FROM switches JOIN sites AS site ON site.id = site_id"
        " WHERE awaited_by IS NOT NULL AND awaited_by LIKE '%add%'"
    )
    assert len(switches) == 2
    for function, awaited_by in switches:
        assert function == "bare"
        assert [each[0] for each in json.loads(str(awaited_by))] == ["Awaitable.__await__", "numbers", "wrapped", "add"]
    told = invoke("report", "-d", recording.database).stdout
    assert "stopped at" in told
    assert "awaited by __await__, line " in told
    assert "; by add, line " in told


def test_coroutines_that_take_turns_otherwise_are_noticed(tmp_path: Path) -> None:
    program = """
    import types
    counter = [0]

    @types.coroutine
    def pause():
        yield

    async def add():
        for _ in range(3):
            seen = counter[0]
            await pause()
            counter[0] = seen + 1

    ready = [add() for _ in range(4)]
    while ready:
        coroutine = ready.pop(0)
        try:
            coroutine.send(None)
        except StopIteration:
            continue
        ready.append(coroutine)
    """
    recording = recorded(tmp_path, program)
    assert merged(recording) == ["coroutines"]
    assert_nothing_is_claimed(recording, "coroutines")


def test_coroutines_one_after_the_other_are_one_lane(tmp_path: Path) -> None:
    program = """
    import types
    counter = [0]

    @types.coroutine
    def pause():
        yield

    async def inner():
        await pause()

    async def add():
        seen = counter[0]
        await inner()
        counter[0] = seen + 1

    for _ in range(20):
        coroutine = add()
        for _ in range(2):
            try:
                coroutine.send(None)
            except StopIteration:
                pass
    for _ in range(20):
        coroutine = add()
        coroutine.send(None)
        coroutine.close()
    assert counter == [20]
    """
    recording = recorded(tmp_path, program)
    assert merged(recording) == []
    assert "There was nothing to lose" in invoke("report", "-d", recording.database).stdout


def test_tasks_that_are_written_in_python_are_noticed(tmp_path: Path) -> None:
    program = f"""
    import asyncio
    from asyncio.tasks import _PyTask
    {WORK}
    def make(loop, coroutine, **options):
        return _PyTask(coroutine, loop=loop, **options)

    loop = asyncio.new_event_loop()
    loop.set_task_factory(make)
    loop.run_until_complete(main())
    loop.close()
    """
    recording = recorded(tmp_path, program)
    assert merged(recording) == ["coroutines"]
    assert_nothing_is_claimed(recording, "coroutines")


GREENLETS = """
    import greenlet
    counter = [0]

    def add():
        for _ in range(3):
            seen = counter[0]
            main.switch()
            counter[0] = seen + 1

    main = greenlet.getcurrent()
    workers = [greenlet.greenlet(add) for _ in range(4)]
"""


def test_greenlets_that_take_turns_are_noticed(tmp_path: Path) -> None:
    pytest.importorskip("greenlet")
    program = f"""
    {GREENLETS}
    while not all(worker.dead for worker in workers):
        for worker in workers:
            worker.switch()
    """
    recording = recorded(tmp_path, program)
    assert merged(recording) == ["greenlets"]
    assert_nothing_is_claimed(recording, "greenlets")


def test_greenlets_that_never_ran_are_not(tmp_path: Path) -> None:
    pytest.importorskip("greenlet")
    recording = recorded(tmp_path, f"{GREENLETS}\n    counter[0] += 1")
    assert merged(recording) == []


def test_a_deep_recursion_is_no_greenlet(tmp_path: Path) -> None:
    """The interpreter's stack of frames has another newest piece then."""
    program = """
    counter = [0]

    def down(depth):
        counter[0] += 1
        if depth:
            down(depth - 1)
        counter[0] += 1

    for _ in range(3):
        down(900)
    """
    assert merged(recorded(tmp_path, program)) == []


def test_an_event_loop_in_c(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    program = f"""
    import asyncio, uvloop
    {WORK}
    loop = uvloop.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    """
    recording = recorded(tmp_path, program)
    assert recording.lost() == LOST
    assert merged(recording) == []


def test_a_task_that_is_renamed_stays_one_lane(tmp_path: Path) -> None:
    program = """
    import asyncio
    counter = [0]

    async def add(name):
        seen = counter[0]
        await asyncio.sleep(0)
        asyncio.current_task().set_name(name)
        await asyncio.sleep(0)
        counter[0] = seen + 1

    async def main():
        await asyncio.gather(add("first"), add("second"))

    asyncio.run(main())
    """
    recording = recorded(tmp_path, program)
    assert recording.lost() == {"counter[0]": 1}
    names = recording.query("SELECT name FROM threads WHERE task_of IS NOT NULL")
    assert sorted(str(name) for (name,) in names if "Task" not in str(name)) == ["first", "second"]


def test_a_task_in_the_place_of_one_that_was_given_up_is_another_lane(tmp_path: Path) -> None:
    program = """
    import asyncio
    counter = [0]

    async def forever():
        counter[0] += 1
        await asyncio.get_running_loop().create_future()

    async def add():
        counter[0] += 1

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        for _ in range(20):
            task = asyncio.Task(forever(), loop=loop, name="same")
            await asyncio.sleep(0)
            del task
            await asyncio.sleep(0)
            await asyncio.Task(add(), loop=loop, name="same")

    asyncio.run(main())
    assert counter == [40]
    """
    recording = recorded(tmp_path, program)
    lanes = "SELECT count(DISTINCT event.thread) FROM events AS event JOIN threads AS thread USING (run_id, thread)"
    assert recording.query(f"{lanes} WHERE thread.name = 'same'") == [(40,)]


def test_tasks_that_do_the_same_are_folded(tmp_path: Path) -> None:
    program = """
    import asyncio, threading
    lock = threading.Lock()
    visits = {"n": 0}

    async def visit():
        n = visits["n"]
        await asyncio.sleep(0)
        visits["n"] = n + 1

    async def main():
        with lock:
            pass
        await asyncio.gather(*(visit() for _ in range(10)))

    asyncio.run(main())
    threading.Thread(target=lock.acquire).start()
    """
    recording = recorded(tmp_path, program)
    document = json.loads(invoke("report", "-d", recording.database, "--format", "json").stdout)
    ((finding, *_),) = [document["findings"]]
    interleaving = finding["interleaving"]
    (fold,) = [step for step in interleaving["steps"] if step["step"] == "fold" and step["alike"]]
    assert len(fold["threads"]) == fold["writes"] == 7
    assert not set(fold["threads"]) & set(interleaving["threads"])
    names = {thread["thread"]: thread["name"] for thread in document["threads"]}
    assert {names[thread] for thread in fold["threads"]} <= {f"Task-{number}" for number in range(2, 12)}
    for form in ("text", "markdown"):
        told = " ".join(invoke("report", "-d", recording.database, "--format", form).stdout.split())
        assert "and 3 more do the same: 7 more writes of" in told
        assert "either thread" not in told
        assert "Neither task was seen to hold a lock that another one used too" in told
