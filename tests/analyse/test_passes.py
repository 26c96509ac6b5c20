"""The compiled passes over all events give what plain Python gives, event by event."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.analyse import _passes, all_sources, evidence, versions
from opcodetrace.analyse.all_sources import sources_of
from opcodetrace.analyse.sources import resolve
from opcodetrace.trace.event import ABSENT, Event, EventKind, Opaque, Value
from opcodetrace.trace.events import Events
from opcodetrace.trace.finding import Certainty, Severity
from opcodetrace.trace.site import Flow, Operation
from opcodetrace.trace.version import LostUpdate
from tests.analyse import reference
from tests.analyse.programs import ALL, Program, Run, trace_of
from tests.analyse.test_random_programs import many, randoms
from tests.traces import make_site

VALUES: st.SearchStrategy[Value] = st.sampled_from(
    [0, 1, True, 1.0, 0.0, -0.0, None, "one", b"one", ABSENT, Opaque("T", 1), Opaque("T", 2), Opaque("U", None)]
)
SITES = [
    make_site(0, Operation.LOAD_SUBSCR),
    make_site(1, Operation.STORE_SUBSCR, Flow(reads=(0,))),
    make_site(2, Operation.STORE_SUBSCR, Flow()),
    make_site(3, Operation.DELETE_SUBSCR),
    make_site(4, Operation.STORE_SUBSCR, Flow(reads=(5,))),
    make_site(5, "CALL", Flow(reads=(0,))),
    make_site(6, Operation.STORE_SUBSCR, Flow(reads=(0,), opaque=True)),
    make_site(7, Operation.STORE_SUBSCR),
    make_site(8, Operation.ENTER),
    make_site(9, Operation.STORE_SUBSCR, Flow(reads=(0,), tested=(5,))),
    make_site(10, Operation.STORE_SUBSCR, Flow(reads=(0, 5), called_reads=(0,), phis=(3,))),
    make_site(11, Operation.STORE_SUBSCR, Flow(reads=(0,), called_writes=(1, 2))),
]
KINDS = {
    0: [EventKind.READ, EventKind.ELSEWHERE],
    3: [EventKind.DELETE],
    5: [EventKind.READ, EventKind.WRITE],
    8: [EventKind.ENTER],
}


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """Events of a few threads that need not make sense."""
    events = []
    for seq in range(draw(st.integers(0, 30))):
        at = draw(st.sampled_from(SITES)).id
        kind = draw(st.sampled_from(KINDS.get(at, [EventKind.WRITE])))
        thread = draw(st.integers(0, 2))
        location = -1 if kind in (EventKind.ENTER, EventKind.ELSEWHERE) else draw(st.integers(0, 2))
        value = ABSENT if kind in (EventKind.ENTER, EventKind.ELSEWHERE, EventKind.DELETE) else draw(VALUES)
        events.append(Event(2 * seq, 2 * seq, thread, at, kind, location, value, thread + 3 * draw(st.integers(0, 1))))
    return events


@many
@given(runs())
def test_sources_are_those_of_each_write_by_itself(events: list[Event]) -> None:
    trace = trace_of(events, SITES)
    found = sources_of(trace)
    sources, certainties = resolve(trace)
    assert dict(found) == sources
    assert found.certainties() == certainties


@many
@given(randoms, st.integers(1, 4))
def test_sources_of_random_programs(choose: random.Random, threads: int) -> None:
    trace = Run(Program(choose, ALL), threads, calls=3).trace
    found = sources_of(trace)
    assert (dict(found), found.certainties()) == resolve(trace)


def test_what_never_happened_needs_no_further_look(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN `cells[i] += 1` in a loop: other sites, calls and variables may flow in, but nothing of that was seen
    flow = Flow(reads=(4, 0), phis=(2,), called_reads=(5,), parameters=(0,), tested=(6,))
    sites = [make_site(0, "LOAD_SUBSCR"), make_site(1, "STORE_SUBSCR", flow)]
    kinds = (EventKind.READ, EventKind.WRITE)
    events = [Event(seq, seq, 0, seq % 2, kinds[seq % 2], seq // 2, seq % 2, 0) for seq in range(10)]
    # THEN the compiled pass is enough
    monkeypatch.setattr(all_sources, "resolve", None)
    assert dict(sources_of(trace_of(events, sites))) == {seq: seq - 1 for seq in range(1, 10, 2)}


@many
@given(runs(), st.lists(st.integers(0, 60), max_size=2))
def test_lost_updates_are_those_of_each_location_by_itself(events: list[Event], cuts: list[int]) -> None:
    trace = trace_of(events, SITES)
    trace.restructured = {0: sorted(cuts), 1: []}
    found = evidence.gather(trace)
    sources, certainties = resolve(trace)
    for location in range(3):
        accesses = [event for event in events if event.location == location]
        updates, unseen, overwriters = [], [], 0
        for part in evidence._between(accesses, trace.restructured.get(location, [])):
            expected = versions.lost_updates(location, part, sources, certainties)
            expected = versions.without(versions.unchanging(accesses, sources), expected)
            updates += expected.updates
            unseen += expected.unseen
            overwriters += expected.overwriters
        left = by_another(updates, accesses, sources)
        if len(left) < len(updates):
            overwriters = len({each.overwritten_by for each in left})
        updates, low = with_doubt(left, events)
        assert [each for each in found.lost if each.location == location] == updates
        assert [each for each in found.unseen if each.location == location] == unseen
        counts = [(count.low, count.high, count.overwriters) for count in found.counts if count.location == location]
        assert counts == ([(low, len(updates), overwriters)] if updates else [])


def by_another(updates: list[LostUpdate], accesses: list[Event], sources: Mapping[int, int]) -> list[LostUpdate]:
    return [
        each for each in updates if each.overwritten_by is None or reference.by_another(each.lost, accesses, sources)
    ]


def with_doubt(updates: list[LostUpdate], events: list[Event]) -> tuple[list[LostUpdate], int]:
    """A write of an unknown value may have put back what was there; and how many were lost in spite of that."""
    unsure = {event.seq for event in events if event.kind == EventKind.WRITE and event.value is ABSENT}
    doubted = [replace(each, severity=Severity.POSSIBLE) if each.lost in unsure else each for each in updates]
    return doubted, sum(each.lost not in unsure for each in updates)


def test_one_location_that_lost_something_among_many() -> None:
    # GIVEN a thousand locations that two threads increment in turn, one of them in between each other
    events: list[Event] = []

    def event(thread: int, at: int, kind: EventKind, location: int, value: int) -> None:
        events.append(Event(len(events), len(events), thread, at, kind, location, value, thread))

    for location in range(1000):
        for thread in (0, 1):
            event(thread, 0, EventKind.READ, location, 0 if location == 700 else thread)
            if location != 700:
                event(thread, 1, EventKind.WRITE, location, thread + 1)
        if location == 700:
            for thread in (0, 1):
                event(thread, 1, EventKind.WRITE, location, 1)
    # THEN that one is found, and nothing else
    (lost,) = evidence.gather(trace_of(events, SITES)).lost
    assert (lost.location, lost.lost_thread, lost.overwritten_by_thread, lost.certainty) == (
        700,
        0,
        1,
        Certainty.PROVEN,
    )
    seqs = [event.seq for event in events if event.location == 700]
    assert [lost.source_read, lost.read, lost.lost, lost.overwritten_by] == seqs


@many
@given(st.integers(0, 1 << 32), st.integers(1, 4), st.sampled_from([0.02, 0.5, 0.95]))
def test_lost_updates_of_a_location_with_many_accesses(seed: int, threads: int, reading: float) -> None:
    # GIVEN hundreds of accesses to one location, whose versions lie apart by few reads or by many
    choose = random.Random(seed)
    values: list[Value] = [0, 0, 0, 1, Opaque("T", 1), ABSENT]
    events = []
    for seq in range(400):
        at = 0 if choose.random() < reading else choose.choice([1, 1, 1, 1, 2, 3])
        kind = {0: EventKind.READ, 3: EventKind.DELETE}.get(at, EventKind.WRITE)
        value = ABSENT if kind == EventKind.DELETE else choose.choice(values)
        thread = choose.randrange(threads)
        events.append(Event(seq, seq, thread, at, kind, 0, value, thread))
    trace = trace_of(events, SITES)
    trace.restructured = {0: sorted(choose.sample(range(400), choose.choice([0, 0, 2])))}
    # THEN what is lost is what plain Python finds
    found = evidence.gather(trace)
    sources, certainties = resolve(trace)
    left_out = versions.unchanging(events, sources)
    updates, unseen = [], []
    for part in evidence._between(events, trace.restructured[0]):
        expected = versions.without(left_out, versions.lost_updates(0, part, sources, certainties))
        updates += expected.updates
        unseen += expected.unseen
    updates, low = with_doubt(by_another(updates, events, sources), events)
    assert found.lost == updates
    assert [(count.low, count.high) for count in found.counts] == ([(low, len(updates))] if updates else [])
    assert found.unseen == unseen


@given(st.lists(st.integers(-1, 9)))
def test_places_by_location(locations: list[int]) -> None:
    bounds = np.zeros(max(locations, default=-1) + 2, np.int64)
    order = np.empty(sum(each >= 0 for each in locations), np.int32)
    _passes.group(np.array(locations, np.int32), bounds, order)
    for location in range(len(bounds) - 1):
        places = [place for place, each in enumerate(locations) if each == location]
        assert order[bounds[location] : bounds[location + 1]].tolist() == places


def test_columns_that_do_not_fit_together() -> None:
    location = np.array([0, 1, -1], np.int32)
    for bounds, room in ((2, 2), (3, 1), (3, 3)):
        with pytest.raises(ValueError, match="room"):
            _passes.group(location, np.zeros(bounds, np.int64), np.zeros(room, np.int32))
    with pytest.raises(ValueError, match="array 0"):
        _passes.group(location.astype(np.int64), np.zeros(3, np.int64), np.zeros(2, np.int32))
    with pytest.raises((ValueError, BufferError), match=r"read-only|writable"):
        order = np.zeros(2, np.int32)
        order.flags.writeable = False
        _passes.group(location, np.zeros(3, np.int64), order)
    events = Events.of([Event(0, 0, 0, 0, EventKind.READ, 0, 1, 5)])
    by_site = np.zeros(1, np.uint8), np.full(1, -1, np.int32)
    columns = (events.kind, events.site, events.location, events.frame)
    with pytest.raises(ValueError, match="frame"):
        _passes.newest_reads(*columns, *by_site, np.full(5, -1, np.int32), np.full(1, -1, np.int32))
    with pytest.raises(ValueError, match="array 7"):
        _passes.newest_reads(*columns, *by_site, np.full(6, -1, np.int32), np.full(2, -1, np.int32))
    every = (events.seq, events.before, events.thread, events.site, events.kind, events.location)
    for cells, lanes, sites in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        hashes = np.ones(lanes, np.uint64), np.ones(sites, np.uint64)
        with pytest.raises(ValueError, match="no place"):
            _passes.interleaving(*every, np.ones(cells, bool), *hashes)
    source, over, unseen = np.full(1, -1, np.int32), np.full(1, -1, np.int32), np.zeros(1, np.uint8)
    for places, begin, end in (([1], 0, 1), ([0], 1, 0), ([0], 0, 2), ([-1], 0, 1)):
        bounds_of = np.array([begin], np.int64), np.array([end], np.int64)
        with pytest.raises(ValueError, match="no event"):
            _passes.overwritten(
                events.kind, events.tag, events.word, source, np.array(places, np.int32), *bounds_of, over, unseen
            )
