"""Flags that are set before the work is done: another thread passes its check, and looks for what is not there yet."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of

# Both do the same, the second thread once the first is done. It has begun before. They wait by pipes, which are not
# recorded.
APART = """
import collections, os, threading, time
from contextlib import suppress
class Box: pass
class Registry:
    def __init__(self):
        self.ready, self.names = False, {}
    def load(self):
        self.ready = True
        self.names["new"] = make()
    def find(self, name):
        if not self.ready: self.load()
        return self.names[name]
    def ensure(self):
        if not self.ready: self.load()
    def get(self, name):
        self.ensure()
        return self.look(name)
    def look(self, name): return self.names[name]
class Factory:
    def __init__(self): self.known = []
    def load(self):
        time.sleep(0)
        self.known.append("one")
    def make(self):
        if not self.known: raise ValueError
        return len(self.known)
d = {}
known = []
old, box, registry, factory, conn = {"there": 1}, Box(), Registry(), None, None
box.done, box.filled, box.items, box.free, box.some, box.state = False, False, None, [], [0], "new"
box.table, box.row, box.lists, box.used = {}, [], collections.defaultdict(list), {}
box.used["old"] = 1
lock, filled, event = threading.Lock(), set(), threading.Event()
reader, writer = os.pipe()
begun, begins = os.pipe()
def make():
    time.sleep(0)
    return [1]
