"""`record --last N`: the end of a run, and only that, however long it ran."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opcodetrace import pipeline, recorder
from opcodetrace.analyse.evidence import Evidence, gather
from opcodetrace.ingest.ingest import ingest
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.spool.folder import Meta, Spool
from opcodetrace.spool.layout import HEADER_SIZE, MAX_THREADS, MIN_RING, NEXT_OFFSET, RECORD_SIZE, ring_for
from opcodetrace.spool.options import Options
from opcodetrace.spool.sites import read_sites
from opcodetrace.spool.window import Window
from opcodetrace.store.database import Database
from opcodetrace.trace.event import ABSENT, Event, EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from tests.recording import Scripts, record

# A long time of nothing much, then an update that is lost for sure. Nobody spins: that would be read after read.
LONG = """
import sys, threading
class Account: pass
account = Account()
account.name = ''
rows, seen = {'total': 0}, []
def busy(rounds):
    for i in range(rounds):
        rows['total'] += 1
        account.name = f'name {i % 3000}'
        seen[:] = [b'%d' % (i % 300)]
        first = seen[0]
def lose():
    before = rows['total']
    ready.set()
    turn.wait()
    rows['total'] = before + 1
    account.name = 'the end'
other = threading.Thread(target=busy, args=(ROUNDS,), name='server')
other.start(); other.join()
print('ready', flush=True)
sys.stdin.readline()
other = threading.Thread(target=busy, args=(ROUNDS,), name='server')
other.start(); other.join()
ready, turn = threading.Event(), threading.Event()
last = threading.Thread(target=lose, name='last one')
last.start()
ready.wait()
rows['total'] += 1
turn.set()
last.join()
assert account.name == 'the end'
"""
ROUNDS = 80_000  # more records than a ring of MIN_RING holds


def long(rounds: int = ROUNDS) -> str:
    return LONG.replace("ROUNDS", str(rounds))


def test_the_end_of_a_long_run(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(long())
    done = record(tmp_path / "t.db", "--last", "20000", script)
    assert done.exit_code == 0, done.stderr
    with Database.open(tmp_path / "t.db") as database:
        run = database.run()
        threads = database.threads(run.id)
        events = database.events(run.id, 0, 1 << 62)
        locations = database.locations(run.id)
    assert (run.last, run.records, run.holes, run.unseen) == (20_000, 20_000, 0, 0)
    assert run.let_go > 2 * MIN_RING
    assert {thread.name for thread in threads} >= {"MainThread", "last one"}
    assert all(thread.name for thread in threads)
    assert events[0].seq >= run.let_go
    assert {each.label for each in locations.values()} == {"account.name", "rows['total']"}
    assert {each.container_type for each in locations.values()} == {"Account", "dict"}
    assert all(event.value is not ABSENT for event in events if event.kind != EventKind.DELETE)
    assert f"the first {run.let_go:,} events were evicted (--last 20,000)" in done.stderr


def test_what_is_found_in_the_end(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(long())
    done = record(tmp_path / "t.db", "--last", "50000", script)
    assert done.exit_code == 0, done.stderr
    assert done.lost() == {"rows['total']": 1}
    assert done.bounds() == {"rows['total']": (1, 1)}
    assert done.query("SELECT lost_value - read_value FROM lost_updates") == [(1,)]


TASKS = """
import asyncio

counter, steps = [0], [0]

async def work():
    value = counter[0]
    steps[0] += 1
    await asyncio.sleep(0)
    steps[0] += 1
    counter[0] = value + 1

