"""What is remembered until it is reset: a thread stores what it made of what another one has changed meanwhile."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import Scripts

CLASSES = """
import os, threading, time
from contextlib import suppress
def wait(): pass
lock, guard, done = threading.Lock(), threading.Lock(), threading.Event()
class Name:
    def __init__(self):
        self.first, self.last, self.full, self.version, self.made = "ada", "king", None, 1, 0
        self.numbers, self.total, self.by, self.cache = [1], None, {"a": 1}, {}
    def get(self):
        if self.full is None:
            first = self.first
            wait()
            self.full = first + self.last
        return self.full
    def get_at_once(self):
        if self.full is None: self.full = self.first
        return self.full
    def get_made(self):
        if self.full is None: self.full = self.make()
        return self.full
    def make(self):
        self.made += 1
        first = self.first
        wait()
        return [first]
    def get_under_lock(self):
        with lock:
            return self.get()
    def get_stored_under_lock(self):
        if self.full is None:
            full = self.make()
            with lock: self.full = full
        return self.full
    def get_if_it_is_the_same(self):
        if self.full is None:
            version = self.version
            full = self.make()
            with lock:
                if self.version == version: self.full = full
    def get_cached(self, key):
        if key not in self.cache: self.cache[key] = self.twice(key)
        return self.cache[key]
    def twice(self, key):
        value = self.by[key]
        wait()
        return value * 2
    def get_constant(self):
        if self.full is None:
            wait()
            self.full = "king"
        return self.full
    def get_total(self):
        if self.total is None:
            numbers = self.numbers
            wait()
            self.total = sum(numbers)
        return self.total
    def set(self, first):
        self.first = first
        self.full = None
    def set_and_call(self, first):
        self.first = first
        self.reset()
    def reset(self): self.full = None
    def reset_first(self, first):
        self.full = None
        wait()
        self.first = first
    def set_version(self, first):
        with lock:
            self.version += 1
            self.first = first
            self.full = None
    def set_cached(self, key, value):
        self.by[key] = value
        with suppress(KeyError): del self.cache[key]
    def pop_cached(self, key, value):
        self.by[key] = value
        self.cache.pop(key, None)
    def set_other(self, name):
        self.version = name
        self.full = None
    def count(self):
        self.made += 1
        self.full = None
    def put(self, number):
        self.numbers = [*self.numbers, number]
        self.total = None
one = Name()
"""
# The second thread has begun before the first does anything, and goes on as that is done. They wait by pipes, which are
# not recorded.
APART = (
    CLASSES
    + """
reader, writer = os.pipe()
begun, begins = os.pipe()
def first():
    os.read(begun, 1)
    FIRST
    os.write(writer, b".")
