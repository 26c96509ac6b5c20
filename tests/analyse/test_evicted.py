"""A trace whose first events were evicted says nothing that the whole trace does not say."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opcodetrace.analyse.evidence import Evidence, gather
from opcodetrace.analyse.versions import unchanging
from opcodetrace.trace.event import Event, EventKind
from tests.analyse import reference
from tests.analyse.hand_built import ADD, READ, SITES, WRITE
from tests.analyse.programs import ALL, CELLS, Program, Run, trace_of

randoms = st.randoms(use_true_random=False)
many = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
programs = st.sampled_from([ALL, ("increment",), ("increment", "set"), ("read", "add", "write", "set", "delete")])


def find_after(run: Run, first: int) -> Evidence:
    trace = run.trace
    return gather(replace(trace, events=trace.events[trace.events.seq >= first], let_go=first))


@many
@given(randoms, st.integers(1, 4), programs, st.floats(0, 1))
def test_what_is_lost_in_the_end_is_lost_in_the_whole(
    choose: random.Random, threads: int, verbs: tuple[str, ...], share: float
) -> None:
    run = Run(Program(choose, verbs), threads, calls=3)
    findings = find_after(run, int(share * len(run.events)))
    assert not findings.unseen
    # Of a write whose source was let go it is not known that it only put back what it had read.
    put_back = {seq for cell in range(CELLS) for seq in unchanging(run.accesses(cell), run.sources)}
    assert {row.lost for row in findings.lost} <= {row.lost for row in gather(run.trace).lost} | put_back
    for cell in range(CELLS):
        lost = reference.verdict(run.accesses(cell), run.sources).lost
        assert {row.lost for row in findings.lost if row.location == cell} <= lost.keys()


@many
@given(randoms, st.integers(2, 4), programs, st.floats(0, 1))
def test_in_parallel_no_more_is_proven_than_is_true(
    choose: random.Random, threads: int, verbs: tuple[str, ...], share: float
) -> None:
    run = Run(Program(choose, verbs), threads, calls=2, intervals=True)
    first = int(share * len(run.events))
    findings = find_after(run, first)
    assert not findings.unseen
    counts = {count.location: count for count in findings.counts}
    for cell in range(CELLS):
        lost = reference.verdict(run.accesses(cell), run.sources).lost
        if cell in counts:
            assert counts[cell].low <= sum(seq >= first for seq in lost)


def test_a_write_that_was_let_go_may_have_come_after_one_that_is_there() -> None:
    events = [
        Event(2, 2, 1, WRITE, EventKind.WRITE, 0, 7, 1),  # evicted; came after the next one
        Event(3, 0, 0, WRITE, EventKind.WRITE, 0, 5, 0),
        Event(4, 4, 1, READ, EventKind.READ, 0, 7, 1),
        Event(5, 5, 0, READ, EventKind.READ, 0, 7, 0),
        Event(6, 6, 1, ADD, EventKind.WRITE, 0, 8, 1),
    ]
    assert gather(trace_of(events, SITES)).unseen == []
    findings = gather(replace(trace_of(events[1:], SITES), let_go=3))
    assert (findings.unseen, findings.lost) == ([], [])
    assert gather(trace_of(events[1:], SITES)).unseen != []


def test_a_write_whose_read_was_let_go_loses_nothing() -> None:
    events = [
        Event(0, 0, 0, READ, EventKind.READ, 0, 0, 0),
        Event(1, 1, 1, READ, EventKind.READ, 0, 0, 1),
        Event(2, 2, 1, ADD, EventKind.WRITE, 0, 1, 1),
        Event(3, 3, 0, ADD, EventKind.WRITE, 0, 1, 0),
    ]
    assert [row.lost for row in gather(trace_of(events, SITES)).lost] == [2]
    for first in range(1, 4):
        assert gather(replace(trace_of(events[first:], SITES), let_go=first)).lost == []


def test_what_a_thread_overwrote_itself_is_not_lost_by_what_came_later() -> None:
    events = [
        Event(0, 0, 2, READ, EventKind.READ, 0, 0, 2),  # evicted: the last write but one then looks blind
        Event(1, 1, 1, READ, EventKind.READ, 0, 0, 1),
        Event(2, 2, 0, WRITE, EventKind.WRITE, 0, 5, 0),
        Event(3, 3, 0, READ, EventKind.READ, 0, 5, 0),
        Event(4, 4, 0, ADD, EventKind.WRITE, 0, 6, 0),  # overwritten by its own thread, with what that had read before
        Event(5, 5, 0, ADD, EventKind.WRITE, 0, 7, 0),
        Event(6, 6, 0, READ, EventKind.READ, 0, 7, 3),
        Event(7, 7, 1, ADD, EventKind.WRITE, 0, 1, 1),
        Event(8, 8, 2, ADD, EventKind.WRITE, 0, 1, 2),
        Event(9, 9, 0, ADD, EventKind.WRITE, 0, 8, 3),
    ]
    assert [row.lost for row in gather(trace_of(events, SITES)).lost] == [7, 8]
    assert [row.lost for row in gather(replace(trace_of(events[1:], SITES), let_go=1)).lost] == []
