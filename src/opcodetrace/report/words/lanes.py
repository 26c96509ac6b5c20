"""Lanes in words: threads, tasks, or both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opcodetrace.trace.quantity import listing
from opcodetrace.trace.report_model import RunReport
from opcodetrace.trace.report_step import Lane

MAX_NAMES = 4  # lanes that are named


def noun(lanes: Iterable[Lane]) -> str:
    """What one of these is: thread, task, or thread or task."""
    are_tasks = {lane.task_of is not None for lane in lanes}
    return "thread or task" if len(are_tasks) > 1 else "task" if are_tasks == {True} else "thread"


def plural(lanes: Iterable[Lane]) -> str:
    """What several of these are: threads, tasks, or threads and tasks."""
    return {"thread": "threads", "task": "tasks"}.get(noun(lanes), "threads and tasks")


def count(lanes: Sequence[Lane]) -> str:
    """2 threads."""
    return f"{len(lanes):,} {noun(lanes) if len(lanes) == 1 else plural(lanes)}"


def chosen(threads: Iterable[int], report: RunReport) -> list[Lane]:
    """The lanes of these numbers."""
    numbers = set(threads)
    return [lane for lane in report.lanes if lane.thread in numbers]


def some(names: Sequence[str]) -> str:
    """All of a few names, or the first of many."""
    if len(names) <= MAX_NAMES + 1:
        return listing(names)
    return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES:,} more"
