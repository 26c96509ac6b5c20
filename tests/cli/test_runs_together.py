"""Many runs of a script: how they ended, what was found in which, in which order they went, and which run is shown."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace_cli import main
from tests.recording import COMMAND, ROOT, Recording, environment, record

# Its n-th run does as the n-th word says, or as the last one.
STEERED = """
import os, pathlib, signal, sys
from threading import Barrier, Event, Thread
place, *words = sys.argv[1:]
place = pathlib.Path(place)
number = int(place.read_text()) if place.exists() else 0
place.write_text(str(number + 1))
word = words[min(number, len(words) - 1)]
counter, other = [0], [0]
has_read, has_written = Event(), Event()
def slow(cell, between):
    count = cell[0]
    has_read.set()
    between()
    cell[0] = count + 1
    has_written.set()
def fast(cell, first):
    first.wait()
    cell[0] += 1
    has_added.set()
has_added = Event()
def race(cell, lose):
    for event in (has_read, has_written, has_added): event.clear()
    threads = [Thread(target=slow, args=(cell, has_added.wait if lose else str)),
               Thread(target=fast, args=(cell, has_read if lose else has_written))]
    for each in threads: each.start()
    for each in threads: each.join()
both = Barrier(2)
def rare():
    count = other[0]
    both.wait()
    other[0] = count + 1
race(counter, word.startswith("lose"))
if "both" in word:
    threads = [Thread(target=rare) for _ in range(2)]
    for each in threads: each.start()
    for each in threads: each.join()
print(f"done in 0.{number}s: {counter[0]}")
sys.stdout.flush()
if "raise" in word: raise ValueError(f"at 0x{number}fffff")
if "kill" in word: os.kill(os.getpid(), signal.SIGKILL)
if "exit" in word: os._exit(3)
"""


TABLES = """\
outcome   runs   exit code   exception          last line          found
────────────────────────────────────────────────────────────────────────────────
A            3   0           -                  done in            -
                                                <duration>: 2
B            2   1           ValueError: at     done in            1 lost update
                             <address>          <duration>: 1

finding                                            happened   in runs of outcome
────────────────────────────────────────────────────────────────────────────────
steered.py:19: lost update: update of cell[0] at          2   B 2 of 2
line 19 overwritten at line 15
└ goes with the failures: in 2 of 2 runs that
failed, in 0 of 3 others

interleaving   runs   of outcome
────────────────────────────────
{right}          3   A 3
{lost}          2   B 2"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPCODETRACE_DB", raising=False)
    (tmp_path / "steered.py").write_text(STEERED)
    return tmp_path


def steered(*words: str, options: tuple[str, ...] = ()) -> Recording:
    """As many runs as there are words, or as the options say."""
    Path("number").unlink(missing_ok=True)
    options = options or ("--runs", str(len(words)))
    return record(Path("t.db").absolute(), *options, "steered.py", "number", *words)


def command(*words: str) -> Result:
    return CliRunner().invoke(main, [words[0], "-d", "t.db", *words[1:]])


def rows(table: str) -> list[list[str]]:
    """The rows of a table in a wide console, cell by cell."""
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if line.strip()]


def tables() -> str:
    done = command("runs", "--outcomes")
    assert done.exit_code == 0, done.output
    return done.output


def test_outcomes_findings_and_interleavings(folder: Path) -> None:
    """By construction two of five runs lose an update and raise; the addresses and durations that they print differ."""
    done = steered("right", "lose raise", "right", "lose raise", "right")
    assert done.exit_code == 1
    told = tables()
    # THEN what each run found, and its class, is in the row of its outcome
    (_, _, right, failed, *_) = rows(told)
    assert right[:5] == ["A", "3", "0", "-", "done in <duration>: 2"]
    assert failed[:5] == ["B", "2", "1", "ValueError: at <address>", "done in <duration>: 1"]
    assert "goes with the failures: in 2 of 2 runs that failed, in 0 of 3 others" in told
    classes = done.query("SELECT exit_code, count(DISTINCT interleaving) FROM runs GROUP BY exit_code")
    assert classes == [(0, 1), (1, 1)]
    # AND the run that is shown is the first that failed and lost one
    assert (
        "run 2 is shown: it failed (exit code 1); a lost update happened in it, and in 1 more of 5 runs" in done.stderr
    )
    assert "Finding: update of cell[0]" in done.stderr.partition("run 2 is shown")[2]
    if not FREE_THREADED:
        ((of_right,), (of_lost,)) = done.query(
            "SELECT DISTINCT substr(interleaving, 1, 8) FROM runs ORDER BY exit_code"
        )
        shown = done.stderr[: done.stderr.index("opcodetrace: runs")]
        shown = "\n".join(line.rstrip() for line in shown[shown.index("outcome ") :].splitlines())
        assert shown == TABLES.format(right=of_right, lost=of_lost)


