"""Dictionaries and sets that are checked, emptied, filled or gone over as a whole, while items change one by one."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, all_told_of
from tests.recording import Scripts

SETTING = """
import os, threading, time
from collections import OrderedDict, defaultdict
from contextlib import suppress
class Box:
    def __init__(self): self.words, self.tree, self.table, self.aside = {}, None, None, None
    def load(self):
        for word in "abc":
            wait()
            self.words[word] = 1
    def find(self, word):
        if not self.words: self.load()
        return self.words[word]
    def ask(self, word):
        if len(self.words) == 0: self.load()
        return word in self.words
    def find_in_tree(self, word):
        if self.tree is None:
            self.tree = {}
            for each in "abc":
                wait()
                self.tree[each] = 1
        return word in self.tree
    def find_aside(self, word):
        if self.aside is None:
            made = {}
            for each in "abc":
                wait()
                made[each] = 1
            self.aside = made
        return word in self.aside
    def find_at_once(self, word):
        if not self.words: self.words.update({"a": 1, "b": 2, "c": 3})
        return self.words[word]
    def find_by_several(self, word):
        if not self.words:
            for each in "abc":
                self.words.update({each: 1})
                wait()
        return self.words[word]
    def add(self, word):
        if not self.words:
            wait()
            self.words["first"] = 1
        self.words[word] = 1
box, lock = Box(), threading.Lock()
def mine(key, name): return key == name
limit = 3
d, bag, ordered, counts = {"a": 1, "b": 2}, {1, 2}, OrderedDict(a=1, b=2), defaultdict(int, a=1)
one, single = {"a": 1}, {1}
"""
# The second does the same once the first is done. It has begun before. They wait by pipes, which are not recorded.
APART = (
    SETTING
    + """
reader, writer = os.pipe()
begun, begins = os.pipe()
def wait(): time.sleep(0)
def act(name):
    ACT
def first():
    os.read(begun, 1)
    act("first")
    os.write(writer, b".")
def second():
    os.write(begins, b".")
    os.read(reader, 1)
    OTHER
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
)
# The first one waits in between until the second is done.
MEANWHILE = (
    SETTING
    + """
failed, waited = [], []
reader, writer = os.pipe()
begun, begins = os.pipe()
def wait():
    if threading.current_thread().name == "first" and not waited:
        waited.append(1)
        os.write(begins, b".")
        os.read(reader, 1)
def act(name):
    ACT
def first():
    try:
        act("first")
    except KeyError as error: failed.append(error)
def second():
    os.read(begun, 1)
    OTHER
    os.write(writer, b".")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(failed))
"""
)
LIMIT = "if len(d) < 3:\n    wait()\n    d[name] = 1"
REFUSED = "if len(d) >= limit: return False\nwait()\nd[name] = 1\nreturn True"
DRAIN = "while bag:\n    wait()\n    bag.pop()"
TAKE = "if one:\n    wait()\n    return one.popitem()"
SWEEP = "for key in list(d):\n    wait()\n    del d[key]"
SWEEP_OLD = "for key, value in list(d.items()):\n    wait()\n    if value < 9: del d[key]"
SWEEP_LISTED = "old = [key for key, value in d.items() if value < 9]\nwait()\nfor key in old: d.pop(key)"
SWEEP_SET = "for item in sorted(bag):\n    wait()\n    bag.remove(item)"
LOOK_UP = "for key in tuple(d):\n    wait()\n    d[key]"
POSSIBLE = {
    "a limit": (LIMIT, 'act("second")', "d"),
    "a limit, and a refusal": (REFUSED, 'act("second")', "d"),
    "a limit of an OrderedDict": (
        "if len(ordered) < 3:\n    wait()\n    ordered[name] = 1",
        'act("second")',
        "ordered",
    ),
    "as long as something is there": (DRAIN, 'act("second")', "bag"),
    "if something is there": (TAKE, 'act("second")', "one"),
    "the last one of a set": ("if len(single) > 0:\n    wait()\n    single.pop()", 'act("second")', "single"),
    "over a copy": (SWEEP, 'act("second")', "d"),
    "over a copy of what is old": (SWEEP_OLD, 'act("second")', "d"),
    "over a list of what is old": (SWEEP_LISTED, 'act("second")', "d"),
    "over a copy of a set": (SWEEP_SET, 'act("second")', "bag"),
    "over a copy, one that another deletes": (LOOK_UP, 'd.pop("b", None)', "d"),
    "half filled": ('box.find("c")', 'box.find("c")', "self.words"),
    "half filled, and asked": ('box.ask("c")', 'box.ask("c")', "self.words"),
    "half filled by several updates": ('box.find_by_several("c")', 'box.find_by_several("c")', "self.words"),
    "stored before it is filled": ('box.find_in_tree("c")', 'box.find_in_tree("c")', "self.tree"),
}
UNDER_A_LOCK = {
    f"{name}, under a lock": "with lock:\n    " + act.replace("\n", "\n    ")
    for name, (act, other, _) in POSSIBLE.items()
    if other == 'act("second")'
}
SILENT = {
    "far from the limit": ("if len(d) < 9:\n    wait()\n    d[name] = 1", 'act("second")'),
    "in any case": ("if len(d) < 3:\n    wait()\n    d[name] = 1\nelse: d[name] = 2", 'act("second")'),
    "trimmed": ("if len(d) > 1:\n    wait()\n    d.popitem()", 'act("second")'),
    "ready for it": ("while bag:\n    wait()\n    with suppress(KeyError): bag.pop()", 'act("second")'),
    "with a default": ("for key in list(d):\n    wait()\n    d.pop(key, None)", 'act("second")'),
    "asked again": ("for key in list(d):\n    wait()\n    if key in d: d.get(key)", 'd.pop("b", None)'),
    "each its own": ("for key in list(d):\n    wait()\n    if key == name: del d[key]", 'act("b")'),
    "each its own, by a call": ("for key in list(d):\n    wait()\n    if mine(key, name): del d[key]", 'act("b")'),
    "what the other one leaves": (
        "for key, value in list(d.items()):\n    wait()\n    if value is None: del d[key]",
        'd.pop("b", None)',
    ),
    "made by another": ("for key in list(d):\n    wait()\n    d[key]", 'd["c"] = 1'),
    "discarded": ("for item in list(bag):\n    wait()\n    bag.discard(item)", 'act("second")'),
    "filled in one step": ('box.find_at_once("c")', 'box.find_at_once("c")'),
    "filled aside": ('box.find_aside("c")', 'box.find_aside("c")'),
    "filled by all": ("box.add(name)", 'box.add("second")'),
    "an item made by looking": ("for key in list(counts):\n    wait()\n    counts[key]", "del counts['a']"),
}
HAPPENED = {
    "a limit": (LIMIT, 'act("second")', ("stale check", "happened", "proven", "d")),
    "the last one": (TAKE, 'act("second")', ("failed access", "happened", "proven", "one")),
    "over a copy": (SWEEP, 'd.pop("a")', ("failed access", "happened", "proven", "d['a']")),
    "over a copy of a set": (SWEEP_SET, "bag.remove(1)", ("failed access", "happened", "proven", "bag[1]")),
    "over a list": (SWEEP_LISTED, 'del d["b"]', ("failed access", "happened", "proven", "d['b']")),
}
DID_NOT_HAPPEN = {
    "still below the limit": ("if len(d) < 9:\n    wait()\n    d[name] = 1", 'd["second"] = 1'),
    "another one was taken": ("for key in list(d):\n    wait()\n    if key == 'a': del d[key]", 'del d["b"]'),
    "enough was left": (DRAIN.replace("while", "if"), "bag.discard(1)"),
}


