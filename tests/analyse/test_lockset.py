"""Why nothing was lost: the locks that all updates held, and what is not to be taken for one."""

from __future__ import annotations

import bisect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.analyse.lockset import held_locks, holding, tightest
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.protection import Doubt, Update, Why
from tests.analyse.synchronised import LOCK, RLOCK, Programme


def locked(run: Programme, thread: int, lock: int) -> None:
    run.does(thread, "acquire", lock)
    run.update(thread)
    run.does(thread, "release", lock)


def test_one_lock_for_all() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    for thread in (1, 2, 1):
        locked(run, thread, lock)
    verdict = run.verdict()
    assert (verdict.why, verdict.certainty) == (Why.LOCK, Certainty.PROVEN)
    assert (verdict.objects, verdict.updates, verdict.threads) == ((lock,), 3, (1, 2))


def test_different_locks_protect_nothing() -> None:
    run = Programme()
    one, other = run.thing(LOCK), run.thing(LOCK)
    locked(run, 1, one)
    locked(run, 2, other)
    assert (run.verdict().why, run.verdict().certainty) == (Why.NOTHING, Certainty.POSSIBLE)
    first, second = (holding(update, run.judge().locks) for update in run.updates)
    assert (first.throughout, second.throughout) == (frozenset({one}), frozenset({other}))


def test_a_lock_that_is_let_go_of_between_read_and_write() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    locked(run, 1, lock)
    run.does(2, "acquire", lock)
    run.read(2)
    run.does(2, "release", lock)
    run.does(2, "acquire", lock)
    run.write(2)
    run.does(2, "release", lock)
    assert run.verdict().why is Why.NOTHING
    held = holding(run.updates[-1], run.judge().locks)
    assert (held.throughout, held.at_read, held.at_write) == (frozenset(), frozenset({lock}), frozenset({lock}))


def test_an_update_without_the_lock() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    locked(run, 1, lock)
    run.update(2)
    locked(run, 1, lock)
    assert run.verdict().why is Why.NOTHING


def test_an_rlock_is_held_up_to_its_last_release() -> None:
    run = Programme()
    lock = run.thing(RLOCK)
    for thread in (1, 2):
        run.does(thread, "acquire", lock)
        run.does(thread, "acquire", lock)
        run.read(thread)
        run.does(thread, "release", lock)
        run.write(thread)
        run.does(thread, "release", lock)
    assert (run.verdict().why, run.verdict().objects) == (Why.LOCK, (lock,))


def test_an_rlock_is_not_held_after_its_last_release() -> None:
    run = Programme()
    lock = run.thing(RLOCK)
    for thread in (1, 2):
        run.does(thread, "acquire", lock)
        run.does(thread, "acquire", lock)
        run.read(thread)
        run.does(thread, "release", lock)
        run.does(thread, "release", lock)
        run.write(thread)
    assert run.verdict().why is Why.NOTHING


def test_a_lock_from_before_the_recording() -> None:
    """Its acquisition was not seen, so it is not said to be held; nor is a release by who does not hold it one."""
    run = Programme()
    lock, reentrant = run.thing(LOCK), run.thing(RLOCK)
    run.update(1)
    run.does(1, "release", lock)
    locked(run, 2, lock)
    assert run.verdict().why is Why.NOTHING
    run.does(1, "acquire", reentrant)
    run.does(2, "release", reentrant)  # raises
    assert holding(run.update(1), run.judge().locks).throughout == {reentrant}


def test_what_was_not_acquired_is_not_held() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    locked(run, 1, lock)
    run.does(2, "acquire", lock, begins=True)
    run.does(2, "acquire", lock, failed=True)
    run.update(2)
    assert run.verdict().why is Why.NOTHING


def test_a_release_that_went_unseen() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    run.does(1, "acquire", lock)
    run.update(1)
    locked(run, 2, lock)
    assert [held.thread for held in run.judge().locks] == [2]


def test_a_lock_that_is_still_held_at_the_end() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    locked(run, 1, lock)
    run.does(2, "acquire", lock)
    run.update(2)
    assert run.verdict().why is Why.LOCK


@pytest.mark.parametrize("depth", [1, 2])
def test_a_condition_releases_its_lock_while_it_waits(depth: int) -> None:
    run = Programme()
    lock, condition = run.thing(RLOCK), run.thing("threading.Condition")
    for _ in range(depth):
        run.does(1, "acquire", lock)
    run.read(1)
    wait = run.does(1, "wait", condition, begins=True)
    run.does(1, "release", lock, inside=wait)
    locked(run, 2, lock)
    run.does(1, "acquire", lock, inside=wait)
    run.does(1, "wait", condition, since=wait + 1)
    run.write(1)
    assert run.verdict().why is Why.NOTHING
    for _ in range(depth):
        assert (
            lock in holding(run.update(1), run.judge().locks).throughout
        )  # it came back as often as it had been taken
        run.does(1, "release", lock)
    assert lock not in holding(run.update(1), run.judge().locks).throughout


