"""Looks at queues, and what is taken or put in by them: what another thread took meanwhile, and what it could have."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, all_told_of
from tests.recording import Scripts

# Threads wait for each other by pipes, which are not recorded.
HEAD = """
import os, queue, threading
from contextlib import suppress
class Signal:
    def __init__(self): self.reader, self.writer = os.pipe()
    def give(self): os.write(self.writer, b".")
    def wait(self): os.read(self.reader, 1)
one, other, lock, errors = Signal(), Signal(), threading.Lock(), []
jobs, room, done = queue.Queue(), queue.Queue(1), threading.Event()
def run(*works):
    threads = [threading.Thread(target=work, name=work.__name__) for work in works]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
# `second` begins before `first` does anything, and goes on as that is done.
IN_TURN = f"""{HEAD}
def act():
    ACT
def first():
    other.wait()
    FIRST
    one.give()
def second():
    other.give()
    one.wait()
    SECOND
BEFORE
run(first, second)
"""
# `second` comes in after the look of `first`, and before that acts.
BETWEEN = f"""{HEAD}
def meanwhile():
    if threading.current_thread().name == "first": one.give(); other.wait()
def act():
    ACT
def first():
    try: act()
    except (queue.Empty, queue.Full) as error: errors.append(error)
def second():
    one.wait()
    SECOND
    other.give()
BEFORE
run(first, second)
"""
TAKE = "if not jobs.empty(): WAIT; jobs.get_nowait()"
PUT = "if not room.full(): WAIT; room.put_nowait(1)"
POSSIBLE = {  # what both do, what was there before, and what the other one does if it is something else
    "empty": (TAKE, "jobs.put(1)", "act()"),
    "a loop": ("while not jobs.empty(): WAIT; jobs.get_nowait()", "jobs.put(1); jobs.put(2)", "act()"),
    "a loop that is left": (
        "while True:\n        if jobs.empty(): break\n        WAIT; jobs.get(False)",
        "jobs.put(1)",
        "act()",
    ),
    "qsize": ("if jobs.qsize() > 0: WAIT; jobs.get(block=False)", "jobs.put(1)", "act()"),
    "the truth of qsize": ("if jobs.qsize(): WAIT; jobs.get_nowait()", "jobs.put(1)", "act()"),
    "qsize, the other way round": ("if jobs.qsize() == 0: return\n    WAIT; jobs.get_nowait()", "jobs.put(1)", "act()"),
    "a wait": ("if not jobs.empty(): WAIT; jobs.get()", "jobs.put(1)", "act()"),
    "more is asked": ("if not jobs.empty() and not errors: WAIT; jobs.get_nowait()", "jobs.put(1)", "act()"),
    "an expression": ("return jobs.get_nowait() if not jobs.empty() else None", "jobs.put(1)", "act()"),
    "no room": (PUT, "room.put(1); room.get()", "act()"),
    "the latest one": (
        "if room.full(): WAIT; room.get_nowait()",
        "room.put(1)",
        "with suppress(queue.Empty): room.get(timeout=0.01)",
    ),
    "a lock of one alone": (TAKE, "jobs.put(1)", "with lock: act()"),
    "a LifoQueue": (f"global jobs\n    {TAKE}", "jobs = queue.LifoQueue(); jobs.put(1)", "act()"),
}
NONE = {
    "a lock": (f"with lock:\n        {TAKE}", "jobs.put(1)", "act()"),
    "looked at again under a lock": (
        "if not jobs.empty():\n        with lock:\n            if not jobs.empty(): jobs.get_nowait()",
        "jobs.put(1)",
        "act()",
    ),
    "ready for it": (
        "if not jobs.empty():\n        with suppress(queue.Empty): jobs.get_nowait()",
        "jobs.put(1)",
        "act()",
    ),
    "ready for it, as it ends": (
        "while not jobs.empty():\n        try: jobs.get_nowait()\n        except queue.Empty: break",
        "jobs.put(1)",
        "act()",
    ),
    "enough for both": (TAKE, "jobs.put(1); jobs.put(2)", "act()"),
    "only looked at": (TAKE, "jobs.put(1)", "if jobs.empty(): print('done')"),
    "waited for": (TAKE, "jobs.put(1)", "done.wait(); act()"),
    "put in again": (TAKE, "jobs.put(1)", "jobs.put(2); act()"),
    "another queue": (TAKE, "jobs.put(1)", "room.empty() or room.get_nowait()"),
    "a wait for room": (
        "if not room.full(): WAIT; room.put(1)",
        "room.put(1); room.get()",
        "if not room.full(): room.put(1)",
    ),
    "no look": ("with suppress(queue.Empty): jobs.get_nowait()", "jobs.put(1)", "act()"),
    "room, and more is asked": (
        "if not room.full() and not errors: WAIT; room.put_nowait(1)",
        "room = queue.Queue(5); room.put(1); room.get()",
        "errors.append(1); act()",
    ),
    "room, and more is asked after that": (
        "if not room.full():\n        if not errors: room.put_nowait(1)",
        "room = queue.Queue(5); room.put(1); room.get()",
        "errors.append(1); act()",
    ),
}
FAILED = {
    "empty": (TAKE, "jobs.put(1)", "jobs.get()"),
    "the same": (TAKE, "jobs.put(1)", "act()"),
    "qsize": ("if jobs.qsize() >= 1: WAIT; jobs.get(False)", "jobs.put(1)", "jobs.get()"),
    "a call in between": ("while not jobs.empty():\n        WAIT\n        jobs.get_nowait()", "jobs.put(1)", "act()"),
    "no room": (PUT, "room.put(1); room.get()", "act()"),
}
EXPECTED = {  # nobody's fault, or foreseen
    "ready for it": (
        "if not jobs.empty():\n        WAIT\n        try: jobs.get_nowait()\n        except queue.Empty: pass",
        "jobs.put(1)",
        "jobs.get()",
    ),
    "no look": ("WAIT; jobs.get_nowait()", "jobs.put(1)", "jobs.get()"),
    "a look at another one": ("if not room.empty(): WAIT; jobs.get_nowait()", "jobs.put(1); room.put(1)", "jobs.get()"),
    "known": (f"{TAKE.replace('WAIT', 'WAIT; done.wait()')}", "jobs.put(1)", "jobs.get(); done.set()"),
    "not looked for": ("if jobs.empty(): WAIT; jobs.get_nowait()", "", "jobs.put(1); jobs.get()"),
}


