"""Programs that hang, since each of their threads waits and none is left that could end that, and programs like them
that wait for what is still to come."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.recording import Recording, Scripts, Underway, invoke

HEAD = """
import os, queue, sys, threading
from concurrent.futures import ThreadPoolExecutor
print(os.getpid(), flush=True)
def start(*works, daemon=False):
    threads = [threading.Thread(target=work, name=work.__name__, daemon=daemon) for work in works]
    for thread in threads: thread.start()
    return threads
def run(work):
    for thread in start(work): thread.join()
def here(): os.write(1, b"here\\n")
"""

# A program, and the threads that wait in the end. What else they wait for is behind them once `here` has been called.
HANG = {
    "a queue that a thread put too little into": (
        """
items = queue.Queue()
def producer(): items.put(1)
def main():
    run(producer)
    items.get()
    here()
    items.get()
main()
""",
        ["MainThread"],
    ),
    "a SimpleQueue": (
        """
items = queue.SimpleQueue()
def producer(): items.put(1)
def worker():
    items.get()
    here()
    items.get()
run(producer)
threads = start(worker)
here()
for thread in threads: thread.join()
""",
        ["MainThread", "worker"],
    ),
    "a full queue": (
        """
items = queue.Queue(1)
def consumer(): items.get()
def main():
    items.put(1)
    run(consumer)
    items.put(2)
    here()
    items.put(3)
main()
""",
        ["MainThread"],
    ),
    "an item that is never done": (
        """
items = queue.Queue()
def consumer():
    while True:
        number = items.get()
        if number != 1: items.task_done()
        if number == 2: here()
start(consumer, daemon=True)
for number in range(3): items.put(number)
items.join()
""",
        ["MainThread", "consumer"],
    ),
    "an event whose setter failed": (
        """
ready = threading.Event()
def worker():
    raise SystemExit
    ready.set()
run(worker)
here()
ready.wait()
""",
        ["MainThread"],
    ),
    "a condition": (
        """
changed, items = threading.Condition(), []
def producer():
    with changed:
        items.append(1)
        changed.notify()
def main():
    run(producer)
    for again in (False, True):
        if again: here()
        with changed:
            while not items: changed.wait()
            items.pop()
main()
""",
        ["MainThread"],
    ),
    "a semaphore that nobody gives back": (
        """
room = threading.Semaphore(1)
def worker():
    room.acquire()
    if not sys.argv: room.release()
run(worker)
here()
room.acquire()
""",
        ["MainThread"],
    ),
    "a barrier for more threads than there are": (
        """
all_there = threading.Barrier(3)
def one(): all_there.wait()
def two(): all_there.wait()
threads = start(one, two)
here()
for thread in threads: thread.join()
""",
        ["MainThread", "one", "two"],
    ),
    "a pool whose only thread waits for it": (
        """
pool = ThreadPoolExecutor(1, "pool")
def outer():
    here()
    return pool.submit(int).result()
future = pool.submit(outer)
here()
print(future.result())
""",
        ["MainThread", "pool_0"],
    ),
    "a thread that holds what the next giver needs": (
        """
items, lock, held = queue.Queue(), threading.Lock(), threading.Event()
def taker():
    with lock:
        held.set()
        items.get()
def giver():
    held.wait()
    here()
    with lock: items.put(1)
threads = start(taker, giver)
here()
for thread in threads: thread.join()
""",
        ["MainThread", "taker", "giver"],
    ),
    "a thread that the interpreter waits for at its end": (
        """
jobs = queue.Queue()
def worker():
    while jobs.get(): here()
start(worker)
jobs.put(1)
""",
        ["MainThread", "worker"],
    ),
}

GO_ON = {
    "a thread that does something else": (
        """
items = queue.Queue()
def producer(): items.put(sys.stdin.readline())
start(producer, daemon=True)
items.get()
""",
        ["MainThread"],
    ),
    "a thread that waits with a timeout": (
        """
items, late = queue.Queue(), threading.Event()
def producer():
    late.wait(1000)
    items.put(1)
start(producer, daemon=True)
items.get()
""",
        ["MainThread", "producer"],
    ),
    "a wait with a timeout": (
        """
items = queue.Queue()
def producer(): items.put(1)
run(producer)
items.get()
here()
items.get(timeout=1000)
""",
        ["MainThread"],
    ),
    "a join with a timeout": (
        """
stop = threading.Event()
def worker(): stop.wait()
def end(): stop.set()
for thread in start(worker): thread.join(1000)
""",
        ["MainThread", "worker"],
    ),
    "a main thread that stays": (
        """
jobs, done = queue.Queue(), threading.Event()
def worker():
    while jobs.get(): done.set()
start(worker, daemon=True)
jobs.put(1)
done.wait()
here()
threading.Event().wait()
""",
        ["MainThread", "worker"],
    ),
    "a signal's handler": (
        """
import signal
stop = threading.Event()
signal.signal(signal.SIGUSR2, lambda *_: stop.set())
def worker(): stop.wait()
for thread in start(worker): thread.join()
""",
        ["MainThread", "worker"],
    ),
    "Ctrl-C": (
        """
stop = threading.Event()
def worker(): stop.wait()
try:
    for thread in start(worker): thread.join()
except KeyboardInterrupt:
    stop.set()
""",
        ["MainThread", "worker"],
    ),
    "a program that tidies up": (
        """
stop = threading.Event()
def worker(): stop.wait()
def main():
    for thread in start(worker): thread.join()
try:
    main()
finally:
    stop.set()
""",
        ["MainThread", "worker"],
    ),
    "a lock that another thread is to release": (
        """
turn = threading.Lock()
def worker():
    if sys.stdin.readline(): turn.release()
