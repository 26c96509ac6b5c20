"""The test suites of packages that use threads, plain and recorded: the outcome of each test must be the same.

    python tests/fidelity/package_suites.py [PACKAGE]...

Each package's source distribution is downloaded into a temporary folder; its tests are run there by `python -m pytest`
and by `opcodetrace record --include PACKAGE.* -m pytest`. Prints the differences, and exits with 1 if there are any.
Tests whose outcome differs between two plain runs are left out. Needs the network, so it is no test of the suite.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

TIMEOUT = 900  # seconds for one run of one suite
RECORDED = [sys.executable, "-m", "opcodetrace", "record", "-q", "--window", "4G"]


@dataclass(frozen=True)
class Suite:
    """Where a source distribution keeps its modules and tests, and what these need besides pytest."""

    module: str
    tests: str = "tests"
    sources: str = "."
    needs: tuple[str, ...] = ()


SUITES = {
    "cachetools": Suite("cachetools", sources="src"),
    "tinydb": Suite("tinydb", needs=("pyyaml",)),
    "pluggy": Suite("pluggy", tests="testing", sources="src", needs=("pytest-benchmark",)),
    "jinja2": Suite("jinja2", sources="src", needs=("markupsafe", "trio")),
    "sqlite-utils": Suite("sqlite_utils"),
    "watchdog": Suite("watchdog", sources="src", needs=("pytest-timeout", "flaky", "pyyaml")),
}


def unpacked(name: str, folder: Path) -> Path:
    """The folder of the package's source distribution."""
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def outcomes(command: Sequence[str | Path], suite: Suite, folder: Path, needed: Path) -> dict[str, str]:
    """What came of each test, by its name."""
    report = folder.parent / "report.xml"
    report.unlink(missing_ok=True)
    inherited = [Path(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    paths = [str(path.resolve()) for path in (folder / suite.sources, needed, *inherited)]
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", f"--junitxml={report}", suite.tests]
    done = subprocess.run(
        [*command, "-m", "pytest", *options],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if not report.exists():
        raise SystemExit(f"{' '.join(map(str, command))}: no report\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = " and ".join(sorted(child.tag for child in case if child.tag in KINDS)) or "passed"
    return found


KINDS = ("failure", "error", "skipped")


def compare(name: str, folder: Path) -> bool:
    """Whether recording changed no outcome; says what it changed."""
    suite = SUITES[name]
    needed = folder / "needed"
    needed.mkdir()
    if suite.needs:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(needed), *suite.needs]
        subprocess.run(pip, check=True)
    (folder / "sdist").mkdir()
    source = unpacked(name, folder / "sdist")
    database = folder / "trace.db"
    plain = outcomes([sys.executable], suite, source, needed)
    again = outcomes([sys.executable], suite, source, needed)
    include = [f"--include={suite.module}.*"]
    recorded = outcomes([*RECORDED, "-d", database, *include], suite, source, needed)
    steady = {test for test in plain.keys() | again.keys() if plain.get(test) == again.get(test)}
    different = sorted(
        test
        for test in steady | (recorded.keys() - plain.keys() - again.keys())
        if plain.get(test) != recorded.get(test)
    )
    with sqlite3.connect(database) as connection:
        modules, functions, threads, accesses = connection.execute(
            "SELECT (SELECT count(DISTINCT name) FROM modules WHERE file_id), functions, threads, accesses FROM runs"
        ).fetchone()
    connection.close()
    passed = sum(outcome == "passed" for outcome in plain.values())
    print(
        f"{source.name}: {len(plain)} tests, {passed} pass, {len(different)} differ, "
        f"{len(plain) - len(steady)} unsteady; {modules} modules, "
        f"{functions} functions woven, {threads} threads, {accesses:,} accesses",
        flush=True,
    )
    for test in different:
        print(f"  {test}: {plain.get(test, 'not run')}, recorded: {recorded.get(test, 'not run')}")
    return not different


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