async def main():
    for _ in range(NUMBER // 2):
        await asyncio.gather(work(), work())
    assert (counter[0], steps[0]) == (NUMBER // 2, 2 * NUMBER)

asyncio.run(main())
""".replace("NUMBER", str(MAX_THREADS + 10_000))


def test_more_tasks_than_there_are_numbers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TASKS)
    done = record(tmp_path / "t.db", "--last", "2000", script)
    assert done.exit_code == 0, done.stderr
    with Database.open(tmp_path / "t.db") as database:
        run = database.run()
        tasks = [thread for thread in database.threads(run.id) if thread.task_of is not None]
        events = database.events(run.id, 0, 1 << 62)
    assert run.missed == 0
    assert run.let_go > MIN_RING
    assert len({task.name for task in tasks}) == len(tasks) > 50
    last = MAX_THREADS + 10_001  # Task-1 is main()
    assert {f"Task-{last - 1}", f"Task-{last}"} <= {task.name for task in tasks}
    writes = Counter(event.thread for event in events if event.kind == EventKind.WRITE)
    assert max(writes[task.thread] for task in tasks) == 3  # a number that was given once more is one task's
    # Of each two tasks one loses the other's update; the oldest two may be kept in part.
    (lost,) = done.lost().values()
    assert len(tasks) // 2 - 2 <= lost <= len(tasks) // 2


def test_a_run_that_is_shorter_than_that(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(long(100))
    done = record(tmp_path / "t.db", "--last", "50000", script)
    assert done.query("SELECT last, let_go FROM runs") == [(50000, 0)]
    assert "evicted" not in done.stderr


def test_the_collector_is_not_needed(scripts: Scripts) -> None:
    """It is killed, and a ring's worth of events later the run is whole all the same."""
    scripts.write("script.py", long())
    collector = scripts.start("--last", "50000", "script.py")
    assert collector.stdout is not None
    assert collector.stdout.readline() == b"ready\n"
    (folder,) = scripts.spools()
    meta = Meta.from_json((folder / "meta.json").read_bytes())
    collector.kill()
    collector.wait()
    collector.communicate(b"line\n")
    assert meta.process is not None
    while meta.process.is_alive():
        os.sched_yield()
    assert scripts.opcodetrace("recover").stdout == b"recovered: run 1\n"
    with Database.open(scripts.database) as database:
        run = database.run()
        assert (run.records, run.lost, run.truncated) == (50_000, 1, None)
        assert run.let_go > 3 * MIN_RING


def test_the_numbers_of_events_go_beyond_32_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create, start = Window.create, (1 << 32) - 2 * MIN_RING

    def late(path: str, **options: Any) -> Window:
        window = create(path, **options)
        struct.pack_into("<Q", window._map, NEXT_OFFSET, start)
        return window

    monkeypatch.setattr(Window, "create", late)
    monkeypatch.setattr("sys.stdin", None)
    script = tmp_path / "script.py"
    script.write_text(long())
    done = recorder.record(script, database=tmp_path / "t.db", options=Options(last=50_000))
    assert (done.outcome.exit_code, done.failure) == (0, None)
    with Database.open(tmp_path / "t.db") as database:
        run = database.run()
        events = database.events(run.id, 0, 1 << 62)
        names = {thread.name for thread in database.threads(run.id)}
        locations = database.locations(run.id)
    assert (run.records, run.holes, run.lost, run.unseen) == (50_000, 0, 1, 0)
    assert run.let_go > 1 << 32
    assert {"MainThread", "last one"} <= names
    assert run.let_go <= events[0].seq <= events[-1].seq < run.let_go + 50_000
    whole = {each.id for each in locations.values() if each.kind is LocationKind.WHOLE}  # of these no value is recorded
    assert all(event.value is not ABSENT for event in events if event.location not in whole)


MIXED = """
import threading
turns = threading.Barrier(3)
def lose():
    v = shared[0]
    turns.wait()
    shared[0] = v + 1
    turns.wait()
shared, private = [0], [[0] for _ in range(3)]
class Box: pass
box = Box(); box.n = 0; box.s = ''
def work(me):
    lose()
    try:
        mix(me)
    except AttributeError:
        pass  # a box that has no s: another thread deleted it
    lose()
def mix(me):
    for i in range(120):
        for cell in (shared, private[me], shared):
            v = cell[0]
            cell[0] = v + 1
        old = box.n
        box.s = str(i)
        shared[0] = old if i % 7 else 0
        box.n = old + 1
        del box.s
        if i % 10 == 0:
            boxes = [Box() for _ in range(5)]
            for b in boxes: b.n = i
threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
import sys
sys.setswitchinterval(1e-6)
for t in threads: t.start()
for t in threads: t.join()
"""


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a run with many short interleavings left."""
    store = pipeline.store_run

    def copied(spool: Spool, meta: Meta, database: Path) -> tuple[int, list[str]]:
        shutil.copytree(spool.folder, tmp_path / "spool")
        return store(spool, meta, database)

    monkeypatch.setattr(pipeline, "store_run", copied)
    script = tmp_path / "script.py"
    script.write_text(MIXED)
    done = recorder.record(script, database=tmp_path / "t.db")
    assert (done.outcome.exit_code, done.failure) == (0, None)
    return tmp_path / "spool"


def analysed(window: Path, folder: Path, last: int | None) -> tuple[Trace, Evidence]:
    sites = read_sites(folder / "sites")
    trace = ingest(window, sites.files, sites.codes, last=last)
    return trace, gather(trace)


@pytest.mark.skipif(FREE_THREADED, reason="there the findings are those of one of several orders")
def test_what_is_found_in_the_last_events_is_found_in_the_whole(spool: Path) -> None:
    trace, whole = analysed(spool / "window", spool, None)
    assert whole.lost
    lost, unseen = {row.lost for row in whole.lost}, {write.seq for write in whole.unseen}
    some = 0
    for last in range(1, trace.records, max(1, trace.records // 60)):
        end, found = analysed(spool / "window", spool, last)
        assert (end.records, end.let_go) == (last, trace.records - last)
        assert {row.lost for row in found.lost} <= lost
        assert {write.seq for write in found.unseen} <= unseen
        some += bool(found.lost)
    assert some


def unvalued(trace: Trace) -> list[Event]:
    """The events without their values; frames by the order in which they come: their numbers are names."""
    frames: dict[int, int] = {}
    return [
        event._replace(value=None, frame=frames.setdefault(event.frame, len(frames)) if event.frame else 0)
        for event in trace.events
    ]


def test_a_ring_holds_the_same_as_a_window(spool: Path, tmp_path: Path) -> None:
    """The records of a window, laid out as a ring in which they went round several times."""
    with Window.open(spool / "window") as window:
        data, flags = window.records(), window.flags
    records = [data[at : at + RECORD_SIZE] for at in range(0, len(data), RECORD_SIZE)]
    size = 1 << (len(records) // 3).bit_length()
    assert size < len(records)
    Window.create(tmp_path / "ring", last=1).close()
    head = bytearray((tmp_path / "ring").read_bytes()[:HEADER_SIZE])
    struct.pack_into("<I", head, 20, flags)
    struct.pack_into("<QQQ", head, 24, 1 << 62, 0, size)
    struct.pack_into("<Q", head, NEXT_OFFSET, len(records))
    ring = [b""] * size
    for seq, one in enumerate(records):
        ring[seq % size] = one
    (tmp_path / "ring").write_bytes(bytes(head) + b"".join(ring))
    for last in (1, 100, size // 2, size):
        line, of_line = analysed(spool / "window", spool, last)
        circle, of_circle = analysed(tmp_path / "ring", spool, last)
        # texts, types and threads that were named once, long before, are not in this ring
        assert unvalued(circle) == unvalued(line)
        assert [(one.first_seq, one.last_seq) for one in circle.threads] == [
            (one.first_seq, one.last_seq) for one in line.threads
        ]
        assert circle.switches == [
            replace(one, callee=mine.callee) for one, mine in zip(line.switches, circle.switches, strict=True)
        ]
        assert {row.lost for row in of_circle.lost} == {row.lost for row in of_line.lost}


def test_a_ring_takes_the_disk_it_needs_and_no_more(tmp_path: Path) -> None:
    with Window.create(tmp_path / "window", last=1_000_000) as window:
        assert (window.ring, os.stat(window.path).st_size) == (1 << 21, HEADER_SIZE + (RECORD_SIZE << 21))
        for written in (1 << 19, 1 << 20, (1 << 21) - 1, 1 << 40):
            struct.pack_into("<Q", window._map, NEXT_OFFSET, written)
            window.go_ahead()
            assert os.stat(window.path).st_blocks * 512 < HEADER_SIZE + (RECORD_SIZE << 21) + (1 << 20)
    with Window.open(tmp_path / "window") as window:
        assert window.ring == 1 << 21


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--last", "0"], "--last"),
        (["--last", "99999999999"], "--last"),
        (["--last", "1000", "--max-events", "10"], "--max-events 10"),
        (["--last", "1000000", "--window", "64M"], "--window 96M"),
        (["--last", "100000000"], "--window 12288M"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, options: list[str], says: str) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('ran')")
    done = record(tmp_path / "t.db", *options, script)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_many_runs_each_keep_their_last(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("for i in range(200):\n    x = [i]\n    x[0] += 1\n")
    done = record(tmp_path / "t.db", "--runs", "3", "--last", "50", script)
    assert done.exit_code == 0, done.stderr
    rows = done.query("SELECT records, let_go > 0 FROM runs")
    assert rows == [(50, 1)] * 3


def test_the_report_says_so(tmp_path: Path, scripts: Scripts) -> None:
    scripts.write("script.py", "for i in range(200):\n    x = [i]\n    x[0] += 1\n")
    assert scripts.record("--last", "50", "script.py").returncode == 0
    with Database.open(scripts.database) as database:
        let_go = database.run().let_go
    report = b" ".join(scripts.opcodetrace("report").stdout.split())
    assert f"the first {let_go:,} events (--last 50)".encode() in report
    limits = json.loads(scripts.opcodetrace("report", "--format", "json").stdout)["limits"]
    assert (limits["last"], limits["let_go"]) == (50, let_go)


@pytest.mark.parametrize(("last", "size"), [(1, MIN_RING), (10**6, 1 << 21), (1 << 21, 1 << 22), (1 << 30, 1 << 31)])
def test_the_size_of_a_ring(last: int, size: int) -> None:
    assert ring_for(last) == size
