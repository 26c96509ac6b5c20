"""A few trials of each class. `python -m tests.faults` runs as many as you like."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.classes import CLASSES, class_of, numbers
from tests.faults.prepared import Prepared, prepare
from tests.faults.run import Result, run
from tests.faults.trial import PROC_TELLS, Trial

SEED = 1
EACH = 1


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.mark.slow
@pytest.mark.parametrize("number", numbers(EACH * len(CLASSES)), ids=lambda number: f"{class_of(number)}-{number}")
def test_the_laws_hold(number: int, prepared: Prepared) -> None:
    result = run(SEED, number, prepared)
    assert result.broken is None, "\n".join([*result.log, result.broken or ""])


def test_a_broken_law_is_told(prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(trial: Trial) -> None:
        trial.note("what was drawn")
        trial.require(False, "a law")

    monkeypatch.setitem(CLASSES, "kills", broken)
    assert run(SEED, 0, prepared, tmp_path) == Result(0, "a law", ("what was drawn",))
    assert (tmp_path / f"{SEED}-0" / "traces").is_dir()  # is kept


@pytest.mark.skipif(not PROC_TELLS, reason="there is no /proc to find it in")
def test_what_a_trial_leaves_behind_is_ended(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs, at its bound, and is told with what still ran."""
    started = []

    def hangs(trial: Trial) -> None:
        started.append(trial.start(["sleep", "1000"]))

    monkeypatch.setitem(CLASSES, "kills", hangs)
    monkeypatch.setattr("tests.faults.trial.BOUND", 0.1)
    broken = run(SEED, 0, prepared).broken
    assert broken is not None
    assert "sleep 1000" in broken
    assert started[0].wait() == -signal.SIGKILL
    started[0].communicate()


def test_a_trial_is_determined_by_its_seed_and_number(prepared: Prepared) -> None:
    number = numbers(1, "dying-scripts")[0]
    drawn = [run(7, number, prepared).log[0] for _ in range(2)]
    assert drawn[0] == drawn[1]
