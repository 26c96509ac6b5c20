"""Notifications that reached nobody: those that somebody waited for after that, and those that nobody needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Recording, Scripts, Underway

KIND = "lost notification"
HEAD = """
import queue, sys, threading
from concurrent.futures import ThreadPoolExecutor
cond, event, both = threading.Condition(), threading.Event(), threading.Barrier(2)
class Box: pass
box, items, table, ready, state, value, left = Box(), [], {}, False, 'new', None, 2
box.ready = False
def until(told):  # no thread waits for another one: it only looks
    while not told: pass
def run(*works, **options):
    threads = [threading.Thread(target=work, name=work.__name__, **options) for work in works]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
# In each, `one` has checked, then `other` changes that and notifies, then `one` waits.
LATE = """
def one():
    global ready, state, value
    CHECK
        both.wait(); both.wait()
        with cond: cond.wait(0.01)
def other():
    global ready, state, value
    both.wait()
    with cond:
        CHANGE
        cond.notify_all()
    both.wait()
run(one, other)
"""


def late(check: str, change: str) -> str:
    return LATE.replace("CHECK", check).replace("CHANGE", change)


# `other` has answered before `one` begins to wait; that it goes first is not recorded.
ANSWERED = """
import os
reader, writer = os.pipe()
def one():
    os.read(reader, 1)
    with cond:
        box.answer = None
        cond.wait(0.01)
    try:
        if box.answer is None: raise TimeoutError
    except TimeoutError: print("none")
def other():
    with cond:
        box.answer = 1
        cond.notify_all()
    os.write(writer, b".")
box.answer = None
run(one, other)
"""
HAPPENED = {
    "a flag": late("if not ready:", "ready = True"),
    "an attribute": late("if not box.ready:", "box.ready = True"),
    "a state": late("if state == 'new':", "state = 'done'"),
    "a value": late("if value is None:", "value = 1"),
    "a list": late("if not items:", "items.append(1)"),
    "a key": late("if 'key' not in table:", "table['key'] = 1"),
    "two conditions": late("if not ready and state == 'new':", "ready = True"),
    "the other branch": late("if ready: pass\n    else:", "ready = True"),
    "a Lock": "cond = threading.Condition(threading.Lock())" + late("if not ready:", "ready = True"),
    "the result tested": late("if not ready:", "ready = True").replace(": cond.wait(0.01)", ": print(cond.wait(0.01))"),
    "a pulse": """
def one():
    if not ready:
        both.wait(); both.wait()
        event.wait(0.01)
def other():
    global ready
    both.wait()
    ready = True
    event.set()
    event.clear()
    both.wait()
run(one, other)
""",
}
POSSIBLE = {
    "an answer that is wiped out": ANSWERED,
    "an answer that is wiped out, and asserted": ANSWERED.replace(
        "if box.answer is None: raise TimeoutError", "assert box.answer"
    ).replace("except TimeoutError", "except AssertionError"),
    "an answer that is wiped out, in a later wait": ANSWERED.replace(
        "os.read(reader, 1)\n", "with cond: cond.wait(0.01)\n    os.write(told, b'.'); os.read(reader, 1)\n"
    ).replace("def other():\n", "tells, told = os.pipe()\ndef other():\n    os.read(tells, 1)\n"),
}
ANSWERS = {
    "an answer that comes": ANSWERED.replace("cond.wait(0.01)", "cond.wait(0.01); box.answer = 2"),
    "an answer that is wiped out later": ANSWERED.replace("box.answer = None\n        cond", "cond", 1),
    "an answer that may be none": ANSWERED.replace("raise TimeoutError", "print('none')"),
    "an answer of which it knows": ANSWERED.replace("os.read(reader, 1)", "event.wait()")
    .replace("os.write(writer, b'.')", "")
    .replace('os.write(writer, b".")', "event.set()"),
    "an answer to an earlier question": ANSWERED.replace(
        "with cond:\n        box.answer = None",
        "with cond: cond.wait(0.01)\n    with cond:\n        box.answer = None",
        1,
    ),
}
POSSIBLE |= {
    "looked at again after a timeout": late("while not ready:", "ready = True").replace(
        "cond.wait(0.01)", "cond.wait(0.01); break"
    ),
    "an event, looked at again after a timeout": """
def one():
    while not items:
        both.wait(); both.wait()
        event.clear()
        event.wait(0.01)
def other():
    both.wait()
    items.append(1)
    event.set()
    both.wait()
run(one, other)
""",
    "cleared after the work": """
def one():
    while len(done) < 2:
        if not event.wait(0.01): break
        batch = list(items)
        both.wait(); both.wait()
        for item in batch:
            items.remove(item)
            done.append(item)
        event.clear()
def other():
    both.wait()
    items.append(2)
    event.set()
    both.wait()
done = []
items.append(1)
event.set()
run(one, other)
""",
}
NONE = {
    "checked with the lock held": """
def one():
    both.wait(); both.wait()
    with cond:
        while not ready: cond.wait(0.01)
def other():
    global ready
    both.wait()
    with cond:
        ready = True
        cond.notify()
    both.wait()
run(one, other)
""",
    "checked again with the lock held": late("if not ready:", "ready = True").replace(
        "with cond: cond.wait(0.01)", "with cond:\n            if not ready: cond.wait(0.01)"
    ),
    "checked again by a copy": late("if not items:", "items.append(1)").replace(
        "with cond: cond.wait(0.01)", "with cond:\n            if not list(items): cond.wait(0.01)"
    ),
    "checked by wait_for": late("if not ready:", "ready = True").replace(
        "cond.wait(0.01)", "cond.wait_for(lambda: ready, 0.01)"
    ),
    "left after another check": late("while True:", "ready = True").replace(
        "with cond: cond.wait(0.01)", "with cond:\n            if ready: break\n            cond.wait(0.01)"
    ),
    "a change that is not what it waits for": late("while left > 0:", "global left\n        left = 1").replace(
        "cond.wait(0.01)", "cond.wait(0.01); break"
    ),
    "changed back": late("if not ready:", "ready = True; ready = False"),
    "changed by itself": late("if not ready:", "cond.notify()").replace(
        "both.wait(); both.wait()", "both.wait(); both.wait(); ready = False"
    ),
    "one of several ways": late("if not ready or state == 'new':", "ready = True"),
    "notified, then changed": late("if not ready:", "cond.notify()")
    .replace("cond.notify_all()", "pass")
    .replace("    both.wait()\nrun", "    ready = True\n    both.wait()\nrun"),
    "an item taken again": late("if not items:", "items.append(1)").replace(
        "cond.notify_all()", "items.pop(); cond.notify_all()"
    ),
    "a poll by time": """
def one():
    with cond:
        for _ in range(3): cond.wait(0.01)
def other():
    with cond: cond.notify()
run(other, one)
""",
    "a tick": """
def one():
    both.wait()
    for _ in range(3):
        if event.wait(0.01): break
def other():
    event.set()
    event.clear()
    both.wait()
run(one, other)
""",
    "cleared before the look": """
def one():
    event.wait()
    both.wait(); both.wait()
    while True:
        event.clear()
        while items: items.pop()
        if not event.wait(0.01): break
def other():
    items.append(1)
    event.set()
    both.wait()
    items.append(2)
    event.set()
    both.wait()
run(one, other)
""",
    "cleared before the look by a copy": """
def one():
    while True:
        if not event.wait(0.01): break
        both.wait(); both.wait()
        event.clear()
        batch = list(items)
def other():
    event.set()
    both.wait()
    items.append(2)
    event.set()
    both.wait()
event.set()
run(one, other)
""",
    "looked at before it is cleared": """
def one():
    while True:
        if not event.wait(0.01): break
        both.wait(); both.wait()
        while items: items.pop()
        event.clear()
def other():
    event.set()
    both.wait()
    items.append(2)
    event.set()
    both.wait()
event.set()
run(one, other)
""",
    "an answer that came late": """
def one():
    for _ in range(2):
        event.clear()
        both.wait(); both.wait()
        event.wait(0.01)
def other():
    both.wait()
    both.wait()
    global value
    value = 1
    event.set()
    both.wait()
    both.wait()
event.set()
run(one, other)
""",
    "set again": """
def one():
    while not items:
        both.wait(); both.wait()
        event.clear()
        event.set()
        event.wait(0.01)
def other():
    both.wait()
    items.append(1)
    event.set()
    both.wait()
run(one, other)
""",
    "somebody else saw it": """
three = threading.Barrier(3)
def one():
    if not ready:
        three.wait(); three.wait(); three.wait()
        event.wait(0.01)
def other():
    global ready
    three.wait()
    ready = True
    event.set()
    three.wait(); three.wait()
def third():
    three.wait(); three.wait()
    event.wait()
    event.clear()
    three.wait()
run(one, other, third)
""",
    "a queue": """
jobs = queue.Queue()
def one():
    both.wait()
    try:
        while True: items.append(jobs.get(timeout=0.01))
    except queue.Empty: pass
def other():
    for n in range(3): jobs.put(n)
    both.wait()
run(one, other)
""",
    "a semaphore": """
places = threading.Semaphore(0)
def one():
    both.wait()
    while places.acquire(timeout=0.01): items.append(1)
def other():
    places.release(); places.release()
    both.wait()
run(one, other)
""",
    "a pool": """
with ThreadPoolExecutor(2) as pool: print(sum(pool.map(abs, range(10))))
""",
    "a barrier that breaks": """
meeting = threading.Barrier(2)
def one():
    try: meeting.wait(0.01)
    except threading.BrokenBarrierError: pass
run(one)
""",
    "nobody else": """
def one():
    global ready
    if not ready:
        with cond:
            cond.notify()
            cond.wait(0.01)
run(one)
""",
    "producers and consumers": """
def take():
    for _ in range(20):
        with cond:
            while not items: cond.wait(0.001)
            items.pop()
def put():
    for n in range(20):
        with cond:
            items.append(n)
            cond.notify()
run(take, put, take, put)
""",
    "a heartbeat that is stopped": """
def beat():
    while not event.wait(0.001):
        with cond: cond.notify_all()
def other():
    with cond: cond.wait(0.01)
    event.set()
run(beat, other)
""",
    "a rate limiter": """
def one():
    global left
    for _ in range(4):
        with cond:
            while left == 0: cond.wait(0.001)
            left -= 1
def refill():
    global left
    for _ in range(4):
        with cond:
            left += 1
            cond.notify()
run(one, one, refill, refill)
""",
}
NONE |= ANSWERS
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