def program(frame: str, act: str, other: str) -> str:
    return frame.replace("ACT", act.replace("\n", "\n    ")).replace("OTHER", other.replace("\n", "\n    "))


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(APART, *each[:2]) for name, each in (POSSIBLE | SILENT).items()}
    programs |= {name: program(APART, act, 'act("second")') for name, act in UNDER_A_LOCK.items()}
    return all_told_of(programs, tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def meanwhile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(MEANWHILE, *each[:2]) for name, each in (HAPPENED | DID_NOT_HAPPEN).items()}
    return all_told_of(programs, tmp_path_factory.mktemp("meanwhile"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_could_come_in_between(name: str, apart: dict[str, Told]) -> None:
    told = [(severity, label) for severity, _, label in apart[name].of("unguarded check").findings]
    assert ("possible", POSSIBLE[name][2]) in told


@pytest.mark.parametrize("name", [*SILENT, *UNDER_A_LOCK])
def test_what_could_not_or_would_do_no_harm(name: str, apart: dict[str, Told]) -> None:
    assert [each for each in apart[name].findings if "gil-only" not in each] == []


@pytest.mark.parametrize("name", HAPPENED)
def test_what_came_in_between(name: str, meanwhile: dict[str, Told]) -> None:
    assert HAPPENED[name][2] in meanwhile[name].findings


@pytest.mark.parametrize("name", DID_NOT_HAPPEN)
def test_what_did_no_harm(name: str, meanwhile: dict[str, Told]) -> None:
    assert [each for each in meanwhile[name].findings if each[1] == "happened"] == []
    assert meanwhile[name].printed == "0"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (LIMIT, "and by that it put something in"),
        (TAKE, "and by that it took something out"),
        (SWEEP, "Thread-1 went over what was in d (line"),
        ('box.find("c")', "put the first item into self.words"),
    ],
)
def test_how_it_is_told(act: str, words: str, scripts: Scripts) -> None:
    scripts.write("told.py", program(APART, act, act if "find" in act else 'act("second")'))
    assert scripts.record("told.py").returncode == 0
    assert words.replace("Thread-1", "first") in " ".join(scripts.opcodetrace("report").stdout.decode().split())
