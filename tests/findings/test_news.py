"""What a read tells its thread, of what another thread had done before it wrote there: a read that decides nothing, or
that would have returned the same before, keeps nothing apart. Here by unguarded updates. In no run anything is lost."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of

# The second thread begins as the first is done. It waits by a pipe, which is not recorded.
PROGRAM = """
import os, threading, time
class Box:
    def __init__(self): self.count, self.of_late = 0, 0
    def rate_of(self): return box.rate
    def both(self): return box.rate, box.level
    @property
    def current(self): return box.rate
class Odd(Box):
    @property
    def level(self): return 0
    @level.setter
    def level(self, value):
        if value == 3: slowly()
box, other, odd, jobs, total = Box(), Box(), Odd(), {1: Box()}, 0
box.rate, box.level, box.name, box.done, box.job, box.number, box.none = 1, 1, "a", False, other, 1.5, None
box.shown, box.pair, box.gone = "", (0, 0), 1
lock = threading.Lock()
MOST = 100
reader, writer = os.pipe()
def slowly():
    count = box.count
    time.sleep(0)
    box.count = count + 1
def rate(): return box.rate
def scaled(by): return rate() * by + 1
def is_fast(): return box.rate == 2
def info(value):
    if value == 2: slowly()
def weight(_): return box.rate
def first():
    global total
    FIRST
    os.write(writer, b".")
