"""What a command prints: it cannot be written, or is other people's text."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.recording import COMMAND, Scripts, environment
from tests.traces import FINDINGS, INFO, OUTCOME, make_trace

COUNTS = """
import threading
counter = [0]
def work():
    for _ in range(100):
        counter[0] += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
COMMANDS = [
    ["report"],
    ["report", "--format", "json"],
    ["runs"],
    ["check"],
    ["findings"],
    ["query"],
    ["query", "threads"],
    ["query", "--format", "csv", "threads"],
    ["query", "--show", "threads"],
    ["recover"],
    ["weave", "script.py"],
    ["--help"],
    ["--version"],
    ["report", "--help"],
]
MARKUP = ["[/foo]", "[a/b]", "[red]x", ":smile:", "[bold]", "\x1b[31m"]


def command(scripts: Scripts, arguments: list[str]) -> list[str | Path]:
    if arguments[0] in ("weave", "--help", "--version") or "--help" in arguments:
        return [*COMMAND, *arguments]
    return [*COMMAND, arguments[0], "-d", scripts.database, *arguments[1:]]


UNWRITABLE = ["No space left on device", "Broken pipe", "stdout is closed"]
# Each command one way, in turn; `report` all ways.
OUTPUTS = [(" ".join(each), UNWRITABLE[at % 3]) for at, each in enumerate(COMMANDS)]
OUTPUTS += [("report", why) for why in UNWRITABLE[1:]]


@pytest.mark.parametrize(("line", "why"), OUTPUTS)
def test_output_that_cannot_be_written_is_one_line(line: str, why: str, scripts: Scripts) -> None:
    from opcodetrace.store.database import Database

    scripts.write("script.py", COUNTS)
    with Database.open(scripts.database, create=True) as database:
        database.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
    unread, writer = os.pipe()
    os.close(unread)
    with open("/dev/full", "wb") as full:
        output = {"No space left on device": full.fileno(), "Broken pipe": writer}.get(why, subprocess.DEVNULL)
        closed = ["sh", "-c", 'exec "$@" >&-', "sh"] if why == "stdout is closed" else []
        done = subprocess.run(
            [*closed, *command(scripts, line.split())],
            stdout=output,
            stderr=subprocess.PIPE,
            cwd=scripts.folder,
            env=environment(),
            text=True,
        )
    os.close(writer)
    assert done.returncode == 74
    assert done.stderr.startswith(f"opcodetrace: cannot write the output: {why}"), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_that_fills_its_disk_is_no_wrong_path(scripts: Scripts) -> None:
    scripts.write("script.py", COUNTS)
    assert scripts.recorded("script.py").returncode == 0
    full = scripts.opcodetrace("report", "-o", "/dev/full", "--format", "text")
    assert (full.returncode, full.stderr.count(b"\n")) == (74, 1)
    assert scripts.opcodetrace("report", "-o", "missing/report.txt").returncode == 2


@pytest.mark.parametrize("text", MARKUP)
def test_text_of_programs_is_no_markup(text: str, scripts: Scripts) -> None:
    """In the table of runs, in that of outcomes, and in a query."""
    name = f"{text.replace('/', '')}.py"
    shown = text.replace("\x1b", "\\x1b")
    shown_name = name.replace("\x1b", "\\x1b")
    scripts.write(name, f"import sys\nprint({text!r} + sys.argv[1])")
    done = scripts.run([*COMMAND, "record", "-d", scripts.database, "--runs", "2", name, text])
    assert done.returncode == 0
    (row,) = [line for line in done.stderr.decode().splitlines() if line.startswith("A ")]
    assert f" {shown}{shown} " in row
    (_, _, first, _) = scripts.opcodetrace("runs").stdout.decode().splitlines()
    assert f" {shown_name} {shown} " in first
    asked = scripts.opcodetrace("query", "SELECT script, argv, stdout_tail FROM runs").stdout.decode()
    assert f"{shown}{shown}" in asked
    assert shown_name in asked
    for again in ("report", "check"):
        told = scripts.opcodetrace(again)
        assert (told.returncode, told.stderr) == (0, b"")
        assert "\x1b" not in told.stdout.decode()
        assert shown_name in told.stdout.decode()


def test_what_a_terminal_cannot_show_is_escaped(scripts: Scripts) -> None:
    scripts.write("straße.py", COUNTS)
    assert scripts.recorded("straße.py").returncode == 0
    cyrillic = {**environment(), "PYTHONIOENCODING": "iso8859-5"}
    for arguments in (["runs"], ["check"], ["report"], ["query", "SELECT script FROM runs"]):
        done = scripts.run(command(scripts, arguments), env=cyrillic)
        assert done.stderr == b""
        assert b"stra\\xdfe.py" in done.stdout, arguments
