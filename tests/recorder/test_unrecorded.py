"""A script runs whatever keeps us from recording it: with a line that says why, and its own exit code."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.recording import COMMAND, Scripts, environment

SCRIPT = "import sys\nprint('it ran', sys.argv, sys.stdin.read())\nraise SystemExit(3)\n"
UNRECORDED = "opcodetrace: the script runs unrecorded: "


def record(scripts: Scripts, *options: str | Path, before: Callable[[], None] | None = None) -> tuple[int, str, str]:
    """Its exit code, what the script printed, and what was said."""
    done = subprocess.run(
        [*COMMAND, "record", "-d", scripts.database, *options],
        capture_output=True,
        input="in",
        text=True,
        cwd=scripts.folder,
        env=environment(),
        preexec_fn=before,
    )
    return done.returncode, done.stdout, done.stderr


def test_names_beside_the_trace_file_are_passed_over(scripts: Scripts) -> None:
    # GIVEN names like those of spools, each useless in its own way
    scripts.write("script.py", SCRIPT)
    beside = scripts.database.parent
    (beside / "trace.db.spool-a").touch()
    (beside / "trace.db.spool-b").mkdir()
    (beside / "trace.db.spool-c").symlink_to("nowhere")
    (beside / "trace.db.spool-d" / "meta.json").mkdir(parents=True)
    (beside / "trace.db.spool-e").mkdir()
    os.mkfifo(beside / "trace.db.spool-e" / "meta.json")
    os.mkfifo(beside / "trace.db.spool-f")
    (beside / ".trace.db.spool-g.unfinished").touch()
    os.utime(beside / ".trace.db.spool-g.unfinished", (0, 0))
    names = sorted(beside.iterdir())
    # THEN it is recorded as without them
    assert record(scripts, "-q", "script.py") == (3, "it ran ['script.py'] in\n", "")
    assert scripts.query("SELECT exit_code FROM runs") == [(3,)]
    # and so are the runs told; only `recover` tells of them
    runs = scripts.opcodetrace("runs")
    assert (runs.returncode, runs.stderr) == (0, b"")
    recovered = scripts.opcodetrace("recover")
    assert recovered.returncode == 0
    told = recovered.stderr.decode().splitlines()
    assert len(told) == 6
    assert all(" is left as it is: " in line and "internal error" not in line for line in told)
    assert sorted(beside.iterdir()) == sorted([*names, scripts.database])


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens everything")
def test_a_spool_of_somebody_else_is_passed_over(scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    folder = scripts.database.with_name("trace.db.spool-1-1")
    folder.mkdir()
    (folder / "meta.json").write_text("{}")
    (folder / "meta.json").chmod(0)
    assert record(scripts, "-q", "script.py")[0] == 3
    assert scripts.opcodetrace("runs").returncode == 0


def test_an_unfinished_spool_that_cannot_be_removed_is_passed_over(scripts: Scripts) -> None:
    """A file that bears the name that ours would have."""
    scripts.write("script.py", SCRIPT)
    program = """
import os, pathlib, sys
for number in range(1, 4):
    pathlib.Path(sys.argv[1], f".trace.db.spool-{os.getpid()}-{number}.unfinished").touch()
del sys.argv[1]
from opcodetrace_cli import main
main()
"""
    command: list[str | Path] = [
        sys.executable,
        "-c",
        program,
        scripts.database.parent,
        "record",
        "-q",
        "-d",
        scripts.database,
    ]
    done = scripts.run([*command, "script.py"])
    assert (done.returncode, done.stderr) == (3, b"")
    assert scripts.query("SELECT exit_code FROM runs") == [(3,)]


@pytest.mark.parametrize(
    ("room", "options"),
    [
        *((room, []) for room in (0, 1 << 14, 1 << 20)),
        (1, ["--runs=2"]),
        (1 << 20, ["--last=1000"]),
    ],
)
def test_no_room(room: int, options: list[str], scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    code, stdout, stderr = record(scripts, *options, "script.py", before=limit)
    assert code == 3
    assert stdout.count("it ran") == (2 if "--runs=2" in options else 1)
    assert stderr.startswith(UNRECORDED)
    assert stderr.count("opcodetrace: ") == 1 or "--runs=2" in options
    assert stderr.count("\n") == 1 or "--runs=2" in options
    assert scripts.spools() == []
    assert record(scripts, *options, "--require-recording", "script.py", before=limit)[:2] == (74, "")
    # and as soon as there is some
    assert record(scripts, "-q", "script.py") == (3, "it ran ['script.py'] in\n", "")
    assert scripts.query("SELECT exit_code FROM runs") == [(3,)]


def mounts() -> bool:
    """Whether this user may mount file systems in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not mounts(), reason="no file system can be mounted")
