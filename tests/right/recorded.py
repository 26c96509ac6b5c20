"""A right program, recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from opcodetrace_cli import main
from tests.recording import record

PROGRAMS = {path.stem: path for path in sorted((Path(__file__).parent / "programs").glob("*.py"))}
NOTHING = "nothing of that was found"


@dataclass(frozen=True)
class Result:
    """What was found in a program, a line each; or how its run or its recording failed."""

    name: str
    found: Sequence[str] = ()
    failure: str | None = None


def result_of(name: str, *, interval: str | None, severities: Sequence[str]) -> Result:
    with tempfile.TemporaryDirectory(prefix="right-") as folder:
        database = Path(folder) / "trace.db"
        switches = ["--switch-interval", interval] if interval else []
        recorded = record(database, "-q", "--require-recording", *switches, PROGRAMS[name])
        if recorded.exit_code != 0 or recorded.stderr:
            return Result(name, failure=f"exit code {recorded.exit_code}\n{recorded.stderr}")
        meant = [option for severity in severities for option in ("--severity", severity)]
        listed = CliRunner().invoke(main, ["findings", "-d", str(database), *meant], catch_exceptions=False)
    lines = listed.output.splitlines()
    return Result(name, [] if lines == [NOTHING] else lines)
