"""Switches: where the interpreter gave the GIL to another thread, or an event loop went on with another task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    BLOCKED = "blocked"  # inside a C function that gave the GIL up
    YIELDED = "yielded"  # inside sleep(0)
    PREEMPTED = "preempted"  # at an instruction at which the interpreter took the GIL away
    AWAITED = "awaited"  # a task, at an await that gave control back to its event loop
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SwitchPlace:
    """The instruction at which the outgoing thread stood, in the original code."""

    file: int
    function: str
    line: int | None
    opcode: str
    offset: int
    expression: str | None  # the source text of the instruction: sleep(0)


class Awaiting(NamedTuple):
    """A coroutine or generator that awaits another one."""

    function: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Switch:
    """`to_thread` passed a hook at `seq`; the one before it was passed by `from_thread`."""

    seq: int
    from_thread: int
    to_thread: int
    place: SwitchPlace | None  # None if the outgoing thread stood in no woven code, or had ended
    callee: str | None  # the C function it was in: time.sleep
    reason: Reason | None  # None if the trace does not prove one
    awaited_by: tuple[Awaiting, ...] = ()  # a task: the coroutines that await the one it stands in, the innermost first
