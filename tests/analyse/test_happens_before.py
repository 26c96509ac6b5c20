"""What came before what, because one thread waited for another; and what only looks like it."""

from __future__ import annotations

import math
import random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.analyse import happens_before
from opcodetrace.analyse.happens_before import Clock, Clocks, Operations, Order
from opcodetrace.analyse.lockset import FirstUnknown, _cuts
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.protection import Carrier, Doubt, Update, Why
from tests.analyse.synchronised import LOCK, Programme


def between(run: Programme, one: int, other: int) -> list[tuple[str, str, Doubt | None]]:
    return [
        (order.carrier.before, order.carrier.after, order.doubt)
        for order in run.orders()
        if (order.one, order.other) == (one, other)
    ]


def started(run: Programme, *threads: int) -> dict[int, int]:
    """Thread 0 starts them; gives their objects."""
    objects = {thread: run.thing("threading.Thread") for thread in threads}
    for thread, number in objects.items():
        begun = run.does(0, "start", number, begins=True)
        run.does(0, "start", None, started=thread, inside=begun)
        run.does(0, "start", number)
    return objects


def test_start_and_join() -> None:
    run = Programme()
    run.update(0)
    objects = started(run, 1)
    run.update(1)
    run.does(0, "join", objects[1], begins=True)
    run.does(0, "join", objects[1])
    run.update(0)
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)
    assert {carrier.before for carrier in run.verdict().carriers} == {"start", "end"}


def test_a_join_that_may_have_timed_out() -> None:
    run = Programme()
    objects = started(run, 1)
    run.update(1)
    run.does(0, "join", objects[1])
    run.update(0)
    verdict = run.verdict(no_timeouts=False)
    assert (verdict.why, verdict.certainty, verdict.doubts) == (Why.ORDER, Certainty.INFERRED, (Doubt.JOIN,))


def test_a_join_that_timed_out() -> None:
    run = Programme()
    objects = started(run, 1)
    run.update(1)
    run.does(0, "join", objects[1])
    run.update(0)
    run.update(1)
    assert run.verdict(no_timeouts=False).why is Why.NOTHING


def waited_for(run: Programme, type_name: str) -> tuple[int, int, int, int]:
    """An Event or a Barrier; its condition's lock, its condition, and the lock by which that makes one thread wait."""
    return run.thing(type_name), run.thing(LOCK), run.thing("threading.Condition"), run.thing(LOCK)


def event_wait(run: Programme, thread: int, event: int, inner: int, condition: int) -> int:
    """It is unset; gives the beginning of the wait for the condition."""
    begun = run.does(thread, "wait", event, begins=True)
    run.does(thread, "acquire", inner, inside=begun)
    waits = run.does(thread, "wait", condition, begins=True, inside=begun)
    run.does(thread, "release", inner, inside=waits)
    return begun


def test_an_event() -> None:
    run = Programme()
    event, inner, condition, waiter = waited_for(run, "threading.Event")
    begun = event_wait(run, 2, event, inner, condition)
    run.does(2, "acquire", waiter, inside=begun + 2)
    blocked = run.does(2, "acquire", waiter, begins=True, inside=begun + 2)
    run.update(1)
    run.whole(1, "set", event, inner, ("release", waiter))
    run.does(2, "acquire", waiter, inside=begun + 2, since=blocked, woken_by=1)
    run.does(2, "acquire", inner, inside=begun + 2)
    run.does(2, "wait", condition, inside=begun)
    run.does(2, "release", inner, inside=begun)
    run.does(2, "wait", event, woken_by=1)
    run.update(2)
    assert set(between(run, 1, 2)) == {("set", "wait", None)}
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)
    assert run.verdict().carriers == (Carrier("set", "wait", event),)


def test_an_event_that_was_set_before_the_wait() -> None:
    """Whether it was set before that, too, is not recorded."""
    run = Programme()
    event, inner = run.thing("threading.Event"), run.thing(LOCK)
    run.update(1)
    run.whole(1, "set", event, inner)
    run.whole(2, "wait", event, inner)
    run.update(2)
    assert (run.verdict().certainty, run.verdict().doubts) == (Certainty.INFERRED, (Doubt.STATE,))
    assert run.verdict(begun=False).why is Why.NOTHING  # record --last: it may well have been set by another


def test_an_event_that_another_had_set() -> None:
    run = Programme()
    event, inner = run.thing("threading.Event"), run.thing(LOCK)
    run.whole(3, "clear", event, inner)
    run.whole(3, "set", event, inner)
    run.update(1)
    run.whole(1, "set", event, inner)
    run.whole(2, "wait", event, inner)
    run.update(2)
    assert between(run, 1, 2) == []
    assert between(run, 3, 2) == [("set", "wait", None)]
    assert run.verdict().why is Why.NOTHING


