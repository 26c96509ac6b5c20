"""Items that are taken one by one as long as more than one is there: the last one is to stay."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.findings.test_stale_check import program
from tests.findings.test_unguarded_check import PROGRAM as ONE_AFTER_THE_OTHER
from tests.recording import Scripts

OTHERS = """
from collections import deque
class Answers:
    def __init__(self): self.left, self.more, self.two = [1, 2], [1, 2, 3], deque([1, 2])
    def take(self):
        if len(self.left) > 1:
            wait()
            item = self.left.pop(0)
        else:
            item = self.left[0]
        return item
    def take_or_last(self):
        if len(self.two) == 0: return None
        if len(self.two) == 1:
            item = self.two[0]
        else:
            wait()
            item = self.two.popleft()
        return item
    def take_with_return(self):
        left = self.left
        if len(left) <= 1: return left[-1]
        wait()
        return left.pop()
    def take_under_a_lock(self):
        with lock:
            if len(self.left) > 1:
                wait()
                return self.left.pop(0)
            return self.left[0]
    def take_of_more(self):
        if len(self.more) > 1:
            wait()
            return self.more.pop(0)
        else: return self.more[0]
    def trim(self):
        if len(self.left) > 1:
            wait()
            self.left.pop(0)
        else: self.trimmed = True
    def trim_to_some(self):
        if len(self.more) > 2:
            wait()
            self.more.pop(0)
        else: self.more[0]
answers = Answers()
"""
FOUND = {"take": "left", "take_or_last": "two", "take_with_return": "left"}
SILENT = ["take_under_a_lock", "take_of_more", "trim", "trim_to_some"]


def one_after_the_other(act: str) -> str:
    source = ONE_AFTER_THE_OTHER.replace("def act", OTHERS.replace("wait()", "time.sleep(0)") + "def act")
    for word, part in (("ACT", act), ("FIRST", "act()"), ("SECOND", "act()")):
        source = source.replace(word, part)
    return source


def in_between(act: str) -> str:
    waits = "wait() if threading.current_thread().name == 'first' else None"
    functions = "lock = threading.Lock()\n" + OTHERS.replace("wait()", waits)
    return program(f"answers.{act}()", f"answers.{act}()").replace("checked, changed", functions + "checked, changed")


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: one_after_the_other(f"answers.{name}()") for name in (*FOUND, *SILENT)}
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("unguarded"))


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: in_between(name) for name in (*FOUND, *SILENT) if name != "take_under_a_lock"}
    return told_of(programs, "stale check", tmp_path_factory.mktemp("stale"))


@pytest.mark.parametrize("name", FOUND)
def test_two_threads_may_take_it(name: str, unguarded: dict[str, Told]) -> None:
    told = [(severity, str(label).rpartition(".")[2]) for severity, _, label in unguarded[name].findings]
    assert told == [("possible", FOUND[name])]


@pytest.mark.parametrize("name", SILENT)
def test_it_stays_or_nobody_reads_it(name: str, unguarded: dict[str, Told]) -> None:
    assert unguarded[name].findings == []


@pytest.mark.parametrize("name", FOUND)
def test_two_threads_took_it(name: str, stale: dict[str, Told]) -> None:
    assert [each[:2] for each in stale[name].findings] == [("happened", "proven")]


@pytest.mark.parametrize("name", [each for each in SILENT if each != "take_under_a_lock"])
def test_enough_was_left(name: str, stale: dict[str, Told]) -> None:
    assert stale[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("possible.py", one_after_the_other("answers.take()"))
    scripts.write("happened.py", in_between("take"))
    told = []
    for script in ("possible.py", "happened.py"):
        assert scripts.record(script).returncode == 0
        told.append(" ".join(scripts.opcodetrace("report").stdout.decode().split()))
    assert "and would take something out, too, though the check would hold no longer" in told[0]
    assert "So no item was left, though one was to stay." in told[1]
