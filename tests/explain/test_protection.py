"""What real recordings say of why a location lost nothing, and which locks were held if one did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import ROOT, Recording, Scripts, Underway, invoke


def reported(recording: Recording) -> dict[str, Any]:
    assert recording.exit_code == 0, recording.stderr
    done = invoke("report", "-d", recording.database, "--format", "json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


# The reason, the certainties that it may have, and the object or the carrier.
SAMPLES: dict[str, tuple[str, set[str], str]] = {
    "counter_lock": ("lock", {"proven"}, "lock"),
    "counter_rlock": ("lock", {"inferred"}, "lock"),  # the value read comes out of a call
    "counter_condition": ("lock", {"proven"}, "turn_changed"),
    "counter_semaphore": ("semaphore", {"inferred"}, "places"),
    "counter_event": ("order", {"proven", "inferred"}, "done"),  # proven if the thread did wait
    "counter_queue": ("order", {"proven", "inferred"}, "owner"),
    "counter_barrier": ("order", {"proven"}, "barrier"),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_why_a_sample_is_right(sample: str, record: Callable[..., Recording]) -> None:
    why, certainties, label = SAMPLES[sample]
    report = reported(record(ROOT / "samples" / f"{sample}.py"))
    (counter,) = [each for each in report["protected"] if each["label"] == "counter[0]"]
    assert (counter["why"], counter["updates"], len(counter["threads"])) == (why, 2, 2)
    assert counter["certainty"] in certainties
    objects = counter["objects"] if why != "order" else [each["object"] for each in counter["carriers"]]
    assert objects
    assert all(label in each["label"] for each in objects)
    assert label in counter["sentences"][0]
    told = report["protected"][0]["hand_over"]
    assert told is not None
    steps = [step["step"] for step in told["steps"]]
    assert "synchronise" in steps
    assert [step["step"] for step in told["steps"] if step["step"] in ("read", "write")].count("write") == 2


CONTENDED = """
import threading
counter = [0]
guard = threading.{make}
inside = threading.Event()
class Blocking:
    def __bool__(self):
        print("second", flush=True)
        return True
    def __index__(self): return int(bool(self))  # 3.11 asks so
def first():
    with guard:
        count = counter[0]
        inside.set()
        input()
        counter[0] = count + 1
def second():
    inside.wait()
    guard.acquire(Blocking())
    count = counter[0]
    counter[0] = count + 1
    guard.release()
threads = [threading.Thread(target=first, name="first"), threading.Thread(target=second, name="second")]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("make", ["Lock()", "RLock()", "Condition()", "Semaphore()", "BoundedSemaphore(1)"])
def test_a_hand_over_that_was_waited_for(make: str, tmp_path: Path) -> None:
    script = tmp_path / "contended.py"
    script.write_text(CONTENDED.format(make=make))
    recording = Underway(tmp_path / "trace.db", script)
    assert recording.said() == "second"  # it is inside of `acquire`
    if make not in ("RLock()", "Condition()"):  # of an RLock the trace does not say when a thread begins to wait
        recording.until_waiting("second")
    recording.tell()
    report = reported(recording.end())
    (counter,) = [each for each in report["protected"] if each["label"] == "counter[0]"]
    assert counter["why"] == ("semaphore" if "Semaphore" in make else "lock")
    threads = {each["name"]: each["thread"] for each in report["threads"]}
    steps = counter["hand_over"]["steps"]
    (waited,) = [step for step in steps if step["step"] == "synchronise" and step["waited"] is not None and
                 step["operation"] == "acquire"]  # fmt: skip
    assert (waited["thread"], waited["woken_by"]) == (threads["second"], threads["first"])
    began = next(step for step in steps if step["step"] == "synchronise" and step["begins"])
    assert (began["thread"], began["operation"]) == (threads["second"], "acquire")
    order = [(step["thread"], step["step"]) for step in steps if step["step"] in ("read", "write")]
    assert order == [(threads[name], step) for name in ("first", "second") for step in ("read", "write")]


def test_two_places_exclude_nothing(record: Callable[..., Recording], tmp_path: Path) -> None:
    """One after the other all the same: another run may lose one."""
    script = tmp_path / "places.py"
    script.write_text("""
import os, threading
counter = [0]
places = threading.Semaphore(2)
(first_is_in, say_first), (second_is_in, say_second) = os.pipe(), os.pipe()  # of no order that a trace would show
def first():
    with places:
        counter[0] += 1
        os.write(say_first, b".")
        os.read(second_is_in, 1)
def second():
    os.read(first_is_in, 1)
    with places:
        counter[0] += 1
        os.write(say_second, b".")
threads = [threading.Thread(target=each) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""")
    report = reported(record(script))
    (finding,) = report["findings"]
    assert (finding["kind"], finding["severity"]) == ("unguarded update", "possible" if FREE_THREADED else "gil-only")
    assert report["protected"] == []