def second():
    global total
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
CHANGE = "slowly()\nbox.rate = 2"
POSSIBLE = {
    "it is stored elsewhere": (CHANGE, "box.level = box.rate\nslowly()"),
    "it is added to": (CHANGE, "box.level = box.rate * 2 + 1\nslowly()"),
    "the lesser of two": (CHANGE, "box.level = min(box.rate - 1, 5)\nslowly()"),
    "by a variable": (CHANGE, "n = box.rate\nm = n + 1\nbox.level = -m\nslowly()"),
    "a variable that nobody reads": (CHANGE, "n = box.rate\nslowly()"),
    "printed": (CHANGE, "print(box.rate, end='')\nslowly()"),
    "made a text": (CHANGE, "box.shown = f'{box.rate} and ' + str(box.rate) + ' or %d' % box.rate\nslowly()"),
    "a number with places": ("slowly()\nbox.number = 2.5", "box.shown = f'{box.number:.2f}'\nslowly()"),
    "by a getter": (CHANGE, "box.level = rate() + 1\nslowly()"),
    "by a getter of a getter": (CHANGE, "n = scaled(3)\nslowly()"),
    "by a method": (CHANGE, "n = box.rate_of()\nslowly()"),
    "by a property": (CHANGE, "n = box.current\nslowly()"),
    "with another one": (CHANGE, "n, m = box.both()\nbox.level = n + m\nslowly()"),
    "put into a tuple": (CHANGE, "box.pair = box.rate, 1\nslowly()"),
    "stored into a global": (CHANGE, "total = box.rate + 1\nslowly()"),
    "added to another one": (CHANGE, "box.level += box.rate\nslowly()"),
    "a text": ("slowly()\nbox.name = 'b'", "box.shown = box.name + '!'\nslowly()"),
    "an object that is handed to nobody": ("slowly()\nbox.job = Box()", "job = box.job\nslowly()"),
    "what was put back": ("slowly()\nbox.done = True\nbox.done = False", "if not box.done: slowly()"),
    "an object that was put back": (
        "slowly()\nbox.job = None\nbox.job = other",
        "if box.job is not None: box.job.of_late\nslowly()",
    ),
    "a text that is written again": ("slowly()\nbox.name = 'b'\nbox.name = 'a'", "if box.name == 'a': slowly()"),
    "its truth is asked": (CHANGE, "if box.rate: slowly()"),
    "whether it is None": ("box.job = other\nslowly()\nbox.job = Box()", "if box.job is not None: slowly()"),
    "a limit that is far away": (CHANGE, "n = box.rate\nif n > 9: return\nif 7 <= n or not n: return\nslowly()"),
    "a limit that is a constant": (CHANGE, "if rate() >= MOST: return\nslowly()"),
    "one of two that are asked": (CHANGE, "n = box.level and box.rate\nslowly()"),
    "none of them": (CHANGE, "box.level = 5 if box.rate else 6\nslowly()"),
    "a loop that ends": (CHANGE, "while box.rate > 5: pass\nslowly()"),
    "a decision by another one": (CHANGE, "n = box.rate\nif box.level == 1: slowly()"),
}
NONE = {
    "it is compared": (CHANGE, "if box.rate == 2: slowly()"),
    "a variable is compared": (CHANGE, "n = box.rate\nm = n + 1\nif m == 3: slowly()"),
    "its truth is asked": ("slowly()\nbox.rate = 0", "if not box.rate: slowly()"),
    "whether it is None": ("box.job = None\nslowly()\nbox.job = Box()", "if box.job is not None: slowly()"),
    "its limit": (CHANGE, "n = box.rate\nif n < 2: return\nslowly()"),
    "its limit, the other way round": (CHANGE, "if 2 > box.rate: return\nslowly()"),
    "a limit that changes": (CHANGE, "if box.rate > box.level: slowly()"),
    "a limit that is below another one": (CHANGE, "if 0 < box.rate < 2: return\nslowly()"),
    "a limit that is given": (CHANGE, "def go(most):\n    if box.rate < most: return\n    slowly()\ngo(2)"),
    "one of two that are asked": (CHANGE, "if (box.level and box.rate) == 2: slowly()"),
    "which of two": ("slowly()\nbox.rate = 0", "n = 1 if box.rate else 2\nif n == 2: slowly()"),
    "its sign": (CHANGE, "if -box.rate == -2: slowly()"),
    "it is compared, and that is stored": (CHANGE, "is_two = box.rate == 2\nif is_two: slowly()"),
    "what it was stored into is compared": (CHANGE, "box.level = box.rate + 1\nif box.level == 3: slowly()"),
    "a global that it was stored into": (CHANGE, "total = box.rate + 1\nif total == 3: slowly()"),
    "what no other thread has": (CHANGE, "own = Box()\nown.rate = box.rate\nif own.rate == 2: slowly()"),
    "what some other threads have": (
        CHANGE,
        "own = Box()\nfor each in (box, own): each.level = box.rate\nif own.level == 2: slowly()",
    ),
    "a getter": (CHANGE, "if rate() == 2: slowly()"),
    "a getter that compares": (CHANGE, "if is_fast(): slowly()"),
    "a getter of a getter": (CHANGE, "if scaled(3) == 7: slowly()"),
    "a method": (CHANGE, "n = box.rate_of()\nif n == 2: slowly()"),
    "a property": (CHANGE, "if box.current == 2: slowly()"),
    "one of two": (CHANGE, "n, _ = box.both()\nif n == 2: slowly()"),
    "one of a tuple": (CHANGE, "pair = box.rate, 1\nif pair[0] == 2: slowly()"),
    "a tuple that was stored": (CHANGE, "box.pair = box.rate, 1\nif box.pair[0] == 2: slowly()"),
    "a text": (CHANGE, "text = f'{box.rate}'\nif text == '2': slowly()"),
    "how often": (CHANGE, "for _ in range(box.rate - 1): slowly()"),
    "how long": (CHANGE, "time.sleep((2 - box.rate) * 1000)\nslowly()"),
    "a function that is given it": (CHANGE, "info(box.rate)"),
    "a setter that is given it": (CHANGE, "odd.level = box.rate + 1"),
    "what is chosen by it": (CHANGE, "[Box(), box][box.rate - 1].rate\nslowly()"),
    "which is first": (CHANGE, "sorted([1, 2], key=weight)\nslowly()"),
    "it is a key": (CHANGE, "{2: 0}[box.rate]\nslowly()"),
    "it is divided by": (CHANGE, "1 / (box.rate - 1)\nslowly()"),
    "it was None": ("slowly()\nbox.none = 1", "n = box.none + 1\nslowly()"),
    "it was None, with places": ("slowly()\nbox.none = 1", "text = f'{box.none:d}'\nslowly()"),
    "it was not there": ("slowly()\nbox.fresh = 1", "n = box.fresh\nslowly()"),
    "it was gone": ("del box.gone\nslowly()\nbox.gone = 1", "n = box.gone\nslowly()"),
    "it was an object": ("slowly()\nbox.job = 1", "n = box.job + 1\nslowly()"),
    "by a function inside": (CHANGE, "n = box.rate\ndef later():\n    if n == 2: slowly()\nlater()"),
    "an object that was handed on": (
        "job = Box()\njob.count += 1\nbox.job = job",
        "job = box.job\njob.count += 1",
    ),
    "a flag while it works": ("box.done = True\nslowly()\nbox.done = False", "if not box.done: slowly()"),
    "whose turn it is": ("box.rate = 0\nslowly()\nbox.rate = 1", "while box.rate != 1: time.sleep(0)\nslowly()"),
    "an object that was not there while it worked": (
        "box.job = None\nslowly()\nbox.job = other",
        "if box.job is not None: slowly()",
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {f"possible {name}": both for name, both in POSSIBLE.items()}
    programs |= {f"none {name}": both for name, both in NONE.items()}
    texts = {
        name: PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
        for name, (first, second) in programs.items()
    }
    return told_of(texts, "unguarded update", tmp_path_factory.mktemp("news"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_decides_nothing_keeps_nothing_apart(name: str, told: dict[str, Told]) -> None:
    assert ("possible", "box.count") in {(severity, label) for severity, _, label in told[f"possible {name}"].findings}


@pytest.mark.parametrize("name", NONE)
def test_what_may_decide_something_does(name: str, told: dict[str, Told]) -> None:
    assert [label for _, _, label in told[f"none {name}"].findings if str(label).endswith("count")] == []
