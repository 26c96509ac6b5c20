"""Circles of locks: those that threads wait in, and those that they may come to wait in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from opcodetrace.analyse.lock_order import Exclusions, Semaphores, Starts, circles, inversions, nested, waiting
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import Synchronisation, SyncObject
from tests.analyse.synchronised import LOCK, RLOCK, Waits


@dataclass
class Run(Waits):
    rows: list[Synchronisation] = field(default_factory=list)
    objects: dict[int, SyncObject] = field(default_factory=dict)
    bounded: set[int] = field(default_factory=set)
    seq: int = 0

    def threads(self) -> list[Thread]:
        last = {each.thread: each.seq for each in self.rows}
        return [Thread(number, None, number, number, None, 0, seq, ended=False) for number, seq in last.items()]

    def takes(self, thread: int, *locks: int) -> None:
        for lock in locks:
            self.does(thread, "acquire", lock)

    def gives(self, thread: int, *locks: int) -> None:
        for lock in locks:
            self.does(thread, "release", lock)

    def nests(self, thread: int, *locks: int) -> None:
        self.takes(thread, *locks)
        self.gives(thread, *reversed(locks))

    def starts(self, thread: int, other: int) -> int:
        handle = self.thing("threading.Thread")
        begun = self.does(thread, "start", handle, begins=True)
        self.does(thread, "start", None, inside=begun, started=other)
        self.does(thread, "start", handle, since=begun + 1)
        return handle

    def stuck(self) -> list[list[tuple[int, int]]]:
        """Of each circle, the threads with those that they wait for."""
        found = circles(waiting(self.rows, self.objects, self.threads(), self.bounded))
        return [[(wait.thread, wait.other) for wait in circle] for circle in found]

    def near(self) -> list[list[tuple[int, int, int]]]:
        """Of each circle, the threads with the lock that each held, and that which it took."""
        edges = nested(self.rows, self.objects, self.bounded)

        def exclusions() -> Exclusions:
            starts = Starts(self.rows, self.threads(), lambda *asked: None)
            semaphores = Semaphores(self.rows, self.objects)
            return Exclusions(starts, semaphores, lambda *_: False, lambda edge: False)

        found = inversions(edges, exclusions)
        return [[(edge.thread, edge.held, edge.lock) for edge in circle] for circle in found]


def two_locks() -> tuple[Run, int, int]:
    run = Run()
    return run, run.thing(LOCK, "a"), run.thing(LOCK, "b")


def test_two_that_wait_for_each_other() -> None:
    run, a, b = two_locks()
    run.takes(1, a)
    run.takes(2, b)
    run.does(1, "acquire", b, begins=True)
    assert run.stuck() == []
    run.does(2, "acquire", a, begins=True)
    assert run.stuck() == [[(1, 2), (2, 1)]]


def test_a_wait_that_gives_up_is_no_deadlock() -> None:
    run, a, b = two_locks()
    run.takes(1, a)
    run.takes(2, b)
    run.does(1, "acquire", b, begins=True)
    run.does(2, "acquire", a, begins=True)
    run.bounded.add(run.rows[-1].seq)
    assert not run.stuck()
    assert not run.near()


def test_a_thread_that_went_on_does_not_wait() -> None:
    """It was interrupted, say; its acquisition has no end then."""
    run, a, b = two_locks()
    run.takes(1, a)
    run.takes(2, b)
    run.does(1, "acquire", b, begins=True)
    run.does(2, "acquire", a, begins=True)
    run.does(1, "release", a)
    assert run.stuck() == []


def test_a_lock_taken_twice() -> None:
    run = Run()
    lock = run.thing(LOCK)
    run.takes(1, lock)
    run.does(1, "acquire", lock, begins=True)
    assert run.stuck() == [[(1, 1)]]


def test_an_rlock_taken_twice() -> None:
    run = Run()
    lock, other = run.thing(RLOCK), run.thing(RLOCK)
    for thread, locks in ((1, (lock, lock, other)), (2, (lock, other, lock))):
        run.nests(thread, *locks)
    assert not run.stuck()
    assert not run.near()


def test_a_join_by_one_who_holds_what_the_other_wants() -> None:
    run = Run()
    lock = run.thing(LOCK)
    handle = run.starts(0, 1)
    run.takes(0, lock)
    run.does(1, "acquire", lock, begins=True)
    begun = run.does(0, "join", handle, begins=True)
    run.does(0, "acquire", run.thing(LOCK), begins=True, inside=begun)
    assert run.stuck() == [[(0, 1), (1, 0)]]


def test_one_who_waits_for_a_circle_is_not_in_it() -> None:
    run, a, b = two_locks()
    handle = run.starts(0, 1)
    run.takes(1, a)
    run.takes(2, b)
    run.does(1, "acquire", b, begins=True)
    run.does(2, "acquire", a, begins=True)
    run.does(0, "join", handle, begins=True)
    assert run.stuck() == [[(1, 2), (2, 1)]]


def test_opposite_orders() -> None:
    run, a, b = two_locks()
    run.nests(1, a, b)
    run.nests(2, b, a)
    assert run.near() == [[(1, a, b), (2, b, a)]]


def test_one_thread_alone_has_no_order_to_keep() -> None:
    run, a, b = two_locks()
    run.nests(1, a, b)
    run.nests(1, b, a)
    run.nests(2, a)
    assert run.near() == []


def test_a_gate() -> None:
    run, a, b = two_locks()
    gate = run.thing(LOCK)
    run.nests(1, gate, a, b)
    run.nests(2, gate, b, a)
    assert run.near() == []
    run.nests(3, b, a)
    assert run.near() == [[(1, a, b), (3, b, a)]]


def test_a_circle_of_three() -> None:
    run = Run()
    forks = [run.thing(LOCK) for _ in range(3)]
    for thread in range(3):
        run.nests(thread + 1, forks[thread], forks[(thread + 1) % 3])
    assert [sorted(circle) for circle in run.near()] == [[(1, 1, 2), (2, 2, 3), (3, 3, 1)]]


def test_before_the_start_and_after_the_join_of_the_other() -> None:
    run, a, b = two_locks()
    run.nests(0, b, a)
    handle = run.starts(0, 1)
    run.nests(1, a, b)
    run.does(0, "join", handle)
    run.nests(0, b, a)
    assert run.near() == []
    run.starts(0, 2)
    run.nests(0, b, a)
    run.nests(2, a, b)
    assert run.near() == [[(0, b, a), (2, a, b)]]


def test_two_that_a_third_one_runs_one_after_the_other() -> None:
    run, a, b = two_locks()
    for thread, locks in ((1, (a, b)), (2, (b, a))):
        handle = run.starts(0, thread)
        run.nests(thread, *locks)
        run.does(0, "join", handle)
    assert run.near() == [[(1, a, b), (2, b, a)]]


def test_a_signal_is_no_lock() -> None:
    run, a, b = two_locks()
    run.takes(1, a)
    run.nests(1, b)
    run.gives(2, a)
    run.nests(2, b, a)
    assert run.near() == []


def test_a_thread_that_gets_a_lock_twice_had_been_let_go_by_another_one() -> None:
    """So it waits for its new threads to begin, and what gives it the lock back is not recorded."""
    run = Run()
    waiters = [run.thing(LOCK) for _ in range(3)]
    for lock in waiters:
        run.takes(1, lock)
        run.takes(1, lock)
    assert nested(run.rows, run.objects) == []


# --- all interleavings of small programs

Step = tuple[str, int]  # acquire or release, and the lock
PROGRAMS = st.lists(
    st.lists(st.permutations([1, 2, 3]).map(lambda order: order[:2]) | st.permutations([1, 2, 3]), max_size=2),
    min_size=2,
    max_size=3,
)


def steps_of(blocks: list[list[int]]) -> Iterator[Step]:
    """`with` blocks, one after the other, each nested as its locks are in order."""
    for locks in blocks:
        yield from (("acquire", lock) for lock in locks)
        yield from (("release", lock) for lock in reversed(locks))


def held_after(steps: list[Step]) -> set[int]:
    held: set[int] = set()
    for what, lock in steps:
        (held.add if what == "acquire" else held.remove)(lock)
    return held


def can_get_stuck(program: list[list[Step]]) -> bool:
    """Whether some interleaving ends with a thread that can do nothing."""
    seen: set[tuple[int, ...]] = set()
    pending = [tuple(0 for _ in program)]
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        taken = set().union(*(held_after(program[thread][:done]) for thread, done in enumerate(at)))
        moves = []
        for thread, done in enumerate(at):
            if done < len(program[thread]):
                what, lock = program[thread][done]
                if what == "release" or lock not in taken:
                    moves.append((*at[:thread], done + 1, *at[thread + 1 :]))
        if not moves and any(done < len(steps) for done, steps in zip(at, program, strict=True)):
            return True
        pending += moves
    return False


@settings(max_examples=1000, deadline=None)
@given(PROGRAMS)
def test_what_can_get_stuck_is_found_in_a_run_that_did_not(blocks: list[list[list[int]]]) -> None:
    program = [list(steps_of(each)) for each in blocks]
    run = Run()
    for _ in range(3):
        run.thing(LOCK)
    for thread, steps in enumerate(program, 1):
        for what, lock in steps:
            run.does(thread, what, lock)
    found = run.near()
    assert bool(found) == can_get_stuck(program)