LOSES = """
import threading
counter = [0]
both_have_read = threading.Barrier(2)
one, other = threading.Lock(), threading.Lock()
with one, other: pass
def work({arguments}):
{body}
threads = [threading.Thread(target=work, args=(lock,), name=name) for lock, name in ((one, "a"), (other, "b"))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_different_locks(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "different.py"
    body = "    with lock:\n        count = counter[0]\n        both_have_read.wait()\n        counter[0] = count + 1"
    script.write_text(LOSES.format(arguments="lock", body=body))
    report = reported(record(script))
    (finding,) = report["findings"]
    assert report["protected"] == []
    (lost, by) = finding["held"]
    assert len(lost["throughout"]) == len(by["throughout"]) == 1
    assert lost["throughout"] != by["throughout"]
    assert any("No lock was seen that both threads held" in line for line in text(tmp_path))


def test_a_lock_that_a_thread_waited_by_is_none_that_it_holds(record: Callable[..., Recording], tmp_path: Path) -> None:
    """A thread that starts another one waits for it by a lock, which the other one releases; nobody takes that back."""
    script = tmp_path / "starts.py"
    body = (
        "    for _ in range(20):\n        helper = threading.Thread(target=int)\n        helper.start()\n"
        "        helper.join()\n    gate = threading.Lock()\n    gate.acquire()\n"
        "    opener = threading.Thread(target=gate.release)\n    opener.start()\n    gate.acquire()\n"
        "    with lock:\n        count = counter[0]\n        both_have_read.wait()\n        counter[0] = count + 1"
    )
    script.write_text(LOSES.format(arguments="lock", body=body))
    (finding,) = reported(record(script))["findings"]
    assert [len(held["throughout"]) for held in finding["held"]] == [1, 1]


def test_a_lock_released_between_in_between(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "let_go.py"
    body = "    with one: count = counter[0]\n    both_have_read.wait()\n    with one: counter[0] = count + 1"
    script.write_text(LOSES.format(arguments="lock", body=body))
    (finding,) = reported(record(script))["findings"]
    for held in finding["held"]:
        assert held["throughout"] == []
        assert held["at_read"] == held["at_write"] != []
    assert any("neither held it" in line for line in text(tmp_path))


def text(tmp_path: Path) -> list[str]:
    """The report's paragraphs, each as one line."""
    done = invoke("report", "-d", tmp_path / "trace.db")
    assert done.returncode == 0, done.stderr
    return [" ".join(part.split()) for part in done.stdout.split("\n\n")]


def test_of_the_last_events_no_more_is_said_than_is_known(record: Callable[..., Recording], tmp_path: Path) -> None:
    """The lock that the main thread holds was acquired before the events that are kept."""
    script = tmp_path / "last.py"
    script.write_text("""
import threading
lock = threading.Lock(); counter = [0]; other = [0]
lock.acquire(); lock.release()
def hold():
    with lock: pass
thread = threading.Thread(target=hold); thread.start(); thread.join()
lock.acquire()
for _ in range(400_000): other[0] += 1
def late():
    other[0] += 1
    with lock: counter[0] += 1
counter[0] += 1
thread = threading.Thread(target=late); thread.start()
lock.release(); thread.join()
""")
    report = reported(record("--last", "1000", script))
    assert report["limits"]["let_go"] > 0
    for each in report["protected"]:
        assert each["why"] != "lock", each


# The second thread begins as the first is done. It waits by a pipe, which is not recorded.
ELSEWHERE = """
import os, threading
class Box: count = 0
box, lock = Box(), threading.Lock()
box.count = 0
reader, writer = os.pipe()
def up():
    with lock: box.count += 1
def down():
    with lock: box.count -= 1
def first():
    for _ in range(3): up()
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    box.count += 2
    for _ in range(4): down()
    OTHER
threads = [threading.Thread(target=each) for each in (first, second)]
for each in threads: each.start()
for each in threads: each.join()
"""
HELD = "All 7 other writes to it, since a second thread came to it, held the Lock lock."


@pytest.mark.parametrize(("other", "is_told"), [("pass", True), ("if threads: box.count = 7", False)])
def test_a_finding_says_which_lock_all_other_writes_held(other: str, is_told: bool, scripts: Scripts) -> None:
    scripts.write("script.py", ELSEWHERE.replace("OTHER", other))
    assert scripts.record("script.py").returncode == 0
    report = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "unguarded against" in report
    assert (HELD in report) is is_told
    (told,) = json.loads(scripts.opcodetrace("report", "--format", "json").stdout)["findings"][:1]
    expected = {"lock": {"label": "lock", "type": "_thread.lock"}, "writes": 7}
    assert told["held_elsewhere"] == (expected if is_told else None)


SEVERAL = """
import threading
class Account:
    def __init__(self): self.balance, self.lock = 0, threading.Lock()
    def deposit(self):
        with self.lock: self.balance += 1
accounts, turns = [], threading.Barrier(2)
def work(makes):
    if makes: accounts.extend(Account() for _ in range(3))
    turns.wait()
    for each in accounts: each.deposit()
threads = [threading.Thread(target=work, args=(makes,)) for makes in (True, False)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_objects_of_a_class_are_told_together(tmp_path: Path, record: Callable[..., Recording]) -> None:
    # GIVEN three objects that a thread makes, each with a lock of its own
    script = tmp_path / "accounts.py"
    script.write_text(SEVERAL)
    # THEN they are one entry, and each has its own lock
    (told,) = reported(record(script))["protected"]
    assert (told["label"], told["cells"], told["why"], told["updates"]) == ("self.balance (Account)", 3, "lock", 9)
    assert len(told["objects"]) == 3
    assert "the Lock self.lock (lock), one of 3 of that name" in told["sentences"][0]
