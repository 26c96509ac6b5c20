"""What a thread wrote under a lock, and returns after it has given that up; and what is none."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of
from tests.findings.test_overwritten_before_read import SAME, program
from tests.findings.test_unguarded_own_write import program as in_turn
from tests.recording import Scripts

IDS = """
class Ids:
    def __init__(self): self.last = 0
    def next(self):
        WORK
ids = Ids()
def job(name):
    USE
    meet()  # those that have not met before
"""
COUNT = "with lock: self.last += 1\n        meet()\n        return self.last"
KEPT = "done.append(ids.next())"
FOUND = {
    "a number": (COUNT, KEPT),
    "a number, without a lock": ("self.last += 1\n        meet()\n        return self.last", KEPT),
    "a name made of a number": (
        "self.last += 1\n        prefix = str(meet())\n        return f'{prefix}{self.last}'",
        KEPT,
    ),
    "by both branches": (
        "with lock:\n            if self.last:\n                self.last = self.last + 1\n"
        "            else:\n                self.last = 7\n        meet()\n        return self.last",
        KEPT,
    ),
}
SILENT = {
    "returned under the lock": ("with lock:\n            self.last += 1\n            return self.last", KEPT),
    "read under the lock again": (
        "with lock: self.last += 1\n        meet()\n        with lock: return self.last",
        KEPT,
    ),
    "a sum, without a lock": ("self.last += len(done) + 2\n        meet()\n        return self.last", KEPT),
    "counted, and compared": ("self.last += 1\n        meet()\n        return self.last > 5", KEPT),
    "kept in a variable": (
        "with lock: own = self.last = self.last + 1\n        meet()\n        return own",
        KEPT,
    ),
    "dropped": (COUNT, "ids.next()"),
    "compared": (COUNT, "if ids.next() > 5: done.append(name)"),
    "written by some only": (
        "if len(done) > 5:\n            with lock: self.last += 1\n        meet()\n        return self.last",
        KEPT,
    ),
}


MANY = (COUNT, "for _ in range(250): done.append(ids.next())")  # what the other thread comes after is the last one


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    lines = {name: IDS.replace("WORK", work).replace("USE", use) for name, (work, use) in {**FOUND, **SILENT}.items()}
    texts = {f"{name}, overwritten": program(each, SAME) for name, each in lines.items()}
    texts |= {name: in_turn(each, SAME) for name, each in lines.items()}
    texts["the last of many"] = in_turn(IDS.replace("WORK", MANY[0]).replace("USE", MANY[1]), SAME)
    often = IDS.replace("WORK", COUNT).replace("USE", KEPT)
    texts["overwritten again and again"] = program(often, f"for _ in range(300): {SAME}")
    return all_told_of(texts, tmp_path_factory.mktemp("forms"))


in_known_order = pytest.mark.skipif(FREE_THREADED, reason="nothing is told of accesses that are intervals")


def own_writes(told: Told) -> list[tuple[object, ...]]:
    return [each for each in told.findings if each[0] in ("overwritten before read", "unguarded own write")]


@in_known_order
@pytest.mark.parametrize("name", FOUND)
def test_it_returned_what_another_one_wrote(name: str, told: dict[str, Told]) -> None:
    found = own_writes(told[f"{name}, overwritten"])
    assert found == [("overwritten before read", "possible", "inferred", "self.last")]


@in_known_order
def test_another_one_wrote_again_and_again(told: dict[str, Told]) -> None:
    found = own_writes(told["overwritten again and again"])
    assert found == [("overwritten before read", "possible", "inferred", "self.last")]


@in_known_order
@pytest.mark.parametrize("name", [*FOUND, "the last of many"])
def test_it_could(name: str, told: dict[str, Told]) -> None:
    assert own_writes(told[name]) == [("unguarded own write", "possible", "inferred", "self.last")]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert own_writes(told[name]) == []
    assert own_writes(told[f"{name}, overwritten"]) == []


@in_known_order
def test_no_lock_is_told_where_there_is_none(scripts: Scripts) -> None:
    work, use = FOUND["a number, without a lock"]
    scripts.write("script.py", in_turn(IDS.replace("WORK", work).replace("USE", use), SAME))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "It returned what it read. No lock that both threads took was held from the write to the read." in told
