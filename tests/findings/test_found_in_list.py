"""Items and indexes that were found in a list, as another thread takes items out of it; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

# The second thread comes in `met`; nothing of that is recorded.
PROGRAM = """
from bisect import bisect_left
from contextlib import suppress
items, others, waiting = [1, 2], [5], collections.deque([1, 2])
ordered, lock, done, errors, met_once = collections.OrderedDict(a=1), Lock(), Event(), [], []
box = Box()
box.items, box.pairs = [1, 2], {"a": 1, "b": 2}
def met():
    if not met_once:
        met_once.append(1)
        one.give(); other.wait()
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
REMOVE, POP, DELETE, CLEAR = "items.remove(2)", "items.pop()", "del items[1]", "items.clear()"
EACH = "for x in COPY:\n    met()\n    items.remove(x)"
FOUND = {
    "each of a copy": (EACH.replace("COPY", "list(items)"), REMOVE, "items"),
    "each of a slice": (EACH.replace("COPY", "items[:]"), REMOVE, "items"),
    "each of a copy by its method": (EACH.replace("COPY", "items.copy()"), REMOVE, "items"),
    "each of some": (EACH.replace("COPY", "[y for y in items if y > 1]"), REMOVE, "items"),
    "each in order": (EACH.replace("COPY", "sorted(items)"), REMOVE, "items"),
    "each of what was listed": ("old = [y for y in items if y]\n" + EACH.replace("COPY", "old"), REMOVE, "items"),
    "each of a deque": ("for x in list(waiting):\n    met()\n    waiting.remove(x)", "waiting.remove(2)", "waiting"),
    "each of an attribute": (
        "for x in box.items[:]:\n    met()\n    box.items.remove(x)",
        "box.items.pop()",
        "box.items",
    ),
    "each of a copied dictionary": (
        "for k, v in dict(box.pairs).items():\n    met()\n    box.pairs.pop(k)",
        "del box.pairs['b']",
        "box.pairs['b']",
    ),
    "the first": ("x = items[0]\nmet()\nitems.remove(x)", "items.pop(0)", "items"),
    "the highest": ("x = max(box.items)\nmet()\nbox.items.remove(x)", "box.items.pop()", "box.items"),
    "by a condition": ("x = next(y for y in items if y > 1)\nmet()\nitems.remove(x)", DELETE, "items"),
    "by a condition, or none": (
        "x = next((y for y in items if y > 1), None)\nmet()\nif x is not None: items.remove(x)",
        CLEAR,
        "items",
    ),
    "its number by a condition": (
        "i = next(i for i, y in enumerate(box.items) if y > 1)\nmet()\nbox.items.pop(i)",
        "box.items.clear()",
        "box.items",
    ),
    "by a loop": (
        "for x in items:\n    if x == 2:\n        met()\n        items.remove(x)\n        break",
        REMOVE,
        "items",
    ),
    "after a loop": ("for x in items:\n    if x == 2: break\nmet()\nitems.remove(x)", REMOVE, "items"),
    "by its index": ("i = items.index(2)\nmet()\ndel items[i]", DELETE, "items"),
    "popped by its index": ("i = items.index(2)\nmet()\nitems.pop(i)", CLEAR, "items"),
    "numbered": (
        "for i, x in enumerate(box.items):\n    if x == 2:\n        met()\n        del box.items[i]\n        break",
        "box.items.pop()",
        "box.items",
    ),
    "numbered, and stored": (
        "for i, x in enumerate(box.items):\n    met()\n    box.items[i] = x + 1",
        "del box.items[:]",
        "box.items",
    ),
    "as long as there are more": (
        "i = 0\nwhile i < len(items):\n    x = items[i]\n    met()\n    if x: del items[i]\n    else: i += 1",
        CLEAR,
        "items",
    ),
    "if there is one": ("i = bisect_left(items, 2)\nif i < len(items):\n    met()\n    del items[i]", DELETE, "items"),
    "the first, if any": ("if items:\n    met()\n    x = items[0]", "items[:] = []", "items"),
    "as long as there are any": (
        "while ordered:\n    met()\n    ordered.popitem(last=False)",
        "ordered.popitem()",
        "ordered",
    ),
    "under another lock": (
        "with lock: x = items[0]\nmet()\nwith lock: items.remove(x)",
        "with lock: items.pop(0)",
        "items",
    ),
    "reported": (
        "x = items[0]\nmet()\ntry: items.remove(x)\nexcept ValueError as error: print('error', error)",
        "items.pop(0)",
        "items",
    ),
}
SILENT = {
    "asked again": ("for x in list(items):\n    met()\n    if x in items: items.remove(x)", REMOVE),
    "ready for it": ("for x in list(items):\n    met()\n    try: items.remove(x)\n    except ValueError: pass", REMOVE),
    "ready for it, and counted": (
        "for x in list(items):\n    met()\n    try: items.remove(x)\n    except ValueError: others.append(x)",
        REMOVE,
    ),
    "ready for any look-up": (
        "i = items.index(2)\nmet()\ntry: del items[i]\nexcept LookupError: others.append(i)",
        DELETE,
    ),
    "suppressed": ("x = items[0]\nmet()\nwith suppress(ValueError): items.remove(x)", CLEAR),
    "tried again": (
        "while True:\n    x = items[0]\n    met()\n    try: return items.remove(x)\n    except ValueError: pass",
        "items.pop(0)",
    ),
    "a caller is ready": (
        "def take():\n    x = items[0]\n    met()\n    items.remove(x)\ntry: take()\nexcept ValueError: return",
        CLEAR,
    ),
    "another one was taken": ("for x in list(items):\n    met()\n    if x == 1: items.remove(x)", REMOVE),
    "waited for": ("x = items[0]\none.give()\ndone.wait()\nitems.remove(x)", f"{CLEAR}\ndone.set()"),
    "its own doing": ("x = items[0]\nmet()\nitems.remove(x)\nitems.remove(x)", "others.pop()"),
    "its own doing, and another's": ("x = items[0]\nmet()\nitems.remove(x)\nitems.remove(x)", "items.pop()"),
    "its own doing, in a loop": (
        "x = items[0]\nmet()\nfor _ in range(2): items.remove(x)",
        "items.pop()",
    ),
    "twice over one copy": (
        "copy = list(items)\nfor _ in range(2):\n    for x in copy:\n        items.remove(x)\n        met()",
        "others.pop()\nitems.append(9)\nitems.pop()",
    ),
    "put into the copy": (
        "copy = list(items)\ncopy.append(7)\nmet()\nfor x in copy:\n    items.remove(x)",
        "items.append(9)\nitems.pop()",
    ),
    "by another function": (
        "def drop(x): items.remove(x)\nfor x in list(items):\n    drop(x)\n    met()\n    items.remove(x)",
        "items.append(9)\nitems.pop()",
    ),
    "its own store": ("x = max(box.items)\nbox.items[1] = 7\nmet()\nbox.items.remove(x)", "box.items.pop(0)"),
    "another list": ("x = others[0]\nmet()\nitems.remove(x)", POP),
    "another list of the name": ("x = box.items[0]\nmet()\nbox.items = [8]\nbox.items.remove(x)", "box.items.pop()"),
    "given another value": ("x = items[0]\nmet()\nx = 9\nitems.remove(x)", POP),
    "none was found": ("x = next((y for y in items if y > 9), None)\nmet()\nitems.remove(x)", POP),
    "too high an index": ("i = items.index(2)\nmet()\ni += 5\ndel items[i]", "items.pop(0)"),
    "too low an index": ("i = -5\nif i < len(items):\n    met()\n    del items[i]", DELETE),
    "an index that is moved": ("i = 0\nif i < len(items):\n    met()\n    i += 5\n    del items[i]", DELETE),
    "numbered in a copy": (
        "for i, x in enumerate(list(box.items)):\n    met()\n    del box.items[i]",
        "box.items.append(9)\nbox.items.pop()",
    ),
    "only more": ("x = items[0]\nmet()\nitems.remove(x)", "items.append(3)\nitems.sort()"),
    "nothing failed": ("x = items[0]\nmet()\nitems.remove(x)", "items.pop()"),
}


def program(first: str, second: str) -> str:
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
    return PRELUDE + text


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    programs["possible"] = program("x = items[0]\nmet()\nitems.remove(x)", "items.pop(0)\nitems.pop()")
    return told_of(programs, "failed access", folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_what_another_thread_took(name: str, told: dict[str, Told]) -> None:
    assert told[f"found: {name}"].findings == [("happened", "proven", FOUND[name][2])]


def test_one_of_several_changes(told: dict[str, Told]) -> None:
    assert told["possible"].findings == [("possible", "proven", "items")]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[f"silent: {name}"].findings == []
