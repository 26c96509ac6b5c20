"""Real recordings, made by the command line in a process of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from opcodetrace.rewrite.opcodes import FREE_THREADED

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "opcodetrace"]


@dataclass(frozen=True)
class Recording:
    """What `opcodetrace record` did: its exit code, what it and the script printed, and where the trace lies."""

    exit_code: int
    stdout: str
    stderr: str
    database: Path

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True) as connection:
            rows: list[tuple[object, ...]] = connection.execute(sql, parameters).fetchall()
        connection.close()
        return rows

    def lost(self, run: int = 1) -> dict[str, int]:
        """How many updates each location of the run lost, by label; those that lost nothing are left out."""
        sql = "SELECT location, count(*) FROM lost_updates WHERE run_id = ? GROUP BY location"
        return {str(label): int(str(count)) for label, count in self.query(sql, run)}

    def bounds(self, run: int = 1) -> tuple[int, int]:
        """How many updates the run lost, at least and at most."""
        ((low, high),) = self.query("SELECT lost, lost_at_most FROM runs WHERE id = ?", run)
        return int(str(low)), int(str(high))

    def assert_lost(self, expected: dict[str, int], run: int = 1) -> None:
        """That just these were lost; without the GIL, that the run's bounds hold their sum."""
        low, high = self.bounds(run)
        true = sum(expected.values())
        assert low <= true <= high, f"{low} <= {true} <= {high}"
        if not FREE_THREADED:
            found, expected = self.lost(run), {label: count for label, count in expected.items() if count}
            assert found == expected, f"found {found}, expected {expected}"
            assert low == high


def environment() -> dict[str, str]:
    """For a child: it finds opcodetrace wherever it runs, and no trace file but the one that it is given."""
    inherited = dict(os.environ)
    inherited.pop("OPCODETRACE_DB", None)
    if "PYTHONPATH" in inherited:
        inherited["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, inherited["PYTHONPATH"].split(os.pathsep)))
    return inherited


def opcodetrace(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a command of opcodetrace."""
    return subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, text=True, env=environment())


def record(database: Path, *arguments: str | Path) -> Recording:
    """`opcodetrace record` into `database`; the options, the script and its arguments follow."""
    done = opcodetrace("record", "-d", database, *arguments)
    return Recording(done.returncode, done.stdout, done.stderr, database)
