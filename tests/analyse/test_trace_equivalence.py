"""Interleavings are of one class if, and only if, all conflicting accesses have the same order in them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from opcodetrace.analyse.trace_equivalence import equivalence_class
from opcodetrace.trace.event import ABSENT, Event, EventKind
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import MergedLanes, Thread, Trace, Truncation
from opcodetrace.trace.sync import Act, Synchronisation
from tests.analyse.programs import trace_of
from tests.traces import FILE, make_code, make_site

MAIN, FIRST, SECOND, THIRD = range(4)


class Access(NamedTuple):
    lane: int
    kind: EventKind
    cell: str
    line: int = 1
    earlier: int = 0  # how many accesses before its place it may have been made


def read(lane: int, cell: str = "x", line: int = 1, earlier: int = 0) -> Access:
    return Access(lane, EventKind.READ, cell, line, earlier)


def write(lane: int, cell: str = "x", line: int = 2, earlier: int = 0) -> Access:
    return Access(lane, EventKind.WRITE, cell, line, earlier)


def trace(accesses: Sequence[Access], *, numbers: Sequence[int] = (0, 1, 2, 3), uncertain: Sequence[str] = ()) -> Trace:
    """A run in which main starts the lanes 1, 2 and 3, in that order. `numbers`: those that they have in this run."""
    cells = list(dict.fromkeys(each.cell for each in accesses))
    sites = [make_site(line, "LOAD_SUBSCR", line=line) for line in sorted({each.line for each in accesses})]
    events = [
        Event(100 + place, 100 + place - each.earlier, numbers[each.lane], each.line, each.kind,
              cells.index(each.cell), ABSENT, each.lane)
        for place, each in enumerate(accesses)
    ]  # fmt: skip
    made = trace_of(events, sites)
    made.files = [FILE]
    made.site_codes = {site.id: make_code(*sites, file=FILE.id) for site in sites}
    made.locations = {
        number: Location(
            number, LocationKind.ITEM, "list", 0, cell, cell not in uncertain, 1,
            sum(each.cell == cell and each.kind != EventKind.READ for each in accesses),
            len({each.lane for each in accesses if each.cell == cell}),
        )
        for number, cell in enumerate(cells)
    }  # fmt: skip
    made.threads = [Thread(number, f"T{number}", number, number, 0, number, 200, True) for number in sorted(numbers)]
    made.synchronisation = [
        Synchronisation(lane, lane, MAIN, None, None, Act.START, False, False, None, None, started=numbers[lane])
        for lane in (FIRST, SECOND, THIRD)
    ]
    return made


def class_of(accesses: Iterable[Access], numbers: Sequence[int] = (0, 1, 2, 3)) -> str | None:
    return equivalence_class(trace(list(accesses), numbers=numbers), unseen_writes=False)


def orders(accesses: Sequence[Access]) -> frozenset[object]:
    """The order of all conflicting accesses, each named by its lane and its place there; and what each lane does."""
    made: Counter[int] = Counter()
    named = []
    for access in accesses:
        named.append(((access.lane, made[access.lane]), access))
        made[access.lane] += 1
    pairs = {
        (name, other)
        for place, (name, access) in enumerate(named)
        for other, after in named[place + 1 :]
        if access.cell == after.cell and access.lane != after.lane
        and (access.kind != EventKind.READ or after.kind != EventKind.READ)
    }  # fmt: skip
    return frozenset(pairs) | frozenset(named)


def is_shared(accesses: Sequence[Access], cell: str) -> bool:
    at = [each for each in accesses if each.cell == cell]
    return len({each.lane for each in at}) > 1 and any(each.kind != EventKind.READ for each in at)


@pytest.mark.parametrize("seed", range(25))
def test_classes_are_those_of_the_orders(seed: int) -> None:
    """All are of lanes that do the same, with numbers of lanes and of locations that differ from run to run."""
    drawn = random.Random(seed)
    steps = [
        Access(lane, drawn.choice((EventKind.READ, EventKind.WRITE)), drawn.choice("xy"), drawn.randrange(3))
        for lane in (FIRST, SECOND, THIRD)
        for _ in range(drawn.randrange(1, 4))
    ]
    steps = [each for each in steps if is_shared(steps, each.cell)]
    class_by_orders: dict[object, str | None] = {}
    for _ in range(60):
        left = {lane: [each for each in steps if each.lane == lane] for lane in (FIRST, SECOND, THIRD)}
        interleaved: list[Access] = []
        while any(left.values()):
            interleaved.append(left[drawn.choice([lane for lane in left if left[lane]])].pop(0))
        numbers = [MAIN, *drawn.sample((1, 2, 3), 3)]
        found = class_of(interleaved, numbers)
        assert found is not None
        assert class_by_orders.setdefault(orders(interleaved), found) == found
    assert len(set(class_by_orders.values())) == len(class_by_orders)


def test_other_lines_and_other_lanes_are_other_classes() -> None:
    usual = [write(MAIN), read(FIRST), write(SECOND)]
    others = [
        [write(MAIN), read(FIRST, line=3), write(SECOND)],
        [write(MAIN), read(SECOND), write(FIRST)],
        [write(MAIN), read(FIRST), read(FIRST), write(SECOND)],
        [write(MAIN), write(SECOND)],
    ]
    assert len({class_of(each) for each in [usual, *others]}) == 5


def test_which_of_two_objects_alike_makes_a_difference() -> None:
    """Both lanes go to x first, or one to x and one to y; the locations have one name and one line."""
    same = [
        read(FIRST, "x"),
        write(FIRST, "x"),
        read(SECOND, "x"),
        write(SECOND, "x"),
        read(SECOND, "y"),
        write(MAIN, "y"),
    ]
    other = [
        read(FIRST, "x"),
        write(FIRST, "x"),
        read(SECOND, "y"),
        write(MAIN, "y"),
        read(SECOND, "x"),
        write(SECOND, "x"),
    ]
    swapped = [replaced._replace(cell={"x": "y", "y": "x"}[replaced.cell]) for replaced in same]
    assert class_of(same) == class_of(swapped)
    assert class_of(same) != class_of(other)


def test_accesses_to_what_is_not_shared_make_no_difference() -> None:
    usual = [write(MAIN), read(FIRST), write(SECOND)]
    assert class_of([write(MAIN, "own"), *usual, read(MAIN, "own")]) == class_of(usual)
    assert class_of([read(FIRST, "constant"), *usual, read(SECOND, "constant")]) == class_of(usual)


def test_nothing_shared_is_one_class() -> None:
    assert class_of([]) == class_of([write(MAIN)])
    assert class_of([]) not in (None, class_of([write(MAIN), read(FIRST)]))


def test_intervals_that_overlap_no_conflicting_access() -> None:
    exact = [write(MAIN), read(FIRST), read(SECOND), write(FIRST)]
    assert class_of([write(MAIN), read(FIRST), read(SECOND, earlier=1), write(FIRST)]) == class_of(exact)
    assert (
        class_of([write(MAIN), read(FIRST), read(SECOND), write(SECOND, "y"), read(FIRST, "y", earlier=0)]) is not None
    )
    own = [write(MAIN), read(FIRST), write(FIRST, earlier=1), write(SECOND)]
    assert class_of(own) == class_of([each._replace(earlier=0) for each in own])


@pytest.mark.parametrize(
    "accesses",
    [
        [write(MAIN), read(FIRST, earlier=1)],
        [write(MAIN), read(FIRST), write(SECOND, earlier=1)],
        [write(MAIN), read(FIRST), read(FIRST), read(FIRST, earlier=3)],
        [write(MAIN), write(SECOND), read(FIRST, "y"), write(SECOND, "y"), read(SECOND), write(FIRST, earlier=5)],
    ],
)
def test_intervals_that_overlap_a_conflicting_access(accesses: list[Access]) -> None:
    assert class_of(accesses) is None
    assert class_of([each._replace(earlier=0) for each in accesses]) is not None


RUN = [write(MAIN), read(FIRST), write(SECOND)]


def test_what_makes_a_class_unknown() -> None:
    known = trace(RUN)
    assert equivalence_class(known, unseen_writes=False) is not None
    assert equivalence_class(known, unseen_writes=True) is None
    for changes in (
        {"truncated": Truncation.LIMIT},
        {"let_go": 1},
        {"missed": 1},
        {"holes": 1},
        {"merged": (MergedLanes.GREENLETS,)},
    ):
        assert equivalence_class(replace(known, **changes), unseen_writes=False) is None
    assert equivalence_class(trace(RUN, uncertain=["x"]), unseen_writes=False) is None
    assert equivalence_class(trace([*RUN, read(MAIN, "own")], uncertain=["own"]), unseen_writes=False) is not None


def test_threads_that_nobody_was_seen_to_start_are_told_apart_by_their_names() -> None:
    def of(names: Sequence[str]) -> str | None:
        run = trace(RUN)
        run.synchronisation = []
        run.threads = [replace(each, name=name) for each, name in zip(run.threads, ["main", *names], strict=True)]
        return equivalence_class(run, unseen_writes=False)

    assert of(["a", "b", "c"]) == of(["a", "b", "d"])
    assert of(["a", "b", "c"]) not in (None, of(["b", "a", "c"]))
    assert of(["same", "same", "c"]) is None


def test_tasks_are_known_by_their_thread_and_their_name() -> None:
    def of(first: str, second: str) -> str | None:
        run = trace(RUN)
        names = {FIRST: first, SECOND: second}
        run.synchronisation = []
        run.threads = [
            replace(each, name=names.get(each.thread), task_of=MAIN if each.thread in names else None)
            for each in run.threads[:3]
        ]
        return equivalence_class(run, unseen_writes=False)

    assert of("Task-1", "Task-2") == of("Task-1", "Task-2")
    assert of("Task-1", "Task-2") not in (None, of("Task-2", "Task-1"))
    assert of("Task-1", "Task-1") is not None


def test_threads_that_threads_start() -> None:
    """The second start comes back before the first: without the GIL that may be."""

    def of(starter: int) -> str | None:
        run = trace(RUN)
        starts = [(4, starter, SECOND), (5, MAIN, FIRST)]
        run.synchronisation = [
            Synchronisation(seq, seq, by, None, None, Act.START, False, False, None, None, started=lane)
            for seq, by, lane in starts
        ]
        run.threads = run.threads[:3]
        return equivalence_class(run, unseen_writes=False)

    assert of(FIRST) == of(FIRST)
    assert of(FIRST) not in (None, of(MAIN))
