"""Values that a thread read twice for one purpose, and that another thread changed in between; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread reads, the second changes, the first reads. The first one meets the second in `meet`, and only there.
PROGRAM = """
import threading, time
class Box: pass
class Shape:
    side = 2
    @property
    def met(self):  # read for the second time, it meets
        if asked: meet()
        asked.append(1)
        return self
    def use(self): self.side = 2
box, shape, cells, lock = Box(), Shape(), [0], threading.Lock()
done, asked, first_is_in, second_is_done = [], [], [], []
box.value, box.mode, box.count, shared = [1], "plain", 1, [1]
def called(*given): pass
box.call = called
def meet():  # no thread waits for another one: it only looks
    if threading.current_thread().name == "first" and not first_is_in:
        first_is_in.append(1)
        while not second_is_done: time.sleep(0)
def use(*given): done.append(given)
def first():
    global shared
    FIRST
def second():
    global shared
    while not first_is_in: time.sleep(0)
    SECOND
    second_is_done.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
FOUND = {
    "is not None": ("if box.value is not None:\n    meet()\n    use(box.value)", "box.value = None", "box.value"),
    "is None, and an early end": (
        "if box.value is None: return\nmeet()\nuse(box.value)",
        "box.value = None",
        "box.value",
    ),
    "an assertion": ("assert box.value is not None\nmeet()\nuse(box.value)", "box.value = None", "box.value"),
    "a truth test": ("if box.mode:\n    meet()\n    use(box.mode)", "box.mode = ''", "box.mode"),
    "a mode": ('if box.mode == "plain":\n    meet()\n    use(box.mode)', 'box.mode = "bold"', "box.mode"),
    "its attribute": (
        "try:\n    if box.value is not None:\n        meet()\n        use(box.value.name)\nexcept AttributeError: pass",
        "box.value = None",
        "box.value",
    ),
    "a conditional expression": (
        "use((meet(), box.value) if box.value is not None else 1)",
        "box.value = None",
        "box.value",
    ),
    "called": (
        "try:\n    if box.call is not None:\n        meet()\n        box.call(1)\nexcept TypeError: pass",
        "box.call = None",
        "box.call",
    ),
    "called, after a truth test, of a global": (
        "shared = box\ntry:\n    if shared.call:\n        meet()\n        shared.call()\nexcept TypeError: pass",
        "box.call = None",
        "box.call",
    ),
    "a global": ("if shared is not None:\n    meet()\n    use(shared)", "shared = None", "global shared"),
    "an item": (
        "cells[0] = [1]\nif cells[0] is not None:\n    meet()\n    use(cells[0])",
        "cells[0] = None",
        "cells[0]",
    ),
    "in a loop": (
        "for _ in range(2):\n    if box.value is not None:\n        meet()\n        use(box.value)",
        "box.value = None",
        "box.value",
    ),
    "a product": ("use(shape.met.side * shape.met.side)", "shape.side = 3", "shape.side"),
    "two arguments": ("use(shape.met.side, shape.met.side)", "shape.side = 3", "shape.side"),
}
SILENT = {
    "not changed": ("if box.value is not None:\n    meet()\n    use(box.value)", "box.value = [2]"),
    "read once": ("value = box.value\nif value is not None:\n    meet()\n    use(value)", "box.value = None"),
    "read once, and called": ("call = box.call\nif call is not None:\n    meet()\n    call()", "box.call = None"),
    "another one is called": ("if box.call is not None:\n    meet()\n    box.call()", "box.call = use"),
    "a method, and another attribute": ("if box.value is not None:\n    meet()\n    shape.use()", "box.value = None"),
    "looked at again": (
        "if box.value is not None:\n    meet()\n    if box.value is not None: use(box.value)",
        "box.value = None",
    ),
    "shown": ('if box.mode == "plain":\n    meet()\n    print(box.mode)', 'box.mode = "bold"'),
    "polled": ("while box.value is not None: meet()\nuse(box.value)", "box.value = None"),
    "polled, and used": ("while box.value is not None:\n    meet()\n    use(box.value)", "box.value = None"),
    "waited for": ("box.value = None\nif box.value is None:\n    meet()\n    use(box.value)", "box.value = [1]"),
    "read in a loop": (
        "if box.value is not None:\n    meet()\n    for _ in range(2): use(box.value)",
        "box.value = None",
    ),
    "its own": ("if box.value is not None:\n    meet()\n    box.value = None\n    use(box.value)", "box.value = [3]"),
    "a counter": ("if box.count == 1:\n    meet()\n    use(box.count)", "box.count += 1"),
    "a double check": (
        "if box.value is not None:\n    meet()\n    with lock: use(box.value)",
        "with lock: box.value = None",
    ),
    "a rate": ("before = box.count\nmeet()\nuse(box.count - before)", "box.count = 5"),
    "two readings": ("before = box.mode\nmeet()\nuse(before, box.mode)", 'box.mode = "bold"'),
    "what came in between": ("use(box.mode, meet(), box.mode)", 'box.mode = "bold"'),
    "two turns of a loop": (
        "for turn in range(2):\n    use(box.mode, box.mode)\n    if not turn: meet()",
        'box.mode = "bold"',
    ),
    "another object": (
        "other = Box()\nother.value = 1\nif other.value is not None:\n    meet()\n    use(box.value)",
        "box.value = None",
    ),
    "another cell": (
        "cells[:] = [[1], None]\nif cells[0] is not None:\n    meet()\n    use(cells[0])",
        "cells.pop(0); cells[0] = None",
    ),
    "a comparison of both": ("use(shape.met.side * shape.met.side > 4)", "shape.side = 3"),
    "a product that is shown": ("print(shape.met.side * shape.met.side)", "shape.side = 3"),
}
# Numbers: what both threads call.
TAKEN = {
    "a number": "n = box.count\nmeet()\nbox.count += 1\nreturn n",
    "a name": 'name = f"job-{box.count}"\nmeet()\nbox.count = box.count + 1\nreturn name',
    "through a call": "n = str(box.count)\nnames = [n, n]\nmeet()\nbox.count -= 1\nreturn '.'.join(names)",
    "an attribute": "shape.number = box.count\nmeet()\nbox.count += 1",
    "a key": "numbers = {}\nnumbers[box.count] = 1\nmeet()\nbox.count += 1\nuse(numbers)",
    "counted on under a lock": "n = box.count\nmeet()\nwith lock: box.count += 1\nreturn n",
}
NOT_TAKEN = {
    "shown": "print(box.count)\nmeet()\nbox.count += 1",
    "compared": "n = box.count\nmeet()\nbox.count += 1\nreturn n > 3",
    "not used": "n = box.count\nmeet()\nbox.count += 1",
    "sent, as a gauge": "use(box.count)\nmeet()\nbox.count += 1",
    "read once": "n = box.count\nmeet()\nbox.count = n + 1\nreturn n",
    "counted first": "box.count += 1\nmeet()\nreturn box.count",
    "under one lock": "meet()\nwith lock:\n    n = box.count\n    box.count += 1\n    return n",
    "compared and set": (
        "n = box.count\nmeet()\nwith lock:\n    if box.count != n: return None\n    box.count += 1\nreturn n"
    ),
    "made of something else": "n = box.count\nmeet()\nbox.count = len(done)\nreturn n",
    "by its own": 'if threading.current_thread().name == "second": return use(box.count)\n'
    "n = box.count\nmeet()\nbox.count += 1\nreturn n",
}
WAITED_FOR = {
    "a thread": """
def other(): box.value = None
def job():
    if box.value is not None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        done.append(box.value)
job()
""",
    "an event": """
asked, given = threading.Event(), threading.Event()
def other():
    asked.wait()
    box.value = None
    given.set()
thread = threading.Thread(target=other)
thread.start()
def job():
    if box.value is not None:
        asked.set()
        given.wait()
        done.append(box.value)
job()
thread.join()
""",
}

