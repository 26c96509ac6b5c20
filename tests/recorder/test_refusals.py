"""What cannot be recorded is refused before the script runs."""

from __future__ import annotations

import os
import py_compile
import sqlite3
import zipapp
from pathlib import Path

import pytest

from tests.recording import Scripts

RUNS = "open('it-ran', 'w').close()"


def refused(scripts: Scripts, *args: str | Path, database: Path | None = None) -> tuple[int, str]:
    scripts.write("script.py", RUNS)
    if database is not None:
        scripts.database = database
    done = scripts.recorded(*args)
    assert not (scripts.folder / "it-ran").exists()
    assert done.stdout == b""
    text = done.stderr.decode()
    assert "Traceback" not in text
    return done.returncode, text


@pytest.mark.parametrize("name", ["missing.py", "folder", "script.py/x", "", "unreadable.py"])
def test_a_script_that_cannot_be_opened(name: str, scripts: Scripts) -> None:
    (scripts.folder / "folder").mkdir()
    scripts.write("unreadable.py", RUNS).chmod(0)
    if name == "unreadable.py" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    code, text = refused(scripts, name)
    assert code == 2
    assert repr(name) in text


@pytest.mark.parametrize(
    "option", ["--runs=0", "--switch-interval=0", "--max-events=0", "--window=big", "--window=1K", "--keep=none"]
)
def test_an_option_that_makes_no_sense(option: str, scripts: Scripts) -> None:
    assert refused(scripts, option, "script.py")[0] == 2


def test_an_archive_and_compiled_code(scripts: Scripts) -> None:
    zipapp.create_archive(
        scripts.write("app/__main__.py", RUNS).parent, scripts.folder / "app.pyz", interpreter="/usr/bin/env python3"
    )
    assert refused(scripts, "app.pyz")[0] == 2
    py_compile.compile(str(scripts.write("source.py", RUNS)), str(scripts.folder / "compiled.pyc"))
    assert refused(scripts, "compiled.pyc")[0] == 2


def test_no_script_at_all(scripts: Scripts) -> None:
    assert refused(scripts)[0] == 2


def test_a_database_that_is_none(scripts: Scripts) -> None:
    scripts.database.write_bytes(b"this is no database" * 100)
    assert refused(scripts, "script.py")[0] == 74
    assert scripts.database.read_bytes() == b"this is no database" * 100


def test_somebody_elses_database(scripts: Scripts) -> None:
    with sqlite3.connect(scripts.database) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert refused(scripts, "script.py")[0] in (0, 74)


def test_a_database_in_a_missing_folder(scripts: Scripts) -> None:
    code, text = refused(scripts, "script.py", database=scripts.folder / "missing" / "trace.db")
    assert code == 74
    assert "missing" in text


def test_a_database_that_is_a_folder(scripts: Scripts) -> None:
    assert refused(scripts, "script.py", database=scripts.database.parent)[0] == 74


def test_a_newer_database(scripts: Scripts) -> None:
    scripts.write("first.py", "print('first')")
    assert scripts.recorded("first.py").returncode == 0
    with sqlite3.connect(scripts.database) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(_sqlite_migrations)") if row[1] != "id"]
        future = ["'of_the_future'" if column == "name" else column for column in columns]
        connection.execute(
            f"INSERT INTO _sqlite_migrations ({', '.join(columns)}) "
            f"SELECT {', '.join(future)} FROM _sqlite_migrations LIMIT 1"
        )
    connection.close()
    assert refused(scripts, "script.py")[0] == 74


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everything")
def test_a_read_only_database(scripts: Scripts) -> None:
    scripts.write("first.py", "print('first')")
    assert scripts.recorded("first.py").returncode == 0
    scripts.database.chmod(0o444)
    assert refused(scripts, "--require-recording", "script.py")[0] == 74
