"""Updates that another thread's write lost; and what a thread overwrites itself, as its code has it."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of

# `first` and `second` take turns, by barriers.
HEAD = """
import threading
lock, turn = threading.Lock(), threading.Barrier(2)
class Box: pass
box, head = Box(), Box()
box.count, box.quiet, head.next = 0, False, None
def quietly():
    old = box.quiet
    box.quiet = True
    box.quiet = old
def push():
    new = Box()
    new.next = head.next
    head.next = new
def walk():
    at = head.next
    while at is not None:
        head.next = at.next
        at = at.next
def run(first, second):
    threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
LOST = {
    "by another thread": """
def first():
    count = box.count
    turn.wait(); turn.wait()
    box.count = count + 1
def second():
    turn.wait()
    box.count += 1
    turn.wait()
""",
    "its own and another's": """
def first():
    old = box.count
    box.count = old + 5
    turn.wait(); turn.wait()
    box.count = old + 1
def second():
    turn.wait()
    box.count += 1
    turn.wait()
""",
}
NONE = {
    "a value that is put back": """
def first():
    for _ in range(5):
        with lock: quietly()
def second():
    for _ in range(5):
        with lock: quietly()
""",
    "a chain that is unlinked": """
def first():
    with lock:
        for _ in range(5): push()
        walk()
second = first
""",
    "one that writes, another one that reads": """
def first():
    for _ in range(5): quietly()
    turn.wait()
def second():
    turn.wait()
    print(box.quiet)
""",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: HEAD + body + "run(first, second)\n" for name, body in (LOST | NONE).items()}
    return told_of(programs, "lost update", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", LOST)
def test_what_another_thread_lost(told: dict[str, Told], name: str) -> None:
    assert {(severity, certainty, label) for severity, certainty, label in told[name].findings} == {
        ("happened", "proven", "box.count")
    }


@pytest.mark.parametrize("name", NONE)
def test_what_a_thread_overwrites_itself(told: dict[str, Told], name: str) -> None:
    assert told[name].findings == []
