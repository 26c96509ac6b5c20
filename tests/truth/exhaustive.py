"""Tiny random programs, all of whose interleavings are gone through: what is told as possible is what one of them does.

Two or three threads make a few steps: updates, writes, checks and what they decide upon, under locks of several kinds,
after some signals (events, queues, futures, semaphores) and before others. The steps are made one after the other, in
an order that the generator draws and that the trace does not show, so in no run anything goes wrong. The model makes
the same accesses in every order that locks and signals allow, one access at a time, and notes

- which writes came between the read and the write of which update (a lost update);
- which act was made though its check would have found something else by then (a stale check, a failed access);
- which locks threads waited for in a circle (a deadlock).

With the GIL, it does so once more with switches only where the interpreter has a switch point. What is found is held
against that. *Possible* must be what happens in one of these interleavings, and *gil-only* what happens in none, but in
one that switches anywhere. The other way round, all must be found except what docs/findings.md says is not told:

- updates whose writes do not follow one another at the location, in the run;
- checks after whose act no other thread made the same one, as its next one there, and found it done;
- pairs whose later thread may have heard of the earlier one: by a list to which both append, a semaphore that both
  take, or a third thread;
- circles with semaphores in them.

`python -m tests.truth.exhaustive --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import record
from tests.truth.random_guards import PRELUDE
from tests.truth.recorded import END, SIGNALS, TURNS, order_of_steps, run


class Way(NamedTuple):
    """What a function does with a location, {} in its lines: its accesses, each with the line that makes it."""

    lines: list[str]
    accesses: list[tuple[str, int]]
    suspends: bool  # a thread can be suspended between the first of them and the last


READ, UPDATE, WRITE = "read", "update", "write"  # of a number
TEST, DELETE, REMOVE = "test", "delete", "remove"  # of a key that is there in the beginning
TEST_NOT, MAKE = "test not", "make"  # of one that is not
SLOWLY = "    sleep(0)"
NUMBERS = [
    Way(["{} += 1"], [(READ, 0), (UPDATE, 0)], False),
    Way(["seen = {}", "sleep(0)", "{} = seen + 1"], [(READ, 0), (UPDATE, 2)], True),
    Way(["{} = {value}"], [(WRITE, 0)], False),
]
THERE = [
    Way(["table.pop({key}, None)"], [(REMOVE, 0)], False),
    Way(["try: del {}", "except KeyError: pass"], [(REMOVE, 0)], False),
    Way(["if {key} in table:", "    del {}"], [(TEST, 0), (DELETE, 1)], False),
    Way(["if {key} in table:", SLOWLY, "    del {}"], [(TEST, 0), (DELETE, 2)], True),
]
NOT_THERE = [
    Way(["if {key} not in table:", "    {} = []", "{}.append(1)"], [(TEST_NOT, 0), (MAKE, 1)], False),
    Way(["if {key} not in table:", SLOWLY, "    {} = []", "{}.append(1)"], [(TEST_NOT, 0), (MAKE, 2)], True),
]


IMPORTS = ["import queue", "from concurrent.futures import Future"]
LOCKS = ["threading.Lock()", "threading.RLock()", "threading.Condition()", "threading.Semaphore(1)"]


class Function(NamedTuple):
    name: str
    way: Way
    location: str
    line: int  # of its first one


class Step(NamedTuple):
    thread: int
    locks: tuple[tuple[int, int], ...]  # from the outermost on, each with the line that takes it
    functions: list[Function]
    waits: list[int]  # signals
    waits_inside: bool  # it does so while it holds the locks
    sets: list[int]


class Program(NamedTuple):
    steps: list[Step]  # in the order in which they are made
    lines: list[str]
    first_line: int
    locks: list[str]


class Op(NamedTuple):
    """One thing that a thread does. `goes_on`: with the GIL it is not suspended before it."""

    what: str
    at: str | int  # a location, a lock or an event
    line: int = 0
    step: int = 0
    goes_on: bool = False


Told = tuple[str, str, frozenset[int], str]  # kind, location, lines, severity
Found = tuple[str, str, frozenset[int], frozenset[int]]  # kind, location, lines, the two steps


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    here, there, absent = f"box.p{number}", f"table['p{number}_there']", f"table['p{number}_absent']"
    kinds = choose.choices(LOCKS, (4, 2, 1, 1), k=3)
    lines = [f"{here} = 0", f"{there} = 0", f"locks{number} = [{', '.join(kinds)}]"]
    functions = []
    for place in range(choose.randint(1, 3)):
        ways, location = choose.choice([(NUMBERS, here), (NUMBERS, here), (THERE, there), (NOT_THERE, absent)])
        way, name = choose.choice(ways), f"act{number}_{place}"
        functions.append(Function(name, way, location, first_line + len(lines) + 1))
        key, value = location.partition("[")[2].rstrip("]"), str(1000 + place)
        lines.append(f"def {name}():")
        lines += ["    " + each.replace("{value}", value).format(location, key=key) for each in way.lines]
    order, waits, sets, events = order_of_steps(choose, signals=0.12)
    signals = choose.choices(list(SIGNALS), (4, 1, 1, 1, 1), k=events)
    lines.append(f"signals{number} = [{', '.join(signals)}]")
    steps = []
    bodies: defaultdict[int, list[str]] = defaultdict(list)
    for place, thread in enumerate(order):
        lines.append(f"def step{number}_{place}():")
        held = choose.sample(range(3), choose.choice([0, 0, 1, 1, 2, 2, 3]))
        waits_inside = bool(held) and choose.random() < 0.2
        waiting = [f"signals{number}[{each}].{SIGNALS[signals[each]][1]}" for each in waits[place]]
        lines += [] if waits_inside else ["    " + each for each in waiting]
        locks = []
        for depth, lock in enumerate(held):
            lines.append(f"    {'    ' * depth}with locks{number}[{lock}]:")
            locks.append((lock, first_line + len(lines) - 1))
        margin = "    " * (len(held) + 1)
        lines += [margin + each for each in waiting] if waits_inside else []
        called = [choose.choice(functions) for _ in range(choose.choice([1, 1, 2]))]
        lines += [f"{margin}{each.name}()" for each in called]
        lines += [f"    signals{number}[{each}].{SIGNALS[signals[each]][0]}" for each in sets[place]]
        steps.append(Step(thread, tuple(locks), called, waits[place], waits_inside, sets[place]))
        bodies[thread] += [f"    step{number}_{place}()", "    step()"]
    for thread in range(max(order) + 1):
        lines += [f"def work{number}_{thread}(step):", *bodies[thread]]
    works = ", ".join(f"work{number}_{thread}" for thread in range(max(order) + 1))
    lines.append(f"run({[*order, *range(max(order) + 1), END]}, {works})")
    return Program(steps, lines, first_line, kinds)


def ops_of(number: int, step: Step, *, gil: bool) -> Iterator[Op]:
    waits = [Op("wait", each) for each in step.waits]
    yield from () if step.waits_inside else waits
    for lock, line in step.locks:
        yield Op("acquire", lock, line)
    yield from waits if step.waits_inside else ()
    for function in step.functions:
        for place, (what, line) in enumerate(function.way.accesses):
            goes_on = gil and place > 0 and not function.way.suspends
            yield Op(what, function.location, function.line + line, number, goes_on)
    for lock, line in reversed(step.locks):
        yield Op("release", lock, line)
    for each in step.sets:
        yield Op("set", each)


class State(NamedTuple):
    """Where a program is."""

    at: tuple[int, ...]  # by thread: the next of its ops; beyond them, if it has ended
    holders: tuple[int | None, ...]  # by lock
    given: frozenset[int]  # events
    there: frozenset[str]  # keys
    since: tuple[frozenset[tuple[int, int]], ...]  # by thread: line and step of the others' writes since its read


def all_interleavings(threads: Sequence[Sequence[Op]], there: Iterable[str]) -> set[Found]:
    """What happens in one of them."""
    nothing: frozenset[tuple[int, int]] = frozenset()
    begin = State((0,) * len(threads), (None,) * 3, frozenset(), frozenset(there), (nothing,) * len(threads))
    found: set[Found] = set()
    seen: set[State] = set()
    pending = [begin]
    while pending:
        state = pending.pop()
        if state in seen:
            continue
        seen.add(state)
        goes_on = [t for t, ops in enumerate(threads) if state.at[t] < len(ops) and ops[state.at[t]].goes_on]
        found.update(_deadlocks(threads, state))
        for thread in goes_on or range(len(threads)):
            following = _after(threads, state, thread, found)
            if following is not None:
                pending.append(following)
    return found


def _deadlocks(threads: Sequence[Sequence[Op]], state: State) -> Iterator[Found]:
    """Circles of threads, each of which waits for a lock that the next one holds; with the lines at which they wait."""
    waits = {}
    for thread, ops in enumerate(threads):
        if state.at[thread] < len(ops) and ops[state.at[thread]].what == "acquire":
            op = ops[state.at[thread]]
            assert isinstance(op.at, int)
            if state.holders[op.at] is not None:
                waits[thread] = state.holders[op.at], op.line
    for start in waits:
        path: list[int] = []
        at: int | None = start
        while at in waits and at not in path:
            path.append(at)
            at = waits[at][0]
        if at == start:
            yield "deadlock", "", frozenset(waits[each][1] for each in path), frozenset()


def _after(threads: Sequence[Sequence[Op]], state: State, thread: int, found: set[Found]) -> State | None:
    """The state after a thread's next op; None if it has none, or cannot go on."""
    ops, at = threads[thread], state.at[thread]
    if at >= len(ops):
        return None
    what, place, line, step, _ = ops[at]
    holders, given, there, since = list(state.holders), state.given, state.there, list(state.since)
    then = at + 1
    if isinstance(place, int):
        if (what == "acquire" and holders[place] is not None) or (what == "wait" and place not in given):
            return None
        if what in ("acquire", "release"):
            holders[place] = thread if what == "acquire" else None
        given |= {place} if what == "set" else set()
    elif what == READ:
        since[thread] = frozenset()
    elif what in (TEST, TEST_NOT):
        since[thread] = frozenset()
        then += (place in there) != (what == TEST)
    else:
        fails = what == DELETE and place not in there
        if what == UPDATE or fails or (what == MAKE and place in there):
            kind = "unguarded update" if what == UPDATE else "unguarded check"
            for other_line, other_step in since[thread]:
                lines = {line, other_line} if what == UPDATE else {line}
                found.add((kind, place, frozenset(lines), frozenset((step, other_step))))
        if fails:
            return None  # it ends by that
        there = there - {place} if what in (DELETE, REMOVE) else there | {place} if what == MAKE else there
        for other, its in enumerate(threads) if what != REMOVE or place in state.there else ():
            after_read = other != thread and state.at[other] < len(its) and its[state.at[other]]
            if after_read and after_read.at == place and after_read.what in (UPDATE, DELETE, MAKE):
                since[other] |= {(line, step)}
        since[thread] = frozenset()
    moved = (*state.at[:thread], then, *state.at[thread + 1 :])
    return State(moved, tuple(holders), given, there, tuple(since))


