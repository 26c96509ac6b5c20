"""The columns of kept accesses."""

from __future__ import annotations

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest import shared_accesses
from opcodetrace.ingest.shared_accesses import DTYPES, Kept, with_more


@given(
    st.lists(st.integers(0, 9), max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=12),
    st.integers(0, 14),
    st.sampled_from([1, 4, 10, 1 << 16]),
)
def test_items_are_inserted(items: list[int], more: list[tuple[int, int]], room: int, chunk: int) -> None:
    # GIVEN a column that is the beginning of an array
    whole = np.zeros(len(items) + room, np.int64)
    column = whole[: len(items)]
    column[:] = items
    places = sorted(min(at, len(items)) for at, _ in more)
    inserted = [item for _, item in more]
    # WHEN items come before others of it
    with mock.patch.object(shared_accesses, "CHUNK", chunk):
        found = with_more(column, np.array(places, np.int64), np.array(inserted, np.int64))
    # THEN they lie there
    expected = list(items)
    for place, item in reversed(list(zip(places, inserted, strict=True))):
        expected.insert(place, item)
    assert found.tolist() == expected


def test_a_column_with_room_stays_where_it_is() -> None:
    whole = np.arange(10)
    found = with_more(whole[:8], np.array([3, 8]), np.array([70, 80]))
    assert found.tolist() == [0, 1, 2, 70, 3, 4, 5, 6, 7, 80]
    assert found.base is whole
    assert with_more(whole[:8].copy(), np.array([0]), np.array([5])).tolist() == [5, *whole[:8].tolist()]


@given(
    st.lists(st.integers(0, 3), max_size=40),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), max_size=12),
    st.sampled_from([1, 4, 1 << 16]),
)
def test_the_latest_access_of_a_thread(threads: list[int], asked: list[tuple[int, int]], chunk: int) -> None:
    columns = [np.zeros(len(threads), dtype) for dtype in DTYPES]
    columns[0][:] = np.arange(len(threads)) * 2
    columns[2][:] = threads
    kept = mock.Mock(spec=Kept, seqs=columns[0], threads_of=columns[2])
    asked.sort(key=lambda each: each[1])
    with mock.patch.object(shared_accesses, "CHUNK", chunk):
        found = Kept.latest_access(kept, *(np.array([each[at] for each in asked], np.int64) for at in (0, 1)))
    for (thread, before), seq in zip(asked, found.tolist(), strict=True):
        assert seq == max((2 * at for at, each in enumerate(threads) if each == thread and 2 * at < before), default=-1)