def act():
    ACT
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
FIRST_THE_FLAG = 'if not box.done:\n    box.done = True\n    d["new"] = make()\n'
POSSIBLE = {
    "an item": (f'{FIRST_THE_FLAG}d["new"]', "box.done"),
    "an item, in methods": ('registry.find("new")', "self.ready"),
    "an item, in methods beside each other": ('registry.get("new")', "self.ready"),
    "None until then": (
        "if not box.done:\n    box.done = True\n    box.items = make()\nbox.items.index(1)",
        "box.done",
    ),
    "an empty one until then": (
        "if not box.done:\n    box.done = True\n    box.table = dict(new=make())\nbox.table['new']",
        "box.done",
    ),
    "an empty list until then": (
        "if not box.done:\n    box.done = True\n    box.row = make()\nbox.row[0]",
        "box.done",
    ),
    "None until then, gone over": (
        "if not box.done:\n    box.done = True\n    box.items = make()\nfor each in box.items: each",
        "box.done",
    ),
    "a global": (
        "global conn\nif not box.done:\n    box.done = True\n    conn = make()\nconn[0]",
        "box.done",
    ),
    "refused if it is empty": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\n"
        "if not box.free: raise ValueError",
        "box.done",
    ),
    "refused if a global is empty": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    known.append(1)\nif not known: raise ValueError",
        "box.done",
    ),
    "refused if it is empty, else it is used": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\n"
        "if box.free: len(box.free)\nelse: raise ValueError",
        "box.done",
    ),
    "asserted": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\nassert box.free",
        "box.done",
    ),
    "refused if None is found": (
        f'{FIRST_THE_FLAG}one = d.get("new")\nif one is None: raise ValueError',
        "box.done",
    ),
    "refused by who asked for it": (
        f'def find(name): return d.get(name)\n{FIRST_THE_FLAG}one = find("new")\nif not one: raise ValueError',
        "box.done",
    ),
    "refused at once if None is found": (f'{FIRST_THE_FLAG}if not d.get("new"): raise ValueError', "box.done"),
    "refused if it is not there": (f'{FIRST_THE_FLAG}if "new" not in d: raise ValueError', "box.done"),
    "a state": ('if box.state == "new":\n    box.state = "open"\n    d["new"] = make()\nd["new"]', "box.state"),
    "what is shared before it is filled": (
        "global factory\nif factory is None:\n    factory = Factory()\n    factory.load()\nfactory.make()",
        "global factory",
    ),
    "an error that is only reported": (
        f'errors = []\n{FIRST_THE_FLAG}try: d["new"]\nexcept KeyError as error: errors.append(error)',
        "box.done",
    ),
    "a check under a lock, the work after it": (
        "with lock:\n    is_first = not box.done\n    if is_first: box.done = True\n"
        'if is_first: d["new"] = make()\nd["new"]',
        "box.done",
    ),
}
INFERRED = {
    "gone over": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\nfor each in box.free: each",
        "box.done",
    ),
    "gone over by a generator": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\n"
        "list(each for each in box.free)",
        "box.done",
    ),
}
GIL_ONLY = {
    "at once": ('if not box.done:\n    box.done = True\n    d["new"] = 1\nd["new"]', "box.done"),
}
LAST_THE_FLAG = 'if not box.done:\n    d["new"] = 7 * len(d)\n    box.done = True\n'
NONE = {
    "an empty one that gives a default": (
        "if not box.done:\n    box.done = True\n    box.lists = dict(new=make())\nbox.lists['new']",
        "act()",
        "act()",
    ),
    "an empty one that is asked": (
        "if not box.done:\n    box.done = True\n    box.table = dict(new=make())\nbox.table.get('new')",
        "act()",
        "act()",
    ),
    "an empty one, ready for it": (
        "if not box.done:\n    box.done = True\n    box.table = dict(new=make())\n"
        "try: box.table['new']\nexcept KeyError: box.table = {}",
        "act()",
        "act()",
    ),
    "one that is in use until then": (
        "if not box.done:\n    box.done = True\n    box.used = dict(old=make())\nbox.used['old']",
        "act()",
        "act()",
    ),
    "an empty one, the flag last": (
        "if not box.done:\n    box.table = dict(new=make())\n    box.done = True\nbox.table['new']",
        "act()",
        "act()",
    ),
    "the flag comes last": (f'{LAST_THE_FLAG}d["new"]', "act()", "act()"),
    "one lock": (
        'with lock:\n    if not box.done:\n        box.done = True\n        d["new"] = make()\nd["new"]',
        "act()",
        "act()",
    ),
    "the look under the lock": (
        'if not box.done:\n    with lock:\n        box.done = True\n        d["new"] = make()\nwith lock: d["new"]',
        "act()",
        "act()",
    ),
    "not found, and made": (
        f'{FIRST_THE_FLAG}one = d.get("new")\nif one is None: one = make()',
        "act()",
        "act()",
    ),
    "refused for another reason": (
        f'{FIRST_THE_FLAG}one, other = d.get("new"), 1\nif other is None: raise ValueError',
        "act()",
        "act()",
    ),
    "a default": (f'{FIRST_THE_FLAG}d.get("new")', "act()", "act()"),
    "made if it is not there": (
        f'{FIRST_THE_FLAG}try: d["new"]\nexcept KeyError: d["new"] = make()',
        "act()",
        "act()",
    ),
    "ready for the failure": (f'{FIRST_THE_FLAG}with suppress(KeyError): d["new"]', "act()", "act()"),
    "a caller that is ready for the failure": (
        f'def find():\n    {FIRST_THE_FLAG.replace(chr(10), chr(10) + "    ")}return d["new"]\n'
        "try: find()\nexcept KeyError: find()",
        "act()",
        "act()",
    ),
    "looked up first": (f'{FIRST_THE_FLAG}if "new" in d: d["new"]', "act()", "act()"),
    "waited for": (f'{FIRST_THE_FLAG}    event.set()\nevent.wait()\nd["new"]', "act()", "act()"),
    "another flag": (
        f'{FIRST_THE_FLAG}    box.filled = True\nwhile not box.filled: time.sleep(0)\nd["new"]',
        "act()",
        "act()",
    ),
    "waited for until it is there": (
        f'{FIRST_THE_FLAG}while "new" not in d: time.sleep(0)\nd["new"]',
        "act()",
        "act()",
    ),
    "an old one until then": (
        'if not box.done:\n    box.done = True\n    old["there"] = make()\nold["there"]',
        "act()",
        "act()",
    ),
    "something until then": (
        "if not box.done:\n    box.done = True\n    box.free = make()\nbox.free.index(1)",
        "box.free = [1]\nact()",
        "act()",
    ),
    "None is as good": (
        "if not box.done:\n    box.done = True\n    box.items = make()\nprint(box.items)",
        "act()",
        "act()",
    ),
    "a flag that ends it": (
        'def close():\n    if box.done: return\n    box.done = True\n    d["new"] = make()\n    d["new"]\nclose()',
        "act()",
        "act()",
    ),
    "refused if it is there": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\n"
        "with suppress(ValueError):\n    if box.free: raise ValueError",
        "act()",
        "act()",
    ),
    "something in it until then": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.some.append(1)\n"
        "if not box.some: raise ValueError",
        "act()",
        "act()",
    ),
    "what another function needs": (
        f"{FIRST_THE_FLAG}",
        'act()\nd["new"]',
        'act()\nos.fstat(reader)\nd["new"]',
    ),
    "more is added later": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\nfor each in box.free: each",
        "act()\nbox.free.append(2)",
        "act()",
    ),
    "who is at work": (
        "if not box.done:\n    box.done = True\n    time.sleep(0)\n    box.free.append(1)\nfor each in box.free: each",
        "act()",
        "act()\nbox.done = False",
    ),
    "each makes its own": (
        "key = threading.current_thread().name\nif not box.done:\n    box.done = True\n    time.sleep(0)\n"
        "d[key] = make()\nd[key]",
        "act()",
        "act()",
    ),
    "who made it told of it": (
        FIRST_THE_FLAG + 'd["new"]',
        "act()\nevent.set()",
        "event.wait()\nact()",
    ),
}
# The first thread has set the flag, the second looks, the first goes on.
BETWEEN = """
import threading, time
class Box: pass
class Registry:
    def __init__(self):
        self.ready, self.names = False, []
    def load(self):
        self.ready = True
        wait()
        self.names.append("one")
    def first(self):
        if not self.ready: self.load()
        return self.names[0]
class Lazy:
    def make(self):
        self.__class__ = Real
        self.__init__()
    def __getattr__(self, name):
        self.make()
        return getattr(self, name)
class Real:
    def __init__(self):
        wait()
        self.set_up()
    def set_up(self): self.name = "real"
    def rename(self): self.name = "other"
d, box, registry, lazy, real = {"there": 1}, Box(), Registry(), Lazy(), Real.__new__(Real)
box.done, failures = False, []
looked, changed = [], []  # no thread waits for another one: it only looks
def wait():
    if threading.current_thread().name == "first":
        looked.append(1)
        while not changed: time.sleep(0)
def act():
    ACT
def first():
    FIRST
def second():
    while not looked: time.sleep(0)
    try:
        SECOND
    finally:
        changed.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
FILL = 'if not box.done:\n    box.done = True\n    wait()\n    d["new"] = 1\n'
HAPPENED = {
    "an item": (f'{FILL}d["new"]', "act()", "act()", "d['new']"),
    "an item, and it is reported": (
        f'try:\n    {FILL.replace(chr(10), chr(10) + "    ")}d["new"]\n'
        "except KeyError as error: failures.append(error)",
        "act()",
        "act()",
        "d['new']",
    ),
    "an index": ("registry.first()", "act()", "act()", "self.names"),
    "an attribute": (
        "if not box.done:\n    box.done = True\n    wait()\n    box.name = 1\nbox.name",
        "act()",
        "act()",
        "box.name",
    ),
    "another class": ("lazy.name", "act()", "act()", "self.name"),
    "an object that is being made": ("real.name", "real.__init__()", "act()", "self.name"),
}
NOT = {
    "ready for it": (
        f'try:\n    {FILL.replace(chr(10), chr(10) + "    ")}d["new"]\nexcept KeyError: pass',
        "act()",
        "act()",
    ),
    "never made": (FILL + 'd["other"]', "act()", "act()\nlooked.append(2)"),
    "without the check": (f'{FILL}d["new"]', "act()", 'd["new"]'),
    "made by another one": (
        f'{FILL}d["new"]',
        "box.done = True\nwait()\nd['new'] = 1",
        "act()",
    ),
    "deleted, and made again": (FILL + 'd["new"]', "d['new'] = 0\n(lambda: d.pop('new'))()\nact()", "act()"),
    "written later by another method": ("real.name", "wait()\nreal.rename()", "act()"),
}


def _programs(program: str, forms: dict[str, tuple[str, str, str]]) -> dict[str, str]:
    texts = {}
    for name, parts in forms.items():
        text = program
        for word, part in zip(("ACT", "FIRST", "SECOND"), parts, strict=True):
            indent = "\n" + " " * (8 if program is BETWEEN and word == "SECOND" else 4)
            text = text.replace(word, part.replace("\n", indent))
        texts[name] = text
    return texts


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {name: (act, "act()", "act()") for name, (act, _) in (POSSIBLE | INFERRED | GIL_ONLY).items()}
    folder = tmp_path_factory.mktemp("apart")
    return told_of(_programs(APART, forms | NONE), "unguarded check", folder)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {name: (act, first, second) for name, (act, first, second, _) in HAPPENED.items()}
    folder = tmp_path_factory.mktemp("between")
    return told_of(_programs(BETWEEN, forms | NOT), "failed access", folder)


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_another_run_may_look_for_too_early(name: str, told: dict[str, Told]) -> None:
    assert {*told[name].findings} == {("possible", "proven", POSSIBLE[name][1])}


@pytest.mark.parametrize("name", INFERRED)
def test_a_loop_over_what_is_not_there_yet(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "inferred", INFERRED[name][1])]


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible" if FREE_THREADED else "gil-only", "proven", GIL_ONLY[name][1])]


@pytest.mark.parametrize("name", NONE)
def test_what_is_there_in_time(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", HAPPENED)
def test_what_was_looked_for_too_early(name: str, failed: dict[str, Told]) -> None:
    assert failed[name].findings == [("happened", "proven", HAPPENED[name][3])]


@pytest.mark.parametrize("name", NOT)
def test_what_failed_for_another_reason(name: str, failed: dict[str, Told]) -> None:
    assert failed[name].findings == []
