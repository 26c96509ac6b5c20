"""Checks that were true no longer as a thread acted on them, in all their forms; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread checks, the second changes, the first acts.
PROGRAM = """
import threading, time
from collections import OrderedDict, deque, namedtuple
from enum import Enum
class State(Enum):
    IDLE, RESTING, BUSY, DONE = 1, 1, 2, 3
IDLE = "idle"
BUSY = "busy"
class Box: pass
class Kept(dict):
    def find(self, k):
        try:
            return super().__getitem__(k)
        except KeyError:
            wait()
            self[k] = []
    def ask(self, k):
        if k not in self:
            wait()
            super().__setitem__(k, [])
class Ordered(OrderedDict):
    def find(self, k):
        try:
            return OrderedDict.__getitem__(self, k)
        except KeyError:
            wait()
            OrderedDict.__setitem__(self, k, [])
    def ask(self, k):
        if OrderedDict.get(self, k) is None:
            wait()
            self[k] = []
    def ask_of(self, other, k):
        if k not in other:
            wait()
            OrderedDict.__setitem__(self, k, [])
class Full(dict):
    def __contains__(self, k): return False
class Key(tuple):  # keeps its hash, as those of functools and cachetools do
    kept = None
    def __hash__(self):
        if self.kept is None: self.kept = super().__hash__()
        return self.kept
class Unlike(tuple):
    def __hash__(self): return id(self)
class Bounded:
    def __init__(self): self.items, self.limit = [], 1
    def full(self): return self.limit is not None and len(self.items) >= self.limit
pool, line, full, known, others = Bounded(), deque(), deque(maxlen=2), set(), set()
Point = namedtuple("Point", "x y")
kept, ordered = Kept(), Ordered()
d, box, items, value, ready, limit, lock = {"l": 2}, Box(), [], None, True, 5, threading.Lock()
box.value, box.count, box.state, box.done = None, 0, "idle", False
box.items, box.limit, box.spare = [], 1, None
box.move, box.made, box.moves = Box(), Box(), {"idle": "done"}
box.move.source, box.move.target, box.made.state = ["idle"], Box(), "idle"
def can_move(): return box.state in box.move.source
def refuse():
    if box.state not in box.move.source: raise ValueError
missing, other = object(), object()
checked, changed = [], []  # no thread waits for another one: it only looks
def wait():
    if threading.current_thread().name == "first":
        checked[:] = [1]
        while not changed: time.sleep(0)
def waited(value):
    wait()
    return value
def first():
    global value
    key = "k"
    FIRST
def second():
    global value
    while not checked: time.sleep(0)
    SECOND
    changed.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
