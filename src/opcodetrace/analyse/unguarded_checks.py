"""Unguarded checks: nothing that was seen keeps another thread out from between a thread's check and its act.

A thread checks a location, and does by what it found what is an error if the check would find something else. There are
two ways in which another thread could have made it so:

- it makes the very same check, after the act, and finds something else by then. Had it come before the act, it would
  have found the same, and acted, too. So would a check at another place that makes something if nothing is there;
- it writes to the location, before the check or after the act, so that the check would find something else.

What keeps the two apart is said in `windows`. In Lu, Park, Seo and Zhou, "Learning from mistakes" (2008), check and act
are the commonest bug of atomicity.

An act is an error for certain if it fails; if it is made of a value that is no longer there; or if it makes an object
that the threads change later on, each its own. A value that is made anew and never changed is a cache, and nothing is
said of it, unless something is added elsewhere while it is made (`side_effects`).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.answers import OF_NOTHING, holds_after
from opcodetrace.analyse.called_checks import Tests
from opcodetrace.analyse.check_pairs import Pair, changed, closest, first_items, of_wholes, repeated, taken_out
from opcodetrace.analyse.checks import Checked, begins_between, is_undone_by_adding
from opcodetrace.analyse.early_flags import Need, early_looks
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.free_keys import free_keys
from opcodetrace.analyse.harm import REMOVES, TAKES, Harm
from opcodetrace.analyse.last_items import is_undone_by_taking
from opcodetrace.analyse.relied_on import ReliedOn
from opcodetrace.analyse.remembered import possibly_overtaken
from opcodetrace.analyse.same_value import is_same
from opcodetrace.analyse.searches import Searched, searched
from opcodetrace.analyse.sizes import adds_one, is_for_an_item, size_after
from opcodetrace.analyse.windows import Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import MORE, Operation, Site, asks_more

Array = npt.NDArray[Any]

_OF_MORE = frozenset(["true", "> 0", "!= 0", ">= 1", "not == 0", "not < 1", "not <= 0"])  # there is something in it
_FOUND_NOTHING = OF_NOTHING | {"false"}
_EMPTIES = (*TAKES, REMOVES, ".clear(")
_STORES = frozenset(each for each in Operation if each.startswith("STORE_"))
_DELETES = frozenset(each for each in Operation if each.startswith("DELETE_"))


class UnguardedCheck(NamedTuple):
    """A thread's check and its act; and what another thread did before them, or after."""

    location: int
    check: int  # seqs
    act: int
    other: int
    is_same_check: bool  # the other one is such a check; else it is a write or deletion
    gil_only: bool  # this build has no switch point between check and act
    is_sure: bool  # it is known that the check would go otherwise
    flag: int | None = None  # if the check said that the other one had been made: the write that it found
    acts_at: int | None = None  # and the location of act and other
    read: int | None = None  # if the other one is a reset: what the act's value was made of,
    outdated_by: int | None = None  # and the other thread's write that belongs to the reset
    effect: int | None = None  # what else the thread did by the check, if that is all that would be wrong twice


