"""What threads do to wait for each other is in the trace, and nothing of it is reported as lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording

OUTERMOST = """
    SELECT thread.name, sync.operation, label, sync.failed FROM synchronisation AS sync
    JOIN sync_objects ON sync_objects.id = sync_object_id
    JOIN threads AS thread ON thread.run_id = sync.run_id AND thread.thread = sync.thread
    WHERE inside_seq IS NULL AND NOT begins ORDER BY seq"""


def recorded(record: Callable[..., Recording], tmp_path: Path, program: str) -> Recording:
    script = tmp_path / "waiting.py"
    script.write_text("import queue, threading, time\n" + program)
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    assert recording.lost() == {}
    return recording


WAITS = {
    "lock": ("lock = threading.Lock()", "with lock: time.sleep(0.2)", "with lock: pass", "acquire", "lock"),
    "rlock": (
        "lock = threading.RLock()",
        "with lock:\n   with lock: time.sleep(0.2)",
        "with lock: pass",
        "acquire",
        "lock",
    ),
    "semaphore": (
        "gate = threading.Semaphore(1)",
        "gate.acquire(); time.sleep(0.2); gate.release()",
        "gate.acquire()",
        "acquire",
        "gate",
    ),
    "event": ("flag = threading.Event()", "time.sleep(0.2); flag.set()", "flag.wait()", "wait", "flag"),
    "barrier": ("wall = threading.Barrier(2)", "time.sleep(0.2); wall.wait()", "wall.wait()", "wait", "wall"),
    "condition": (
        "ready = threading.Condition(); done = False",
        "global done\n  time.sleep(0.2)\n  with ready:\n   done = True; ready.notify()",
        "with ready:\n   while not done: ready.wait()",
        "wait",
        "ready",
    ),
    "queue": ("box = queue.Queue()", "time.sleep(0.2); box.put(1)", "box.get()", "get", "box"),
    "lifo": ("box = queue.LifoQueue()", "time.sleep(0.2); box.put(1)", "box.get()", "get", "box"),
    "priority": ("box = queue.PriorityQueue()", "time.sleep(0.2); box.put(1)", "box.get()", "get", "box"),
    "simple": ("box = queue.SimpleQueue()", "time.sleep(0.2); box.put(1)", "box.get()", "get", "box"),
}


@pytest.mark.parametrize("name", WAITS)
def test_who_waited_for_whom(name: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    setup, gives, takes, operation, label = WAITS[name]
    recording = recorded(
        record,
        tmp_path,
        f"""
{setup}
def giver():
  {gives}
def taker():
  time.sleep(0.05)
  {takes}
first = threading.Thread(target=giver, name="giver")
second = threading.Thread(target=taker, name="taker")
first.start(); second.start(); first.join(); second.join()
""",
    )
    waits = recording.query(
        "SELECT thread_name, operation, woken_by_name FROM waits WHERE object = ? AND waited > 0.01", label
    )
    assert waits == [("taker", operation, "giver")]
    joins = recording.query("SELECT woken_by_name FROM waits WHERE operation = 'join'")
    assert ("giver",) in joins or ("taker",) in joins


def test_a_thread_pool(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
from concurrent.futures import ThreadPoolExecutor
def work(number):
    time.sleep(0.1)
    return number
with ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
    futures = [pool.submit(work, number) for number in range(4)]
    print(sum(future.result() for future in futures))
""",
    )
    assert recording.stdout == "6\n"
    done = [(name, operation) for name, operation, _, _ in recording.query(OUTERMOST)]
    assert done.count(("MainThread", "submit")) == 4 or ("MainThread", "result") in done
    assert {name for name, operation in done if operation == "set_result"} == {"pool_0", "pool_1"}
    starters = recording.query(
        "SELECT one.name, other.name FROM threads AS one JOIN threads AS other ON other.thread = one.started_by"
    )
    assert set(starters) == {("pool_0", "MainThread"), ("pool_1", "MainThread")}


def test_a_lock_from_before_and_in_library_code(record: Callable[..., Recording], tmp_path: Path) -> None:
    """logging's lock is made and taken by code that is not woven."""
    recording = recorded(
        record,
        tmp_path,
        """
import logging
class Slow(logging.Handler):
    def emit(self, record): time.sleep(0.1)
log = logging.getLogger("here"); log.addHandler(Slow()); log.propagate = False
threads = [threading.Thread(target=log.warning, args=("hello",), name=f"writer {n}") for n in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    )
    sql = "SELECT thread_name, woken_by_name FROM waits WHERE operation = 'acquire' AND waited > 0.01"
    waits = recording.query(sql)
    assert waits in ([("writer 1", "writer 0")], [("writer 0", "writer 1")])


def test_timeouts_and_refusals(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
lock = threading.Lock()
def work():
    print(lock.acquire(blocking=False), lock.acquire(timeout=0.05))
    try: lock.release(); lock.release()
    except RuntimeError as error: print(error)
lock.acquire()
thread = threading.Thread(target=work, name="second")
thread.start(); thread.join()
""",
    )
    assert recording.stdout == "False False\nrelease unlocked lock\n"
    failed = [row for row in recording.query(OUTERMOST) if row[3] and row[2] == "lock"]
    assert failed == [("second", "acquire", "lock", 1)] * 2


def test_a_thread_that_never_comes_out(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
import os
lock = threading.Lock(); lock.acquire()
threading.Thread(target=lock.acquire, name="stuck").start()
time.sleep(0.2)
os._exit(0)
""",
    )
    rows = recording.query("""
        SELECT thread.name, operation, begins FROM synchronisation AS sync
        JOIN threads AS thread ON thread.thread = sync.thread WHERE thread.name = 'stuck' ORDER BY seq DESC LIMIT 1""")
    assert rows == [("stuck", "acquire", 1)]


@pytest.mark.parametrize("options", [(), ("--include", "queue", "--include", "threading")])
def test_library_code_that_is_woven_itself(
    options: tuple[str, ...], record: Callable[..., Recording], tmp_path: Path
) -> None:
    script = tmp_path / "waiting.py"
    script.write_text("""
import queue, threading, time
box = queue.Queue()
def put():
    time.sleep(0.2)
    box.put(1)
thread = threading.Thread(target=put, name="putter")
thread.start()
box.get()
thread.join()
""")
    recording = record(*options, script)
    assert recording.exit_code == 0, recording.stderr
    waits = recording.query("SELECT operation, object, woken_by_name, line FROM waits WHERE waited > 0.05")
    assert waits == [("get", "box", "putter", 9)]


def test_an_operation_that_raised_holds_no_later_one(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
import queue
lines, ready, lock = queue.Queue(), threading.Event(), threading.Lock()
def work():
    for _ in range(3):
        try:
            lines.get_nowait()
        except queue.Empty:
            pass
    with lock:
        ready.set()
def other():
    ready.wait()
    with lock:
        lines.put(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (work, other)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    )
    rows = recording.query(OUTERMOST)
    done = [(operation, label) for name, operation, label, _ in rows if name == "work" and label in ("lock", "ready")]
    assert done == [("acquire", "lock"), ("set", "ready"), ("release", "lock")]


def test_a_join_that_timed_out_was_ended_by_nobody(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
goes_on = threading.Event()
def work():
    goes_on.wait()
thread = threading.Thread(target=work, name="work")
thread.start()
thread.join(0.05)
goes_on.set()
thread.join()
""",
    )
    assert recording.query("SELECT woken_by_name FROM waits WHERE operation = 'join'") == [("work",)]
