"""Which accesses may be to shared locations: the compiled passes against plain Python, record by record."""

from __future__ import annotations

import pathlib
from collections import defaultdict
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest import _candidates, candidates
from opcodetrace.ingest.candidates import Candidates
from opcodetrace.ingest.identity import Aliases, Births
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool import records as records_module
from opcodetrace.spool.layout import RecordFlag, RecordKind, Tag
from opcodetrace.spool.records import RECORD_DTYPE, SpooledRecords, survey
from opcodetrace.trace.event import EventKind
from tests.traces import make_code, make_site
from tests.windows import WindowBuilder

TEXTS = [b"a", b"b", b"a", b"\xff"]
CODES = [
    make_code(
        make_site(0, "LOAD_SUBSCR"),
        make_site(1, "STORE_ATTR", name="a"),
        make_site(2, "STORE_GLOBAL", name="b"),
        make_site(3, "LOAD_ATTR", name="other"),
    )
]
ACCESSES = st.tuples(
    st.sampled_from([EventKind.READ, EventKind.WRITE, EventKind.DELETE]),
    st.sampled_from([0, 1, 2, 3, 99, 0xFFFFFFFF]),
    st.sampled_from([0, 1, 65535]),
    st.sampled_from([0x10, 0x20, 5 << 48 | 0x10]),
    st.sampled_from(list(Tag)),
    st.sampled_from([0, 1, 2, 3, 99, 7 << 48 | 1, (1 << 64) - 1]),
    st.sampled_from([0, RecordFlag.MODULE, RecordFlag.ATTRIBUTE, RecordFlag.RESIZES]),
)


def key_of(tag: Tag, word: int, site: int) -> object:
    """What a key is, by the text and not by the id; keys that are equal are equal here."""
    names = {each.id: each.name for each in CODES[0].sites}
    match tag:
        case Tag.NAME:
            return (names.get(site) or "").encode()
        case Tag.STR | Tag.BYTES | Tag.TUPLE:
            number = word & 0xFFFFFFFF
            return TEXTS[number] if number < len(TEXTS) else b""
        case Tag.FALSE | Tag.TRUE:
            return int(tag == Tag.TRUE)
        case Tag.NONE | Tag.ABSENT | Tag.WHOLE | Tag.END:
            return None
        case Tag.OBJECT:
            return word & ADDRESS_MASK
    return word


@given(accesses=st.lists(ACCESSES, max_size=40), aliased=st.booleans(), chunk=st.sampled_from([1, 5, 1 << 14]))
def test_shared_locations_are_among_them(
    tmp_path_factory: pytest.TempPathFactory, accesses: list[tuple[int, ...]], aliased: bool, chunk: int
) -> None:
    # GIVEN accesses to a few locations
    window = WindowBuilder()
    for text in TEXTS:
        window.text(text)
    if aliased:
        window.add(RecordKind.ALIAS, container=0x10, value=0x40)
    threads, written = defaultdict(set), set()
    made: list[tuple[int, tuple[int, object]]] = []
    for kind, site, thread, container, tag, word, flags in accesses:
        location = container & ADDRESS_MASK, key_of(Tag(tag), word, site)
        seq = window.add(kind | flags, site=site, thread=thread, container=container, key=word, tags=tag)
        made.append((seq, location))
        threads[location].add(thread)
        if kind != EventKind.READ:
            written.add(location)
    spool = SpooledRecords.open(window.save(tmp_path_factory.getbasetemp() / "candidates"))
    with mock.patch.object(records_module, "CHUNK", chunk):
        seen = survey(spool)
        interned = Interned(seen)
        table = SiteTable(CODES, interned)
        found = Candidates.of(spool, seen, table, interned, Aliases.of(seen, Births.of(seen)))
        # THEN those that two threads touched and one wrote are found, and all of containers with two names
        seqs = np.flatnonzero(found.which).tolist()
        for seq, location in made:
            if (len(threads[location]) > 1 and location in written) or (aliased and location[0] == 0x10):
                assert seq in seqs
        assert set(seqs) <= {seq for seq, _ in made}
        assert found.count == len(seqs)
        # AND a location that only one thread touched, or nothing wrote, is left out, unless another hashes alike
        if len({location for _, location in made}) == 1 and not aliased:
            ((location, touched),) = threads.items()
            assert bool(seqs) == (len(touched) > 1 and location in written)
        # AND the accesses at each site are counted, and globals are found
        assert found.by_site is not None
        sites = [min(access[1], table.unknown) for access in accesses]
        assert found.by_site.tolist() == [sites.count(site) for site in range(table.unknown + 1)]
        in_globals = [
            seq
            for (seq, _), (_, site, _, _, _, _, flags) in zip(made, accesses, strict=True)
            if site == 2 or flags == RecordFlag.MODULE
        ]
        ranges = list(found.in_globals)
        assert all(any(start <= seq < stop for start, stop in ranges) for seq in in_globals)
        assert bool(ranges) == bool(in_globals)
        # AND their records come in order
        for only in (False, True):
            inside = [seq for seq in seqs if not only or any(start <= seq < stop for start, stop in ranges)]
            for some, rows in found.rows(in_globals=only):
                assert some.tolist() == inside[: len(some)]
                assert rows.tobytes() == spool.stored[some].tobytes()
                del inside[: len(some)]
            assert not inside


