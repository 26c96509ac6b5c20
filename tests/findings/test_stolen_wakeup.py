"""Wake-ups that another thread stole, those that one could steal, and those that nobody can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import invoke, record

KIND = "stolen wake-up"
HEAD = """
import threading
from collections import deque
cond, gate, both = threading.Condition(), threading.Lock(), threading.Barrier(2)
items, table, failures, put = [], {}, [], threading.Event()
def until_waited_for():  # it only looks
    while not cond._waiters: pass
def run(*works):
    threads = [threading.Thread(target=work, name=work.__name__) for work in works]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
# `thief` takes it while `giver` still has the lock that `waiter` needs to go on.
STOLEN = """
def waiter():
    with cond:
        if not items: cond.wait()
        try: items.pop()
        except IndexError: failures.append('waiter')
def giver():
    until_waited_for()
    with cond:
        items.append(1)
        cond.notify()
        both.wait(); both.wait()
def thief():
    both.wait()
    items.pop()
    both.wait()
run(waiter, giver, thief)
print(len(failures))
"""
# `giver` does not tell of it, `teller` does, and goes on only when `thief` has taken it.
TOLD = STOLEN.replace(
    """        cond.notify()
        both.wait(); both.wait()
""",
    """    put.set()
def teller():
    put.wait()
    with cond:
        NOTIFY
        both.wait(); both.wait()
""",
).replace("run(waiter, giver", "run(waiter, giver, teller")


def told_by(notify: str) -> str:
    return TOLD.replace("NOTIFY", notify)


HAPPENED = {
    "a list": STOLEN,
    "a deque": STOLEN.replace("def waiter", "items = deque()\ndef waiter", 1).replace("pop()", "popleft()"),
    "a key": STOLEN.replace("not items", "'job' not in table")
    .replace("items.append(1)", "table['job'] = 1")
    .replace("items.pop()", "del table['job']")
    .replace("IndexError", "KeyError"),
    "a wait with a timeout": STOLEN.replace("if not items: cond.wait()", "if not items:\n            cond.wait(5)"),
    "with an event of its own": STOLEN.replace("cond.notify()", "cond.notify_all()"),
    "the first one of them": STOLEN.replace("items.pop()", "del items[0]"),
    "looked at": STOLEN.replace("try: items.pop()", "try: items[0]"),
    "a heap": STOLEN.replace("def waiter", "from heapq import heappush, heappop\ndef waiter", 1)
    .replace("items.append(1)", "heappush(items, 1)")
    .replace("items.pop()", "heappop(items)"),
    "a length": STOLEN.replace("not items", "len(items) == 0"),
    "the keys of a dictionary": STOLEN.replace("not items", "not table")
    .replace("items.append(1)", "table['job'] = 1")
    .replace("items.pop()", "table.popitem()")
    .replace("IndexError", "KeyError"),
    "told by who looked": told_by("if items: cond.notify()"),
    "taken out one by one": STOLEN.replace("    items.pop()\n    both", "    while items: items.pop()\n    both"),
}
# `first` was woken and takes; `gate`, a lock, lets `second` come later in this run, and in no other.
COULD = """
def take():
    with cond:
        CHECK
        items.pop()
def first():
    with gate:
        both.wait()
        take()
def second():
    both.wait()
    with gate: pass
    take()
def giver():
    until_waited_for()
    with cond:
        items.append(1)
        items.append(2)
        cond.notify()
run(first, second, giver)
print(len(items))
"""


def could(check: str) -> str:
    return COULD.replace("CHECK", check)


