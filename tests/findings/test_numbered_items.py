"""Items that two threads store under one number, as both had counted what there is; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

# The second thread comes in `met`, and does the same; nothing of that is recorded.
PROGRAM = """
box, lock, done, counter, met_once, names = Box(), Lock(), Event(), iter(range(9)), [], []
box.d, box.more, box.kept = {0: "old"}, {}, []
class Item:
    def __init__(self, number, more): self.number, self.more = number, more
def met():
    if not met_once:
        met_once.append(1)
        one.give(); other.wait()
def add(name):
    ADD
def first():
    add("first")
def second():
    one.wait()
    SECOND
    other.give()
run(first, second)
print(len(box.d) + len(box.more))
"""
SAME = 'add("second")'
LEN = "i = len(box.d)\nmet()\nbox.d[i] = name"
FOUND = {
    "how many there are": (LEN, SAME, "box.d[1]"),
    "one more": ("i = len(box.d) + 1\nmet()\nbox.d[i] = name", SAME, "box.d[2]"),
    "one more than a variable": ("i = len(box.d) + 5\nmet()\nbox.d[i] = [name]", SAME, "box.d[6]"),
    "at two places": (LEN, "i = len(box.d)\nbox.d[i] = 'second'", "box.d[1]"),
    "the highest": ("i = max(box.d, default=0) + 1\nmet()\nbox.d[i] = name", SAME, "box.d[1]"),
    "the highest key": ("i = max(box.d.keys()) + 1\nmet()\nbox.d[i] = name", SAME, "box.d[1]"),
    "how many were appended": ("i = len(names)\nmet()\nnames.append(name)\nbox.more[i] = name", SAME, "box.more[0]"),
    "an index that is returned": ("i = len(names)\nmet()\nnames.append(name)\nreturn i", SAME, "names"),
    "an index that is stored": ("i = len(names)\nmet()\nnames.append(name)\nbox.more[name] = i", SAME, "names"),
    "a number of the item": ("i = len(names) + 1\nmet()\nnames.append((i, name))", SAME, "names"),
    "a number given to a class": ("names.append(Item(len(names), met()))", SAME, "names"),
    "a number of an object": ("item = Item(number=len(names), more=met())\nnames.append(item)", SAME, "names"),
    "an attribute of the item": ("item = Box()\nitem.number = len(names)\nmet()\nnames.append(item)", SAME, "names"),
    "counted under a lock": ("with lock: i = len(box.d)\nmet()\nwith lock: box.d[i] = name", SAME, "box.d[1]"),
}
SILENT = {
    "under a lock": ("with lock:\n    i = len(box.d)\n    box.d[i] = name\nmet()", SAME),
    "counted later": ("met()\ni = len(box.d)\nbox.d[i] = name", SAME),
    "asked again": (
        "i = len(box.d)\nmet()\nif i not in box.d: box.d[i] = name\nelse: box.d[i + 1] = name",
        SAME,
    ),
    "looked for a free one": ("i = len(box.d)\nmet()\nwhile i in box.d: i += 1\nbox.d[i] = name", SAME),
    "only if it is free": ("i = len(box.d)\nmet()\nbox.d.setdefault(i, name)", SAME),
    "the same": ("i = len(box.d)\nmet()\nbox.d[i] = 'same'", SAME),
    "by a name": ("i = len(box.d)\nmet()\nbox.d[name] = i", SAME),
    "the number of something else": ("i = len(names)\nmet()\nbox.more[i] = name", SAME),
    "taken from a counter": ("i = next(counter)\nmet()\nbox.more[i] = name", SAME),
    "taken away since": (LEN, f"{SAME}\ndel box.d[1]"),
    "its own": ("i = len(box.d)\nmet()\nbox.d[i] = name\nbox.d[i] = name * 2", "box.d['second'] = 1"),
    "replaced on purpose": (LEN, "box.d[1] = 'second'"),
    "waited for": (
        "i = len(box.d)\none.give()\ndone.wait()\nbox.d[i] = name",
        "box.d[len(box.d)] = 'second'\ndone.set()",
    ),
    "a dictionary of its own": ("d = {}\ni = len(d)\nmet()\nd[i] = name", SAME),
    "appended under a lock": ("with lock:\n    i = len(names)\n    names.append((i, name))\nmet()\nreturn i", SAME),
    "counted again": ("i = len(names)\nmet()\nif len(names) == i: names.append((i, name))\nreturn i", SAME),
    "a number of nothing": ("i = len(names)\nmet()\nnames.append(name)\nprint(i)", SAME),
    "in a text": ("text = f'{len(names)} so far'\nmet()\nnames.append(text)", SAME),
    "in a condition": ("i = len(names)\nmet()\nnames.append((i > 0, name))", SAME),
    "a size": ("i = len(names)\nmet()\nnames.append(bytes(i))\nnames.append([0] * i)", SAME),
    "of another list": ("i = len(names)\nmet()\nbox.kept.append((i, name))", SAME),
    "another one more": ("i = len(names)\nmet()\nnames.append((i, name))", "names.append('second')"),
    "taken out again": ("i = len(names)\nmet()\nnames.append((i, name))\nnames.pop()", SAME),
    "another number": (
        "i = len(names)\nmet()\nnames.append((i, name))",
        "i = len(names) + 1\nnames.append((i, 'second'))",
    ),
    "one of fixed size": ("i = len(box.d) % 2\nmet()\nbox.d[i] = name", SAME),
}


def program(add: str, second: str) -> str:
    return PRELUDE + PROGRAM.replace("ADD", add.replace("\n", "\n    ")).replace(
        "SECOND", second.replace("\n", "\n    ")
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    return told_of(programs, "stale check", folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_one_of_two_items_is_lost(name: str, told: dict[str, Told]) -> None:
    certainty = "inferred" if FOUND[name][2] == "names" else "proven"  # two have one number, and none is replaced
    assert told[f"found: {name}"].findings == [("happened", certainty, FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[f"silent: {name}"].findings == []
