"""Steps by which a thread finds out that an object is its own, before it acts on what it had read there.

A lock, or a step that one thread alone can make (`free.remove(job)`, `claimed.setdefault(k, me) is me`): who reads,
then claims, and then acts, does nothing twice. Of a container or key that one thread alone touches there is no event,
so the source is looked at, too.
"""

from __future__ import annotations

import ast
import bisect
from functools import cached_property

import numpy as np

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.made_of import Function, called_name, own_nodes
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation
from opcodetrace.trace.source_text import parsed

# Calls that tell the thread which comes first from the others.
_CLAIMS = frozenset("setdefault pop popitem popleft remove get_nowait acquire try_acquire next __next__".split())  # noqa: SIM905


class Claims:
    """Those of a trace."""

    def __init__(self, trace: Trace, activations: Activations) -> None:
        self._trace = trace
        self._events = trace.events
        self._activations = activations
        self._handlers = Handlers(trace)
        self._sources = {file.id: file.source for file in trace.files}
        self._functions: dict[int, list[tuple[int, int, bool]]] = {}  # by file: first line, last line, has a claim

    def may_be_between(self, check: int, act: int) -> bool:
        """Whether the thread may have made one between its two accesses (places)."""
        return self._shows(check, act) or any(
            line is not None and self._is_around(file, line)
            for place in (check, act)
            for file, line in self._activations.lines(place)
        )

    def _shows(self, check: int, act: int) -> bool:
        """Whether the trace shows a step that may be one."""
        events, trace = self._events, self._trace
        thread = int(events.thread[act])
        operations = self._operations.get(thread, [])
        began, ended = (bisect.bisect(operations, int(events.seq[place])) for place in (check, act))
        own = check + 1 + np.flatnonzero(events.thread[check + 1 : act] == thread)
        for place in own[events.kind[own] != EventKind.READ].tolist():
            site, location = trace.sites.get(int(events.site[place])), int(events.location[place])
            if location >= 0 and (site is None or site.operation == Operation.CALL):
                is_whole = trace.locations[location].kind is LocationKind.WHOLE
                if not is_whole or events.tag[place] == ValueTag.ABSENT:
                    return True
        return began < ended

    @cached_property
    def _operations(self) -> dict[int, list[int]]:
        """By thread: the seqs of its operations of synchronisation."""
        found: dict[int, list[int]] = {}
        for each in self._trace.synchronisation:
            found.setdefault(each.thread, []).append(each.seq)
        return found

    def _is_around(self, file: int, line: int) -> bool:
        """Whether the function that a line lies in decides something by such a call."""
        if file not in self._functions:
            functions = [
                each
                for statement in parsed(self._sources.get(file, b""))
                for each in ast.walk(statement)
                if isinstance(each, Function)
            ]
            self._functions[file] = [
                (each.lineno, each.end_lineno or each.lineno, self._has_one(file, each)) for each in functions
            ]
        around = [each for each in self._functions[file] if each[0] <= line <= each[1]]
        return max(around)[2] if around else False

    def _has_one(self, file: int, function: Function) -> bool:
        """A call whose result is not dropped; or that may fail, if the program is ready for that."""
        nodes = list(own_nodes(function))
        dropped = {id(each.value) for each in nodes if isinstance(each, ast.Expr)}
        return any(
            isinstance(each, ast.Call)
            and called_name(each.func) in _CLAIMS
            and (id(each) not in dropped or self._handlers.expect_in(file, each.lineno))
            for each in nodes
        )