FOUND = {
    "kept, or made": ('d["k"] = d.get("k") or waited([])', 'd["k"] = []', "d['k']"),
    "a list that is extended": ("if not items:\n    wait()\n    items.extend([1, 2])", "items.append(5)", "items"),
    "a list that is filled by a loop": (
        "if len(items) == 0:\n    wait()\n    for n in range(2): items.append(n)",
        "items.append(5)",
        "items",
    ),
    "not in": ('if "k" not in d:\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "by a variable": ("if key not in d:\n    wait()\n    d[key] = []", 'd["k"] = []', "d['k']"),
    "in, and else": ('if "k" in d:\n    pass\nelse:\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "a limit that its class has": (
        "class Own:\n    own_most = 1\n    def use(self):\n        if box.count < self.own_most:\n            wait()\n"
        "            box.count += 1\nOwn().use()",
        "box.count += 1",
        "box.count",
    ),
    "a class has none": (
        'if not hasattr(Box, "kept"):\n    wait()\n    Box.kept = []',
        "Box.kept = []",
        "Box.kept",
    ),
    "a class gives a default": (
        'if getattr(Box, "kept", None) is None:\n    wait()\n    Box.kept = []',
        "Box.kept = []",
        "Box.kept",
    ),
    "a class raises": (
        "try: Box.kept\nexcept AttributeError:\n    wait()\n    Box.kept = []",
        "Box.kept = []",
        "Box.kept",
    ),
    "is False": ("if box.done is False:\n    wait()\n    box.done = True", "box.done = True", "box.done"),
    "is not True": ("if box.done is not True:\n    wait()\n    box.done = True", "box.done = True", "box.done"),
    "is True, and an early end": (
        "if box.done is True: return\nwait()\nbox.done = True",
        "box.done = True",
        "box.done",
    ),
    "one of several constants": (
        'if box.state in ("idle", "new", None):\n    wait()\n    box.state = "busy"',
        'box.state = "busy"',
        "box.state",
    ),
    "none of several constants": (
        'if box.state not in {"busy", "over"}:\n    wait()\n    box.state = "busy"',
        'box.state = "busy"',
        "box.state",
    ),
    "one of several cases": (
        'match box.state:\n    case "idle" | "new":\n        wait()\n        box.state = "busy"',
        'box.state = "busy"',
        "box.state",
    ),
    "not in the keys": ('if "k" not in d.keys():\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "not in the keys, by a variable": (
        "keys = d.keys()\nif key not in keys:\n    wait()\n    d[key] = []",
        'd["k"] = []',
        "d['k']",
    ),
    "an early end": ('if "k" in d: return\nwait()\nd["k"] = []', 'd["k"] = []', "d['k']"),
    "get": ('if d.get("k") is None:\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "get, with a default of its own": (
        'if d.get("k", missing) is missing:\n    wait()\n    d["k"] = []',
        'd["k"] = []',
        "d['k']",
    ),
    "getattr, with a default of its own": (
        'found = getattr(box, "name", missing)\nif missing is found:\n    wait()\n    box.name = []',
        "box.name = []",
        "box.name",
    ),
    "one of two places": (
        'found = d.get("k") if ready else box.value\nif found is None:\n    wait()\n    d["k"] = []',
        'd["k"] = []',
        "d['k']",
    ),
    "one of two variables": (
        'if ready: found = d.get("k", missing)\nelse: found = box.value\n'
        'if found is missing:\n    wait()\n    d["k"] = []',
        'd["k"] = []',
        "d['k']",
    ),
    "what holds the attributes": (
        'inside = getattr(box, "__dict__", None)\nif inside is not None: found = inside.get("name", missing)\n'
        'else: found = box.value\nif found is missing:\n    wait()\n    box.__dict__["name"] = []',
        "box.name = []",
        "box.name",
    ),
    "a key with a class in it": (
        "key = Box, ('a', 1)\nif key not in d:\n    wait()\n    d[key] = []",
        "d[Box, ('a', 1.0)] = []",
        "d[(Box,",  # and more, in brackets
    ),
    "a key with an object in it": (
        "key = box, 1\nif key not in d:\n    wait()\n    d[key] = []",
        "d[box, 1] = []",
        "d[(<Box>, 1)]",
    ),
    "an update by one item": (
        'if "k" not in d:\n    wait()\n    d.update({"k": []})',
        'd["k"] = []',
        "d['k']",
    ),
    "not in what holds the attributes": (
        'if "name" not in box.__dict__:\n    wait()\n    box.name = []',
        "box.name = []",
        "box.name",
    ),
    "what holds the attributes failed": (
        'try: vars(box)["name"]\nexcept KeyError:\n    wait()\n    box.name = []',
        "box.name = []",
        "box.name",
    ),
    "hasattr, and stored in what holds the attributes": (
        'if not hasattr(box, "name"):\n    wait()\n    vars(box)["name"] = []',
        "box.name = []",
        "box.name",
    ),
    "not in what holds a class's own attributes": (
        'if "name" not in Box.__dict__:\n    wait()\n    Box.name = []',
        "Box.name = []",
        "Box.name",
    ),
    "none in what holds a class's own attributes": (
        'if vars(Box).get("name") is None:\n    wait()\n    Box.name = []',
        "setattr(Box, 'name', [])",
        "Box.name",
    ),
    "one of those that a loop goes over": (
        "if box.value is None:\n    wait()\n    for each in [Box(), box]: each.value = []",
        "box.value = []",
        "each.value",
    ),
    "a lookup that failed": ('try: d["k"]\nexcept KeyError:\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "an attribute that failed": (
        "try: box.name\nexcept AttributeError:\n    wait()\n    box.name = []",
        "box.name = []",
        "box.name",
    ),
    "hasattr": ('if not hasattr(box, "name"):\n    wait()\n    box.name = []', "box.name = []", "box.name"),
    "is None": ("if box.value is None:\n    wait()\n    box.value = []", "box.value = []", "box.value"),
    "== None": ("if box.value == None:\n    wait()\n    box.value = []", "box.value = 5", "box.value"),
    "is not None": (
        "box.value = 1\nif box.value is not None:\n    wait()\n    del box.value",
        "box.value = None",
        "box.value",
    ),
    "through a variable": (
        "seen = box.value\nif seen is None:\n    wait()\n    box.value = []",
        "box.value = 1",
        "box.value",
    ),
    "a tuple of what can change": (
        "if box.value is None:\n    wait()\n    box.value = ([], 1)",
        "box.value = ([], 1)",
        "box.value",
    ),
    "of a global": ("if value is None:\n    wait()\n    value = []", "value = 1", "global value"),
    "a flag": ("if not box.done:\n    wait()\n    box.done = True", "box.done = True", "box.done"),
    "a state": ('if box.state == "idle":\n    wait()\n    box.state = "busy"', 'box.state = "busy"', "box.state"),
    "match": (
        'match box.state:\n    case "idle":\n        wait()\n        box.state = "busy"',
        'box.state = "gone"',
        "box.state",
    ),
    "a limit": ("if box.count < 5:\n    wait()\n    box.count = 9", "box.count = 7", "box.count"),
    "the other way round": ("if not 5 <= box.count:\n    wait()\n    box.count = 9", "box.count = 7", "box.count"),
    "and": ('if ready and "k" not in d:\n    wait()\n    d["k"] = []', 'd["k"] = []', "d['k']"),
    "an assertion": ('assert "k" not in d\nwait()\nd["k"] = []', 'd["k"] = []', "d['k']"),
    "a loop": ("while box.count == 0:\n    wait()\n    box.count = 2", "box.count = 1", "box.count"),
    "a member of an Enum": (
        "box.state = State.IDLE\nif box.state == State.IDLE:\n    wait()\n    box.state = State.BUSY",
        "box.state = State.BUSY",
        "box.state",
    ),
    "no member of an Enum": (
        "box.state = State.IDLE\nif box.state is not State.DONE:\n    wait()\n    box.state = State.BUSY",
        "box.state = State.DONE",
        "box.state",
    ),
    "an early end, by a member": (
        "box.state = State.IDLE\nif box.state != State.IDLE: return\nwait()\nbox.state = State.BUSY",
        "box.state = State.DONE",
        "box.state",
    ),
    "a constant by its name": (
        "if box.state == IDLE:\n    wait()\n    box.state = BUSY",
        "box.state = BUSY",
        "box.state",
    ),
    "a constant like what is said of others": (
        'box.state = "at home"\nif box.state == "at home":\n    wait()\n    box.state = "at work"',
        'box.state = "at sea"',
        "box.state",
    ),
    "a deletion": ('d["k"] = 1\nif d["k"] == 1:\n    wait()\n    del d["k"]', 'd["k"] = 2', "d['k']"),
    "a call that writes": (
        'if getattr(box, "value") is None:\n    wait()\n    setattr(box, "value", [])',
        "box.value = []",
        "box.value",
    ),
    "super, and itself": ('kept.find("k")', 'kept["k"] = []', "self['k']"),
    "itself, and super": ('kept.ask("k")', 'kept["k"] = []', "kept['k']"),
    "its class": ('ordered.find("k")', 'ordered["k"] = []', "self['k']"),
    "its class, and itself": ('ordered.ask("k")', 'ordered["k"] = []', "self['k']"),
    "a key that keeps its hash": (
        'key = Key(["a", 1])\nif key not in d:\n    wait()\n    d[key] = []',
        'd[Key(["a", 1])] = []',
        "d[('a', 1)]",
    ),
    "a named tuple": (
        "key = Point(1, 2)\nif key not in d:\n    wait()\n    d[key] = []",
        "d[1.0, 2] = []",
        "d[(1, 2)]",
    ),
    "a set among others": (
        "key = 'f', frozenset(['a', 'b'])\nif key not in d:\n    wait()\n    d[key] = []",
        "d['f', frozenset(['b', 'a'])] = []",
        "d[('f', frozenset({'a', 'b'}))]",
    ),
    "the last of several": (
        'if "k" not in d:\n    wait()\n    d["k"] = []',
        'd["k"] = 1; del d["k"]; d["k"] = []',
        "d['k']",
    ),
    "a limit of items": ("if len(items) < 1:\n    wait()\n    items.append([1])", "items.append([2])", "items"),
    "a limit in an attribute": (
        "if len(box.items) >= box.limit: return\nwait()\nbox.items.append([1])",
        "box.items.append([2])",
        "box.items",
    ),
    "a limit in another function": (
        "if not pool.full():\n    wait()\n    pool.items.append([1])",
        "pool.items.append([2])",
        "pool.items",
    ),
    "a limit, in a deque": ("if len(line) < 1:\n    wait()\n    line.append([1])", "line.append([2])", "line"),
    "a limit, in a loop": ("while len(items) < 1:\n    wait()\n    items.append([1])", "items.append([2])", "items"),
    "what is empty": ("if not items:\n    wait()\n    items.append([1])", "items.append([2])", "items"),
    "not in a list": ("if key not in items:\n    wait()\n    items.append(key)", "items.append('k')", "items"),
    "not in a list, by a return": (
        "if key in items: return\nwait()\nitems.append(key)",
        "items.append('k')",
        "items",
    ),
    "not in a list, after others": (
        "if key not in items:\n    wait()\n    items.append(key)",
        "items.append('k'); items.append('j')",
        "items",
    ),
    "an object that is not in a list": (
        "if other not in items:\n    wait()\n    items.append(other)",
        "items.append(other)",
        "items",
    ),
    "not in a set, and something is done": (
        "if key not in known:\n    wait()\n    known.add(key)\n    items.insert(0, key)",
        "known.add('k')",
        "known['k']",
    ),
    "not in a set, and told to the caller": (
        "if key in known: return False\nwait()\nknown.add(key)\nreturn True",
        "known.add('k')",
        "known['k']",
    ),
    "not in a set, after several trials": (
        "for _ in range(2):\n    if key not in known: break\nelse:\n    raise KeyError(key)\nwait()\n"
        "known.add(key)\nreturn key",
        "known.add('k')",
        "known['k']",
    ),
}
# Ways to ask the same: what another thread stores meanwhile, where, and the conditions that hold before.
WAYS = {
    ("box.done", "True"): (
        "not box.done",
        "not (box.done is True)",
        "box.done == False",
        "box.done != True",
        "box.done == 0",
        "box.done in (False, None)",
        "box.done not in (True,)",
        "(done := box.done) is False",
        "not box.done and box.count == 0",
        "not getattr(box, 'done', False)",
        "not box.__dict__.get('done')",
        "not box.__dict__['done']",
    ),
    ("box.value", "[]"): (
        "not (box.value is not None)",
        "(value := box.value) is None",
    ),
    ("box.late", "[]"): (
        "not hasattr(box, 'late')",
        "getattr(box, 'late', None) is None",
        "'late' not in box.__dict__",
        "'late' not in vars(box)",
    ),
    ("d['k']", "[]"): (
        "not 'k' in d",
        "not d.__contains__('k')",
        "d.get('k', missing) is missing",
        "'k' not in d.keys()",
    ),
    ("box.count", "1"): (
        "not box.count",
        "1 > box.count",
        "box.count <= 0",
        "box.count in (0, -1)",
    ),
    ("box.state", "'busy'"): (
        "'idle' == box.state",
        "box.state != 'busy'",
        "box.state in ('idle', 'new')",
        "box.state in ['idle']",
        "box.state in {'idle', 'new'}",
        "box.state not in ('busy', 'over')",
    ),
}
FOUND |= {
    condition: (f"if {condition}:\n    wait()\n    {label} = {value}", f"{label} = {value}", label)
    for (label, value), conditions in WAYS.items()
    for condition in conditions
}

SILENT = {
    "is False, and still is": ("if box.done is False:\n    wait()\n    box.done = True", "box.done = False"),
    "another one of several constants": (
        'if box.state in ("idle", "new"):\n    wait()\n    box.state = "busy"',
        'box.state = "new"',
    ),
    "still none of several constants": (
        'if box.state not in ("busy", "over"):\n    wait()\n    box.state = "busy"',
        'box.state = "new"',
    ),
    "another one of several cases": (
        'match box.state:\n    case "idle" | "new":\n        wait()\n        box.state = "busy"',
        'box.state = "new"',
    ),
    "in the keys of another one": (
        'if "k" not in {}.keys():\n    wait()\n    d["k"] = []',
        'd["k"] = []',
    ),
    "kept, or made, and nothing new": ('d["k"] = d.get("k") or waited("new")', 'd["k"] = "new"'),
    "kept": ('d["l"] = d.get("l") or waited([])\nwait()', 'd["l"] = []'),
    "a buffer that is filled again": (
        "if not items:\n    wait()\n    items.extend([1, 2])",
        "items.append(5); items.pop(); items.append(6)",
    ),
    "room for another item": ("if len(items) < 2:\n    wait()\n    items.append([1])", "items.append([2])"),
    "appended in either case": (
        "if not items:\n    wait()\n    items.append([1])\n    box.done = True\nelse:\n    items.append([1])",
        "items.append([2])",
    ),
    "a limit that was counted again": (
        "if len(items) < 1:\n    wait()\n    if len(items) < 1: items.append([1])",
        "items.append([2])",
    ),
    "a limit, and an item was taken out": (
        "items.append(1)\nif len(items) < 2:\n    wait()\n    items.append([1])",
        "items.append([2]); items.pop()",
    ),
    "at least so many": ("if len(items) >= 0:\n    wait()\n    items.append([1])", "items.append([2])"),
    "a limit of another list": ("if len(changed) < 1:\n    wait()\n    items.append([1])", "items.append([2])"),
    "a limit that is not known": (
        "most = int('1')\nif len(items) < most:\n    wait()\n    items.append([1])",
        "items.append([2])",
    ),
    "an item that another list has": (
        "if key not in changed:\n    wait()\n    items.append(key)",
        "items.append('k')",
    ),
    "another item than was asked for": (
        "if key not in items:\n    wait()\n    items.append([key])",
        "items.append('k')",
    ),
    "an item that is gone again": (
        "if key not in items:\n    wait()\n    items.append(key)",
        "items.append('k'); items.remove('k')",
    ),
    "a list that is full, and drops one": (
        "if len(full) < 2:\n    wait()\n    full.append([1])",
        "full.append([2])",
    ),
    "a set, and no more": ("if key not in known: known.add(waited(key))", "known.add('k')"),
    "two sets": (
        "if key not in known:\n    known.add(waited(key))\n    others.add(key)",
        "known.add('k')",
    ),
    "a set, and what is done in any case": (
        "if key not in known: known.add(waited(key))\nitems.insert(0, key)",
        "known.add('k')",
    ),
    "a set, and a warning": (
        "if key not in known:\n    known.add(waited(key))\n    print(key)",
        "known.add('k')",
    ),
    "a key with another object in it": (
        "key = Box(), 1\nif key not in d:\n    wait()\n    d[key] = []",
        "d[box, 1] = []; d[Box(), 1] = []",
    ),
    "an update by another item": (
        'if "k" not in d:\n    wait()\n    d.update({"z": []})',
        'd["k"] = []; d["z"] = 1',
    ),
    "another attribute in what holds them": (
        'if "name" not in box.__dict__:\n    wait()\n    box.other = []',
        "box.name = []",
    ),
    "a key like an attribute": (
        'if "name" not in d:\n    wait()\n    box.name = []',
        "box.name = []; d['name'] = 1",
    ),
    "the attribute of another object": (
        'if "name" not in Box.__dict__:\n    wait()\n    box.name = []',
        "Box.name = []; box.name = []",
    ),
    "others than the one that was checked": (
        "if box.value is None:\n    wait()\n    for each in [Box(), Box()]: each.value = []",
        "box.value = []",
    ),
    "checked, too, but not for this": (
        "other = Box()\nother.value = None\nfor one in [box, other]:\n    if one.value is None and one is other:\n"
        "        wait()\n        for each in [box]: each.value = []",
        "box.value = []",
    ),
    "another attribute in a loop": (
        "if box.spare is None:\n    wait()\n    for each in [box]: each.value = []",
        "box.value = []",
    ),
    "another value instead": (
        'd["k"] = 1\nfound = d.get("k")\nif not box.done: found = box.value\n'
        'if found is None:\n    wait()\n    d["k"] = []',
        'd["k"] = [1]',
    ),
    "a value that another one may replace": (
        'found = d.get("k")\nif not box.done: found = box.value\nif found is None:\n    wait()\n    d["k"] = []',
        'd["k"] = []',
    ),
    "a value of an earlier turn": (
        'for turn in range(2):\n    found = box.value if turn else d.get("k")\n'
        '    if found is None and turn:\n        wait()\n        d["k"] = []',
        'd["k"] = []',
    ),
    "compared with another default": (
        'if d.get("k", missing) is not other:\n    wait()\n    d["k"] = []',
        'd["k"] = []',
    ),
    "the same value, made anew": ('if "k" not in d:\n    wait()\n    d["k"] = int("3")', 'd["k"] = int("3")'),
    "the same pair, made anew": ('if "k" not in d:\n    wait()\n    d["k"] = tuple([1, 2])', 'd["k"] = tuple([1, 2])'),
    "what changes no answer": ("if box.count < 5:\n    wait()\n    box.count = 9", "box.count = 4"),
    "gone again": ('if "k" not in d:\n    wait()\n    d["k"] = []', 'd["k"] = []; del d["k"]'),
    "checked again": (
        "if box.value is None:\n    wait()\n    if box.value is None: box.value = []",
        "box.value = []",
    ),
    "checked again, otherwise": (
        "if box.value is None:\n    wait()\n    if box.value != 4: box.value = []",
        "box.value = 1",
    ),
    "its own": ('if "k" not in d:\n    d["k"] = 1\n    wait()\n    d["k"] = 2', 'd["k"] = 3'),
    "not under the check": ('if "k" not in d: pass\nwait()\nd["k"] = []', 'd["k"] = []'),
    "another key that keeps its hash": (
        "key = Key([1])\nif key not in d:\n    wait()\n    d[key] = []",
        "d[Key([2])] = []",
    ),
    "keys that are not alike": (
        "key = Unlike([1])\nif key not in d:\n    wait()\n    d[key] = []",
        "d[Unlike([1])] = []",
    ),
    "asked of another": ("ordered.ask_of(kept, 'k')", "ordered['k'] = []; kept['k'] = []"),
    "what no memory tells": (
        "full = box.full = Full()\nif 'k' not in full:\n    wait()\n    full['k'] = []",
        "box.full['k'] = []",
    ),
    "another key": ('if "z" not in d:\n    wait()\n    d["k"] = []', 'd["k"] = []'),
    "another object": (
        "other = Box()\nother.value = None\nif other.value is None:\n    wait()\n    box.value = []",
        "box.value = []",
    ),
    "another member that changes no answer": (
        "box.state = State.IDLE\nif box.state != State.DONE:\n    wait()\n    box.state = State.BUSY",
        "box.state = State.BUSY",
    ),
    "two names of one member": (
        "box.state = State.IDLE\nif box.state == State.RESTING:\n    wait()\n    box.state = State.BUSY",
        "box.state = State.DONE; box.state = State.RESTING",
    ),
    "a limit that may change": ("if box.count < limit:\n    wait()\n    box.count = 9", "box.count = 7"),
    "a truth of its own": ("if not box.value:\n    wait()\n    box.value = Box()", "box.value = Box()"),
    "either of two": ("if box.count == 1 or box.value is None:\n    wait()\n    box.count = 2", "box.count = 3"),
    "keys that each thread has": ("if key not in items:\n    wait()\n    items.append(key)", 'items.append("j")'),
    "another cell": (
        "items[:] = [1, 2]\nif items[0] == 1:\n    wait()\n    items[0] = 5",
        "items.insert(0, 3); items[0] = 4",
    ),
    "under a lock": ("checked.append(1)\nwith lock:\n    if value is None: value = []", "with lock: value = 1"),
    "a conditional update": (
        'if "n" in d:\n    d["n"] += 1\nelse:\n    wait()\n    d["n"] = 1',
        'd["n"] = d.get("n", 0) + 1',
    ),
}
# What both threads do by a check of which more is asked than can be told; the severity, and the location.
NAME = "threading.current_thread().name"
MOVE = "CHECK: raise ValueError\nwait()\nbox.state = box.move.target"
MOVED = "possible", "box.state"
DONE_BY_BOTH = {
    "the first to use it": ("if box.count == 0: wait()\nbox.count += 1", "happened", "box.count"),
    "the first to use it, by two branches": (
        "if box.count >= 1: found = box.value\nelse: found = waited(7)\nbox.count += 1",
        "happened",
        "box.count",
    ),
    "the first to use it, counted under a lock": (
        "if not box.count:\n    wait()\nwith lock: box.count += 1",
        "happened",
        "box.count",
    ),
    "a list that both extend": ("if not items:\n    wait()\n    items.extend([1, 2])", "possible", "items"),
    "not there, or too old": (
        f'found = d.get("k")\nif found is None or len(found) < 2:\n    wait()\n    d["k"] = {NAME}',
        "happened",
        "d['k']",
    ),
    "a lookup that failed, or too old": (
        f'try:\n    if len(d["k"]) > 2: return\nexcept KeyError: pass\nwait()\nd["k"] = {NAME}',
        "happened",
        "d['k']",
    ),
    "in, and fresh": (
        'if "k" in d and time.time() < d["k"].until: return\nwait()\nd["k"] = Box()\nd["k"].until = 0',
        "happened",
        "d['k']",
    ),
    "None, or over": (
        f"if box.value is None or box.count < time.time():\n    wait()\n    box.value = {NAME}",
        "happened",
        "box.value",
    ),
    "there, and too old": (
        f'found = d.get("l")\nif found is None or str(found) < "3":\n    wait()\n    d["l"] = {NAME}',
        "possible",
        "d['l']",
    ),
    "a move from one of some states": (MOVE.replace("CHECK", "if box.state not in box.move.source"), *MOVED),
    "a move from a state": (MOVE.replace("CHECK", "if box.state != box.made.state"), *MOVED),
    "a move, by a variable": (MOVE.replace("CHECK", "now = box.state\nif now not in box.move.source"), *MOVED),
    "a move, by a function": (MOVE.replace("CHECK", "if not can_move()"), *MOVED),
    "a move that a function refuses": (MOVE.replace("CHECK: raise ValueError", "refuse()"), *MOVED),
    "another state": (f"if box.state.upper() == 'IDLE':\n    wait()\n    box.state = {NAME}", "possible", "box.state"),
}
NOT_DONE_BY_BOTH = {
    "another one than the first": "if box.count == 5: items.append(1)\nwait()\nbox.count += 1",
    "each tenth": "if box.count % 10 == 0: wait()\nbox.count += 1",
    "shown": "if box.count == 0: print(waited(''))\nbox.count += 1",
    "may be repeated": "done = threading.Event()\nif box.count == 0: done.set()\nwait()\nbox.count += 1",
    "a number, of which the latest may do": (
        'found = d.get("k")\nif found is None or str(found) < "0":\n    wait()\n    d["k"] = time.time()'
    ),
    "compared with what is written": (
        f"name = {NAME}\nif box.state.upper() != name.upper():\n    wait()\n    box.state = name"
    ),
    "made of what was there": (
        f'found = d.get("l")\nif found is None or str(found) < "3":\n    wait()\n    d["l"] = str(found) + {NAME}'
    ),
    "the same value": (
        'found = d.get("k")\nif found is None or len(found) < 2:\n    wait()\n    d["k"] = "k" * len("kk")'
    ),
    "code": (
        'found = d.get("k")\nif found is None or len(found.co_code) < 2:\n    wait()\n'
        '    d["k"] = compile("1 + value", "x", "eval")'
    ),
    "code, if it is missing": 'if "k" not in d:\n    wait()\n    d["k"] = compile("1 + value", "x", "eval")',
    "a move that may be made again": MOVE.replace(
        "CHECK: raise ValueError", "if box.state not in box.move.source: print()"
    ),
    "a move to where it is": "if box.state != box.made.state: raise ValueError\nwait()\nbox.state = box.made.state",
    "by other instructions": (
        'found = d.get("k")\nif found is None or len(found) < 2:\n    wait()\n'
        f'    if {NAME} == "first": d["k"] = "first"\n    else: d["k"] = "second"'
    ),
    "checked again under the lock": (
        'found = d.get("k")\nif found is None or len(found) < 2:\n    wait()\n    with lock:\n'
        f'        found = d.get("k")\n        if found is None or len(found) < 2: d["k"] = {NAME}'
    ),
    "blind": f'if time.time() > 1:\n    wait()\n    d["k"] = {NAME}',
}


WAITED_FOR = {
    "a thread": """
def other():
    global value
    value = [1]
if value is None:
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    value = [value]
""",
    "an event": """
asked, given = threading.Event(), threading.Event()
def other():
    global value
    asked.wait()
    value = [1]
    given.set()
thread = threading.Thread(target=other)
thread.start()
if value is None:
    asked.set()
    given.wait()
    value = [2]
thread.join()
""",
    "a queue": """
import queue
given = queue.Queue()
def other():
    global value
    value = [1]
    given.put(1)
if value is None:
    thread = threading.Thread(target=other)
    thread.start()
    given.get()
    del value
    thread.join()
""",
}


def program(first: str, second: str) -> str:
    return PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second)


