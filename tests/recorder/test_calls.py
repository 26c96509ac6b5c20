"""`record --calls`: the caller of each function."""

from collections.abc import Callable
from pathlib import Path

from tests.recording import Recording

PROGRAM = """\
import threading, time
total = 0

def add():
    global total
    value = total
    time.sleep(0)
    total = value + 1

def deep(left):
    if left:
        deep(left - 1)
    else:
        add()

def through_library(times):
    list(map(lambda n: add(), range(times)))

def generated():
    for _ in range(5):
        add()
        yield

def work():
    for _ in range(20):
        deep(2)
    through_library(5)
    for _ in generated():
        pass

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
STACKS = """
WITH RECURSIVE stack (seq, depth, function, caller_seq, caller) AS (
    SELECT event.seq, 0, callers.function, callers.caller_seq, callers.caller
    FROM events AS event JOIN calls ON calls.run_id = event.run_id AND calls.frame = event.frame AND calls.seq = (
        SELECT max(seq) FROM calls AS earlier
        WHERE earlier.run_id = event.run_id AND earlier.frame = event.frame AND earlier.seq < event.seq)
    JOIN callers ON callers.run_id = event.run_id AND callers.seq = calls.seq
    WHERE event.kind = 2 AND event.thread > 0
    UNION ALL
    SELECT stack.seq, depth + 1, callers.function, callers.caller_seq, callers.caller
    FROM stack JOIN callers ON callers.seq = stack.caller_seq
)
SELECT seq, group_concat(function, ' < ') FROM (SELECT * FROM stack ORDER BY seq, depth) GROUP BY seq"""


def test_stacks(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    recording = record("--calls", script)
    assert recording.exit_code == 0, recording.stderr
    stacks = [str(stack) for _, stack in recording.query(STACKS)]
    deep, library = (
        "add < deep < deep < deep < work",
        "add < through_library.<locals>.<lambda> < through_library < work",
    )
    assert sorted(stacks) == sorted(2 * (20 * [deep] + 5 * [library] + 5 * ["add < generated < work"]))
    lines = recording.query("SELECT DISTINCT line, expression FROM callers WHERE function = 'deep' AND caller = 'work'")
    assert lines == [(26, "deep(2)")]
    if recording.lost():
        assert "The lost write was reached from" in " ".join(recording.stderr.split())


def test_without_it_nothing_is_kept(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    recording = record(script)
    assert recording.query("SELECT count(*) FROM calls") == [(0,)]
