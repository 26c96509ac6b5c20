"""What threads do to wait for each other is in the trace, and nothing of it is reported as lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording, Underway

OUTERMOST = """
    SELECT thread.name, sync.operation, label, sync.failed FROM synchronisation AS sync
    JOIN sync_objects ON sync_objects.id = sync_object_id
    JOIN threads AS thread ON thread.run_id = sync.run_id AND thread.thread = sync.thread
    WHERE inside_seq IS NULL AND NOT begins ORDER BY seq"""


def recorded(record: Callable[..., Recording], tmp_path: Path, program: str) -> Recording:
    script = tmp_path / "waiting.py"
    script.write_text("import queue, threading\n" + program)
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    assert recording.lost() == {}
    return recording


# What makes the thing, what the giver and the taker do, the operation that waits, and the thing's label. At `told()`
# the giver waits until the taker waits for what it gives.
WAITS = {
    "lock": ("lock = threading.Lock()", "with lock: told()", "with lock: pass", "acquire", "lock"),
    "rlock": (
        "lock = threading.RLock()",
        "with lock:\n   with lock: told()",
        "lock.acquire(Blocking()); lock.release()",
        "acquire",
        "lock",
    ),
    "semaphore": (
        "gate = threading.Semaphore(1)",
        "gate.acquire(); told(); gate.release()",
        "gate.acquire()",
        "acquire",
        "gate",
    ),
    "event": ("flag = threading.Event()", "told(); flag.set()", "flag.wait()", "wait", "flag"),
    "barrier": ("wall = threading.Barrier(2)", "told(); wall.wait()", "wall.wait()", "wait", "wall"),
    "condition": (
        "ready = threading.Condition(); done = False",
        "global done\n  told()\n  with ready:\n   done = True; ready.notify()",
        "with ready:\n   while not done: ready.wait()",
        "wait",
        "ready",
    ),
    "queue": ("box = queue.Queue()", "told(); box.put(1)", "box.get()", "get", "box"),
    "lifo": ("box = queue.LifoQueue()", "told(); box.put(1)", "box.get()", "get", "box"),
    "priority": ("box = queue.PriorityQueue()", "told(); box.put(1)", "box.get()", "get", "box"),
    "simple": ("box = queue.SimpleQueue()", "told(); box.put(1)", "box.get()", "get", "box"),
}


def underway(tmp_path: Path, program: str, *options: str) -> Underway:
    script = tmp_path / "waiting.py"
    script.write_text("import queue, threading\n" + program)
    return Underway(tmp_path / "trace.db", *options, script)


@pytest.mark.parametrize("name", WAITS)
def test_who_waited_for_whom(name: str, tmp_path: Path) -> None:
    setup, gives, takes, operation, label = WAITS[name]
    recording = underway(
        tmp_path,
        f"""
{setup}
begun, inside = threading.Event(), threading.Event()
def told():
  begun.set()
  input()
  {"inside.wait()" if name == "rlock" else ""}
class Blocking:
  def __bool__(self):  # asked inside of acquire: the trace does not say when a thread begins to wait for an RLock
    inside.set()
    return True
  def __index__(self): return int(bool(self))  # 3.11 asks so
def giver():
  {gives}
def taker():
  begun.wait()
  print("taker\\n", end="", flush=True)
  {takes}
first = threading.Thread(target=giver, name="giver")
second = threading.Thread(target=taker, name="taker")
first.start(); second.start()
print("main\\n", end="", flush=True)
first.join(); second.join()
""",
    )
    assert {recording.said(), recording.said()} == {"main", "taker"}
    recording.until_waiting("MainThread", *(["taker"] if name != "rlock" else []))
    recording.tell()
    done = recording.end()
    assert (done.exit_code, done.lost()) == (0, {}), done.stderr
    waits = done.query("SELECT thread_name, operation, woken_by_name FROM waits WHERE object = ?", label)
    assert waits == [("taker", operation, "giver")]
    joins = done.query("SELECT woken_by_name FROM waits WHERE operation = 'join' ORDER BY seq")
    assert joins[0] == ("giver",)


def test_a_thread_pool(record: Callable[..., Recording], tmp_path: Path) -> None:
    recording = recorded(
        record,
        tmp_path,
        """
