"""The analysis against the definition, on runs of random programs whose truth is known."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from opcodetrace.analyse import linearisations
from opcodetrace.analyse.evidence import gather
from opcodetrace.trace.event import EventKind
from tests.analyse import reference
from tests.analyse.programs import ALL, CELLS, Program, Run

randoms = st.randoms(use_true_random=False)
many = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
some = settings(many, max_examples=50)


@many
@given(randoms, st.integers(1, 4))
def test_finds_what_the_definition_says(choose: random.Random, threads: int) -> None:
    run = Run(Program(choose), threads, calls=3)
    findings = gather(run.trace)
    assert findings.sources == run.sources
    assert findings.sources.certainties() == run.certainty
    assert not findings.unseen
    counts = {count.location: count for count in findings.counts}
    for cell in range(CELLS):
        lost = {row.lost: row.overwritten_by for row in findings.lost if row.location == cell}
        events = run.accesses(cell)
        defined = reference.verdict(events, run.sources).lost
        assert lost == {
            seq: over
            for seq, over in defined.items()
            if reference.changed_something(seq, events, run.sources) and reference.by_another(seq, events, run.sources)
        }
        if lost:
            assert (counts[cell].low, counts[cell].high) == (len(lost), len(lost))
            assert counts[cell].overwriters == len(set(lost.values()))
        else:
            assert cell not in counts


@many
@given(randoms, st.integers(1, 4))
def test_stale_reads_come_before_what_they_miss(choose: random.Random, threads: int) -> None:
    run = Run(Program(choose), threads, calls=3)
    findings = gather(run.trace)
    of = {event.seq: event for event in run.events}
    for row in findings.lost:
        assert row.overwritten_by is not None
        over = of[row.overwritten_by]
        assert row.overwritten_by_thread == over.thread
        source = of[findings.sources[over.seq]]
        assert source.seq < row.lost < over.seq
        assert row.read == (source.seq if source.kind == EventKind.READ else None)


@many
@given(randoms, st.integers(2, 4))
def test_law(choose: random.Random, threads: int) -> None:
    """Where every write adds to what it read, what the kept writes added is the difference between last and first."""
    run = Run(Program(choose, ("increment",)), threads, calls=3)
    findings = gather(run.trace)
    for cell in range(CELLS):
        writes = [event for event in run.accesses(cell) if event.kind == EventKind.WRITE]
        if writes:
            lost = {row.lost for row in findings.lost if row.location == cell}
            final = writes[-1].value
            assert isinstance(final, int)
            assert len(writes) - len(lost) == final


@some
@given(randoms, st.integers(2, 4))
def test_law_in_parallel(choose: random.Random, threads: int) -> None:
    run = Run(Program(choose, ("increment",)), threads, calls=3, intervals=True)
    findings = gather(run.trace)
    counts = {count.location: count for count in findings.counts}
    for cell in range(CELLS):
        writes = [event for event in run.accesses(cell) if event.kind == EventKind.WRITE]
        if writes:
            final = writes[-1].value
            assert isinstance(final, int)
            truth = len(writes) - final
            low, high = (counts[cell].low, counts[cell].high) if cell in counts else (0, 0)
            assert low <= truth <= high


@some
@given(randoms, st.integers(2, 4), st.booleans())
def test_counts_in_parallel_hold_the_truth(choose: random.Random, threads: int, generous: bool) -> None:
    run = Run(Program(choose), threads, calls=2, intervals=True)
    findings = gather(run.trace)
    assert findings.sources == run.sources
    for cell in range(CELLS):
        events = run.accesses(cell)
        truth = len(reference.verdict(events, run.sources).lost)
        budget = linearisations.Budget() if generous else linearisations.Budget(0)
        lost, count = linearisations.search(cell, events, run.sources, run.certainty, budget)
        assert not lost.unseen
        assert count.low <= truth <= count.high
        assert count.low <= len(lost.updates) <= count.high


@some
@given(
    randoms, st.integers(2, 3), st.sampled_from([ALL, ("increment",), ("increment", "set"), ("read", "write", "set")])
)
def test_range_is_that_of_all_orders(choose: random.Random, threads: int, verbs: tuple[str, ...]) -> None:
    run = Run(Program(choose, verbs, cells=1), threads, calls=1, intervals=True)
    events = run.accesses(0)
    assume(4 <= len(events) <= 12)
    counts = reference.lost_counts(events, run.sources)
    lost, count = linearisations.search(0, events, run.sources, run.certainty, linearisations.Budget())
    assert not count.exhausted
    assert (count.low, count.high) == (min(counts), max(counts))
    history = linearisations.History(events, run.sources)
    bounds = linearisations.Bounds(history, set())
    assert not bounds.unseen
    assert bounds.low <= count.low <= count.high <= bounds.high
    assert len(lost.updates) in counts