def test_all_accesses_are_candidates_on_demand(tmp_path: pathlib.Path) -> None:
    window = WindowBuilder()
    window.text(b"a")
    seqs = [window.add(kind) for kind in (EventKind.READ, EventKind.WRITE, EventKind.DELETE)]
    window.add(RecordKind.ENTER)
    spool = SpooledRecords.open(window.save(tmp_path / "window"))
    found = Candidates.all_of(spool, survey(spool))
    assert (found.count, found.by_site) == (3, None)
    for only in (False, True):
        assert [some.tolist() for some, _ in found.rows(in_globals=only)] == [seqs]


def test_arrays_that_do_not_fit_together() -> None:
    rows = np.zeros(3, RECORD_DTYPE)
    kinds = np.ones(3, np.uint8)
    by_site, texts, none = np.zeros(2, np.uint64), np.zeros(1, np.uint64), np.zeros(0, np.uint64)
    table, buckets, counts = np.zeros(8, np.uint32), np.zeros(3, np.uint32), np.zeros(2, np.int64)
    names = by_site, np.zeros(2, bool)
    right: list[Any] = [rows, kinds, *names, texts, 0, none, (3, 5), table, buckets, counts]
    assert _candidates.touch(*right) is False
    for place, wrong in (
        (0, rows[:2]),
        (0, np.zeros(3, np.uint8)),
        (1, kinds[:2]),
        (3, np.zeros(3, bool)),
        (4, none),
        (8, table[:7].copy()),
        (8, table[:1].copy()),
        (9, buckets[:2]),
        (10, counts.astype(np.int32)),
    ):
        given_arrays = list(right)
        given_arrays[place] = wrong
        with pytest.raises(ValueError, match=r"wanted|power of two"):
            _candidates.touch(*given_arrays)
    which = np.zeros(3, bool)
    with pytest.raises(ValueError, match="no such bucket"):
        _candidates.shared(np.array([0, 8, 0], np.uint32), table, which)
    with pytest.raises(ValueError, match="wanted"):
        _candidates.shared(buckets, table, which[:2])
    copies, seqs = np.zeros(4, RECORD_DTYPE), np.zeros(4, np.int64)
    for at in (-1, 2, 5):
        with pytest.raises(ValueError, match="room"):
            _candidates.gather(rows, which, 0, copies, seqs, at)
    with pytest.raises(ValueError, match="wanted"):
        _candidates.gather(rows, which, 0, copies, seqs[:3], 0)


def test_rows_are_handed_out_when_there_is_no_more_room(tmp_path: pathlib.Path) -> None:
    window = WindowBuilder()
    seqs = [window.add(EventKind.READ) for _ in range(50)]
    spool = SpooledRecords.open(window.save(tmp_path / "window"))
    with mock.patch.object(records_module, "CHUNK", 8), mock.patch.object(candidates, "ROWS", 20):
        pieces = [some.tolist() for some, _ in Candidates.all_of(spool, survey(spool)).rows()]
    assert [len(each) for each in pieces] == [16, 16, 18]
    assert [seq for some in pieces for seq in some] == seqs
