"""Containers that could be taken away while another thread puts something in, in all forms; and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of

# The second thread begins as the first is done. It waits by a pipe, which is not recorded.
PROGRAM = """
import collections, json, os, queue, threading, time
class Box: pass
def take():
    batch, box.items = box.items, []
    return batch
box, lock, other, event, condition = Box(), threading.Lock(), threading.Lock(), threading.Event(), threading.Condition()
box.items, box.old, box.count, box.writers, box.others, jobs = MADE, None, 0, 0, [], queue.Queue()
reader, writer = os.pipe()
def value(): return 5
def send(batch): box.count += len(batch)
def first():
    FIRST
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    SECOND
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
APPEND = "box.items.append(value())"
SWAP = "batch, box.items = box.items, []"
COUNT = "\nfor each in batch: box.count += 1"
DROP = "if not box.items: del box.items"
POSSIBLE = {
    "a list, by a swap": ("[]", APPEND, SWAP + COUNT),
    "in two steps": ("[]", APPEND, "batch = box.items\nbox.items = []" + COUNT),
    "gone over before it is replaced": ("[]", APPEND, "for each in box.items: box.count += 1\nbox.items = []"),
    "by a local variable": ("[]", "items = box.items\nitem = value()\nitems.append(item)", SWAP + COUNT),
    "a set": ("set()", "box.items.add(value())", "batch, box.items = box.items, set()" + COUNT),
    "a dictionary": ("{}", "box.items[value()] = 1", "batch, box.items = box.items, {}" + COUNT),
    "only those that are kept": ("[]", APPEND, "box.items = [each for each in box.items if each]"),
    "handed on": ("[]", APPEND, SWAP + "\nsend(batch)"),
    "given back": ("[]", APPEND, "for each in take(): box.count += 1"),
    "under a lock that the other one does not hold": ("[]", APPEND, f"with lock: {SWAP}{COUNT}"),
    "another lock is taken before it is gone over": ("[]", APPEND, f"{SWAP}\nwith lock: pass{COUNT}"),
    "under another lock": ("[]", f"with other: {APPEND}", f"with lock: {SWAP}{COUNT}"),
    "deleted, as there was nothing in it": ("[]", APPEND, f"box.items.pop()\n{DROP}"),
    "deleted in an else": ("[]", APPEND, "box.items.pop()\nif box.items: box.count += 1\nelse: del box.items"),
    "deleted, by a local variable": ("[]", APPEND, "items = box.items\nitems.pop()\nif not items: del box.items"),
    "deleted under a lock that the other one does not hold": (
        "[]",
        APPEND,
        f"with lock:\n    box.items.pop()\n    {DROP}",
    ),
    "the lock given up in between": (
        "[]",
        "with lock: items = box.items\nwith lock: items.append(1)",
        f"with lock: {SWAP}{COUNT}",
    ),
}
BY_NAME = {  # of a dictionary of lists
    "deleted": 'box.items["k"].pop()\nif not box.items["k"]: del box.items["k"]',
    "taken out": 'box.items["k"].pop()\nif not box.items["k"]: box.items.pop("k")',
    "taken out, if it is there": 'items = box.items.get("k")\nitems.pop()\nif not items: box.items.pop("k", None)',
}
GIL_ONLY = {
    "no call in between": ("[]", "box.items.append(1)", SWAP + COUNT),
    "an item of a dictionary": ("{}", "box.items[1] = 2", "batch, box.items = box.items, {}" + COUNT),
}
NONE = {
    "deleted under one lock": ("[]", f"with lock: {APPEND}", f"with lock:\n    box.items.pop()\n    {DROP}"),
    "deleted on purpose": ("[]", APPEND, "box.items.pop()\ndel box.items"),
    "deleted, as there was something in it": ("[]", APPEND, "if box.items: del box.items"),
    "deleted, as another one was empty": ("[]", APPEND, "if not box.others: del box.items"),
    "deleted by who had waited": ("[]", f"{APPEND}\nevent.set()", f"event.wait()\nbox.items.pop()\n{DROP}"),
    "under one lock": ("[]", f"with lock: {APPEND}", f"with lock: {SWAP}{COUNT}"),
    "under one lock, gone over later": ("[]", f"with lock: {APPEND}", f"with lock:\n    {SWAP}\nsend(list(batch))"),
    "who puts in has the lock that is waited for": ("[]", f"with lock: {APPEND}", f"{SWAP}\nwith lock: pass{COUNT}"),
    "waited for": ("[]", f"{APPEND}\nevent.set()", f"event.wait()\n{SWAP}{COUNT}"),
    "told by a queue": ("[]", f"{APPEND}\njobs.put(1)", f"jobs.get()\n{SWAP}{COUNT}"),
    "given up on purpose": ("[]", APPEND, "box.items = []"),
    "full, and given up": ("[]", APPEND, "if len(box.items) < 9: box.items = []"),
    "too many of them, and given up": ("[]", APPEND, "if sum(box.items) > 1: box.items = []"),
    "kept as the old one": ("[]", APPEND, "box.old = box.items\nbox.items = []"),
    "its own list": ("[]", "items = [*box.items]\nitems.append(value())", SWAP + COUNT),
    "never replaced": ("[]", APPEND, "for each in box.items: box.count += 1"),
    "nothing put in": ("[5]", "items = box.items\nvalue()\nitems.remove(5)", SWAP + COUNT),
    "whoever takes waits for those who put": (
        "[]",
        "with condition:\n    box.writers += 1\n    items = box.items\nitems.append(value())\n"
        "with condition:\n    box.writers -= 1\n    condition.notify()",
        "with condition:\n    batch, box.items = box.items, []\n    while box.writers: condition.wait()\n"
        "for each in batch: box.count += 1",
    ),
    "whoever takes waits, in a loop": (
        "[]",
        "box.old = 1\nitems = box.items\nitems.append(value())\nbox.old = None",
        "batch, box.items = box.items, []\nwhile box.old: time.sleep(0)\nfor each in batch: box.count += 1",
    ),
}


