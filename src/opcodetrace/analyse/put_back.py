"""What was away for a moment: a function takes something away and puts something there again, and another thread's
access came in between.

Write, remote read, write, as of an intermediate read. That it was not meant to be seen, only a failure of the access
tells. An item may be deleted; or its container be emptied and filled again, or be replaced by a new one that is filled
only then (`self.table = {}`). None of it if one of the two threads had waited for the other one in between.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.wiped_out import empties
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Operation

if TYPE_CHECKING:
    from opcodetrace.analyse.activations import Activations
    from opcodetrace.analyse.histories import Histories
    from opcodetrace.analyse.pasts import Pasts
    from opcodetrace.analyse.resizes import Resizes
    from opcodetrace.trace.event import Value
    from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]

_NEAR = 1_000  # events before an access among which it is looked for how its thread had got the container


class Away(NamedTuple):
    """Places among the events."""

    change: int  # of the item, of all that is in its container, or of what holds that
    back: int
    is_proven: bool = True  # else an earlier container had it, and of the one that was replaced the trace tells nothing


class PutBack:
    """Those of a trace. Places among the events."""

    def __init__(
        self, trace: Trace, histories: Histories, activations: Activations, pasts: Pasts, resizes: Resizes | None = None
    ) -> None:
        self._trace = trace
        self._events = trace.events
        self._failed = trace.events.failed()
        self._histories = histories
        self._activations = activations
        self._pasts = pasts
        self._resizes = resizes
        self._succeeded: dict[int, Array] = {}

    def away(self, asked: int) -> Away | None:
        """How came that there was nothing, as a thread asked for it."""
        back = self.back(asked)
        if back is None or self._events.kind[back] != EventKind.WRITE:
            return None
        for change in (self._deleted(asked), self._emptied(asked)):
            if change is not None and self._is_away(change, asked, back):
                return Away(change, back)
        change, is_proven = self._made_anew(asked)
        return Away(change, back, is_proven) if change is not None and self._is_away(change, asked, back) else None

    def back(self, failure: int) -> int | None:
        """The next change after an access."""
        events = self._events
        return next((each for each in self._histories.after(failure) if events.kind[each] != EventKind.READ), None)

    def has(self, change: int, failure: int) -> bool:
        """Whether an access came between a change of its location and the next one, both by one activation of another
        thread, in every order that agrees with the trace."""
        back = self.back(failure)
        is_write = back is not None and self._events.kind[back] == EventKind.WRITE
        return back is not None and is_write and self._is_away(change, failure, back)

    def _is_away(self, change: int, asked: int, back: int) -> bool:
        """The same; what changes it again may be called for that by the one that had changed it, or beside it."""
        events = self._events
        if events.thread[back] != events.thread[change] or events.thread[asked] == events.thread[change]:
            return False
        begun = self._begun(change)
        if not begun or all(part.activation.begun not in begun for part in self._activations.parts(back)):
            return False
        if self._pasts.holds(asked, change) is not False or self._pasts.holds(back, asked) is not False:
            return False
        asking, returning = (int(events.seq[each] - events.before[each]) for each in (asked, back))
        return int(events.seq[change]) < asking and int(events.seq[asked]) < returning

    def _begun(self, change: int) -> set[int]:
        """Where the activation began that made a change, and the one that called it for that: `self.clear()`, then
        `self.load()`. The first function of a thread calls for all that it does."""
        begun = self._activations.of(change).begun
        call = self._activations.calls.get(begun)
        caller = None if call is None else self._activations.calls.get(call.caller_seq or -1)
        found = {begun} if begun >= 0 else set()
        return found | ({caller.seq} if caller is not None and caller.caller_seq is not None else set())

    def _latest(self, asked: int) -> int | None:
        """The latest change of the location before an access."""
        changes = (each for each in self._histories.before(asked) if self._events.kind[each] != EventKind.READ)
        return next(changes, None)

    def _deleted(self, asked: int) -> int | None:
        change = self._latest(asked)
        is_deletion = change is not None and self._events.kind[change] == EventKind.DELETE
        return change if is_deletion and not self._failed[change] else None

    def _emptied(self, asked: int) -> int | None:
        """`clear()` of the container, if the item was there before and was not put in since."""
        kind, number = self._trace.locations[int(self._events.location[asked])].kind, int(self._events.location[asked])
        whole = number if kind is LocationKind.WHOLE else None if self._resizes is None else self._resizes.whole(number)
        if whole is None:
            return None
        for change in self._histories.before(asked, whole=whole):
            if self._events.kind[change] == EventKind.READ:
                continue
            if int(self._events.location[change]) == whole and empties(self._activations, change):
                return change if self._was_there(number, asked, change) else None
            if whole == number and not adds_one(self._events[change]):
                return None
            if int(self._events.location[change]) in (whole, number) and whole != number:
                return None
        return None

    def _made_anew(self, asked: int) -> tuple[int | None, bool]:
        """The write that put a new container in the place of one in which the item was: the last one of those that were
        there of which the trace tells. And whether that is the very one which was replaced."""
        container = self._container(int(self._events.location[asked]))
        share = self.share(asked, container) if container else None
        is_last = True
        for place in () if share is None else self._histories.before(share, _NEAR):
            value = self._events[place].value if self._events.kind[place] == EventKind.WRITE else None
            if isinstance(value, Opaque) and value.identity not in (None, container):
                number = self._in_container(value.identity, int(self._events.location[asked]))
                if number is not None and share is not None:
                    return (share, is_last) if self._was_there(number, asked, share) else (None, False)
                is_last = False
        return None, False

    def share(self, asked: int, container: int) -> int | None:
        """The write of which a thread had read the object that it asked, the nearest."""
        events = self._events
        near = np.arange(max(0, asked - _NEAR), asked)[::-1]
        for place in near[events.thread[near] == events.thread[asked]].tolist():
            if events.kind[place] == EventKind.READ and self._is(place, container):
                last = self._latest(place)
                return last if last is not None and self._is(last, container) else None
        return None

    def _is(self, place: int, container: int) -> bool:
        value = self._events[place].value
        return isinstance(value, Opaque) and value.identity == container

    def _was_there(self, number: int, asked: int, change: int) -> bool:
        """Whether there was something at a location before a change. `asked`: the access that found nothing then, there
        or in the container that took its place."""
        if self._trace.locations[number].kind is LocationKind.ITEM:
            history = self._histories.places_of(number)
            history = history[: np.searchsorted(history, change)][-_NEAR:]
            tells = history[~np.isin(self._events.site[history], self._lookups)]
            return any(self._events.kind[each] != EventKind.DELETE and self.finds(each) for each in tells[-1:].tolist())
        found = self._activations.syntax.of_site(int(self._events.site[asked]))
        match None if found is None else found[1]:
            case ast.Subscript(slice=ast.Constant(int()) | ast.UnaryOp(operand=ast.Constant(int()))):
                own = self._at_site(int(self._events.site[asked]))
                earlier = self._events.location[own[: np.searchsorted(own, change)][-_NEAR:]]
                return bool((self._objects[earlier] == self._objects[number]).any())
        return False

    def _in_container(self, container: int | None, location: int) -> int | None:
        """The location of the same in another container, if that has one: of an item, or of all of it."""
        one = self._trace.locations[location]
        return self._locations.get((container, one.kind, one.key))

    @cached_property
    def _locations(self) -> Mapping[tuple[int | None, LocationKind, Value], int]:
        """By container, kind and key."""
        locations = self._trace.locations.values()
        return {(self._container(each.id), each.kind, each.key): each.id for each in locations if each.certain}

    @cached_property
    def _lookups(self) -> list[int]:
        """The sites of `key in d`: no record says what they found."""
        return [number for number, site in self._trace.sites.items() if site.operation == Operation.CONTAINS]

    @cached_property
    def _objects(self) -> Array:
        """By location: tells containers apart."""
        resized = self._trace.resized
        return np.empty(0, np.int64) if resized is None else resized.containers

    def finds(self, place: int) -> bool:
        """Whether there is something after an access, as far as that tells."""
        events = self._events
        if events.kind[place] == EventKind.WRITE:
            return True
        site = self._trace.sites.get(int(events.site[place]))
        if site is None or self._failed[place] or site.operation == Operation.CONTAINS:
            return False
        return site.operation != Operation.CALL or bool(events.tag[place] != ValueTag.ABSENT)

    def _container(self, location: int) -> int:
        """Which object a location lies in, as it is a value; 0 if it is none."""
        containers = self._trace.containers
        return 0 if containers is None else int(containers[location])

    def goes_on(self, asked: int) -> bool:
        """Whether the thread had gone on asking when it had found something by the same instruction: so it does not ask
        until it does."""
        own = self._at_site(int(self._events.site[asked]))
        earlier = own[: np.searchsorted(own, asked)]
        return bool((self._events.thread[earlier] == self._events.thread[asked]).any())

    def _at_site(self, site: int) -> Array:
        """The accesses by an instruction that did not fail."""
        if site not in self._succeeded:
            self._succeeded[site] = np.flatnonzero((self._events.site == site) & ~self._failed)
        return self._succeeded[site]
