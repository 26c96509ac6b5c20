"""Runs that ended alike: what is masked, and which lines are one outcome."""

from __future__ import annotations

import pytest

from opcodetrace.explain.outcomes import MAX_DIFFERENT, SameOutcome, masked, same_outcomes
from opcodetrace.trace.execution import Outcome


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("3 passed in 0.12s", "3 passed in <duration>"),
        ("=== 1 failed, 2 passed in 65.20s (0:01:05) ===", "=== 1 failed, 2 passed in <duration> (<time>) ==="),
        ("Ran 3 tests in 0.001s", "Ran 3 tests in <duration>"),
        ("took 12 ms, 1.5e-05 seconds, 3 µs", "took <duration>, <duration>, <duration>"),
        ("1,234.5 items/s", "<rate>"),
        ("at 2026-11-27T07:00:00.123Z", "at <date>"),
        ("2026-11-27 07:00:00,123 INFO", "<date> INFO"),
        ("<Cache object at 0x7f3a2b00>", "<Cache object at <address>>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <uuid>"),
        ("pid 4711: done", "<pid>: done"),
        ("wrote /tmp/tmpab12cd34/out", "wrote /tmp/<name>/out"),
    ],
)
def test_what_is_of_the_moment(line: str, shown: str) -> None:
    assert masked(line) == shown


@pytest.mark.parametrize(
    "line",
    ["1", "2", "-3.5", "1000000", "counter: 1873", "3 passed", "KeyError: 1405", "0xff", "score 3:1", "Thread-3 won",
     "v1.2.3", "x2s", "20 of 30", "a1b2c3", "balance 17.50 EUR", "rate 0.5"],
)  # fmt: skip
def test_what_may_be_the_result(line: str) -> None:
    assert masked(line) == line


def outcomes(*lines: str | None, exception: str | None = None) -> list[SameOutcome]:
    return same_outcomes([Outcome(0, None, 1.0, stdout_tail=line, exception=exception) for line in lines])


def told(found: list[SameOutcome]) -> list[tuple[str, str | None, int]]:
    return [(each.name, each.last_line, len(each.members)) for each in found]


def test_numbers_that_are_the_result_are_told_apart() -> None:
    assert told(outcomes("2", "1", "2", "2")) == [("A", "2", 3), ("B", "1", 1)]


def test_a_test_runners_times_are_one_outcome() -> None:
    lines = ["3 passed in 0.12s", "3 passed in 0.31s", "1 failed, 2 passed in 0.29s", "2 failed, 1 passed in 0.30s"]
    assert told(outcomes(*lines)) == [
        ("A", "3 passed in <duration>", 2),
        ("B", "1 failed, 2 passed in <duration>", 1),
        ("C", "2 failed, 1 passed in <duration>", 1),
    ]


def test_a_few_different_numbers_stay_as_they_are() -> None:
    lines = [f"seed {number}" for number in range(MAX_DIFFERENT)]
    assert told(outcomes(*lines)) == [(chr(ord("A") + place), line, 1) for place, line in enumerate(lines)]


def test_of_many_different_numbers_those_that_are_rare_are_one_outcome() -> None:
    lines = ["total: 2000"] * 60 + [f"total: {number}" for number in range(1800, 1840)]
    assert told(outcomes(*lines)) == [("A", "total: 2000", 60), ("B", "total: <number>", 40)]
    others = ["total: 2000"] * 60 + [f"total: {number}" for number in (1, 2)] + ["no total"] * 3
    assert told(outcomes(*others))[1:] == [("B", "no total", 3), ("C", "total: 1", 1), ("D", "total: 2", 1)]


def test_lines_that_differ_in_more_than_numbers_stay_apart() -> None:
    lines = [f"{word} {number}" for word in ("lost", "kept") for number in range(20)]
    assert told(outcomes(*lines)) == [("A", "lost <number>", 20), ("B", "kept <number>", 20)]


def test_exit_codes_signals_and_exceptions_tell_outcomes_apart() -> None:
    found = same_outcomes(
        [
            Outcome(0, None, 1.0, stdout_tail=""),
            Outcome(1, None, 1.0, stdout_tail="", exception="AssertionError: at 0x7f3a2b00"),
            Outcome(1, None, 1.0, stdout_tail="", exception="AssertionError: at 0x7f3a2bff"),
            Outcome(1, None, 1.0, stdout_tail="", exception="KeyError: 'x'"),
            Outcome(139, 11, 1.0, stdout_tail=""),
            Outcome(139, None, 1.0, stdout_tail=""),
            Outcome(None, None, 0.0),
        ]
    )
    assert [(each.exit_code, each.signal, each.exception, each.members) for each in found] == [
        (1, None, "AssertionError: at <address>", [1, 2]),
        (0, None, None, [0]),
        (1, None, "KeyError: 'x'", [3]),
        (139, 11, None, [4]),
        (139, None, None, [5]),
        (None, None, None, [6]),
    ]


def test_nothing_printed_is_not_the_same_as_not_kept() -> None:
    assert told(outcomes(None, "", None)) == [("A", None, 2), ("B", "", 1)]


def test_names_go_on_after_z() -> None:
    names = [each.name for each in outcomes(*(f"{'x' * number}" for number in range(30)))]
    assert (names[0], names[25], names[26], names[29]) == ("A", "Z", "AA", "AD")
