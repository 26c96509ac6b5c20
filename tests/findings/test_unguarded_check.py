"""Checks that nothing seen keeps apart, in all their forms; and what is none. In no run here is any check stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, told_of
from tests.recording import Scripts, record

# The second thread has begun before the first does anything, and goes on as that is done. They wait by pipes, which are
# not recorded.
PROGRAM = """
import collections, heapq, os, queue, threading, time
from contextlib import suppress
from enum import Enum
State = Enum("State", "IDLE BUSY")
class Box:
    parts = {}
    of = list
class Pool:
    def __init__(self, shared):
        self.free = []
        self.cache = {}
        self.seen = {"n": 0}
        self.shared = shared
class Part:
    def __init__(self, is_over=False):
        self.is_over = is_over
        self.used = []
    def over(self): return self.is_over
class Cache:
    def __init__(self): self.data, self.lock = {}, threading.Lock()
    def __contains__(self, key):
        try:
            with self.lock:
                if time.time() - self.data[key][1] < 60: return True
        except KeyError: pass
        return False
    def __getitem__(self, key):
        with self.lock: return self.data[key][0]
    def __setitem__(self, key, value):
        with self.lock: self.data[key] = (value, time.time())
d, box, jobs, turns = {"there": 1}, Box(), [1, 2, 3], [1]
cache, lru = Cache(), collections.OrderedDict(a=1, b=2)
box.part, box.thread = Part(True), threading.Thread()
never, _ = os.pipe()
box.items, box.left, box.done, box.text, box.state = None, 1, False, "idle", State.IDLE
box.free, known = [], set()
class Slot:
    def __init__(self, name): self.over, self.name = False, name
class Client:
    def __init__(self): self.conn = None
    def connect(self): self.conn = make()
    def send(self):
        if self.conn is None: self.connect()
        time.sleep(0)
        self.conn.append(1)
class Service:
    def __init__(self): self.loop = self.thread = self.name = None
    def start(self):
        self.loop = make()
        self.thread = threading.Thread(target=os.read, args=(never, 1), daemon=True)
    def ensure(self):
        if self.loop is None: self.start()
    def rename(self):
        self.name = make()
        self.other = "other"
    def named(self):
        if self.name is None: self.rename()
service = Service()
client, names, many = Client(), ["a", "b", "c"], [str(number) for number in range(100)]
parts = [Slot("first"), Slot("second")]
def find():
    for each in parts:
        if not each.over: return each
lock, audit = threading.Lock(), threading.Lock()
semaphore, event, items = threading.Semaphore(1), threading.Event(), queue.Queue()
reader, writer = os.pipe()
begun, begins = os.pipe()
def make():
    time.sleep(0)
    return []