def test_the_lock_that_a_condition_makes_for_a_wait_is_not_held() -> None:
    run = Programme()
    lock, waiter, condition = run.thing(LOCK), run.thing(LOCK), run.thing("threading.Condition")
    run.does(1, "acquire", lock)
    wait = run.does(1, "wait", condition, begins=True)
    run.does(1, "acquire", waiter, inside=wait)
    run.does(1, "release", lock, inside=wait)
    run.does(2, "release", waiter)
    run.does(1, "acquire", waiter, inside=wait, woken_by=2)
    run.does(1, "acquire", lock, inside=wait)
    run.does(1, "wait", condition)
    assert holding(run.update(1), run.judge().locks).throughout == {lock}


def test_the_lock_by_which_a_start_waits_is_not_held() -> None:
    run = Programme()
    lock, waiter, thread = run.thing(LOCK), run.thing(LOCK), run.thing("threading.Thread")
    run.does(1, "acquire", lock)
    start = run.does(1, "start", thread, begins=True)
    run.does(1, "acquire", waiter, inside=start)
    run.does(2, "release", waiter)
    run.does(1, "acquire", waiter, inside=start, woken_by=2)
    run.does(1, "start", thread)
    assert holding(run.update(1), run.judge().locks).throughout == {lock}


@pytest.mark.parametrize(("places", "why"), [(1, Why.SEMAPHORE), (2, Why.NOTHING)])
def test_semaphores(places: int, why: Why) -> None:
    run = Programme()
    semaphore, inner = run.thing("threading.Semaphore"), run.thing(LOCK)
    run.whole(1, "acquire", semaphore, inner)
    run.update(1)
    if places == 1:
        run.whole(1, "release", semaphore, inner)
    run.whole(2, "acquire", semaphore, inner)
    if places == 2:
        run.whole(1, "release", semaphore, inner)
    run.update(2)
    run.whole(2, "release", semaphore, inner)
    verdict = run.verdict()
    assert verdict.why is why
    assert verdict.doubts == ((Doubt.PLACES,) if why is Why.SEMAPHORE else ())
    assert verdict.certainty is (Certainty.INFERRED if why is Why.SEMAPHORE else Certainty.POSSIBLE)


def test_a_semaphore_that_one_releases_who_has_none() -> None:
    run = Programme()
    semaphore, inner = run.thing("threading.Semaphore"), run.thing(LOCK)
    for thread in (1, 2):
        run.whole(thread, "acquire", semaphore, inner)
        run.update(thread)
        run.whole(thread, "release", semaphore, inner)
    run.whole(3, "release", semaphore, inner)
    assert run.verdict().why is Why.NOTHING


def test_a_first_update_before_the_threads_start_needs_no_lock() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    run.update(0)
    for thread in (1, 2):
        run.does(0, "start", None, started=thread)
    for thread in (1, 2, 1):
        locked(run, thread, lock)
    verdict = run.verdict()
    assert (verdict.why, verdict.certainty) == (Why.LOCK, Certainty.PROVEN)
    assert (verdict.objects, verdict.apart, verdict.updates) == ((lock,), 1, 4)
    assert verdict.carriers[0].before == "start"


def test_one_lock_and_then_another() -> None:
    run = Programme()
    first, second = run.thing(LOCK), run.thing(LOCK)
    done = [run.thing("threading.Thread"), run.thing("threading.Thread")]
    for thread in (1, 2):
        begun = run.does(0, "start", done[thread - 1], begins=True)
        run.does(0, "start", None, started=thread, inside=begun)
        run.does(0, "start", done[thread - 1])
    locked(run, 1, first)
    locked(run, 2, first)
    for thread in (1, 2):
        run.does(0, "join", done[thread - 1])
    for thread in (3, 4):
        run.does(0, "start", None, started=thread)
    locked(run, 3, second)
    locked(run, 4, second)
    verdict = run.verdict()
    assert (verdict.why, verdict.certainty, verdict.phases) == (Why.LOCK, Certainty.PROVEN, True)
    assert verdict.objects == (first, second)


def test_a_value_that_went_through_a_call() -> None:
    run = Programme()
    lock = run.thing(LOCK)
    locked(run, 1, lock)
    run.does(2, "acquire", lock)
    run.read(2)
    run.write(2, certain=False)
    run.does(2, "release", lock)
    assert (run.verdict().why, run.verdict().certainty) == (Why.LOCK, Certainty.INFERRED)
    assert run.verdict().doubts == (Doubt.SOURCE,)


