"""Accesses that failed although a check had found what they need; and those that fail as Python is written."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread checks, the second changes, the first acts.
PROGRAM = """
import heapq, threading, time
from heapq import heappop
from contextlib import suppress
from collections import OrderedDict
class Box: pass
class Ordered(OrderedDict):
    def take(self, k):
        if OrderedDict.__contains__(self, k):
            wait()
            del self[k]
    def drop(self, k):
        if k in self:
            wait()
            super().__delitem__(k)
    def pull(self, k):
        if k in self:
            wait()
            return OrderedDict.pop(self, k)
    def other(self, k):
        if "l" in self:
            wait()
            return OrderedDict.__getitem__(self, k)
class Chosen(set):
    def drop(self, k):
        if k in self:
            wait()
            set.remove(self, k)
ordered, picked = Ordered(k=1, l=2), Chosen("x")
d, items, chosen, box, other = {"k": 1, "l": 2}, ["x"], {"x"}, Box(), {"k": 1}
box.name = "full"
checked, changed, lock = [], [], threading.Lock()  # no thread waits for another one: it only looks
def wait():
    checked.append(1)
    while not changed: time.sleep(0)
def take(asked, taken):
    if asked: taken.pop()
def first():
    key = "k"
    try:
        FIRST
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        print(type(error).__name__)
def second():
    while not checked: time.sleep(0)
    SECOND
    changed.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
