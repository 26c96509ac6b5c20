"""Keys that a loop searches until one is free, and that two threads take."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The second thread does the same, while the first one is between look and act, or once it is done. They wait by pipes,
# which are not recorded.
PROGRAM = """
import itertools, os, threading
class Table(dict):
    @property
    def free(self):
        for number in range(1, len(self) + 2):
            if f"key{number}" not in self: return f"key{number}"
    def name(self, wanted):
        name, number = wanted, 0
        while name in self:
            number += 1
            name = f"{wanted}{number}"
        return name
    def put(self, name, item): self[name] = item
table, names, lock, kept = Table(), set(), threading.Lock(), {"a": 1, "b": 2}
reader, writer = os.pipe()
begun, begins = os.pipe()
def met():
    if threading.current_thread().name == "first": MET
def act(who):
    ACT
def first():
    act("first")
    DONE
def second():
    os.read(reader, 1)
    act("second")
    os.write(begins, b".")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
GIVE, WAIT = 'os.write(writer, b".")', "os.read(begun, 1)"
FOUND = {
    "in one function": ("n = 0\nwhile n in table:\n    n += 1\nmet()\ntable[n] = who", "table[0]"),
    "by a method": ("name = table.name('a')\nmet()\ntable[name] = who", "table['a']"),
    "by a property, and given to a method": ("name = table.free\nmet()\ntable.put(name, who)", "self['key1']"),
    "by a counter": (
        "for n in itertools.count():\n    if n not in table: break\nmet()\ntable[n] = who",
        "table[0]",
    ),
    "of two tables": (
        "n = 0\nwhile n in kept or n in table:\n    n += 1\nmet()\ntable[n] = who",
        "table[0]",
    ),
    "a name in a set": ("n = 0\nwhile n in names:\n    n += 1\nmet()\nnames.add(n)", "names[0]"),
}
SILENT = {
    "under a lock": "with lock:\n    n = 0\n    while n in table:\n        n += 1\n    table[n] = who\nmet()",
    "if it is still free": "n = 0\nwhile n in table:\n    n += 1\nmet()\ntable.setdefault(n, who)",
    "looked for again": "n = 0\nwhile n in table:\n    n += 1\nmet()\nif n not in table: table[n] = who",
    "one that is missing": "for n in ('a', 'b'):\n    if n not in table: break\nmet()\ntable[n] = 12",
    "each its own": "n = who\nwhile n in table:\n    n += who\nmet()\ntable[n] = who",
    "never stored": "n = 0\nwhile n in table:\n    n += 1\nmet()\ntable['last'] = 12",
    "of another table": "n = 0\nwhile n in kept:\n    n += 1\nmet()\ntable[who, n] = who",
}


def program(act: str, *, between: bool) -> str:
    text = PROGRAM.replace("ACT", act.replace("\n", "\n    "))
    if between:
        return text.replace("MET", f"{GIVE}; {WAIT}").replace("DONE", "pass")
    return text.replace("MET", "pass").replace("DONE", GIVE)


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(act, between=True) for name, (act, _) in FOUND.items()}
    programs |= {name: program(act, between=True) for name, act in SILENT.items() if name != "under a lock"}
    return told_of(programs, "stale check", tmp_path_factory.mktemp("happened"))


@pytest.fixture(scope="module")
def possible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(act, between=False) for name, (act, _) in FOUND.items()}
    programs |= {name: program(act, between=False) for name, act in SILENT.items()}
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("possible"))


@pytest.mark.parametrize("name", FOUND)
def test_two_took_one_key(happened: dict[str, Told], name: str) -> None:
    assert happened[name].findings == [("happened", "proven", FOUND[name][1])]


@pytest.mark.parametrize("name", FOUND)
def test_two_could_take_one_key(possible: dict[str, Told], name: str) -> None:
    assert possible[name].findings == [("possible", "proven", FOUND[name][1])]


@pytest.mark.parametrize("name", [name for name in SILENT if name != "under a lock"])
def test_nothing_happened(happened: dict[str, Told], name: str) -> None:
    assert happened[name].findings == []


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_possible(possible: dict[str, Told], name: str) -> None:
    assert possible[name].findings == []


def test_that_nothing_of_a_set_is_replaced_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", program(FOUND["a name in a set"][0], between=True))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "So both did what only one of them was to do." in told
    assert "replaced" not in told
