"""Deadlocks of recorded programs: those that happened, those that can, and those that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recording import Recording, Scripts, Underway, invoke

HEAD = """
import os, sys, threading
a, b, c = threading.Lock(), threading.Lock(), threading.RLock()
def run(*works, joins=True):
    threads = [threading.Thread(target=work, name=work.__name__, daemon=True) for work in works]
    for thread in threads:
        thread.start()
        if joins: thread.join()
    return threads
"""
STUCK = """
both = threading.Barrier(2)
def first():
    with FIRST:
        both.wait()
        print("first", flush=True)
        SECOND.acquire(*TIMEOUT)
def second():
    with SECOND:
        both.wait()
        print("second", flush=True)
        FIRST.acquire(*TIMEOUT)
run(first, second, joins=False)
sys.stdin.readline()
"""


def two(first: str, second: str, timeout: str) -> str:
    return STUCK.replace("FIRST", first).replace("SECOND", second).replace("*TIMEOUT", timeout)


HAPPENED = {
    "two locks": two("a", "b", ""),
    "with timeouts that say for ever": two("a", "b", "True, -1"),
    "a lock and an RLock": two("a", "c", ""),
    "a lock taken twice": """
def first():
    a.acquire()
    a.acquire()
run(first, joins=False)
sys.stdin.readline()
""",
    "a join by the holder": """
def first():
    with a:
        other = threading.Thread(target=second, name="second", daemon=True)
        other.start()
        print("first", flush=True)
        other.join()
def second():
    a.acquire()
run(first, joins=False)
sys.stdin.readline()
""",
}
CAN = {
    "opposite orders": """
def first():
    with a:
        with b: pass
def second():
    with b:
        with a: pass
run(first, second)
""",
    "in one function": """
def both(one, other):
    with one:
        with other: pass
for pair in ((a, b), (b, a)):
    thread = threading.Thread(target=both, args=pair)
    thread.start(); thread.join()
""",
    "the second lock under the first one, always": """
def first():
    with a: b.acquire()
    with a: b.release()
def second():
    with a:
        with b: pass
run(first, second)
""",
    "under a condition": """
def first():
    with a:
        if sys.argv:
            with b: pass
def second():
    with b:
        if sys.argv:
            with a: pass
run(first, second)
""",
    "three in a circle": """
def one():
    with a:
        with b: pass
def two():
    with b:
        with c: pass
def three():
    with c:
        with a: pass
run(one, two, three)
""",
}
READERS = "mutex, readers = threading.Lock(), []"
CANNOT = {
    "the same order": """
def first():
    with a:
        with b: pass
def second():
    with a:
        with b: pass
run(first, second)
""",
    "a gate": """
def first():
    with c, a, b: pass
def second():
    with c, b, a: pass
run(first, second)
""",
    "one of them gives up": """
def first():
    with a:
        if b.acquire(timeout=5): b.release()
def second():
    with b:
        if a.acquire(timeout=5): a.release()
run(first, second)
""",
    "one of them only tries": """
def first():
    with a:
        if b.acquire(blocking=False): b.release()
def second():
    with b, a: pass
run(first, second)
""",
    "before the start, and after the join": """
def first():
    with a:
        with b: pass
with b, a: pass
run(first)
with b, a: pass
""",
    "one thread alone": """
def first():
    with a:
        with b: pass
    with b, a: pass
def second():
    with a: pass
    with b: pass
run(first, second)
""",
    "the same RLock again": """
def first():
    with c, a, c: pass
def second():
    with c:
        with a: pass
run(first, second)
""",
    "a lock that hands over": """
a.acquire()
def first():
    with b: pass
    a.release()
def second():
    with b: pass
    a.acquire()
    with b: pass
run(first, second)
""",
    "conditions": """
ready, items = threading.Condition(), []
def put():
    for n in range(3):
        with ready:
            items.append(n)
            ready.notify()
def take():
    for n in range(3):
        with ready:
            while not items: ready.wait()
            items.pop()
for thread in run(take, put, joins=False): thread.join()
""",
    "readers of whom the first locks and the last unlocks": READERS
    + """
def reader():
    with mutex:
        readers.append(1)
        if len(readers) == 1: a.acquire()
    with mutex:
        readers.pop()
        if not readers: a.release()
def other(): reader()
def writer():
    with a: pass
run(reader, other, writer)
""",
    "the same, in methods that a helper locks for": READERS
    + """