def by_both(act: str) -> str:
    lines = act.replace("\n", "\n    ")
    return program("make()", "make()").replace("def first", f"def make():\n    {lines}\ndef first")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {name: program(*each) for name, each in SILENT.items()}
    programs |= {name: by_both(act) for name, (act, _, _) in DONE_BY_BOTH.items()}
    programs |= {name: by_both(act) for name, act in NOT_DONE_BY_BOTH.items()}
    return told_of(programs, "stale check", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_a_check_that_was_true_no_longer(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", DONE_BY_BOTH)
def test_what_only_one_was_to_do(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [(DONE_BY_BOTH[name][1], "proven", DONE_BY_BOTH[name][2])]


@pytest.mark.parametrize("name", [*SILENT, *NOT_DONE_BY_BOTH])
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", WAITED_FOR)
def test_who_waits_for_a_change_knows_of_it(name: str, scripts: Scripts) -> None:
    scripts.write("script.py", f"import threading\nvalue = None\n{WAITED_FOR[name]}")
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT * FROM findings") == []
    assert scripts.query("SELECT writes FROM locations WHERE label = 'global value'") == [(3,)]


def test_what_is_kept_if_it_is_there_is_told_once(scripts: Scripts) -> None:
    """Whether it is an update depends on the bytecode."""
    kept = "box.value = box.value if box.value is not None else waited([])"
    scripts.write("script.py", program(kept, "box.value = []"))
    assert scripts.record("script.py").returncode == 0
    ((kind, severity),) = scripts.query("SELECT kind, severity FROM findings")
    assert kind in ("lost update", "stale check") and severity == "happened"


def test_an_update_that_was_lost_so_is_told_once(scripts: Scripts) -> None:
    scripts.write("script.py", program(*SILENT["a conditional update"]))
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("lost update", "happened")]


def done_by_both(scripts: Scripts, lines: str) -> None:
    source = program("make()", "make()").replace("def first", f"def make():\n{lines}\ndef first")
    scripts.write("script.py", source)
    assert scripts.record("script.py").returncode == 0


def test_the_same_act_by_a_truth_of_its_own_is_possible(scripts: Scripts) -> None:
    """Only code of the program could say whether a Box is true."""
    done_by_both(scripts, "    if not box.value:\n        wait()\n        box.value = Box()")
    assert scripts.query("SELECT kind, severity FROM findings") == [("stale check", "possible")]
    assert scripts.opcodetrace("check").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 check of box.value may have been true no longer when a thread acted on it." in told


def test_it_is_told(scripts: Scripts) -> None:
    first, second, _ = FOUND["a state"]
    script = scripts.write("script.py", program(first, second))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    lines = script.read_text().splitlines()
    checked, written = lines.index(f"    {first.splitlines()[0]}") + 1, lines.index(f"    {second}") + 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 check of box.state was true no longer when a thread acted on it." in told
    assert f"first checked box.state (line {checked}), then second wrote 'busy' (line {written})" in told


def test_a_count_that_another_thread_raised_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", by_both("if box.count == 0: wait()\nbox.count += 1"))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "first checked box.count" in told
    assert "and called something by that. Meanwhile second wrote 1" in told
    assert "By what second wrote, the check would have gone otherwise." in told
    assert "only one of them was to do" not in told  # what second wrote was not replaced: first counted on from it


def test_a_limit_that_was_passed_is_told(scripts: Scripts) -> None:
    first, second, _ = FOUND["a limit of items"]
    script = scripts.write("script.py", program(first, second))
    assert scripts.recorded("script.py").returncode == 0
    lines = script.read_text().splitlines()
    checked, added = lines.index(f"    {first.splitlines()[0]}") + 1, lines.index(f"    {second}") + 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert f"first checked items (line {checked}), then second added <list #1, once [2]> (line {added})" in told
    assert "So there is more in it than the check allows." in told
    assert "counts 0" in told


def test_an_item_that_is_in_a_list_twice_is_told(scripts: Scripts) -> None:
    first, second, _ = FOUND["not in a list"]
    scripts.write("script.py", program(first, second))
    assert scripts.recorded("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "So it is in there twice." in told
    assert "looks for 'k'" in told


def test_a_check_that_cannot_be_told_is_none(scripts: Scripts) -> None:
    done_by_both(
        scripts, "    if box.count is not None and box.count < limit:\n        wait()\n        box.count = limit - 1"
    )
    assert scripts.query("SELECT kind, severity FROM findings") == []


TASKS = """
import asyncio
table = {}
async def work():
    if "k" not in table:
        await asyncio.sleep(0)
        table["k"] = object()
async def main(): await asyncio.gather(work(), work())
asyncio.run(main())
"""


def test_tasks(scripts: Scripts) -> None:
    scripts.write("script.py", TASKS)
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("stale check", "happened")]