def act(item=None):
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
LAZY_OF_CACHE = 'if "k" not in cache: cache["k"] = []\ncache["k"].append(1)'
OVER = "if box.part is None or box.part.over(): box.part = Part()\nbox.part.used.append(1)"
ENDED = (
    "if not box.thread.is_alive():\n    box.thread = threading.Thread(target=os.read, args=(never, 1), daemon=True)\n"
    "    box.thread.start()"
)
REMOVE = "if 2 in jobs:\n    time.sleep(0)\n    jobs.remove(2)"
MOVE = 'if lru.get("a") is not None: lru.move_to_end("a")'
LOOKED_UP = "try: found = d['there']\nexcept KeyError: return\n"
CLOSE = "if box.part is not None:\n    box.part.over()\n    box.part = None"
BY_HAND = "if not box.done:\n    time.sleep(0)\n    box.done = True\n    time.sleep(0)\n    box.done = False"
CHOSEN = "\ntime.sleep(0)\nif chosen is not None:\n    chosen.over = True\n    chosen.over = False"
IN_ANY_CASE = 'if "there" not in d: d["there"] = 2\ntime.sleep(0)\nd["there"]'
LAZY = 'if "k" not in d: d["k"] = make()\nd["k"].append(1)'
POSSIBLE = {
    "one more, if there is room": ("if len(jobs) < 4: jobs.append(make())", "jobs"),
    "one more, or it is refused": ("if len(jobs) < 4:\n    jobs.append(4)\n    return True\nreturn False", "jobs"),
    "many removals": (
        "for name in map(str, range(100)):\n    if name in many:\n        time.sleep(0)\n        many.remove(name)",
        "many",
    ),
    "some of the removals of a loop": (
        "for name in 'abc':\n    if name in names:\n        time.sleep(0)\n        names.remove(name)",
        "names",
    ),
    "filled, if it is empty": ("if not box.free:\n    time.sleep(0)\n    box.free.extend([1, 2])", "box.free"),
    "filled, if it has no items": (
        "if len(box.free) == 0:\n    free = make()\n    for n in range(3): box.free.append(free)",
        "box.free",
    ),
    "kept, or made": ('d["k"] = d.get("k") or make()\nd["k"].append(1)', "d['k']"),
    "an attribute that is kept, or made": ("box.items = box.items or make()\nbox.items.append(1)", "box.items"),
    "kept if it is there": (
        "box.items = box.items if box.items is not None else make()\nbox.items.append(1)",
        "box.items",
    ),
    "made if it is not there": (
        "box.items = make() if box.items is None else box.items\nbox.items.append(1)",
        "box.items",
    ),
    "looked up, and deleted": (f"{LOOKED_UP}time.sleep(0)\ndel d['there']", "d['there']"),
    "looked up, and popped": (f"{LOOKED_UP}time.sleep(0)\nd.pop('there')", "d['there']"),
    "looked up, and deleted if it is too old": (
        f"{LOOKED_UP}if found < time.time():\n    time.sleep(0)\n    del d['there']",
        "d['there']",
    ),
    "closed, if it is there": (CLOSE, "box.part"),
    "closed, if it is true": ("if box.part:\n    box.part.over()\n    box.part = None", "box.part"),
    "not closed, if nothing is there": ("if box.part is None: return\nbox.part.over()\nbox.part = None", "box.part"),
    "got, or a new one": ('items = d.get("k", [])\nitems.append(make())\nd["k"] = items', "d['k']"),
    "kept, or made, by a variable": ('items = d.get("k") or make()\nd["k"] = items\nitems.append(1)', "d['k']"),
    "kept, or made, again and again": (
        "for n in range(200):\n    box.items = box.items or make()\n    box.items.append(n)",
        "box.items",
    ),
    "a lock by hand": (BY_HAND, "box.done"),
    "a lock by hand, of a state": (
        'if box.text == "idle":\n    time.sleep(0)\n    box.text = "busy"\n    time.sleep(0)\n    box.text = "idle"',
        "box.text",
    ),
    "a lock by hand, given up in the end": (
        "def work():\n    if box.done: return\n    time.sleep(0)\n    box.done = True\n"
        "    try: make()\n    finally: box.done = False\nwork()",
        "box.done",
    ),
    "chosen from a list": (
        f"free = [each for each in parts if not each.over]\nchosen = free[0]{CHOSEN}",
        "chosen.over",
    ),
    "chosen in a loop": (
        f"for chosen in [each for each in parts if not each.over]:{CHOSEN}".replace("\n", "\n    "),
        "chosen.over",
    ),
    "chosen by a generator": (
        f"chosen = next((each for each in parts if not each.over), None){CHOSEN}",
        "chosen.over",
    ),
    "chosen by a function": (f"chosen = find(){CHOSEN}", "chosen.over"),
    "chosen by two conditions": (
        f"free = [each for each in parts if each.name and not each.over]\nchosen = free.pop(){CHOSEN}",
        "chosen.over",
    ),
    "not in": (LAZY, "d['k']"),
    "get": ('if d.get("k") is None: d["k"] = make()\nd["k"].append(1)', "d['k']"),
    "get, kept in a variable": (
        'found = d.get("k")\nif found is None:\n    found = d["k"] = make()\nfound.append(1)',
        "d['k']",
    ),
    "in, and more, else not in": (
        'if "k" in d and d["k"] is None: d["k"] = []\nelif "k" not in d: d["k"] = make()\nd["k"].append(1)',
        "d['k']",
    ),
    "get, and its truth": ('if not d.get("k"): d["k"] = make()\nd["k"].append(1)', "d['k']"),
    "get, kept in a variable, and its truth": (
        'found = d.get("k")\nif not found:\n    found = d["k"] = make()\nfound.append(1)',
        "d['k']",
    ),
    "truth": ("if not box.items: box.items = make()\nbox.items.append(1)", "box.items"),
    "KeyError": ('try: d["k"]\nexcept KeyError: d["k"] = make()\nd["k"].append(1)', "d['k']"),
    "is None": ("if box.items is None: box.items = make()\nbox.items.append(1)", "box.items"),
    "hasattr": ('if not hasattr(box, "new"): box.new = make()\nbox.new.append(1)', "box.new"),
    "AttributeError": ("try: box.new\nexcept AttributeError: box.new = make()\nbox.new.append(1)", "box.new"),
    "an object with attributes": (
        'if "k" not in d:\n    time.sleep(0)\n    d["k"] = Box()\nd["k"].n = getattr(d["k"], "n", 0) + 1',
        "d['k']",
    ),
    "an object with a list": ('if "k" not in d: d["k"] = Pool(jobs)\nd["k"].free.append(1)', "d['k']"),
    "an object with a counter": ('if "k" not in d: d["k"] = Pool(jobs)\nd["k"].seen["n"] += 1', "d['k']"),
    "a deletion": ('if "there" in d:\n    time.sleep(0)\n    del d["there"]', "d['there']"),
    "a deletion by a call": ('if "there" in d:\n    time.sleep(0)\n    d.pop("there")', "d['there']"),
    "what is left": (
        "if box.left > 0:\n    left = box.left\n    time.sleep(0)\n    box.left = left - 1",
        "box.left",
    ),
    "a heap": ("while jobs:\n    time.sleep(0)\n    heapq.heappop(jobs)", "jobs"),
    "pop, as long as there is one": ("while jobs:\n    time.sleep(0)\n    jobs.pop()", "jobs"),
    "pop, until there is none": (
        "while True:\n    if len(jobs) == 0: break\n    time.sleep(0)\n    jobs.pop(0)",
        "jobs",
    ),
    "pop": ("if jobs:\n    time.sleep(0)\n    jobs.pop()", "jobs"),
    "a lock from the act on": ('if "k" not in d:\n    with lock: d["k"] = []\nd["k"].append(1)', "d['k']"),
    "a thread": ("if box.items is None:\n    box.items = threading.Thread(target=make)", "box.items"),
    "made long before": (f"for _ in range(9):\n    {LAZY.replace(chr(10), chr(10) + '    ')}", "d['k']"),
    "a flag, and a thread": (
        "if not box.done:\n    time.sleep(0)\n    box.done = True\n    threading.Thread(target=make).start()",
        "box.done",
    ),
    "what lies in two dictionaries": (
        "if 'k' not in d:\n    time.sleep(0)\n    box.parts['k'] = Box.of()\n    d['k'] = {}\nbox.parts['k'].append(1)",
        "d['k']",
    ),
    "a flag that refuses": (
        "def open():\n    if box.done: raise ValueError\n    time.sleep(0)\n    box.done = True\n"
        "with suppress(ValueError): open()",
        "box.done",
    ),
    "a state, or it is refused": (
        "with suppress(ValueError):\n    if box.text == 'idle':\n        time.sleep(0)\n        box.text = 'busy'\n"
        "    else:\n        raise ValueError",
        "box.text",
    ),
    "a member of an Enum that refuses": (
        "def open():\n    if box.state is not State.IDLE: raise ValueError\n    time.sleep(0)\n"
        "    box.state = State.BUSY\nwith suppress(ValueError): open()",
        "box.state",
    ),
    "an error on the way, that is caught": (
        "def take():\n    if 'there' not in d: return\n    try:\n        if box.left < 0: raise ValueError(str(d))\n"
        "    except ValueError: pass\n    del d['there']\ntake()",
        "d['there']",
    ),
    "a name that is given once": (
        "def define():\n    if 'k' in d: raise KeyError\n    made = make()\n    d['k'] = made\n"
        "with suppress(KeyError): define()",
        "d['k']",
    ),
    "an object that is there once": (
        "def open():\n    if box.items is not None: raise ValueError\n    box.items = make()\n"
        "with suppress(ValueError): open()",
        "box.items",
    ),
    "a flag, and an object": (
        "if not box.done:\n    time.sleep(0)\n    box.items = make()\n    box.done = True\nbox.items.append(1)",
        "box.done",
    ),
    "a state, and a counter": (
        "if box.text == 'idle':\n    time.sleep(0)\n    box.text = 'busy'\n    box.left += 1",
        "box.text",
    ),
    "a limit of items": ("if len(box.free) < 1:\n    time.sleep(0)\n    box.free.append(make())", "box.free"),
    "what is empty": ("if not box.free:\n    time.sleep(0)\n    box.free.append(make())", "box.free"),
    "not in a list": ("if 7 not in jobs:\n    time.sleep(0)\n    jobs.append(7)", "jobs"),
    "not in a set, and something is done": (
        "if 7 not in known:\n    time.sleep(0)\n    known.add(7)\n    make().append(7)",
        "known[7]",
    ),
    "a list to which both append": (f"{LAZY}\nbox.free.append(1)", "d['k']"),
    "what will not do any more": (OVER, "box.part"),
    "a thread that has ended": (ENDED, "box.thread"),
    "not there, or too old": (LAZY_OF_CACHE, "self.data['k']"),
    "got, and deleted": ('if d.get("there") is not None:\n    time.sleep(0)\n    del d["there"]', "d['there']"),
    "a deletion whose failure is reported": (
        'try:\n    if "there" in d:\n        time.sleep(0)\n        del d["there"]\n'
        "except KeyError as error: print(error)",
        "d['there']",
    ),
    "a removal from a list": (REMOVE, "jobs"),
    "two things made by a call": ("service.ensure()", "self.loop"),
    "an object of many": ('if "k" not in d:\n    time.sleep(0)\n    d["k"] = threading.Lock()', "d['k']"),
}
ADD_AND_DELETE = "d[KEY] = 1\ndel d[KEY]"
READ_AND_DELETE = "d[KEY] = 1\nif KEY in d:\n    time.sleep(0)\n    d[KEY]\ndel d[KEY]"
CHANGED = {  # what the first thread does, and the second
    "made by a call in any case": ("client.send()", "client.conn = None", "self.conn"),
    "made in any case": (
        "if box.items is None: box.items = []\ntime.sleep(0)\nbox.items.append(1)",
        "box.items = None",
        "box.items",
    ),
    "there in any case": (IN_ANY_CASE, 'del d["there"]', "d['there']"),
    "there in any case, made just now": (IN_ANY_CASE.replace("there", "k"), 'del d["k"]', "d['k']"),
    "there in any case, else an error": (
        'try: d["there"]\nexcept KeyError: d["there"] = 2\ntime.sleep(0)\nd["there"]',
        'if "there" in d: del d["there"]',
        "d['there']",
    ),
    "there in any case, to be deleted": (
        f'{IN_ANY_CASE.rpartition("d")[0]}del d["there"]',
        'd["there"] = 3\ndel d["there"]',
        "d['there']",
    ),
    "made anew by another": (READ_AND_DELETE.replace("KEY", "8"), ADD_AND_DELETE.replace("KEY", "8"), "d[8]"),
    "read after it was deleted": (
        'if "there" in d:\n    time.sleep(0)\n    d["there"]',
        'del d["there"]',
        "d['there']",
    ),
    "deleted by two": (
        'if "there" in d:\n    time.sleep(0)\n    del d["there"]\nd["there"] = 2',
        'if "there" in d: del d["there"]',
        "d['there']",
    ),
    "made at two places": (LAZY, 'if d.get("k") is None: d["k"] = []\nd["k"].append(2)', "d['k']"),
    "made at two places, with another lock": (
        f"with lock:\n    {LAZY.replace(chr(10), chr(10) + '    ')}",
        'with audit:\n    try: d["k"]\n    except KeyError: d["k"] = make()\n    d["k"].append(2)',
        "d['k']",
    ),
    "None in between": (
        "box.items = [1]\nif box.items is not None:\n    time.sleep(0)\n    box.items.append(1)",
        "box.items = None",
        "box.items",
    ),
    "None in between, called": (
        "box.items = make\nif box.items is not None:\n    time.sleep(0)\n    box.items()",
        "box.items = None",
        "box.items",
    ),
    "counted down by another": (
        "if box.left > 0:\n    left = box.left\n    time.sleep(0)\n    box.left = left - 1\nbox.left = 5",
        "box.left = 0",
        "box.left",
    ),
    "moved after it was deleted": (MOVE, 'del lru["a"]', "lru['a']"),
    "emptied": ("if jobs:\n    time.sleep(0)\n    jobs.pop()", "jobs.clear()", "jobs"),
}
# What both may do, and what they do beside it: the first thread may be suspended in it the second time, not the first.
WIDER = {
    "another way through the same lines": (
        'if "there" in d:\n    item.size\n    del d["there"]',
        "class Sized:\n    @property\n    def size(self):\n        with audit: return 0\n"
        'box.size = 0\nact(box)\nos.write(writer, b".")\nos.read(never, 1)\nact(Sized())',
        'with audit: act(box)\nd["there"] = 1\nos.write(_, b".")\nos.read(reader, 1)\nact(box)',
        "d['there']",
    ),
}
GIL_ONLY = {
    "looked for, and looked for again": (
        "for name in 'xyz':\n    if name in names: continue\n    time.sleep(0)\n"
        "    if name not in names: names.append(name)",
        "names",
    ),
    "a lock by hand, at once": ("if not box.done:\n    box.done = True\n    box.done = False", "box.done"),
    "the first free one": (
        "for part in parts:\n    if not part.over:\n        part.over = True\n        part.over = False",
        "part.over",
    ),
    "kept, or a list of nothing": ("box.items = box.items or []\nbox.items.append(1)", "box.items"),
    "a list of nothing": ('if "k" not in d: d["k"] = []\nd["k"].append(1)', "d['k']"),
    "pop at once": ("if jobs: jobs.pop()", "jobs"),
    "a removal at once": ("if 2 in jobs: jobs.remove(2)", "jobs"),
    "a removal in a loop": ("while 2 in jobs: jobs.remove(2)", "jobs"),
    "one less": ("if box.left > 0: box.left -= 1", "box.left"),
    "there, or it is an error": (
        "def take():\n    if 'there' not in d: raise KeyError(str(d))\n    del d['there']\n"
        "with suppress(KeyError): take()",
        "d['there']",
    ),
}
NONE = {  # what both do, and what they do beside it
    "kept, if there is room": ("if len(jobs) < 4: jobs.append(item)", "act(4)", "act(5)"),
    "get, and its truth, under a lock": (
        'with lock:\n    if not d.get("k"): d["k"] = make()\nd["k"].append(1)',
        "act()",
        "act()",
    ),
    "truth, and never changed": ("if not box.items: box.items = make()\nlen(box.items)", "act()", "act()"),
    "truth, checked twice": (
        "if not box.items:\n    with lock:\n        if not box.items: box.items = make()\n"
        "with lock: box.items.append(1)",
        "act()",
        "act()",
    ),
    "looked for, and looked for again under a lock": (
        "for name in 'xyz':\n    if name in names: continue\n    with lock:\n"
        "        if name not in names: names.append(name)",
        "act()",
        "act()",
    ),
    "others of the removals of a loop": (
        "for name in item:\n    if name in names:\n        time.sleep(0)\n        names.remove(name)",
        "act('a')",
        "act('bc')",
    ),
    "made in any case, under a lock": ("with lock: client.send()", "act()", "with lock: client.conn = None"),
    "a value that is made by a call": ("service.named()", "act()", "act()"),
    "made in any case, and replaced": ("client.send()", "act()", "client.conn = make()"),
    "made in any case, and ready for the failure": (
        "try: client.send()\nexcept AttributeError: pass",
        "act()",
        "client.conn = None",
    ),
    "made in any case, and taken away by the last one": (
        "client.send()",
        "act()\nevent.set()",
        "event.wait()\nclient.conn = None",
    ),
    "a lock by hand, under a lock": (f"with lock:\n    {BY_HAND.replace(chr(10), chr(10) + '    ')}", "act()", "act()"),
    "a lock by hand, that somebody else gives up": (
        BY_HAND.rpartition("\n")[0],
        "act()",
        "box.done = False\nact()",
    ),
    "chosen, and looked at again under a lock": (
        "free = [each for each in parts if not each.over]\nchosen = free[0]\nwith lock:\n"
        "    if not chosen.over:\n        chosen.over = True\n        chosen.over = False",
        "act()",
        "act()",
    ),
    "counted, and others marked": (
        "free = [each for each in parts if not each.over]\nlen(free)\nfor chosen in parts:\n"
        "    time.sleep(0)\n    chosen.over = True\n    chosen.over = False",
        "act()",
        "act()",
    ),
    "each chooses its own": (
        "name = threading.current_thread().name\n"
        "chosen = next(each for each in parts if each.name == name and not each.over)"
        f"{CHOSEN}",
        "act()",
        "act()",
    ),
    "there in any case, under a lock": (
        "pass",
        f"with lock:\n    {IN_ANY_CASE.replace(chr(10), chr(10) + '    ')}",
        'with lock: del d["there"]',
    ),
    "there in any case, and ready for the failure": (
        "pass",
        IN_ANY_CASE.rpartition("d")[0] + 'try: d["there"]\nexcept KeyError: pass',
        'del d["there"]',
    ),
    "there in any case, with a default": ("pass", IN_ANY_CASE.rpartition("d")[0] + 'd.get("there")', 'del d["there"]'),
    "there in any case, and another one is deleted": ("pass", IN_ANY_CASE, "d['k'] = 1\ndel d['k']"),
    "there in any case, told of it": (
        "pass",
        f"{IN_ANY_CASE}\nevent.set()",
        "event.wait()\ndel d['there']",
    ),
    "each stores its own, and deletes it": ("d['k'] = 2\ntime.sleep(0)\nd['k']\ndel d['k']", "act()", "act()"),
    "a limit, under a lock": ("with lock:\n    if len(box.free) < 1: box.free.append(make())", "act()", "act()"),
    "a limit, counted again under a lock": (
        "if len(box.free) < 1:\n    with lock:\n        if len(box.free) < 1: box.free.append(make())",
        "act()",
        "act()",
    ),
    "appended in either case": (
        "if not box.free:\n    time.sleep(0)\n    box.free.append(make())\nelse: box.free.append(1)",
        "act()",
        "act()",
    ),
    "a limit that is far": ("if len(box.free) < 9:\n    time.sleep(0)\n    box.free.append(make())", "act()", "act()"),
    "another item": (
        "name = threading.current_thread().name\nif name not in jobs:\n    time.sleep(0)\n    jobs.append(name)",
        "act()",
        "act()",
    ),
    "a set, and no more": ("if 7 not in known:\n    time.sleep(0)\n    known.add(7)", "act()", "act()"),
    "a list of which the other one takes an item": (LAZY, "act()\njobs.append(8)", "jobs.pop()\nact()"),
    "the same lock": (f"with lock:\n    {LAZY.replace(chr(10), chr(10) + '    ')}", "act()", "act()"),
    "a semaphore": (f"with semaphore:\n    {LAZY.replace(chr(10), chr(10) + '    ')}", "act()", "act()"),
    "a lock that one held all the time": (LAZY, "with lock: act()", "with lock: act()"),
    "checked twice": (
        'if "k" not in d:\n    with lock:\n        if "k" not in d: d["k"] = make()\nd["k"].append(1)',
        "act()",
        "act()",
    ),
    "an event": (LAZY, "act()\nevent.set()", "event.wait()\nact()"),
    "a queue": (LAZY, "act()\nitems.put(1)", "items.get()\nact()"),
    "a flag": (LAZY, "act()\nbox.done = True", "while not box.done: time.sleep(0)\nact()"),
    "one step": ('d.setdefault("k", make()).append(1)', "act()", "act()"),
    "one step, if it is needed": (
        'if d.get("k") is None: d.setdefault("k", make())\nd["k"].append(1)',
        "act()",
        "act()",
    ),
    "a cache of numbers": ('if "k" not in d:\n    time.sleep(0)\n    d["k"] = 7 * 6\nd["k"] + 1', "act()", "act()"),
    "a cache of objects": ('if "k" not in d: d["k"] = make()\nlen(d["k"])', "act()", "act()"),
    "two caches": (
        "if 'k' not in d:\n    box.parts['k'] = Box.of()\n    d['k'] = {}\nlen(box.parts['k'])",
        "act()",
        "act()",
    ),
    "a cache, and a list of all": (
        "if 'k' not in d:\n    box.parts['k'] = jobs\n    d['k'] = {}\nbox.parts['k'].append(1)",
        "act()",
        "act()",
    ),
    "an object with a list of all": ('if "k" not in d: d["k"] = Pool(jobs)\nd["k"].shared.append(1)', "act()", "act()"),
    "an object with a cache": ('if "k" not in d: d["k"] = Pool(jobs)\nd["k"].cache["n"] = 1', "act()", "act()"),
    "a flag that is set once": ("if not box.done:\n    time.sleep(0)\n    box.done = True", "act()", "act()"),
    "a flag, and a thread that is started in any case": (
        "if not box.done:\n    time.sleep(0)\n    box.done = True\nthreading.Thread(target=make).start()",
        "act()",
        "act()",
    ),
    "a flag, and a cache": (
        "if not box.done:\n    time.sleep(0)\n    box.items = make()\n    box.done = True\nlen(box.items)",
        "act()",
        "act()",
    ),
    "a flag, and a counter of all": (
        "if not box.done:\n    time.sleep(0)\n    box.done = True\nbox.left += 1",
        "act()",
        "act()",
    ),
    "a flag, and what another check refuses": (
        "if box.left > 5: raise ValueError\nif not box.done:\n    time.sleep(0)\n    box.done = True",
        "act()",
        "act()",
    ),
    "a flag that refuses under a lock": (
        "def open():\n    with lock:\n        if box.done: raise ValueError\n        time.sleep(0)\n"
        "        box.done = True\n"
        "with suppress(ValueError): open()",
        "act()",
        "act()",
    ),
    "a name that is given once, under a lock": (
        "def define():\n    made = make()\n    with lock:\n        if 'k' in d: raise KeyError\n        d['k'] = made\n"
        "with suppress(KeyError): define()",
        "act()",
        "act()",
    ),
    "a name that is looked up, or given": (
        "def find():\n    if 'k' in d: return d['k']\n    d['k'] = make()\n    return d['k']\nfind()",
        "act()",
        "act()",
    ),
    "a flag that refuses who only asks": (
        "def ask():\n    if box.done: raise ValueError\nwith suppress(ValueError): ask()",
        "act()\nbox.done = True",
        "act()",
    ),
    "a state": ('if box.text == "idle":\n    time.sleep(0)\n    box.text = "busy"', "act()", "act()"),
    "ready for the failure": (
        'if "there" in d:\n    time.sleep(0)\n    try: del d["there"]\n    except KeyError: pass',
        "act()",
        "act()",
    ),
    "failures suppressed": (
        "if jobs:\n    time.sleep(0)\n    with suppress(IndexError): jobs.pop()",
        "act()",
        "act()",
    ),
    "filled under a lock": (
        "with lock:\n    if not box.free:\n        time.sleep(0)\n        box.free.extend([1, 2])",
        "act()",
        "act()",
    ),
    "filled, if it is still empty": (
        "if not box.free:\n    with lock:\n        if not box.free: box.free.extend([1, 2])",
        "act()",
        "act()",
    ),
    "a buffer": (
        "if not box.free:\n    time.sleep(0)\n    box.free.extend([1, 2])",
        "act()",
        "act()\nbox.free.pop()",
    ),
    "a buffer that is filled by a loop": (
        "if not box.free:\n    time.sleep(0)\n    for n in range(3): box.free.append(n)",
        "act()",
        "act()\nbox.free.pop()",
    ),
    "a list that is longer each time": (
        "if len(box.free) < 1: time.sleep(0)\nbox.free.extend([1, 2])",
        "act()",
        "act()",
    ),
    "kept, or made, under a lock": (
        'with lock: d["k"] = d.get("k") or make()\nd["k"].append(1)',
        "act()",
        "act()",
    ),
    "looked up, and popped if it is still there": (f"{LOOKED_UP}time.sleep(0)\nd.pop('there', None)", "act()", "act()"),
    "looked up, and deleted if it is still there": (
        f"{LOOKED_UP}time.sleep(0)\nwith suppress(KeyError): del d['there']",
        "act()",
        "act()",
    ),
    "looked up and deleted in one try": (
        "try:\n    found = d['there']\n    time.sleep(0)\n    del d['there']\nexcept KeyError: return",
        "act()",
        "act()",
    ),
    "looked up and deleted under a lock": (
        "with lock:\n    try: found = d['there']\n    except KeyError: return\n    time.sleep(0)\n    del d['there']",
        "act()",
        "act()",
    ),
    "closed, if it is there, by a variable": (
        "part = box.part\nif part is not None:\n    part.over()\n    box.part = None",
        "act()",
        "act()",
    ),
    "closed under a lock": (f"with lock:\n    {CLOSE.replace(chr(10), chr(10) + '    ')}", "act()", "act()"),
    "let go, if it is there": ("if box.part is not None:\n    time.sleep(0)\n    box.part = None", "act()", "act()"),
    "closed, and ready for it": (
        "if box.part is not None:\n    with suppress(AttributeError): box.part.over()\n    box.part = None",
        "act()",
        "act()",
    ),
    "got, or a new one, under a lock": (
        'with lock:\n    items = d.get("k", [])\n    items.append(make())\n    d["k"] = items',
        "act()",
        "act()",
    ),
    "got, or a new one, of another key": (
        'items = d.get("k", [])\nitems.append(make())\nd[threading.get_ident()] = items',
        "act()",
        "act()",
    ),
    "kept, or made, and never changed": ("box.items = box.items or make()\nlen(box.items)", "act()", "act()"),
    "kept, or a number": ("box.items = box.items or len(make()) + 1", "act()", "act()"),
    "another one is kept": ("box.items = box.parts or make()\nbox.items.append(1)", "act()", "act()"),
    "made at once": ('d.setdefault("k", make()).append(1)', "act()", "act()"),
    "a heap, under a lock": ("with lock:\n    while jobs: heapq.heappop(jobs)", "act()", "act()"),
    "another heap": ("if names:\n    time.sleep(0)\n    heapq.heappop(jobs)", "act()", "act()"),
    "failures that end a loop": (
        "while jobs:\n    time.sleep(0)\n    try: jobs.pop()\n    except IndexError: break",
        "act()",
        "act()",
    ),
    "pop, as long as there is one, under a lock": (
        "while True:\n    with lock:\n        if not jobs: break\n        jobs.pop()",
        "act()",
        "act()",
    ),
    "read again in a loop, to go on waiting": (
        "for n in range(2):\n    while box.items is not None: time.sleep(0)\n    box.items = [n]\n    box.items = None",
        "act()",
        "box.items = None",
    ),
    "read again, to go on waiting": (
        "while box.items is not None: time.sleep(0)",
        "box.items = [1]",
        "if box.items is not None:\n    box.items = None\nact()",
    ),
    "a default": (
        'if "there" in d:\n    time.sleep(0)\n    d.pop("there", None)',
        "act()",
        "act()",
    ),
    "each its own key": (
        "k = threading.get_ident()\nif k not in d: d[k] = make()\nd[k].append(1)",
        "act()",
        "act()",
    ),
    "by the address of an object that may be another one": (
        "pass",
        READ_AND_DELETE.replace("KEY", "1 << 40"),
        ADD_AND_DELETE.replace("KEY", "1 << 40"),
    ),
    "made at two places, with one lock": (
        f"with lock:\n    {LAZY.replace(chr(10), chr(10) + '    ')}",
        "act()",
        'with lock:\n    if "k" not in d: d["k"] = []\nd["k"].append(2)',
    ),
    "made at two places, checked twice": (
        f"with lock:\n    {LAZY.replace(chr(10), chr(10) + '    ')}",
        "act()",
        'if "k" not in d:\n    with lock:\n        if "k" not in d: d["k"] = []\nd["k"].append(2)',
    ),
    "made at one place, missed at another": (
        LAZY,
        "act()",
        'if "k" not in d: print("not there")',
    ),
    "made for the other": (LAZY, "act()", 'd["k"].append(2)'),
    "each its turn": (
        "pass",
        "if box.text == 'idle': box.text = 'busy'",
        "if box.text == 'busy': box.text = 'idle'",
    ),
    "only one deletes": ('if "there" in d:\n    time.sleep(0)\n    del d["there"]', "act()", 'd["there"] = 1'),
    "kept in a variable, and called": (
        "box.items = make\nitems = box.items\nif items is not None: items()",
        "act()",
        "box.items = None",
    ),
    "kept in a variable": ("items = box.items\nif items is not None: items.append(1)", "act()", "box.items = None"),
    "read by a call": ('if "there" in d: d.get("there")', "act()", 'del d["there"]'),
    "one puts in what another takes out": ("if jobs:\n    time.sleep(0)\n    jobs.pop()", "act()", "jobs.append(1)"),
    "what will not do any more, under a lock": (
        f"with lock:\n    {OVER.replace(chr(10), chr(10) + '    ')}",
        "act()",
        "act()",
    ),
    "what will not do any more, checked twice": (
        f"if box.part.over():\n    with lock:\n        {OVER.splitlines()[0]}\nbox.part.used.append(1)",
        "act()",
        "act()",
    ),
    "what will not do any more, and is never changed": (OVER.splitlines()[0], "act()", "act()"),
    "what will not do for long": (OVER.replace("Part()", "Part(True)"), "act()", "act()"),
    "a thread that has ended, under a lock": (
        f"with lock:\n    {ENDED.replace(chr(10), chr(10) + '    ')}",
        "act()",
        "act()",
    ),
    "not there, or too old, under a lock": (
        f"with lock:\n    {LAZY_OF_CACHE.replace(chr(10), chr(10) + '    ')}",
        "act()",
        "act()",
    ),
    "not there, or too old, and never changed": (
        LAZY_OF_CACHE.replace('cache["k"].append(1)', 'len(cache["k"])'),
        "act()",
        "act()",
    ),
    "got, and deleted, with a default": (
        'if d.get("there") is not None:\n    time.sleep(0)\n    d.pop("there", None)',
        "act()",
        "act()",
    ),
    "a removal, under a lock": (f"with lock:\n    {REMOVE.replace(chr(10), chr(10) + '    ')}", "act()", "act()"),
    "a removal, and ready for the failure": (
        REMOVE.replace("jobs.remove(2)", "\n        ".join(["try: jobs.remove(2)", "except ValueError: pass"])).replace(
            "        except", "    except"
        ),
        "act()",
        "act()",
    ),
    "a removal of each its own": (f"jobs.append(2)\n{REMOVE}", "act()", "act()"),
    "a removal of another item": (REMOVE.replace("2", "item"), "item = 1\nact(item)", "item = 3\nact(item)"),
    "moved, and another one deleted": ("pass", MOVE, 'del lru["b"]'),
    "moved, under a lock": ("pass", f"with lock: \n    {MOVE}", 'with lock: del lru["a"]'),
    "one thread alone": (LAZY, "act()\nact()", "pass"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: (act, "act()", "act()") for name, (act, _) in (POSSIBLE | GIL_ONLY).items()} | NONE
    programs |= {name: ("pass", first, second) for name, (first, second, _) in CHANGED.items()}
    programs |= {name: parts[:3] for name, parts in WIDER.items()}
    assert len(programs) == len(POSSIBLE) + len(GIL_ONLY) + len(NONE) + len(CHANGED) + len(WIDER)
    texts = {}
    for name, parts in programs.items():
        texts[name] = PROGRAM
        for word, part in zip(("ACT", "FIRST", "SECOND"), parts, strict=True):
            texts[name] = texts[name].replace(word, part.replace("\n", "\n    "))
    return told_of(texts, "unguarded check", tmp_path_factory.mktemp("unguarded"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_happen(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible", POSSIBLE[name][1])}


@pytest.mark.parametrize("name", CHANGED)
def test_what_another_thread_can_change(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible", CHANGED[name][2])}


@pytest.mark.parametrize("name", WIDER)
def test_what_only_the_gil_prevents_hides_nothing_else(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible", WIDER[name][3])}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, told: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in told[name].findings}
    assert found == {("possible" if FREE_THREADED else "gil-only", GIL_ONLY[name][1])}


@pytest.mark.parametrize("name", NONE)
def test_what_cannot(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_what_happened_at_the_same_lines_is_told_as_that_alone(tmp_path: Path) -> None:
    script = tmp_path / "stale.py"
    script.write_text(
        "from threading import Barrier, Thread\ntable, both = {}, Barrier(2)\ndef add(k):\n"
        "    if k not in table:\n        both.wait()\n        table[k] = []\n    table[k].append(1)\n"
        "threads = [Thread(target=add, args=['k']) for _ in range(2)]\nfor each in threads: each.start()\n"
        "for each in threads: each.join()\nadd('k')\n"
    )
    recording = record(tmp_path / "trace.db", "-q", script)
    assert recording.query("SELECT DISTINCT kind FROM findings") == [("stale check",)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="nothing else tells when a thread is gone")
def test_an_identifier_that_is_given_out_again(tmp_path: Path) -> None:
    """The next thread has the identifier of one that has ended: each had its own key."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, threading, time\n"
        "d = {}\n"
        "def act():\n"
        "    key = threading.get_ident()\n"
        "    if key not in d:\n"
        "        time.sleep(0)\n"
        "        d[key] = []\n"
        "    d[key].append(1)\n"
        "alone = len(os.listdir('/proc/self/task'))\n"
        "for _ in range(5):\n"
        "    threading.Thread(target=act).start()\n"
        "    while len(os.listdir('/proc/self/task')) > alone: pass\n"
        "print(len(d))\n"
    )
    recording = record(tmp_path / "trace.db", "-q", script)
    assert recording.stdout == "1\n"
    assert recording.query("SELECT kind FROM findings") == []


ROUNDS = """
import threading
cells = [{} for _ in range(40)]
rounds = threading.Barrier(2)
def work():
    for cell in cells:
        rounds.wait()
        if "k" not in cell: cell["k"] = []
        cell["k"].append(1)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_who_leaves_a_barrier_late_has_heard_nothing_of_the_next_round(scripts: Scripts) -> None:
    scripts.write("script.py", ROUNDS)
    assert scripts.record("script.py").returncode == 0
    counts = scripts.query("SELECT kind, count(DISTINCT location_id) FROM findings GROUP BY kind")
    found = {str(kind): int(str(number)) for kind, number in counts}
    # without the GIL, both may have stored in a round of this run: that is told alone of these lines
    if not FREE_THREADED or "stale check" not in found:
        assert found.keys() == {"unguarded check"}
        assert found["unguarded check"] > 20  # or only the last round would be told