# The reader starts the other thread in between, and looks until that has changed the value.
STARTED = """
import threading, time
class Box: value = 1
box, done, changed = Box(), [], []
def other():
    box.value = 2
    changed.append(1)
class Starter:
    @property
    def none(self):
        threading.Thread(target=other).start()
        while not changed: time.sleep(0)
        return 0
starter = Starter()
done.append(box.value * 10 + starter.none + box.value)
"""


def test_it_is_no_unguarded_check_as_well(scripts: Scripts) -> None:
    first, second, _ = FOUND["called"]
    scripts.write("script.py", program(first, second))
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT DISTINCT kind FROM findings") == [("unrepeatable read",)]


def program(first: str, second: str) -> str:
    return PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second)


def by_both(take: str, second: str = "use(take())") -> str:
    lines = take.replace("\n", "\n    ")
    return program("use(take())", second).replace("def first", f"def take():\n    {lines}\ndef first")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {name: program(*each) for name, each in SILENT.items()}
    programs |= {f"number: {name}": by_both(take) for name, take in {**TAKEN, **NOT_TAKEN}.items()}
    programs["number: set otherwise"] = by_both(TAKEN["a number"], "box.count = 7")
    return told_of(programs, "unrepeatable read", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", TAKEN)
def test_a_number_that_two_threads_took(name: str, told: dict[str, Told]) -> None:
    assert told[f"number: {name}"].findings == [("happened", "proven", "box.count")]


@pytest.mark.parametrize("name", [*NOT_TAKEN, "set otherwise"])
def test_a_number_that_only_one_thread_took(name: str, told: dict[str, Told]) -> None:
    assert told[f"number: {name}"].findings == []


@pytest.mark.parametrize("name", FOUND)
def test_a_value_that_was_read_twice(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", WAITED_FOR)
def test_who_waits_for_a_change_knows_of_it(name: str, scripts: Scripts) -> None:
    scripts.write("script.py", f"import threading\nclass Box: value = 1\nbox, done = Box(), []\n{WAITED_FOR[name]}")
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT * FROM findings") == []
    assert scripts.query("SELECT writes FROM locations WHERE label = 'box.value'") == [(1,)]


def test_who_only_starts_the_other_thread_has_not_waited(scripts: Scripts) -> None:
    scripts.write("script.py", STARTED)
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("unrepeatable read", "happened")]


def test_it_is_told(scripts: Scripts) -> None:
    source = program(*FOUND["a mode"][:2])
    scripts.write("script.py", source)
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 unrepeatable read of box.mode." in told
    lines = [line.strip() for line in source.splitlines()]
    check, change = (lines.index(line) + 1 for line in ('if box.mode == "plain":', 'box.mode = "bold"'))
    assert f"first read 'plain' from box.mode (line {check}), then second wrote 'bold' (line {change}), and" in told
