"""Random programs whose lost notifications are known: what is found is what the definition says, and nothing else.

One thread or task checks and then waits. In between, another one takes random steps. A notification is lost if the
check would have gone otherwise when it was given, and from then until the wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.findings.forms import told_of

PROGRAM = """
import threading
cond, event, both = threading.Condition(), threading.Event(), threading.Barrier(2)
ready, state, items = False, 0, []
def one():
    if CHECK:
        both.wait(); both.wait()
        WAIT
def other():
    global ready, state
    both.wait()
    STEPS
    both.wait()
threads = [threading.Thread(target=each) for each in (one, other)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
OF_TASKS = """
import asyncio
ready, state, items = False, 0, []
async def one():
    if CHECK:
        await both.wait(); await both.wait()
        async with asyncio.timeout(0.001):
            WAIT
async def other():
    global ready, state
    await both.wait()
    STEPS
    await both.wait()
async def main():
    global cond, event, both
    cond, event, both = asyncio.Condition(), asyncio.Event(), asyncio.Barrier(2)
    await asyncio.gather(one(), other(), return_exceptions=True)
asyncio.run(main())
"""
WAITS_OF_TASKS = {"condition": "async with cond: await cond.wait()", "event": "await event.wait()"}
WAITS = {"condition": "with cond: cond.wait(0.001)", "event": "event.wait(0.001)"}
Facts = dict[str, int]
CHECKS: dict[str, list[Callable[[Facts], bool]]] = {  # with the parts that all must hold
    "not ready": [lambda facts: not facts["ready"]],
    "state == 0": [lambda facts: facts["state"] == 0],
    "not ready and state < 2": [lambda facts: not facts["ready"], lambda facts: facts["state"] < 2],
    "not items": [lambda facts: not facts["items"]],
}
CHANGES = [("ready", True), ("ready", False), ("state", 0), ("state", 1), ("state", 2), ("items", True)]


def drawn(draw: random.Random, *, of_tasks: bool = False) -> tuple[str, bool]:
    """A program, and whether it loses a notification."""
    kind, check = draw.choice(list(WAITS)), draw.choice(list(CHECKS))
    steps = draw.choices(["change", "give", "clear"], [4, 3, 1], k=draw.randrange(8)) + ["clear"] * (kind == "event")
    facts: Facts = {"ready": False, "state": 0, "items": False}
    late = dict.fromkeys(range(len(CHECKS[check])), "")  # by part: what was given when it did not hold, nor since
    lines = []
    for step in steps:
        if step == "change":
            name, value = draw.choice(CHANGES)
            lines.append("items.append(1)" if name == "items" else f"{name} = {value}")
            facts[name] = value
        elif step == "give":
            lines.append("with cond: cond.notify()" if kind == "condition" else "event.set()")
        else:
            lines.append("event.clear()")
        for part, holds in enumerate(CHECKS[check]):
            if holds(facts):
                late[part] = ""
            elif step == "give":
                late[part] = late[part] or ("forgotten" if kind == "condition" else "set")
            elif step == "clear" and late[part]:
                late[part] = "forgotten"
    program = OF_TASKS if of_tasks else PROGRAM
    program = program.replace("CHECK", check).replace("WAIT", (WAITS_OF_TASKS if of_tasks else WAITS)[kind])
    done = "\n    ".join(lines) or "pass"
    done = done.replace("with cond", "async with cond") if of_tasks else done
    return program.replace("STEPS", done), "forgotten" in late.values()


@pytest.mark.parametrize("of_tasks", [False, True], ids=["threads", "tasks"])
def test_what_is_lost_is_found_and_nothing_else(of_tasks: bool, tmp_path: Path) -> None:
    draw = random.Random(3)
    programs = {str(number): drawn(draw, of_tasks=of_tasks) for number in range(150)}
    told = told_of({name: program for name, (program, _) in programs.items()}, "lost notification", tmp_path)
    wrong = {
        name: (program, told[name].findings)
        for name, (program, is_lost) in programs.items()
        if [found[:2] for found in told[name].findings] != [("happened", "proven")] * is_lost
    }
    assert wrong == {}
    assert sum(is_lost for _, is_lost in programs.values()) > 20