def test_an_event_that_was_cleared() -> None:
    run = Programme()
    event, inner = run.thing("threading.Event"), run.thing(LOCK)
    run.whole(1, "set", event, inner)
    run.whole(3, "clear", event, inner)
    run.whole(3, "set", event, inner)
    run.whole(2, "wait", event, inner)
    assert between(run, 1, 2) == []
    assert between(run, 3, 2) == [("set", "wait", None)]


@pytest.mark.parametrize(
    ("type_name", "givers"),
    [("queue.Queue", [1, 3]), ("queue.LifoQueue", [3, 1]), ("queue.PriorityQueue", [])],
)
def test_which_put_gave_the_item(type_name: str, givers: list[int]) -> None:
    run = Programme()
    box, inner = run.thing(type_name), run.thing(LOCK)
    run.whole(1, "put", box, inner)
    run.whole(3, "put", box, inner)
    for _ in range(2):
        run.whole(2, "get", box, inner)
    assert [order.one for order in run.orders()] == givers
    assert not run.orders(begun=False)


def test_a_queue_of_which_it_is_known_that_it_was_empty() -> None:
    run = Programme()
    box, inner, condition = run.thing("queue.Queue"), run.thing(LOCK), run.thing("threading.Condition")
    begun = run.does(2, "get", box, begins=True)
    run.does(2, "acquire", inner, inside=begun)
    run.does(2, "wait", condition, begins=True, inside=begun)
    run.does(2, "release", inner, inside=begun + 2)
    run.update(1)
    run.whole(1, "put", box, inner)
    run.does(2, "acquire", inner, inside=begun + 2)
    run.does(2, "wait", condition, inside=begun)
    run.does(2, "release", inner, inside=begun)
    run.does(2, "get", box)
    run.update(2)
    assert between(run, 1, 2) == [("put", "get", None)]
    assert run.verdict(begun=False).certainty is Certainty.PROVEN


def test_a_join_of_a_queue_that_need_not_wait() -> None:
    run = Programme()
    queue, inner = run.thing("queue.Queue"), run.thing(LOCK)
    run.whole(2, "put", queue, inner)
    run.whole(1, "get", queue, inner)
    run.update(1)
    run.whole(1, "task_done", queue, inner)
    run.whole(2, "join", queue, inner)
    run.update(2)
    assert between(run, 1, 2) == [("task_done", "join", None)]
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)


def test_a_join_of_a_queue_before_the_work_is_done() -> None:
    run = Programme()
    queue, inner = run.thing("queue.Queue"), run.thing(LOCK)
    run.whole(2, "join", queue, inner)
    run.whole(1, "task_done", queue, inner)
    assert between(run, 1, 2) == []


@pytest.mark.parametrize("type_name", ["threading.Semaphore", "threading.BoundedSemaphore"])
def test_a_semaphore_that_another_gave_a_place(type_name: str) -> None:
    run = Programme()
    semaphore, inner = run.thing(type_name), run.thing(LOCK)
    run.update(1)
    run.whole(1, "release", semaphore, inner)
    run.whole(2, "acquire", semaphore, inner)
    run.update(2)
    assert between(run, 1, 2) == [("release", "acquire", Doubt.STATE)]
    assert (run.verdict().certainty, run.verdict().doubts) == (Certainty.INFERRED, (Doubt.STATE,))
    assert run.verdict(begun=False).why is Why.NOTHING


def test_places_of_a_semaphore_that_are_given_back() -> None:
    """Thread 1 gives a place, which 2 has and gives back, and then 3 has. What 2 and 3 do is in no order."""
    run = Programme()
    semaphore, inner = run.thing("threading.Semaphore"), run.thing(LOCK)
    run.whole(1, "release", semaphore, inner)
    for thread in (2, 3):
        run.whole(thread, "acquire", semaphore, inner)
        run.whole(thread, "release", semaphore, inner)
    assert between(run, 2, 3) == []
    assert between(run, 1, 2) == between(run, 1, 3) == [("release", "acquire", Doubt.STATE)]


def test_a_semaphore_that_is_held_is_no_order() -> None:
    run = Programme()
    semaphore, inner = run.thing("threading.Semaphore"), run.thing(LOCK)
    for thread in (1, 2):
        run.whole(thread, "acquire", semaphore, inner)
        run.whole(thread, "release", semaphore, inner)
    assert run.orders() == []


def test_a_get_that_raised_is_over() -> None:
    """It has no end; what its thread does next at another place is no part of it."""
    run = Programme()
    box, inner, lock = run.thing("queue.Queue"), run.thing(LOCK), run.thing(LOCK)
    begun = run.does(1, "get", box, begins=True, site=3)
    run.does(1, "acquire", inner, inside=begun, site=3)
    run.does(1, "release", inner, inside=begun, site=3)
    taken = run.does(1, "acquire", lock, inside=begun, site=4)
    operations = Operations(run.rows)
    assert [each.seq for each in operations.outermost()] == [begun, taken]
    assert [part.seq for part in operations.all[0].parts] == [begun + 1, begun + 2]


