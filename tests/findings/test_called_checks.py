"""Checks that are made in one function and acted on in another, kept in variables, or by what is no constant; and right
programs like them."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of, told_of
from tests.findings.test_stale_check import program
from tests.findings.test_unguarded_check import PROGRAM as ONE_AFTER_THE_OTHER
from tests.recording import Scripts

STORE = """
import collections, collections.abc
class Store:
    def __init__(self):
        self.opened, self.conn, self.count, self.limit, self.top, self.balance = False, None, 0, 1, 0, 10
        self.d, self.q, self.lock = {"there": 1}, [1, 2], threading.RLock()
    def is_open(self): return self.opened
    def is_closed(self): return not self.opened
    def open(self): self.opened = True
    def connect(self): self.conn = make()
    def has(self, key): return key in self.d
    def lacks(self, key): return key not in self.d
    def has_locked(self, key):
        with self.lock: return key in self.d
    def has_by_branch(self, key):
        if key in self.d: return True
        return False
    def find(self, key): return self.d.get(key)
    def find_or_none(self, key):
        try: return self.d[key]
        except KeyError: return None
    def is_fresh(self, key):
        try: since = self.d[key]
        except KeyError: return False
        return time.time() > since
    def is_fresh_by_its_class(self, key):
        try:
            with self.lock:
                since = dict.__getitem__(self.d, key)
                if time.time() > since: return True
                del self.d[key]
        except KeyError: pass
        return False
    def is_on(self, key):
        try: self.d[key]
        except KeyError: return False
        return self.opened
    def fresh_item(self, key):
        if key not in self.d: raise KeyError(key)
        if time.time() > self.count: raise KeyError(key)
        return self.d[key]
    def is_any(self, key):
        try: self.d[key]
        except KeyError: self.count = 0
        return True
    def item(self, key): return self.d[key]
    def add(self, key): self.d[key] = make()
    def add_locked(self, key):
        with self.lock: self.d[key] = make()
    def add_if_missing(self, key):
        with self.lock:
            if key not in self.d: self.d[key] = make()
    def add_if_not_has(self, key):
        with self.lock:
            if self.has(key): return
            self.d[key] = make()
    def add_or_return(self, key):
        d = self.d
        if key in d: return
        self.d[key] = make()
    def add_empty_or_return(self, key):
        if key in self.d: return
        self.d[key] = []
    def add_or_raise(self, key):
        if key in self.d: raise ValueError(key)
        self.d[key] = make()
    def add_and_count(self, key):
        with self.lock:
            if key in self.d: self.count += 1
            self.d[key] = make()
    def check_free(self, key):
        if key in self.d: raise ValueError(key)
    def check_free_if_full(self, key):
        if key in self.d and self.limit > 5: raise ValueError(key)
    def check_there(self, key):
        if key not in self.d: raise KeyError(key)
    def item_or_raise(self, key):
        try: return self.d[key]
        except KeyError as error: raise LookupError(key) from error
    def add_by_setdefault(self, key): self.d.setdefault(key, make())
    def drop(self, key): del self.d[key]
    def empty(self): return not self.q
    def no_more(self): return len(self.q) == 0
    def take(self): return self.q.pop()
    def full(self): return self.count >= self.limit
    def free(self): return self.opened and self.count < 1
    def deep(self, key): return self.has(key)
    def create(self, key):
        if key not in self.d: self.add(key)
    @property
    def connected(self): return self.conn is not None
    @property
    def connection(self): return self.conn
    def __contains__(self, key): return key in self.d
    def __len__(self): return self.count
    def __bool__(self): return self.opened
    def any(self, keys): return any(map(self.has, keys))
class Mapped(collections.abc.MutableMapping):
    def __init__(self): self.d = {"there": 1}
    def __getitem__(self, key): return self.d[key.lower()]
    def __setitem__(self, key, item): self.d[key.lower()] = item
    def __delitem__(self, key): del self.d[key.lower()]
    def __iter__(self): return iter(self.d)
    def __len__(self): return len(self.d)
class Asks(Mapped):
    get = lambda self, key: self[key] and None
class Lazy:
    def __init__(self): vars(self)["d"] = {}
    def __getattr__(self, name):
        try: return self.d[name]
        except KeyError: raise AttributeError(name) from None
    def __setattr__(self, name, value): self.d[name] = value
