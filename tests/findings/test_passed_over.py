"""Waits at a Condition that go on though what they wait for is so: `notify` woke another thread; and those that are
right."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# Two threads wait; the main thread changes something once both do, and waits for them in vain.
PROGRAM = """
import threading
cond = threading.Condition()
class Box: pass
box = Box()
box.ready, box.count, box.state, items = False, 0, "new", []
inside = []  # the main thread only looks there
def work():
    with cond:
        while WHILE:
            inside.append(1)
            cond.wait()
        THEN
threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
for thread in threads: thread.start()
while len(inside) < 2: pass
with cond:
    CHANGE
JOIN
"""
JOIN = "for thread in threads: thread.join(0.2)"
FOUND = {  # what they wait for, what one does then, the change, and the location
    "a flag": ("not box.ready", "pass", "box.ready = True\ncond.notify()", "box.ready"),
    "a count": ("box.count < 1", "pass", "box.count = 1\ncond.notify()", "box.count"),
    "a state": ('box.state == "new"', "pass", 'box.state = "done"\ncond.notify()', "box.state"),
    "two items": ("not items", "items[0]", "items.append(1)\ncond.notify()\nitems.append(2)\ncond.notify(0)", "items"),
}
SILENT = {
    "all": ("not box.ready", "pass", "box.ready = True\ncond.notify_all()"),
    "two of two": ("not box.ready", "pass", "box.ready = True\ncond.notify(2)"),
    "passed on": ("not box.ready", "cond.notify()", "box.ready = True\ncond.notify()"),
    "an item for one": ("not items", "items.pop()", "items.append(1)\ncond.notify()"),
    "taken back": ("not box.ready", "box.ready = False", "box.ready = True\ncond.notify()"),
    "nothing that they wait for": ("not box.ready", "pass", "box.count = 1\ncond.notify()"),
}
ALONE = "nobody waits for them"


def program(test: str, then: str, change: str, join: str = JOIN) -> str:
    change = change.replace("\n", "\n    ")
    return PROGRAM.replace("WHILE", test).replace("THEN", then).replace("CHANGE", change).replace("JOIN", join)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(*parts) for name, (*parts, _) in FOUND.items()}
    programs |= {name: program(*parts) for name, parts in SILENT.items()}
    programs[ALONE] = program(*FOUND["a flag"][:3], "")
    return told_of(programs, "lost notification", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_who_is_never_woken(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", FOUND[name][3])]


@pytest.mark.parametrize("name", [*SILENT, ALONE])
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", program(*FOUND["a flag"][:3]))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 notification was lost." in told
    assert "Then MainThread wrote True (line 18), and notified the Condition cond (line 19), which woke" in told
    assert "though what it waits for is so." in told
