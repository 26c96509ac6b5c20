"""Items by an index that was made of the number of items, of which another thread took some; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

# The second thread comes in `met`; nothing of that is recorded.
PROGRAM = """
class Vector:
    def __init__(self, items): self.lock, self.items = Lock(), items
    def size(self):
        with self.lock: return len(self.items)
    def __len__(self): return len(self.items)
    def get(self, index):
        with self.lock: return self.items[index]
    def __getitem__(self, index): return self.items[index]
    def at(self, index): return self.get(index)
    def pop(self):
        with self.lock: return self.items.pop()
vector, items, others, seen = Vector([1, 2]), [1, 2], [1], []
done, met_once = Event(), []
def met():
    if not met_once:
        met_once.append(1)
        one.give(); other.wait()
def first():
    FIRST
def second():
    one.wait()
    SECOND
    other.give()
run(first, second)
"""
POP = "items.pop()"
TAKE = "vector.pop()"
FOUND = {
    "the last one": ("n = len(items)\nmet()\nitems[n - 1]", POP, "items"),
    "the last but one": ("last = len(items) - 2\nmet()\nitems[last]", "items.clear()", "items"),
    "each": ("for i in range(len(items)):\n    met()\n    seen.append(items[i])", POP, "items"),
    "each, by a number": ("n = len(items)\nmet()\nfor i in range(n): seen.append(items[i])", POP, "items"),
    "each, from the last one": (
        "n = len(items)\nmet()\nfor i in reversed(range(n)): seen.append(items[i])",
        POP,
        "items",
    ),
    "in a comprehension": ("[met() or items[i] for i in range(len(items))]", POP, "items"),
    "removed, and one added": ("n = len(items)\nmet()\nitems[n - 1]", "items.clear()\nitems.append(3)", "items"),
    "two methods": ("index = vector.size() - 1\nmet()\nvector.get(index)", TAKE, "self.items"),
    "two methods, one in another": ("index = vector.size() - 1\nmet()\nvector.at(index)", TAKE, "self.items"),
    "operators": ("n = len(vector)\nmet()\nvector[n - 1]", TAKE, "self.items"),
    "by name": ("n = vector.size()\nmet()\nvector.get(index=n - 1)", TAKE, "self.items"),
    "reported": (
        "n = len(items)\nmet()\ntry: items[n - 1]\nexcept IndexError as error: print('error', error)",
        POP,
        "items",
    ),
}
SILENT = {
    "one too many": ("n = len(items)\nmet()\nitems[n]", POP),
    "too high in any case": ("n = len(items)\nmet()\nitems[n + 1]", POP),
    "an index of something else": ("n = len(others) + 3\nlen(items)\nmet()\nitems[n - 1]", POP),
    "ready for it": ("n = len(items)\nmet()\ntry: items[n - 1]\nexcept IndexError: pass", POP),
    "one was added": ("n = len(items)\nmet()\nn += 3\nitems[n - 1]", "items.append(3)"),
    "given another value": ("n = len(items)\nmet()\nn = 9\nitems[n - 1]", POP),
    "counted again": ("n = len(items)\nmet()\nlen(items)\nitems[n - 1]", POP),
    "its own": ("n = len(items)\nmet()\nitems.pop()\nitems[n - 1]", "others.append(3)"),
    "waited for": ("n = len(items)\none.give()\ndone.wait()\nitems[n - 1]", f"{POP}\ndone.set()"),
    "another list": ("n = len(items)\nmet()\nothers[n - 1]", "others.append(5)\nothers.clear()"),
    "too few to begin with": ("n = len(items)\nmet()\nitems[n - 4]", POP),
    "none to begin with": ("items.clear()\nn = len(items)\nmet()\nitems[n - 1]", f"items.append(3)\n{POP}"),
    "nothing was taken": ("n = vector.size() - 1\nmet()\nvector.get(n)", "vector.items.append(3)"),
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
    return told_of(programs, "failed access", folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_an_item_that_another_thread_took(name: str, told: dict[str, Told]) -> None:
    assert told[f"found: {name}"].findings == [("happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[f"silent: {name}"].findings == []