# Their runs end while `one` waits. Each says when all is behind it that anybody waits for before that.
FOR_EVER = {
    "happened": """
def one():
    if not ready:
        both.wait(); both.wait()
        print("one", flush=True)
        with cond: cond.wait()
def other():
    global ready
    both.wait()
    with cond:
        ready = True
        cond.notify()
    both.wait()
""",
    "possible": """
def one():
    until(tried)
    print("one", flush=True)
    with cond: cond.wait()
def other():
    with cond: cond.notify()
    tried.append(1)
tried = []
""",
}
ENDING = """
threads = [threading.Thread(target=each, name=each.__name__, daemon=True) for each in (one, other)]
for thread in threads: thread.start()
threads[1].join()
WATCH
sys.stdin.readline()
"""
# A program that cannot end without `one`
JOINED = ENDING.replace("WATCH", "threading.Thread(target=threads[0].join, name='watch', daemon=True).start()")
IDLE = {
    "a worker": """
def one():
    with cond:
        while True:
            while not items: cond.wait()
            items.pop()
            print("one", flush=True)
def other():
    with cond:
        items.append(1)
        cond.notify()
""",
    "a worker that checks nothing": """
def one():
    until(tried)
    print("one", flush=True)
    while True:
        with cond: cond.wait()
def other():
    with cond: cond.notify()
    tried.append(1)
tried = []
""",
    "a queue": """
jobs = queue.Queue()
def one():
    while True:
        jobs.get()
        print("one", flush=True)
def other(): jobs.put(1)
""",
    "a wait with a timeout": """
def one():
    if not ready:
        both.wait(); both.wait()
        print("one", flush=True)
        with cond: cond.wait(1000)
def other():
    global ready
    both.wait()
    with cond:
        ready = True
        cond.notify()
    both.wait()
""",
    "who knows that it was notified": """
def one():
    event.wait()
    print("one", flush=True)
    with cond: cond.wait()
def other():
    with cond: cond.notify()
    event.set()
""",
}
SEVERITIES = "SELECT severity, certainty FROM findings WHERE kind = 'lost notification'"


