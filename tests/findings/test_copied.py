"""Containers that a thread goes over and then drops, while another one puts something in; and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of

# The first thread is done with the items, and waits in `value` for the second one to put something in, or the second
# one waits for the first to end. They wait for each other by pipes, which are not recorded.
PROGRAM = """
import os, threading, time
class Box: pass
class View:
    def update(self, items): self.items = items
box, lock, other, event = Box(), threading.Lock(), threading.Lock(), threading.Event()
box.items, box.log, box.view, box.kept, box.count, box.seen = MADE, [], View(), {}, 0, 0
(reader, writer), (last_reader, last_writer) = os.pipe(), os.pipe()
def value():
    box.seen += 0
    os.write(writer, b".")
    os.read(last_reader, 1)
    return 5
def pause(): time.sleep(0)
def put():
    PUT
def drop():
    DROP
def first():
    drop()
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    put()
    os.write(last_writer, b".")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
LATER
"""
APPEND = "box.items.append(1)"
LOST = {
    "copied and cleared": (
        "[1]",
        APPEND,
        "batch = list(box.items)\nvalue()\nbox.items.clear()\nbox.count += sum(batch)",
    ),
    "copied by its method": ("[1]", APPEND, "batch = box.items.copy()\nvalue()\nbox.items.clear()\nsum(batch)"),
    "gone over and cleared": ("[1]", APPEND, "for each in box.items: box.count += each\nvalue()\nbox.items.clear()"),
    "gone over and made anew": ("[1]", APPEND, "for each in box.items: box.count += each\nvalue()\nbox.items = []"),
    "a copy in its place": ("[1]", APPEND, "items = [each for each in box.items if each]\nvalue()\nbox.items = items"),
    "a set": ("{1}", "box.items.add(2)", "items = {each for each in box.items if each}\nvalue()\nbox.items = items"),
    "put into a list": ("[1]", APPEND, "box.log.extend(box.items)\nvalue()\nbox.items.clear()"),
    "put into a set": ("[1]", APPEND, "seen = set()\nseen.update(box.items)\nvalue()\nbox.items.clear()"),
    "added to a list": ("[1]", APPEND, "out = []\nout += box.items\nvalue()\nbox.items.clear()"),
    "added to a list that is kept": ("[1]", APPEND, "box.log += box.items\nvalue()\nbox.items.clear()"),
    "added up": ("[1]", APPEND, "box.count += sum(box.items)\nvalue()\nbox.items.clear()"),
    "given as a tuple": ("[1]", APPEND, "print(tuple(box.items))\nvalue()\nbox.items.clear()"),
    "joined": ("['1']", "box.items.append('2')", "print(''.join(box.items))\nvalue()\nbox.items.clear()"),
    "under a lock that the other one does not hold": (
        "[1]",
        APPEND,
        "with lock:\n    batch = list(box.items)\n    value()\n    box.items.clear()\nsum(batch)",
    ),
}
NOT_LOST = {
    "seen by another look": (
        "[1]",
        APPEND + "\nfor each in box.items: box.seen += 1",
        "batch = list(box.items)\nvalue()\nbox.items.clear()\nsum(batch)",
    ),
    "only cleared": ("[1]", APPEND, "value()\nbox.items.clear()"),
    "looked at again": ("[1]", APPEND, "batch = list(box.items)\nvalue()\nbatch = list(box.items)\nbox.items.clear()"),
    "taken, not copied": (
        "[1]",
        APPEND,
        "batch = box.items\nvalue()\nbox.items = []\nfor each in batch: box.count += 1",
    ),
    "still in the loop": (
        "[1]",
        APPEND,
        "for each in box.items:\n    if not box.count: value()\n    box.count += 1\nbox.items = []",
    ),
    "put into something of its own": ("[1]", APPEND, "box.view.update(box.items)\nvalue()\nbox.items = []"),
    "put into what is given": (
        "[1]",
        APPEND,
        "def put_into(out): out.extend(box.items)\nput_into([])\nvalue()\nbox.items.clear()",
    ),
    "put in once more": (
        "[1]",
        APPEND,
        "box.log.extend(box.items)\nvalue()\nbox.log.extend(box.items)\nbox.items.clear()",
    ),
    "the size alone": ("[1]", APPEND, "count = len(box.items)\nvalue()\nbox.items.clear()\nbox.count += count"),
}
SLOW = "batch = list(box.items)\npause()\nbox.items.clear()\nbox.count += sum(batch)"
POSSIBLE = {
    "copied and cleared": ("[1]", APPEND, SLOW),
    "no lock by one of the two": ("[1]", APPEND, "with lock:\n" + "    " + SLOW.replace("\n", "\n    ")),
    "a lock given up in between": (
        "[1]",
        "with lock: box.items.append(1)",
        "with lock: batch = list(box.items)\nwith lock: box.items.clear()\nsum(batch)",
    ),
}
NONE = {
    "under one lock": ("[1]", f"with lock: {APPEND}", "with lock:\n" + "    " + SLOW.replace("\n", "\n    ")),
    "waited for": ("[1]", f"event.wait()\n{APPEND}", f"{SLOW}\nevent.set()"),
    "only cleared": ("[1]", APPEND, "pause()\nbox.items.clear()"),
    "asked for a condition": ("[1]", APPEND, "if sum(box.items):\n    pause()\n    box.items.clear()"),
    "its own list": ("[1]", "items = [*box.items]\nitems.append(1)", SLOW),
}


def _program(made: str, put: str, drop: str) -> str:
    program = PROGRAM.replace("MADE", made, 1)
    for name, text in (("PUT", put), ("DROP", drop)):
        program = program.replace(f"    {name}\n", "".join(f"    {line}\n" for line in text.split("\n")), 1)
    return program.replace("LATER\n", "print(sum(box.items))\n", 1)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {"lost": LOST, "not lost": NOT_LOST, "possible": POSSIBLE, "none": NONE}
    programs = {f"{kind}: {name}": _program(*parts) for kind, all_of in forms.items() for name, parts in all_of.items()}
    folder: Path = tmp_path_factory.mktemp("copied")
    return all_told_of(programs, folder)


def _found(told: Told) -> list[tuple[object, ...]]:
    kinds = ("lost update", "unguarded update", "unguarded change", "stale container")
    return [finding for finding in told.findings if finding[0] in kinds and finding[-1] == "box.items"]


@pytest.mark.skipif(FREE_THREADED, reason="accesses are intervals there")
@pytest.mark.parametrize("name", LOST)
def test_what_is_put_in_between_is_lost(told: dict[str, Told], name: str) -> None:
    assert ("lost update", "happened", "inferred", "box.items") in _found(told[f"lost: {name}"])


@pytest.mark.parametrize("name", NOT_LOST)
def test_what_was_seen_or_is_not_missed_is_not_lost(told: dict[str, Told], name: str) -> None:
    assert not [finding for finding in _found(told[f"not lost: {name}"]) if finding[1] == "happened"]


@pytest.mark.parametrize("name", POSSIBLE)
def test_another_thread_could_put_something_in(told: dict[str, Told], name: str) -> None:
    assert ("unguarded update", "possible", "inferred", "box.items") in _found(told[f"possible: {name}"])


@pytest.mark.parametrize("name", NONE)
def test_what_is_kept_apart_is_not_told(told: dict[str, Told], name: str) -> None:
    assert not _found(told[f"none: {name}"])
