"""What an interleaving shows, and what it folds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from opcodetrace.explain.interleaving import interleave, lanes_of
from opcodetrace.findings.lost_update import LOST_UPDATE, LOST_WRITE, OVERWRITING_WRITE, SOURCE_READ, STALE_READ
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.report_model import Interleaving
from opcodetrace.trace.report_step import AccessStep, ComputeStep, FoldStep, SwitchStep
from opcodetrace.trace.run import Thread
from opcodetrace.trace.stored import StoredSite
from opcodetrace.trace.switch import Switch
from tests.report.cases import COUNTER, archetype
from tests.report.threads_at_work import Recorded


def told(run: Recorded, lost: Finding) -> Interleaving:
    interleaving = run.story(lost).interleaving
    assert interleaving is not None
    return interleaving


def shape(interleaving: Interleaving) -> list[str]:
    """The steps in short: 1r0 2w1 for accesses, c for a computation, / for a switch, … for a fold."""
    out = []
    for step in interleaving.steps:
        match step:
            case AccessStep():
                out.append(f"{step.thread}{step.kind.name[0].lower()}{step.value!r}")
            case ComputeStep():
                out.append(f"{step.thread}c{step.value!r}")
            case SwitchStep():
                out.append("/")
            case FoldStep():
                out.append("…")
    return out


def test_archetype() -> None:
    run = archetype()
    interleaving = told(run, run.lost(105, 101, 107, 103))
    assert shape(interleaving) == ["1r0", "/", "2r0", "/", "1c1", "1w1", "/", "2c1", "2w1"]
    assert [step.role for step in interleaving.steps if isinstance(step, AccessStep)] == [
        SOURCE_READ,
        STALE_READ,
        LOST_WRITE,
        OVERWRITING_WRITE,
    ]
    assert interleaving.same_version


def test_what_was_recorded_of_a_computation_is_shown_where_it_was() -> None:
    run = Recorded(COUNTER)
    one = run.read(1, 7, 0)
    run.event(1, EventKind.COMPUTE, run.at(9, "BINARY_MULTIPLY", "count * 3"), 0, location=-1)
    run.yielded(1, 2, 9)
    other = run.read(2, 7, 0)
    by_other = run.write(2, 9, 1)
    run.yielded(2, 1, 9)
    last = run.write(1, 9, 1)
    interleaving = told(run, run.lost(by_other, other, last, one))
    assert shape(interleaving) == ["1r0", "1c0", "/", "2r0", "2c1", "2w1", "/", "1w1"]


@pytest.mark.parametrize(
    ("source", "suspended_at", "expected"),
    [
        ("counter[0] = count + 1", 8, True),
        ("counter[0] = count + 1", 9, False),  # between the operation and the write, perhaps
        ("counter[0] += 1", 8, True),
        ("counter[0] = x", 8, False),  # computed somewhere before
        ("counter[0] = x = (", 8, False),
    ],
)
def test_a_computation_is_shown_where_its_place_is_known(source: str, suspended_at: int, expected: bool) -> None:
    run = Recorded("\n" * 8 + source)
    one, other = run.read(1, 7, 0), run.read(2, 7, 0)
    lost = run.write(2, 9, 1)
    run.switch(1, 2, suspended_at, "sleep(0)")
    by = run.write(1, 9, 1)
    assert ("1c1" in shape(told(run, run.lost(lost, other, by, one)))) == expected


def test_an_inferred_source_gives_no_operand() -> None:
    run = archetype()
    for certainty in (Certainty.PROVEN, Certainty.INFERRED):
        steps = told(run, run.lost(105, 101, 107, 103, certainty)).steps
        operands = [step.operand for step in steps if isinstance(step, ComputeStep)]
        assert (operands == [0, 0]) == (certainty is not Certainty.INFERRED)


@pytest.mark.parametrize("free_threaded", [False, True])
def test_the_origin_takes_no_lane(free_threaded: bool) -> None:
    run = Recorded(COUNTER, free_threaded=free_threaded)
    run.write(0, 9, 7)
    run.switch(0, 1)
    one, other = run.read(1, 7, 7), run.read(2, 7, 7)
    interleaving = told(run, run.lost(run.write(1, 9, 8), one, run.write(2, 9, 8), other))
    assert shape(interleaving)[:2] == ["0w7", "1r7"]
    assert [lane.thread for lane in interleaving.lanes] == [1, 2]


def test_an_origin_with_another_value_than_was_read_is_none() -> None:
    run = Recorded(COUNTER)
    run.write(0, 9, 3)
    one, other = run.read(1, 7, 7), run.read(2, 7, 7)
    assert shape(told(run, run.lost(run.write(1, 9, 8), one, run.write(2, 9, 8), other)))[0] == "1r7"


def test_other_threads_that_ran_in_between_are_folded() -> None:
    run = Recorded(COUNTER)
    one = run.read(1, 7, 0)
    for _ in range(3):
        run.yielded(1, 0, 8)
        run.elsewhere(0, 2)
        run.yielded(0, 1, 8)
    lost = run.write(1, 9, 1)
    run.yielded(1, 2, 9)
    by = run.write(2, 9, 1)
    interleaving = told(run, run.lost(lost, one, by, None))
    assert shape(interleaving) == ["1r0", "…", "1c1", "1w1", "/", "2w1"]
    folds = [step for step in interleaving.steps if isinstance(step, FoldStep)]
    assert (folds[0].elsewhere, folds[0].switches) == (6, 6)


def test_a_stale_read_whose_interval_ends_late_is_told_before_the_lost_write() -> None:
    run = Recorded(COUNTER, free_threaded=True)
    one = run.read(1, 7, 0)
    lost = run.event(1, EventKind.WRITE, run.at(9, "STORE_SUBSCR", "counter[0]"), 1, width=1)
    other = run.read(2, 7, 0, width=2)
    by = run.event(2, EventKind.WRITE, run.at(9, "STORE_SUBSCR", "counter[0]"), 1)
    interleaving = told(run, run.lost(lost, one, by, other))
    assert shape(interleaving) == ["1r0", "2r0", "1w1", "2w1"]
    unordered = [step.unordered for step in interleaving.steps if isinstance(step, AccessStep)]
    assert unordered == [True, True, True, False]


def test_names_of_lanes_are_told_apart() -> None:
    names = ["MainThread", "Thread-1 (work)", "Thread-1 (rest)", "pool", "pool", None]
    threads = [Thread(number, name, 0, 0, None, 0, 0, True) for number, name in enumerate(names)]
    assert [lane.name for lane in lanes_of(threads)] == [
        "MainThread",
        "Thread-1 (work)",
        "Thread-1 (rest)",
        "pool/3",
        "pool/4",
        "thread 5",
    ]


@dataclass
class Million:
    """Two threads that take turns at a counter, a million times; refuses to be read as a whole."""

    read: int = 0

    def _event(self, seq: int) -> Event:
        return Event(seq, seq, 1 + seq % 2, 0, EventKind.READ if seq % 4 < 2 else EventKind.WRITE, 0, seq // 4, 0)

    def events(self, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        self.read += last - first + 1
        assert self.read < 50_000
        return [self._event(seq) for seq in range(max(0, first), min(last, 999_999) + 1)]

    def count_events(self, first: int, last: int, locations: Collection[int] | None = None) -> int:
        return max(0, last - first + 1)

    def switches(self, first: int, last: int) -> list[Switch]:
        self.read += last - first + 1
        assert self.read < 50_000
        return [Switch(seq, 1 + (seq + 1) % 2, 1 + seq % 2, None, None, None) for seq in range(first, last + 1)]

    def stack(self, seq: int) -> list[int]:
        return []


@pytest.mark.parametrize("lost", [2, 998])
def test_a_million_events_are_not_all_read(lost: int) -> None:
    site = StoredSite(0, "a.py", 1, 0, 1, 1, "f", "STORE_SUBSCR", "STORE_SUBSCR", "c[0]", None, "c[0] += 1")
    location = Location(0, LocationKind.ITEM, "list", 0, "c[0]", True, 500_000, 500_000, 2)
    roles = {SOURCE_READ: lost - 2, STALE_READ: 1, LOST_WRITE: lost, OVERWRITING_WRITE: 999_999}
    update = Finding(LOST_UPDATE.name, Severity.HAPPENED, Certainty.PROVEN, roles, (0,))
    threads = [Thread(number, f"T{number}", 0, 0, None, 0, 999_999, True) for number in range(3)]
    lanes = {lane.thread: lane for lane in lanes_of(threads)}
    interleaving = interleave(update, LOST_UPDATE, location, Million(), {0: site}, lanes)
    assert len(interleaving.steps) < 30
    assert any(isinstance(step, FoldStep) and step.accesses > 900_000 for step in interleaving.steps)