def unguarded_checks(evidence: Evidence, told: Collection[int] = ()) -> Iterator[UnguardedCheck]:
    """One for each location and act in the code. Without those acts (sites) of which something is `told` as it
    happened. None in a run of which it cannot be judged (`windows.can_be_judged`)."""
    trace = evidence.trace
    events, checks = trace.events, evidence.checks
    tests = {site.id: answers for site in trace.sites.values() if (answers := dict(_answers(trace, site)))}
    tests = checks.kept_or_made | tests
    more = {site.id: answers for site in trace.sites.values() if (answers := _asking_more(site))}
    if not can_be_judged(trace):
        return
    yield from _searched_twice(evidence, told)
    called = checks.called.tests
    either = {
        site: {**called.get(site, {}), **more.get(site, {}), **tests.get(site, {})}
        for site in tests.keys() | more.keys() | called.keys()
    }
    led = _leading_to(trace, tests, called)
    search = _Search(evidence, tests, more, led)
    acts = checks.made_by_one(events.kind <= EventKind.DELETE, tests | more)
    acts = np.union1d(acts[~_is_kept(evidence, acts)], search.relied_on.acts)
    acts = np.union1d(acts, checks.copies.acts((events.kind <= EventKind.DELETE) & (events.location >= 0)))
    acts = np.union1d(acts, checks.resizes.of_any)
    if not len(acts):
        return
    pairs_of = [repeated(evidence, acts, either), repeated(evidence, acts, led)]
    repetitions = closest(evidence, np.concatenate([*pairs_of, of_wholes(evidence)], axis=1))
    by_others = [changed(evidence, acts, checks.histories), taken_out(evidence)]
    changes = closest(evidence, np.concatenate(by_others, axis=1))
    found: dict[Pair, Checked] = {
        pair: checked
        for pairs, check_of in ((repetitions, search.check_repeated), (changes, search.check_changed))
        for pair in itertools.starmap(Pair, pairs.T.tolist())
        if (checked := check_of(pair)) is not None
    }
    windows = Windows(
        evidence,
        (
            each
            for pair, checked in found.items()
            for each in (Window(checked.check, pair.act), _since(checked, pair.act), Window(pair.other, pair.other))
        ),
    )
    told_at: dict[tuple[int, int, int], UnguardedCheck] = {}
    for pair, checked in sorted(found.items()):
        check = checked.check
        key = int(events.location[check]), int(events.site[check]), int(events.site[pair.act])
        if key[2] in told or (key in told_at and not told_at[key].gil_only):
            continue
        act, other = pair
        window = Window(check, act)
        gil_only = _is_gil_only(windows, window, checked)
        if key in told_at and gil_only:
            continue
        earlier, later = (other, check) if other < check else (act, other)
        if (
            windows.is_another_cell(min(check, other), max(act, other))
            or windows.have_one_ident(act, other)
            or not windows.lets_in(window, other)
            or windows.may_be_another_object(act, other)
            or windows.have_a_common_lock(window, Window(other, other))
            or windows.may_be_ordered(earlier, later)
            # who comes by another check would have to take that lock, too, and then checks again
            or (search.is_checked_again(checked, act, other) and windows.have_a_common_lock(window, window))
            or (checked.again is not None and windows.have_a_common_lock(*[_since(checked, act)] * 2))
        ):
            continue
        is_same = bool(events.kind[other] == EventKind.READ)
        first, last, remote = (int(events.seq[place]) for place in (check, act, other))
        is_of_another = checked.copies and not is_same and events.location[act] != events.location[other]
        is_sure = not asks_more(checked.asked) and not is_of_another
        effect = None if checked.effect is None else int(events.seq[checked.effect])
        told_at[key] = UnguardedCheck(key[0], first, last, remote, is_same, gil_only, is_sure, effect=effect)
    yield from told_at.values()
    yield from _passed_too_early(evidence, np.concatenate([repetitions, first_items(evidence)], axis=1), told)
    for each, gil_only in possibly_overtaken(evidence, changes.T.tolist(), told):
        first, last, remote, read, change = (
            int(events.seq[place]) for place in (each.check, each.act, each.reset, each.read, each.change)
        )
        yield UnguardedCheck(
            int(events.location[each.act]),
            first,
            last,
            remote,
            is_same_check=False,
            gil_only=gil_only,
            is_sure=False,
            read=read,
            outdated_by=change,
        )


def _is_kept(evidence: Evidence, acts: Array) -> Array:
    """Which of some writes only put back what was there (`kept_or_made`): all but a few, if it is kept."""
    events, sites = evidence.trace.events, list(evidence.checks.kept_or_made)
    source = evidence.sources.place[acts]
    same = (events.tag[source] == events.tag[acts]) & (events.word[source] == events.word[acts])
    kept: Array = np.isin(events.site[acts], sites) & (source >= 0) & same
    return kept