start(worker, daemon=True)
turn.acquire()
here()
turn.acquire()
""",
        ["MainThread"],
    ),
}
DEADLOCKS = "SELECT severity, certainty FROM findings WHERE kind = 'deadlock'"


def is_asleep(process: int) -> bool:
    """Whether no thread runs, or could."""
    states = [task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{process}/task").glob("*/stat")]
    return set(states) == {"S"}


def killed(program: str, waiting: list[str], by: signal.Signals, folder: Path, *, alive: bool = False) -> Recording:
    """A run that a signal ends as soon as these threads wait, and all others have ended, unless they are `alive`."""
    script = folder / "script.py"
    script.write_text(HEAD + program)
    run = Underway(folder / "trace.db", script)
    process = int(run.said())
    for _ in range(program.count("here()")):
        assert run.said() == "here"
    (run.until_waiting if alive else run.until_still)(*waiting)
    while not (alive or is_asleep(process)):  # it may have been on its way through a lock
        run.until_still(*waiting)
    os.kill(process, by)
    while by == signal.SIGINT and run.process.is_alive():  # one that comes just before a wait does not end it
        run.process.join(0.2)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, by)
    return run.end()


@pytest.mark.parametrize("name", HANG)
def test_programs_that_hang(name: str, tmp_path: Path) -> None:
    recording = killed(*HANG[name], signal.SIGKILL, tmp_path)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]


@pytest.mark.parametrize("name", GO_ON)
def test_programs_that_can_go_on(name: str, tmp_path: Path) -> None:
    assert killed(*GO_ON[name], signal.SIGKILL, tmp_path, alive=True).query(DEADLOCKS) == []


@pytest.mark.parametrize("name", ["a condition", "a thread that the interpreter waits for at its end"])
def test_a_hang_that_ctrl_c_ended(name: str, tmp_path: Path) -> None:
    recording = killed(*HANG[name], signal.SIGINT, tmp_path)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]


def test_a_circle_that_ctrl_c_ended(tmp_path: Path) -> None:
    program = """
first, second, held = threading.Lock(), threading.Lock(), threading.Event()
def other():
    with second:
        held.set()
        with first: pass
def main():
    with first:
        start(other)
        held.wait()
        here()
        with second: pass
main()
"""
    recording = killed(program, ["MainThread", "other"], signal.SIGINT, tmp_path)
    assert recording.query(DEADLOCKS) == [("happened", "proven")]
    assert recording.query("SELECT role FROM finding_events WHERE role LIKE 'hold%'") == [("hold 1",), ("hold 2",)]


def test_daemons_that_wait_for_more_as_the_program_ends(tmp_path: Path) -> None:
    program = """
jobs, stop = queue.Queue(), threading.Event()
def worker():
    while jobs.get(): pass
def waiter(): stop.wait()
def finish(): stop.set()
start(worker, waiter, daemon=True)
jobs.put(1)
sys.stdin.readline()
"""
    script = tmp_path / "script.py"
    script.write_text(HEAD + program)
    run = Underway(tmp_path / "trace.db", script)
    run.said()
    run.until_waiting("worker", "waiter")
    run.tell()
    recording = run.end()
    assert recording.exit_code == 0
    assert recording.query(DEADLOCKS) == []


IN_VAIN = """
jobs, stop = queue.Queue(), threading.Event()
def worker():
    jobs.get()
    jobs.get()
(thread,) = start(worker, daemon=True)
END
"""
LEFT = {
    "another thread that may put something": (
        "jobs.put(1)\nother = start(lambda: (stop.wait(60), jobs.put(1)), daemon=True)\nthread.join(0.2)"
    ),
    "joined before it waits": "thread.join(0)\njobs.put(1)\nwhile jobs.qsize(): pass",
    "ended later": "jobs.put(1)\nthread.join(0.2)\njobs.put(1)\nthread.join()",
    "ready for signals": "jobs.put(1)\nthread.join(0.2)\nimport signal",
}


@pytest.mark.skipif(sys.version_info < (3, 13), reason="nothing in a trace tells that the program is over")
def test_a_daemon_whose_end_was_waited_for(scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + IN_VAIN.replace("END", "jobs.put(1)\nthread.join(0.2)"))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 deadlock happened." in told
    assert "worker waits for the Queue jobs (line 16); MainThread put something into it last (line 18)." in told


@pytest.mark.parametrize("name", LEFT)
def test_a_daemon_that_may_be_left_waiting(name: str, scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + IN_VAIN.replace("END", LEFT[name]))
    assert scripts.record("script.py").returncode == 0
    assert scripts.query(DEADLOCKS) == []


def test_it_is_told_who_waits_and_who_gave_last(tmp_path: Path) -> None:
    recording = killed(*HANG["a queue that a thread put too little into"], signal.SIGKILL, tmp_path)
    told = " ".join(invoke("report", "-d", recording.database).stdout.split())
    assert "1 deadlock happened." in told
    assert "MainThread waits for the Queue items (line 19); producer put something into it last (line 14)." in told
    assert "nobody is left to put anything into the Queue items." in told
    assert "WAITS FOR EVER" in told
    checked = invoke("check", "-d", recording.database)
    assert checked.returncode == 1


def test_it_is_told_who_waits_for_whom(tmp_path: Path) -> None:
    recording = killed(*HANG["a thread that holds what the next giver needs"], signal.SIGKILL, tmp_path)
    told = " ".join(invoke("report", "-d", recording.database).stdout.split())
    assert "taker waits for the Queue items (line 17)." in told
    assert "MainThread waits for the end of taker (line 24)." in told
    assert "giver waits for the Lock lock (line 21), which taker holds." in told
