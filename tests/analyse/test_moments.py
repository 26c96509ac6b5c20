"""Columns of what was held and known say the same as one look after the other does."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.analyse.happens_before import Order
from opcodetrace.analyse.lockset import Held, locksets
from opcodetrace.analyse.moments import Moments
from opcodetrace.trace.protection import Carrier, Update

LANES, OBJECTS, END = 3, 3, 60
CARRIER = Carrier("put", "get", None)


@st.composite
def holdings(draw: st.DrawFn) -> list[Held]:
    """Each lane holds each object some times, one after the other. No two records have the same seq."""
    held = []
    for lane, number in itertools.product(range(LANES), range(OBJECTS)):
        slots = sorted(draw(st.sets(st.integers(0, END // 9 - 1), max_size=6)))
        seqs = [slot * 9 + lane * OBJECTS + number for slot in slots]
        ends: list[float] = [*seqs[1::2], math.inf]
        held += [Held(number, lane, first, last) for first, last in zip(seqs[::2], ends, strict=False)]
    return sorted(held, key=lambda each: each.first)


ORDERS = st.lists(
    st.builds(lambda lane, until: Order(9, 0, lane, until, CARRIER), st.integers(0, 2), st.integers(0, 60))
)


@given(holdings(), ORDERS, st.data())
def test_what_was_held_throughout(held: list[Held], orders: list[Order], data: st.DataObject) -> None:
    used = {seq for each in held for seq in (each.first, each.last)}
    seqs = st.sampled_from([seq for seq in range(END + 5) if seq not in used])
    updates = [
        Update(0, lane, min(pair), max(pair))
        for lane, pair in data.draw(st.lists(st.tuples(st.integers(0, LANES - 1), st.tuples(seqs, seqs))))
    ]
    updates.sort(key=lambda update: update.seq)
    moments = Moments(range(LANES), held, orders)
    lanes, began, ended = (np.array([each[number] for each in updates], np.int64) for number in (1, 2, 3))
    found = moments.locksets_from(moments.at(lanes, began), moments.at(lanes, ended))
    assert [moments.locksets[each] for each in found.tolist()] == [locks for _, locks in locksets(updates, held)]


@given(holdings(), ORDERS)
def test_pasts_differ_where_a_lane_came_out_of_a_wait(held: list[Held], orders: list[Order]) -> None:
    moments = Moments(range(LANES), held, orders)
    everywhere = list(itertools.product(range(LANES), range(END + 5)))
    lanes, seqs = np.array(everywhere).T
    found = moments.past[moments.at(lanes, seqs)].tolist()
    waits = sorted({(order.other, order.until) for order in orders})
    known = [(lane, sum(wait[0] == lane and wait[1] <= seq for wait in waits)) for lane, seq in everywhere]
    pairs = set(zip(found, known, strict=True))
    assert len(pairs) == len(set(found)) == len(set(known))
