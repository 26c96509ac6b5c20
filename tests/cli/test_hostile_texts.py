"""What a program, a command line or a file is called steers no terminal, no Markdown, no spreadsheet."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sqlite3
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opcodetrace.report import REPORTERS
from opcodetrace.report.words.text import printable_json, spreadsheet_cell
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace.trace.event import Opaque
from opcodetrace.trace.printable import printable
from opcodetrace.trace.sync import SyncObject
from opcodetrace_cli import main
from tests.recording import opcodetrace
from tests.traces import (
    FILE,
    FINDINGS,
    INFO,
    LATIN,
    LOCATION,
    OUTCOME,
    PLACE,
    SWITCHES,
    THREADS,
    lost_increment,
    make_trace,
)

HOSTILE = "=a\x1b[31m\x07\x9b\u202e\u2066\u200b\r<img src=x onerror=alert(1)>[b](javascript:x)|*`$\x00"
NOT_RAW = {char for char in HOSTILE if not char.isprintable()}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run in which whatever a program can name has a hostile name."""
    trace = make_trace(lost_increment(Opaque(HOSTILE, 1, HOSTILE)))
    trace.threads = [replace(each, name=f"{HOSTILE}{each.thread}") for each in THREADS]
    trace.locations = {3: replace(LOCATION, label=HOSTILE, container_type=HOSTILE, key=HOSTILE)}
    names = [file._replace(path=f"/home/me/{HOSTILE}{file.id}.py", module=HOSTILE) for file in (FILE, LATIN)]
    trace.files = [names[0]._replace(source=f"x\ny['''{HOSTILE}''']\n".encode()), names[1]]
    trace.codes = [code._replace(function=HOSTILE) for code in trace.codes]
    trace.codes[1] = trace.codes[1]._replace(unwoven=HOSTILE)
    trace.site_codes = dict.fromkeys(trace.site_codes, trace.codes[0])
    trace.sites = {
        number: site._replace(operation=HOSTILE, opcode=HOSTILE, name=HOSTILE) for number, site in trace.sites.items()
    }
    place = replace(PLACE, function=HOSTILE, opcode=HOSTILE, expression=HOSTILE)
    trace.switches = [replace(each, place=place if each.place else None, callee=HOSTILE) for each in SWITCHES]
    trace.notes = [HOSTILE]
    trace.sync_objects = [SyncObject(1, HOSTILE, HOSTILE)]
    trace.synchronisation = [each._replace(operation=HOSTILE) for each in trace.synchronisation]
    trace.modules = [replace(each, name=HOSTILE, reason=HOSTILE) for each in trace.modules]
    info = replace(INFO, script=HOSTILE, argv=(HOSTILE,), python=HOSTILE, implementation=HOSTILE, started_at=HOSTILE)
    made = tmp_path / "t.db"
    with Database.open(made, create=True) as database:
        database.add_run(info, replace(OUTCOME, stdout_tail=HOSTILE), trace, FINDINGS)
    return made


def assert_inert(text: str, *, besides: str = "\n") -> None:
    raw = {char for char in text if not char.isprintable()} - set(besides)
    assert not raw, [(unicodedata.name(char, ascii(char))) for char in raw]


def test_no_command_prints_it_raw(path: Path) -> None:
    commands = [("runs",), ("check", "--possible"), ("recover",)]
    commands += [("report", "--format", name) for name in REPORTERS]
    commands += [("query", name, "--format", form) for name in KEPT for form in ("table", "json", "tsv")]
    commands += [("query", "SELECT * FROM runs", "--format", form) for form in ("table", "json", "tsv")]
    commands += [("query", "SELECT * FROM accesses", "--format", form) for form in ("table", "json", "tsv")]
    for command in commands:
        result = run(command[0], "-d", path, *command[1:])
        assert result.exit_code in (0, 1), (command, result.output)
        assert_inert(result.stdout, besides="\n\t" if "tsv" in command else "\n")
        assert_inert(result.stderr)


def test_markdown_holds_no_markup_of_a_program(path: Path) -> None:
    text = run("report", "-d", path, "--format", "markdown").stdout
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)  # of code spans
    plain = re.sub(r"\\.", "", outside)
    assert "<img" not in plain
    assert "[b]" not in plain
    assert "javascript:x" in text


