"""Processes that write one trace file at the same time, or are killed while they do."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from opcodetrace.store.database import Database
from opcodetrace.trace.event import Event, EventKind
from tests.recording import ROOT, environment
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace, no_findings

RUNS_EACH = 8


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    inherited = environment()
    paths = os.pathsep.join([*filter(None, [inherited.get("PYTHONPATH")]), str(ROOT)])  # these tests as well
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=inherited | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )


WRITER = f"""
import pathlib, sys
from dataclasses import replace
from opcodetrace.store.database import Database
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace
print("ready", flush=True)
sys.stdin.readline()
for number in range({RUNS_EACH}):
    with Database.open(pathlib.Path(sys.argv[1]), create=True) as database:
        database.add_run(replace(INFO, script=f"{{sys.argv[2]}}-{{number}}"), OUTCOME, make_trace(), FINDINGS)
"""

KILLED = """
import os, pathlib, signal, sys
from opcodetrace.store import writer as store
from opcodetrace.store.database import Database
from opcodetrace.trace.event import Event, EventKind
from tests.traces import INFO, OUTCOME, make_trace, no_findings

store.CACHE_KIB = 100  # so that pages of the unfinished run reach the file
trace = make_trace([Event(seq, seq, 0, 10, EventKind.READ, 3, seq, 0) for seq in range(int(sys.argv[2]))])
with Database.open(pathlib.Path(sys.argv[1]), create=True) as database:
    add_switches = Database._add_switches
    def killed(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    Database._add_switches = killed
    database.add_run(INFO, OUTCOME, trace, no_findings(trace))
"""


def test_each_waits_for_the_other(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.db"
    writers = [start(WRITER, path, name) for name in "abc"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n")
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Database.open(path) as database:
        runs = database.runs()
        assert {run.info.script for run in runs} == {f"{name}-{n}" for name in "abc" for n in range(RUNS_EACH)}
        assert [run.id for run in runs] == list(range(1, 3 * RUNS_EACH + 1))
        assert all(len(database.events(run.id, 0, 100)) == 5 for run in runs)
        assert database.query("PRAGMA table_info(runs)")


@pytest.mark.parametrize("events", [10, 20_000])
def test_a_writer_that_is_killed_leaves_the_earlier_runs(tmp_path: pathlib.Path, events: int) -> None:
    # GIVEN a file that holds a run
    path = tmp_path / "trace.db"
    with Database.open(path, create=True) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
    size = path.stat().st_size
    # WHEN a writer of another one is killed in the middle of it
    writer = start(KILLED, path, events)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    if events > 10:
        assert path.stat().st_size > size
    # THEN readers see the first run alone, and the next writer goes on
    with Database.open(path) as database:
        assert [run.id for run in database.runs()] == [1]
        assert len(database.events(1, 0, 100)) == 5
        assert database.query("SELECT count(*) FROM events")[1] == [(5,)]
    with Database.open(path, create=True) as database:
        more = [Event(seq, seq, 0, 10, EventKind.READ, 3, seq, 0) for seq in range(10)]
        trace = make_trace(more)
        assert database.add_run(INFO, OUTCOME, trace, no_findings(trace)) == 2
        assert len(database.events(2, 0, 100)) == 10
    assert list(tmp_path.iterdir()) == [path]
