"""Closed standard streams, and those that cannot be written, are for a script what they are without us."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recording import COMMAND, Scripts, environment

OPEN = """
import os, sys
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
with open(sys.argv[1], "a") as file:
    print([n for n in range(3) if is_open(n)], sys.stdin is None, sys.stdout is None, sys.stderr is None, file=file)
print("said")
"""
CLOSED = ["", "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


def shell(scripts: Scripts, redirections: str, *command: str | Path) -> int:
    """The exit code of a command with these redirections."""
    line = f'exec "$@" {redirections}'
    return scripts.run(["sh", "-c", line, "sh", *command]).returncode


@pytest.mark.parametrize("redirections", CLOSED)
def test_what_is_closed_is_closed_for_the_script(redirections: str, scripts: Scripts) -> None:
    # GIVEN a script that looks at its descriptors
    scripts.write("script.py", OPEN)
    plainly = shell(scripts, redirections, sys.executable, "script.py", "plain")
    # WHEN it is recorded, once into a new trace file, and twice into that
    command: list[str | Path] = [*COMMAND, "record", "-d", scripts.database]
    codes = [
        shell(scripts, redirections, *command, *options, "script.py", "recorded") for options in ([], ["--runs", "2"])
    ]
    # THEN it sees what it sees alone
    assert codes == [plainly, plainly] == [0, 0]
    plain = (scripts.folder / "plain").read_text()
    assert (scripts.folder / "recorded").read_text() == plain * 3
    assert len(scripts.query("SELECT 1 FROM runs")) == 3


@pytest.mark.parametrize(
    ("ending", "code"),
    [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM)],
)
def test_a_stderr_that_cannot_be_written_changes_no_ending(ending: str, code: int, scripts: Scripts) -> None:
    scripts.write("script.py", ending)
    command: list[str | Path] = [*COMMAND, "record", "-d", scripts.database]
    for options in ([], ["-q"], ["--runs=2"]):
        assert shell(scripts, "2>/dev/full", *command, *options, "script.py") == code
    assert len(scripts.query("SELECT 1 FROM runs")) == 4


def test_a_stderr_that_nobody_reads_changes_no_ending(scripts: Scripts) -> None:
    scripts.write("script.py", "raise SystemExit(3)")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "record", "-d", scripts.database, "script.py"], cwd=scripts.folder, stderr=writer, env=environment()
    )
    os.close(writer)
    assert done.returncode == 3


def test_a_terminal_that_went_away_changes_no_ending(scripts: Scripts) -> None:
    # GIVEN a script whose stderr is a terminal
    scripts.write("script.py", "print('ready', flush=True)\ninput()\nraise SystemExit(3)")
    ours, terminal = pty.openpty()
    command: list[str | Path] = [*COMMAND, "record", "-d", scripts.database, "--runs", "2", "script.py"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=terminal,
        cwd=scripts.folder,
        env=environment(),
        text=True,
    ) as process:
        os.close(terminal)
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # WHEN it goes away while the script runs
        os.close(ours)
        process.communicate("\n")
    # THEN the recording ends as the script does
    assert process.returncode == 3
    assert len(scripts.query("SELECT 1 FROM runs")) == 2
