"""Callbacks of event loops: which step of an asyncio task came after what, because that made it go on."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

Past = tuple[tuple[int, int], ...]  # lanes, each with the seq below which what it recorded came before


class Wake(NamedTuple):
    """What `one` recorded below `seq` came before what `other` recorded from `until` on."""

    one: int
    seq: int
    other: int
    until: int


class Callbacks(NamedTuple):
    """What is known of the callbacks of a run, each of which an event loop runs as a whole.

    A step of a task is one, and so is what resolves a future or a timer. The latter are run by the loop's own thread,
    one after the other. That is no order: another run may have them in another one. So each has the past of who
    scheduled it, and so has what it makes go on. For event loops: Maiya, Kanade and Majumdar, "Race detection for
    Android applications" (2014). If a task's release of a lock makes another one go on, that is no order here, as it is
    none between threads.

    Callbacks that are not to run later (a timer) run in the order in which they were scheduled, so asyncio promises. So
    what one lane scheduled so has the earlier ones in its past, and a task's next step has those that the task had
    scheduled. What two lanes scheduled is in no order by that, nor are the first steps of two tasks, which a program
    easily makes in another order."""

    wakes: Sequence[Wake] = ()  # by `until`
    runs: Mapping[int, Sequence[int]] = {}  # by thread: the seqs at which its loop began a callback
    lanes: Mapping[int, Sequence[int]] = {}  # beside `runs`: the task that made a step, or the thread itself
    pasts: Mapping[int, Sequence[Past]] = {}  # beside `runs`: what it was scheduled after; () for a step of a task
    # by thread: the places of those that are no steps of tasks, and in which anything was recorded; None: so many that
    # they are not told apart
    used: Mapping[int, Sequence[int]] | None = {}
    begins: Mapping[int, Sequence[int]] = {}  # by thread: the seqs at which its loop started
    ends: Mapping[int, Sequence[int]] = {}  # by thread: the seqs at which its loop stopped
    # lane, seq: a task may have heard of anything. It saw that a future is done, by nobody knows whom, or was woken by
    # what may have come through a socket of the process itself
    heard: Sequence[tuple[int, int]] = ()
    interrupted: int | None = None  # the seq at which Ctrl-C came, for the first time
    stepped: Mapping[int, int] = {}  # by task: the seq at which its last step before that, or of all, began
    # threads whose loop, by then or at the end of the run, waited without end, with nothing to do and nothing to come
    idle: Collection[int] = frozenset()
    followed: frozenset[int] = frozenset()  # threads whose loop ran all steps of its tasks so

    def suspends(self, thread: int, first: int, last: int) -> bool:
        """Whether the thread's loop ran anything else between two records of one of its tasks."""
        runs = self.runs.get(thread, ())
        return bisect.bisect(runs, first) != bisect.bisect(runs, last)

    def is_over(self, thread: int, seq: int) -> bool:
        """Whether a thread had run a loop, and ran none any more."""
        begun, ended = bisect.bisect(self.begins.get(thread, ()), seq), bisect.bisect(self.ends.get(thread, ()), seq)
        return 0 < begun == ended

    def steps(self, tasks: Collection[int]) -> dict[int, list[int]]:
        """By some tasks: the seqs at which each of its steps began."""
        found: dict[int, list[int]] = {each: [] for each in tasks}
        for thread, lanes in self.lanes.items() if found else ():
            for seq, lane in zip(self.runs[thread], lanes, strict=True):
                if lane in found:
                    found[lane].append(seq)
        return found

    def past(self, thread: int, seq: int) -> Past:
        """After what a thread came to do what it did at `seq`, if that was in a callback that is no step of a task."""
        at = self.at(thread, seq)
        return () if at is None else self.pasts[thread][at]

    def at(self, thread: int, seq: int) -> int | None:
        """The place of the callback, or of the step of a task, that the thread's loop had begun last; None if it is
        over."""
        at = bisect.bisect(self.runs.get(thread, ()), seq) - 1
        ends = self.ends.get(thread, ())
        if at < 0 or bisect.bisect(ends, seq) != bisect.bisect(ends, self.runs[thread][at]):
            return None
        return at
