"""Checks: reads on which a branch depended, and that were true no longer as the thread acted on them.

What a thread tests and what it then does are known from its code (`Site.tests`): of an access, the reads that decided
that it is executed. Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), call this the commonest bug of atomicity.
"""

from __future__ import annotations

import ast
import bisect
import operator
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.called_checks import CalledChecks
from opcodetrace.analyse.consequences import decides_more, is_done_once, is_of_a_set
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.pasts import OF_PRESENCE, Pasts
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.sizes import adds_one, is_for_an_item, size_after, was_added
from opcodetrace.trace.event import ABSENT, Event, EventKind, Value, is_unknown
from opcodetrace.trace.events import Events, Sources
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import AT, TAKEN, WRITTEN, Operation, Site

Array = npt.NDArray[Any]
Tests = Mapping[int, Mapping[int, str]]  # by the site of an access: the sites of its tests, and what each must find

MAX_BACK = 2_000  # accesses of the location that are gone back from one
_NEAR = 1_000  # events around a check among which the other side of its comparison is looked for
_STEPS = 12  # of those that are looked at for all accesses together
_MOST_BACK = 300  # accesses that are gone back to a check in another function

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
    calls: tuple[tuple[int, int], ...] = ()  # through which the act was come to after its check: files and lines


class Histories:
    """The accesses of each location, in order. `order` has the places of all, by location."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._bounds = np.zeros(int(events.location.max(initial=-1)) + 2, np.int64)
        self.order = np.empty(int(np.count_nonzero(events.location >= 0)), np.int32)
        _passes.group(events.location, self._bounds, self.order)

    def before(self, place: int, most: int = MAX_BACK) -> list[int]:
        """The places of the accesses of its location before one of them, the latest first; not all of many."""
        history = self._of(int(self._events.location[place]))
        at = int(np.searchsorted(history, place))
        places: list[int] = history[max(0, at - most) : at][::-1].tolist()
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

    def after_another(self, acts: Array, tests: Tests, called: Tests) -> Array:
        """Those of `acts` that may have been tested before a write of another thread, and not since. The tests of
        `called` are made in other functions."""
        events = self._events
        position = np.empty(len(events), np.int32)
        position[self.order] = np.arange(len(self.order), dtype=np.int32)
        pairs, others = (
            np.unique(np.array([_pair(act, test) for act, found in each.items() for test in found], np.int64))
            for each in (tests, called)
        )
        found = [np.empty(0, np.int64)]
        changed = np.zeros(len(acts), bool)
        for back in range(1, _STEPS + 1):
            at = position[acts] - back
            inside = at >= self._bounds[events.location[acts]]
            acts, changed = acts[inside], changed[inside]
            place = self.order[at[inside]]
            own = events.thread[place] == events.thread[acts]
            reads = events.kind[place] == EventKind.READ
            sites = _pair(events.site[acts].astype(np.int64), events.site[place])
            tested = np.isin(sites, pairs) & (events.frame[place] == events.frame[acts])
            tested = own & reads & (tested | np.isin(sites, others))
            changed |= ~own & ~reads
            found.append(acts[tested & changed])
            goes_on = ~tested & ~(own & ~reads)
            acts, changed = acts[goes_on], changed[goes_on]
        return np.sort(np.concatenate([*found, acts]))


def _pair(act: Any, test: Any) -> Any:
    """The numbers of two sites as one."""
    return (act << 32) + test


class Checked(NamedTuple):
    """The check by which an access was made, and what other threads changed there since. Places among the events."""

    check: int
    asked: str  # what it had found (`trace.site.Test.answer`)
    answer: str  # the same, compared with a constant
    changes: list[int]  # the latest first
    way: tuple[tuple[int, int], ...] = ()  # see `called_checks.CalledCheck`
    calls: tuple[tuple[int, int], ...] = ()


class Checks:
    """Finds the checks by which accesses were made."""

    def __init__(self, trace: Trace, sources: Sources) -> None:
        self._trace = trace
        self._events = trace.events
        self._source = sources.place
        self._failed = trace.events.failed()
        self.called = CalledChecks(trace)

    @cached_property
    def histories(self) -> Histories:
        return Histories(self._events)

    def made_by_one(self, acts: Array, tests: Tests) -> Array:
        """Those of some accesses that may have been decided upon by a check."""
        events = self._events
        acts = acts[events.location[acts] >= 0]
        found: Array = acts[np.isin(events.site[acts], list(tests)) | self.called.may_have_decided(acts)]
        return found

    def of(self, act: int, tests: Mapping[int, str]) -> Checked | None:
        """The one of an access; `tests` has those that its own function may make."""
        if self._checks_itself(act):
            return None
        found = self._in_function(act, tests) if tests else None
        if found is None:
            found = self._called_one(act)
        return None if found is None else found._replace(answer=self._with_value(found.asked, found.check, act))

    def _checks_itself(self, act: int) -> bool:
        """Whether it writes only if nothing is there, in one step: d.setdefault(k, v)."""
        events, trace = self._events, self._trace
        site = trace.sites[int(events.site[act])]
        if site.operation != Operation.CALL or events.kind[act] != EventKind.WRITE:
            return False
        if trace.locations[int(events.location[act])].kind is LocationKind.WHOLE:
            return False
        own = (place for place in self.histories.before(act, _NEAR) if events.thread[place] == events.thread[act])
        before = next(own, None)
        return before is not None and events.kind[before] == EventKind.READ and events.site[before] == events.site[act]

    def _in_function(self, act: int, tests: Mapping[int, str]) -> Checked | None:
        check, changes = checked(self._events, self.histories, act, tests)
        if check is None or begins_between(self._events, check, act):
            return None
        answer = tests[int(self._events.site[check])]
        return Checked(check, answer, answer, changes) if self._failed[check] == (answer == "raises") else None

    def _called_one(self, act: int) -> Checked | None:
        """One that was made in another function. Not if the thread looked at the location again after a change."""
        events, tests = self._events, self.called.tests.get(int(self._events.site[act]))
        if not tests:
            return None
        changes: list[int] = []
        looked_again = False
        for place in self.histories.before(act, _MOST_BACK):
            if events.thread[place] != events.thread[act]:
                changes += [place] if events.kind[place] != EventKind.READ else []
            elif events.kind[place] != EventKind.READ:
                break
            elif events.site[place] != events.site[act] and place != self._source[act]:
                found = self.called.of(act, place) if int(events.site[place]) in tests else None
                if found is not None:
                    if (changes and looked_again) or not self._agrees(
                        self._with_value(found.answer, place, act), place
                    ):
                        break
                    return Checked(place, found.answer, found.answer, changes, found.way, found.calls)
                looked_again |= not changes
        return None

    def _with_value(self, asked: str, check: int, act: int) -> str:
        """What a check found, with the value that it compared with; as it is if that is not known."""
        sign, _, compared = asked.rpartition(" ") if AT not in asked else asked.partition(AT)
        if asked.endswith(f" {WRITTEN}"):
            value = self._events[act].value
        elif asked.endswith(f" {TAKEN}"):
            value = self._taken(act)
        elif AT in asked:
            value = self._read_beside(check, int(compared))
        else:
            return asked
        return f"{sign.strip()} {value!r}" if isinstance(value, int | float | str) else asked

    def _taken(self, act: int) -> Value:
        """What an access subtracted from what it had read."""
        source = int(self._source[act])
        before, after = self._events[source].value if source >= 0 else ABSENT, self._events[act].value
        is_known = type(before) is type(after) is int
        return before - after if is_known else ABSENT  # type: ignore[operator]

    def _read_beside(self, check: int, offset: int) -> Value:
        """What the same activation read at an offset, for the same comparison."""
        events, trace = self._events, self._trace
        site = int(events.site[check])
        code = trace.site_codes[site]
        sites = [each.id for each in code.sites if each.offset == offset and each.operation.startswith("LOAD")]
        comes_after = offset > trace.sites[site].offset
        near = slice(check + 1, check + _NEAR) if comes_after else slice(max(check - _NEAR, 0), check)
        own = np.flatnonzero(events.frame[near] == events.frame[check]) + near.start
        for place in own.tolist() if comes_after else own[::-1].tolist():
            if events.site[place] in sites and events.kind[place] == EventKind.READ:
                return events[place].value
            if events.site[place] == site or events.kind[place] != EventKind.READ:
                break
        return ABSENT

    def decides_more(self, check: int, act: int) -> bool:
        """Whether something else hangs on a check in the same function (`consequences`)."""
        syntax = self.called.activations.syntax
        at = [found for site in (check, act) if (found := syntax.of_site(site)) is not None]
        return len(at) == 2 and at[0][0] is at[1][0] and decides_more(at[0][0], at[0][1], at[1][1])

    def is_done_once(self, act: int) -> bool:
        """Whether a call that adds to a container has no like in its function (`consequences`)."""
        found = self.called.activations.syntax.of_site(act)
        return found is not None and is_done_once(*found)

    def _agrees(self, answer: str, check: int) -> bool:
        """Whether a read found what is said that it found, as far as its value tells."""
        if self._failed[check] != (answer == "raises"):
            return False
        return answer in OF_PRESENCE or would_hold(answer, self._events[check].value) is not False


def failed_after_a_check(trace: Trace, pasts: Pasts, checks: Checks) -> Iterator[Stale]:
    """Accesses that failed though their thread had found by a check that it could make them, because another thread
    took away what was there. Not if the program is ready for that (`handlers`)."""
    events = trace.events
    tests = {site.id: {test.site: test.answer for test in site.tests} for site in trace.sites.values() if site.tests}
    acts = np.flatnonzero(events.failed() & (events.kind == EventKind.READ))
    acts = checks.made_by_one(acts, tests)

    def asked_for_it(found: Checked, act: Event) -> bool:
        """Whether the check had found what the access needs."""
        answer, check = found.answer, int(events.site[found.check])
        found_nothing = answer == "is None" and trace.sites[check].operation == Operation.CALL  # d.get(k) is None
        was_empty = answer == "false" and trace.sites[check].operation == Operation.TEST
        return answer not in ("absent", "raises") and not found_nothing and not was_empty

    if len(acts):
        handlers = Handlers(trace)
        for stale in _stale(trace, pasts, checks, acts.tolist(), tests, asked_for_it):
            failure = events[int(np.searchsorted(events.seq, stale.act))]
            error = str(failure.value)
            if not handlers.expect(failure.site, error) and not any(
                handlers.expect_in(*call, error) for call in stale.calls
            ):
                yield stale


def acted_on_a_stale_check(
    trace: Trace, pasts: Pasts, checks: Checks, told: Container[int], unseen: Container[int]
) -> Iterator[Stale]:
    """Writes and deletions that a check decided upon which would have gone otherwise by then, because another thread
    had changed what it had checked. Without those of `told` (seqs), which are findings of another kind. Of locations
    that code wrote to which is not woven (`unseen`), nothing is sure.

    Of a value whose truth is the program's own, it is not sure how the check would have gone; it is told if the other
    thread's write came from the very same instruction. A thread that writes the value that is there already, made anew,
    changes nothing. If both write the same constant, such as a flag, they did what the check guards twice; of a check
    in another function only if they wrote it by the same instruction: else one may have stopped the other."""
    events = trace.events
    tests = {
        site.id: {test.site: test.answer for test in site.tests}
        for site in trace.sites.values()
        if any(test.answer for test in site.tests)
    }
    acts = checks.made_by_one(
        np.flatnonzero((events.kind == EventKind.WRITE) | (events.kind == EventKind.DELETE)), tests
    )
    if not len(acts):
        return

    def undone(found: Checked, act: Event) -> bool | None:
        answer, check, change = found.answer, events[found.check], events[found.changes[0]]
        location = trace.locations[act.location]
        if not answer or act.seq in told:
            return False
        if location.kind is LocationKind.WHOLE:
            return checks.is_done_once(act.site) and is_undone_by_adding(
                trace, found, [events[each] for each in found.changes], act
            )
        is_far = check.site not in tests.get(act.site, ())  # in another function
        if is_of_a_set(location) and act.kind == EventKind.WRITE:
            return checks.decides_more(check.site, act.site) and not holds_after(
                answer, change, location, trace.sites[check.site]
            )
        if _same(change, act) and (_is_made(trace, act) or (is_far and change.site != act.site)):
            return False
        moved = trace.restructured.get(act.location, ())
        if bisect.bisect(moved, check.seq) != bisect.bisect(moved, act.seq):  # another cell of the list
            return False
        holds = holds_after(answer, change, location, trace.sites[check.site])
        if holds is None:
            return None if change.site == act.site else False
        return None if act.location in unseen and not holds else not holds

    acts = checks.histories.after_another(acts, tests, checks.called.tests)
    yield from _stale(trace, pasts, checks, acts.tolist(), tests, undone)


def _stale(
    trace: Trace,
    pasts: Pasts,
    checks: Checks,
    acts: Iterable[int],
    tests: Tests,
    undone: Callable[[Checked, Event], bool | None],
) -> Iterator[Stale]:
    """`undone` tells if the check of an act would have another answer after the changes; None: perhaps."""
    events = trace.events
    for act in acts:
        location = int(events.location[act])
        if location < 0 or not trace.locations[location].certain:
            continue
        found = checks.of(act, tests.get(int(events.site[act]), {}))
        if found is None or not found.changes:
            continue
        check, changes = found.check, found.changes
        change = changes[0]
        is_undone = undone(found, events[act])
        knows = None if is_undone is False else pasts.holds(act, change)
        if is_undone is False or knows:
            continue
        before, changed, acted = (int(events.seq[each]) for each in (check, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = is_undone is True and knows is False and before < changing and changed < acting
        is_sure &= all(int(events.seq[earlier]) < changing for earlier in changes[1:])
        yield Stale(location, before, changed, acted, is_sure, found.calls)


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


def compared_again(trace: Trace, its: Array, read: int, write: int) -> int | None:
    """Of a compare and set: the place of the read that was compared, if it came after the read of which the write was
    made. It was the same activation's, and the write depended on its comparison with what is no constant. `its`: the
    places of the location's accesses."""
    events = trace.events
    site = trace.sites.get(int(events.site[write]))
    tests = [] if site is None else [test.site for test in site.tests if not test.answer]
    if not tests:
        return None
    between = its[np.searchsorted(its, read) + 1 : np.searchsorted(its, write)]
    again = between[
        (events.kind[between] == EventKind.READ)
        & (events.frame[between] == events.frame[write])
        & (events.thread[between] == events.thread[write])
        & np.isin(events.site[between], tests)
    ]
    if not len(again) or begins_between(events, int(again[-1]), write):
        return None
    return int(again[-1])


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


def is_undone_by_adding(trace: Trace, found: Checked, changes: Iterable[Event], act: Event) -> bool:
    """Whether a check of a container as a whole, after which an item was added, would go otherwise after changes that
    did no more than that."""
    check = trace.events[found.check]
    if not adds_one(act):
        return False
    if is_for_an_item(trace.sites[check.site]):
        return found.answer == "absent" and was_added(check, changes, act)
    size = size_after(check, changes)
    return would_hold(found.answer, check.value) is True and would_hold(found.answer, size) is False


def is_made_anew(trace: Trace, change: Event, act: Event) -> bool:
    """Whether a thread writes the value that is there already, made anew."""
    return _same(change, act) and _is_made(trace, act)


def _same(change: Event, act: Event) -> bool:
    """Whether both wrote the same value."""
    return EventKind.DELETE not in (change.kind, act.kind) and is_same(change.value, act.value)


def _is_made(trace: Trace, act: Event) -> bool:
    """Whether the value that a write stores is made of anything, and is no constant."""
    flow = trace.sites[act.site].flow
    return flow is not None and any(flow)
