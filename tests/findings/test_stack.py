"""Lists that threads push to and pop from for what they are at: what one pushes, another one may pop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.forms import Told, told_of

# Both do the same, the second thread once the first is done. It has begun before. They wait by pipes, which are not
# recorded.
PROGRAM = """
import collections, os, threading, time
from contextlib import contextmanager, suppress
class Scopes:
    def __init__(self): self.names = ["all"]
    def push(self, name): self.names.append(name)
    def pop(self): self.names.pop()
    @contextmanager
    def inside(self, name):
        self.names.append(name)
        try: yield
        finally: self.names.pop()
    def __enter__(self): self.names.append(threading.current_thread().name)
    def __exit__(self, *error): self.names.pop()
scopes, stack, seen, lock, local, latest = Scopes(), [], [], threading.Lock(), threading.local(), collections.deque()
reader, writer = os.pipe()
begun, begins = os.pipe()
def act():
    name = threading.current_thread().name
    ACT
def first():
    os.read(begun, 1)
    for _ in range(3): act()
    os.write(writer, b".")
def second():
    os.write(begins, b".")
    os.read(reader, 1)
    for _ in range(3): act()
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
TOLD = {
    "in one function": ("stack.append(name)\ntime.sleep(0)\nstack.pop()", "stack"),
    "on a deque": ("latest.append(name)\ntime.sleep(0)\nlatest.pop()", "latest"),
    "in methods": ("scopes.push(name)\ntime.sleep(0)\nscopes.pop()", "self.names"),
    "by a generator": ("with scopes.inside(name): time.sleep(0)", "self.names"),
    "by a context manager": ("with scopes: time.sleep(0)", "self.names"),
    "if there is a name": ("if name: stack.append(name)\ntime.sleep(0)\nif name: stack.pop()", "stack"),
    "each one's own lock": (
        "stack.append(name)\nwith threading.Lock(): time.sleep(0)\nstack.pop()",
        "stack",
    ),
}
NONE = {
    "one lock": "with lock:\n    stack.append(name)\n    time.sleep(0)\n    stack.pop()",
    "a list of its own": "stack = []\nstack.append(name)\ntime.sleep(0)\nstack.pop()",
    "a list of each thread": (
        "if not hasattr(local, 'stack'): local.stack = []\nlocal.stack.append(name)\ntime.sleep(0)\nlocal.stack.pop()"
    ),
    "what is taken out is used": "stack.append(name)\ntime.sleep(0)\nseen.append(stack.pop())",
    "what is taken out is looked at": "stack.append(name)\ntime.sleep(0)\nif stack.pop() != name: seen.append(name)",
    "how many are at it": "stack.append(1)\ntime.sleep(0)\nstack.pop()",
    "it takes out its own": "stack.append(name)\ntime.sleep(0)\nstack.remove(name)",
    "the oldest is thrown away": (
        "stack.append(name)\ntime.sleep(0)\nif len(stack) > 9: stack.pop(0)\nif stack.count(name) > 8: stack.clear()"
    ),
    "no more than some": "stack.append(name)\ntime.sleep(0)\nif len(stack) > 4: stack.pop()",
}
# The second thread pushes while the first one is at work, and pops after it.
BETWEEN = """
import os, threading
stack, seen, lock, there = [], [], threading.Lock(), ["old"]
reader, writer = os.pipe()
pushed, pushes = os.pipe()
popped, pops = os.pipe()
def act(name, at):
    ACT
def first():
    def at():
        os.write(writer, b".")
        os.read(pushed, 1)
    act("first", at)
    os.write(pops, b".")
def second():
    os.read(reader, 1)
    def at():
        os.write(pushes, b".")
        os.read(popped, 1)
    act("second", at)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
HAPPENED = {
    "in one function": "stack.append(name)\nat()\nstack.pop()",
    "the last one is looked at": "stack.append(name)\nat()\nseen.append(stack[-1])\nstack.pop()",
    "something below": "there.append(name)\nat()\nthere.pop()",
    "in the end": "stack.append(name)\ntry: at()\nfinally: stack.pop()",
}
NOTHING = {
    "what is taken out is used": "stack.append(name)\nat()\nseen.append(stack.pop())",
    "how many are at it": "stack.append(1)\nat()\nstack.pop()",
    "it takes out its own": "stack.append(name)\nat()\nstack.remove(name)",
    "it had none there": "if name == 'second': stack.append(name)\nat()\nif stack: stack.pop()",
}


def _told(program: str, acts: dict[str, str], kind: str, folder: Path) -> dict[str, Told]:
    return told_of(
        {name: program.replace("ACT", act.replace("\n", "\n    ")) for name, act in acts.items()}, kind, folder
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    acts = {name: act for name, (act, _) in TOLD.items()} | NONE
    return _told(PROGRAM, acts, "unguarded own write", tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    return _told(BETWEEN, HAPPENED | NOTHING, "overwritten before read", tmp_path_factory.mktemp("between"))


@pytest.mark.parametrize("name", TOLD)
def test_what_another_thread_could_pop(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "inferred", TOLD[name][1])]


@pytest.mark.parametrize("name", NONE)
def test_no_stack_of_what_threads_are_at(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", HAPPENED)
def test_what_another_thread_popped(name: str, happened: dict[str, Told]) -> None:
    assert {*happened[name].findings} == {("happened", "inferred", "there" if "below" in name else "stack")}


@pytest.mark.parametrize("name", NOTHING)
def test_what_another_thread_may_pop(name: str, happened: dict[str, Told]) -> None:
    assert happened[name].findings == []
