"""What was away for a moment: a function takes something away and puts something there again, and another thread's
access came in between.

Write, remote read, write, as of an intermediate read. That it was not meant to be seen, only a failure of the access
tells. None of it if one of the two threads had waited for the other one in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opcodetrace.trace.event import EventKind

if TYPE_CHECKING:
    from opcodetrace.analyse.activations import Activations
    from opcodetrace.analyse.histories import Histories
    from opcodetrace.analyse.pasts import Pasts
    from opcodetrace.trace.run import Trace


class PutBack:
    """Those of a trace. Places among the events."""

    def __init__(self, trace: Trace, histories: Histories, activations: Activations, pasts: Pasts) -> None:
        self._events = trace.events
        self._histories = histories
        self._activations = activations
        self._pasts = pasts

    def back(self, failure: int) -> int | None:
        """The next change after an access."""
        events = self._events
        return next((each for each in self._histories.after(failure) if events.kind[each] != EventKind.READ), None)

    def has(self, change: int, failure: int) -> bool:
        """Whether an access came between a change and the next one, both by one activation of another thread, in every
        order that agrees with the trace."""
        events, back = self._events, self.back(failure)
        if back is None or events.kind[back] != EventKind.WRITE or events.thread[back] != events.thread[change]:
            return False
        activation = self._activations.of(change)
        if activation.begun < 0 or activation != self._activations.of(back):
            return False
        if self._pasts.holds(failure, change) is not False or self._pasts.holds(back, failure) is not False:
            return False
        failing, returning = (int(events.seq[each] - events.before[each]) for each in (failure, back))
        return int(events.seq[change]) < failing and int(events.seq[failure]) < returning