@pytest.mark.parametrize("mount", ["size=16k", "size=64k", "size=100k", "size=200k", "size=1000k", "nr_inodes=2", "ro"])
def test_a_small_or_read_only_file_system(mount: str, scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    line = f'mount -t tmpfs -o {mount} tmpfs traces && exec "$@"'
    command: list[str | Path] = [*COMMAND, "record", "-d", scripts.database, "script.py"]
    done = scripts.run(["unshare", "-rm", "sh", "-c", line, "sh", *command], stdin=b"in")
    assert (done.returncode, done.stdout) == (3, b"it ran ['script.py'] in\n")
    assert done.stderr.decode().startswith(UNRECORDED)
    assert done.stderr.count(b"\n") == 1
    command.insert(-1, "--require-recording")
    done = scripts.run(["unshare", "-rm", "sh", "-c", line, "sh", *command], stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (74, b"", 1)


def test_a_trace_file_that_somebody_keeps_locked(tmp_path: Path) -> None:
    kept: dict[str, Scripts] = {}
    for mode in ("EXCLUSIVE", "IMMEDIATE"):
        (tmp_path / mode).mkdir()
        kept[mode] = Scripts(tmp_path / mode)
        kept[mode].write("script.py", SCRIPT)
    assert record(kept["EXCLUSIVE"], "-q", "script.py")[0] == 3
    # a writer that has not begun to write keeps nobody from looking, but from making tables
    kept["IMMEDIATE"].database.touch()
    with ThreadPoolExecutor() as beside, contextlib.ExitStack() as holders:  # each waits for some seconds
        waiting = {}
        for mode, scripts in kept.items():
            holder = sqlite3.connect(scripts.database, isolation_level=None)
            holders.callback(holder.close)
            holder.execute(f"BEGIN {mode}")
            required = beside.submit(record, scripts, "--require-recording", "script.py")
            waiting[mode] = beside.submit(record, scripts, "script.py"), required
        for mode, (optional, required) in waiting.items():
            code, stdout, stderr = optional.result()
            assert (code, stdout) == (3, "it ran ['script.py'] in\n")
            said, unrecorded = stderr.splitlines()
            database = kept[mode].database
            assert said.startswith("opcodetrace: waiting for ")
            assert unrecorded.startswith(f"{UNRECORDED}{database} is locked by another process ({os.getpid()}: ")
            assert required.result()[:2] == (74, "")


def test_a_current_folder_that_is_gone(scripts: Scripts) -> None:
    script = scripts.write("script.py", SCRIPT)
    gone = scripts.folder / "gone"
    gone.mkdir()
    line = 'cd gone && rmdir ../gone && exec "$@"'
    done = scripts.run(["sh", "-c", line, "sh", *COMMAND, "record", script], stdin=b"in")
    assert done.returncode == 3
    assert done.stderr.decode().startswith(UNRECORDED)
    gone.mkdir()
    done = scripts.run(["sh", "-c", line, "sh", *COMMAND, "record", "-q", "-d", scripts.database, script], stdin=b"in")
    assert (done.returncode, done.stderr) == (3, b"")
    assert scripts.query("SELECT exit_code FROM runs") == [(3,)]


@pytest.mark.parametrize("options", [[], ["--require-recording"]], ids=" ".join)
def test_a_fault_of_ours_before_the_script_starts(options: list[str], scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    program = """
from opcodetrace.spool import folder
def fail(*_):
    raise ZeroDivisionError("of ours")
folder.Spool.create = fail
from opcodetrace_cli import main
main()
"""
    command: list[str | Path] = [sys.executable, "-c", program, "record", "-d", scripts.database, *options, "script.py"]
    done = scripts.run(command, stdin=b"in")
    (line,) = done.stderr.decode().splitlines()
    assert "internal error at <string>:4: ZeroDivisionError: of ours" in line
    if options:
        assert (done.returncode, done.stdout) == (70, b"")
    else:
        assert line.startswith(UNRECORDED)
        assert (done.returncode, done.stdout) == (3, b"it ran ['script.py'] in\n")
    whole = scripts.run(command, env=environment(OPCODETRACE_TRACEBACK="1"))
    assert whole.stderr.startswith(b"Traceback (most recent call last):\n")


def test_what_runs_unrecorded_is_what_python_runs(scripts: Scripts) -> None:
    """A module, a name that begins with a dash, options of Python's own, a signal."""
    nowhere = scripts.folder / ("x" * 250 + ".db")
    shows = "import sys\nprint(__name__, sys.argv, sys.orig_argv[1:], sys.path[0], sys.flags.optimize)\n"
    scripts.write("module.py", shows)
    scripts.write("-x.py", shows)
    for target in (["-m", "module", "a"], ["module.py", "-b"]):
        plain = scripts.plain(*target, options=["-O"])
        done = scripts.run([sys.executable, "-O", *COMMAND[1:], "record", "-d", nowhere, *target])
        assert (done.stdout, done.returncode) == (plain.stdout, 0)
        assert done.stderr.decode().startswith(UNRECORDED)
    done = scripts.run([*COMMAND, "record", "-d", nowhere, "--", "-x.py", "a"])
    assert done.stdout.startswith(b"__main__ ['-x.py', 'a'] ")
    scripts.write("killed.py", "import os\nos.kill(os.getpid(), 15)")
    assert scripts.run([*COMMAND, "record", "-d", nowhere, "killed.py"]).returncode == -15


def test_a_spool_that_cannot_be_deleted_is_stored_once(scripts: Scripts) -> None:
    scripts.write("script.py", "print(1)")
    program = """
from opcodetrace.spool import folder
def fail(*_):
    raise PermissionError(13, "Permission denied")
folder.Spool._take_away = fail
from opcodetrace_cli import main
main()
"""
    command = [sys.executable, "-c", program]
    assert scripts.run([*command, "record", "-q", "-d", scripts.database, "script.py"]).returncode == 0
    (folder,) = scripts.spools()
    told = scripts.run([*command, "recover", "-d", scripts.database]).stderr.decode()
    assert f"{folder} is left as it is: it is run 1 already" in told
    assert scripts.opcodetrace("runs").returncode == 0
    assert scripts.query("SELECT id FROM runs") == [(1,)]
    assert scripts.spools() == []
