"""Lists that are filled if they are empty: `if not names: names.extend(load())`, or by `append` in a loop.

Two threads that both find nothing fill it twice. That is an error if it is to be filled once: nothing is ever taken out
of it in the run. Else it may be a buffer, which takes more at any time.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from opcodetrace.analyse.answers import would_hold
from opcodetrace.analyse.sizes import adds_one, is_for_an_item
from opcodetrace.trace.event import ABSENT, EventKind
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

if TYPE_CHECKING:
    from opcodetrace.analyse.checks import Checked
    from opcodetrace.analyse.histories import Histories
    from opcodetrace.analyse.syntax import Syntax


class Fills:
    """Says what fills a list by a check that it is empty. Places among the events."""

    def __init__(self, trace: Trace, histories: Histories, syntax: Syntax) -> None:
        self._trace = trace
        self._events = trace.events
        self._histories = histories
        self._syntax = syntax
        self._only_grow: dict[int, bool] = {}
        self._extend: dict[int, bool] = {}

    def is_one(self, found: Checked, act: int) -> bool:
        """Whether several items are put into a list that a check had found empty, and that only grows."""
        check = self._events[found.check]
        if not self.extends(act) or is_for_an_item(self._trace.sites[check.site]) or type(check.value) is not int:
            return False
        is_empty = check.value == 0 and would_hold(found.answer, 0) is True and would_hold(found.answer, 1) is False
        return is_empty and self._only_grows(int(self._events.location[act]))

    def goes_on(self, place: int, act: int) -> bool:
        """Whether a later change goes on to fill a list that only grows: it is the same thread's."""
        events = self._events
        is_same = events.thread[place] == events.thread[act] and events.location[place] == events.location[act]
        return bool(is_same) and self._only_grows(int(events.location[act]))

    def _only_grows(self, location: int) -> bool:
        """Whether all that was done to a container was to put something in."""
        if location not in self._only_grow:
            is_whole = self._trace.locations[location].kind is LocationKind.WHOLE
            writes = (place for place in self._histories.of(location) if self._events.kind[place] != EventKind.READ)
            self._only_grow[location] = is_whole and all(
                adds_one(self._events[place]) or self.extends(place) for place in writes
            )
        return self._only_grow[location]

    def extends(self, place: int) -> bool:
        """Whether a change is that of a call of `extend`."""
        if self._events.kind[place] != EventKind.WRITE or self._events[place].value is not ABSENT:
            return False
        site = int(self._events.site[place])
        if site not in self._extend:
            found = self._syntax.of_site(site)
            match None if found is None else found[1]:
                case ast.Call(ast.Attribute(attr="extend")):
                    self._extend[site] = True
                case _:
                    self._extend[site] = False
        return self._extend[site]
