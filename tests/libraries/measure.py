"""One recording of one driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.libraries.driver import Driver
from tests.libraries.verdict import Told, Verdict, judge

TIMEOUT = 300  # seconds, for the run and for what is stored and found after it


@dataclass(frozen=True)
class Measured:
    """What a driver printed of its run, and what was told of it."""

    driver: Driver
    verdict: Verdict
    result: str
    told: Sequence[Told] = ()


def measure(driver: Driver, python: Path, folder: Path) -> Measured:
    """Records the driver once. `folder` gets NAME.db and NAME.log, what was said on stderr."""
    database, log = folder / f"{driver.name}.db", folder / f"{driver.name}.log"
    for old in folder.glob(f"{driver.name}.db*"):
        if old.is_file():
            old.unlink()
    opcodetrace = [str(python), "-m", "opcodetrace"]
    command = [*opcodetrace, "record", "--require-recording", "-d", str(database)]
    for pattern in driver.include:
        command += ["--include", pattern]
    try:
        code, output = _run([*command, str(driver.path)], folder, log)
        result = next((line for line in reversed(output.splitlines()) if line.startswith("RESULT")), None)
        if result is None:
            return Measured(driver, Verdict.FAILED, f"no RESULT, exit code {code}; see {log.name}")
        _, listed = _run([*opcodetrace, "findings", "-d", str(database), "--format", "json"], folder, log)
    except subprocess.SubprocessError as error:
        return Measured(driver, Verdict.FAILED, f"{type(error).__name__}; see {log.name}")
    told = [Told.of(each) for each in json.loads(listed)]
    return Measured(driver, judge(driver, told), result.removeprefix("RESULT").strip(), told)


def _run(command: Sequence[str], folder: Path, log: Path) -> tuple[int, str]:
    """Its exit code and what it printed. Raises SubprocessError if it does not end in time."""
    with (
        log.open("a", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # what it leaves behind ends with it
        ) as process,
    ):
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
            return process.returncode, output
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