class Shared:
    def lock(self): a.acquire()
    def unlock(self): a.release()
    def begin(self):
        with mutex:
            readers.append(1)
            if len(readers) == 1: self.lock()
    def end(self):
        with mutex:
            readers.pop()
            if not readers: self.unlock()
shared = Shared()
def reader():
    shared.begin()
    shared.end()
def other(): reader()
def writer():
    with a: pass
run(reader, other, writer)
""",
    "readers that let writers go first": READERS
    + """
turn, writers, many = threading.Lock(), [], threading.Lock()
def reader():
    with turn:
        with mutex:
            readers.append(1)
            if len(readers) == 1: a.acquire()
    with mutex:
        readers.pop()
        if not readers: a.release()
def other(): reader()
def writer():
    with many:
        writers.append(1)
        if len(writers) == 1: turn.acquire()
    with a: pass
    with many:
        writers.pop()
        if not writers: turn.release()
def another(): writer()
run(reader, writer, other, another)
""",
    "hand over hand": """
chain = [threading.Lock() for _ in range(4)]
def first():
    chain[0].acquire()
    for one, other in zip(chain, chain[1:]):
        other.acquire()
        one.release()
    other.release()
def second(): first()
run(first, second)
""",
    "locks of a list, in order of their places": """
import contextlib
stripes = [threading.Lock() for _ in range(4)]
def both(one, other):
    with stripes[min(one, other)], stripes[max(one, other)]: pass
def all_of(*places):
    with contextlib.ExitStack() as stack:
        for place in sorted(places): stack.enter_context(stripes[place])
def first():
    both(0, 1)
    both(3, 1)
    all_of(3, 0, 2)
def second():
    both(1, 0)
    both(1, 3)
    all_of(2, 3, 0)
run(first, second)
""",
    "one that gives up what it has if it does not get the other": """
def first():
    with a, b: pass
def second():
    while True:
        b.acquire()
        if a.acquire(False): break
        b.release()
    a.release()
    b.release()
run(first, second)
""",
    "conditions that share a lock": """
one, other, turn = threading.Condition(a), threading.Condition(a), []
def first():
    with one:
        while not turn: one.wait()
        turn.append(2)
        other.notify()
def second():
    with other:
        turn.append(1)
        one.notify()
        while len(turn) < 2: other.wait()
for thread in run(first, second, joins=False): thread.join()
""",
}


SEVERITIES = "SELECT severity, certainty FROM findings WHERE kind = 'deadlock'"


def stuck(program: str, folder: Path) -> Recording:
    """A run that ends while its threads wait."""
    script = folder / "script.py"
    script.write_text(HEAD + program)
    run = Underway(folder / "trace.db", script)
    for _ in range(program.count("print(")):
        run.said()
    run.until_waiting(*(name for name in ("first", "second") if f"def {name}" in program))
    run.tell()
    recording = run.end()
    assert recording.exit_code == 0, recording.stderr
    return recording


def found(scripts: Scripts, program: str) -> list[tuple[object, ...]]:
    scripts.write("script.py", HEAD + program)
    done = scripts.record("script.py")
    assert done.returncode == 0, done.stderr.decode()
    return scripts.query(SEVERITIES)


@pytest.mark.parametrize("name", HAPPENED)
def test_one_that_happened(name: str, tmp_path: Path) -> None:
    assert stuck(HAPPENED[name], tmp_path).query(SEVERITIES) == [("happened", "proven")]


@pytest.mark.parametrize("name", CAN)
def test_one_that_can_happen(name: str, scripts: Scripts) -> None:
    assert found(scripts, CAN[name]) == [("possible", "proven")]


@pytest.mark.parametrize("name", CANNOT)
def test_none(name: str, scripts: Scripts) -> None:
    assert found(scripts, CANNOT[name]) == []


def test_waits_that_give_up_are_none(tmp_path: Path) -> None:
    assert stuck(two("a", "b", "True, 1000"), tmp_path).query(SEVERITIES) == []


def test_all_formats_tell_of_one_that_happened(tmp_path: Path) -> None:
    recording = stuck(HAPPENED["two locks"], tmp_path)
    checked = invoke("check", "-d", recording.database)
    assert checked.returncode == 1
    assert "deadlock" in checked.stdout
    told = " ".join(invoke("report", "-d", recording.database).stdout.split())
    assert "1 deadlock happened." in told
    assert " waits for the Lock a" in told
    assert "WAITS FOR EVER" in told
    report = json.loads(invoke("report", "-d", recording.database, "--format", "json").stdout)
    (finding,) = report["findings"]
    assert set(finding["sites"]) == {"hold 1", "wait 1", "hold 2", "wait 2"}
    roles = {step["role"] for step in finding["interleaving"]["steps"] if step.get("role")}
    assert roles == set(finding["sites"])
    assert "**WAITS FOR EVER**" in invoke("report", "-d", recording.database, "--format", "markdown").stdout
    locks = "SELECT label FROM finding_locks JOIN sync_objects ON sync_objects.id = sync_object_id ORDER BY label"
    assert recording.query(locks) == [("a",), ("b",)]


def test_one_that_can_happen_is_told(scripts: Scripts) -> None:
    found(scripts, CAN["opposite orders"])
    rows = json.loads(scripts.opcodetrace("query", "--format", "json", "deadlocks").stdout)
    assert [(row["role"], row["lock"]) for row in rows] == [
        ("hold 1", "a"),
        ("wait 1", "b"),
        ("hold 2", "b"),
        ("wait 2", "a"),
    ]
    assert scripts.opcodetrace("check").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "A deadlock can happen: nothing seen excludes it." in told
    assert "took the Lock b (line 13) while it held the Lock a (line 12)" in told


# The first thread ends with the lock that the second one waits for.
LEFT = """
def first():
    LOCK.acquire()
    if not sys.flags.interactive: return
    LOCK.release()