def test_who_took_a_lock_first_orders_nothing() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    for thread in (1, 2):
        run.update(thread)
        run.does(thread, "acquire", lock)
        run.does(thread, "release", lock)
    assert run.orders() == []
    assert run.verdict().why is Why.NOTHING


def test_a_lock_that_another_releases_is_a_signal() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    run.does(2, "acquire", lock)
    run.update(1)
    run.does(1, "release", lock)
    run.does(2, "acquire", lock)
    run.update(2)
    assert between(run, 1, 2) == [("release", "acquire", None)]
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)


def test_a_barrier() -> None:
    """Both ways: before it, and after it."""
    run = Programme()
    barrier, inner, condition, waiter = waited_for(run, "threading.Barrier")
    run.update(1)
    begun = event_wait(run, 1, barrier, inner, condition)
    run.does(1, "acquire", waiter, inside=begun + 2)
    blocked = run.does(1, "acquire", waiter, begins=True, inside=begun + 2)
    run.whole(2, "wait", barrier, inner, ("release", waiter))
    run.update(2)
    run.does(1, "acquire", waiter, inside=begun + 2, since=blocked, woken_by=2)
    run.does(1, "acquire", inner, inside=begun + 2)
    run.does(1, "wait", condition, inside=begun)
    run.does(1, "release", inner, inside=begun)
    run.does(1, "wait", barrier, woken_by=2)
    assert between(run, 1, 2) == [("wait", "wait", None)]
    assert between(run, 2, 1) == [("wait", "wait", None)]
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)
    run.update(1)  # as the other's after the barrier: nothing orders these two
    assert run.verdict().why is Why.NOTHING


def test_a_barrier_that_is_passed_often() -> None:
    """Its orders are found in one go through its waits: not each of them with each other."""
    run = Programme()
    barrier, inner, condition = run.thing("threading.Barrier"), run.thing(LOCK), run.thing("threading.Condition")
    waiter = run.thing(LOCK)
    times = 5_000
    for _ in range(times):
        begun = event_wait(run, 1, barrier, inner, condition)
        blocked = run.does(1, "acquire", waiter, begins=True, inside=begun + 2)
        run.whole(2, "wait", barrier, inner, ("release", waiter))
        run.does(1, "acquire", waiter, inside=begun + 2, since=blocked, woken_by=2)
        run.does(1, "wait", condition, inside=begun)
        run.does(1, "wait", barrier, woken_by=2)
    orders = [order for order in run.orders() if (order.one, order.other) == (1, 2)]
    assert len(orders) == times
    # a damaged row: it says that the lock was waited for since the beginning
    run.rows[:] = [row._replace(earliest=0) if row.woken_by is not None else row for row in run.rows]
    assert len([order for order in run.orders() if (order.one, order.other) == (1, 2)]) == times


def test_a_future() -> None:
    run = Programme()
    future = run.thing("concurrent.futures._base.Future")
    run.update(1)
    run.does(1, "set_result", future)
    run.does(2, "result", future)
    run.update(2)
    assert (run.verdict().why, run.verdict().certainty) == (Why.ORDER, Certainty.PROVEN)


def test_by_a_third_thread() -> None:
    run = Programme()
    objects = started(run, 1)
    run.update(1)
    run.does(0, "join", objects[1])
    started(run, 2)
    run.update(2)
    assert run.verdict().why is Why.ORDER
    assert [carrier.before for carrier in run.verdict().carriers] == ["end", "start"]


@given(st.data())
def test_clocks_are_the_closure_of_the_orders(data: st.DataObject) -> None:
    """What a clock knows of a thread is what can be reached from it, by brute force."""
    size = data.draw(st.integers(1, 12))
    threads = range(data.draw(st.integers(2, 6)))
    orders = []
    for _ in range(size):
        one, other = data.draw(st.permutations(threads))[:2]
        seq = data.draw(st.integers(0, 40)) * 2 + 1
        until = seq + 2 * data.draw(st.integers(0, 10)) + 1
        orders.append(Order(one, seq, other, until, Carrier("a", "b", None)))
    orders.sort(key=lambda order: (order.until, order.seq))
    last_seq = {thread: data.draw(st.integers(0, 130)) for thread in threads} if data.draw(st.booleans()) else {}
    for order in orders:  # a thread does nothing after its last record
        for thread, latest in ((order.one, order.seq), (order.other, order.until)):
            if thread in last_seq:
                last_seq[thread] = max(last_seq[thread], latest)
    with mock.patch.object(happens_before, "FEW", data.draw(st.integers(0, 3))):
        clocks = Clocks(orders, last_seq)

    def known(thread: int, seq: int, of: int) -> int:
        best = -1
        for order in orders:
            if order.other == thread and order.until <= seq:
                if order.one == of:
                    best = max(best, order.seq)
                best = max(best, known(order.one, order.seq, of))
        return best

    thread, of = data.draw(st.permutations(threads))[:2]
    seq = data.draw(st.integers(0, 120))
    told, best = clocks.at(thread, seq).get(of), known(thread, seq, of)
    assert told == best or (math.isinf(told) and best > last_seq.get(of, -1))
    written = data.draw(st.integers(0, 120))
    path = clocks.path(of, written, thread, seq)
    assert bool(path) == (written < known(thread, seq, of))
    assert not path or (path[0].one, path[-1].other) == (of, thread)


