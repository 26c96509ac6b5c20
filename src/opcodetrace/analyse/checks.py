"""Checks: reads on which a branch depended, and that were true no longer as the thread acted on them.

What a thread tests and what it then does are known from its code (`Site.tests`): of an access, the reads that decided
that it is executed. Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), call this the commonest bug of atomicity.
"""

from __future__ import annotations

import ast
import bisect
import operator
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.trace.event import Event, EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.events import Events
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation, Site

Array = npt.NDArray[Any]
Tests = Mapping[int, Mapping[int, str]]  # by the site of an access: the sites of its tests, and what each must find

MAX_BACK = 2_000  # accesses of the location that are gone back from one
_STEPS = 4  # of those that are looked at for all accesses together

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Stale(NamedTuple):
    """A thread checked, another one changed what it had checked, and then the first one acted. It had not waited for
    the other one to get so far: who does that knows of the change."""

    location: int
    check: int  # seqs
    change: int
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace, and the check would go otherwise


class Histories:
    """The accesses of each location, in order. `order` has the places of all, by location."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._bounds = np.zeros(int(events.location.max(initial=-1)) + 2, np.int64)
        self.order = np.empty(int(np.count_nonzero(events.location >= 0)), np.int32)
        _passes.group(events.location, self._bounds, self.order)

    def before(self, place: int) -> list[int]:
        """The places of the accesses of its location before one of them, the latest first; not all of many."""
        history = self._of(int(self._events.location[place]))
        at = int(np.searchsorted(history, place))
        places: list[int] = history[max(0, at - MAX_BACK) : at][::-1].tolist()
        return places

    def after(self, place: int) -> list[int]:
        """The places of those after it; not all of many."""
        history = self._of(int(self._events.location[place]))
        at = int(np.searchsorted(history, place, side="right"))
        places: list[int] = history[at : at + MAX_BACK].tolist()
        return places

    def of(self, location: int) -> Iterator[int]:
        """The places of all accesses of a location."""
        yield from self._of(location).tolist()

    def places_of(self, location: int) -> Array:
        """The same as a column."""
        return self._of(location)

    def _of(self, location: int) -> Array:
        begin, end = self._bounds[location:][:2]
        return self.order[begin:end]

    def after_another(self, acts: Array, tests: Tests) -> Array:
        """Those of `acts` that may come after a write of another thread that their thread has not tested since."""
        events = self._events
        position = np.empty(len(events), np.int32)
        position[self.order] = np.arange(len(self.order), dtype=np.int32)
        pairs = np.unique(np.array([_pair(act, test) for act, found in tests.items() for test in found], np.int64))
        found = []
        for back in range(1, _STEPS + 1):
            at = position[acts] - back
            inside = at >= self._bounds[events.location[acts]]
            acts = acts[inside]
            place = self.order[at[inside]]
            own = events.thread[place] == events.thread[acts]
            reads = events.kind[place] == EventKind.READ
            tested = np.isin(_pair(events.site[acts].astype(np.int64), events.site[place]), pairs)
            found.append(acts[~own & ~reads])
            acts = acts[~(~own & ~reads) & ~(own & (~reads | (tested & (events.frame[place] == events.frame[acts]))))]
        return np.sort(np.concatenate([*found, acts]))


def _pair(act: Any, test: Any) -> Any:
    """The numbers of two sites as one."""
    return (act << 32) + test


def failed_after_a_check(trace: Trace, pasts: Pasts) -> Iterator[Stale]:
    """Accesses that failed though this activation had found by a check that it could make them, because another thread
    took away what was there. Not if the program is ready for that (`handlers`)."""
    events = trace.events
    tests = {site.id: {test.site: test.answer for test in site.tests} for site in trace.sites.values() if site.tests}
    acts = np.flatnonzero(events.failed() & (events.kind == EventKind.READ) & np.isin(events.site, list(tests)))

    def asked_for_it(answer: str, check: Event, change: Event, act: Event) -> bool:
        """Whether the check had found what the access needs."""
        found_nothing = answer == "is None" and trace.sites[check.site].operation == Operation.CALL  # d.get(k) is None
        return answer not in ("absent", "raises") and not found_nothing

    if len(acts):
        handlers = Handlers(trace)
        for stale in _stale(trace, pasts, Histories(events), acts.tolist(), tests, asked_for_it):
            failure = events[int(np.searchsorted(events.seq, stale.act))]
            if not handlers.expect(failure.site, str(failure.value)):
                yield stale


def acted_on_a_stale_check(trace: Trace, pasts: Pasts, told: Container[int], unseen: Container[int]) -> Iterator[Stale]:
    """Writes and deletions that a check decided upon which would have gone otherwise by then, because another thread
    had changed what it had checked. Without those of `told` (seqs), which are findings of another kind. Of locations
    that code wrote to which is not woven (`unseen`), nothing is sure.

    Of a value whose truth is the program's own, it is not sure how the check would have gone; it is told if the other
    thread's write came from the very same instruction. A thread that writes the value that is there already, made anew,
    changes nothing."""
    events = trace.events
    tests = {
        site.id: {test.site: test.answer for test in site.tests}
        for site in trace.sites.values()
        if any(test.answer for test in site.tests)
    }
    is_act = (events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)
    acts = np.flatnonzero(is_act & np.isin(events.site, list(tests)) & (events.location >= 0))
    if not len(acts):
        return
    histories = Histories(events)

    def undone(answer: str, check: Event, change: Event, act: Event) -> bool | None:
        if not answer or act.seq in told or (_same(change, act) and _is_made(trace, act)):
            return False
        location = trace.locations[act.location]
        if location.kind is LocationKind.WHOLE:  # how it was changed is not known
            return False
        moved = trace.restructured.get(act.location, ())
        if bisect.bisect(moved, check.seq) != bisect.bisect(moved, act.seq):  # another cell of the list
            return False
        holds = holds_after(answer, change, location, trace.sites[check.site])
        if holds is None:
            return None if change.site == act.site else False
        return None if act.location in unseen and not holds else not holds

    yield from _stale(trace, pasts, histories, histories.after_another(acts, tests).tolist(), tests, undone)


def _stale(
    trace: Trace,
    pasts: Pasts,
    histories: Histories,
    acts: Iterable[int],
    tests: Tests,
    undone: Callable[[str, Event, Event, Event], bool | None],
) -> Iterator[Stale]:
    """`undone` tells if a check that had an answer would have another one after a change; None: perhaps."""
    events, has_failed = trace.events, trace.events.failed()
    for act in acts:
        location = int(events.location[act])
        if location < 0 or not trace.locations[location].certain:
            continue
        answers = tests[int(events.site[act])]
        check, changes = checked(events, histories, act, answers)
        if check is None or not changes or begins_between(events, check, act):
            continue
        answer = answers[int(events.site[check])]
        if has_failed[check] != (answer == "raises"):
            continue
        change = changes[0]
        is_undone = undone(answer, events[check], events[change], events[act])
        knows = None if is_undone is False else pasts.holds(act, change)
        if is_undone is False or knows:
            continue
        before, changed, acted = (int(events.seq[each]) for each in (check, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = is_undone is True and knows is False and before < changing and changed < acting
        is_sure &= all(int(events.seq[earlier]) < changing for earlier in changes[1:])
        yield Stale(location, before, changed, acted, is_sure)


def checked(events: Events, histories: Histories, act: int, tests: Container[int]) -> tuple[int | None, list[int]]:
    """The last test that an access was under, if its thread has not changed the location since; and what others changed
    there since, the latest first."""
    changes: list[int] = []
    for place in histories.before(act):
        own = events.thread[place] == events.thread[act]
        if events.kind[place] == EventKind.READ:
            if own and events.frame[place] == events.frame[act] and int(events.site[place]) in tests:
                return place, changes
        elif own:
            break  # it knows what it did itself
        else:
            changes.append(place)
    return None, []


def begins_between(events: Events, check: int, act: int) -> bool:
    """Whether another activation began in the same frame: the check was none of this one."""
    begins = (events.kind[check:act] == EventKind.ENTER) & (events.frame[check:act] == events.frame[act])
    return bool(begins.any())


def holds_after(answer: str, change: Event, location: Location, check: Site) -> bool | None:
    """Whether a check would find what it had found after a write or deletion; None if that cannot be told."""
    if change.kind == EventKind.DELETE:
        return _holds_without(answer, location, check)
    return would_hold(answer, change.value)


def would_hold(answer: str, value: Value) -> bool | None:
    """Whether a check would find what it had found if this is there; None if that cannot be told."""
    if answer in ("present", "absent", "raises"):
        return answer == "present"
    if is_unknown(value):
        return None
    if answer in ("is None", "is not None"):
        return (value is None) == (answer == "is None")
    if not isinstance(value, int | float | str | bytes | None):
        return None
    if answer in ("true", "false"):
        return bool(value) == (answer == "true")
    sign, _, constant = answer.removeprefix("not ").partition(" ")
    try:
        compared: bool = _COMPARISONS[sign](value, ast.literal_eval(constant))
    except (TypeError, KeyError, ValueError, SyntaxError):
        return None
    return compared != answer.startswith("not ")


def _holds_without(answer: str, location: Location, check: Site) -> bool | None:
    """The same if nothing is there any more. In place of an attribute or a global its class or the builtins may have
    one; a call may give a default."""
    if answer in ("absent", "raises"):
        return True
    if location.kind is not LocationKind.ITEM:
        return None
    if answer == "present":
        return False
    raises = location.container_type == "dict" and check.operation != Operation.CALL  # its heirs may have __missing__
    return False if raises else None


def is_made_anew(trace: Trace, change: Event, act: Event) -> bool:
    """Whether a thread writes the value that is there already, made anew."""
    return _same(change, act) and _is_made(trace, act)


def _same(change: Event, act: Event) -> bool:
    """Whether both wrote the same value."""
    one, other = change.value, act.value
    if EventKind.DELETE in (change.kind, act.kind) or is_unknown(one) or is_unknown(other):
        return False
    if isinstance(one, Opaque) and isinstance(other, Opaque) and one.text is not None and not one.changes:
        alike = (one.type_name, one.text) == (other.type_name, other.text)  # two tuples (1, 2)
        return alike and (one.identity == other.identity or _is_whole(one.text))
    return type(one) is type(other) and one == other


def _is_whole(text: str) -> bool:
    """Whether a text says all of a value: no item is told by its type alone, and nothing was cut."""
    return "…" not in text and not any(part in _QUOTED.sub("", text) for part in ("<", " of "))


def _is_made(trace: Trace, act: Event) -> bool:
    """Whether the value that a write stores is made of anything, and is no constant."""
    flow = trace.sites[act.site].flow
    return flow is not None and any(flow)