FOUND = {
    "a heap": ("if items:\n    wait()\n    heapq.heappop(items)", "items.pop()", "IndexError", "items"),
    "a heap, by a name": (
        "if len(items) > 0:\n    wait()\n    heappop(items)",
        "heappop(items)",
        "IndexError",
        "items",
    ),
    "seen before, without a check": ('d["k"]\nwait()\nd["k"]', 'del d["k"]', "KeyError", "d['k']"),
    "seen before, in a loop": (
        'for turn in range(2):\n    if turn: wait()\n    d["k"]',
        'del d["k"]',
        "KeyError",
        "d['k']",
    ),
    "a lookup": ('if "k" in d:\n    wait()\n    d["k"]', 'del d["k"]', "KeyError", "d['k']"),
    "by a variable": ("if key in d:\n    wait()\n    value = d[key]", "d.pop('k')", "KeyError", "d['k']"),
    "a deletion": ('if "k" in d:\n    wait()\n    del d["k"]', 'del d["k"]', "KeyError", "d['k']"),
    "not in, and else": (
        'if "k" not in d:\n    pass\nelse:\n    wait()\n    d["k"]',
        'del d["k"]',
        "KeyError",
        "d['k']",
    ),
    "an early end": ('if "k" not in d: return\nwait()\nd["k"]', 'del d["k"]', "KeyError", "d['k']"),
    "a truth test": ("if items:\n    wait()\n    items.pop()", "items.pop()", "IndexError", "items"),
    "a loop": ("while items:\n    wait()\n    items.pop()", "items.pop()", "IndexError", "items"),
    "a length": ("if len(items) > 0:\n    wait()\n    items.pop()", "items.clear()", "IndexError", "items"),
    "a member": ('if "x" in items:\n    wait()\n    items.remove("x")', 'items.remove("x")', "ValueError", "items"),
    "of a set": (
        'if "x" in chosen:\n    wait()\n    chosen.remove("x")',
        'chosen.discard("x")',
        "KeyError",
        "chosen['x']",
    ),
    "its class, and itself": ('ordered.take("k")', 'del ordered["k"]', "KeyError", "ordered['k']"),
    "itself, and super": ('ordered.drop("k")', 'del ordered["k"]', "KeyError", "ordered['k']"),
    "itself, and its class": ('ordered.pull("k")', 'del ordered["k"]', "KeyError", "ordered['k']"),
    "a set of one's own": ('picked.drop("x")', 'picked.discard("x")', "KeyError", "picked['x']"),
    "moved": (
        'if ordered.get("k") is not None:\n    wait()\n    ordered.move_to_end("k")',
        'del ordered["k"]',
        "KeyError",
        "ordered['k']",
    ),
    "moved, seen before": (
        'ordered["k"]\nwait()\nordered.move_to_end("k", last=False)',
        "ordered.popitem(last=False)",
        "KeyError",
        "ordered['k']",
    ),
    "an attribute": (
        'if hasattr(box, "name"):\n    wait()\n    box.name',
        "del box.name",
        "AttributeError",
        "box.name",
    ),
    "an end": ("if items:\n    wait()\n    items[-1]", "items.pop()", "IndexError", "items"),
    "long enough": ("if len(items) > 0:\n    wait()\n    del items[0]", "items.pop()", "IndexError", "items"),
    "an assertion": ('assert "k" in d\nwait()\nd["k"]', 'del d["k"]', "KeyError", "d['k']"),
    "a handler that tells of it": (
        'if "k" in d:\n    wait()\n    try: d["k"]\n    except KeyError as error: print(type(error).__name__)',
        'del d["k"]',
        "KeyError",
        "d['k']",
    ),
    "ready for something else": (
        'if "k" in d:\n    wait()\n    try: d["k"]\n    except ValueError: pass',
        'del d["k"]',
        "KeyError",
        "d['k']",
    ),
    "and": ('if d and "k" in d:\n    wait()\n    d["k"]', 'del d["k"]', "KeyError", "d['k']"),
}
SILENT = {
    "moved, but another one": ('if "l" in d:\n    wait()\n    ordered.move_to_end("z")', 'del d["l"]', "KeyError"),
    "moved, and ready for it": (
        'if "k" in ordered:\n    wait()\n    with suppress(KeyError): ordered.move_to_end("k")',
        'del ordered["k"]',
        "",
    ),
    "an earlier call": ("take(items, [2])\nwait()\ntake([3], items)", "items.pop()", "IndexError"),
    "another value": ('if "x" in items:\n    wait()\n    items.remove("y")', "items.append(3)", "ValueError"),
    "what no truth tells": ('if items:\n    wait()\n    items.remove("y")', "items.append(3)", "ValueError"),
    "what no truth tells of an index": ("if items:\n    wait()\n    items[2]", "items.pop()", "IndexError"),
    "asked for forgiveness": ('d["k"]\nwait()\ntry: d["k"]\nexcept KeyError: pass', 'del d["k"]', ""),
    "another value instead": ('d["k"]\nwait()\ntry: d["k"]\nexcept KeyError: d["k"] = 5', 'del d["k"]', ""),
    "never seen": ('wait()\nd["k"]', 'del d["k"]', "KeyError"),
    "its own deletion": ('if "k" in d:\n    wait()\n    del d["k"]\n    d["k"]', 'd["l"] = 3', "KeyError"),
    "its own, after another's": ('if "k" in d:\n    wait()\n    del d["k"]\n    del d["k"]', 'd["k"] = 3', "KeyError"),
    "checked again": ('if "k" in d:\n    wait()\n    if "k" in d: d["k"]', 'del d["k"]', ""),
    "another key of its class": ('ordered.other("k")', 'del ordered["k"]', "KeyError"),
    "another container": ('if "k" in other:\n    wait()\n    d["k"]', 'del d["k"]; other["k"] = 2', "KeyError"),
    "another key": ('if "l" in d:\n    wait()\n    d["k"]', 'del d["k"]', "KeyError"),
    "both branches": ('if "k" in d:\n    pass\nwait()\nd["k"]', 'del d["k"]', "KeyError"),
    "what was never there": ('if "z" not in d:\n    wait()\n    d["z"]', 'd["k"] = 2', "KeyError"),
    "ready for it, further out": (
        'if "k" in d:\n    wait()\n    try:\n        try: d["k"]\n'
        "        except ValueError: pass\n    except LookupError: pass",
        'del d["k"]',
        "",
    ),
    "ready for it": ('if "k" in d:\n    wait()\n    try: d["k"]\n    except KeyError: pass', 'del d["k"]', ""),
    "suppressed": ('if "k" in d:\n    wait()\n    with suppress(KeyError): d["k"]', 'del d["k"]', ""),
    "under a lock": ('checked.append(1)\nwith lock:\n    if "k" in d: d["k"]', 'with lock: del d["k"]', ""),
}


def program(first: str, second: str) -> str:
    return PROGRAM.replace("FIRST", first.replace("\n", "\n        ")).replace("SECOND", second)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(first, second) for name, (first, second, _, _) in FOUND.items()}
    programs |= {name: program(first, second) for name, (first, second, _) in SILENT.items()}
    return told_of(programs, "failed access", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_a_check_that_was_true_no_longer(name: str, told: dict[str, Told]) -> None:
    _, _, error, label = FOUND[name]
    assert told[name] == (error, [("happened", "proven", label)])


@pytest.mark.parametrize("name", SILENT)
def test_no_check_no_finding(name: str, told: dict[str, Told]) -> None:
    error = SILENT[name][2]
    assert told[name].findings == []
    if error or not FREE_THREADED:
        assert told[name].printed == error


def test_it_is_told(scripts: Scripts) -> None:
    first, second, error, label = FOUND["a lookup"]
    scripts.write("script.py", program(first, second))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert f"1 access failed because of another thread's change of {label}." in told
    assert f"so that first's access raised {error}" in told
