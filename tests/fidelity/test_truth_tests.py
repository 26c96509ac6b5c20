"""A truth test of a container is a read of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording

PROGRAM = """\
import collections, threading
class Own(list):
    def __bool__(self): return True
class Long(list):
    def __len__(self): return 1
class Plain(collections.deque): pass
items, table, members, queue, plain = [1], {1: 2}, {1}, collections.deque([1]), Plain([1])
own, long, text, number = Own(), Long([1]), "text", 1
def test():
    TEST
def change():
    items.clear(); members.clear(); queue.clear(); plain.clear(); table.clear(); own.clear(); long.clear()
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


@pytest.mark.parametrize("test", READS)
def test_what_is_read(test: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "truth.py"
    script.write_text(PROGRAM.replace("TEST", test))
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    sql = "SELECT location FROM accesses WHERE thread = 1 AND kind = 'read' AND location NOT LIKE 'global %'"
    assert [location for (location,) in recording.query(sql)] == READS[test]
