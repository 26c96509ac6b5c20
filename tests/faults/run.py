"""Runs one trial, whatever it shows."""

from __future__ import annotations

import signal
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.faults.classes import CLASSES, class_of
from tests.faults.prepared import Prepared
from tests.faults.trial import BrokenLaw, Trial


@dataclass(frozen=True)
class Result:
    """`broken` is what a failed trial has shown; its log tells all that it did."""

    number: int
    broken: str | None
    log: tuple[str, ...]


def hear_signals() -> None:
    """A shell ignores some signals in what it starts in the background, and so would all that a trial starts."""
    for signum, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, handler)


def run(seed: int, number: int, prepared: Prepared, kept: Path | None = None) -> Result:
    """`kept`: the folder in which the trial leaves all that it made."""
    if kept is not None:
        folder = kept / f"{seed}-{number}"
        folder.mkdir(parents=True)
        return _run(seed, number, prepared, folder)
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        return _run(seed, number, prepared, Path(made))


def _run(seed: int, number: int, prepared: Prepared, folder: Path) -> Result:
    trial = Trial(seed, number, folder, prepared)
    broken = None
    try:
        with trial:
            CLASSES[class_of(number)](trial)
    except BrokenLaw as error:
        broken = str(error)
    except Exception:  # a fault of the trial itself, or of what it took for granted
        broken = traceback.format_exc()
    return Result(number, broken, tuple(trial.log))
