"""Looks at containers that another lane changes: vectorised, against plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.labels import Labels
from opcodetrace.ingest.resized import resized
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import Interned
from opcodetrace.spool.layout import ADDRESS_BITS, RecordFlag, RecordKind, Tag
from opcodetrace.spool.records import SpooledRecords, survey
from opcodetrace.trace import site as of_sites
from tests.traces import make_code, make_site
from tests.windows import WindowBuilder

LOOPS = (0, 1)  # sites
CHANGES = (2, 3)
SITES = [make_site(number, "ITERATE")._replace(opcode="GET_ITER") for number in LOOPS]
SITES += [make_site(number, "STORE_SUBSCR")._replace(tests=(of_sites.Test(5, "false"),)) for number in CHANGES]
CODES = [make_code(*SITES, make_site(4, "CALL"), make_site(5, "TEST"))]
A_DICT, A_LIST = 0x10, 1 << ADDRESS_BITS | 0x20
STEPS = st.tuples(
    st.sampled_from(["start", "len", "ask", "fail", "add", "remove", "append", "set"]),
    st.sampled_from([0, 1, 2]),  # threads
    st.sampled_from([0, 1]),  # which of two sites
    st.sampled_from([A_DICT, A_LIST]),
)


@given(steps=st.lists(STEPS, max_size=30), born=st.integers(0, 30))
def test_resized(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]], born: int) -> None:
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
            "len": (RecordKind.READ, 4, Tag.WHOLE),  # nothing depends on it
            "ask": (RecordKind.READ, 5, Tag.WHOLE),
            "fail": (RecordKind.READ, 4, Tag.WHOLE | Tag.RAISED << 4),
            "add": (RecordKind.WRITE | RecordFlag.RESIZES, CHANGES[which], Tag.INT),
            "remove": (RecordKind.DELETE, CHANGES[which], Tag.INT),
            "append": (RecordKind.WRITE | RecordFlag.RESIZES, CHANGES[which], Tag.END),
            "set": (RecordKind.WRITE, CHANGES[which], Tag.INT),
        }[step]
        seq = window.add(kind, site=site, thread=thread, container=container, key=7, tags=tag)
        if step == "start" or (step in ("ask", "fail") and container == A_DICT):
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
    sites = SiteTable(CODES, interned)
    labels = Labels([], sites.sites, sites.codes)
    found = resized(spool, seen, Births.of(seen), sites, CODES, interned, labels)
    assert sorted(map(tuple, found.pairs.T.tolist())) == sorted(pairs)
    # AND of each, the next change by its own thread; and the latest look before each change
    acts: set[int] = set()
    for start, thread, thing in starts:
        if any(start == each for each, _ in pairs):
            later = [c[0] for c in changes if c[0] > start and c[1:3] == (thread, thing)]
            acts |= {min(later)} if later else set()
    decided = acts | {change for _, change in pairs}
    looks: set[int] = set()
    for change, thread, thing, _ in changes:
        earlier = [s[0] for s in starts if s[0] < change and s[1:] == (thread, thing)]
        looks |= {max(earlier)} if earlier and change in decided else set()
    assert sorted(found.looks.tolist()) == sorted(looks)
    # AND what its lane did after each of these
    for start, thread, thing in starts:
        later = [c[0] for c in changes if c[0] > start and c[1:3] == (thread, thing)]
        acts |= {min(later)} if later and start in looks else set()
    assert sorted(found.own.tolist()) == sorted(acts)