def test_findings_of_some_runs(folder: Path) -> None:
    steered("right", "lose raise", "right", "lose raise", "lose")
    together = "goes with the failures: in 2 of 2 runs that failed, in 0 of 2 others"
    lost = next(line for line in command("findings", "--run", "1-4").output.splitlines() if "lost update" in line)
    assert lost.endswith(f", in 2 of 4 runs; {together}")
    # one that passed lost one too: only the numbers are told
    lost = next(line for line in command("findings", "--all").output.splitlines() if "lost update" in line)
    assert lost.endswith(", in 3 of 5 runs")
    # a single run on one side is not enough
    assert "goes with" not in command("findings", "--run", "1", "--run", "2-4", "--run", "2").output.replace(
        together, ""
    )
    assert "goes with" not in command("findings", "--run", "1-2", "--run", "4").output
    found = json.loads(command("findings", "--run", "1-4", "--kind", "lost-update", "--format", "json").output)
    assert [(each["runs"], each["happened_in"], each["possible_in"], each["goes_with"]) for each in found] == [
        ([2, 4], [2, 4], [], "failures")
    ]
    assert command("check", "--run", "1", "--run", "3").exit_code == 0
    assert command("check", "--run", "1-2").exit_code == 1
    assert [row[0] for row in rows(command("runs", "--run", "2-3", "--run", "5").output)[2:]] == ["2", "3", "5"]


def test_a_finding_that_goes_with_an_outcome_of_runs_that_all_pass(folder: Path) -> None:
    steered("right", "lose", "right", "lose")
    told = tables()
    assert [row[:4] for row in rows(told)[2:4]] == [
        ["A", "2", "0", "done in <duration>: 2"],
        ["B", "2", "0", "done in <duration>: 1"],
    ]
    assert "goes with outcome B: in 2 of 2 runs that ended so, in 0 of 2 others" in told
    (lost,) = json.loads(command("findings", "--all", "--kind", "lost-update", "--format", "json").output)
    assert lost["goes_with"] == {"exit_code": 0, "exception": None, "last_line": "done in <duration>: 1"}


def test_runs_that_were_not_recorded_to_their_end_prove_no_absence(folder: Path) -> None:
    steered("right", "right", options=("--runs", "2", "--max-events", "4"))
    steered("lose raise", "lose raise")
    assert "goes with" not in tables()
    assert "not known exactly" in tables()


def test_the_run_that_is_shown(folder: Path) -> None:
    def shown(*words: str) -> tuple[int, str]:
        said = steered(*words).stderr
        found = re.search(r"run (\d+) is shown: (.*)", said)
        assert found is not None, said
        return int(found[1]), found[2]

    # one that failed comes first, whatever happened elsewhere
    number, why = shown("right", "lose both", "lose", "lose raise")
    assert (number, why) == (4, "it failed (exit code 1); a lost update happened in it, and in 2 more of 4 runs")
    # one that failed and in which nothing happened does not
    number, why = shown("lose", "right raise", "lose", "lose both")
    assert (number, why) == (8, "a lost update happened in it, and in no other of 4 runs")


def test_what_is_rare_is_told_first(folder: Path) -> None:
    """Something happened at two places in the run that is shown, and what it alone has is told."""
    said = steered("lose", "lose both").stderr
    assert "run 2 is shown: a lost update happened in it, and in no other of 2 runs" in said
    assert re.search(r"^Finding 1 of 2: update of other\[0\]", said, re.M), said