def in_turn(act: str, before: str, second: str) -> str:
    first = "act()\n    done.set()" if "done.wait()" in second else "act()"
    parts = (("ACT", act), ("FIRST", first), ("SECOND", second), ("BEFORE", before), ("WAIT; ", ""))
    return _filled(IN_TURN, *parts)


def between(act: str, before: str, second: str) -> str:
    return _filled(BETWEEN, ("ACT", act), ("SECOND", second), ("BEFORE", before), ("WAIT", "meanwhile()"))


def _filled(source: str, *parts: tuple[str, str]) -> str:
    for word, part in parts:
        source = source.replace(word, part)
    return source


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: in_turn(*parts) for name, parts in (POSSIBLE | NONE).items()}
    assert len(programs) == len(POSSIBLE) + len(NONE)
    return all_told_of(programs, tmp_path_factory.mktemp("unguarded"))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {
        f"{name}{more}": between(*parts) + "\nprint(len(errors))"
        for more, forms in (("", FAILED), ("!", EXPECTED))
        for name, parts in forms.items()
    }
    return all_told_of(programs, tmp_path_factory.mktemp("failed"))


@pytest.mark.parametrize("name", POSSIBLE)
def test_another_thread_may_come_in_between(name: str, unguarded: dict[str, Told]) -> None:
    assert set(unguarded[name].findings) == {("unguarded check", "possible", "proven", "")}


@pytest.mark.parametrize("name", NONE)
def test_nobody_takes_it_away(name: str, unguarded: dict[str, Told]) -> None:
    assert unguarded[name].findings == []


@pytest.mark.parametrize("name", FAILED)
def test_it_was_taken_away(name: str, failed: dict[str, Told]) -> None:
    assert failed[name].printed == "1"
    assert set(failed[name].findings) == {("failed access", "happened", "proven", "")}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_was_foreseen(name: str, failed: dict[str, Told]) -> None:
    assert failed[f"{name}!"].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("possible.py", in_turn(TAKE, "jobs.put(1)", "act()"))
    scripts.write("happened.py", between(TAKE, "jobs.put(1)", "jobs.get()"))
    told = []
    for script in ("possible.py", "happened.py"):
        assert scripts.record(script).returncode == 0
        told.append(" ".join(scripts.opcodetrace("report").stdout.decode().split()))
    assert "first looked at the Queue jobs (line 16), and by that it took the last item (line 16)." in told[0]
    assert "second looked after that (line 16), and found nothing in it." in told[0]
    assert (
        "first looked at the Queue jobs (line 18), then second took an item (line 24), so that first found none"
        in told[1]
    )
