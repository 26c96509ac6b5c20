"""Attributes and items that are made when Python finds none: by `__get__`, `__getattr__` or `__missing__`, twice."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# Both threads ask for one attribute; the first one makes it only after the second has made it.
PROGRAM = """
import threading, time
begun, made, lock = [], [], threading.Lock()  # no thread waits for another one: it only looks
class Thing: pass
def make():
    if threading.current_thread().name == "second":
        return new()
    begun.append(1)
    while not made: time.sleep(0)
    return new()
def new():
    return []
class Lazy:
    def __init__(self, function): self.function = function
    def __get__(self, owner, kind):
        if owner is None: return self
        GET
CLASS
box = Box()
def first():
    ASK
def second():
    while not begun: time.sleep(0)
    ASK
    made.append(1)
    seen.append(box.thing)
seen = []
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
box.thing
"""
BOX = "class Box:\n    thing = Lazy(make)"
ASKING = """class Box:
    def __getattr__(self, name):
        if name != "thing": raise AttributeError(name)
        GET"""
TABLE = """class Box(dict):
    thing = None
    def __missing__(self, key):
        GET
    def make(self, key): return self.__missing__(key)"""
MISSING = "self[key] = value = make()\n        return value"
ASK = "box.thing"
ASK_FOR_ITEM = "box['thing']"
STORE = "value = owner.__dict__['thing'] = self.function()\nreturn value"
FOUND = {
    "an item of its dictionary": (BOX, STORE, ASK),
    "setattr": (BOX, "value = self.function()\nsetattr(owner, 'thing', value)\nreturn value", ASK),
    "an attribute": (BOX, "owner.thing = self.function()\nreturn owner.__dict__['thing']", ASK),
    "a lock around each": (BOX, "value = self.function()\nwith lock: owner.thing = value\nreturn value", ASK),
    "__getattr__": (ASKING.replace("GET", "value = self.__dict__[name] = make()\n        return value"), "pass", ASK),
    "__getattr__, and an attribute": (
        ASKING.replace("GET", "self.thing = value = make()\n        return value"),
        "pass",
        ASK,
    ),
    "__missing__": (TABLE.replace("GET", MISSING), "pass", ASK_FOR_ITEM),
    "__missing__, and dict": (
        TABLE.replace("GET", "value = make()\n        dict.__setitem__(self, key, value)\n        return value"),
        "pass",
        ASK_FOR_ITEM,
    ),
}
SILENT = {
    "one that is set": (BOX, STORE, ASK, "    def __set__(self, owner, value): pass\n"),
    "a lock, and another look": (
        BOX,
        "self.function\nbegun.append(1)\nwith lock:\n"
        "    if 'thing' not in owner.__dict__: owner.__dict__['thing'] = new()\n"
        "return owner.__dict__['thing']",
        "box.thing; made.append(1)",
        "",
    ),
    "the same number": (BOX, STORE.replace("self.function()", "len(self.function()) + 1"), ASK, ""),
    "called by itself": (BOX, STORE, "Box.__dict__['thing'].__get__(box, Box)", ""),
    "another attribute": (BOX, STORE.replace("'thing'", "'other'"), "box.thing", ""),
    "of its own object": (BOX, STORE, "one = Box(); one.thing; one.thing", ""),
    "looked at again": (
        BOX,
        "value = self.function()\nif 'thing' in owner.__dict__: return owner.__dict__['thing']\n"
        "owner.__dict__['thing'] = value\nreturn value",
        ASK,
        "",
    ),
    "__missing__, called by itself": (TABLE.replace("GET", MISSING), "pass", "box.make('thing')", ""),
    "__missing__, of another item": (
        TABLE.replace("GET", "self['other'] = value = make()\n        return value"),
        "pass",
        ASK_FOR_ITEM,
        "",
    ),
    "__missing__, of another key by its name": (
        TABLE.replace("GET", "key = 'other'\n        self[key] = value = make()\n        return value"),
        "pass",
        ASK_FOR_ITEM,
        "",
    ),
    "__missing__, each its own item": (
        TABLE.replace("GET", MISSING),
        "pass",
        "box[threading.current_thread().name]",
        "",
    ),
    "__missing__, set to what is there": (
        TABLE.replace("GET", "return self.setdefault(key, make())"),
        "pass",
        ASK_FOR_ITEM,
        "",
    ),
    "__missing__, the same number": (
        TABLE.replace("GET", "self[key] = value = len(make()) + 1\n        return value"),
        "pass",
        ASK_FOR_ITEM,
        "",
    ),
    "__missing__, and another look under a lock": (
        TABLE.replace(
            "GET",
            "value = make()\n        with lock:\n            if key not in self: self[key] = value\n"
            "            return self[key]",
        ),
        "pass",
        ASK_FOR_ITEM,
        "",
    ),
    "set to what is there": (BOX, "value = self.function()\nreturn owner.__dict__.setdefault('thing', value)", ASK, ""),
}


def program(box: str, get: str, ask: str, more: str = "") -> str:
    written = PROGRAM.replace("GET", get.replace("\n", "\n        ")).replace("CLASS\n", more + box + "\n")
    return written.replace("ASK", ask)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(*parts) for name, parts in {**FOUND, **SILENT}.items()}
    return told_of(programs, "stale check", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_made_twice(name: str, told: dict[str, Told]) -> None:
    assert [each[:2] for each in told[name].findings] == [("happened", "proven")]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_asked_for_by_code_that_is_not_woven(scripts: Scripts) -> None:
    written = program(TABLE.replace("GET", MISSING), "pass", ASK_FOR_ITEM)
    head = written[: written.index("def first")]
    scripts.write(
        "script.py",
        f"{head}threads = [threading.Thread(target=box.__getitem__, args=['thing'], name=each)"
        " for each in ('first', 'second')]\n"
        "threads[0].start()\nwhile not begun: time.sleep(0)\n"
        "threads[1].start()\nthreads[1].join()\nmade.append(1)\nthreads[0].join()\n",
    )
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("stale check", "happened")]


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", program(*FOUND["an attribute"]))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "first asked for owner.thing, which was not there, so Python called the function that makes it." in told
    assert "missed and made at line" in told
