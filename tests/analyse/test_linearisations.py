"""Locations whose accesses are known only to lie within intervals."""

from __future__ import annotations

import random

import pytest

from opcodetrace.analyse import linearisations
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.finding import Certainty, Severity
from opcodetrace.trace.version import UnseenWrite
from tests.analyse import reference
from tests.analyse.hand_built import WRITE, Story, pairs
from tests.analyse.programs import Program, Run


def test_values_tell_the_order() -> None:
    """By their hooks the writes came in the wrong order; what was read after them shows the right one."""
    story = Story()
    story.read(1, 0, earliest=0)
    story.read(2, 0, earliest=0)
    first = story.write(2, 5, earliest=2)
    second = story.write(1, 1, earliest=2)
    story.read(3, 5, earliest=4)
    findings = story.gather()
    assert pairs(findings) == [(second, first)]
    assert [row.certainty for row in findings.lost] == [Certainty.PROVEN]
    assert (findings.counts[0].low, findings.counts[0].high) == (1, 1)


def test_where_orders_disagree_there_is_a_range() -> None:
    """A reset beside an increment: lost if it came between the increment's read and write."""
    story = Story()
    story.read(1, 7, earliest=0)
    story.write(2, 0, WRITE, earliest=1)
    story.write(1, 8, earliest=1)
    findings = story.gather()
    (count,) = findings.counts
    assert (count.low, count.high, count.exhausted) == (0, 1, False)
    assert all(row.severity is Severity.POSSIBLE for row in findings.lost)


def test_exact_accesses_beside_intervals_keep_their_place() -> None:
    story = Story()
    story.read(1, 0)
    story.read(2, 0, earliest=0)
    lost = story.write(1, 1)
    over = story.write(2, 1, earliest=2)  # before or after the other: one of the two is lost either way
    findings = story.gather()
    assert pairs(findings) in ([(lost, over)], [(over, lost)])
    assert (findings.counts[0].low, findings.counts[0].high) == (1, 1)


def test_unseen_write_where_no_order_explains_a_read() -> None:
    story = Story()
    story.read(1, 0, earliest=0)
    story.write(1, 1, earliest=1)
    unseen = story.read(2, 50, earliest=1)
    story.read(2, 50, earliest=3)
    findings = story.gather()
    assert findings.unseen == [UnseenWrite(0, unseen)]


def test_unseen_write_where_reads_contradict_each_other() -> None:
    """Each read could have seen its write, but not both readers in their own orders: 1 then 2, and 2 then 1."""
    story = Story()
    story.write(1, 1, WRITE, earliest=0)
    story.write(2, 2, WRITE, earliest=0)
    story.read(3, 1, earliest=0)
    story.read(4, 2, earliest=0)
    story.read(3, 2, earliest=3)
    story.read(4, 1, earliest=4)
    assert len(story.gather().unseen) == 1


def test_order_agrees_with_intervals_threads_and_values() -> None:
    for seed in range(50):
        run = Run(Program(random.Random(seed)), threads=3, calls=4, intervals=True)
        for cell in range(3):
            history = linearisations.History(run.accesses(cell), run.sources)
            bounds = linearisations.Bounds(history, set())
            witness = linearisations.Witness(history, bounds.candidates, set(), steps=100_000)
            assert not witness.forced
            order = [history.events[i] for i in witness.order]
            assert sorted(order) == history.events
            assert not reference.verdict(order, run.sources).unseen
            latest = -1
            threads: dict[int, int] = {}
            for event in order:
                assert event.seq >= latest  # nothing comes after what began when it had ended
                latest = max(latest, event.earliest)
                assert threads.get(event.thread, -1) < event.seq
                threads[event.thread] = event.seq


def test_contradictory_histories_have_a_witness_too() -> None:
    """Code that is not woven wrote: reads are changed, writes are missing. All accesses stay in order all the same."""
    for seed in range(200):
        choose = random.Random(seed)
        run = Run(Program(choose), threads=3, calls=4, intervals=True)
        for cell in range(3):
            events = []
            for event in run.accesses(cell):
                if event.kind == EventKind.WRITE and choose.random() < 0.1:
                    continue
                if event.kind == EventKind.READ and choose.random() < 0.1:
                    event = event._replace(value=choose.randrange(9))
                events.append(event)
            history = linearisations.History(events, run.sources)
            unseen: set[int] = set()
            bounds = linearisations.Bounds(history, unseen)
            witness = linearisations.Witness(history, bounds.candidates, unseen, steps=choose.choice((0, 100_000)))
            assert sorted(witness.order) == list(range(len(events)))
            lost, count = linearisations.search(cell, events, run.sources, {}, linearisations.Budget(2000))
            assert count.low <= count.high <= history.writes
            contradicted = {event.seq for event in lost.unseen}
            assert contradicted <= {event.seq for event in events if event.kind == EventKind.READ}


def increments(threads: int, rounds: int, seed: int, held: float = 0.0) -> tuple[list[Event], dict[int, int], int]:
    """A simulated counter on a free-threaded build: events, sources and the number of lost updates.

    `held`: how often a thread stops for long within an access."""
    choose = random.Random(seed)
    value = clock = moment = 0
    events: list[Event] = []
    sources: dict[int, int] = {}
    place = [0] * threads  # six steps a round: begin, access and end of a read, then of a write
    begun, seen, read_seq, asleep = [0] * threads, [0] * threads, [0] * threads, [0] * threads
    while alive := [t for t in range(threads) if place[t] < 6 * rounds]:
        moment += 1
        thread = choose.choice([t for t in alive if asleep[t] <= moment] or alive)
        step = place[thread] % 6
        place[thread] += 1
        if choose.random() < held:
            asleep[thread] = moment + choose.randrange(500)
        if step in (0, 3):
            begun[thread] = clock
        elif step == 1:
            seen[thread] = value
        elif step == 4:
            value = seen[thread] + 1
        else:
            kind = EventKind.READ if step == 2 else EventKind.WRITE
            what = seen[thread] + (step == 5)
            events.append(Event(clock, begun[thread], thread, step, kind, 0, what, thread))
            if step == 2:
                read_seq[thread] = clock
            else:
                sources[clock] = read_seq[thread]
            clock += 1
    events.append(Event(clock, clock, 0, 9, EventKind.READ, 0, value, 0))
    return events, sources, threads * rounds - value


@pytest.mark.parametrize("held", [0.0, 0.02])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_increments_in_parallel_are_counted_exactly(threads: int, held: float) -> None:
    for seed in range(10):
        events, sources, truth = increments(threads, 60, seed, held)
        lost, count = linearisations.search(0, events, sources, {}, linearisations.Budget())
        assert count.low == count.high == truth == len(lost.updates)
        assert not count.exhausted and not lost.unseen


@pytest.mark.parametrize("held", [0.0, 0.02])
def test_long_history_ends_within_its_budget(held: float) -> None:
    events, sources, truth = increments(8, 2_000, 1, held)
    lost, count = linearisations.search(0, events, sources, {}, linearisations.Budget(states=1000))
    assert count.low <= truth <= count.high
    assert not lost.unseen


def test_without_budget_the_bounds_still_hold() -> None:
    for seed in range(60):
        run = Run(Program(random.Random(seed)), threads=4, calls=4, intervals=True)
        for cell in range(3):
            events = run.accesses(cell)
            truth = len(reference.verdict(events, run.sources).lost)
            lost, count = linearisations.search(cell, events, run.sources, {}, linearisations.Budget(states=0))
            assert count.low <= truth <= count.high
            assert count.low <= len(lost.updates) <= count.high
