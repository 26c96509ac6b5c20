"""The classes of trials, by name. Trial number N is of class N modulo their number."""

from collections.abc import Callable

from tests.faults import (
    closed_streams,
    dying_scripts,
    forks,
    full_disks,
    hostile_files,
    kills,
    many_recorders,
    terminals,
)
from tests.faults.trial import Trial

CLASSES: dict[str, Callable[[Trial], None]] = {
    "kills": kills.trial,
    "full-disks": full_disks.trial,
    "hostile-files": hostile_files.trial,
    "many-recorders": many_recorders.trial,
    "dying-scripts": dying_scripts.trial,
    "forks": forks.trial,
    "closed-streams": closed_streams.trial,
    "terminals": terminals.trial,
}


def class_of(number: int) -> str:
    return list(CLASSES)[number % len(CLASSES)]


def numbers(count: int, only: str | None = None) -> list[int]:
    """The first so many trials, of one class or of all."""
    if only is None:
        return list(range(count))
    first = list(CLASSES).index(only)
    return list(range(first, first + count * len(CLASSES), len(CLASSES)))
