"""What stays of a recording whose collector is killed, and how it gets into the database."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from opcodetrace import pipeline, recorder
from opcodetrace.errors import DatabaseError, SpoolError
from opcodetrace.spool import window
from opcodetrace.spool.folder import Meta, Process, Spool, orphans
from opcodetrace.spool.layout import (
    FLAGS_OFFSET,
    HEADER_SIZE,
    LIMIT_OFFSET,
    NEXT_OFFSET,
    RECORD_SIZE,
    HeaderFlag,
)
from opcodetrace.spool.options import Options, StoredOptions
from opcodetrace.spool.window import Window
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace_cli import main
from tests.recording import Scripts

INFO = RunInfo("2026-01-01T00:00:00.000+00:00", "s.py", ("a", "é"), "3.13.0", "3.13.0 (main)", True, 0.5, "/tmp")
META = Meta(INFO)
COUNTS = """
import threading
counter = [0]
def work():
    for _ in range(1000):
        counter[0] += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print('ready', flush=True)
print(input(), flush=True)
"""


def runs(scripts: Scripts) -> list[tuple[object, ...]]:
    return scripts.query("SELECT script, exit_code, recovered FROM runs ORDER BY id")


def start_recording(scripts: Scripts) -> tuple[subprocess.Popen[bytes], Process]:
    """Gives the recording, its script waiting for a line."""
    collector = scripts.start("script.py")
    assert collector.stdout is not None
    assert collector.stdout.readline() == b"ready\n"
    (folder,) = scripts.spools()
    process = None
    while process is None:  # the script may be quicker than the recorder that notes it
        process = json.loads((folder / "meta.json").read_text())["process"]
    return collector, Process(**process)


def kill_the_collector(scripts: Scripts) -> tuple[subprocess.Popen[bytes], Process]:
    """The same, the collector killed."""
    collector, script = start_recording(scripts)
    collector.kill()
    collector.wait()
    return collector, script


def until_ended(script: Process) -> None:
    """It is not ours to wait for."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(script.pid)
        select.select([descriptor], [], [])
        os.close(descriptor)


def end_the_script(collector: subprocess.Popen[bytes], script: Process) -> None:
    stdout, _ = collector.communicate(b"line\n")
    assert stdout == b"line\n"
    until_ended(script)


