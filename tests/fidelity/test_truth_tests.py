"""A truth test of a container is a read of it."""

from collections.abc import Callable
from pathlib import Path

from tests.recording import Recording

PROGRAM = """\
import collections, threading
class Own(list):
    def __bool__(self): return True
class Long(list):
    def __len__(self): return 1
class Plain(collections.deque): pass
items, table, members, queue, plain = [1], {1: 2}, {1}, collections.deque([1]), Plain([1])
own, long, text, number, turn = Own(), Long([1]), "text", 1, [0]
TESTS
def test():
    for turn[0], each in enumerate(tests): each()
def change():
    items.clear(); members.clear(); queue.clear(); plain.clear(); table.clear(); own.clear(); long.clear()
    turn[0] += 1
threads = [threading.Thread(target=each) for each in (test, change)]
for thread in threads: thread.start(); thread.join()
"""
READS = {
    "if items: pass": ["items"],
    "while items: break": ["items"],
    "not items": ["items"],
    "items and 1": ["items"],
    "number and items and 1": ["items"],
    "items or 1": ["items"],
    "1 if items else 2": ["items"],
    "assert items": ["items"],
    "[1 for _ in (1, 2) if items]": ["items", "items"],
    "bool(items)": ["items"],
    "if table and members: pass": ["table", "members"],
    "if queue: pass": ["queue"],
    "if plain: pass": ["plain"],
    "if own: pass": [],  # code of the program says whether it is true
    "if long: pass": [],
    "if text and number: pass": [],
    "if items is not None: pass": [],
    "if items == []: pass": [],
    "if (1, 2): pass": [],
}


def test_what_is_read(record: Callable[..., Recording], tmp_path: Path) -> None:
    tests = [f"def test_{number}():\n    {test}\n" for number, test in enumerate(READS)]
    names = ", ".join(f"test_{number}" for number in range(len(READS)))
    script = tmp_path / "truth.py"
    script.write_text(PROGRAM.replace("TESTS", f"{''.join(tests)}tests = [{names}]"))
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    sql = "SELECT location FROM accesses WHERE thread = 1 AND location NOT LIKE 'global %' ORDER BY seq"
    _, *read = " ".join(str(location) for (location,) in recording.query(sql)).split("turn[0]")
    assert {test: found.split() for test, found in zip(READS, read, strict=True)} == READS
