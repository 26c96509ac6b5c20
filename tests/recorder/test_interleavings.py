"""Real runs whose threads go in an order that events give: of one class if that order is the same for all conflicting
accesses, whatever else differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording

# `go(first, second)` runs threads, each its own function, one after the other: with the word "swapped" in the other
# order. They are started in one order all the same.
PREAMBLE = """
import sys
from threading import Event, Thread
word = sys.argv[1]
cell, other = [0], [0]
class Account:
    def __init__(self): self.balance = 0
def go(*functions):
    functions = list(functions)
    gates = [Event() for _ in functions]
    order = range(len(functions))[:: -1 if word == "swapped" else 1]
    after = {place: gates[order[number + 1]] for number, place in enumerate(order[:-1])}
    def run(place):
        gates[place].wait()
        functions[place]()
        if place in after: after[place].set()
    threads = [Thread(target=run, args=(place,)) for place in range(len(functions))]
    for thread in threads: thread.start()
    gates[order[0]].set()
    for thread in threads: thread.join()
def read(): cell[0]
def write(): cell[0] = 1
def write_other(): other[0] = 1
"""
SAME = {
    "reads in either order": "cell[0] = 1\ngo(read, read)\ncell[0] = 2",
    "writes of different cells": "go(write, write_other)\nprint(cell[0], other[0])",
    "objects alike, each with a thread of its own": (
        "accounts = [Account(), Account()]\n"
        "def pay(number):\n    def run(): accounts[number].balance += 1\n    return run\n"
        "go(pay(0), pay(1))\nprint([each.balance for each in accounts])"
    ),
    "other values": (
        "import random\ndef write(): cell[0] = random.random() if word == 'swapped' else 'text'\n"
        "thread = Thread(target=write)\nthread.start()\nthread.join()\nprint(len(str(cell[0])) > 0)"
    ),
    "other addresses and numbers of objects": (
        "garbage = [Account() for _ in range(100 if word == 'swapped' else 3)]\naccount = Account()\n"
        "def pay(): account.balance += 1\nthread = Thread(target=pay)\nthread.start()\nthread.join()\n"
        "print(account.balance)"
    ),
    "accesses to what is not shared": (
        "own = [0]\nfor _ in range(50 if word == 'swapped' else 1): own[0] += 1\n"
        "thread = Thread(target=write)\nthread.start()\nthread.join()\nprint(cell[0])"
    ),
}
DIFFERENT = {
    "writes in either order": "go(write, write)",
    "a read before or after a write": "go(read, write)",
    "three threads": "go(read, write, read)",
    "one more turn of a loop": (
        "def count():\n    for _ in range(3 if word == 'swapped' else 2): cell[0] += 1\n"
        "thread = Thread(target=count)\nthread.start()\nthread.join()\nprint(cell[0])"
    ),
    "the same object, or each its own": (
        "accounts = [Account(), Account()]\n"
        "def first(): accounts[0].balance += 1\n"
        "def second(): accounts[0 if word == 'swapped' else 1].balance += 1\n"
        "for each in (first, second):\n    thread = Thread(target=each)\n    thread.start()\n    thread.join()\n"
        "print([each.balance for each in accounts])"
    ),
}


def classes(source: str, record: Callable[..., Recording], folder: Path) -> list[object]:
    (folder / "script.py").write_text(PREAMBLE + source + "\n")
    for word in ("usual", "swapped", "usual"):
        recording = record("-q", folder / "script.py", word)
        assert recording.exit_code == 0, recording.stderr
    return [each for (each,) in recording.query("SELECT interleaving FROM runs ORDER BY id")]


@pytest.mark.parametrize("name", SAME)
def test_one_class(name: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    usual, swapped, again = classes(SAME[name], record, tmp_path)
    assert usual is not None
    assert usual == swapped == again


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_classes(name: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    usual, swapped, again = classes(DIFFERENT[name], record, tmp_path)
    assert None not in (usual, swapped)
    assert usual == again
    assert usual != swapped


def test_a_part_of_a_run_is_of_no_class(record: Callable[..., Recording], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{PREAMBLE}go(read, write)\n")
    for options in (("--max-events", "5"), ("--last", "1")):
        recording = record("-q", *options, tmp_path / "script.py", "usual")
    assert recording.query("SELECT interleaving FROM runs WHERE truncated IS NOT NULL OR let_go") == [(None,)] * 2
