"""Iterations over containers that another lane changes later: vectorised, against plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.iterations import changed_later
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import Interned
from opcodetrace.spool.layout import ADDRESS_BITS, RecordFlag, RecordKind, Tag
from opcodetrace.spool.records import SpooledRecords, survey
from tests.traces import make_code, make_site
from tests.windows import WindowBuilder

LOOPS = (0, 1)  # sites
CHANGES = (2, 3)
SITES = [make_site(number, "ITERATE")._replace(opcode="GET_ITER") for number in LOOPS]
CODES = [make_code(*SITES, *(make_site(number, "STORE_SUBSCR") for number in CHANGES), make_site(4, "CALL"))]
A_DICT, A_LIST = 0x10, 1 << ADDRESS_BITS | 0x20
STEPS = st.tuples(
    st.sampled_from(["start", "len", "add", "remove", "append", "set"]),
    st.sampled_from([0, 1, 2]),  # threads
    st.sampled_from([0, 1]),  # which of two sites
    st.sampled_from([A_DICT, A_LIST]),
)


@given(steps=st.lists(STEPS, max_size=30), born=st.integers(0, 30))
def test_changed_later(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]], born: int
) -> None:
    # GIVEN a dictionary and a list; at the dictionary's address another one is born
    window = WindowBuilder()
    window.type(1, "list")
    starts, changes = [], []
    for number, (step, thread, which, container) in enumerate(steps):
        if number == born:
            window.add(RecordKind.BIRTH, container=A_DICT)
        thing = container, container == A_DICT and number >= born
        kind, site, tag = {
            "start": (RecordKind.READ, LOOPS[which], Tag.WHOLE),
            "len": (RecordKind.READ, 4, Tag.WHOLE),
            "add": (RecordKind.WRITE | RecordFlag.RESIZES, CHANGES[which], Tag.INT),
            "remove": (RecordKind.DELETE, CHANGES[which], Tag.INT),
            "append": (RecordKind.WRITE | RecordFlag.RESIZES, CHANGES[which], Tag.END),
            "set": (RecordKind.WRITE, CHANGES[which], Tag.INT),
        }[step]
        seq = window.add(kind, site=site, thread=thread, container=container, key=7, tags=tag)
        if step == "start":
            starts.append((seq, thread, thing))
        elif step in ("add", "remove") or (step == "append" and container == A_DICT):
            changes.append((seq, thread, thing, site))
    # WHEN each start is asked for the next change by another thread, and each change for the latest start
    pairs = set()
    for start, thread, thing in starts:
        later = [c for c in changes if c[0] > start and c[1] != thread and c[2] == thing]
        pairs |= {(start, *min(later)[::3])} if later else set()
    for change, thread, thing, site in changes:
        before = [start for start in starts if start[0] < change and start[1] != thread and start[2] == thing]
        pairs |= {(max(before)[0], change, site)} if before else set()
    # THEN of the changes by one instruction the first one is found
    expected = {
        (start, change)
        for start, change, site in pairs
        if (start, change, site) == min(pair for pair in pairs if pair[0] == start and pair[2] == site)
    }
    spool = SpooledRecords.open(window.save(tmp_path_factory.getbasetemp() / "iterations"))
    seen = survey(spool)
    interned = Interned(seen)
    found = changed_later(spool, seen, Births.of(seen), SiteTable(CODES, interned), interned)
    assert sorted(map(tuple, found.T.tolist())) == sorted(expected)