def test_the_run_of_a_killed_collector_is_recovered(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    collector, script = kill_the_collector(scripts)
    early = scripts.opcodetrace("recover")
    assert early.returncode == 0
    assert f"process {script.pid}, which it records, still runs".encode() in early.stderr
    assert len(scripts.spools()) == 1
    end_the_script(collector, script)
    done = scripts.opcodetrace("recover")
    assert (done.returncode, done.stdout) == (0, b"recovered: run 1\n"), done.stderr
    assert runs(scripts) == [("script.py", None, 1)]
    assert scripts.spools() == []
    assert b"nothing to recover" in scripts.opcodetrace("recover").stdout


def test_the_next_recording_recovers_it_without_a_word(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    collector, script = kill_the_collector(scripts)
    end_the_script(collector, script)
    scripts.write("next.py", "print('next')")
    done = scripts.recorded("next.py")
    assert (done.stdout, done.stderr) == (b"next\n", b"")
    assert runs(scripts) == [("script.py", None, 1), ("next.py", 0, 0)]
    assert scripts.spools() == []


def test_the_list_of_runs_recovers_it_and_says_so(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    collector, script = kill_the_collector(scripts)
    end_the_script(collector, script)
    done = scripts.opcodetrace("runs")
    assert b"run 1 was recovered" in done.stderr
    assert b"script.py" in done.stdout
    assert scripts.spools() == []


WRITES = """
own = [0]
def work(times):
    for i in range(times):
        own[0] = i
work(1)
print('ready', flush=True)
times = int(input())
work(times)
print('written', flush=True)
input()
"""


@pytest.mark.parametrize("signum", [signal.SIGSTOP, signal.SIGKILL])
def test_nothing_is_lost_while_no_collector_runs(signum: signal.Signals, scripts: Scripts) -> None:
    """Much more is written than what the collector was ahead."""
    times = 4 * window.WARM // RECORD_SIZE
    scripts.write("script.py", WRITES)
    collector, script = start_recording(scripts)
    assert collector.stdin is not None
    assert collector.stdout is not None
    collector.send_signal(signum)
    os.waitid(os.P_PID, collector.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    collector.stdin.write(b"%d\n" % times)
    collector.stdin.flush()
    assert collector.stdout.readline() == b"written\n"
    if signum == signal.SIGSTOP:
        collector.send_signal(signal.SIGCONT)
    assert collector.communicate(b"\n")[0] == b""
    until_ended(script)
    scripts.opcodetrace("recover")
    assert scripts.query("SELECT accesses, truncated, missed FROM runs") == [(times + 1, None, 0)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the collector allocates")
def test_a_full_disk_is_told(scripts: Scripts) -> None:
    """What is cut off from the window's file has no blocks, and no write can give it any."""
    scripts.write("script.py", WRITES)
    collector, _ = start_recording(scripts)
    (folder,) = scripts.spools()
    with Window.open(folder / "window") as opened:
        limit = opened.limit
    os.truncate(folder / "window", HEADER_SIZE + limit * RECORD_SIZE)
    assert collector.communicate(b"100000\n\n") == (b"written\n", b"")
    assert collector.returncode == 0
    assert scripts.query("SELECT truncated, truncated_seq, records FROM runs") == [("disk full", limit, limit)]
    assert b"recording ended after 4,096 records (disk full)" in scripts.opcodetrace("report").stdout


def test_a_script_and_its_collector_killed_together(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    collector, script = start_recording(scripts)
    os.killpg(collector.pid, signal.SIGKILL)
    collector.communicate()
    until_ended(script)
    assert scripts.opcodetrace("recover").stdout == b"recovered: run 1\n"


def test_two_recorders_share_a_database(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    first, second = scripts.start("script.py"), scripts.start("script.py")
    for process in (first, second):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    assert len(scripts.spools()) == 2
    assert scripts.opcodetrace("recover").stdout.startswith(b"nothing to recover")
    for process in (first, second):
        assert process.communicate(b"x\n") == (b"x\n", b"")
        assert process.returncode == 0
    assert runs(scripts) == [("script.py", 0, 0)] * 2


def test_meta_survives_the_way_to_the_file_and_back(tmp_path: Path) -> None:
    full = replace(META, process=Process(1, "x"), outcome=Outcome(3, None, 1.5, stdout_tail="é\udc80"))
    spool = Spool.create(tmp_path / "t.db", full, StoredOptions(Options()))
    assert spool.read_meta() == full
    spool.write_meta(META)
    assert spool.read_meta() == META
    spool.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_is_an_orphan_when_its_collector_let_go(tmp_path: Path) -> None:
    database = tmp_path / "t.db"
    spool = Spool.create(database, META, StoredOptions(Options()))
    assert list(orphans(database)) == []
    spool.release()
    (orphan,) = orphans(database)
    assert list(orphans(database)) == []
    orphan.release()
    assert list(orphans(tmp_path / "other.db")) == []


def test_each_spool_has_a_folder_of_its_own(tmp_path: Path) -> None:
    spools = [Spool.create(tmp_path / "t.db", META, StoredOptions(Options())) for _ in range(3)]
    assert len({spool.folder for spool in spools}) == 3
    for spool in spools:
        spool.delete()


def test_a_folder_left_by_a_process_of_our_id_is_not_taken(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path / "t.db", META, StoredOptions(Options()))
    number = int(spool.folder.name.rpartition("-")[2])
    old = spool.folder.with_name(f"t.db.spool-{os.getpid()}-{number + 1}")
    old.mkdir()
    (old / "meta.json").write_bytes(META.to_json())
    following = Spool.create(tmp_path / "t.db", META, StoredOptions(Options()))
    assert following.folder != old
    assert (old / "meta.json").exists()


def test_what_cannot_be_recovered_disturbs_no_recording(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts.write("script.py", COUNTS)
    collector, script = kill_the_collector(scripts)
    end_the_script(collector, script)
    (folder,) = scripts.spools()
    tried = []

    def failing(*_: object) -> int:
        tried.append(1)
        raise ZeroDivisionError("of ours")

    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "store_run", failing)
        assert recorder.recover(scripts.database, said.append) == []
        (line,) = said
        assert line.startswith(f"{folder} is left as it is: internal error at test_spools.py:")
        assert "ZeroDivisionError: of ours" in line
        assert recorder.recover(scripts.database, said.append, again=False) == []
        assert len(tried) == 1
        assert scripts.spools() == [folder]
    assert recorder.recover(scripts.database, said.append) == [1]
    assert scripts.spools() == []


def test_a_trace_that_cannot_be_stored_stays_in_its_spool(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    script = scripts.write("script.py", "raise SystemExit(0)")

    def full(*_: object) -> int:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "store_run", full)
        recording = recorder.record(script, database=scripts.database)
    assert (recording.outcome.exit_code, recording.exit_code, recording.run) == (0, 74, None)
    assert scripts.spools() == [recording.spool]
    assert recorder.recover(scripts.database, print) == [1]
    assert runs(scripts) == [(str(script), 0, 1)]


@pytest.mark.parametrize("whole", [False, True])
def test_a_fault_of_ours_is_told_as_one_and_the_run_is_kept(
    whole: bool, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> tuple[int, list[str]]:
        raise sqlite3.OperationalError("no such table: files")

    script = scripts.write("script.py", "print(1)")
    if whole:
        monkeypatch.setenv("OPCODETRACE_TRACEBACK", "1")
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "store_run", wrong)
        done = CliRunner().invoke(main, ["record", "-q", "-d", str(scripts.database), str(script)])
    (folder,) = scripts.spools()
    told = done.stderr.splitlines()
    assert done.exit_code == 70
    assert told[-2].startswith("opcodetrace: internal error at ")
    assert "OperationalError: no such table: " in told[-2]
    assert str(folder) in told[-1]
    assert f"opcodetrace recover -d {scripts.database}" in told[-1]
    assert told[:-2] == [] if not whole else told[0].startswith("Traceback")
    recovered = scripts.opcodetrace("recover")
    assert recovered.stdout == b"recovered: run 1\n", recovered.stderr


def test_a_trace_file_that_was_changed_meanwhile_keeps_the_run_out(scripts: Scripts) -> None:
    scripts.write("script.py", CHANGES)
    done = scripts.recorded("script.py", str(scripts.database))
    (folder,) = scripts.spools()
    told = done.stderr.decode().splitlines()
    assert done.returncode == 74
    assert "the trigger trap" in told[0]
    assert str(folder) in told[1]


CHANGES = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("CREATE TRIGGER trap AFTER INSERT ON runs BEGIN SELECT 1; END")
"""


def empty_spool(database: Path) -> Path:
    """A spool whose collector is gone."""
    spool = Spool.create(database, replace(META, outcome=Outcome(0, None, 1.0)), StoredOptions(Options()))
    Window.create(spool.window, window_bytes=1 << 20).close()
    with spool.window.open("r+b") as file:
        file.seek(FLAGS_OFFSET)
        file.write(bytes([HeaderFlag.ATTACHED]))
    spool.release()
    return spool.folder


def test_what_is_in_a_spool_is_its_user_s_own(tmp_path: Path) -> None:
    """Links, pipes and devices in place of its files are not read, and no FIFO is waited for."""
    database = tmp_path / "t.db"
    secret = tmp_path / "secret"
    secret.write_text("{}")
    for name in ("meta.json", "options.json", "sites", "window"):
        for kind in ("link", "fifo", "device", "folder"):
            folder = empty_spool(database)
            (folder / name).unlink()
            if kind == "link":
                (folder / name).symlink_to(secret)
            elif kind == "fifo":
                os.mkfifo(folder / name)
            elif kind == "device":
                (folder / name).symlink_to("/dev/zero")
            else:
                (folder / name).mkdir()
            said: list[str] = []
            assert recorder.recover(database, said.append) == []
            assert "internal error" not in str(said), (name, kind, said)
            shutil.rmtree(folder, ignore_errors=True)
    assert secret.read_text() == "{}"


def test_a_spool_that_is_a_link_is_none(tmp_path: Path) -> None:
    folder = empty_spool(tmp_path / "other.db")
    (tmp_path / "t.db.spool-1-1").symlink_to(folder)
    assert list(orphans(tmp_path / "t.db")) == []
    assert [spool.folder for spool in orphans(tmp_path / "other.db")] == [folder]


def test_another_user_s_spool_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_spool(tmp_path / "t.db")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert list(orphans(tmp_path / "t.db")) == []


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("meta.json", "[" * 100_000),
        ("meta.json", META.to_json().decode().replace('"s.py"', "7")),
        ("meta.json", META.to_json().decode().replace("0.5", "-1")),
        ("options.json", "[" * 100_000),
        ("options.json", StoredOptions(Options()).to_json().decode().replace("1073741824", '"x"')),
        ("sites", "\xff" * 50),
    ],
)
def test_a_damaged_file_in_a_spool_is_told_in_a_line(tmp_path: Path, name: str, contents: str) -> None:
    folder = empty_spool(tmp_path / "t.db")
    (folder / name).write_text(contents)
    said: list[str] = []
    runs = recorder.recover(tmp_path / "t.db", said.append)
    assert runs == []
    assert "damaged" in said[0]
    assert "internal error" not in str(said)


def test_a_window_that_says_more_than_it_holds(tmp_path: Path) -> None:
    folder = empty_spool(tmp_path / "t.db")
    with (folder / "window").open("r+b") as file:
        file.truncate(1 << 40)
        file.seek(LIMIT_OFFSET)
        file.write((1 << 34).to_bytes(8, "little"))
        file.seek(NEXT_OFFSET)
        file.write((1 << 34).to_bytes(8, "little"))
    said: list[str] = []
    assert recorder.recover(tmp_path / "t.db", said.append) == []
    assert "no blocks" in said[0]


def test_it_is_told_how_much_there_is_to_store(scripts: Scripts) -> None:
    target = recorder.Target(str(scripts.write("script.py", "print(sum([1, 2]))")))
    told: list[int] = []
    for _ in recorder.record_many(target, scripts.database, Options(), 2, before_storing=told.append):
        pass
    assert [(records,) for records in told] == scripts.query("SELECT records FROM runs ORDER BY id")


SIGNAL_WHILE_DELETING = """
import os, signal, sys
from opcodetrace.spool import folder
from opcodetrace_cli import main
remove = folder._remove
signum = int(sys.argv.pop(1))
def interrupted(path):
    if (path / "window").exists():
        (path / "sites").unlink()
        os.kill(os.getpid(), signum)
    remove(path)
folder._remove = interrupted
main()
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_spool_is_deleted_comes_too_late(signum: int, scripts: Scripts) -> None:
    scripts.write("script.py", "print(1)")
    command = [sys.executable, "-c", SIGNAL_WHILE_DELETING, str(int(signum))]
    done = scripts.run([*command, "record", "-q", "-d", scripts.database, "script.py"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")
    assert runs(scripts) == [("script.py", 0, 0)]
    assert list(scripts.database.parent.iterdir()) == [scripts.database]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_recovered_spool_is_deleted_leaves_nothing(signum: int, scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    end_the_script(*kill_the_collector(scripts))
    command = [sys.executable, "-c", SIGNAL_WHILE_DELETING, str(int(signum))]
    scripts.run([*command, "recover", "-d", scripts.database])
    assert runs(scripts) == [("script.py", None, 1)]
    assert list(scripts.database.parent.iterdir()) == [scripts.database]


def test_what_a_collector_left_half_made_is_swept(tmp_path: Path) -> None:
    left = tmp_path / ".t.db.spool-1-1.unfinished"
    left.mkdir()
    assert list(orphans(tmp_path / "t.db")) == []
    assert left.exists()
    os.utime(left, (0, 0))
    assert list(orphans(tmp_path / "t.db")) == []
    assert not left.exists()


def test_a_damaged_spool_is_left_and_named(scripts: Scripts) -> None:
    folder = scripts.database.with_name("trace.db.spool-1-1")
    folder.mkdir()
    (folder / "meta.json").write_text("{")
    done = scripts.opcodetrace("recover")
    assert done.returncode == 0
    assert str(folder).encode() in done.stderr
    assert folder.exists()


def orphan(scripts: Scripts) -> Path:
    """The spool of a recording whose collector was killed."""
    scripts.write("script.py", COUNTS)
    end_the_script(*kill_the_collector(scripts))
    (folder,) = scripts.spools()
    with Window.open(folder / "window") as opened:
        recorded = opened.next
    os.truncate(folder / "window", HEADER_SIZE + recorded * RECORD_SIZE)  # the tests read and write the whole file
    return folder


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_in_the_records(path: Path) -> None:
    os.truncate(path, HEADER_SIZE + 100 * RECORD_SIZE)


def cut_in_the_header(path: Path) -> None:
    os.truncate(path, 100)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * 64)


def zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(64))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("sites", damage) for damage in (Path.unlink, emptied, halved, zeroed)),
        *(("options.json", damage) for damage in (Path.unlink, overwritten)),
    ],
)
def test_what_cannot_be_read_is_never_deleted(name: str, damage: Callable[[Path], None], scripts: Scripts) -> None:
    left_as_it_is(scripts, orphan(scripts), name, damage)


def without_flags(path: Path) -> None:
    """It says that no process recorded into it."""
    with path.open("r+b") as file:
        file.seek(FLAGS_OFFSET)
        file.write(bytes(4))


@pytest.mark.parametrize("damage", [Path.unlink, cut_in_the_header, cut_in_the_records, overwritten, without_flags])
def test_a_window_that_cannot_be_read_is_never_deleted(damage: Callable[[Path], None], scripts: Scripts) -> None:
    left_as_it_is(scripts, orphan(scripts), "window", damage)


def left_as_it_is(scripts: Scripts, folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    whole = (folder / name).read_bytes()
    damage(folder / name)
    damaged = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "meta.json"}
    for _ in range(2):
        done = scripts.opcodetrace("recover")
        assert done.returncode == 0
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith(f"opcodetrace: {folder} is left as it is: ")
        assert name in line
    for command in ("runs", "report"):  # what disturbs nobody else
        assert scripts.opcodetrace(command).returncode in (0, 2)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "meta.json"} == damaged
    assert not scripts.database.exists() or runs(scripts) == []
    # what was lost is found again
    (folder / name).write_bytes(whole)
    assert scripts.opcodetrace("recover").stdout == b"recovered: run 1\n"
    assert scripts.spools() == []


@pytest.mark.parametrize("damage", [Path.unlink, emptied, halved, overwritten])
def test_a_run_without_its_meta_is_recovered_as_far_as_possible(
    damage: Callable[[Path], None], scripts: Scripts
) -> None:
    folder = orphan(scripts)
    text = (folder / "meta.json").read_text()
    damage(folder / "meta.json")
    # nobody but `recover` tries
    scripts.write("next.py", "print('next')")
    done = scripts.recorded("next.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"next\n", b"")
    assert scripts.spools() == [folder]
    recovered = scripts.opcodetrace("recover")
    assert recovered.stdout == b"recovered: run 2\n", recovered.stderr
    assert scripts.spools() == []
    # everything is there but what only meta.json told
    assert runs(scripts)[1] == ("?", None, 1)
    ((accesses, threads, notes),) = scripts.query("SELECT accesses, threads, notes FROM runs WHERE id = 2")
    assert (int(str(accesses)) >= 4000, threads) == (True, 3)
    (note,) = json.loads(str(notes))
    assert note.startswith("it is not known which script this was, ")
    if damage is halved:
        assert text[: len(text) // 2] in note  # as much as there was
    report = scripts.opcodetrace("report")
    assert (report.returncode, report.stderr) == (0, b"")
    assert b"it is not known which script" in report.stdout
    assert scripts.opcodetrace("runs").returncode == 0


def test_a_spool_that_lost_its_meta_is_left_while_its_collector_lives(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    with scripts.start("script.py") as collector:
        assert collector.stdout is not None
        assert collector.stdout.readline() == b"ready\n"
        (folder,) = scripts.spools()
        (folder / "meta.json").unlink()
        done = scripts.opcodetrace("recover")
        assert f"process {collector.pid}, which may record it, runs".encode() in done.stderr
        collector.communicate(b"x\n")
    assert runs(scripts) == [("script.py", 0, 0)]
    assert scripts.spools() == []


def test_a_spool_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="No such file"):
        Spool.create(tmp_path / "missing" / "t.db", META, StoredOptions(Options()))


def test_a_process_is_not_taken_for_a_later_one_of_its_id() -> None:
    me = Process.of(os.getpid())
    assert me.is_alive()
    assert me.started is not None
    assert not Process(me.pid, me.started + "0").is_alive()
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not Process(ended.pid, None).is_alive()