def second():  # begins before the first ends: else it may get its ident, and with it its RLock
    gone.wait()
    print("second", flush=True)
    LOCK.acquire(*TIMEOUT)
gone = threading.Event()
run(second, joins=False)
run(first)
gone.set()
sys.stdin.readline()
"""
HANDED_OVER = """
a.acquire()
def first():
    b.acquire()
def second():
    print("second", flush=True)
    b.acquire()
run(first)
run(second, joins=False)
sys.stdin.readline()
"""


def left(lock: str, timeout: str = "") -> str:
    return LEFT.replace("LOCK", lock).replace("*TIMEOUT", timeout)


@pytest.mark.parametrize("lock", ["a", "c"])
def test_a_lock_whose_holder_has_ended(lock: str, tmp_path: Path) -> None:
    recording = left_behind(left(lock), tmp_path)
    assert recording.query(SEVERITIES) == [("happened", "proven")]
    told = " ".join(invoke("report", "-d", recording.database).stdout.split())
    assert (
        f"second waits for the {'RLock' if lock == 'c' else 'Lock'} {lock} (line 18), which first took (line 12)"
        in told
    )
    assert "and never released: it has ended." in told


@pytest.mark.parametrize(
    "program",
    [left("a", "True, 1000"), HANDED_OVER, left("a").replace("run(first)", "run(first); a.release(); a.acquire()")],
    ids=["a wait that gives up", "a lock that nobody was seen to release", "a lock that another thread released"],
)
def test_no_lock_whose_holder_has_ended(program: str, tmp_path: Path) -> None:
    assert left_behind(program, tmp_path).query(SEVERITIES) == []


def left_behind(program: str, folder: Path) -> Recording:
    """A run that ends while its second thread waits."""
    script = folder / "script.py"
    script.write_text(HEAD + program)
    run = Underway(folder / "trace.db", script)
    run.said()
    run.until_waiting("second")
    run.tell()
    recording = run.end()
    assert recording.exit_code == 0, recording.stderr
    return recording


# Who waits for a lock is given it as it is released, and says so only when it has the GIL. Until then it seems free.
GIVEN_ALREADY = """
def holder():
    a.acquire()
    run(waiter, joins=False)
    sys.stdin.readline()
    sys.setswitchinterval(100)
    a.release()
    for _ in range(2_000_000): pass
    a.acquire()
def waiter():
    print("waiter", flush=True)
    a.acquire()
run(holder, joins=False)
for thread in threading.enumerate():
    if thread is not threading.main_thread(): thread.join(2)
"""


def test_a_lock_that_another_thread_was_given_already(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HEAD + GIVEN_ALREADY)
    run = Underway(tmp_path / "trace.db", script)
    run.said()
    run.until_waiting("waiter")
    run.tell()
    assert run.end().query(SEVERITIES) == [("happened", "proven")]  # whichever of the two has it