@given(st.data())
def test_cuts_are_where_all_before_came_before_all_after(data: st.DataObject) -> None:
    threads = range(data.draw(st.integers(2, 5)))
    orders = []
    for _ in range(data.draw(st.integers(0, 12))):
        one, other = data.draw(st.permutations(threads))[:2]
        seq = data.draw(st.integers(0, 40))
        orders.append(Order(one, seq, other, seq + data.draw(st.integers(0, 5)), Carrier("a", "b", None)))
    orders.sort(key=lambda order: (order.until, order.seq))
    last_seq = dict.fromkeys(threads, 60) if data.draw(st.booleans()) else {}
    clocks = Clocks(orders, last_seq)
    seqs = sorted(data.draw(st.sets(st.integers(0, 60), max_size=12)))
    updates = [Update(0, data.draw(st.sampled_from(threads)), seq, seq, True) for seq in seqs]

    def came_before(one: Update, other: Update) -> bool:
        return one.thread == other.thread or one.seq < clocks.at(other.thread, other.began).get(one.thread)

    assert _cuts(updates, clocks) == [
        place
        for place in range(1, len(updates))
        if all(came_before(one, other) for one in updates[:place] for other in updates[place:])
    ]


@given(st.data())
def test_the_first_update_that_a_clock_does_not_know(data: st.DataObject) -> None:
    threads = st.integers(0, 6)
    updates = [Update(0, data.draw(threads), seq, seq, True) for seq in range(data.draw(st.integers(0, 12)))]
    clock = Clock(data.draw(threads), data.draw(st.dictionaries(threads, st.integers(-1, 12))))
    own = data.draw(threads)
    unknown = [place for place, each in enumerate(updates) if each.thread != own and each.seq >= clock.get(each.thread)]
    assert FirstUnknown(updates)(own, clock) == min(unknown, default=len(updates))


@pytest.mark.parametrize("shape", ["one by one", "all at once", "all at once, joined in any order"])
def test_clocks_take_room_by_the_orders_not_by_the_threads(shape: str) -> None:
    count, orders, last_seq, seq = 500, [], {0: 1 << 40, 1: 1 << 40}, 0  # thread 1 never ends

    def start(one: int, other: int) -> None:
        nonlocal seq
        seq += 2
        orders.append(Order(one, seq, other, seq + 1, Carrier("start", "begin", None)))
        last_seq[other] = seq + 1

    def join(one: int, other: int) -> None:
        nonlocal seq
        seq += 2
        orders.append(Order(one, seq, other, seq + 1, Carrier("end", "join", None)))
        last_seq[one] = seq - 1

    numbers = list(range(2, count))
    if shape == "one by one":
        for number in numbers:
            start(0, number)
            join(number, 0)
    else:
        for number in numbers:
            start(0, number)
        if "any order" in shape:
            random.Random(7).shuffle(numbers)
        for number in numbers:
            join(number, 0)
    clocks = Clocks(orders, last_seq)
    room = sum(len(clock.some) for of_thread in clocks._clocks.values() for clock in of_thread)
    assert room <= 30 * len(orders) or shape.endswith("any order")
    assert all(clocks.at(0, seq + 1).get(number) > last_seq[number] for number in numbers)
    assert clocks.at(0, seq + 1).get(1) == -1


def test_orders_that_are_too_many_to_look_into(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Programme()
    objects = started(run, 1)
    run.update(1)
    run.does(0, "join", objects[1])
    started(run, 2)
    run.update(2)
    assert run.verdict().why is Why.ORDER
    monkeypatch.setattr(happens_before, "MAX_ROOM", 0)
    assert run.judge().verdict(run.updates) is None
    guarded = Programme()
    lock = guarded.thing(LOCK)
    started(guarded, 1, 2)
    for thread in (1, 2):
        guarded.does(thread, "acquire", lock)
        guarded.update(thread)
        guarded.does(thread, "release", lock)
    assert guarded.verdict().why is Why.LOCK
