"""Checks: reads on which a branch depended, and that were true no longer as the thread acted on them.

What a thread tests and what it then does are known from its code (`Site.tests`): of an access, the reads that decided
that it is executed. Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), call this the commonest bug of atomicity.
"""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.answers import holds_after, is_member, would_hold
from opcodetrace.analyse.called_checks import CalledChecks, Tests
from opcodetrace.analyse.consequences import decides_more, is_a_hint, is_done_once, is_of_a_set, is_only_a_flag
from opcodetrace.analyse.counted_uses import counted_uses
from opcodetrace.analyse.fills import Fills
from opcodetrace.analyse.gone_over import LoopsOverCopies
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.histories import Histories
from opcodetrace.analyse.kept_or_made import kept_or_made
from opcodetrace.analyse.last_items import is_undone_by_taking
from opcodetrace.analyse.pasts import OF_PRESENCE, Pasts
from opcodetrace.analyse.refusals import is_refused, tested
from opcodetrace.analyse.resizes import Resizes
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.side_effects import SideEffects
from opcodetrace.analyse.sizes import adds_one, is_for_an_item, size_after, was_added
from opcodetrace.analyse.timed_waits import timed_waits
from opcodetrace.trace.event import ABSENT, Event, EventKind, Opaque, Value
from opcodetrace.trace.events import Events, Sources, ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import (
    AT,
    MORE,
    OF_IT,
    STATES,
    TAKEN,
    WRITTEN,
    Code,
    Operation,
    Site,
    SwitchPoint,
    asks_more,
)

Array = npt.NDArray[Any]

_NEAR = 1_000  # events around a check among which the other side of its comparison is looked for
_MOST_BACK = 300  # accesses that are gone back to a check in another function

_OF_STATES = re.compile(f"(not )?(is|==|!=|in) ({AT}[0-9]+|{STATES})$")
_BESIDE = re.compile(f"(.*) {AT}([0-9]+)")


class Stale(NamedTuple):
    """A thread checked, another one changed what it had checked, and then the first one acted. It had not waited for
    the other one to get so far: who does that knows of the change."""

    location: int
    check: int  # seqs
    change: int
    act: int
    is_sure: bool  # they came in that order in every order that agrees with the trace, and the check would go otherwise
    calls: tuple[tuple[int, int], ...] = ()  # through which the act was come to after its check: files and lines
    counted: int | None = None  # if the act comes in any case (`counted_uses`): the read that it was made of


class Checked(NamedTuple):
    """The check by which an access was made, and what other threads changed there since. Places among the events."""

    check: int
    asked: str  # what it had found (`trace.site.Test.answer`)
    answer: str  # the same, compared with a constant
    changes: list[int]  # the latest first
    way: tuple[tuple[int, int], ...] = ()  # see `called_checks.CalledCheck`
    calls: tuple[tuple[int, int], ...] = ()
    refuses: bool = False
    again: int | None = None  # where the thread looked there last, if that was no check of which it is known
    copies: bool = False  # it copied the container in which the item was (`gone_over`)
    effect: int | None = None  # what else was done by it, if it is for that alone that it is wrong twice


