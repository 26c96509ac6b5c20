"""Each sample loses what its first comment says, in every recording.

The grammar of a first comment, one statement a line:

    # Finds: AMOUNT lost updates of LOCATION.      any number of them; no other location loses anything
    # It always prints TEXT.
    # With the GIL it prints TEXT.

AMOUNT is a number, or a difference of two: each a number, a NAME that the sample prints as NAME=NUMBER, or `printed`,
the one number that it prints. All that a sample prints is one line.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import ROOT, Recording

RUNS = 3
SAMPLES = sorted((ROOT / "samples").glob("*.py"))


@dataclass(frozen=True)
class Promise:
    amounts: dict[str, str]  # of lost updates, by location
    prints: str | None
    prints_with_gil: str | None


def promise(sample: Path) -> Promise:
    comment = re.match(r"(#.*\n)+", sample.read_text())
    assert comment is not None, f"{sample.name} begins with no comment"

    def said(statement: str) -> list[re.Match[str]]:
        return list(re.finditer(rf"^# {statement}\.$", comment[0], re.MULTILINE))

    amounts = {found[2]: found[1] for found in said(r"Finds: (.+) lost updates of (.+)")}
    assert amounts, f"{sample.name} does not say what it finds"
    prints, with_gil = said("It always prints (.+)"), said("With the GIL it prints (.+)")
    return Promise(amounts, prints[0][1] if prints else None, with_gil[0][1] if with_gil else None)


def amount(expression: str, stdout: str) -> int:
    numbers = {name: int(number) for name, number in re.findall(r"(\w+)=(-?\d+)", stdout)}
    if re.fullmatch(r"-?\d+", stdout):
        numbers["printed"] = int(stdout)
    first, *others = (numbers[word] if word in numbers else int(word) for word in expression.split(" - "))
    return first - sum(others)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_a_sample_loses_what_it_promises(sample: Path, record: Callable[..., Recording]) -> None:
    promised = promise(sample)
    recording = record("--runs", str(RUNS), sample)
    assert recording.exit_code == 0, recording.stderr
    for run in range(1, RUNS + 1):
        ((printed,),) = recording.query("SELECT stdout_tail FROM runs WHERE id = ?", run)
        stdout = str(printed)
        if promised.prints is not None:
            assert stdout == promised.prints
        if promised.prints_with_gil is not None and not FREE_THREADED:
            assert stdout == promised.prints_with_gil
        expected = {label: amount(expression, stdout) for label, expression in promised.amounts.items()}
        recording.assert_lost(expected, run)


@pytest.mark.parametrize(
    ("expression", "stdout", "expected"),
    [("0", "2", 0), ("2 - printed", "1", 1), ("130 - bob", "alice=70 bob=128 total=198", 2)],
)
def test_amounts(expression: str, stdout: str, expected: int) -> None:
    assert amount(expression, stdout) == expected
