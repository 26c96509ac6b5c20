"""Updates that nothing seen keeps apart, in all their forms; and what is none. In no run here is anything lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import Scripts, record

# The second thread begins as the first is done. It waits by a pipe, which is not recorded.
PROGRAM = """
import asyncio, multiprocessing, os, queue, threading, time
from concurrent.futures import Future, ThreadPoolExecutor, wait
class Box:
    @property
    def step(self): return 1
class Money:
    def __init__(self, amount): self.amount = amount
    def __add__(self, other): return Money(self.amount + other.amount)
d, box, jobs, total = {"n": 0}, Box(), [], 0
d[8] = d[1 << 40] = 0
box.count, box.value, box.done, box.state = 0, Money(0), False, "idle"
box.many, box.table, box.bucket, box.rate = [1], {1: 1}, [1, 0], 1
lock, audit, rlock, semaphore = threading.Lock(), threading.Lock(), threading.RLock(), threading.Semaphore(1)
event, condition, items, future = threading.Event(), threading.Condition(), queue.Queue(), Future()
none, simple, first_come = threading.Semaphore(0), queue.SimpleQueue(), queue.PriorityQueue()
stock, simple_stock, last = queue.Queue(), queue.SimpleQueue(), queue.Queue()
for each in (stock, simple_stock, stock, simple_stock, last): each.put(1)
reader, writer = os.pipe()
process_lock, process_audit, process_rlock = multiprocessing.Lock(), multiprocessing.Lock(), multiprocessing.RLock()
process_event, process_items = multiprocessing.Event(), multiprocessing.Queue()
def one(): return 1
def get(): return box.count
def put(value): box.count = value
def push(node):
    node.next = box.many
    time.sleep(0)
    box.many = node
def bump(): return box.count + 1
def compare_and_set(old, new):
    with lock:
        if box.count == old: box.count = new
async def of_task(): slowly()
def in_a_thread():
    thread = threading.Thread(target=slowly)
    thread.start()
    thread.join()
def slowly():
    count = box.count
    time.sleep(0)
    box.count = count + 1
def under(mutex):
    with mutex: slowly()
def under_new_locks():
    for _ in range(3):
        with threading.Lock(): slowly()
def first():
    global total
    FIRST
    os.write(writer, b".")