@pytest.mark.parametrize(("type_name", "why"), [(RLOCK, Why.NOTHING), (LOCK, Why.LOCK)])
def test_tasks_of_one_thread(type_name: str, why: Why) -> None:
    """An RLock belongs to the thread: a task takes it from another task at an await."""
    run = Programme(tasks={1: 0, 2: 0})
    lock = run.thing(type_name)
    locked(run, 1, lock)
    locked(run, 2, lock)
    assert run.verdict().why is why


def test_nothing_to_protect() -> None:
    run = Programme()
    run.update(1)
    run.update(1)
    assert run.judge().verdict(run.updates) is None  # one thread alone
    blind = Programme()
    blind.write(1)
    blind.write(2)
    assert blind.judge().verdict(blind.updates) is None  # nothing depends on what was read


def test_the_tightest_hand_over_is_one_that_was_waited_for() -> None:
    near = Update(1, 1, 1, 2), Update(1, 2, 3, 4)
    far = Update(1, 1, 10, 20), Update(1, 2, 30, 40)
    updates = [*near, *far]
    assert tightest(updates, lambda one, other: False) == near
    assert tightest(updates, lambda one, other: one is far[0]) == far
    assert tightest(updates[:1], lambda one, other: False) is None


Steps = list[tuple[int, str, int]]


@st.composite
def lock_programs(draw: st.DrawFn) -> tuple[Programme, Steps]:
    """Threads that take and release locks as these allow it, and update one location; and who held what at each seq."""
    run = Programme()
    locks = [run.thing(draw(st.sampled_from([LOCK, RLOCK]))) for _ in range(draw(st.integers(1, 2)))]
    held: dict[int, list[int]] = {}  # lock: its holder, as often as it holds it
    history: Steps = []
    reading: set[int] = set()
    for _ in range(draw(st.integers(2, 40))):
        thread = draw(st.integers(1, 3))
        action = draw(st.sampled_from(["acquire", "release", "update", "update"]))
        lock = draw(st.sampled_from(locks))
        holders = held.setdefault(lock, [])
        if action == "update":
            if thread in reading:
                run.write(thread)
            else:
                run.read(thread)
            reading ^= {thread}
        elif action == "acquire":
            free = not holders or (run.objects[lock].type_name == RLOCK and holders[0] == thread)
            run.does(thread, "acquire", lock, failed=not free)
            if free:
                holders.append(thread)
        elif holders and (holders[0] == thread or run.objects[lock].type_name == LOCK):
            run.does(thread, "release", lock)
            holders.pop()
        for each in locks:
            history.append((run.seq, f"{each}", held.get(each, [0])[0] if held.get(each) else 0))
    return run, history


def held_throughout(history: Steps, lock: int, update: Update) -> bool:
    """By brute force: whether the thread held the lock at each step of the update, and ever since the one before."""
    mine = [(seq, holder) for seq, name, holder in history if name == str(lock)]
    seqs = [seq for seq, _ in mine]
    first = bisect.bisect_left(seqs, update.began) - 1
    last = bisect.bisect_right(seqs, update.seq)
    return first >= 0 and all(holder == update.thread for _, holder in mine[first:last])


@given(lock_programs())
def test_random_lock_programs(made: tuple[Programme, Steps]) -> None:
    run, history = made
    held = held_locks(run.rows, run.objects)
    for update in run.updates:
        expected = {lock for lock in run.objects if held_throughout(history, lock, update)}
        assert holding(update, held).throughout == expected
    for lock, of_lock in itertools.groupby(sorted(held), key=lambda each: each.object):
        for one, other in itertools.pairwise(sorted(of_lock, key=lambda each: each.first)):
            assert one.last < other.first, f"{lock} is held by two at a time"
    verdict = run.judge().verdict(run.updates)
    if verdict is not None and verdict.why is Why.LOCK:
        for lock in verdict.objects:
            assert all(held_throughout(history, lock, update) for update in run.updates)
        for early, late in itertools.combinations(run.updates, 2):
            assert early.thread == late.thread or early.seq < late.began or late.seq < early.began


@pytest.mark.parametrize("reads", [False, True])
def test_what_a_thread_makes_before_it_shares_it(reads: bool) -> None:
    # GIVEN a write without the lock, before the first one of another thread
    run = Programme()
    lock = run.thing(LOCK)
    run.update(1) if reads else run.write(1)
    for thread in (2, 1):
        run.does(thread, "acquire", lock)
        run.update(thread)
        run.does(thread, "release", lock)
    # THEN it is how the object was made, unless it was made of what was there
    verdict = run.verdict()
    assert verdict.why is (Why.NOTHING if reads else Why.LOCK)
    assert verdict.doubts == (() if reads else (Doubt.MADE,))
    assert verdict.updates == (3 if reads else 2)
