"""Iterations over containers that another lane changes: vectorised, against plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.iterations import changed_by_another
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
def test_changed_by_another(
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
    # WHEN each start is asked for the next change by another thread, each change for the latest start, and backwards
    pairs = set()
    for sign in (1, -1):
        of_sign = set()
        for start, thread, thing in starts:
            others = [c for c in changes if sign * (c[0] - start) > 0 and c[1] != thread and c[2] == thing]
            if others:
                change, _, _, site = min(others, key=lambda c: sign * c[0])
                of_sign.add((start, change, site))
        for change, thread, thing, site in changes:
            before = [s for s in starts if sign * (change - s[0]) > 0 and s[1] != thread and s[2] == thing]
            if before:
                of_sign.add((sign * max(sign * s[0] for s in before), change, site))
        # THEN of the changes by one instruction the one that is closest to the start is found
        for start, _, site in of_sign:
            own = [pair[1] for pair in of_sign if pair[0] == start and pair[2] == site]
            pairs.add((start, min(own, key=lambda change: abs(change - start))))
    spool = SpooledRecords.open(window.save(tmp_path_factory.getbasetemp() / "iterations"))
    seen = survey(spool)
    interned = Interned(seen)
    found = changed_by_another(spool, seen, Births.of(seen), SiteTable(CODES, interned), interned)
    assert sorted(map(tuple, found.T.tolist())) == sorted(pairs)