@pytest.mark.parametrize(
    ("until", "words", "ended"),
    [
        ("lost", ("right", "right raise", "lose", "lose"), "ended with the 3rd run, run 3 in the trace file: it lost"),
        ("finding", ("right", "lose", "lose"), "ended with the 2nd run, run 2 in the trace file: something happened"),
        ("failed", ("lose", "right exit", "right"), "ended with the 2nd run, run 2 in the trace file: it failed"),
        ("failed", ("right", "right kill", "right"), "ended with the 2nd run, run 2 in the trace file: it failed"),
        ("failed", ("right", "lose"), "of 2 runs, there was none of which --until failed holds"),
    ],
)  # fmt: skip
def test_until(until: str, words: tuple[str, ...], ended: str, folder: Path) -> None:
    done = steered(*words, options=("--runs", str(len(words)), "--until", until))
    assert f"opcodetrace: {ended}" in done.stderr
    made = len(words) if "none" in ended else int(ended.split()[3][0])
    assert done.query("SELECT count(*) FROM runs") == [(made,)]
    quiet = steered(*words, options=("-q", "--runs", str(len(words)), "--until", until))
    assert "opcodetrace: " not in quiet.stderr
    assert quiet.query("SELECT count(*) FROM runs") == [(2 * made,)]
    assert quiet.exit_code == done.exit_code


def test_until_needs_to_know_how_many_runs_at_most(folder: Path) -> None:
    done = CliRunner().invoke(main, ["record", "--until", "lost", "steered.py", "number", "right"])
    assert done.exit_code == 2
    assert "--runs" in done.output
    assert not Path("number").exists()


@pytest.mark.parametrize("given", ["0", "x", "3-", "-3", "5-3", "1-2-3", "", "1" * 30])
def test_what_is_no_number_of_runs(given: str, folder: Path) -> None:
    steered("right", options=("-q",))
    for name in ("runs", "findings", "check"):
        done = command(name, f"--run={given}")
        assert done.exit_code == 2, done.output
        assert repr(given) in done.output


def test_runs_that_are_not_there(folder: Path) -> None:
    steered("right", options=("-q",))
    assert command("runs", "--run", "1-1000000000").exit_code == 0
    for given in ("2", "2-9"):
        done = command("runs", "--run", given)
        assert done.exit_code != 0
        assert "holds no run 2; it holds run 1" in done.output


def test_what_was_not_captured_is_told(folder: Path) -> None:
    """A single run's output does not pass through us."""
    steered("right", options=("-q",))
    assert rows(tables())[2][:4] == ["A", "1", "0", "(not captured)"]


def test_scripts_are_not_mixed(folder: Path) -> None:
    steered("right", "right")
    (folder / "other.py").write_text("print('other')\n")
    record(folder / "t.db", "--runs", "2", "other.py")
    told = tables()
    assert [line for line in told.splitlines() if line.endswith(".py")] == ["steered.py", "other.py"]
    assert told.count("outcome  ") == 2


def test_runs_that_could_not_be_recorded_are_in_the_table(folder: Path) -> None:
    (folder / "script.py").write_text("print('it ran')\nraise SystemExit(3)\n")
    done = subprocess.run(
        [*COMMAND, "record", "-d", "new.db", "--runs", "2", "script.py"],
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)),  # no room for a trace file
    )
    assert done.returncode == 3
    assert ["A", "2", "3", "it ran", "not recorded"] in rows(done.stderr)


def test_a_test_runner_whose_times_differ_is_one_outcome(folder: Path) -> None:
    (folder / "test_it.py").write_text("def test(): pass\n")
    runner = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_it.py")
    done = record(folder / "t.db", "--runs", "3", *runner)
    assert done.exit_code == 0
    assert ["A", "3", "0", "1 passed in <duration>", "-"] in rows(done.stderr)


def test_a_result_that_is_the_whole_line_tells_outcomes_apart(folder: Path) -> None:
    """Whether an update is lost is chance; each number that was printed has its row, with as many runs."""
    done = record(folder / "t.db", "--runs", "6", "--switch-interval", "1e-6", ROOT / "samples" / "counter.py")
    printed = done.stdout.split()
    assert {row[3]: int(row[1]) for row in rows(done.stderr) if row[0] in ("A", "B")} == {
        line: printed.count(line) for line in printed
    }