from concurrent.futures import ThreadPoolExecutor
both = threading.Barrier(2)
def work(number):
    both.wait()
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


def test_a_lock_from_before_and_in_library_code(tmp_path: Path) -> None:
    """The lock is made by queue and taken by logging: neither is woven."""
    recording = underway(
        tmp_path,
        """
import logging
begun = threading.Event()
class Slow(logging.Handler):
    def emit(self, record):
        begun.set()
        if record.args: input()
handler = Slow(); handler.lock = queue.Queue().mutex
log = logging.getLogger("here"); log.addHandler(handler); log.propagate = False
def first():
    log.warning("%s", "hello")
def second():
    begun.wait()
    print("second", flush=True)
    log.warning("hello")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    )
    assert recording.said() == "second"
    recording.until_waiting("second")
    recording.tell()
    done = recording.end()
    assert (done.exit_code, done.lost()) == (0, {}), done.stderr
    sql = "SELECT thread_name, woken_by_name FROM waits WHERE operation = 'acquire' AND type = '_thread.lock'"
    assert done.query(sql) == [("second", "first")]


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
    assert failed == [("second", "acquire", "lock", 1)] * 2 + [("second", "release", "lock", 1)]


def test_a_thread_that_never_comes_out(tmp_path: Path) -> None:
    recording = underway(
        tmp_path,
        """
import os
lock = threading.Lock(); lock.acquire()
threading.Thread(target=lock.acquire, name="stuck").start()
input()
os._exit(0)
""",
    )
    recording.until_waiting("stuck")
    recording.tell()
    done = recording.end()
    assert (done.exit_code, done.lost()) == (0, {}), done.stderr
    rows = done.query("""
        SELECT thread.name, operation, begins FROM synchronisation AS sync
        JOIN threads AS thread ON thread.thread = sync.thread WHERE thread.name = 'stuck' ORDER BY seq DESC LIMIT 1""")
    assert rows == [("stuck", "acquire", 1)]


@pytest.mark.parametrize("options", [(), ("--include", "queue", "--include", "threading")])
def test_library_code_that_is_woven_itself(options: tuple[str, ...], tmp_path: Path) -> None:
    recording = underway(
        tmp_path,
        """
box = queue.Queue()
def put():
    input()
    box.put(1)
thread = threading.Thread(target=put, name="putter")
thread.start()
print("started", flush=True)
box.get()
thread.join()
""",
        *options,
    )
    assert recording.said() == "started"
    recording.until_waiting("MainThread")
    recording.tell()
    done = recording.end()
    assert done.exit_code == 0, done.stderr
    waits = done.query("SELECT operation, object, woken_by_name, line FROM waits WHERE object = 'box'")
    assert waits == [("get", "box", "putter", 10)]


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


def test_a_join_that_timed_out_was_ended_by_nobody(tmp_path: Path) -> None:
    recording = underway(
        tmp_path,
        """
def work():
    input()
thread = threading.Thread(target=work, name="work")
thread.start()
thread.join(0.001)
print("timed out", flush=True)
thread.join()
""",
    )
    assert recording.said() == "timed out"
    recording.until_waiting("MainThread")
    recording.tell()
    done = recording.end()
    assert done.query("SELECT woken_by_name, line FROM waits WHERE operation = 'join'") == [("work", 9)]


TRIES = {
    "a lock": "threading.Lock()",
    "an RLock": "threading.RLock()",
}


@pytest.mark.parametrize("name", TRIES)
def test_what_only_tries_does_not_wait(name: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    program = f"""
lock, held, done = {TRIES[name]}, threading.Event(), threading.Event()
def holder():
    with lock: held.set(); done.wait()
def trier():
    held.wait()
    assert not lock.acquire(False)
    assert not lock.acquire(blocking=False)
    assert not lock.acquire(timeout=0)
    done.set()
threads = [threading.Thread(target=each) for each in (holder, trier)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    recording = recorded(record, tmp_path, program)
    sql = """
        SELECT begins, failed, waited, holder IS NOT NULL FROM synchronisation AS sync
        JOIN sync_objects ON sync_objects.id = sync_object_id
        JOIN threads AS thread ON thread.run_id = sync.run_id AND thread.thread = sync.thread
        WHERE label = 'lock' AND operation = 'acquire' AND thread.name LIKE '%trier%'"""
    assert recording.query(sql) == [(0, 1, None, 1)] * 3


@pytest.mark.parametrize("name", TRIES)
def test_a_release_that_raised_is_none(name: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    program = f"""
lock = {TRIES[name]}
def release():
    try: lock.release()
    except RuntimeError: pass
    with lock: pass
threads = [threading.Thread(target=release) for _ in range(2)]
for thread in threads: thread.start(); thread.join()
"""
    recording = recorded(record, tmp_path, program)
    sql = """
        SELECT operation, failed FROM synchronisation AS sync
        JOIN sync_objects ON sync_objects.id = sync_object_id WHERE label = 'lock' ORDER BY seq"""
    assert recording.query(sql) == [("release", 1), ("acquire", 0), ("release", 0)] * 2


@pytest.mark.parametrize("name", TRIES)
@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_wait_without_end(name: str, end: str, tmp_path: Path) -> None:
    recording = underway(
        tmp_path,
        f"""
import os, signal
lock, held = {TRIES[name]}, threading.Event()
def holder():
    lock.acquire()
    held.set()
    threading.Event().wait()
def waiter():
    held.wait()
    print("held", flush=True)
    lock.acquire()
for each in (holder, waiter):
    threading.Thread(target=each, name=each.__name__, daemon=True).start()
input()
{end}
""",
    )
    assert recording.said() == "held"
    recording.until_waiting("holder", "waiter")
    recording.tell()
    done = recording.end()
    sql = """
        SELECT thread.name, sync.begins, holder.name FROM synchronisation AS sync
        JOIN sync_objects ON sync_objects.id = sync_object_id
        JOIN threads AS thread ON thread.run_id = sync.run_id AND thread.thread = sync.thread
        LEFT JOIN threads AS holder ON holder.run_id = sync.run_id AND holder.thread = sync.holder
        WHERE label = 'lock' AND operation = 'acquire' ORDER BY sync.seq"""
    assert done.query(sql) == [("holder", 0, None), ("waiter", 1, "holder")], done.stderr


def test_a_lock_that_one_thread_alone_uses(record: Callable[..., Recording], tmp_path: Path) -> None:
    """It is stored if a location was reached under it that threads share, and not if none was."""
    program = """
class Account: pass
account = Account()
account.balance, account.lock, account.audit, other = 0, threading.Lock(), threading.RLock(), threading.Lock()
first = threading.Event()
def deposit():
    with account.lock: account.balance = account.balance + 1
    with other: pass
    first.set()
def withdraw():
    first.wait()
    with account.audit:
        with account.audit: pass
        account.balance = account.balance - 1
threads = [threading.Thread(target=each) for each in (deposit, withdraw)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    recording = recorded(record, tmp_path, program)
    labels = {str(label) for (label,) in recording.query("SELECT label FROM sync_objects")}
    assert labels >= {"account.lock", "account.audit"}
    assert "other" not in labels


def test_a_wait_that_one_thread_alone_began(tmp_path: Path) -> None:
    recording = underway(
        tmp_path,
        """
import os
def waiter():
    lock = threading.Lock()
    lock.acquire()
    print("held", flush=True)
    lock.acquire()
threading.Thread(target=waiter, name="waiter", daemon=True).start()
input()
os._exit(0)
""",
    )
    assert recording.said() == "held"
    recording.until_waiting("waiter")
    recording.tell()
    sql = """
        SELECT begins FROM synchronisation JOIN sync_objects ON sync_objects.id = sync_object_id
        WHERE label = 'lock' ORDER BY seq"""
    assert recording.end().query(sql) == [(0,), (1,)]
