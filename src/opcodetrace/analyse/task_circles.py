"""Tasks that waited for each other in a circle, each for a lock that the next one held, or for its end.

A task that waits makes no step. So the circle stands as soon as the last of them has begun to wait. From then on
nothing but an exception, a timeout's or a cancellation's, lets one of them go on. How the run ended does not matter:
its loop may have had timers, or was stopped.

Nothing is told if one of them gives up by itself: its wait stands under a timeout in its own function, or it went on to
wait for something else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from opcodetrace.analyse.guards import Guards
from opcodetrace.analyse.lock_order import Waiting, signals
from opcodetrace.trace.run import Trace
from opcodetrace.trace.sync import OF_TASKS, Act, Primitive, Synchronisation


def circles_of_tasks(trace: Trace, guards: Guards) -> Iterator[list[Waiting]]:
    """Those of a run, in the order in which they closed."""
    if trace.let_go or trace.merged or trace.missed or trace.holes or not trace.callbacks.followed:
        return
    closed, latest = _closed(trace)
    steps = trace.callbacks.steps({wait.thread for circle in closed for wait in circle})
    followed = {each.thread for each in trace.threads if each.task_of in trace.callbacks.followed}
    for circle in closed:
        at = max(wait.seq for wait in circle)
        if any(wait.thread not in followed or latest[wait.thread] > at for wait in circle):
            continue
        if any(wait.seq < seq < at for wait in circle for seq in steps[wait.thread]):
            continue  # it did not wait any more
        if not any(wait.site is not None and guards.gives_up(wait.site) for wait in circle):
            yield circle


def _closed(trace: Trace) -> tuple[list[list[Waiting]], Mapping[int, int]]:
    """The circles of tasks that are not known to have gone on, and by task the seq at which it began its last operation
    that may wait."""
    rows, objects = trace.synchronisation, {each.id: each for each in trace.sync_objects}
    of_tasks = {number for number, each in objects.items() if each.type_name in OF_TASKS}
    locks = {number for number in of_tasks if objects[number].type_name == Primitive.TASK_LOCK}
    if locks:
        # as a coroutine is destroyed that its loop has left pending, it releases what it holds, in nobody's name
        destroyed = (each.operation == Act.RELEASE and trace.callbacks.is_over(each.thread, each.seq) for each in rows)
        locks -= signals(itertools.compress(rows, (not each for each in destroyed)), objects)
    held: dict[int, tuple[int, int]] = {}  # by lock: who holds it, since when
    waits: dict[int, Synchronisation] = {}
    latest: dict[int, int] = {}
    found: list[list[Waiting]] = []
    for each in rows:
        task, number = each.thread, each.object
        if number is None or number not in of_tasks or each.operation == Act.LOOK:
            continue
        waits.pop(task, None)
        if each.begins and each.operation != Act.RELEASE:
            latest[task] = each.seq
        if each.begins and (each.operation == Act.JOIN or (each.operation == Act.ACQUIRE and number in locks)):
            waits[task] = each
            circle = _around(task, waits, held)
            if circle:
                found.append(circle)
        elif number in locks and each.operation == Act.ACQUIRE and not (each.begins or each.failed):
            held[number] = task, each.seq
        elif number in locks and each.operation == Act.RELEASE and not (each.begins or each.failed):
            held.pop(number, None)
    return found, latest


def _around(task: int, waits: Mapping[int, Synchronisation], held: Mapping[int, tuple[int, int]]) -> list[Waiting]:
    """The circle that a task closed as it began to wait, from its first task on; none if it closed none."""
    circle: list[Waiting] = []
    at = task
    while at in waits and len(circle) <= len(waits):
        wait = waits[at]
        holder = None if wait.object is None else held.get(wait.object)
        if wait.operation == Act.JOIN and wait.holder is not None:
            circle.append(Waiting(at, wait.seq, wait.site, None, wait.holder, None, wait.object))
        elif wait.operation == Act.ACQUIRE and holder is not None:
            circle.append(Waiting(at, wait.seq, wait.site, wait.object, *holder))
        else:
            return []
        at = circle[-1].other
        if at == task:
            first = circle.index(min(circle))
            return circle[first:] + circle[:first]
    return []
