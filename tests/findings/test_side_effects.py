"""Work that a check guards and that would be done twice; and right programs that look like it."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The second thread has begun before the first does anything, and goes on as that is done. They wait by pipes, which are
# not recorded.
PROGRAM = """
import os, threading, time
class Box:
    def __init__(self): self.ready, self.state, self.value = False, "new", None
    def is_loaded(self): return self.value is not None
    def fill(self): self.value = load("k")
    def fill_later(self):
        found = load("k")
        self.keep(found)
    def keep(self, found): self.value = found
    def guarded(self, work):
        if self.value is not None: return
        work()
class Part:
    def __init__(self, key):
        self.items, self.count = [], 0
        self.items.append(key)
        self.count += 1
box, cache, inner, loaded, counts, lock = Box(), {}, {}, [], {"n": 0}, threading.Lock()
reader, writer = os.pipe()
begun, begins = os.pipe()
def load(key):
    time.sleep(0)
    loaded.append(key)
    return "loaded"
def count(key):
    time.sleep(0)
    counts["n"] += 1
    return "counted"
def load_locked(key):
    with lock: loaded.append(key)
    return "loaded"
def load_by_a_cache(key):
    if key not in inner: inner[key] = "made"
    return inner[key]
def load_parts(key):
    parts = []
    parts.append(key)
    parts.append(Part(key).count)
    return len(parts)
def load_all(key):
    loaded[:] = [key]
    return "loaded"
def act():
    ACT
def first():
    os.read(begun, 1)
    act()
    os.write(writer, b".")
def second():
    os.write(begins, b".")
    os.read(reader, 1)
    act()
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
len(loaded), counts["n"]
"""
POSSIBLE = {
    "a list that a call adds to": ('if "k" not in cache: cache["k"] = load("k")', "cache['k']"),
    "get": ('found = cache.get("k")\nif found is None:\n    found = cache["k"] = load("k")', "cache['k']"),
    "a number that a call adds to": ('if "k" not in cache: cache["k"] = count("k")', "cache['k']"),
    "an attribute": ('if box.value is None: box.value = load("k")', "self.value"),
    "by a method": ('if not box.is_loaded(): box.value = load("k")', "self.value"),
    "in a method": ("if box.value is None: box.fill()", "self.value"),
    "in a method of a method": ("if box.value is None: box.fill_later()", "self.value"),
    "by a wrapper": ("box.guarded(box.fill)", "self.value"),
}
NONE = {
    "a warning that is given about once": (
        'if box.ready is False:\n    loaded.append("k")\n    time.sleep(0)\n    box.ready = True'
    ),
    "a state": 'if box.state in ("new", "old"):\n    load("k")\n    box.state = "open"',
    "a lock around it": 'with lock:\n    if "k" not in cache: cache["k"] = load("k")',
    "checked again under a lock": (
        'if "k" not in cache:\n    with lock:\n        if "k" not in cache: cache["k"] = load("k")'
    ),
    "loaded, and checked under a lock": (
        'with lock: found = cache.get("k")\nif found is None:\n    found = load("k")\n    with lock:\n'
        '        if "k" not in cache: cache["k"] = found'
    ),
    "loaded, and kept if nobody was quicker": (
        'with lock: found = cache.get("k")\nif found is None:\n    found = cache.setdefault("k", load("k"))'
    ),
    "a list that has a lock of its own": 'if "k" not in cache: cache["k"] = load_locked("k")',
    "a cache of its own": 'if "k" not in cache: cache["k"] = load_by_a_cache("k")',
    "only what it made": 'if "k" not in cache: cache["k"] = load_parts("k")',
    "what is there is replaced": 'if "k" not in cache: cache["k"] = load_all("k")',
    "done in any case": 'load("k")\nif "k" not in cache:\n    time.sleep(0)\n    cache["k"] = "made"',
    "done in any case, after the check": (
        'missing = "k" not in cache\nload("k")\nif missing:\n    time.sleep(0)\n    cache["k"] = "made"'
    ),
    "each its own": "key = threading.current_thread().name\nif key not in cache: cache[key] = load(key)",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    acts = {name: act for name, (act, _) in POSSIBLE.items()} | NONE
    assert len(acts) == len(POSSIBLE) + len(NONE)
    programs = {name: PROGRAM.replace("ACT", act.replace("\n", "\n    ")) for name, act in acts.items()}
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("effects"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_would_be_done_twice(name: str, told: dict[str, Told]) -> None:
    assert {(severity, label) for severity, _, label in told[name].findings} == {("possible", POSSIBLE[name][1])}


@pytest.mark.parametrize("name", NONE)
def test_what_would_not(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    act = 'if "k" not in cache: cache["k"] = load("k")'
    lines = scripts.write("script.py", PROGRAM.replace("ACT", act)).read_text().splitlines()
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    added = lines.index("    loaded.append(key)") + 1
    assert f"By the same check it also wrote 'k' (line {added})" in told
    assert "In another run it could do so in between, and would do all of it, too." in told


def test_work_that_was_done_twice_is_a_stale_check(scripts: Scripts) -> None:
    """Both threads store the same value: nothing else shows it."""
    both = PROGRAM.replace("ACT", 'if "k" not in cache: cache["k"] = load("k")').replace("os.read(reader, 1)", "pass")
    both = both.replace("    loaded.append(key)", "    met.wait()\n    loaded.append(key)", 1)
    scripts.write("script.py", both.replace("box, cache", "met = threading.Barrier(2)\nbox, cache"))
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("stale check", "happened")]
