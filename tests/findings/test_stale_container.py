"""Containers that another thread takes away while one puts something in: what is lost, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of

# The first thread has read where the items are, and waits in `value` for the second one to take them away. They wait
# for each other by pipes, which are not recorded.
PROGRAM = """
import collections, json, os, threading
class Box: pass
box, lock, other = Box(), threading.Lock(), threading.Lock()
box.items, box.kept, box.taken, box.count, box.seen = MADE, None, False, 0, 0
(reader, writer), (last_reader, last_writer) = os.pipe(), os.pipe()
def value():
    os.write(writer, b".")
    os.read(last_reader, 1)
    return 5
def send(batch): box.kept = batch
def put():
    PUT
def take():
    TAKE
def first():
    box.seen = box.taken
    put()
    AFTER
def second():
    os.read(reader, 1)
    take()
    box.taken = True
    os.write(last_writer, b".")
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
LATER
"""
APPEND = "box.items.append(value())"
SWAP = "batch, box.items = box.items, []"
COUNT = "\nfor each in batch: box.count += 1"
LOST = {
    "a list, by a swap": ("[]", APPEND, SWAP + COUNT),
    "in two steps": ("[]", APPEND, "batch = box.items\nbox.items = []" + COUNT),
    "gone over before it is replaced": ("[]", APPEND, "for each in box.items: box.count += 1\nbox.items = []"),
    "by a local variable": ("[]", "items = box.items\nitem = value()\nitems.append(item)", SWAP + COUNT),
    "a dictionary": ("{}", "box.items[value()] = 1", "batch, box.items = box.items, {}" + COUNT),
    "a set": ("set()", "box.items.add(value())", "batch, box.items = box.items, set()" + COUNT),
    "a deque": ("collections.deque()", APPEND, "batch, box.items = box.items, collections.deque()" + COUNT),
    "gone over by C code": ("[]", APPEND, SWAP + "\nif batch: json.dumps(batch)"),
    "only those that are kept": ("[]", APPEND, "box.items = [each for each in box.items if each]"),
    "made anew, and put there later": (
        "[]",
        APPEND,
        "new = [each for each in box.items if each]\nbox.count += 1\nbox.items = new",
    ),
    "under a lock that the other one does not hold": ("[]", APPEND, f"with lock: {SWAP}{COUNT}"),
    "under another lock": ("[]", f"with other: {APPEND}", f"with lock: {SWAP}{COUNT}"),
    "never given anything else": ("[]", APPEND, "batch, box.items = box.items, None" + COUNT),
    "deleted, as there was nothing in it": ("[]", APPEND, "if not box.items: del box.items"),
    "nothing to begin with": ("[]", APPEND, SWAP + "\nbox.count += sum(batch, len(batch))"),
}
# What is not known to be lost, or is not missed.
NOT_LOST = {
    "deleted on purpose": ("[]", APPEND, "del box.items", "", ""),
    "deleted, as there was something in it": ("[1]", APPEND, "if box.items: del box.items", "", ""),
    "deleted, and held by another variable": (
        "[]\nheld = box.items",
        APPEND,
        "if not box.items: del box.items",
        "",
        "print(held)",
    ),
    "given up on purpose": ("[]", APPEND, "box.items = []", "", ""),
    "full, and given up": ("[]", APPEND, "if len(box.items) < 9: box.items = []", "", ""),
    "kept by the one who takes": ("[]", APPEND, SWAP + "\nbox.kept = batch" + COUNT, "", ""),
    "handed on": ("[]", APPEND, SWAP + "\nsend(batch)", "", ""),
    "still gone over by others": ("[]", "items = box.items\nitems.append(value())\nlist(items)", SWAP + COUNT, "", ""),
    "read by who put it there": (
        "[]",
        "items = box.items\nitems.append(value())\nfor each in items: box.seen += 1",
        SWAP + COUNT,
        "",
        "",
    ),
    "also stored elsewhere": ("[]", "box.kept = box.items\nbox.items.append(value())", SWAP + COUNT, "", ""),
    "read in the new one": ("[]", "item = value()\nbox.items.append(item)", SWAP + COUNT, "", ""),
    "put back": ("[]", APPEND, SWAP + COUNT + "\nbox.items = batch", "", "len(box.items)"),
    "taken out": ("[5]", "items = box.items\nitem = value()\nitems.remove(item)", SWAP + COUNT, "", ""),
    "of its own": ("[]", "items = [*box.items]\nitems.append(value())", SWAP + COUNT, "", ""),
    "held by another variable": ("[]\nheld = box.items", APPEND, SWAP + COUNT, "", "print(held)"),
}


def _program(made: str, put: str, take: str, after: str = "", later: str = "") -> str:
    program = PROGRAM.replace("MADE", made.partition("\n")[0], 1)
    if "\n" in made:
        program = program.replace("(reader, writer)", made.partition("\n")[2] + "\n(reader, writer)", 1)
    for name, text in (("PUT", put), ("TAKE", take), ("AFTER", after or "pass"), ("LATER", later)):
        indent = "" if name == "LATER" else "    "
        program = program.replace(f"{indent}{name}\n", "".join(f"{indent}{line}\n" for line in text.split("\n")), 1)
    return program


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: _program(*parts) for name, parts in LOST.items()}
    programs |= {name: _program(*parts) for name, parts in NOT_LOST.items()}
    folder: Path = tmp_path_factory.mktemp("stale")
    return all_told_of(programs, folder)


@pytest.mark.skipif(FREE_THREADED, reason="accesses are intervals there")
@pytest.mark.parametrize("name", LOST)
def test_what_is_put_into_a_replaced_container_is_lost(told: dict[str, Told], name: str) -> None:
    found = [finding for finding in told[name].findings if finding[0] == "stale container"]
    assert found == [("stale container", "happened", "inferred", "box.items")]


@pytest.mark.parametrize("name", NOT_LOST)
def test_what_is_not_known_to_be_lost_is_not_told(told: dict[str, Told], name: str) -> None:
    assert not [finding for finding in told[name].findings if finding[0] == "stale container"]
