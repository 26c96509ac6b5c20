"""Containers of the standard library that are written in Python, as threads disagree about them; and what is none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.findings.forms import Told, all_told_of
from tests.recording import Recording
from tests.truth.published_shapes import PRELUDE, SIGNALS

# The second thread comes in `met`; nothing of that is recorded.
PROGRAM = """
import weakref
from collections import Counter, UserDict, UserList
from collections.abc import Mapping, MutableMapping
from functools import cached_property
class Value:
    def __init__(self): self.seen = 0
class Store(UserDict): pass
class Own(MutableMapping):
    def __init__(self): self.items_of = {}
    def __getitem__(self, key): return self.items_of[key]
    def __setitem__(self, key, value): self.items_of[key] = value
    def __delitem__(self, key): del self.items_of[key]
    def __iter__(self): return iter(self.items_of)
    def __len__(self): return len(self.items_of)
class Refusing:
    def __init__(self): self.items_of = {}
    def __getitem__(self, key):
        if key not in self.items_of: raise KeyError(key)
        return self.items_of[key]
    def get(self, key):
        if self.has(key): return self[key]
        return None
    def has(self, key): return key in self.items_of
    def __setitem__(self, key, value): self.items_of[key] = value
class Stack:
    def __init__(self): self.kept = [1]
    def is_empty(self): return not self.kept
    def pop(self): return self.kept.pop()
class Lazy:
    name = "lazy"
    @cached_property
    def value(self):
        met()
        return Value()
    @cached_property
    def number(self):
        met()
        return len(self.name)
d, own, refusing = Store(), Own(), Refusing()
names, weak, lazy, counter = UserList(), None, Lazy(), Counter(a=1)
stack, lock, done, errors, once, kept = Stack(), Lock(), Event(), [], iter([1]), []
def met():
    if next(once, None):
        one.give(); other.wait()
    return Value()
def first():
    try: work()
    except Exception as error: errors.append(error)
def work():
    FIRST
def second():
    one.wait()
    SECOND
    other.give()
