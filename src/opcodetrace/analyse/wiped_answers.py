"""Answers that a thread wipes out as it begins to wait for them:

    with condition:
        self.answer = None
        condition.wait(timeout)
    if self.answer is None: raise ...

If the other thread stored the answer and notified before that, it is gone, and nobody notifies again. Nobody looks at
what `wait` returned: that nothing came shows in what was wiped out.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.happens_before import SyncOperation
from opcodetrace.analyse.syntax import Step, Syntax
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.run import Trace

_NEAR = 300  # events before a wait, and after it, that are looked at
_FAR = 100_000  # events among which the answer is looked for
_NOTHING = (None, False, 0)


class Wiped(NamedTuple):
    """What a thread wiped out before it waited, and missed after it."""

    location: int
    wipe: int  # seqs
    change: int  # the other thread's write, of the answer
    thread: int  # that wrote it


def wiped_answer(trace: Trace, syntax: Syntax, wait: SyncOperation) -> Wiped | None:
    """Of a wait that timed out. An answer that came since the wipe is none: it is there."""
    if wait.last is None or wait.first.site is None:
        return None
    events, thread = trace.events, wait.first.thread
    begin, end = np.searchsorted(events.seq, (wait.first.seq, wait.last.seq)).tolist()
    before, after = (
        at.start + np.flatnonzero((events.thread[at] == thread) & (events.location[at] >= 0))
        for at in (slice(max(0, begin - _NEAR), begin), slice(end, end + _NEAR))
    )
    wipes = [place for place in before.tolist()[::-1] if events.kind[place] == EventKind.WRITE]
    for wipe in wipes:
        location = int(events.location[wipe])
        asked = next((place for place in after.tolist() if events.location[place] == location), None)
        if asked is None or not _is_in_front(trace, syntax, int(events.site[wipe]), wait.first.site):
            continue
        near = slice(max(0, asked - _FAR), asked)
        at_it = (events.location[near] == location) & (events.kind[near] != EventKind.READ)
        history = near.start + np.flatnonzero(at_it)
        earlier = history[history < wipe]
        if not len(earlier) or history[-1] != wipe or not trace.locations[location].certain:
            continue
        change = int(earlier[-1])
        is_answer = events.kind[change] == EventKind.WRITE and not _is_nothing(events[change].value)
        if (
            is_answer
            and events.thread[change] != thread
            and _is_nothing(events[wipe].value)
            and events.kind[asked] == EventKind.READ
            and events.frame[asked] == events.frame[wipe]
            and _is_missed(syntax, int(events.site[asked]))
        ):
            return Wiped(location, int(events.seq[wipe]), int(events.seq[change]), int(events.thread[change]))
    return None


def _is_nothing(value: object) -> bool:
    return isinstance(value, int | None) and value in _NOTHING


def _is_in_front(trace: Trace, syntax: Syntax, wipe: int, wait: int) -> bool:
    """Whether both stand in one block of a `with` statement, and nothing branches between them."""
    if trace.site_codes[wipe].id != trace.site_codes[wait].id:
        return False
    one, other = syntax.of_site(wipe), syntax.of_site(wait)
    if one is None or other is None:
        return False
    blocks = [_block(list(tree.above(node))) for tree, node in (one, other)]
    return blocks[0] is not None and blocks[0] is blocks[1]


def _block(steps: list[Step]) -> ast.AST | None:
    """The `with` statement of whose body the statement is a part by itself."""
    for step in steps:
        if isinstance(step.node, ast.stmt):
            return step.parent if isinstance(step.parent, ast.With) and step.field == "body" else None
    return None


def _is_missed(syntax: Syntax, asked: int) -> bool:
    """Whether the program takes it for an error that nothing is there: it raises by that."""
    found = syntax.of_site(asked)
    for step in [] if found is None else found[0].above(found[1]):
        match step.parent:
            case ast.If(body=[*_, ast.Raise()]) if step.field == "test":
                return True
            case ast.Assert():
                return step.field == "test"
            case ast.stmt():
                return False
    return False
