"""Random programs in which threads check and then act; which checks were true no longer is known.

A thread makes one to three checks of a location, and writes or deletes it by what it found, or without a check. Check
and act may each stand in a function of its own, and what a check found may be kept in a variable. Between
any two of these others may come: the generator draws the order. Its model is a dictionary: a check is stale if another
thread changed the location since, this one did not, and the check would go otherwise on what is there now.

`python -m tests.truth.random_checks --programs 1000` records that many and prints each difference.
"""

from __future__ import annotations

import operator
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.recording import record
from tests.truth.recorded import END, TURNS, run

PRELUDE = """\
import threading
from turns import Turns
class Box: pass
box, table = Box(), {}
def run(order, *works):
    turns = Turns(order)
    threads = [threading.Thread(target=turns.run, args=each) for each in enumerate(works)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    turns.close()
"""
ABSENT = object()
COMPARISONS: Mapping[str, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}


class Check(NamedTuple):
    """How it is written, with {} for the location, and what it finds."""

    text: str
    finds: Callable[[object], bool]  # whether it goes the way of `if`; KeyError if it raises


class Step(NamedTuple):
    """A check and what is done if it holds; without a check that is done anyway. None: a deletion."""

    check: Check | None
    value: object
    line: int  # of the check
    acts_at: int


class Program(NamedTuple):
    number: int
    label: str
    lines: list[str]
    threads: list[list[Step]]
    order: list[int]
    first: object


Found = tuple[str, str, int, int]  # kind, label, lines of check and act, the lower one first


def _there(value: object) -> object:
    if value is ABSENT:
        raise KeyError
    return value


def _comparison(sign: str, constant: int) -> Check:
    return Check(f"{{}} {sign} {constant}", lambda value: COMPARISONS[sign](_there(value), constant))


def checks(choose: random.Random, in_table: bool) -> Check:
    """Any check. All values are numbers."""
    sign, constant = choose.choice(list(COMPARISONS)), choose.randrange(4)
    name = "{name}"
    of_presence = (
        [
            Check(f"'{name}' in table", lambda value: value is not ABSENT),
            Check(f"'{name}' not in table", lambda value: value is ABSENT),
            Check(f"table.get('{name}') is None", lambda value: value is ABSENT),
        ]
        if in_table
        else [
            Check(f"hasattr(box, '{name}')", lambda value: value is not ABSENT),
            Check(f"not hasattr(box, '{name}')", lambda value: value is ABSENT),
        ]
    )
    of_value = [
        _comparison(sign, constant),
        Check(f"{constant} {sign} {{}}", lambda value: COMPARISONS[sign](constant, _there(value))),
        Check(f"not {{}} {sign} {constant}", lambda value: not COMPARISONS[sign](_there(value), constant)),
        Check("{}", lambda value: bool(_there(value))),
        Check("not {}", lambda value: not _there(value)),
        Check("{} is None", lambda value: _there(value) is None),
        Check("{} is not None", lambda value: _there(value) is not None),
    ]
    return choose.choice(choose.choice([of_presence, of_value]))


def build(number: int, choose: random.Random, first_line: int) -> Program:
    """A program whose first line is that one."""
    name = f"p{number}"
    in_table = choose.random() < 0.5
    place = f"table['{name}']" if in_table else f"box.{name}"
    first = choose.choice([ABSENT, 0, 1, 2, 3])
    lines = [] if first is ABSENT else [f"{place} = {first}"]
    threads: list[list[Step]] = []
    bodies: list[tuple[list[str], list[tuple[Check | None, int | None, int, int]]]] = []
    functions: list[str] = []  # each on one line, before all others
    for thread in range(choose.choice([2, 2, 3])):
        body = [f"def work{number}_{thread}(step):"]
        parts = []  # of each step: lines of the body, or negative ones of functions
        for place_of_step in range(choose.randint(1, 3)):
            check = checks(choose, in_table) if choose.random() < 0.7 else None
            value = None if choose.random() < 0.3 else choose.randrange(4)
            acts, asks = f"del {place}" if value is None else f"{place} = {value}", ""
            called = f"{number}_{thread}_{place_of_step}"
            act_at = check_at = None
            if choose.random() < 0.3:
                functions.append(f"def act{called}(): {acts}")
                acts, act_at = f"act{called}()", -len(functions)
            if check is not None:
                asks = check.text.format(place, name=name)
                if choose.random() < 0.4:
                    functions.append(f"def check{called}(): return {asks}")
                    asks, check_at = f"check{called}()", -len(functions)
                if choose.random() < 0.3:
                    body.append(f"    found = {asks}")
                    check_at = len(body) - 1 if check_at is None else check_at
                    asks = "found"
                body += [f"    if {asks}:", "        step()", f"        {acts}"]
                check_at = len(body) - 3 if check_at is None else check_at
            else:
                body.append(f"    {acts}")
            act_at = len(body) - 1 if act_at is None else act_at
            body.append("    step()")
            parts.append((check, value, act_at if check_at is None else check_at, act_at))
        bodies.append((body, parts))
    first_function = first_line + len(lines)
    lines += functions
    for body, parts in bodies:
        begin = first_line + len(lines)

        def line(at: int, begin: int = begin) -> int:
            return begin + at if at >= 0 else first_function - at - 1

        threads.append([Step(check, value, line(check_at), line(act_at)) for check, value, check_at, act_at in parts])
        lines += body
    order = [thread for thread, steps in enumerate(threads) for _ in range(2 * len(steps) + 1)]
    choose.shuffle(order)
    works = ", ".join(f"work{number}_{thread}" for thread in range(len(threads)))
    lines.append(f"run({[*order, END]}, {works})")
    return Program(number, place, lines, threads, order, first)


