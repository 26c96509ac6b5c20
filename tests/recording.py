"""Real recordings, made by the command line in a process of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from opcodetrace.rewrite.interpreters import FREE_THREADED

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
        """How many lost updates of each location the run lists, by label."""
        sql = "SELECT location, count(*) FROM lost_updates WHERE run_id = ? GROUP BY location"
        return {str(label): int(str(count)) for label, count in self.query(sql, run)}

    def bounds(self, run: int = 1) -> dict[str, tuple[int, int]]:
        """How many updates of each location the run lost, at least and at most; without those that lost nothing."""
        sql = """
            SELECT label, sum(low), sum(high) FROM lost_counts JOIN locations ON locations.id = location_id
            WHERE lost_counts.run_id = ? GROUP BY label HAVING sum(high)
        """
        return {str(label): (int(str(low)), int(str(high))) for label, low, high in self.query(sql, run)}

    def assert_lost(self, expected: dict[str, int], run: int = 1) -> None:
        """That just these were lost, each so often; without the GIL, that the bounds of each hold its number."""
        bounds = self.bounds(run)
        if FREE_THREADED:
            for label in bounds.keys() | expected.keys():
                low, high = bounds.get(label, (0, 0))
                true = expected.get(label, 0)
                assert low <= true <= high, f"{label} lost {true}; found {low} to {high}"
        else:
            expected = {label: count for label, count in expected.items() if count}
            assert self.lost(run) == expected
            assert bounds == {label: (count, count) for label, count in expected.items()}


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
