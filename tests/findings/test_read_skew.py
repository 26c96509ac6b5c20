"""Two values that belong together, and were never there together; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, all_told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

KIND = "read skew"
# The first thread gives the second one its turn at one place; nothing of that is recorded.
PROGRAM = """
class Text:
    def __init__(self):
        self.lock, self.own = Lock(), Lock()
        self.start, self.size, self.version = 0, 5, 0
        self.left, self.right, self.hits = 10, 20, 0
    def put(self, start, size):
        with self.lock:
            self.start = start
            self.size = size
    def move(self, number):
        with self.lock:
            self.left = self.left - number
            self.right = self.right + number
    def count(self, number):
        with self.lock:
            self.hits = self.hits + 1
            self.left = self.left + number
    def get_start(self):
        with self.lock: return self.start
    def get_size(self):
        with self.lock: return self.size
    def get_left(self):
        with self.lock: return self.left
    def get_right(self):
        with self.lock: return self.right
    def get_hits(self):
        with self.lock: return self.hits
    @property
    def begins(self):
        with self.lock: return self.start
    @property
    def width(self):
        met()
        with self.lock: return self.size
text, got, content = Text(), [], "hello world!"
def met():
    if threading.current_thread().name == "first" and not met_once:
        met_once.append(1)
        one.give(); other.wait()
met_once = []
def use(*given): got.append(given)
def first():
    FIRST
def second():
    one.wait()
    SECOND
    other.give()
threads = [Thread(target=first, name="first"), Thread(target=second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
PUT = "text.start = 6\nmet()\ntext.size = 6"
CHANGED = "text.put(6, 6)"
FOUND = {
    "the bounds of a slice": (PUT, "got.append(content[text.start:text.start + text.size])"),
    "a sum": (PUT, "got.append(text.start + text.size)"),
    "arguments": (PUT, "use(text.start, text.size)"),
    "a tuple that is returned": (PUT, "def both(): return text.start, text.size\ngot.append(both())"),
    "read in the other order": (PUT, "use(text.size, text.start)"),
    "two sections": (
        "with text.lock: start = text.start\nmet()\nwith text.lock: size = text.size\nuse(start, size)",
        CHANGED,
    ),
    "two methods": ("start = text.get_start()\nmet()\nuse(start, text.get_size())", CHANGED),
    "two methods, and two variables": (
        "start = text.get_start()\nmet()\nsize = text.get_size()\nuse(content[start:start + size])",
        CHANGED,
    ),
    "two properties": ("use(text.begins + text.width)", CHANGED),
    "a transfer": ("left = text.get_left()\nmet()\ngot.append(left + text.get_right())", "text.move(5)"),
}
LABELS = {"read in the other order": "self.size", "a transfer": "self.left"}
SILENT = {
    "read before": ("met()\ntext.put(6, 6)", "use(text.start, text.size)"),
    "read after": ("text.put(6, 6)\nmet()", "use(text.start, text.size)"),
    "shown": (PUT, "print(text.start, text.size)"),
    "compared": (PUT, "if text.start + text.size > 5: got.append(1)"),
    "not used together": (PUT, "use(text.start)\nuse(text.size)"),
    "as good as before": ("text.start = 6\nmet()\ntext.size = 5", "use(text.start, text.size)"),
    "written one without the other": (
        "text.start = 6\ntext.size = 6\ntext.start = 7\n" + PUT,
        "use(text.start, text.size)",
    ),
    "written under a condition": (
        "text.start = 6\nmet()\nif got == []: text.size = 6",
        "use(text.start, text.size)",
    ),
    "one section": ("with text.lock:\n    start = text.start\n    size = text.size\nmet()\nuse(start, size)", CHANGED),
    "one lock around both": (
        "with text.own:\n    start = text.get_start()\n    one.give()\n    size = text.get_size()\nother.wait()\n"
        "use(start, size)",
        "with text.own: text.put(6, 6)",
    ),
    "nothing in between": ("use(text.get_start(), text.get_size())\nmet()", CHANGED),
    "looked at again": (
        "start = text.get_start()\nmet()\nsize = text.get_size()\nif text.get_start() != start: return\n"
        "use(start, size)",
        CHANGED,
    ),
    "a version": (
        "def write(start, size):\n    text.version = text.version + 1\n    text.start = start\n    met()\n"
        "    text.size = size\n    text.version = text.version + 1\nwrite(6, 6)",
        "before = text.version\nfound = use(text.start, text.size)\nif before == text.version: got.append(found)",
    ),
    "a flag": (
        "text.start, text.size = 0, False\ndef done(start):\n    text.start = start\n    met()\n    text.size = True\n"
        "done(6)",
        "use(text.start, text.size)",
    ),
    "statistics": ("hits = text.get_hits()\nmet()\nuse(text.get_left() / hits if hits else 0)", "text.count(5)"),
    "statistics that are added up": ("hits = text.get_hits()\nmet()\nuse(hits + text.get_left())", "text.count(5)"),
    "another object": (PUT, "own = Text()\nuse(text.start, own.size)"),
    "two writers at once": (PUT, "use(text.start, text.size)\ntext.put(1, 1)"),
    "by its own": (PUT + "\nuse(text.start, text.size)", "pass"),
    "waited for": (
        "text.start = 6\none.give()\ndone.wait()\ntext.size = 6\nother.wait()",
        "use(text.start, text.size)\ndone.set()",
    ),
}


def program(first: str, second: str) -> str:
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
    return PRELUDE + text.replace("def use", "done = Event()\ndef use")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(*both) for name, both in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    return all_told_of(programs, folder, "--exclude", "signals")


def of_kind(told: Told) -> list[tuple[object, ...]]:
    return [finding for finding in told.findings if finding[0] == KIND]


@pytest.mark.parametrize("name", FOUND)
def test_what_was_never_there_together(name: str, told: dict[str, Told]) -> None:
    label = LABELS.get(name, "self.start")
    assert of_kind(told[f"found: {name}"]) == [(KIND, "happened", "inferred", label)]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert of_kind(told[f"silent: {name}"]) == []