def truth(program: Program) -> tuple[set[Told], set[Told]]:
    """What happens in some interleaving; and of that, what the run shows: its accesses come next to each other."""
    threads = max(step.thread for step in program.steps) + 1
    there = [f.location for step in program.steps for f in step.functions if f.way in THERE]

    def of(*, gil: bool) -> set[Found]:
        ops: list[list[Op]] = [[] for _ in range(threads)]
        for number, step in enumerate(program.steps):
            ops[step.thread] += ops_of(number, step, gil=gil)
        return all_interleavings(ops, there)

    everywhere = of(gil=False)
    native = {each[:3] for each in (everywhere if FREE_THREADED else of(gil=True))}
    must = shown(program)
    true, needed = set(), set()
    for each in everywhere:
        told = (*each[:3], "possible" if each[:3] in native else "gil-only")
        true.add(told)
        if each in must or (each[0] == "deadlock" and not has_semaphore(program)):
            needed.add(told)
    return true, needed


def has_semaphore(program: Program) -> bool:
    """In place of a lock: who uses the same one may have heard of the other, and it is in no circle."""
    return any("Semaphore" in each for each in program.locks)


class Call(NamedTuple):
    """Of a function, in the run."""

    step: int
    thread: int
    function: Function
    acts: bool

    @property
    def line(self) -> int:
        return self.function.line + self.function.way.accesses[-1][1]