def test_json_says_what_was_there(path: Path) -> None:
    report = json.loads(run("report", "-d", path, "--format", "json").stdout)
    assert report["run"]["script"] == HOSTILE
    (row,) = json.loads(run("query", "-d", path, "SELECT script FROM runs", "--format", "json").stdout)
    assert row == {"script": HOSTILE}


def test_csv_has_no_formula(path: Path) -> None:
    sql = "SELECT script, '=1+1', '-1', '-a', '+a', '@a', -1, '\t=1', 'a=1' AS '=b' FROM runs"
    text = run("query", "-d", path, sql, "--format", "csv").stdout
    assert_inert(text, besides="\n\t")
    header, row = csv.reader(io.StringIO(text))
    assert row[1:] == ["'=1+1", "-1", "'-a", "'+a", "'@a", "-1", "'\t=1", "a=1"]
    assert row[0] == f"'{printable(HOSTILE)}"
    assert header[-1] == "'=b"


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_raw_is_raw(path: Path, form: str) -> None:
    text = run("query", "-d", path, "SELECT script, '=1' FROM runs", "--format", form, "--raw").stdout
    assert "\x1b[31m" in text
    assert "'=1" not in text.splitlines()[-1]


def test_raw_is_not_for_what_people_read(path: Path) -> None:
    result = run("query", "-d", path, "SELECT 1", "--raw")
    assert result.exit_code == 2
    assert "--raw is for CSV and TSV" in result.stderr


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"),
        ("-1.5e3", "-1.5e3"),
        ("+.5", "+.5"),
        ("-1+1", "'-1+1"),
        ("--1", "'--1"),
        ("@x", "'@x"),
        ("x=1", "x=1"),
        ("", ""),
        ("a\nb\tc", "a\nb\tc"),
        ("a\rb\x1b", "a\\rb\\x1b"),
    ],
)
def test_cells_of_a_spreadsheet(text: str, cell: str) -> None:
    assert spreadsheet_cell(text) == cell


def test_json_stays_json() -> None:
    for text in (HOSTILE, "\U000e0001", "\udc80", "\x7f", "plain é 日本"):
        shown = printable_json(json.dumps(text, ensure_ascii=False))
        assert json.loads(shown) == text
        assert_inert(shown)


def test_a_recording_of_a_hostile_script_says_nothing_raw(tmp_path: Path) -> None:
    script = tmp_path / "a\x1b[31m\u202e.py"
    script.write_text("import threading\nprint('[red]\\x1b[31mlast\\u202e')\n")
    done = opcodetrace("record", "-d", tmp_path / "t.db", "--runs", "2", script, HOSTILE.replace("\0", ""))
    assert done.returncode == 0
    assert_inert(done.stderr)
    assert "[red]" in done.stderr


def test_an_error_quotes_nothing_raw(tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\0", "")
    path = tmp_path / "t.db"
    Database.open(path, create=True).close()
    for arguments in (
        ("runs", "-d", tmp_path / hostile / "t.db"),
        ("query", "-d", path, hostile),
        ("query", "-d", path, f"SELECT {hostile}"),
        ("report", "-d", path, "-o", hostile),
        ("record", "-d", path, hostile),
        ("weave", hostile),
        ("runs", f"--{hostile}"),
        ("recover", "-d", tmp_path / hostile),
    ):
        result = run(*arguments)
        assert_inert(result.stdout)
        assert_inert(result.stderr)


def test_weave_shows_no_code_raw(tmp_path: Path) -> None:
    script = tmp_path / f"{HOSTILE.replace(chr(0), '').replace('/', '')}.py"
    script.write_text("def f(x):\n    x['\\x1b\u202e'] = '\u202e'  # \u202e\n")
    result = run("weave", script)
    assert result.exit_code == 0
    assert_inert(result.stdout)


def test_a_table_of_the_file_s_own_names(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT script FROM runs").fetchone() == (HOSTILE,)
    result = run("query", "-d", path, f"SELECT 1 AS '{HOSTILE[:-1]}'")
    assert_inert(result.stdout)
