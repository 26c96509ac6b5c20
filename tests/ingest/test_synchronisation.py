"""Who is in which operation, as ingest goes through what threads did."""

from __future__ import annotations

from collections.abc import Callable

from opcodetrace.ingest.synchronisation import _Waking
from tests.step_count import assert_linear


def test_operations_that_raised_are_not_gone_through_again_and_again() -> None:
    """They have no end: a thread stays in all of them."""

    def call_of(size: int) -> Callable[[], object]:
        def polled() -> None:
            waking = _Waking([], set())
            for number in range(size):
                waking.note(number, "get", 7, number, number, 1, begins=True, failed=False)

        return polled

    assert_linear(call_of)


def test_the_operation_that_another_is_part_of() -> None:
    waking = _Waking([], {9})

    def note(number: int, operation: str, site: int, seq: int, *, begins: bool) -> int | None:
        return waking.note(number, operation, site, seq, seq, 1, begins=begins, failed=False)[0]

    assert note(1, "wait", 7, 0, begins=True) is None
    assert note(2, "acquire", 7, 1, begins=True) == 0
    assert note(3, "release", 7, 2, begins=False) == 1
    assert note(3, "release", 8, 3, begins=False) is None  # another call
    assert note(3, "release", 9, 4, begins=False) == 1  # library code
    assert note(1, "wait", 7, 5, begins=True) is None  # again: an exception left both
    assert note(1, "wait", 7, 6, begins=False) is None