class Checks:
    """Finds the checks by which accesses were made."""

    def __init__(self, trace: Trace, sources: Sources, activations: Activations, handlers: Handlers) -> None:
        self._trace = trace
        self._events = trace.events
        self._sources = sources
        self._source = sources.place
        self._failed = trace.events.failed()
        self._files_naming: dict[str, set[int]] = {}
        self.called = CalledChecks(trace, activations)
        self.handlers = handlers
        self.resizes = Resizes(trace)
        self.copies = LoopsOverCopies(trace, activations)

    @cached_property
    def histories(self) -> Histories:
        return Histories(self._events, self.resizes.by_whole)

    @cached_property
    def fills(self) -> Fills:
        return Fills(self._trace, self.histories, self.called.activations.syntax)

    @cached_property
    def _side_effects(self) -> SideEffects:
        return SideEffects(self._trace, self.histories, self._sources, self.called)

    def side_effect(self, found: Checked, act: int) -> int | None:
        """What else was done by a check, and would be done twice (`side_effects`)."""
        return self._side_effects.first(found.check, act, self.tested(found))

    def tested(self, found: Checked) -> tuple[Code, int]:
        """Where a branch asked for the answer: a function and an offset."""
        if found.way:
            code, offset = found.way[-1]
            return self._codes[code], offset
        site = int(self._events.site[found.check])
        return self._trace.site_codes[site], self._trace.sites[site].offset

    @cached_property
    def _codes(self) -> dict[int, Code]:
        return {code.id: code for code in self._trace.codes}

    @cached_property
    def tests(self) -> Tests:
        """Those that a function makes itself, of which it is known what some of them must find."""
        return (
            self.timed_waits
            | self._counted_uses
            | self.kept_or_made
            | {
                site.id: {test.site: test.answer for test in site.tests}
                for site in self._trace.sites.values()
                if any(test.answer for test in site.tests)
            }
        )

    @cached_property
    def _counted_uses(self) -> dict[int, dict[int, str]]:
        return counted_uses(self._trace, self.called)

    @cached_property
    def timed_waits(self) -> dict[int, dict[int, str]]:
        return timed_waits(self._trace, self.called.activations.syntax)

    @cached_property
    def kept_or_made(self) -> dict[int, dict[int, str]]:
        return kept_or_made(self._trace, self.called.activations.syntax)

    @cached_property
    def changed_meanwhile(self) -> Array:
        """The places of the writes and deletions that may have been tested before a write of another thread, and not
        since."""
        kind = self._events.kind
        acts = self.made_by_one((kind == EventKind.WRITE) | (kind == EventKind.DELETE), self.tests)
        found = self.histories.after_another(acts, self.tests, self.called.tests) if len(acts) else acts
        return np.union1d(found, self.resizes.of_any)

    def made_by_one(self, among: Array, tests: Tests) -> Array:
        """The places of those accesses that may have been decided upon by a check. `among` is a mask."""
        events = self._events
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):  # of millions, few are
            part = slice(start, start + PIECE)
            acts = start + np.flatnonzero(among[part] & (events.location[part] >= 0))
            found.append(acts[np.isin(events.site[acts], list(tests)) | self.called.may_have_decided(acts)])
        return np.concatenate(found)

    def of(self, act: int, tests: Mapping[int, str]) -> Checked | None:
        """The one of an access; `tests` has those that its own function may make."""
        if self._checks_itself(act):
            return None
        found = self._found(act, tests, None)
        if found is None:
            found = self.of_whole(act, tests)
        if found is None and self._failed[act]:
            found = self.by_copy(act)
        if found is None:
            return None
        if int(self._events.site[act]) in self.kept_or_made:
            nothing = self.nothing(found.check)
            return None if nothing is None else found._replace(answer=nothing)
        if self._is_counted_on(found, act):
            was_so = would_hold(found.answer, self._events[found.check].value) is True
            return found if was_so else None  # the write comes in any case
        answer = self._with_value(found.answer, found.check, act)
        if answer != found.answer and would_hold(answer, self._events[found.check].value) is False:
            return None  # two names of one member
        return found._replace(answer=answer)

    def _is_counted_on(self, found: Checked, act: int) -> bool:
        return int(self._events.site[act]) in self._counted_uses and not found.way

    def counted(self, found: Checked, act: int) -> int | None:
        """The read that an act was made of, if it comes in any case (`counted_uses`)."""
        source = int(self._source[act])
        return source if source >= 0 and self._is_counted_on(found, act) else None

    def of_whole(self, act: int, tests: Mapping[int, str]) -> Checked | None:
        """The check of how much is in its container, of an access that puts an item in or takes one out."""
        whole = self.resizes.of_container(act)
        return None if whole is None else self._found(act, tests, whole)

    def by_copy(self, act: int) -> Checked | None:
        """The copy of a container by which a loop asks it for an item: what was copied was there."""
        copy = self.copies.copied_by(act)
        if copy is None:
            return None
        events, changes = self._events, list[int]()
        for place in self.histories.before(act):
            if place < copy:
                break
            if events.kind[place] != EventKind.READ:
                if events.thread[place] == events.thread[act]:
                    return None
                changes.append(place)
        return Checked(copy, "present", "present", changes, copies=True)

    def nothing(self, check: int) -> str | None:
        """What a read found by which something is made, if that was nothing at all."""
        events = self._events
        if events.tag[check] == ValueTag.NONE:
            return "is None"
        is_item = self._trace.locations[int(events.location[check])].kind is LocationKind.ITEM
        is_call = self._trace.sites[int(events.site[check])].operation == Operation.CALL  # d.get(key)
        return "absent" if is_item and is_call and events.tag[check] == ValueTag.ABSENT else None

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

    def _found(self, act: int, tests: Mapping[int, str], whole: int | None) -> Checked | None:
        """Among the accesses of its location; or of its container as a whole."""
        found = self._in_function(act, tests, whole) if tests else None
        found = self._called_one(act, whole) if found is None else found
        return self._by_a_branch(act, whole) if found is None and whole is not None else found

    def _by_a_branch(self, act: int, whole: int) -> Checked | None:
        """A check of a container as a whole, if the act goes by another name for that: `if not words: for ...:
        table = words; table[k] = v`."""
        asked = {
            place: answer
            for place in self.histories.before(act, _NEAR, whole)
            if self._events.frame[place] == self._events.frame[act] and self._events.kind[place] == EventKind.READ
            if (answer := self.called.answer(int(self._events.site[place]), int(self._events.site[act])))
        }
        tests = {int(self._events.site[place]): answer for place, answer in asked.items()}
        return self._in_function(act, tests, whole) if tests else None

    def _in_function(self, act: int, tests: Mapping[int, str], whole: int | None) -> Checked | None:
        check, changes = checked(self._events, self.histories.before(act, whole=whole), act, tests)
        if check is None or begins_between(self._events, check, act):
            return None
        asked = tests[int(self._events.site[check])]
        answer = self._told_by_value(check) if asks_more(asked) else asked
        return Checked(check, asked, answer, changes) if self._failed[check] == (answer == "raises") else None

    def _told_by_value(self, check: int) -> str:
        """What a read had found, by its value, if the code alone does not tell."""
        if self._failed[check]:
            return "raises"
        if self._events.tag[check] == ValueTag.ABSENT:
            return "absent"
        return "is None" if self._events.tag[check] == ValueTag.NONE else MORE

    def is_done_twice(self, change: Event, act: Event) -> bool:
        """Whether two threads stored by the same instruction what each had made for itself: not a number, of which the
        latest may do, nor anything made of what was there."""
        source = int(self._source[int(np.searchsorted(self._events.seq, act.seq))])
        is_update = source >= 0 and self._events.location[source] == act.location
        is_object = isinstance(act.value, str | bytes | Opaque)
        return change.site == act.site and is_object and not is_update and not _same(change, act)

    def _called_one(self, act: int, whole: int | None) -> Checked | None:
        """One that was made in another function. Not if the thread looked at the location again after a change."""
        events, tests = self._events, self.called.tests.get(int(self._events.site[act]))
        if not tests:
            return None
        changes: list[int] = []
        looked_again = False
        again: int | None = None
        for place in self.histories.own_and_changes_before(act, _MOST_BACK, whole):
            if events.thread[place] != events.thread[act]:
                changes.append(place)
            elif events.kind[place] != EventKind.READ:
                break
            elif events.site[place] != events.site[act] and place != self._source[act]:
                found = self.called.of(act, place) if int(events.site[place]) in tests else None
                if found is not None:
                    answer = self._told_by_value(place) if asks_more(found.answer) else found.answer
                    agrees = (
                        found.answer == OF_IT
                        if answer == MORE
                        else self._agrees(self._with_value(answer, place, act), place)
                    )
                    if (changes and looked_again) or not agrees:
                        break
                    return Checked(place, found.answer, answer, changes, *found[1:], again=again)
                again = place if again is None else again
                looked_again |= not changes and not self._acts_in_any_case(act, place)
        return None

    def _acts_in_any_case(self, act: int, look: int) -> bool:
        """Whether the activation that made an access would have made it whatever it had read before: a method that
        stores an item, and looks whether it must make room for it."""
        activation = self.called.activations.of(act)
        is_one = activation.begun >= 0 and self.called.activations.of(look) == activation
        return is_one and self.is_made_in_any_case(act)

    def is_made_in_any_case(self, access: int) -> bool:
        """Whether its function makes an access whatever it finds."""
        found = self.called.activations.syntax.of_site(int(self._events.site[access]))
        return found is not None and found[0].is_certain(found[1]) and not found[0].may_be_kept_from(found[1])

    def _with_value(self, asked: str, check: int, act: int) -> str:
        """What a check found, with the value that it compared with; as it is if that is not known."""
        beside = _BESIDE.fullmatch(asked)
        if beside is not None:
            sign, offset = beside[1], int(beside[2])
            value = self._read_beside(check, offset)
            name = self._named_beside(check, offset) if value is ABSENT else None
            if name is not None:
                return f"{sign} {name}"
        elif asked.endswith(f" {WRITTEN}"):
            sign, value = asked.removesuffix(f" {WRITTEN}"), self._events[act].value
        elif asked.endswith(f" {TAKEN}"):
            sign, value = asked.removesuffix(f" {TAKEN}"), self._taken(act)
        else:
            return asked
        return f"{sign} {value!r}" if isinstance(value, int | float | str) else asked

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

    def _named_beside(self, check: int, offset: int) -> str | None:
        """The same of what is never written, by the source: a member of an Enum by its class (`State.OPEN`), a global
        that its module gives one constant, an attribute that a class there does (`LIMIT = 5`)."""
        code = self._trace.site_codes[int(self._events.site[check])]
        activations = self.called.activations
        tree = activations.syntax.tree(code.file)
        point = activations.points.get((code.id, offset))
        places: list[Site | SwitchPoint] = [site for site in code.sites if site.offset == offset]
        places += [] if point is None else [point]
        for place in places:
            match tree.at(place):
                case ast.Attribute(ast.Name(owner) | ast.Attribute(attr=owner), name) if owner[:1].isupper():
                    return f"{owner}.{name}"
                case ast.Attribute(ast.Name("self" | "cls"), name):
                    constant = None if self._is_named_elsewhere(name, code.file) else tree.class_constant(name)
                    return None if constant is None else repr(constant[0])
                case ast.Name(name) as node if tree.is_free(node, name):
                    constant = tree.constant(name)
                    return None if constant is None else repr(constant[0])
        return None

    def _is_named_elsewhere(self, name: str, file: int) -> bool:
        """Whether another file has a name, too: a class there may give it another value."""
        if name not in self._files_naming:  # a check may be made very often
            self._files_naming[name] = {each.id for each in self._trace.files if name.encode() in each.source}
        return bool(self._files_naming[name] - {file})

    def decides_more(self, check: int, act: int) -> bool:
        """Whether something else hangs on a check in the same function (`consequences`)."""
        syntax = self.called.activations.syntax
        at = [found for site in (check, act) if (found := syntax.of_site(site)) is not None]
        return len(at) == 2 and at[0][0] is at[1][0] and decides_more(at[0][0], at[0][1], at[1][1])

    def is_only_a_flag(self, check: int, act: int) -> bool:
        """Whether nothing else hangs on a check in the same function that would do harm twice (`consequences`)."""
        syntax = self.called.activations.syntax
        at = [found for site in (check, act) if (found := syntax.of_site(site)) is not None]
        return len(at) == 2 and at[0][0] is at[1][0] and is_only_a_flag(at[0][0], at[0][1], at[1][1])

    def is_transition(self, found: Checked, act: Event) -> bool:
        """Whether a state was found that is not the one that is written, and the program raises if it finds another:
        who comes second must not do it again."""
        if not _OF_STATES.match(found.asked) or _same(self._events[found.check], act):
            return False
        activations = self.called.activations
        done = activations.syntax.of_site(act.site)
        if found.refuses or done is None:
            return found.refuses
        tree, node = done
        asked = activations.node_at(*self.tested(found))
        return asked is not None and is_refused(tree, tested(tree, asked), node)

    def is_a_hint(self, act: int) -> bool:
        """Whether the check by which a call adds to a container is one that nobody relies on (`consequences`)."""
        found = self.called.activations.syntax.of_site(int(self._events.site[act]))
        return found is not None and is_a_hint(*found)

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
    failed = events.failed() & (events.kind == EventKind.READ) & (events.location >= 0)
    acts = checks.made_by_one(failed, tests)
    acts = np.union1d(acts, checks.copies.failed(failed))

    def asked_for_it(found: Checked, act: Event) -> bool:
        """Whether the check had found what the access needs."""
        answer, check = found.answer, int(events.site[found.check])
        found_nothing = answer == "is None" and trace.sites[check].operation == Operation.CALL  # d.get(k) is None
        was_empty = answer == "false" and trace.sites[check].operation == Operation.TEST
        return answer not in ("absent", "raises") and not found_nothing and not was_empty

    if len(acts):
        for stale in _stale(trace, pasts, checks, acts.tolist(), tests, asked_for_it):
            failure = events[int(np.searchsorted(events.seq, stale.act))]
            error = str(failure.value)
            if not checks.handlers.expect(failure.site, error) and not any(
                checks.handlers.expect_in(*call, error) for call in stale.calls
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
    events, tests = trace.events, checks.tests
    acts = checks.changed_meanwhile
    if not len(acts):
        return

    def undone(found: Checked, act: Event) -> bool | None:
        answer, check, change = found.answer, events[found.check], events[found.changes[0]]
        location = trace.locations[check.location]
        if not answer or act.seq in told:
            return False
        if found.asked == MORE and check.site in checks.timed_waits.get(act.site, ()):
            return None if change.site == act.site and not _same(change, act) else False
        if asks_more(found.asked) and not checks.is_done_twice(change, act):
            return False
        if location.kind is LocationKind.WHOLE:
            if act.value is ABSENT:
                place = int(np.searchsorted(events.seq, act.seq))
                if checks.fills.is_one(found, place):
                    return None if any(map(checks.fills.extends, found.changes)) else True
                return is_undone_by_taking(trace, checks.called.activations.syntax, found, found.changes, place)
            return checks.is_done_once(act.site) and is_undone_by_adding(
                trace, found, [events[each] for each in found.changes], act
            )
        is_far = check.site not in tests.get(act.site, ())  # in another function
        if is_of_a_set(location) and act.kind == EventKind.WRITE:
            return checks.decides_more(check.site, act.site) and not holds_after(
                answer, change, location, trace.sites[check.site]
            )
        if _same(change, act) and change.site == act.site and checks.is_transition(found, act):
            return None
        if _same(change, act) and (_is_made(trace, act) or (is_far and change.site != act.site)):
            place = int(np.searchsorted(events.seq, act.seq))
            if change.site != act.site or checks.side_effect(found, place) is None:
                return False
        elif _same(change, act) and not is_far and checks.is_only_a_flag(check.site, act.site):
            return False
        moved = trace.restructured.get(act.location, ())
        if bisect.bisect(moved, check.seq) != bisect.bisect(moved, act.seq):  # another cell of the list
            return False
        holds = holds_after(answer, change, location, trace.sites[check.site])
        if holds is None:
            return None if change.site == act.site else False
        return None if act.location in unseen and not holds else not holds

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
        if events.location[act] < 0 or not trace.locations[int(events.location[act])].certain:
            continue
        found = checks.of(act, tests.get(int(events.site[act]), {}))
        if found is None or not found.changes:
            continue
        check, changes = found.check, found.changes
        location = int(events.location[act if found.copies else check])
        change = changes[0]
        is_undone = undone(found, events[act])
        knows = None if is_undone is False else pasts.holds(act, change)
        if is_undone is False or knows:
            continue
        before, changed, acted = (int(events.seq[each]) for each in (check, change, act))
        changing, acting = (int(events.seq[each] - events.before[each]) for each in (change, act))
        is_sure = is_undone is True and knows is False and before < changing and changed < acting
        is_sure &= all(int(events.seq[earlier]) < changing for earlier in changes[1:])
        counted = checks.counted(found, act)
        read = None if counted is None else int(events.seq[counted])
        yield Stale(location, before, changed, acted, is_sure, found.calls, read)


def checked(events: Events, before: Iterable[int], act: int, tests: Container[int]) -> tuple[int | None, list[int]]:
    """The last test that an access was under, if its thread has not changed the location since; and what others changed
    there since, the latest first. `before`: the location's accesses before it, the latest first."""
    changes: list[int] = []
    for place in before:
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
    tests = [] if site is None else [test.site for test in site.tests if not test.answer or asks_more(test.answer)]
    if not tests:
        return None
    between = its[np.searchsorted(its, np.int32(read)) + 1 : np.searchsorted(its, np.int32(write))]
    again = between[
        (events.kind[between] == EventKind.READ)
        & (events.frame[between] == events.frame[write])
        & (events.thread[between] == events.thread[write])
        & np.isin(events.site[between], tests)
    ]
    if not len(again) or begins_between(events, int(again[-1]), write):
        return None
    return int(again[-1])


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
    """Whether both wrote the same value. Code that one instruction compiled twice is alike."""
    if EventKind.DELETE in (change.kind, act.kind):
        return False
    values = change.value, act.value
    is_code = all(isinstance(each, Opaque) and each.type_name == "code" for each in values)
    return is_same(*values) or (is_code and change.site == act.site)


def _is_made(trace: Trace, act: Event) -> bool:
    """Whether the value that a write stores is made of anything, and is no constant."""
    flow = trace.sites[act.site].flow
    return flow is not None and any(flow) and not is_member(act.value)
