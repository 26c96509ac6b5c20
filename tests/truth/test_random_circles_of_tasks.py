"""Random programs of tasks that take locks and await each other, and are left pending: if a task has not ended when no
other one does anything, there is a circle. Then, and only then, one is found."""

from __future__ import annotations

import random
from pathlib import Path

from tests.findings.forms import told_of

PROGRAM = """
import asyncio
async def turn(): await asyncio.sleep(0)
locks, tasks = [asyncio.Lock() for _ in range(3)], []
WORKS
async def main():
    tasks.extend(asyncio.ensure_future(work()) for work in (WORKED))
    for _ in range(100): await turn()
    print(sum(not task.done() for task in tasks))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""


def drawn(draw: random.Random) -> str:
    number = draw.choice([2, 3, 4])
    works = [f"async def work_{task}():\n{body(draw, task, number, 1, [])}" for task in range(number)]
    worked = "".join(f"work_{task}, " for task in range(number))
    return PROGRAM.replace("WORKS", "\n".join(works)).replace("WORKED", worked)


def body(draw: random.Random, task: int, number: int, depth: int, held: list[int]) -> str:
    """Some statements; a task takes no lock twice."""
    pad, lines = "    " * depth, []
    for _ in range(draw.choice([1, 1, 2])):
        left = [lock for lock in range(3) if lock not in held]
        match draw.choices(["turn", "take", "await"], [3, 4, 1])[0]:
            case "take" if left:
                lock = draw.choice(left)
                lines.append(f"{pad}async with locks[{lock}]:\n{body(draw, task, number, depth + 1, [*held, lock])}")
            case "await":
                other = draw.choice([other for other in range(number) if other != task])
                lines.append(f"{pad}await tasks[{other}]")
            case _:
                lines.append(f"{pad}await turn()")
    return "\n".join(lines)


def test_circles_are_found_and_nothing_else(tmp_path: Path) -> None:
    draw = random.Random(11)
    programs = {str(number): drawn(draw) for number in range(120)}
    told = told_of(programs, "deadlock", tmp_path)
    wrong = {
        name: (programs[name], found.printed, found.findings)
        for name, found in told.items()
        if any(finding[0] == "happened" for finding in found.findings) != (found.printed != "0")
    }
    assert wrong == {}
    assert sum(found.printed != "0" for found in told.values()) > 20
    assert sum(found.printed == "0" for found in told.values()) > 20