def _since(checked: Checked, act: int) -> Window:
    """From where the thread looked last until it acted."""
    return Window(checked.check if checked.again is None else checked.again, act)


def _passed_too_early(evidence: Evidence, pairs: Array, told: Collection[int]) -> Iterator[UnguardedCheck]:
    """Checks of flags that are set before what they tell of is made (`early_flags`), one for each place in the code.
    `pairs`: writes, and the next checks of the same."""
    events = evidence.trace.events
    found = [each for each in early_looks(evidence, pairs.T.tolist()) if int(events.site[each.look]) not in told]
    windows = Windows(
        evidence,
        (
            window
            for each in found
            for window in (Window(each.flag, each.fill), *(Window(at, at) for at in (each.check, each.look)))
        ),
    )
    told_at: dict[tuple[int, int, int], UnguardedCheck] = {}
    for each in sorted(found):
        flag, check, look, fill, need = each
        key = int(events.location[check]), int(events.site[check]), int(events.site[look])
        window = Window(flag, fill)
        came = look < fill  # in this very run
        gil_only = not came and windows.is_gil_only(window)
        if (
            (key in told_at and (gil_only or not told_at[key].gil_only))
            or not windows.lets_in(window, check)
            or any(windows.have_a_common_lock(window, Window(at, at)) for at in (check, look))
        ):
            continue
        if not came and windows.may_be_ordered(fill, look):
            continue
        first, last, remote, before = (int(events.seq[place]) for place in (check, look, fill, flag))
        is_sure, at = need is Need.RAISES, int(events.location[look])
        told_at[key] = UnguardedCheck(key[0], first, last, remote, False, gil_only, is_sure, before, at)
    yield from told_at.values()


def _searched_twice(evidence: Evidence, told: Collection[int]) -> Iterator[UnguardedCheck]:
    """Items that were looked for by a loop, and put in as they were not found (`searches`); and keys that were found
    free by one (`free_keys`)."""
    events = evidence.trace.events
    keys = [
        Searched(each.look, each.act, each.other)
        for each in free_keys(evidence)
        if each.other is not None and not each.changes
    ]
    found = [each for each in (*searched(evidence), *keys) if int(events.site[each.act]) not in told]
    windows = Windows(
        evidence, (each for one in found for each in (Window(one.look, one.act), Window(one.other, one.other)))
    )
    told_at: dict[tuple[int, int, int], UnguardedCheck] = {}
    for look, act, other in found:
        key = int(events.location[act]), int(events.site[look]), int(events.site[act])
        window = Window(look, act)
        gil_only = windows.is_gil_only(window)
        if (
            (key in told_at and (gil_only or not told_at[key].gil_only))
            or not windows.lets_in(window, other)
            or windows.have_a_common_lock(window, Window(other, other))
            or windows.may_be_ordered(act, other)
        ):
            continue
        first, last, remote = (int(events.seq[place]) for place in (look, act, other))
        is_sure = evidence.trace.locations[key[0]].kind is LocationKind.ITEM  # a free key, and no loop over all
        told_at[key] = UnguardedCheck(key[0], first, last, remote, True, gil_only, is_sure)
    yield from told_at.values()


def _is_gil_only(windows: Windows, window: Window, checked: Checked) -> bool:
    """Of a check that was called, and acted on where its result was tested, from there on. What calls more may always
    be suspended."""
    if not checked.way:
        return windows.is_gil_only(window)
    is_short = len(checked.way) == 2 and not checked.calls
    return is_short and windows.is_gil_only(window, checked.way[-1][1])


def _answers(trace: Trace, site: Site) -> Iterator[tuple[int, str]]:
    """By each test of an access, what it must have found. Of a container's truth that is not told: there is something
    in it, for else nothing is taken out."""
    for test in site.tests:
        known = trace.sites.get(test.site)
        answer = test.answer or ("true" if known is not None and known.operation == Operation.TEST else "")
        if answer and not asks_more(answer):
            yield test.site, answer


