"""What is done by a check, and is wrong if the check holds no longer, or if two threads do it."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.answers import is_member, would_hold
from opcodetrace.analyse.changed_objects import ChangedObjects
from opcodetrace.analyse.checks import Checked
from opcodetrace.analyse.consequences import is_made_and_changed, is_of_a_set
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.first_seen import first_seen
from opcodetrace.analyse.last_items import is_undone_by_taking
from opcodetrace.analyse.none_used import raised_by_none
from opcodetrace.analyse.refusals import is_refused, refusals
from opcodetrace.analyse.sizes import adds_one, is_for_an_item
from opcodetrace.analyse.syntax import LOOPS, Tree
from opcodetrace.analyse.windows import BUILT_IN
from opcodetrace.trace.event import EventKind, Opaque
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.site import WRITTEN, Operation, asks_more
from opcodetrace.trace.source_text import SourceTexts
from opcodetrace.trace.sync import Act, Primitive

Array = npt.NDArray[Any]

TAKES = (".pop(", ".popleft(", ".popitem(", "heappop(")  # calls that raise if the container is empty
REMOVES = ".remove("  # raises if the item is not there
_NEEDS_IT = (".move_to_end(", ".__getitem__(")  # calls that read an item, and raise if it is not there
_NEAR = 300  # events after an act among which what else was done by its check is looked for
# Objects that threads share, or it would not be needed to make them.
_TO_BE_SHARED = frozenset(Primitive) | {"threading.Thread", "concurrent.futures.thread.ThreadPoolExecutor"}


class Harm:
    """Says of acts by checks what harm they would do."""

    def __init__(self, evidence: Evidence, sites_of_checks: Collection[int]) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._sources = evidence.sources
        self._checks = evidence.checks
        self._sites_of_checks = sites_of_checks
        self._handlers = evidence.handlers
        self._texts = SourceTexts(evidence.trace)
        self._tasks = {each.thread for each in evidence.trace.threads if each.task_of is not None}
        self._changed_objects = ChangedObjects(
            evidence.trace, evidence.checks.histories, evidence.sources, evidence.activations.syntax
        )

    def is_error(self, found: Checked, act: int, change: int) -> bool:
        """Whether the act is an error after another thread's change."""
        events = self._events
        if self._location(found.check).kind is LocationKind.WHOLE:
            return bool(events.kind[act] != EventKind.READ) and self._takes(found, act)
        site = self._trace.sites[int(events.site[act])]
        deleted = events.kind[change] == EventKind.DELETE
        if events.kind[act] == EventKind.READ:
            is_check = (
                site.id in self._sites_of_checks or site.span == self._trace.sites[int(events.site[found.check])].span
            )
            gone = deleted or (events[change].value is None and not is_check)
            fails = site.operation != Operation.CALL or any(word in self.expression(act) for word in _NEEDS_IT)
            return gone and fails and not self._is_expected(found, act)
        if events.kind[act] == EventKind.DELETE:
            return deleted and self._fails(found, act)
        if self._is_updated_by(found, act) or (found.asked.endswith(f" {WRITTEN}") and not deleted):
            return True
        return bool(events.site[act] == events.site[change]) and self._is_given_back(found, act)

    def fails_without(self, found: Checked, act: int) -> bool:
        """Whether an act fails if its item is not there, and the program is not ready for that."""
        if self._events.kind[act] == EventKind.DELETE:
            return self._fails(found, act)
        is_call = self._trace.sites[int(self._events.site[act])].operation == Operation.CALL  # a part of a deletion
        return bool(self._events.kind[act] == EventKind.READ) and not is_call and not self._is_expected(found, act)

    def _is_given_back(self, found: Checked, act: int) -> bool:
        """Whether the thread takes something by a flag or a state, as a lock: it finds it free, marks it, and later
        marks it free again; nobody else does meanwhile."""
        events = self._events
        value = events[act].value
        if (isinstance(value, Opaque) and not is_member(value)) or not self.is_constant(act):
            return False
        later = (place for place in self._checks.histories.after(act) if events.kind[place] != EventKind.READ)
        back = next(later, None)
        if back is None or events.kind[back] != EventKind.WRITE or events.thread[back] != events.thread[act]:
            return False
        if not self.is_constant(back):
            return False
        return would_hold(found.answer, events[back].value) is True and would_hold(found.answer, value) is False

    def is_constant(self, write: int) -> bool:
        """Whether it is written in the source what a write stores: `True`, `"busy"`, `State.BUSY`."""
        found = self._node(write)
        return found is not None and found[0].made(found[1]) is None

    def is_wrong_twice(self, found: Checked, act: int, other: int) -> bool:
        """Whether it is wrong to do it twice. `other`: another thread's check, after which it did not."""
        events = self._events
        is_of_whole = self._location(found.check).kind is LocationKind.WHOLE
        if is_of_whole and not adds_one(events[act]):
            syntax = self._checks.called.activations.syntax
            if self._checks.fills.is_one(found, act):
                return True
            takes_it = is_undone_by_taking(self._trace, syntax, found, [act], act)
            takes_it |= events[found.check].value == 1 and self._takes(found, act)  # the last one
            return (takes_it or REMOVES in self.expression(act)) and not self._is_expected(found, act)
        if is_of_whole:
            is_for_one = is_for_an_item(self._trace.sites[int(events.site[found.check])])
            is_a_hint = not is_for_one and self._checks.is_a_hint(act)
            return adds_one(events[act]) and self._checks.is_done_once(int(events.site[act])) and not is_a_hint
        if events.kind[act] == EventKind.DELETE:
            return self._fails(found, act)
        value = events[act].value
        if int(events.site[act]) in self._checks.kept_or_made:
            return isinstance(value, Opaque) and not is_member(value) and self._is_shared(value, found, act)
        if self._is_updated_by(found, act):
            return True
        if is_of_a_set(self._location(act)):
            return self._checks.decides_more(int(events.site[found.check]), int(events.site[act]))
        if found.refuses or self._refuses(found, act) or self._was_refused(found, act, other):
            return True
        if value is None and self._is_used_before(found, act):
            return True
        if not isinstance(value, Opaque) or is_member(value):
            return not found.way and (self._starts_a_thread(found, act) or self._does_more(found, act))
        is_awaited = self._is_awaited(act) and value.type_name not in BUILT_IN
        is_told = not found.way or bool(found.calls)  # what else the check decided
        return is_awaited or self._is_shared(value, found, act) or (is_told and self._makes_more(found, act))

    def _is_used_before(self, found: Checked, act: int) -> bool:
        """Whether the thread read anew what it had checked, to use it, before it put None there: who does the same in
        between leaves None to be used. `if self.conn: self.conn.close(); self.conn = None`."""
        events = self._events
        own = [
            place
            for place in self._checks.histories.before(act)
            if found.check < place and events.thread[place] == events.thread[act]
        ]
        for place in own:
            node = self._node(place) if events.kind[place] == EventKind.READ else None
            error = None if node is None else raised_by_none(*node)
            if error is not None and not self._handlers.expect(int(events.site[place]), error):
                return not any(self._handlers.expect_in(*call, error) for call in found.calls)
        return False

    def is_made_twice(self, found: Checked, act: int) -> bool:
        """Whether it makes an object that threads share and change, as nothing is there or what is there will not
        do."""
        value = self._events[act].value
        if not isinstance(value, Opaque) or is_member(value) or self.is_update(act):
            return False
        return self._is_shared(value, found, act) or self._starts_a_thread(found, act)

    def _is_shared(self, value: Opaque, found: Checked, act: int) -> bool:
        return self._is_for_all(value, act) or self._is_changed_where_made(found)

    def _is_changed_where_made(self, found: Checked) -> bool:
        """Whether who called for check and act stores a new container, and changes what is there later on: `if k not in
        cache: cache[k] = []`, then `cache[k].append(x)`. What the cache keeps it in is its own affair."""
        if not found.way:
            return False
        code, offset = self._checks.tested(found)
        activations = self._checks.called.activations
        node = activations.node_at(code, offset)
        return node is not None and is_made_and_changed(activations.syntax.tree(code.file), node)

    def _node(self, place: int) -> tuple[Tree, ast.AST] | None:
        return self._checks.called.activations.syntax.of_site(int(self._events.site[place]))

    def _is_for_all(self, value: Opaque, write: int) -> bool:
        """Whether threads share an object that was written, and change it later on, or it would not be needed."""
        if value.type_name in _TO_BE_SHARED:
            return True
        return value.identity is not None and self._changed_objects.is_changed(value.identity, write)

    def _refuses(self, found: Checked, act: int) -> bool:
        """Whether the program takes it for an error to do it twice: it raises by the same check."""
        activations, done = self._checks.called.activations, self._node(act)
        test = activations.node_at(*self._checks.tested(found))
        return test is not None and done is not None and not found.calls and is_refused(done[0], test, done[1])

    def _was_refused(self, found: Checked, act: int, other: int) -> bool:
        """Whether the other thread came to a `raise` by the same check, if that does not always lead there:
        `if d[key] != item: raise ...`. That it came there shows in what it read for it."""
        events, called = self._events, self._checks.called
        check, done = (self._node(place) for place in (found.check, act))
        raising = [] if found.way or check is None or done is None else list(refusals(check[0], check[1], done[1]))
        if not raising:
            return False
        later = slice(other + 1, other + _NEAR)
        reads = other + 1 + np.flatnonzero(events.frame[later] == events.frame[other])
        activation = called.activations.of(other)
        for place in reads.tolist():
            read = self._node(place)
            if called.activations.of(place) != activation:
                return False
            if read is not None and any(step.parent in raising for step in read[0].above(read[1])):
                return True
        return False

    def _does_more(self, found: Checked, act: int) -> bool:
        """Whether the same check decided that an object is made that threads share and change, or that something is
        changed by what was there: a flag or a state says that it was done."""
        return any(
            (self.is_update(place) and self._location(place).kind is not LocationKind.WHOLE)
            or (isinstance(value := self._events[place].value, Opaque) and self._is_for_all(value, place))
            for place in self._also_written(found, act)
        )

    def _makes_more(self, found: Checked, act: int) -> bool:
        """Whether the same check decided that another object is made, too, that threads share and change: what
        belongs together lies in two dictionaries."""
        return any(
            isinstance(value := self._events[place].value, Opaque)
            and self._is_new(value, place)
            and self._is_for_all(value, place)
            for place in self._also_written(found, act)
        )

    def _is_new(self, value: Opaque, write: int) -> bool:
        """Whether an object is what an instruction or a call gave, and nobody was seen to have it before."""
        flow = self._trace.sites[int(self._events.site[write])].flow
        if value.identity is None or flow is None or not flow.results or flow.reads or flow.phis:
            return False
        return bool(self._first_seen[value.identity] == write)

    def _also_written(self, found: Checked, act: int) -> Iterator[int]:
        """The places of other writes that the same check decided, in the same activation; or by the function that was
        called by it, which makes them and the act in any case."""
        events, called = self._events, self._checks.called
        if found.calls:
            yield from self._written_beside(act)
            return
        check, site = found.check, int(events.site[found.check])
        activation = called.activations.of(check)
        later = slice(check + 1, act + _NEAR)
        writes = (events.kind[later] == EventKind.WRITE) & (events.frame[later] == events.frame[check])
        for place in (check + 1 + np.flatnonzero(writes)).tolist():
            decided = place != act and called.activations.of(place) == activation
            if decided and called.decides(site, int(events.site[place])) and not self._asks_more_than(act, place):
                yield place

    def _asks_more_than(self, act: int, place: int) -> bool:
        """Whether an access of a function is under a test that an act of it is not under: what is done there may not be
        done though the act is."""
        found, done = self._node(place), self._node(act)
        if found is None or done is None:
            return False
        under = {step.parent for step in done[0].above(done[1])}
        return any(
            isinstance(step.parent, ast.If | ast.While) and step.parent not in under and step.field != "test"
            for step in found[0].above(found[1])
        )

    def _written_beside(self, act: int) -> Iterator[int]:
        events, checks, activations = self._events, self._checks, self._checks.called.activations
        near = slice(max(0, act - _NEAR), act + _NEAR)
        writes = (events.kind[near] == EventKind.WRITE) & (events.frame[near] == events.frame[act])
        for place in (near.start + np.flatnonzero(writes)).tolist() if checks.is_made_in_any_case(act) else ():
            is_beside = place != act and activations.of(place) == activations.of(act)
            if is_beside and checks.is_made_in_any_case(place):
                yield place

    @cached_property
    def _first_seen(self) -> Array:
        return first_seen(self._events)

    def _is_awaited(self, act: int) -> bool:
        """Whether it took a task an `await` to make the object: what is connected or opened, and then thrown away."""
        return int(self._events.thread[act]) in self._tasks and "await " in self._texts.line(
            int(self._events.site[act])
        )

    def _starts_a_thread(self, found: Checked, act: int) -> bool:
        """Whether the check also decided that a thread is started, in the same function: if not started: ..."""
        lane, seq = int(self._events.thread[found.check]), int(self._events.seq[found.check])
        starts = self._starts.get(lane, [])
        first = bisect.bisect_right(starts, (seq, 0))
        if found.way or first == len(starts):
            return False
        called, site = self._checks.called, starts[first][1]
        if asks_more(found.asked):  # of a call's result, perhaps
            return called.decides_both(int(self._events.site[act]), site)
        return called.decides(int(self._events.site[found.check]), site)

    @cached_property
    def _starts(self) -> dict[int, list[tuple[int, int]]]:
        """By lane: when it started threads, and at which sites."""
        found: dict[int, list[tuple[int, int]]] = {}
        for each in self._trace.synchronisation:
            if each.operation == Act.START and each.site in self._trace.sites:
                found.setdefault(each.thread, []).append((each.seq, each.site))
        return found

    def _is_updated_by(self, found: Checked, act: int) -> bool:
        """Whether the value is made of what was there. Not of an item that a function found in a loop, and returned: it
        may be claimed by what else was done to it there (`job.owner = who`)."""
        check = self._node(found.check) if found.way else None
        is_found = check is not None and any(isinstance(step.parent, LOOPS) for step in check[0].above(check[1]))
        return self.is_update(act) and not is_found

    def is_update(self, act: int) -> bool:
        """Whether a write's value is made of what was there."""
        source, site = int(self._sources.place[act]), self._trace.sites[int(self._events.site[act])]
        is_made = site.flow is not None and any(site.flow._replace(tested=(), failed=()))
        return source >= 0 and bool(self._events.location[source] == self._events.location[act]) and is_made

    def _takes(self, found: Checked, act: int) -> bool:
        return any(word in self.expression(act) for word in TAKES) and not self._is_expected(found, act)

    def _fails(self, found: Checked, act: int) -> bool:
        """Whether the deletion fails if there is nothing, and the program is not ready for that."""
        site = self._trace.sites[int(self._events.site[act])]
        has_default = site.operation == Operation.CALL and "," in self.expression(act)  # d.pop(key, None)
        return not has_default and not self._is_expected(found, act)

    def _is_expected(self, found: Checked, act: int) -> bool:
        """Whether it is expected to fail, where it is or where it was called."""
        expect = self._handlers.expect(int(self._events.site[act]))
        return expect or any(self._handlers.expect_in(*call) for call in found.calls)

    def _location(self, place: int) -> Location:
        return self._trace.locations[int(self._events.location[place])]

    def expression(self, place: int) -> str:
        return self._texts.expression(int(self._events.site[place]))