def _program(made: str, first: str, second: str) -> str:
    program = PROGRAM.replace("MADE", made, 1)
    for name, text in (("FIRST", first), ("SECOND", second)):
        program = program.replace(f"    {name}\n", "".join(f"    {line}\n" for line in text.split("\n")), 1)
    return program


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: _program(*parts) for name, parts in (POSSIBLE | GIL_ONLY | NONE).items()}
    put = "items = box.items['k']\nitem = value()\nitems.append(item)"
    programs |= {f"by name, {name}": _program('{"k": []}', put, drop) for name, drop in BY_NAME.items()}
    folder: Path = tmp_path_factory.mktemp("unguarded")
    return all_told_of(programs, folder)


def _found(told: Told) -> list[tuple[object, ...]]:
    return [finding for finding in told.findings if finding[0] in ("unguarded change", "stale container")]


@pytest.mark.parametrize("name", POSSIBLE)
def test_another_thread_could_take_it_away(told: dict[str, Told], name: str) -> None:
    assert _found(told[name]) == [("unguarded change", "possible", "proven", "box.items")]


@pytest.mark.parametrize("name", BY_NAME)
def test_another_thread_could_find_it_empty(told: dict[str, Told], name: str) -> None:
    assert _found(told[f"by name, {name}"]) == [("unguarded change", "possible", "proven", "box.items['k']")]


@pytest.mark.parametrize("name", GIL_ONLY)
def test_only_the_gil_prevents_it(told: dict[str, Told], name: str) -> None:
    severity = "possible" if FREE_THREADED else "gil-only"
    assert _found(told[name]) == [("unguarded change", severity, "proven", "box.items")]


@pytest.mark.parametrize("name", NONE)
def test_what_is_kept_apart_or_not_missed_is_not_told(told: dict[str, Told], name: str) -> None:
    assert not _found(told[name])
