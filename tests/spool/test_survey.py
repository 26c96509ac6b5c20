"""The first look at a window: the compiled pass against plain Python, record by record."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.spool import _survey, layout
from opcodetrace.spool import records as records_module
from opcodetrace.spool.layout import RecordKind, Tag
from opcodetrace.spool.records import RECORD_DTYPE, SpooledRecords, survey
from tests.windows import WindowBuilder

OF_NO_THREAD = {RecordKind.TEXT, RecordKind.TYPE, RecordKind.BIRTH, RecordKind.DESCRIBE}


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 16),
            st.sampled_from([0, 1, 65535]),
            st.sampled_from(list(Tag)),
            st.sampled_from([0, 0x20, 0x60, 0xE0]),
            st.integers(0, 5),
            st.sampled_from([Tag.INT, Tag.RAISED]),
        ),
        max_size=60,
    ),
    chunk=st.sampled_from([1, 7, 1 << 14]),
)
def test_what_is_seen(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]], chunk: int) -> None:
    # GIVEN records of all kinds, some of them not finished
    window = WindowBuilder()
    kinds = []
    for kind, thread, tag, flags, hole, value in rows:
        if hole:
            window.add(kind | flags, thread=thread, tags=tag | value << 4)
        else:
            window.hole()
        kinds.append(kind if hole else 0)
    spool = SpooledRecords.open(window.save(tmp_path_factory.getbasetemp() / "survey"))
    with mock.patch.object(records_module, "CHUNK", chunk):
        seen = survey(spool)
    # THEN each is told by its kind
    assert seen.kinds.tolist() == kinds
    assert seen.counts.tolist() == [kinds.count(kind) for kind in range(layout.RECORD_KIND_MASK + 1)]
    # AND the first and last record of each thread
    of_thread: dict[int, list[int]] = {}
    for seq, (kind, thread, _, _, hole, _) in enumerate(rows):
        if hole and kind not in OF_NO_THREAD:
            of_thread.setdefault(thread, []).append(seq)
    assert seen.first_seq == {thread: seqs[0] for thread, seqs in of_thread.items()}
    assert seen.last_seq == {thread: seqs[-1] for thread, seqs in of_thread.items()}
    # AND those that later passes ask for
    control = [seq for seq, kind in enumerate(kinds) if kind >= RecordKind.TEXT]
    assert seen.control_seqs.tolist() == control
    assert seen.control_kinds.tolist() == [kinds[seq] for seq in control]
    assert seen.control.tobytes() == spool.stored[control].tobytes()
    markers = (RecordKind.COMPUTE, RecordKind.ENTER, RecordKind.DEFINE)
    assert seen.markers.tolist() == [seq for seq, kind in enumerate(kinds) if kind in markers]
    moving = []
    for seq, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        whole = row[2] in (Tag.WHOLE, Tag.SLICE) or (row[2] == Tag.INT and kind == RecordKind.DELETE)
        if kind in (RecordKind.WRITE, RecordKind.DELETE) and whole:
            moving.append(seq)
    assert seen.moving.tolist() == moving
    failed = (RecordKind.READ, Tag.WHOLE, Tag.RAISED)
    assert seen.failed.tolist() == [
        seq for seq, (row, kind) in enumerate(zip(rows, kinds, strict=True)) if (kind, row[2], row[5]) == failed
    ]
    read = (RecordKind.READ, Tag.WHOLE, Tag.INT)
    assert seen.wholes.tolist() == [
        seq for seq, (row, kind) in enumerate(zip(rows, kinds, strict=True)) if (kind, row[2], row[5]) == read
    ]
    resizing = []
    for seq, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        flags = row[3] & layout.RecordFlag.RESIZES
        if (kind, flags) in ((RecordKind.WRITE, layout.RecordFlag.RESIZES), (RecordKind.DELETE, 0)):
            resizing.append(seq)
    assert seen.resizing.tolist() == resizing


def test_arrays_that_do_not_fit_together() -> None:
    rows, kinds = np.zeros(3, RECORD_DTYPE), np.zeros(3, np.uint8)
    counts = np.zeros(layout.RECORD_KIND_MASK + 1, np.int64)
    threads = [np.full(layout.MAX_THREADS, -1, np.int64) for _ in range(2)]
    places = [np.zeros(3, np.int32) for _ in range(6)]
    right: list[Any] = [rows, 0, kinds, counts, *threads, *places]
    assert _survey.survey(*right) == (0, 0, 0, 0, 0, 0)
    for place, wrong in (
        (0, np.zeros(3, np.uint8)),
        (0, rows[:2]),
        (2, kinds.astype(np.int16)),
        (3, counts[:31]),
        (4, threads[0][:100]),
        (6, places[0][:2]),
        (8, places[0].astype(np.int64)),
    ):
        given_arrays = list(right)
        given_arrays[place] = wrong
        with pytest.raises(ValueError, match="wanted"):
            _survey.survey(*given_arrays)