# `Condition.wait` gives its lock up before it waits: here the notification comes between these two.
LATE = """
import os, threading
class Late:  # this module is not woven
    def __init__(self):
        self.lock, self.told = threading.Lock(), os.pipe()
        self.acquire, self.locked = self.lock.acquire, self.lock.locked
    def release(self):
        self.lock.release()
        os.read(self.told[0], 1)
    def tell(self):
        os.write(self.told[1], b".")
    def __enter__(self):
        self.acquire()
    def __exit__(self, *_):
        self.lock.release()
"""
BETWEEN = """
from late import Late
late = Late()
cond = threading.Condition(late)
"""
POSSIBLE = {
    "an if": could("if not items: cond.wait()"),
    "an if with a timeout": could("if not items: cond.wait(9)"),
    "an if, notified before it waits": BETWEEN
    + could("if not items: cond.wait()").replace("cond.notify()", "cond.notify()\n    late.tell()"),
}
NONE = {
    "looked at again": STOLEN.replace("if not items: cond.wait()", "while not items and not failures: cond.wait(0.01)")
    .replace(
        "try: items.pop()", "try:\n            if items: items.pop()\n            else: failures.append('nothing')"
    )
    .replace("    both.wait()\nrun", "    failures.append('closed'); both.wait()\nrun"),
    "a while": could("while not items: cond.wait()"),
    "wait_for": could("cond.wait_for(lambda: items)"),
    "looked at again by an if": could("if not items: cond.wait()\n        if not items: return"),
    "ready for it": STOLEN.replace("failures.append('waiter')", "pass"),
    "ready for it, if it could": could("if not items: cond.wait()").replace(
        "        items.pop()", "        try: items.pop()\n        except IndexError: pass"
    ),
    "told without a look": told_by("cond.notify()"),
    "one that takes": could("if not items: cond.wait()").replace(
        "    with gate: pass\n    take()", "    with gate: pass"
    ),
    "one after the other": could("if not items: cond.wait()").replace(
        "run(first, second, giver)", "run(first, both.wait, giver)\nrun(take)"
    ),
    "timed out": """
def waiter():
    with cond:
        if not items: cond.wait(0.01)
        try: items.pop()
        except IndexError: failures.append('waiter')
run(waiter)
print(len(failures))
""",
    "taken back by who gave it": STOLEN.replace("both.wait(); both.wait()", "items.pop()").replace(
        "run(waiter, giver, thief)", "run(waiter, giver)"
    ),
    "taken from another one": STOLEN.replace("try: items.pop()", "try: table.pop('job')")
    .replace("IndexError", "KeyError")
    .replace("    items.pop()\n    both", "    table.pop('job', None)\n    both"),
    "a flag": """
ready = False
def waiter():
    with cond:
        if not ready: cond.wait()
        print(ready)
def giver():
    global ready
    until_waited_for()
    with cond:
        ready = True
        cond.notify()
run(waiter, giver)
""",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    forms = {f"{case} {name}": HEAD + body for case, of in CASES.items() for name, body in of.items()}
    (folder / "late.py").write_text(LATE)
    return told_of(forms, KIND, folder, "--exclude", "late")


CASES = {"happened": HAPPENED, "possible": POSSIBLE, "none": NONE}


@pytest.mark.parametrize("name", HAPPENED)
def test_one_that_was_stolen(told: dict[str, Told], name: str) -> None:
    printed, findings = told[f"happened {name}"]
    assert printed == "1"
    assert [(severity, certainty) for severity, certainty, _ in findings] == [("happened", "proven")]


@pytest.mark.parametrize("name", POSSIBLE)
def test_one_that_could_be(told: dict[str, Told], name: str) -> None:
    printed, findings = told[f"possible {name}"]
    assert printed == "0"
    assert findings == [("possible", "proven", "items")]


@pytest.mark.parametrize("name", NONE)
def test_none(told: dict[str, Told], name: str) -> None:
    assert told[f"none {name}"].findings == []


def test_how_it_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HEAD + STOLEN)
    assert record(tmp_path / "trace.db", "-q", script).exit_code == 0
    report = json.loads(invoke("report", "-d", tmp_path / "trace.db", "--format", "json").stdout)
    (finding,) = [each for each in report["findings"] if each["kind"] == KIND]
    sources = {role: site["source"].strip() for role, site in finding["sites"].items()}
    assert sources["theft"] == "items.pop()"
    assert sources["act"] == "try: items.pop()"
    assert finding["sentences"][1].startswith("Before waiter had the lock again, thief took out what it was woken")
