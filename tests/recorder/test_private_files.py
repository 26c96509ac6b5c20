"""What a recording writes is its user's own: it holds sources, values and the command line."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from opcodetrace.store.database import Database
from tests.recording import COMMAND, Scripts, environment

SHOWS_THE_SPOOL = """
import os, pathlib, stat, sys, threading
def work():
    pass
thread = threading.Thread(target=work)
thread.start()
thread.join()
(spool,) = pathlib.Path(sys.argv[1]).parent.glob("*.spool-*")
for path in (spool, *sorted(spool.iterdir())):
    print(path.name.partition(".spool-")[0], oct(stat.S_IMODE(os.stat(path).st_mode)))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_nobody_else_may_read_a_recording(scripts: Scripts, umask: int) -> None:
    script = scripts.write("script.py", SHOWS_THE_SPOOL)
    done = subprocess.run(
        [*COMMAND, "record", "-q", "-d", scripts.database, script, scripts.database],
        capture_output=True,
        text=True,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        umask=umask,
    )
    assert (done.returncode, done.stderr) == (0, "")
    files = ("meta.json", "options.json", "sites", "window")
    assert done.stdout.splitlines() == ["trace.db 0o700", *(f"{name} 0o600" for name in files)]
    assert mode(scripts.database) == 0o600


def test_the_journal_of_a_trace_file_is_as_private(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    before = os.umask(0)
    try:
        Database.open(path, create=True).close()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("UPDATE runs SET lost = 1")
            connection.execute("DELETE FROM _sqlite_migrations")
            assert mode(tmp_path / "t.db-journal") == 0o600
            connection.execute("ROLLBACK")
    finally:
        os.umask(before)
    assert mode(path) == 0o600


def test_who_may_read_a_trace_file_is_not_changed_later(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    Database.open(path, create=True).close()
    path.chmod(0o640)
    Database.open(path, create=True).close()
    assert mode(path) == 0o640


def test_a_link_to_a_file_that_is_not_there_is_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "t.db", tmp_path / "elsewhere.db"
    link.symlink_to(target)
    Database.open(link, create=True).close()
    assert mode(target) == 0o600