def second():
    global total
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
SLOW_ITEM = 'n = d["n"]\ntime.sleep(0)\nd["n"] = n + 1'
SLOW_NEW_ITEM = "n = d.get(KEY, 0)\ntime.sleep(0)\nd[KEY] = n + 1"
ADDRESS = str(1 << 40)
LOOP = "new = []\nfor each in box.many: new.append(each)\ntime.sleep(0)\nbox.many = new"
EXTEND = "new = []\nnew.extend(box.many)\ntime.sleep(0)\nbox.many = sorted(new)"
TABLE = "new = {}\nfor k, v in box.table.items(): new[k] = v\ntime.sleep(0)\nbox.table = new"
UPDATE = "new = {}\nnew.update(box.table)\ntime.sleep(0)\nbox.table = new"
ANOTHER = "new, old = [], []\nold.append(box.many)\ntime.sleep(0)\nbox.many = new"
TOO_LATE = "new = []\nbox.many = new\nnew.append(box.count)\nbox.count = len(box.state)"
REFILL = """
tokens, last = box.bucket
now = time.monotonic()
if now < last: return
box.bucket = [tokens + now - last, now]
""".strip()
PUSH = "node = Box()\nnode.next = box.many\ntime.sleep(0)\nbox.many = node"
PUSH_OLD = "node, old = Box(), box.many\nnode.next = old\ntime.sleep(0)\nbox.many = node"
LINK = "node = Box()\nbox.value.next = node\ntime.sleep(0)\nbox.value = node"
LINK_BOTH = "node, last = Box(), box.value\nnode.before = last\nlast.next = node\ntime.sleep(0)\nbox.value = node"
TAKE = "node = Box()\nnode.next = node\nbox.top = node\nnode = box.top\ntime.sleep(0)\nbox.top = node.next"
LINK_OTHER = "node = Box()\nnode.next = box.value\ntime.sleep(0)\nbox.many = node"
LINK_LATE = "node = Box()\nbox.many = node\nnode.next = box.many"
LINK_ANOTHER = "node, other = Box(), Box()\nother.next = box.many\ntime.sleep(0)\nbox.many = node"
TURN = "turn = box.count\nif turn % 2 MINE 0: box.count = turn + 1"
POSSIBLE = {
    "a list made in a loop": (LOOP, LOOP, "box.many"),
    "a list that is extended": (EXTEND, EXTEND, "box.many"),
    "a dictionary made in a loop": (TABLE, TABLE, "box.table"),
    "a dictionary that is updated": (UPDATE, UPDATE, "box.table"),
    "a linked list, in front": (PUSH, PUSH, "box.many"),
    "a linked list, in front, by a variable": (PUSH_OLD, PUSH_OLD, "box.many"),
    "a linked list, in front, by a parameter": ("push(Box())", "push(Box())", "box.many"),
    "a linked list, at the end": (LINK, LINK, "box.value"),
    "a linked list, both ways": (LINK_BOTH, LINK_BOTH, "box.value"),
    "two locks of multiprocessing": (
        "with process_lock: slowly()",
        "with process_audit: slowly()",
        "box.count",
    ),
    "of an item": (SLOW_ITEM, SLOW_ITEM, "d['n']"),
    "of an attribute": ("slowly()", "slowly()", "box.count"),
    "of a global": ("n = total\ntime.sleep(0)\ntotal = n + 1", "total += 1", "global total"),
    "a function is called in between": ("box.count += one()", "box.count += one()", "box.count"),
    "an operator in Python": ("box.value += Money(1)", "box.value += Money(1)", "box.value"),
    "read and written by functions": ("put(get() + 1)", "put(get() + 1)", "box.count"),
    "a loop in between": ("n = box.count\nfor _ in range(2): pass\nbox.count = n + 1", "box.count = 9", "box.count"),
    "against a write that is none": ("slowly()", "box.count = 0", "box.count"),
    "against a deletion": (SLOW_ITEM, 'del d["n"]', "d['n']"),
    "not the same lock": ("with lock: slowly()", "with audit: slowly()", "box.count"),
    "one without the lock": ("with lock: slowly()", "slowly()", "box.count"),
    "the lock given up in between": (
        "with lock: n = box.count\nwith lock: box.count = n + 1",
        "with lock: slowly()",
        "box.count",
    ),
    "what is written again": (
        "box.state = 5\nslowly()\nbox.state = 5",
        "if box.state == 5: slowly()",
        "box.count",
    ),
    "an order the other way": ("slowly()\nevent.set()", "slowly()\nevent.wait()", "box.count"),
    "read by a call": ('d["n"] = d.get("n", 0) + 1', 'd["n"] = d.get("n", 0) + 1', "d['n']"),
    "a lock is taken in between": ("n = box.count\nwith lock: box.count = n + 1", "box.count = 9", "box.count"),
    "a check before": (
        "if box.count < 5:\n    n = box.count\n    time.sleep(0)\n    box.count = n + 1",
        "if box.count < 5:\n    n = box.count\n    time.sleep(0)\n    box.count = n + 1",
        "box.count",
    ),
    "its limit looked at before": (
        "n = box.count\nif n == 9: return\ntime.sleep(0)\nbox.count = n + 1",
        "n = box.count\nif n == 9: return\ntime.sleep(0)\nbox.count = n + 1",
        "box.count",
    ),
    "a time looked at before": (REFILL, REFILL, "box.bucket"),
    "read twice for one write": (
        "box.rate += one() + box.rate",
        "box.rate += one() + box.rate",
        "box.rate",
    ),
    "read before": ("slowly()", "seen = box.count\nslowly()", "box.count"),
    "a lock for each, at one place": ("under(lock)", "under(audit)", "box.count"),
    "a lock for each": (
        "with threading.Lock(): slowly()",
        "with threading.Lock(): slowly()",
        "box.count",
    ),
    "a key that need not be there": (
        'if "n" in d:\n    n = d["n"]\n    time.sleep(0)\n    d["n"] = n + 1\nelse: d["n"] = 1',
        'if "n" in d:\n    n = d["n"]\n    time.sleep(0)\n    d["n"] = n + 1\nelse: d["n"] = 1',
        "d['n']",
    ),
    "made anew": ("del d[8]", SLOW_NEW_ITEM.replace("KEY", "8"), "d[8]"),
    "by the address of an object, which lives": (
        SLOW_NEW_ITEM.replace("KEY", ADDRESS),
        f"del d[{ADDRESS}]",
        f"d[{ADDRESS}]",
    ),
    "each takes an item that was there": ("slowly()\nstock.get()", "stock.get()\nslowly()", "box.count"),
    "each takes one, without a lock": ("slowly()\nsimple_stock.get()", "simple_stock.get()\nslowly()", "box.count"),
    "one that changed nothing before": ("box.count += 0\nslowly()", "box.count += 0\nslowly()", "box.count"),
    "a counter that both increase tells nothing": (
        "slowly()\nwith lock: d['n'] += 1",
        "with lock: d['n'] += 1\nslowly()",
        "box.count",
    ),
}
GIL_ONLY = {
    "+= of an attribute": ("box.count += 1", "box.count += 1", "box.count"),
    "+= of an item": ('d["n"] += 1', 'd["n"] += 1', "d['n']"),
    "+= of a global": ("total += 1", "total += 1", "global total"),
    "+=, or it is an error": (
        "n = box.count\nif n < 0: raise ValueError(str(n))\nbox.count = n + 1",
        "n = box.count\nif n < 0: raise ValueError(str(n))\nbox.count = n + 1",
        "box.count",
    ),
    "of what may be a property": ("box.count += box.step", "box.count += box.step", "box.count"),
    "what a function returns": ("box.count = bump()", "box.count = bump()", "box.count"),
}
NONE = {
    "a linked list, under a lock": ("with lock: push(Box())", "with lock: push(Box())"),
    "linked with something else": (LINK_OTHER, LINK_OTHER),
    "linked with what is there already": (LINK_LATE, LINK_LATE),
    "another one is linked": (LINK_ANOTHER, LINK_ANOTHER),
    "put into another list": (ANOTHER, ANOTHER),
    "put in after the write": (TOO_LATE, TOO_LATE),
    "a lock that is made anew whenever nobody has it": ("under_new_locks()", "under_new_locks()"),
    "the same lock": ("with lock: slowly()", "with lock: slowly()"),
    "an RLock": ("with rlock:\n    with rlock: pass\n    slowly()", "with rlock: slowly()"),
    "a semaphore": ("with semaphore: slowly()", "with semaphore: slowly()"),
    "a condition": ("with condition: slowly()", "with condition: slowly()"),
    "one of two locks": ("with lock, audit: slowly()", "with audit: slowly()"),
    "a lock of multiprocessing": ("with process_lock: slowly()", "with process_lock: slowly()"),
    "an RLock of multiprocessing": (
        "with process_rlock:\n    with process_rlock: pass\n    slowly()",
        "with process_rlock: slowly()",
    ),
    "an event of multiprocessing": ("slowly()\nprocess_event.set()", "process_event.wait()\nslowly()"),
    "a queue of multiprocessing": ("slowly()\nprocess_items.put(1)", "process_items.get()\nslowly()"),
    "an event": ("slowly()\nevent.set()", "event.wait()\nslowly()"),
    "a queue": ("slowly()\nitems.put(1)", "items.get()\nslowly()"),
    "a future": ("slowly()\nfuture.set_result(1)", "future.result()\nslowly()"),
    "a join": ("slowly()", "threads[0].join()\nslowly()"),
    "a start": ("slowly()\nlate = threading.Thread(target=slowly)\nlate.start()\nlate.join()", "pass"),
    "a semaphore, as a signal": ("slowly()\nnone.release()", "none.acquire()\nslowly()"),
    "a queue that has no lock": ("slowly()\nsimple.put(1)", "simple.get()\nslowly()"),
    "a queue that is empty": ("slowly()\nlast.get()", "if last.empty(): slowly()"),
    "a queue that has no item left": (
        "slowly()\nlast.get()",
        "try: last.get_nowait()\nexcept queue.Empty: slowly()",
    ),
    "an item that is not the first": ("slowly()\nfirst_come.put(2)\nfirst_come.put(1)", "first_come.get()\nslowly()"),
    "a future of a pool": (
        "with ThreadPoolExecutor(2) as pool:\n        for _ in range(3): pool.submit(slowly).result(); slowly()",
        "pass",
    ),
    "a future that is done": ("with ThreadPoolExecutor(1) as pool: wait([pool.submit(slowly)]); slowly()", "pass"),
    "a loop that waits": ("slowly()\nevent.set()", "while not event.is_set(): time.sleep(0)\nbox.count += 1"),
    "a task after a join": ("in_a_thread()\nasyncio.run(of_task())", "pass"),
    "a lock that the starter holds": ("with lock: in_a_thread()", "with lock: in_a_thread()"),
    "taken out of a dict": (
        "job = Box(); job.count = 0; job.count += 1; d[1] = job",
        "_, job = d.popitem(); job.count += 1",
    ),
    "one's turn": (
        "turn = box.count\nif turn % 2 == 0: box.count = turn + 1",
        "turn = box.count\nif turn % 2 == 1: box.count = turn + 1",
    ),
    "one's turn, by order": (TURN.replace("MINE", "<="), TURN.replace("MINE", ">")),
    "a flag": ("slowly()\nbox.done = True", "while not box.done: time.sleep(0)\nslowly()"),
    "a flag under a lock": (
        "slowly()\nwith lock: box.done = True",
        "with lock: done = box.done\nif done: slowly()",
    ),
    "a flag that is taken back in the end": (
        "slowly()\nwith lock: box.done = True",
        "with lock: done = box.done\nif not done: return\ntry: slowly()\nfinally:\n    with lock: box.done = False",
    ),
    "compare and set": ("n = box.count\ncompare_and_set(n, n + 1)", "n = box.count\ncompare_and_set(n, n + 1)"),
    "handed on": (
        "job = Box()\njob.count = 0\njob.count += 1\njobs.append(job)",
        "job = jobs.pop()\njob.count += 1",
    ),
    "handed on by a list into which others put something, too": (
        "box.count += 1\njobs.append(box)",
        "jobs.append(Box())\njob = jobs.pop(0)\njob.count += 1",
    ),
    "a thread makes it": ("box.new = 0", "box.new += 1"),
    "writes that are made of nothing": ("box.count = 1", "box.count = 2"),
    "the same value": ("box.state = box.state", "box.state = box.state"),
    "a branch": ('if box.state == "idle": box.state = "busy"', 'if box.state == "busy": box.state = "idle"'),
    "one thread alone": ("slowly()\nslowly()", "get()"),
    "by the address of an object, which may be another one": (
        f"del d[{ADDRESS}]",
        SLOW_NEW_ITEM.replace("KEY", ADDRESS),
    ),
    "by the address of an object, deleted by other code": (
        f"import weakref\nnode = Box()\nweakref.finalize(node, d.pop, {ADDRESS})\nd[{ADDRESS}] = 5\ndel node",
        SLOW_NEW_ITEM.replace("KEY", ADDRESS),
    ),
    "another object": ("own = Box(); own.n = 0; own.n += 1", "own = Box(); own.n = 0; own.n += 1"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: (first, second) for name, (first, second, _) in (POSSIBLE | GIL_ONLY).items()} | NONE
    assert len(programs) == len(POSSIBLE) + len(GIL_ONLY) + len(NONE)
    texts = {
        name: PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
        for name, (first, second) in programs.items()
    }
    return told_of(texts, "unguarded update", tmp_path_factory.mktemp("unguarded"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_happen(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible", POSSIBLE[name][2])}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible" if FREE_THREADED else "gil-only", GIL_ONLY[name][2])}


@pytest.mark.parametrize("name", NONE)
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_what_happened_at_the_same_lines_is_told_as_that_alone(tmp_path: Path) -> None:
    script = tmp_path / "lost.py"
    script.write_text(
        "from threading import Barrier, Thread\ncounter, both = [0], Barrier(2)\ndef add():\n    for _ in range(3):\n"
        "        count = counter[0]\n        both.wait()\n        counter[0] = count + 1\n"
        "threads = [Thread(target=add) for _ in range(2)]\nfor each in threads: each.start()\n"
        "for each in threads: each.join()\n"
    )
    recording = record(tmp_path / "trace.db", "-q", script)
    assert recording.query("SELECT DISTINCT kind FROM findings") == [("lost update",)]


def test_it_fails_no_check(scripts: Scripts) -> None:
    scripts.write("script.py", PROGRAM.replace("FIRST", "slowly()").replace("SECOND", "slowly()"))
    assert scripts.record("script.py").returncode == 0
    checked = scripts.opcodetrace("check", "-d", scripts.database)
    assert checked.returncode == 0
    assert b"unguarded" in checked.stdout


def test_a_query_lists_what_only_the_gil_prevents(scripts: Scripts) -> None:
    update = "box.count += 1"
    script = scripts.write("script.py", PROGRAM.replace("FIRST", update).replace("SECOND", update))
    assert scripts.record("script.py").returncode == 0
    rows = json.loads(scripts.opcodetrace("query", "--format", "json", "gil-only").stdout)
    lines = [number for number, text in enumerate(script.read_text().splitlines(), 1) if update in text]
    found = {(row["line"], row["role"]) for row in rows}
    roles = [("read", lines[0]), ("write", lines[0]), ("other write", lines[1])]
    assert found == (set() if FREE_THREADED else {(line, role) for role, line in roles})


def test_python_does_not_warn_again_of_what_is_read_of_a_source(scripts: Scripts) -> None:
    text = 'd = {"\\d": 0}\ndef up(): d["\\d"] += 1\ndef wait():\n    while not d: pass\n    d["\\d"] += 1\n'
    threads = "from threading import Thread\nthreads = [Thread(target=each) for each in (up, wait)]\n"
    scripts.write("script.py", text + threads + "for each in threads: each.start()\nfor each in threads: each.join()\n")
    scripts.same("script.py")
    assert scripts.opcodetrace("report").stderr == b""