def make(): return []
store = Store()
mapped = Mapped()
asks = Asks()
lazy = Lazy()
"""
ADDED = "store.d['k'] = []"
STALE = {  # what the first thread does, and the second in between; and the location
    "kept if it was asked for": (
        "found = None\nif store.limit: found = store.find('k')\nif found is None:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "kept, or not asked for": (
        "if store.limit == 2: found = None\nelse: found = store.find('k')\n"
        "if found is None:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "true": ("if not store.is_open():\n    wait()\n    store.open()", "store.open()", "store.opened"),
    "not": ("if store.is_closed():\n    wait()\n    store.open()", "store.open()", "store.opened"),
    "in": ("if not store.has('k'):\n    wait()\n    store.d['k'] = []", ADDED, "store.d['k']"),
    "not in": ("if store.lacks('k'):\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "both locked by themselves": (
        "if not store.has_locked('k'):\n    wait()\n    store.add_locked('k')",
        "store.add_locked('k')",
        "store.d['k']",
    ),
    "True and False": ("if not store.has_by_branch('k'):\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "get": ("if store.find('k') is None:\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "get, kept": ("found = store.find('k')\nif found is None:\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "a lookup that failed": (
        "if store.find_or_none('k') is None:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "not there, or something else": (
        "if store.conn is None or store.full():\n    wait()\n    store.connect()",
        "store.connect()",
        "store.conn",
    ),
    "not in, or something else": (
        "if 'k' not in store.d or store.full():\n    wait()\n    store.add('k')",
        "store.add('k')",
        "store.d['k']",
    ),
    "not there, or too old": (
        "if not store.is_fresh('k'):\n    wait()\n    store.add('k')",
        "store.add('k')",
        "store.d['k']",
    ),
    "not there, or too old, by its class": (
        "if not store.is_fresh_by_its_class('k'):\n    wait()\n    store.add('k')",
        "store.add('k')",
        "store.d['k']",
    ),
    "not in a Mapping": ("if 'k' not in mapped:\n    wait()\n    mapped['k'] = []", "mapped['k'] = []", "store.d['k']"),
    "get of a Mapping": (
        "if mapped.get('k') is None:\n    wait()\n    mapped['k'] = []",
        "mapped['K'] = []",
        "store.d['k']",
    ),
    "hasattr, and __getattr__": (
        "if not hasattr(lazy, 'k'):\n    wait()\n    lazy.k = []",
        "lazy.k = []",
        "store.d['k']",
    ),
    "None, by __getattr__": (
        "lazy.k = None\nif lazy.k is None:\n    wait()\n    lazy.k = []",
        "lazy.k = []",
        "store.d['k']",
    ),
    "a call that failed": (
        "try: store.item('k')\nexcept KeyError:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "a function that raises": ("store.check_free('k')\nwait()\nstore.add('k')", ADDED, "store.d['k']"),
    "an error in place of another": (
        "try: store.item_or_raise('k')\nexcept LookupError:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "a property": ("if not store.connected:\n    wait()\n    store.conn = 1", "store.conn = 2", "store.conn"),
    "a property's value": (
        "if store.connection is None:\n    wait()\n    store.conn = 1",
        "store.conn = 2",
        "store.conn",
    ),
    "__contains__": ("if 'k' not in store:\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "__len__": ("if len(store) == 0:\n    wait()\n    store.count = 7", "store.count = 2", "store.count"),
    "__bool__": ("if not store:\n    wait()\n    store.open()", "store.open()", "store.opened"),
    "a call that calls": ("if not store.deep('k'):\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "two that must hold": (
        "store.open()\nif store.free():\n    wait()\n    store.count = 7",
        "store.count = 2",
        "store.count",
    ),
    "an early end": ("if store.has('k'): return\nwait()\nstore.add('k')", ADDED, "store.d['k']"),
    "an assertion": ("assert not store.has('k')\nwait()\nstore.add('k')", ADDED, "store.d['k']"),
    "a loop": ("while not store.has('k'):\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "and": (
        "if not store.is_open() and not store.has('k'):\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "or": ("if store.is_open() or store.has('k'): return\nwait()\nstore.add('k')", ADDED, "store.d['k']"),
    "asked only if the first part holds": (
        "if store.limit == 1 and store.has('k'): return\nwait()\nstore.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "read only if the first part holds": (
        "if store.limit == 1 and 'k' in store.d: return\nwait()\nstore.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "asked only if the first part does not hold": (
        "if store.limit == 2 or not store.has('k'):\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "the method that adds looks for something else": (
        "if not store.has('k'):\n    wait()\n    store.add_and_count('k')",
        ADDED,
        "store.d['k']",
    ),
    "match": (
        "match len(store):\n    case 0:\n        wait()\n        store.count = 7",
        "store.count = 2",
        "store.count",
    ),
    "only the act is called": ("if 'k' not in store.d:\n    wait()\n    store.add('k')", ADDED, "store.d['k']"),
    "kept, and a call": (
        "missing = not store.has('k')\nif missing:\n    wait()\n    store.add('k')",
        ADDED,
        "store.d['k']",
    ),
    "kept across with": (
        "with lock: missing = 'k' not in store.d\nif missing:\n    wait()\n    with lock: store.d['k'] = []",
        f"with lock: {ADDED}",
        "store.d['k']",
    ),
    "a value kept across with": (
        "with lock: found = store.d.get('k')\nif found is None:\n    wait()\n    with lock: store.d['k'] = []",
        f"with lock: {ADDED}",
        "store.d['k']",
    ),
    "a value kept across try": (
        "try: found = store.d['k']\nexcept KeyError: found = None\n"
        "if found is None:\n    wait()\n    store.d['k'] = []",
        ADDED,
        "store.d['k']",
    ),
    "kept as a flag": (
        "missing = False\nif 'k' not in store.d: missing = True\nif missing:\n    wait()\n    store.d['k'] = []",
        ADDED,
        "store.d['k']",
    ),
    "what is subtracted": (
        "amount = len('eight...')\nif store.balance >= amount:\n    wait()\n    store.balance -= amount",
        "store.balance -= 5",
        "store.balance",
    ),
    "a maximum": (
        "n = len('abc')\nif n > store.top:\n    wait()\n    store.top = n",
        "store.top = 5",
        "store.top",
    ),
    "a limit": ("if store.count < store.limit:\n    wait()\n    store.count += 1", "store.count += 1", "store.count"),
    "a limit that a call compares with": (
        "if not store.full():\n    wait()\n    store.count += 1",
        "store.count += 1",
        "store.count",
    ),
}
FAILED = {
    "a function that raises": (
        "store.check_there('there')\nwait()\nstore.drop('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "in, and del": (
        "if store.has('there'):\n    wait()\n    store.drop('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "in, and an item": (
        "if store.has('there'):\n    wait()\n    store.item('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "fresh, and del": (
        "if store.is_fresh('there'):\n    wait()\n    store.drop('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "fresh, by the class, and an item": (
        "if store.is_fresh_by_its_class('there'):\n    wait()\n    store.item('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "only the act is called": (
        "if 'there' in store.d:\n    wait()\n    store.drop('there')",
        "store.drop('there')",
        "store.d['there']",
    ),
    "in a Mapping, and del": (
        "if 'there' in mapped:\n    wait()\n    del mapped['there']",
        "del mapped['there']",
        "store.d['there']",
    ),
    "empty": ("if not store.empty():\n    wait()\n    store.take()", "store.q.clear()", "store.q"),
    "nothing left": ("if not store.no_more():\n    wait()\n    store.take()", "store.q.clear()", "store.q"),
    "kept across with": (
        "with lock: there = 'there' in store.d\nif there:\n    wait()\n    with lock: del store.d['there']",
        "store.drop('there')",
        "store.d['there']",
    ),
}
SILENT = {  # of either kind
    "kept if it was asked for, and given something else after that": (
        "found = None\nif store.limit: found = store.find('k')\nfound = store.find('z')\n"
        "if found is None:\n    wait()\n    store.add('k')",
        ADDED,
    ),
    "kept in an earlier turn": (
        "found = None\nfor turn in range(2):\n    if turn == 0: found = store.find('k')\n"
        "    elif found is None:\n        wait()\n        store.add('k')",
        ADDED,
    ),
    "not asked for": (
        "found = None\nif store.limit == 2: found = store.find('k')\nif found is None:\n    wait()\n    store.add('k')",
        ADDED,
    ),
    "there, or something else": (
        "store.conn = [0]\nif store.conn is None or store.limit:\n    wait()\n    store.connect()",
        "store.connect()",
    ),
    "not there, or something else, and what another instruction stored": (
        "if store.conn is None or store.full():\n    wait()\n    store.connect()",
        "store.conn = []",
    ),
    "another item of a Mapping": ("if 'z' not in mapped:\n    wait()\n    mapped['k'] = []", "mapped['k'] = []"),
    "get of a class's own": ("if asks.get('there') is None:\n    wait()\n    asks['there'] = []", "asks['there'] = []"),
    "hasattr of another": ("if not hasattr(lazy, 'z'):\n    wait()\n    lazy.k = []", "lazy.k = []"),
    "there, and something else was asked": (
        "if not store.is_on('there'):\n    wait()\n    store.add('there')",
        "store.add('there')",
    ),
    "there, and too old, or what another instruction stored": (
        "if not store.is_fresh('k'):\n    wait()\n    store.add('k')",
        ADDED,
    ),
    "refused as missing, or as old": (
        "try: store.fresh_item('k')\nexcept KeyError:\n    wait()\n    store.add('k')",
        ADDED,
    ),
    "not there, and true in any case": ("if store.is_any('k'):\n    wait()\n    store.add('k')", "store.add('k')"),
    "checked again": ("if not store.has('k'):\n    wait()\n    store.add_if_missing('k')", ADDED),
    "checked again by a call": ("if not store.has('k'):\n    wait()\n    store.add_if_not_has('k')", ADDED),
    "stopped by another": ("if not store.is_open():\n    wait()\n    store.open()", "store.opened = True"),
    "one step": ("if not store.has('k'):\n    wait()\n    store.add_by_setdefault('k')", ADDED),
    "another key": ("if not store.has('z'):\n    wait()\n    store.add('k')", ADDED),
    "another object": ("if not Store().has('k'):\n    wait()\n    store.add('k')", ADDED),
    "not under the check": ("store.has('k')\nwait()\nstore.add('k')", ADDED),
    "on both branches": (
        "if store.has('k'):\n    wait()\n    store.add('k')\nelse:\n    wait()\n    store.add('k')",
        ADDED + "; del store.d['k']",
    ),
    "either of two": ("if not store.has('k') or store.is_closed():\n    wait()\n    store.add('k')", ADDED),
    "the first part, if the second one may have told": (
        "if store.has('k') and store.is_open(): return\nwait()\nstore.add('k')",
        ADDED,
    ),
    "kept, and not asked for": (
        "there = store.has('k')\nif store.limit == 2 and there: return\nwait()\nstore.add('k')",
        ADDED,
    ),
    "asked in an earlier turn": (
        "for turn in range(2):\n    if turn == 0 and store.has('k'): continue\n    if turn == 1:\n"
        "        wait()\n        store.add('k')",
        ADDED,
    ),
    "checked again by an early end": ("if not store.has('k'):\n    wait()\n    store.add_or_return('k')", ADDED),
    "checked again by what raises": (
        "if not store.has('k'):\n    wait()\n    with suppress(ValueError): store.add_or_raise('k')",
        ADDED,
    ),
    "not fresh, and deleted": (
        "store.d['old'] = time.time() + 9\n"
        "if not store.is_fresh_by_its_class('old'):\n    wait()\n    store.add('old')",
        "store.d['old'] = []",
    ),
    "a function that raises, which is caught": (
        "try: store.check_free('k')\nexcept ValueError: pass\nwait()\nstore.add('k')",
        ADDED,
    ),
    "a function that raises, called by a branch": (
        "if store.limit == 1: store.check_free('k')\nwait()\nstore.add('k')",
        ADDED,
    ),
    "a function that raises only if it is full": ("store.check_free_if_full('k')\nwait()\nstore.add('k')", ADDED),
    "true in any case": ("if store.is_any('there'):\n    wait()\n    store.drop('there')", "store.drop('there')"),
    "what changes no answer": ("if store.has('there'):\n    wait()\n    store.add('there')", "store.d['there'] = 2"),
    "gone again": ("if not store.has('k'):\n    wait()\n    store.add('k')", ADDED + "; del store.d['k']"),
    "read again": ("if not store.has('k'):\n    wait()\n    store.has('k')\n    store.add('k')", ADDED),
    "C code looks": ("if not any(map(store.has, ['k'])):\n    wait()\n    store.add('k')", ADDED),
    "a loop that waits": (
        "if not store.has('k'):\n    wait()\n    while not changed: time.sleep(0)\n    store.add('k')",
        ADDED,
    ),
    "a limit that is not reached": (
        "store.limit = 5\nif store.count < store.limit:\n    wait()\n    store.count += 1",
        "store.count += 1",
    ),
    "enough is left": (
        "amount = len('four')\nif store.balance >= amount:\n    wait()\n    store.balance -= amount",
        "store.balance -= 5",
    ),
    "a maximum that is higher": ("n = len('abc')\nif n > store.top:\n    wait()\n    store.top = n", "store.top = 2"),
    "ready for the failure": (
        "if store.has('there'):\n    wait()\n    try: store.drop('there')\n    except KeyError: pass",
        "store.drop('there')",
    ),
    "under a lock": (
        "checked.append(1)\nwith store.lock:\n    if not store.has('k'): store.add('k')",
        "store.add_if_missing('k')",
    ),
}
WAITED_FOR = {
    "a thread": "thread = threading.Thread(target=store.add, args=['k'])\n"
    "if not store.has('k'):\n    thread.start()\n    thread.join()\n    store.add('k')",
    "an executor": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
    "    if not store.has('k'):\n        pool.submit(store.add, 'k').result()\n        store.add('k')",
}
KEPT = "found = None\nif store.limit: found = store.find('k')\nif found is None: store.add('k')\nstore.d['k'].append(1)"
POSSIBLE = {  # what both threads do, one after the other
    "kept if it was asked for": (KEPT, "store.d['k']"),
    "in": ("if not store.has('k'): store.add('k')\nstore.d['k'].append(1)", "store.d['k']"),
    "both locked by themselves": (
        "if not store.has_locked('k'): store.add_locked('k')\nstore.d['k'].append(1)",
        "store.d['k']",
    ),
    "only the act is called": ("store.create('k')\nstore.d['k'].append(1)", "store.d['k']"),
    "a deletion": ("if store.has('there'): store.drop('there')", "store.d['there']"),
    "a function that raises": (
        "with suppress(ValueError):\n    store.check_free('k')\n    store.add('k')",
        "store.d['k']",
    ),
    "a function that raises, and a flag": (
        "with suppress(ValueError):\n    store.check_free('k')\n    time.sleep(0)\n    store.d['k'] = True",
        "store.d['k']",
    ),
    "a function that raises if it is gone": (
        "try:\n    store.check_there('there')\n    store.drop('there')\nexcept KeyError as error: print(error)",
        "store.d['there']",
    ),
    "who called the function raises": (
        "def define():\n    if store.has('k'): raise ValueError\n    time.sleep(0)\n    store.d['k'] = True\n"
        "with suppress(ValueError): define()",
        "store.d['k']",
    ),
    "an error in place of another": (
        "try: store.item_or_raise('k')\nexcept LookupError: store.add('k')\nstore.d['k'].append(1)",
        "store.d['k']",
    ),
    "checked again by the function that adds": (
        "if 'k' not in store.d: store.add_or_return('k')\nstore.d['k'].append(1)",
        "store.d['k']",
    ),
    "take": ("if not store.empty(): store.take()", "store.q"),
    "nothing left": ("if not store.no_more(): store.take()", "store.q"),
    "a property": ("if not store.connected: store.conn = make()\nstore.conn.append(1)", "store.conn"),
    "kept across with": (
        "with lock: missing = 'k' not in store.d\nif missing:\n    with lock: store.d['k'] = make()\n"
        "store.d['k'].append(1)",
        "store.d['k']",
    ),
    "what is subtracted": (
        "def take(n):\n    if store.balance >= n:\n        time.sleep(0)\n        store.balance -= n\ntake(8)",
        "store.balance",
    ),
    "a limit": ("if store.full(): return\ntime.sleep(0)\nstore.count += 1", "store.count"),
    "a maximum": (
        "def raise_to(n):\n    if n > store.top:\n        time.sleep(0)\n        store.top = n\n"
        "raise_to(len(threading.current_thread().name))\nraise_to(9 - len(threading.current_thread().name))\n"
        "store.top = 0\nraise_to(len(threading.current_thread().name))",
        "store.top",
    ),
}
GIL_ONLY = {
    "checked again by the function that adds": (
        "if not store.has('k'): store.add_empty_or_return('k')\nstore.d['k'].append(1)",
        "store.d['k']",
    ),
    "what is subtracted": ("def take(n):\n    if store.balance >= n: store.balance -= n\ntake(8)", "store.balance"),
}
NONE = {
    "kept if it was asked for, under a lock": "with lock:\n    " + KEPT.replace("\n", "\n    "),
    "kept if it was asked for, and a cache": KEPT.replace("store.d['k'].append(1)", "len(store.d['k'])"),
    "the same lock": "with lock:\n    if not store.has('k'): store.add('k')\n    store.d['k'].append(1)",
    "checked again": "if not store.has('k'): store.add_if_missing('k')\nstore.d['k'].append(1)",
    "checked again by the function that adds, with one lock": "with lock:\n"
    "    if 'k' not in store.d: store.add_or_return('k')\nstore.d['k'].append(1)",
    "a function that raises, under a lock": "with suppress(ValueError):\n    with lock:\n"
    "        store.check_free('k')\n        store.add('k')",
    "a function that raises, which is caught": "with suppress(ValueError): store.check_free('k')\n"
    "store.add('k')\nstore.d['k'].append(1)",
    "a function that raises only if it is full": "store.check_free_if_full('k')\nstore.add('k')\n"
    "store.d['k'].append(1)",
    "an error in place of another, and a cache": "try: store.item_or_raise('k')\n"
    "except LookupError: store.add('k')\nlen(store.d['k'])",
    "one step": "if not store.has('k'): store.add_by_setdefault('k')\nstore.d['k'].append(1)",
    "a cache": "if not store.has('k'): store.add('k')\nlen(store.d['k'])",
    "a flag": "if not store.is_open(): store.open()",
    "failures suppressed": "if store.has('there'):\n    with suppress(KeyError): store.drop('there')",
    "only one checks to add": "if os.fstat(reader) and threading.current_thread().name == 'first':\n"
    "    if not store.has('k'): store.add('k')\n    store.d['k'].append(1)\nelse:\n    store.has('k')",
}


def with_store(first: str, second: str) -> str:
    source = program(first, second).replace("checked, changed", STORE + "checked, changed")
    return source.replace("def first", "threading.excepthook = lambda error: changed.append(1)\ndef first")


def one_after_the_other(act: str) -> str:
    source = ONE_AFTER_THE_OTHER.replace("def act", STORE.replace("def make(): return []", "") + "def act")
    for word, part in (("ACT", act), ("FIRST", "act()"), ("SECOND", "act()")):
        source = source.replace(word, part.replace("\n", "\n    "))
    return source


def of_object(told: Told) -> list[tuple[object, ...]]:
    """Its findings, whatever the source calls the object: self or store."""
    return [(*rest, "store." + str(label).partition(".")[2]) for *rest, label in told.findings]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {f"stale: {name}": with_store(first, second) for name, (first, second, _) in STALE.items()}
    programs |= {f"failed: {name}": with_store(first, second) for name, (first, second, _) in FAILED.items()}
    programs |= {f"silent: {name}": with_store(*each) for name, each in SILENT.items()}
    return all_told_of(programs, tmp_path_factory.mktemp("happened"))


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: one_after_the_other(act) for name, (act, _) in POSSIBLE.items()}
    programs |= {f"gil: {name}": one_after_the_other(act) for name, (act, _) in GIL_ONLY.items()}
    programs |= {f"none: {name}": one_after_the_other(act) for name, act in NONE.items()}
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("unguarded"))


@pytest.mark.parametrize("name", STALE)
def test_a_check_that_was_true_no_longer(name: str, told: dict[str, Told]) -> None:
    assert of_object(told[f"stale: {name}"].of("stale check")) == [("happened", "proven", STALE[name][2])]


@pytest.mark.parametrize("name", FAILED)
def test_an_access_that_failed(name: str, told: dict[str, Told]) -> None:
    assert of_object(told[f"failed: {name}"].of("failed access")) == [("happened", "proven", FAILED[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    silent = told[f"silent: {name}"]
    assert silent.of("stale check").findings == silent.of("failed access").findings == []


@pytest.mark.parametrize("name", WAITED_FOR)
def test_who_waits_for_a_change_knows_of_it(name: str, scripts: Scripts) -> None:
    scripts.write("script.py", f"import threading{STORE}{WAITED_FOR[name]}\n")
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT * FROM findings") == []
    assert scripts.query("SELECT writes FROM locations WHERE label LIKE '%.d[''k'']'") == [(2,)]


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_happen(name: str, unguarded: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in of_object(unguarded[name])}
    assert found == {("possible", POSSIBLE[name][1])}


@pytest.mark.parametrize("name", GIL_ONLY)
def test_what_only_the_gil_prevents(name: str, unguarded: dict[str, Told]) -> None:
    found = {(severity, label) for severity, _, label in of_object(unguarded[f"gil: {name}"])}
    assert found == {("possible" if FREE_THREADED else "gil-only", GIL_ONLY[name][1])}


@pytest.mark.parametrize("name", NONE)
def test_what_cannot(name: str, unguarded: dict[str, Told]) -> None:
    assert unguarded[f"none: {name}"].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", one_after_the_other(POSSIBLE["both locked by themselves"][0]))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "Hold one lock around both, from before the check until it is acted on" in told