def left_waiting(program: str, folder: Path, *threads: str) -> Recording:
    """A run that ends while its threads wait."""
    script = folder / "script.py"
    script.write_text(HEAD + program)
    run = Underway(folder / "trace.db", script)
    run.said()
    run.until_waiting(*threads)
    run.tell()
    recording = run.end()
    assert recording.exit_code == 0, recording.stderr
    return recording


@pytest.mark.parametrize("severity", FOR_EVER)
def test_a_wait_that_never_ended(severity: str, tmp_path: Path) -> None:
    recording = left_waiting(FOR_EVER[severity] + JOINED, tmp_path, "one", "watch")
    assert recording.query(SEVERITIES) == [(severity, "proven")]


def test_nobody_needs_a_daemon_that_waits(tmp_path: Path) -> None:
    program = FOR_EVER["possible"] + ENDING.replace("WATCH", "")
    assert left_waiting(program, tmp_path, "one").query(SEVERITIES) == []


@pytest.mark.parametrize("name", IDLE)
def test_no_wait_that_is_none(name: str, tmp_path: Path) -> None:
    assert left_waiting(IDLE[name] + JOINED, tmp_path, "one", "watch").query(SEVERITIES) == []


def test_all_formats_tell_of_one(scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + HAPPENED["a flag"])
    assert scripts.record("script.py").returncode == 0
    checked = scripts.opcodetrace("check")
    assert checked.returncode == 1
    assert b"lost notification" in checked.stdout
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 notification was lost." in told
    assert "one checked global ready (line 17). Then other wrote True (line 24) and notified the Condition cond" in told
    assert "Nobody waited. After that one began to wait (line 19), and nobody notified it." in told
    assert "TOO LATE" in told
    assert "**TOO LATE**" in scripts.opcodetrace("report", "--format", "markdown").stdout.decode()
    report = json.loads(scripts.opcodetrace("report", "--format", "json").stdout)
    (finding,) = report["findings"]
    roles = [step["role"] for step in finding["interleaving"]["steps"] if step.get("role") not in (None, "origin")]
    assert roles == ["check", "change", "notification", "wait"]


def test_one_of_an_event_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", HEAD + POSSIBLE["an event, looked at again after a timeout"])
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "and set the Event event (line 23). Before anybody saw that, one cleared it (line 18)." in told
    assert "nobody set it again" in told
