"""Items that a loop looks for in a list, and that are put in if it finds none; and right programs like that."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The second thread has begun before the first does anything, and goes on as that is done. They wait by pipes, which are
# not recorded.
PROGRAM = """
import os, threading, time
class Item:
    def __init__(self, name): self.name, self.count, self.busy = name, 0, False
items, pairs, lock = [], [], threading.Lock()
reader, writer = os.pipe()
begun, begins = os.pipe()
def make(name):
    time.sleep(0)
    return Item(name)
def find(name):
    for each in items:
        if each.name == name: return each
def act(name):
    ACT
def first():
    os.read(begun, 1)
    FIRST
    os.write(writer, b".")
def second():
    os.write(begins, b".")
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
GET = "for each in items:\n    if each.name == name: return each\nfound = make(name)\nitems.append(found)\nreturn found"
COUNTS = 'found = act("a")\nwith lock: found.count += 1'
FOUND = {  # what both do, and how
    "returned": (GET, COUNTS),
    "the loop's else": (
        "for each in items:\n    if each.name == name:\n        found = each\n        break\nelse:\n"
        "    found = make(name)\n    items.append(found)\nreturn found",
        COUNTS,
    ),
    "next": (
        "found = next((each for each in items if each.name == name), None)\nif found is None:\n    found = make(name)\n"
        "    items.append(found)\nreturn found",
        COUNTS,
    ),
    "any": ("if not any(each.name == name for each in items): items.append(make(name))", 'act("a")'),
    "all": ("if all(each.name != name for each in items): items.append(make(name))", 'act("a")'),
    "refused": (
        "for each in items:\n    if each.name == name: raise ValueError(name)\nitems.append(make(name))",
        'try: act("a")\nexcept ValueError: pass',
    ),
    "known already": (
        "for each in items:\n    if name == each.name: return False\nitems.append(make(name))\nreturn True",
        'act("a")',
    ),
}
SILENT = {  # what both do, and what each does
    "another one": (GET, COUNTS, COUNTS.replace('"a"', '"b"')),
    "under a lock": ("with lock:\n    " + GET.replace("\n", "\n    "), COUNTS, COUNTS),
    "looked for again under a lock": (
        "found = find(name)\nif found is None:\n    with lock:\n        for each in items:\n"
        "            if each.name == name: return each\n        found = make(name)\n        items.append(found)\n"
        "return found",
        COUNTS,
        COUNTS,
    ),
    "never changed": (GET, 'act("a").name', 'act("a").name'),
    "any that is free": (
        "for each in items:\n    if not each.busy: return each\nfound = make(name)\nitems.append(found)\nreturn found",
        COUNTS,
        COUNTS,
    ),
    "put in anyway": (
        "for each in items:\n    if each.name == name: break\nfound = make(name)\nitems.append(found)\nreturn found",
        COUNTS,
        COUNTS,
    ),
    "another list": (GET.replace("items.append", "pairs.append"), COUNTS, COUNTS),
}


def text(act: str, first: str, second: str) -> str:
    source = PROGRAM
    for word, part in (("ACT", act), ("FIRST", first), ("SECOND", second)):
        source = source.replace(word, part.replace("\n", "\n    "))
    return source


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: text(act, how, how) for name, (act, how) in FOUND.items()}
    programs |= {name: text(*parts) for name, parts in SILENT.items()}
    assert len(programs) == len(FOUND) + len(SILENT)
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("searches"))


@pytest.mark.parametrize("name", FOUND)
def test_what_would_be_put_in_twice(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "inferred", "items")]


@pytest.mark.parametrize("name", SILENT)
def test_what_would_not(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    lines = scripts.write("script.py", text(GET, COUNTS, COUNTS)).read_text().splitlines()
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    loops = [number + 1 for number, line in enumerate(lines) if line == "    for each in items:"]
    assert f"first looked for an item in items (line {loops[-1]}), found none, and added" in told
    assert "second made the same check after that, and found this one." in told
    assert "and would add one of its own." in told