def shown(program: Program) -> set[Found]:
    """What a run would show if nothing kept the threads apart, as docs/findings.md has it: writes that follow one
    another at a location; acts after which another thread made the same check, and found it changed. Not if the later
    thread may have heard of the earlier one, by a third thread or a semaphore, say."""
    if max(step.thread for step in program.steps) > 1 or has_semaphore(program):
        return set()
    calls = []
    there = {f.location for step in program.steps for f in step.functions if f.way in THERE}
    for number, step in enumerate(program.steps):
        for function in step.functions:
            acts = function.way in NUMBERS or (function.location in there) == (function.way in THERE)
            there ^= {function.location} if acts else set()
            calls.append(Call(number, step.thread, function, acts))
    found: set[Found] = set()
    last: dict[str, int] = {}  # by location: the last write or act
    for place, call in enumerate(calls):
        location = call.function.location
        before = calls[last[location]] if location in last else None
        if before is not None and before.thread != call.thread and not _has_heard(calls[last[location] : place]):
            steps = frozenset((call.step, before.step))
            if call.function.way in NUMBERS:
                found.add(("unguarded update", location, frozenset((call.line, before.line)), steps))
            elif (
                not (call.acts or _has_looked(call, calls[last[location] : place])) and before.function == call.function
            ):
                found.add(("unguarded check", location, frozenset((call.line,)), steps))
        if call.acts:
            last[location] = place
    return found