def expected(program: Program) -> list[Found]:
    """What a run of the program shows."""
    held: list[object] = [program.first]
    changes: list[int] = [0]  # how often it was changed
    found: list[Found] = []
    in_table = program.label.startswith("table")

    def work(thread: int) -> Iterator[None]:
        own = -1  # how often it had been changed as this thread changed it
        for step in program.threads[thread]:
            seen = changes[0]
            if step.check is not None:
                if not step.check.finds(held[0]):
                    yield
                    continue
                yield
                if changes[0] > seen and own < seen + 1:
                    kind = _of(step, held[0], in_table)
                    if kind is not None:
                        first, last = sorted((step.line, step.acts_at))
                        found.append((kind, program.label, first, last))
            if step.value is None:
                _there(held[0])
            held[0] = ABSENT if step.value is None else step.value
            changes[0] += 1
            own = changes[0]
            yield

    running = {thread: work(thread) for thread in range(len(program.threads))}
    ended: set[int] = set()
    for thread in program.order:
        if thread not in ended:
            try:
                next(running[thread])
            except (StopIteration, KeyError):
                ended.add(thread)
    return found


def _of(step: Step, value: object, in_table: bool) -> str | None:
    """What it is to act by that check on that value."""
    assert step.check is not None
    if step.value is None and value is ABSENT:
        return None if _holds_for_nothing(step.check) else "failed access"
    if value is ABSENT and not in_table:  # its class might have such an attribute
        return None
    try:
        return None if step.check.finds(value) else "stale check"
    except KeyError:
        return "stale check"


def _holds_for_nothing(check: Check) -> bool:
    try:
        return check.finds(ABSENT)
    except KeyError:
        return False


def check(folder: Path, choose: random.Random, count: int) -> tuple[int, list[str]]:
    """Records programs; gives how many findings they have, and what is otherwise than expected."""
    (folder / "turns.py").write_text(TURNS)
    lines = PRELUDE.splitlines()
    programs = []
    for number in range(count):
        program = build(number, choose, len(lines) + 1)
        lines += program.lines
        programs.append(program)
    script = folder / "script.py"
    script.write_text("\n".join(lines) + "\n")
    recording = record(folder / "trace.db", "-q", "--exclude", "turns", script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT findings.kind, label, min(line), max(line), severity FROM findings"
        " JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " JOIN sites ON sites.id = events.site_id"
        " WHERE findings.kind IN ('stale check', 'failed access') AND role != 'change' GROUP BY findings.id"
    )
    found: dict[str, Counter[Found]] = {program.label: Counter() for program in programs}
    for kind, label, one, other, severity in rows:
        found[str(label)][str(kind), str(label), int(str(one)), int(str(other))] += 1
        assert severity == "happened"
    total, differences = 0, []
    for program in programs:
        wanted = Counter(expected(program))
        total += wanted.total()
        if wanted != found[program.label]:
            text = "\n".join(program.lines)
            differences.append(f"{text}\nexpected {dict(wanted)}\nfound {dict(found[program.label])}")
    return total, differences


if __name__ == "__main__":
    run(check, __doc__)
