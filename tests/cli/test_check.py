"""What `check` fails for: kinds and severities, what is known, what is ignored, and many runs together."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace_cli import main
from tests.recording import record

LOST = """
from threading import Barrier, Thread
counter, both = [0], Barrier(2)
def add():
    count = counter[0]
    both.wait()
    counter[0] = count + 1{comment}
threads = [Thread(target=add) for _ in range(2)]
for each in threads: each.start()
for each in threads: each.join()
"""
GUARDED = """
from threading import Lock, Thread
counter, lock = [0], Lock()
def add():
    with lock: counter[0] += 1  # opcodetrace: ignore
threads = [Thread(target=add) for _ in range(2)]
for each in threads: each.start()
for each in threads: each.join()
"""
UNGUARDED = """
import os
from threading import Thread
from time import sleep
counter, hits = [0], [0]
reader, writer = os.pipe()
def add():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1
    hits[0] += 1
def first():
    add()
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    add()
threads = [Thread(target=each) for each in (first, second)]
for each in threads: each.start()
for each in threads: each.join()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded(source: str, name: str = "script.py") -> None:
    """Adds a run of this program to trace.db, in the current folder."""
    Path(name).write_text(source)
    assert record(Path("trace.db").resolve(), "-q", name).exit_code == 0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder in which a program was recorded: once for all that only look at it."""

    @functools.cache
    def recorded_once(source: str) -> Path:
        folder = tmp_path_factory.mktemp("kept")
        with contextlib.chdir(folder):
            recorded(source)
        return folder

    return recorded_once


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["check", "-d", "trace.db", *map(str, arguments)])


def test_a_line_a_finding_and_a_summary(folder: Path) -> None:
    recorded(LOST.format(comment=""))
    done = check()
    assert done.exit_code == 1
    said, finding, summary, further = done.stdout.splitlines()
    assert said == "script.py, run 1: 1 update of counter[0] was lost."
    assert finding.startswith(
        "  script.py:7: lost update: update of counter[0] at line 7 overwritten at line 7 (once), "
    )
    assert summary == "1 finding, 1 of which counts."
    assert further == "How it came about: opcodetrace report --run 1"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((), 1),
        (("--fail-on", "lost-update"), 1),
        (("--fail-on", "lost update:happened"), 1),
        (("--fail-on", "stale-check,lost-update:possible"), 1),
        (("--fail-on", "deadlock", "--fail-on", "lost-update"), 1),
        (("--fail-on", "happened"), 1),
        (("--fail-on", "gil-only"), 1),
        (("--fail-on", "stale-check"), 0),
        (("--fail-on", "none"), 0),
    ],
)
def test_what_happened(given: tuple[str, ...], code: int, kept: Callable[[str], Path]) -> None:
    with contextlib.chdir(kept(LOST.format(comment=""))):
        done = check(*given)
    assert done.exit_code == code
    assert "script.py:7: lost update" in done.stdout
    assert f"{'1' if code else 'none'} of which counts" in done.stdout


@pytest.mark.parametrize(
    ("given", "counting"),
    [
        ((), 0),
        (("--possible",), 0),
        (("--fail-on", "unguarded-update"), 0),
        (("--fail-on", "unguarded-update:possible"), 2 if FREE_THREADED else 1),
        (("--fail-on", "possible"), 2 if FREE_THREADED else 1),
        (("--fail-on", "unguarded-update:gil-only"), 2),
        (("--fail-on", "gil-only"), 2),
        (("--fail-on", "unguarded-update:possible,gil-only"), 2),
    ],
)
def test_what_did_not_happen(given: tuple[str, ...], counting: int, kept: Callable[[str], Path]) -> None:
    with contextlib.chdir(kept(UNGUARDED)):
        done = check(*given)
    assert done.exit_code == (counting > 0)
    assert "script.py:10: unguarded update" in done.stdout
    assert "script.py:11: unguarded update" in done.stdout
    assert f"2 findings, {counting or 'none'} of which count" in done.stdout


@pytest.mark.parametrize(
    ("comment", "ignored"),
    [
        ("  # opcodetrace: ignore", True),
        ("  # opcodetrace: ignore[lost-update] one more or less is no matter", True),
        ("  # opcodetrace: ignore[stale check, lost update]", True),
        ("  #opcodetrace:ignore[lost-update]", True),
        ("  # opcodetrace: ignore[stale-check]", False),
        ("; '# opcodetrace: ignore'", False),
        ("  # ignore", False),
    ],
)
def test_a_comment(comment: str, ignored: bool, folder: Path) -> None:
    recorded(LOST.format(comment=comment))
    done = check()
    assert done.exit_code == (not ignored)
    assert ("; 1 ignored." in done.stdout) == ignored
    assert ("matches no finding" in done.stdout) == ("[stale-check]" in comment)


@pytest.mark.parametrize(
    ("configured", "ignored"),
    [("lost-update", True), ("lost-update:scr*.py", True), ("lost-update:other.py", False), ("stale-check", False)],
)
@pytest.mark.parametrize("name", ["pyproject.toml", "setup.cfg"])
def test_the_configuration(name: str, configured: str, ignored: bool, folder: Path) -> None:
    recorded(LOST.format(comment=""))
    text = (
        f'[tool.opcodetrace]\nignore = ["{configured}"]' if "toml" in name else f"[opcodetrace]\nignore = {configured}"
    )
    Path(name).write_text(text)
    done = check()
    assert done.exit_code == (not ignored)
    assert ("; 1 ignored." in done.stdout) == ignored


def test_a_comment_is_idle_if_it_matches_in_no_run(folder: Path) -> None:
    recorded(LOST.format(comment="  # opcodetrace: ignore[stale-check]"))
    recorded(GUARDED, "other.py")
    recorded(LOST.format(comment="  # opcodetrace: ignore[lost-update]"))
    idle = [line.strip() for line in check("--all").stdout.splitlines() if "matches no finding" in line]
    assert idle == [
        "script.py:7: '# opcodetrace: ignore[stale-check]' matches no finding",
        "other.py:5: '# opcodetrace: ignore' matches no finding",
    ]


def test_a_run_counts_once_however_bad_it_is(folder: Path) -> None:
    """The same lines, as possible (an operator written in Python) and as gil-only."""
    money = "class Money:\n    def __add__(self, other): return Money()\nmoney = [Money()]\n"
    adding = "def sum_up(into, what):\n    into[0] += what\n"
    program = UNGUARDED.replace("hits[0] += 1", "sum_up(hits, 1)\n    sum_up(money, Money())")
    program = program.replace("def add():", f"{money}{adding}def add():")
    for _ in range(2):
        recorded(program)
    place = f"script.py:{program[: program.index('+= what')].count(chr(10)) + 1}:"
    for text in (findings("--all"), check("--all").stdout):
        (line,) = [line for line in text.splitlines() if line.strip().startswith(place)]
        assert line.endswith(", possible, in 2 of 2 runs")


def test_a_baseline(folder: Path) -> None:
    # GIVEN a baseline of what one program has
    recorded(LOST.format(comment=""))
    written = check("--baseline", "known.json", "--write-baseline")
    assert written.exit_code == 0
    assert written.stdout.endswith("1 finding in known.json, 1 of them new\n")
    # WHEN its lines stand elsewhere THEN they are known all the same
    recorded("# a line more\n" + LOST.format(comment=""))
    done = check("--baseline", "known.json")
    assert done.exit_code == 0
    assert "(once), " in done.stdout
    assert ", known\n" in done.stdout
    assert "1 finding, none of which counts; 1 known (known.json)." in done.stdout
    # but what is new counts
    recorded(UNGUARDED)
    assert check("--baseline", "known.json", "--fail-on", "gil-only").exit_code == 1
    added = check("--baseline", "known.json", "--write-baseline")
    assert added.stdout.endswith("3 findings in known.json, 2 of them new\n")
    assert len(json.loads(Path("known.json").read_text())["findings"]) == 3
    assert check("--baseline", "known.json", "--fail-on", "gil-only").exit_code == 0


def test_all_runs_together(folder: Path) -> None:
    recorded(LOST.format(comment=""))
    recorded(UNGUARDED)
    recorded(LOST.format(comment=""))
    assert check("--run", "2").exit_code == 0
    done = check("--all")
    assert done.exit_code == 1
    (lost,) = [line for line in done.stdout.splitlines() if ": lost update:" in line]
    assert lost.endswith(", in 2 of 3 runs")
    assert "3 runs: 3 findings, 1 of which counts." in done.stdout
    assert check("--all", "--fail-on", "none").exit_code == 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--fail-on", "lost"), "'lost'"),
        (("--fail-on", "lost-update:sometimes"), "'sometimes'"),
        (("--all", "--run", "1"), "--run 1"),
        (("--write-baseline",), "--baseline"),
        (("--possible", "--fail-on", "deadlock"), "--fail-on deadlock"),
        (("--baseline", "missing.json"), "missing.json"),
        (("--baseline", "no.json"), "no.json"),
        (("--baseline", "other.json"), "other.json"),
        (("--baseline", "."), "."),
        (("--baseline", "nowhere/known.json", "--write-baseline"), "nowhere"),
    ],
)
def test_what_cannot_be_meant(given: tuple[str, ...], named: str, folder: Path) -> None:
    recorded(LOST.format(comment=""))
    Path("no.json").write_text("{")
    Path("other.json").write_text('{"version": 1, "findings": [1]}')
    done = check(*given)
    assert done.exit_code == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def findings(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["findings", "-d", "trace.db", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_findings_are_listed(folder: Path) -> None:
    recorded(LOST.format(comment=""))
    recorded(UNGUARDED)
    recorded(LOST.format(comment=""))
    assert [line.split(": ")[:2] for line in findings("--all").splitlines()] == [
        ["script.py:7", "lost update"],
        ["script.py:10", "unguarded update"],
        ["script.py:11", "unguarded update"],
    ]
    assert findings("--all", "--kind", "lost-update").endswith(", in 2 of 3 runs\n")
    assert len(findings("--run", "2", "--place", "script.py:1?").splitlines()) == 2
    assert len(findings("--run", "2", "--place", "*.py:10").splitlines()) == 1
    assert findings("--run", "2", "--place", "other.py") == "nothing of that was found\n"
    severities = ["--severity", "possible", "--severity", "gil-only"]
    assert len(findings("--all", *severities).splitlines()) == 2
    assert findings(*severities) == "nothing of that was found\n"
    (lost,) = json.loads(findings("--all", "--severity", "happened", "--format", "json"))
    assert (lost["kind"], lost["labels"], lost["runs"]) == ("lost update", ["counter[0]"], [1, 3])
    assert lost["places"]["lost write"] == {"path": "script.py", "line": 7, "function": "add"}


def test_where_nothing_was_found(folder: Path) -> None:
    recorded("print()")
    assert findings() == "nothing was found\n"
    assert findings("--format", "json") == "[]\n"