def _asking_more(site: Site) -> dict[int, str]:
    """The tests of a store by which more is asked of what is there than can be told."""
    return {test.site: MORE for test in site.tests if asks_more(test.answer)} if site.operation in _STORES else {}


def _leading_to(trace: Trace, tests: Tests, called: Tests) -> dict[int, dict[int, str]]:
    """By the site of a store that is made if nothing is there: the checks of others that nothing is there, by which its
    function is called: `if key not in self.d: self.add(key)`."""
    found = {}
    for site, answers in tests.items():
        if trace.sites[site].operation in _STORES and answers and OF_NOTHING.issuperset(answers.values()):
            leading = {check: answer for check, answer in called.get(site, {}).items() if answer in OF_NOTHING}
            if leading:
                found[site] = leading
    return found


class _Search:
    """Looks into pairs."""

    def __init__(self, evidence: Evidence, tests: Tests, more: Tests, led: Tests) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._sources = evidence.sources
        self._tests = tests
        self._asking_more = more
        self._led = led
        self._either = {site: {**answers, **tests.get(site, {})} for site, answers in more.items()}
        self._sites_of_checks = {check for answers in tests.values() for check in answers}
        self._pasts = evidence.pasts
        self._checks = evidence.checks
        self._histories = evidence.checks.histories
        self._sites_of: dict[int, frozenset[int]] = {}
        self._harm = Harm(evidence, self._sites_of_checks)
        self.relied_on = ReliedOn(evidence, tests, lambda act: self._check(act, tests))

    def check_repeated(self, pair: Pair) -> Checked | None:
        """The check by which the act was made; None if the other check is not the same, would find the
        same, or does no harm."""
        copied = self._checks.by_copy(pair.act) if self._asks_by_a_copy(pair.act) else None
        if copied is not None and self._is_copied_again(copied, pair):
            return copied
        found = self._check(pair.act, self._tests)
        repeated = None if found is None else self._repeated(found, pair)
        if repeated is None and int(self._events.site[pair.act]) in self._asking_more:
            more = self._check(pair.act, self._either)
            repeated = self._repeated(more, pair) if more is not None and more.asked == MORE else None
        return repeated

    def _repeated(self, found: Checked, pair: Pair) -> Checked | None:
        if not self._is_repeated(found, pair):
            return None
        act, other = pair
        if asks_more(found.asked):
            is_wrong = self._harm.is_made_twice(found, act)
        else:
            is_wrong = self._harm.is_wrong_twice(found, act, other)
        # a flag may be set more than once: who warns about once, warns twice at times
        if is_wrong or self._harm.is_update(act) or self._harm.is_constant(act):
            return found if is_wrong else None
        effect = self._checks.side_effect(found, act)
        return None if effect is None else found._replace(effect=effect)

    def _is_repeated(self, found: Checked, pair: Pair) -> bool:
        events, (act, other) = self._events, pair
        if not self._asks_alike(found, other) and not (self.leads_to(act, other) and not found.way):
            return False
        between = self._between(act, other)
        changes = (
            place for place in between if events.kind[place] != EventKind.READ and not self._puts_back(place, act)
        )
        fills = self._checks.fills
        if not all(self._is_of_another(place, found, act) or fills.goes_on(place, act) for place in changes):
            return False  # what the other check found is not by this act
        looks = (
            place
            for place in between
            if not self._is_part(place, found, pair)
            and (self._looks(place, act) or self._asks_the_whole(place, found, act))
            and not self._is_of_another(place, found, act)
        )
        if any(self._had_heard(other, place) for place in looks):
            return False  # the other thread had found it so before, and may have done the same by that
        if is_for_an_item(self._trace.sites[int(events.site[other])]) and not self._asks_for_the_same(found, pair):
            return False
        if self._whole(found, act) is not None:  # of its changes, not all are known
            size = size_after(events[found.check], [events[act]])
            if type(size) is not int or events[other].value != size:
                return False
        if asks_more(found.asked):
            return not self._acts_again(pair)
        if found.refuses and self._acts_again(pair, anywhere=True):
            return False
        return self._is_undone(found, act, act)

    def _puts_back(self, place: int, act: int) -> bool:
        """Whether a write keeps what an act had stored (`kept_or_made`)."""
        events = self._events
        same = events.tag[place] == events.tag[act] and events.word[place] == events.word[act]
        return bool(same) and int(events.site[place]) in self._checks.kept_or_made

    def _is_part(self, place: int, found: Checked, pair: Pair) -> bool:
        """Whether a look is one of several that the other thread's check consists of."""
        events, (act, check) = self._events, pair
        look, decided = int(events.site[place]), int(events.site[act])
        if asks_more(found.asked):
            return look in self._asking_more.get(decided, {})
        is_one = events.frame[place] == events.frame[check] and not begins_between(events, place, check)
        tests = (self._tests.get(decided, {}), self._asking_more.get(decided, {}))
        return bool(is_one) and any(look in each for each in tests)

    def _acts_again(self, pair: Pair, *, anywhere: bool = False) -> bool:
        """Whether the thread of the other check did the same by it; `anywhere`: in another function, too."""
        events, (act, other) = self._events, pair
        own = (place for place in self._histories.after(other) if events.thread[place] == events.thread[other])
        for place in own:
            if events.kind[place] != EventKind.READ:
                is_here = anywhere or bool(events.frame[place] == events.frame[other])
                return is_here and bool(events.site[place] == events.site[act])
            if events.site[place] == events.site[other]:
                return False
        return False

    def _asks_alike(self, found: Checked, other: int) -> bool:
        """Whether the other check is the same one, or at another place in the code, to make something if nothing is
        there."""
        if self._checks.called.are_at_one_place(found.check, other):
            return self._checks.called.comes_the_same_way(other, found.way)
        sites = int(self._events.site[found.check]), int(self._events.site[other])
        is_alike = self._sites_of_making.issuperset(sites) or self._looks_before(found, other)
        return is_alike and not found.way

    def is_checked_again(self, found: Checked, act: int, other: int) -> bool:
        """Whether who makes the other check makes this one, too, before it acts."""
        return self.leads_to(act, other) or self._looks_before(found, other)

    def _looks_before(self, found: Checked, other: int) -> bool:
        return (int(self._events.site[other]), int(self._events.site[found.check])) in self._first_looks

    @cached_property
    def _first_looks(self) -> set[tuple[int, int]]:
        """The sites where a function asks whether something is there, and those where it asks it again to act by that:
        `if key in d and ...: ... elif key not in d: d[key] = []`; `if name in names: raise`, and later `if name not in
        names: names.append(name)`."""
        sites = self._trace.sites
        return {
            (look, check)
            for act, answers in self._tests.items()
            for check, answer in answers.items()
            for look in {*self._asking_more.get(act, ()), *(each for each in answers if answers[each] == answer)}
            if look != check and answer == "absent"
            if sites[look].operation == sites[check].operation == Operation.CONTAINS
        }

    def leads_to(self, act: int, check: int) -> bool:
        """Whether what is done if nothing is there is called by another check that nothing is there."""
        return int(self._events.site[check]) in self._led.get(int(self._events.site[act]), {})

    @cached_property
    def _sites_of_making(self) -> set[int]:
        """Of checks that nothing is there, by which something is stored there in the same function: the last ones, as
        they may be made anew under a lock."""
        sites = self._trace.sites
        last = {
            act: max(answers, key=lambda check: sites[check].offset if check in sites else -1)
            for act, answers in self._tests.items()
            if sites[act].operation in _STORES
        }
        return {check for act, check in last.items() if self._tests[act][check] in OF_NOTHING}

    def _looks(self, place: int, act: int) -> bool:
        """Whether another thread than that of an act finds out there whether it was done, and may act itself."""
        site = self._trace.sites.get(int(self._events.site[place]))
        tries = site is not None and site.operation in _DELETES
        return self._events.thread[place] != self._events.thread[act] and (
            tries or int(self._events.site[place]) in self._sites_of_checks
        )

    def _asks_the_whole(self, place: int, found: Checked, act: int) -> bool:
        """Whether another thread asked how much was in a dictionary or a set: perhaps to act by that."""
        is_other = self._events.thread[place] != self._events.thread[act]
        return self._whole(found, act) is not None and bool(is_other) and type(self._events[place].value) is int

    def _had_heard(self, place: int, earlier: int) -> bool:
        """Whether it is the same thread, or one that had waited for the other to be past that."""
        is_own = bool(self._events.thread[place] == self._events.thread[earlier])
        return is_own or self._pasts.holds(place, earlier) is not False

    def _asks_for_the_same(self, found: Checked, pair: Pair) -> bool:
        """Whether a check asks for the item that an act added, or removed. In dicts and sets, each is a location of its
        own."""
        events, (act, other) = self._events, pair
        is_whole = self._location(other).kind is LocationKind.WHOLE
        item = act if adds_one(events[act]) else found.check
        return not is_whole or is_same(events[item].value, events[other].value)

    def _is_of_another(self, change: int, found: Checked, act: int) -> bool:
        """Whether a change of a container, or a look at it, is known to be of another item than a check asked for."""
        sites = (self._trace.sites[int(self._events.site[place])] for place in (found.check, change))
        asks, is_look = map(is_for_an_item, sites)
        removing = self._check(change, self._tests) if REMOVES in self._harm.expression(change) else None
        is_told = is_look or adds_one(self._events[change])
        item = change if is_told else None if removing is None else removing.check
        if not asks or item is None:
            return False
        values = [self._events[place].value for place in (item, act if adds_one(self._events[act]) else found.check)]
        return all(isinstance(value, str | int | bytes) for value in values) and values[0] != values[1]

    def check_changed(self, pair: Pair) -> Checked | None:
        """The same for another thread's write or deletion; None if that leaves the check as it is, or does no harm."""
        act, other = pair
        upon = self.relied_on.check(act, other)
        if upon is not None and not self._is_first(other) and self._harm.is_error(upon, act, other):
            return upon
        copied = self._checks.by_copy(act) if self._asks_by_a_copy(act) else None
        if copied is not None and self._is_taken_out(copied, act, other):
            return copied
        found = self._check(act, self._tests)
        if found is None or asks_more(found.asked) or found.check < other < act:
            return None
        if self._is_first(other, self._whole(found, other)):
            return None
        # what is done by another check may never meet this one: each has its turn
        if self._is_by_another_check(other, found.asked):
            return None
        return found if self._is_undone(found, act, other) and self._harm.is_error(found, act, other) else None

    def _asks_by_a_copy(self, act: int) -> bool:
        return int(self._events.site[act]) in self._checks.copies.sites

    def _is_copied_again(self, copied: Checked, pair: Pair) -> bool:
        """Whether the other thread makes the same copy, after an item was taken out, and would ask for it, too."""
        act, other = pair
        over = self._checks.copies.at(int(self._events.site[act]))
        before = (
            place for place in self._between(act, other) if self._events.thread[place] != self._events.thread[act]
        )
        return (
            not copied.changes
            and not any(self._had_heard(other, place) for place in before)
            and over is not None
            and over.is_by_value
            and bool(self._events.kind[act] == EventKind.DELETE)
            and self._checks.copies.is_made_at(over, other)
            and self._harm.fails_without(copied, act)
        )

    def _is_taken_out(self, copied: Checked, act: int, other: int) -> bool:
        """Whether another thread's access takes out an item that a loop over a copy asks for; or one that it would have
        asked for, too."""
        events = self._events
        if copied.changes or events.kind[other] != EventKind.DELETE or copied.check < other < act:
            return False
        whole = int(events.location[copied.check])
        is_one = events.location[other] == events.location[act]
        over = self._checks.copies.at(int(events.site[act]))
        if over is None or (not is_one and self._checks.resizes.of_container(other) != whole):
            return False
        does_the_same = over.is_by_value and events.site[act] == events.site[other]
        if not (is_one or over.is_for_each or does_the_same):
            return False  # the other one may take out what this one would leave
        return not self._is_first(other, whole) and self._harm.fails_without(copied, act)

    def _whole(self, found: Checked, place: int) -> int | None:
        """The container as a whole, if the check asked that, and the access is at an item."""
        location = int(self._events.location[found.check])
        is_whole = self._trace.locations[location].kind is LocationKind.WHOLE
        return location if is_whole and location != self._events.location[place] else None

    def _check(self, act: int, tests: Tests) -> Checked | None:
        """The check that decided upon an act, if its answer is known and nobody changed the location in between."""
        if not self._location(act).certain:
            return None
        found = self._checks.of(act, tests.get(int(self._events.site[act]), {}))
        if found is None or found.changes or not found.answer:
            return None
        # an empty container would not do either, but who had come before the act would have found nothing at all
        nothing = self._checks.nothing(found.check) if found.answer == "false" else None
        return found if nothing is None else found._replace(answer=nothing)

    def _is_by_another_check(self, place: int, answer: str) -> bool:
        """Whether a write was, or may have been, made by a check that found something else."""
        site = self._trace.sites.get(int(self._events.site[place]))
        if site is None or any(other != answer for _, other in _answers(self._trace, site)):
            return True
        called = self._checks.called.tests.get(site.id)
        if not called:
            return False
        found = self._checks.of(place, {})
        if found is not None:
            return found.asked != answer
        # nor what may be done by one, as far as that is known
        sites = self._sites_at(int(self._events.location[place]))
        return any(other != answer for check, other in called.items() if check in sites)

    def _sites_at(self, location: int) -> frozenset[int]:
        """Those of all accesses of a location."""
        if location not in self._sites_of:
            places = np.fromiter(self._histories.of(location), np.int64)
            self._sites_of[location] = frozenset(np.unique(self._events.site[places]).tolist())
        return self._sites_of[location]

    def _between(self, one: int, other: int) -> list[int]:
        before = self._histories.before(other)
        return before[: before.index(one)] if one in before else before

    def _is_undone(self, found: Checked, act: int, change: int) -> bool:
        """Whether the check would find something else after a change."""
        events, trace = self._events, self._trace
        location = self._location(found.check)
        if location.kind is LocationKind.WHOLE and act == change and adds_one(events[act]):
            return is_undone_by_adding(trace, found, [events[act]], events[act])
        if location.kind is LocationKind.WHOLE and act == change and REMOVES in self._harm.expression(act):
            is_of_it = is_for_an_item(trace.sites[int(events.site[found.check])])
            return found.answer == "present" and is_of_it
        if act == change and self._checks.fills.is_one(found, act):
            return True
        syntax = self._checks.called.activations.syntax
        if act == change and is_undone_by_taking(trace, syntax, found, [act], act):
            return True
        if self._whole(found, act) is not None and act != change:
            return False  # of each change it is known that it took one: that need not be the last one
        if location.kind is LocationKind.WHOLE:  # perhaps nothing is left
            return found.answer in _OF_MORE and any(word in self._harm.expression(change) for word in _EMPTIES)
        needs_it = location.kind is LocationKind.ITEM and events.kind[act] != EventKind.WRITE
        if needs_it and events.kind[change] == EventKind.DELETE:  # whatever a call would give in its place
            return found.answer not in _FOUND_NOTHING
        check = trace.sites[int(events.site[found.check])]
        return holds_after(found.answer, events[change], location, check) is False

    def _is_first(self, place: int, whole: int | None = None) -> bool:
        """Whether no other thread had been at the location before: who makes an object need not guard it."""
        before = self._histories.before(place, whole=whole)
        return bool((self._events.thread[before] == self._events.thread[place]).all())

    def _location(self, place: int) -> Location:
        return self._trace.locations[int(self._events.location[place])]
