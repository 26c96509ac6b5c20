"""Waiting for another process that has locked the trace file, and ending that; binding any text."""

from __future__ import annotations

import os
import pathlib
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator

import pytest

from opcodetrace.errors import DatabaseError
from opcodetrace.store.database import Database
from opcodetrace.store.trace_file import uri
from opcodetrace.store.waiting import connect
from tests.recording import COMMAND, ROOT, Scripts, environment
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace

WAITS = "print('ready', flush=True)\ninput()\n"


@pytest.fixture
def stored(scripts: Scripts) -> Scripts:
    """A folder with a trace file that holds a run."""
    with Database.open(scripts.database, create=True) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
    return scripts


@pytest.fixture
def lock(stored: Scripts) -> Iterator[sqlite3.Connection]:
    """Somebody who may lock the file: nobody reads or writes it after BEGIN EXCLUSIVE."""
    connection = sqlite3.connect(stored.database, isolation_level=None)
    yield connection
    connection.close()


def test_what_was_not_read_to_its_end_keeps_nothing_locked(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.db"
    Database.open(path, create=True).close()
    one, other = (connect(path, uri(path, "rw"), wait=0) for _ in range(2))
    cursor = one.execute("SELECT * FROM _sqlite_migrations")
    assert cursor.fetchone() is not None
    one.close()
    other.execute("CREATE TABLE t (n)")
    other.close()
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.fetchone()


def start(scripts: Scripts, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, arguments[0], "-d", scripts.database, *arguments[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=scripts.folder,
        env=environment(),
        start_new_session=True,
    )


def until_it_waits(process: subprocess.Popen[bytes]) -> None:
    """Until it says so, and for whom."""
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    assert line.startswith("opcodetrace: waiting for "), line
    assert f"another process ({os.getpid()}: " in line


@pytest.mark.parametrize("command", [["report"], ["runs"], ["check"], ["query", "SELECT id FROM runs"]], ids="_".join)
def test_ctrl_c_ends_the_wait_of_a_reader(command: list[str], stored: Scripts, lock: sqlite3.Connection) -> None:
    lock.execute("BEGIN EXCLUSIVE")
    with start(stored, *command) as process:
        until_it_waits(process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (-signal.SIGINT, b"")  # 1 would say that something was found
    assert stderr == b"opcodetrace: stopped by SIGINT\n"


def test_a_reader_goes_on_when_the_file_is_free(stored: Scripts, lock: sqlite3.Connection) -> None:
    lock.execute("BEGIN EXCLUSIVE")
    with start(stored, "query", "--format", "csv", "SELECT script FROM runs") as process:
        until_it_waits(process)
        lock.execute("ROLLBACK")
        assert process.communicate() == (b"script\nbank.py\n", b"")
    assert process.returncode == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_to_store(signum: signal.Signals, stored: Scripts, lock: sqlite3.Connection) -> None:
    # GIVEN a script that has ended, while somebody else writes the file
    stored.write("script.py", WAITS)
    with start(stored, "record", "-q", "script.py") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        lock.execute("BEGIN IMMEDIATE")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        until_it_waits(process)
        # WHEN we are asked to stop
        process.send_signal(signum)
        _, stderr = process.communicate()
    # THEN we do, and the recording is kept
    assert process.returncode == 128 + signum
    why, where = stderr.decode().splitlines()
    assert f"stopped by {signum.name} before the trace was stored" in why
    (spool,) = stored.spools()
    assert f"is kept in {spool}" in where
    lock.execute("ROLLBACK")
    assert stored.opcodetrace("recover").stdout == b"recovered: run 2\n"
    assert stored.spools() == []


def test_a_reader_holds_up_a_writer_who_says_so(stored: Scripts, lock: sqlite3.Connection) -> None:
    """The commit waits, and can be told to end."""
    stored.write("script.py", WAITS)
    lock.execute("BEGIN")
    lock.execute("SELECT * FROM runs").fetchall()
    with start(stored, "record", "-q", "script.py") as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        until_it_waits(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert len(stored.spools()) == 1
    assert lock.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_signal_ends_what_sqlite_does(tmp_path: pathlib.Path) -> None:
    gate = threading.Lock()
    gate.acquire()

    def send() -> None:
        gate.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    with Database.open(tmp_path / "t.db", create=True) as database:
        # a function in C: no handler runs in it, whenever the signal comes
        database._connection.create_function("let_go", 0, gate.release)
        endless = "WITH RECURSIVE n (a) AS (SELECT let_go() UNION ALL SELECT a FROM n) SELECT max(a) FROM n"
        with pytest.raises(KeyboardInterrupt):
            database._connection.execute(endless)
        sender.join()
        assert database.runs() == []


def test_who_has_locked_the_file_is_named_at_last(stored: Scripts, lock: sqlite3.Connection) -> None:
    lock.execute("BEGIN IMMEDIATE")
    program = f"""
from opcodetrace.store.database import Database
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace
try:
    with Database.open({os.fspath(stored.database)!r}, create=True, wait=0.0) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
except Exception as error:
    print(type(error).__name__, error)
"""
    inherited = environment()
    path = os.pathsep.join([*filter(None, [inherited.get("PYTHONPATH")]), str(ROOT)])  # these tests as well
    done = stored.run([COMMAND[0], "-c", program], env=inherited | {"PYTHONPATH": path})
    told = done.stdout.decode()
    assert told.startswith(f"DatabaseError {stored.database} is locked by another process ({os.getpid()}: "), done


def test_a_lock_within_the_process_has_no_name(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.db"
    with Database.open(path, create=True, wait=0.0) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match=r"is locked by another process; try again"):
            database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        other.close()


class TestTexts:
    ANY = ("plain", "é", "\udc80", "\ud800x\udfff", "nul\0", "\U0001f600\udcff")

    def test_any_can_be_bound(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "t.db"
        connection = connect(path, uri(path, "rwc"))
        connection.execute("CREATE TABLE texts (number, text)")
        for text in self.ANY:
            connection.execute("INSERT INTO texts VALUES (0, ?)", [text])
            connection.execute("INSERT INTO texts VALUES (0, :text)", {"text": text})
        connection.executemany("INSERT INTO texts VALUES (?, ?)", ((n, text) for n, text in enumerate(self.ANY * 2)))
        rows = connection.execute("SELECT number, text FROM texts").fetchall()
        kept = [text.encode("utf-8", "backslashreplace").decode() for text in self.ANY]
        assert [text for _, text in rows[: 2 * len(kept)]] == [text for text in kept for _ in range(2)]
        assert rows[2 * len(kept) :] == list(enumerate(kept * 2))
        connection.close()

    def test_other_people_s_are_escaped(self, stored: Scripts) -> None:
        with sqlite3.connect(stored.database) as connection:
            connection.execute("UPDATE runs SET script = CAST(x'61ff62' AS TEXT)")
        connection.close()
        asked = stored.opcodetrace("query", "SELECT script FROM runs", "--format", "csv")
        assert asked.stdout == b"script\na\\xffb\n"
        for command in ("report", "runs", "check"):
            done = stored.opcodetrace(command)
            assert done.stderr == b""
            assert b"a\\xffb" in done.stdout

    def test_names_of_any_bytes_are_stored(self, scripts: Scripts) -> None:
        """Of files, folders, arguments, threads, attributes, keys, functions, modules and values."""
        folder = os.fsdecode(b"d\xff")
        (scripts.folder / folder).mkdir()
        module, script = os.fsdecode(b"m\xfd"), os.fsdecode(b"d\xff/s\xfe.py")
        scripts.write(f"{folder}/{module}.py", "n = 0\ndef f():\n    global n\n    n += 1\n")
        scripts.write(script, NAMES)
        done = scripts.recorded(script, os.fsdecode(b"a\xfb"))
        assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"bad \xff\n")
        again = scripts.run(
            [*COMMAND, "record", "-q", "-d", scripts.database, "--runs=2", script, os.fsdecode(b"a\xfb")]
        )
        assert again.returncode == 0, again.stderr
        assert scripts.spools() == []
        labels = [str(label) for (label,) in scripts.query("SELECT label FROM locations WHERE run_id = 1")]
        assert any(r"x\udc80" in label for label in labels)
        assert any(r"k\udc81" in label for label in labels)
        threads = scripts.query("SELECT name FROM threads WHERE run_id = 1 ORDER BY name")
        assert threads[-2:] == [(r"t\udc850",), (r"t\udc851",)]
        assert (r"d\udcff/s\udcfe.py",) in scripts.query("SELECT script FROM runs")
        assert len(scripts.query("SELECT DISTINCT path FROM files")) == 2
        for form in ("text", "markdown", "json"):
            report = scripts.opcodetrace("report", "--format", form)
            assert (report.returncode, report.stderr) == (0, b"")
            assert rb"\udcfe.py" in report.stdout


NAMES = r"""
import importlib, os, sys, threading
m = importlib.import_module("m\udcfd")
class A:
    pass
a = A()
setattr(a, "x\udc80", 0)
items = {"k\udc81": 0, "s": ""}
def work():
    for _ in range(50):
        setattr(a, "x\udc80", getattr(a, "x\udc80") + 1)
        items["k\udc81"] += 1
        items["s"] = "v\ud800"
        m.f()
work.__name__ = work.__qualname__ = "w\udc82"
threads = [threading.Thread(target=work, name="t\udc85%d" % number) for number in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.stdout.buffer.write(b"bad \xff\n")
"""
