"""Which thread an operation started: idents are used again."""

from __future__ import annotations

import pytest

from opcodetrace.ingest.synchronisation import Starts
from opcodetrace.trace.run import Thread

IDENT = 7


def thread(number: int, first_seq: int, last_seq: int) -> Thread:
    return Thread(number, None, IDENT, number, None, first_seq, last_seq, ended=True)


@pytest.mark.parametrize(
    ("earliest", "seq", "started"),
    [
        (4, 4, 1),
        (40, 51, 2),  # it has ended before its starter came back
        (18, 42, 2),  # as this start began, the ident was another thread's, which has ended since
        (60, 60, 3),  # it made its first record before its starter came back
        (71, 71, None),  # it recorded nothing
    ],
)
def test_it_is_the_one_that_lived_then(earliest: int, seq: int, started: int | None) -> None:
    starts = Starts([thread(1, 5, 20), thread(2, 41, 50), thread(3, 58, 70)])
    assert starts.thread(IDENT, seq, earliest) == started