def second():
    os.write(begins, b".")
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
)
GET = "one.get()\nwait()"
POSSIBLE = {
    "two attributes": ("one.get()", 'one.set("eva")', "self.full"),
    "changed before": ('one.set("eva")', "one.get()", "self.full"),
    "what a call gives": ("one.get_made()", 'one.set("eva")', "self.full"),
    "reset by a call": ("one.get()", 'one.set_and_call("eva")', "self.full"),
    "reset first": ("one.get()", 'one.reset_first("eva")', "self.full"),
    "an item": ('one.get_cached("a")', 'one.set_cached("a", 3)', "self.cache['a']"),
    "an item that is taken out": ('one.get_cached("a")', 'one.pop_cached("a", 3)', "self.cache['a']"),
    "a list": ("one.get_total()", "one.put(2)", "self.total"),
    "a lock as it is stored": ("one.get_stored_under_lock()", 'with lock: one.set("eva")', "self.full"),
    "a lock of the one alone": ("one.get_under_lock()", 'one.set("eva")', "self.full"),
    "another lock": ("one.get_under_lock()", 'with guard: one.set("eva")', "self.full"),
    "a lock for each": (
        "one.get_under_lock()",
        'with lock: one.full = None\nwith lock: one.first = "eva"',
        "self.full",
    ),
}
SOON = {  # by two others, of which the one could come in only without the GIL
    "at once, and reset twice": ("one.get_at_once()", 'one.set("eva")\none.reset_first("mia")', "self.full"),
}
POSSIBLE |= SOON | {"set to another value before": ('one.set("eva")', 'one.set("mia")\none.get()', "self.full")}
LOOKED_UP = ("an item", "an item that is taken out")  # and returned: that would raise, too
GIL_ONLY = {"at once": ("one.get_at_once()", 'one.set("eva")', "self.full")}
NONE = {
    "one lock": ("one.get_under_lock()", 'with lock: one.set("eva")'),
    "one lock for the reset, which comes last": (
        "one.get_under_lock()",
        'one.first = "eva"\nwith lock: one.full = None',
    ),
    "waited for": ("one.get()\ndone.set()", 'done.wait()\none.set("eva")'),
    "a version": ("one.get_if_it_is_the_same()", 'one.set_version("eva")'),
    "something else is changed": ("one.get()", "one.set_other(2)"),
    "only a reset": ("one.get()", "one.reset()"),
    "the same again": ("one.get()", 'one.set("ada")'),
    "set to the same before": ('one.set("eva")', 'one.set("eva")\none.get()'),
    "set to the same by one that was waited for": (
        'one.set("eva")',
        'setter = threading.Thread(target=one.set, args=("eva",))\nsetter.start()\nsetter.join()\none.get()',
    ),
    "a constant": ("one.get_constant()", 'one.set("eva")'),
    "what is only counted": ("one.get_made()", "one.count()"),
}
# The first thread has read, the second changes and resets, the first stores.
BETWEEN = (
    CLASSES
    + """
looked, changed = [], []  # no thread waits for another one: it only looks
def wait():
    if threading.current_thread().name == "first" and not looked:
        looked.append(1)
        while not changed: time.sleep(0)
def first():
    FIRST
def second():
    while not looked: time.sleep(0)
    SECOND
    changed.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
)
HAPPENED = {
    "an attribute": ("one.get()\none.get()", 'one.set("eva")', "self.full"),
    "what a call gives": ("one.get_made()\none.get_made()", 'one.set_and_call("eva")', "self.full"),
    "twice": ("one.get()\none.get()", 'one.set("eva")\none.set("mia")', "self.full"),
    "a list": ("one.get_total()\none.get_total()", "one.put(2)", "self.total"),
}
NOT = {
    "reset again": ('one.get()\none.set("mia")\none.get()', 'one.set("eva")'),
    "never used": ("one.get()", 'one.set("eva")'),
    "only a reset": ("one.get()\none.get()", "one.reset()"),
    "something else is changed": ("one.get()\none.get()", "one.set_other(2)"),
    "what is only counted": ("one.get_made()\none.get_made()", "one.count()"),
    "a constant": ("one.get_constant()\none.get_constant()", 'one.set("eva")'),
}


def _programs(program: str, forms: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {
        name: program.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
        for name, (first, second) in forms.items()
    }


def _without_label(forms: dict[str, tuple[str, str, str]]) -> dict[str, tuple[str, str]]:
    return {name: (first, second) for name, (first, second, _) in forms.items()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = _without_label(POSSIBLE | GIL_ONLY) | NONE
    return told_of(_programs(APART, forms), "unguarded check", tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = _without_label(HAPPENED) | NOT
    return told_of(_programs(BETWEEN, forms), "stale check", tmp_path_factory.mktemp("between"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_may_be_stored_after_its_reset(name: str, told: dict[str, Told]) -> None:
    label = POSSIBLE[name][2]
    raises = {("possible", "proven", label)} if name in LOOKED_UP else set()
    assert {*told[name].findings} == {("possible", "inferred", label), *raises}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible" if FREE_THREADED else "gil-only", "inferred", GIL_ONLY[name][2])]


@pytest.mark.parametrize("name", NONE)
def test_what_is_reset_in_time(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", HAPPENED)
def test_what_was_stored_after_its_reset(name: str, stale: dict[str, Told]) -> None:
    assert stale[name].findings == [("happened", "inferred", HAPPENED[name][2])]


@pytest.mark.parametrize("name", NOT)
def test_what_does_no_harm(name: str, stale: dict[str, Told]) -> None:
    assert stale[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    first, second, label = HAPPENED["an attribute"]
    scripts.write("script.py", _programs(BETWEEN, {"": (first, second)})[""])
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert f"first checked {label}" in told
    assert "second wrote None" in told
    assert "So what is out of date stays there." in told