def _has_looked(call: Call, calls: Sequence[Call]) -> bool:
    """Whether its thread has looked before, by another check, and found the same."""
    return any((each.thread, each.function.location) == (call.thread, call.function.location) for each in calls)


def _has_heard(calls: Sequence[Call]) -> bool:
    """Whether the other thread has appended to a list to which the first one had, or tried to take out what that had
    taken out, in the first call or later."""
    first = calls[0].thread
    told: set[str] = set()
    for call in calls:
        location, way = call.function.location, call.function.way
        if call.thread == first and (way in NOT_THERE or (way in THERE and call.acts)):
            told.add(location)
        elif call.thread != first and location in told and (way in NOT_THERE or way in THERE[:2]):
            return True
    return False


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """Records programs; gives how many findings they have, and what is otherwise than expected."""
    (folder / "turns.py").write_text(TURNS)
    lines = [*IMPORTS, *PRELUDE.splitlines()]
    programs = []
    for number in range(count):
        programs.append(build(number, choose, len(lines) + 1))
        lines += programs[-1].lines
    script = folder / "script.py"
    script.write_text("\n".join(lines) + "\n")
    recording = record(folder / "trace.db", "-q", "--exclude", "turns", script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT findings.kind, ifnull(label, ''), group_concat(line), severity FROM findings"
        " LEFT JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN (SELECT run_id, seq, site_id FROM events UNION ALL SELECT run_id, seq, site_id FROM synchronisation)"
        " AS played ON played.run_id = findings.run_id AND played.seq = finding_events.seq"
        " JOIN sites ON sites.id = played.site_id"
        " WHERE role IN ('write', 'other write', 'act') OR role LIKE 'wait %' GROUP BY findings.id"
    )
    found: set[Told] = set()
    for kind, label, of_roles, severity in rows:
        at = frozenset(map(int, str(of_roles).split(",")))
        found.add((str(kind), str(label).partition(" (")[0], at, str(severity)))
    differences = []
    for program in programs:
        its = range(program.first_line, program.first_line + len(program.lines))
        told = {each for each in found if min(each[2]) in its}
        true, needed = truth(program)
        if not needed <= told <= true:
            text = "\n".join(f"{number:4} {line}" for number, line in zip(its, program.lines, strict=True))
            differences.append(f"{text}\nuntrue {told - true}\nmissing {needed - told}")
    return len(found), differences


if __name__ == "__main__":
    run(check, __doc__)
