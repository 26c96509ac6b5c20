"""The test suites of packages that use threads, plain and recorded: the outcome of each test must be the same.

    python tests/fidelity/package_suites.py [PACKAGE]...

Each package's source distribution is downloaded into a temporary folder; its tests are run there by `python -m pytest`
and by `opcodetrace record --include PACKAGE.* -m pytest`. Prints the differences, how long it took and what was not
recorded, and exits with 1 if there are differences. Tests whose outcome differs between two plain runs are left out.
Needs the network and an otherwise idle machine, so it is no test of the suite.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

TIMEOUT = 900  # seconds for one run of one suite
RECORDED = [sys.executable, "-m", "opcodetrace", "record", "-q", "--window", "4G"]


@dataclass(frozen=True)
class Suite:
    """The folders in which a source distribution keeps its modules and tests, and what these need besides pytest."""

    modules: tuple[str, ...]
    tests: str = "tests"
    sources: str = "."
    needs: tuple[str, ...] = ()


SUITES = {
    "cachetools": Suite(("cachetools",), sources="src"),
    "tinydb": Suite(("tinydb",), needs=("pyyaml",)),
    "pluggy": Suite(("pluggy",), tests="testing", sources="src", needs=("pytest-benchmark",)),
    "jinja2": Suite(("jinja2",), sources="src", needs=("markupsafe", "trio")),
    "sqlite-utils": Suite(("sqlite_utils",)),
    "watchdog": Suite(("watchdog",), sources="src", needs=("pytest-timeout", "flaky", "pyyaml")),
    "attrs": Suite(("attr", "attrs"), sources="src", needs=("hypothesis", "cloudpickle", "pympler")),
    "janus": Suite(("janus",), needs=("pytest-asyncio", "pytest-codspeed")),
    "schedule": Suite(("schedule",), tests="test_schedule.py", needs=("pytz",)),
}

# Tests that a busy machine alone makes fail, and why.
UNSTEADY = {
    "tests.test_cli_bulk::test_cli_bulk_batch_size": "gives a new process one second to start and commit",
}


@dataclass(frozen=True)
class Run:
    """A run of a suite: what came of each test, by its name, and how long the command took."""

    outcomes: dict[str, str]
    seconds: float


class NoReport(Exception):
    """A suite that did not run to its end."""


def unpacked(name: str, folder: Path) -> Path:
    """The folder of the package's source distribution."""
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def run(command: Sequence[str | Path], suite: Suite, folder: Path, needed: Path) -> Run:
    """Raises NoReport if the suite takes longer than TIMEOUT or dies."""
    report, output = folder.parent / "report.xml", folder.parent / "output"
    report.unlink(missing_ok=True)
    inherited = [Path(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    paths = [str(path.resolve()) for path in (folder / suite.sources, needed, *inherited)]
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}
    options = ["-v", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", f"--junitxml={report}", suite.tests]
    started = time.monotonic()
    with (
        open(output, "wb") as file,
        subprocess.Popen(
            [*command, "-m", "pytest", *options],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # what the suite left behind ends with it
        ) as process,
    ):
        try:
            process.wait(TIMEOUT)
            failure = None
        except subprocess.TimeoutExpired:
            failure = f"did not end within {TIMEOUT} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if failure is None and not report.exists():
        failure = f"ended without a report, exit code {process.returncode}"
    if failure is not None:
        raise NoReport(f"{' '.join(map(str, command))} {failure}\n{output.read_text(errors='replace')[-2000:]}")
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = " and ".join(sorted(child.tag for child in case if child.tag in KINDS)) or "passed"
    return Run(found, time.monotonic() - started)


KINDS = ("failure", "error", "skipped")


def compare(name: str, folder: Path) -> bool:
    """Whether recording changed no outcome; says what it changed."""
    suite = SUITES[name]
    needed = folder / "site-packages"  # as installed packages are, these are not recorded
    needed.mkdir()
    if suite.needs:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(needed), *suite.needs]
        subprocess.run(pip, check=True)
    (folder / "sdist").mkdir()
    source = unpacked(name, folder / "sdist")
    database = folder / "trace.db"
    include = [f"--include={module}.*" for module in suite.modules]
    try:
        plain = run([sys.executable], suite, source, needed)
        again = run([sys.executable], suite, source, needed)
        recorded = run([*RECORDED, "-d", database, *include], suite, source, needed)
    except NoReport as error:
        print(f"{source.name}: {error}", flush=True)
        return False
    tests = plain.outcomes.keys() | again.outcomes.keys()
    steady = {test for test in tests if plain.outcomes.get(test) == again.outcomes.get(test)}
    different = {
        test
        for test in steady | (recorded.outcomes.keys() - tests)
        if plain.outcomes.get(test) != recorded.outcomes.get(test)
    }
    passed = sum(outcome == "passed" for outcome in plain.outcomes.values())
    print(
        f"{source.name}: {len(plain.outcomes)} tests, {passed} pass, {len(different)} differ, "
        f"{len(tests) - len(steady)} unsteady"
    )
    describe(database, plain, recorded)
    for test in sorted(different):
        why = f" ({UNSTEADY[test]})" if test in UNSTEADY else ""
        outcome = recorded.outcomes.get(test, "not run")
        print(f"  {test}: {plain.outcomes.get(test, 'not run')}, recorded: {outcome}{why}")
    sys.stdout.flush()
    return passed > 0 and different <= UNSTEADY.keys()


def describe(database: Path, plain: Run, recorded: Run) -> None:
    """How long it took, what was recorded, and all that was not."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        (of,) = connection.execute("SELECT * FROM runs")
        modules = connection.execute("SELECT * FROM modules").fetchall()
        unwoven = connection.execute("SELECT * FROM unwoven").fetchall()
    print(
        f"  plain {plain.seconds:.1f} s, recorded {of['duration']:.1f} s "
        f"and {recorded.seconds - of['duration']:.1f} s to store; "
        f"{sum(module['reason'] is None for module in modules)} modules, {of['functions']} functions, "
        f"{of['threads']} threads, {of['accesses']:,} accesses, {of['lost']} updates lost"
    )
    for what in ("missed", "holes", "truncated"):
        if of[what]:
            print(f"  {what}: {of[what]}")
    for note in json.loads(of["notes"]):
        print(f"  {note}")
    for code in unwoven:
        print(f"  {code['function']}, line {code['line']}, not woven: {code['reason']}")


def main(names: Sequence[str]) -> int:
    unknown = set(names) - SUITES.keys()
    if unknown:
        raise SystemExit(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    same = []
    for name in names or SUITES:
        with tempfile.TemporaryDirectory() as folder:
            same.append(compare(name, Path(folder)))
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