run(first, second)
print(len(errors))
"""
IN = "if 'a' not in d: d['a'] = met()"
MADE = "kept.append(Value())\nSTORE['a'] = kept[0]"
WEAK = "global weak\nweak = weakref.WeakValueDictionary()\n"
MORE = "d['b'] = 1\nd['c'] = 1\nfor each in d.VIEW(): met()"
STALE, FAILED, ITERATED, LOST = "stale check", "failed access", "changed while iterated", "lost update"
FOUND = {
    "looked for": (IN, "if 'a' not in d: d['a'] = Value()", STALE, "d['a']"),
    "tried": ("try: d['a']\nexcept KeyError: d['a'] = met()", MADE, STALE, "d['a']"),
    "got": ("if d.get('a') is None: d['a'] = met()", MADE, STALE, "d['a']"),
    "got of a mapping": ("if own.get('a') is None: own['a'] = met()", MADE, STALE, "self.items_of['a']"),
    "refused": ("try: refusing['a']\nexcept KeyError: refusing['a'] = met()", MADE, STALE, "self.items_of['a']"),
    "refused, and got": ("if refusing.get('a') is None: refusing['a'] = met()", MADE, STALE, "self.items_of['a']"),
    "got weakly": (WEAK + "if weak.get('a') is None: weak['a'] = x = met()", MADE, STALE, "weak['a']"),
    "tried weakly": (WEAK + "try: weak['a']\nexcept KeyError: weak['a'] = x = met()", MADE, STALE, "weak['a']"),
    "cached": ("kept.append(lazy.value)", "kept.append(lazy.value)", STALE, "lazy.value"),
    "a name taken twice": ("if 1 not in names:\n    met()\n    names.append(1)", "names.append(1)", STALE, "names"),
    "taken away": ("d['a'] = 1\nif 'a' in d:\n    met()\n    d['a'] += 1", "del d['a']", FAILED, "d['a']"),
    "popped by two": ("d['a'] = 1\nmet()\nd.pop('a')", "d.pop('a')", FAILED, "d['a']"),
    "popped of a mapping by two": ("own['a'] = 1\nmet()\nown.pop('a')", "own.pop('a')", FAILED, "self.items_of['a']"),
    "none left": ("names.append(1)\nif names:\n    met()\n    names.pop()", "names.pop()", FAILED, "names"),
    "none left of an own one": (
        "if not stack.is_empty():\n    met()\n    stack.pop()",
        "stack.pop()",
        FAILED,
        "self.kept",
    ),
    "gone over by items": (MORE.replace("VIEW", "items"), "d['z'] = 1", ITERATED, "d"),
    "gone over by values": (MORE.replace("VIEW", "values"), "d['z'] = 1", ITERATED, "d"),
    "gone over, a mapping": (
        MORE.replace("VIEW", "items").replace("d[", "own[").replace("d.", "own."),
        "own['z'] = 1",
        ITERATED,
        "own",
    ),
    "counted": ("d['n'] = 0\nn = d['n']\nmet()\nd['n'] = n + 1", "d['n'] += 1", LOST, "d['n']"),
}
SILENT = {
    "locked": (
        "with lock:\n    if 'a' not in d: d['a'] = Value()\nmet()",
        "with lock:\n    if 'a' not in d: d['a'] = Value()",
    ),
    "other keys": (IN, "if 'b' not in d: d['b'] = Value()"),
    "ready for it": ("d['a'] = 1\nmet()\ntry: d.pop('a')\nexcept KeyError: return", "d.pop('a')"),
    "with a default": ("d['a'] = 1\nmet()\nd.pop('a', None)", "d.pop('a', None)"),
    "with a default, in a loop that reports": (
        "d['a'] = 1\nmet()\ntry: d.pop('a', None)\nexcept KeyError as error: errors.append(error)",
        "d.pop('a', None)",
    ),
    "not there for either": ("try: d['a']\nexcept KeyError: met()", "try: d['a']\nexcept KeyError: d['b'] = 1"),
    "waited for": ("one.give(); done.wait()\nif 'a' not in d: d['a'] = Value()", "d['a'] = Value()\ndone.set()"),
    "the same value": ("lazy.number", "lazy.number"),
    "the same value, kept": ("kept.append(lazy.number)", "kept.append(lazy.number)"),
    "gone over before": (MORE.replace("VIEW", "items").replace("met()", "pass") + "\nmet()", "d['z'] = 1"),
    "kept by another": (WEAK + "weak['a'] = x = Value()\nmet()\nweak['a'].seen", "weak.get('a')"),
}
# Up to 3.11 a cached property has a lock, in which the second thread would wait for the first.
CACHED = ("cached", "the same value", "the same value, kept") if sys.version_info < (3, 12) else ()
FOUND = {name: each for name, each in FOUND.items() if name not in CACHED}
SILENT = {name: each for name, each in SILENT.items() if name not in CACHED}


def program(first: str, second: str) -> str:
    store = next((name for name in ("own", "refusing", "weak") if name in first), "d")
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    "))
    return PRELUDE + text.replace("SECOND", second.replace("STORE", store).replace("\n", "\n    "))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, *_) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    return all_told_of(programs, folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_what_went_wrong(name: str, told: dict[str, Told]) -> None:
    *_, kind, label = FOUND[name]
    happened = [each for each in told[f"found: {name}"].findings if each[1] == "happened"]
    certainty = "inferred" if kind == LOST else "proven"
    assert happened == [(kind, "happened", certainty, label)]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert [each for each in told[f"silent: {name}"].findings if each[1] == "happened"] == []


def test_what_is_made_if_it_is_missing_did_not_fail(record: Callable[..., Recording], tmp_path: Path) -> None:
    (tmp_path / "signals.py").write_text(SIGNALS)
    text = program("d['a'] = 1\nmet()\nkept.append(d['a'])", "del d['a']")
    missing = "class Store(UserDict):\n    def __missing__(self, key): return 0\n"
    script = tmp_path / "script.py"
    script.write_text(text.replace("class Store(UserDict): pass\n", missing))
    recording = record("-q", "--exclude", "signals", script)
    assert recording.stdout == "0\n"
    assert recording.query("SELECT raised FROM accesses WHERE raised IS NOT NULL") == []
    assert recording.query("SELECT kind FROM findings WHERE severity = 'happened'") == []
