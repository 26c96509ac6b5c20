"""Operations, orders and locks take steps by what the threads did, not by its square."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opcodetrace.analyse import evidence
from opcodetrace.analyse.evidence import Accesses, _between, _cuts
from opcodetrace.analyse.happens_before import Clocks, Operations, orders
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.protection import Update
from tests.analyse.programs import trace_of
from tests.analyse.synchronised import LOCK, Programme
from tests.step_count import assert_linear
from tests.traces import make_site


def waits(run: Programme, type_name: str, operation: str, threads: int, *, at_one_time: bool = False) -> None:
    """All threads but one wait, each for a lock of its own, which the last one releases. `at_one_time`: damaged, all of
    them for one lock that it releases again and again."""
    thing, inner, condition = run.thing(type_name), run.thing(LOCK), run.thing("threading.Condition")
    locks = [run.thing(LOCK)] * threads if at_one_time else [run.thing(LOCK) for _ in range(threads)]
    begun = {}
    for thread in range(threads):
        begun[thread] = run.does(thread, "wait", thing, begins=True)
        run.does(thread, "acquire", inner, inside=begun[thread])
        run.does(thread, "wait", condition, begins=True, inside=begun[thread])
        run.does(thread, "release", inner, inside=begun[thread])
    first = run.seq
    released = [("release", lock) for lock in dict.fromkeys(locks)]
    for _ in range(threads if at_one_time else 1):
        run.whole(threads, operation, thing, inner, *released)
    for thread in range(threads):
        run.does(thread, "acquire", locks[thread], inside=begun[thread], since=first, woken_by=threads)
        run.does(thread, "wait", condition, inside=begun[thread])
        run.does(thread, "wait", thing, woken_by=threads)


def barrier(run: Programme, size: int) -> None:
    waits(run, "threading.Barrier", "wait", size)


def damaged_barrier(run: Programme, size: int) -> None:
    waits(run, "threading.Barrier", "wait", size, at_one_time=True)


def event(run: Programme, size: int) -> None:
    waits(run, "threading.Event", "set", size)


def queue(run: Programme, size: int) -> None:
    box, inner = run.thing("queue.Queue"), run.thing(LOCK)
    for thread in range(size):
        run.whole(thread, "put", box, inner)
    for _ in range(size):
        run.whole(size, "get", box, inner)


def raised(run: Programme, size: int) -> None:
    """Gets from queues at one place that were all empty: none of them has an end."""
    for _ in range(size):
        run.does(1, "get", run.thing("queue.Queue"), begins=True)


def started(run: Programme, size: int) -> None:
    for thread in range(1, size):
        number = run.thing("threading.Thread")
        begun = run.does(0, "start", number, begins=True)
        run.does(0, "start", None, started=thread, inside=begun)
        run.does(0, "start", number)
        run.update(thread)
        run.does(0, "join", number)


@pytest.mark.parametrize("programme", [barrier, damaged_barrier, event, queue, raised, started])
def test_operations_and_orders(programme: Callable[[Programme, int], None]) -> None:
    def call_of(size: int) -> Callable[[], object]:
        run = Programme()
        programme(run, size)
        threads = run.threads()
        return lambda: orders(run.rows, Operations(run.rows), run.objects, threads, begun=True, free_threaded=False)

    assert_linear(call_of)


def test_clocks_of_threads_one_after_the_other() -> None:
    def call_of(size: int) -> Callable[[], object]:
        run = Programme()
        started(run, size)
        last_seq = {thread.thread: thread.last_seq for thread in run.threads()}
        found = run.orders()
        return lambda: Clocks(found, last_seq)

    assert_linear(call_of, size=100)  # the first few threads are all named


def test_a_damaged_barrier_gives_an_order_a_wait() -> None:
    run = Programme()
    damaged_barrier(run, 50)
    assert sum(order.carrier.before == "wait" for order in run.orders()) == 50


def test_locks_of_many_locations() -> None:
    """What was held is gone through once for all of them."""

    def call_of(size: int) -> Callable[[], object]:
        run = Programme()
        updates: list[Update] = []
        for location in range(size):
            lock = run.thing(LOCK)
            for thread in (1, 2):
                run.does(thread, "acquire", lock)
                updates.append(run.update(thread)._replace(location=location))
                run.does(thread, "release", lock)
        judge = run.judge()
        return lambda: list(judge.verdicts(updates, lambda location: ()))

    assert_linear(call_of)


def test_restructurings_of_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of many items that was restructured as often: what matters of that is looked up."""
    monkeypatch.setattr(evidence, "PIECE", 7)

    def call_of(size: int) -> Callable[[], object]:
        events = [Event(2 * seq, 2 * seq, seq % 2, 0, EventKind.READ, seq // 4, 0, 0) for seq in range(4 * size)]
        trace = trace_of(events, [make_site(0, "LOAD_SUBSCR")])
        restructured = list(range(1, 8 * size, 2))
        trace.restructured = {location: restructured for location in range(size)}  # noqa: C420 - they do share it
        accesses = Accesses.of(trace)
        assert _cuts(trace, accesses).tolist() == [place for place in range(4 * size) if place % 4]
        return lambda: [list(_between(events[:4], trace.restructured[location])) for location in range(size)]

    assert_linear(call_of)
