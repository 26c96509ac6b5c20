"""Read skews: a thread read two values that belong together, and got one from before another thread's change of both,
and one from after it.

A5A in Berenson et al., "A critique of ANSI SQL isolation levels" (1995); "high-level data races", by which the views
of two threads are not consistent, in Artho, Havelund and Biere (2003); MUVI in Lu et al. (SOSP 2007). That two
locations belong together is a guess if it rests on a few accesses. So all of this must be so:

- whoever writes one of them in this run also writes the other: by the next statements of one block, or each time under
  one lock; and nothing there is counted on, unless what one gains the other one loses (a transfer);
- the reader makes one value of both: they are operands, items or arguments of one expression. It reads them there one
  after the other, with nothing called in between; or each under that lock, which it gave up in between;
- the two values were never there together. So the order of the accesses need not be known.
"""

from __future__ import annotations

import ast
import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.same_value import KNOWN
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Code, Operation

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence

Array = npt.NDArray[Any]
Together = dict[tuple[int, int], "Meeting"]  # by two places in the code

MAX_PAIRS = 16  # of two places in the code at which a skew is looked into
MAX_CALLS = 20_000  # pairs of calls of which it is looked what they read
MAX_WRITES = 100_000  # of two locations, that are gone through
MAX_EXPRESSIONS = 40  # reads or calls in one statement that are held against each other
_NEAR = 64  # accesses of a thread around a read among which it may look again
_IN_A_CALL = 64  # events of a called function among which its read is looked for
_LOADS = (Operation.LOAD_ATTR, Operation.LOAD_SUBSCR, Operation.LOAD_GLOBAL)
_FLAGS = (ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE)
_KINDS = frozenset([LocationKind.ITEM, LocationKind.ATTRIBUTE, LocationKind.GLOBAL])


class ReadSkew(NamedTuple):
    """All but the locations are seqs."""

    locations: tuple[int, int]  # in the order in which they were read
    first: int
    second: int
    write: int  # of one of them, and of the other one, by another thread
    other: int


class Meeting(NamedTuple):
    """Where two values become one."""

    expression: ast.expr
    is_plain: bool  # they are read there, one after the other
    is_of_one: bool = True  # the source names the same object for both


class _Pair(NamedTuple):
    """Two reads, places among the events; and how many calls above them their values meet."""

    first: int
    second: int
    meeting: Meeting
    above: int


class _State(NamedTuple):
    """What two locations held together: the places of the writes, and the values."""

    one: int
    other: int
    values: tuple[tuple[int, int], tuple[int, int]]


class _States:
    """All that two locations held together, in order."""

    def __init__(self, states: Iterable[_State], is_counted_on: Callable[[_State], bool]) -> None:
        self.all = list(states)
        self._at = [[state.one for state in self.all], [state.other for state in self.all]]
        self.values = frozenset(state.values for state in self.all)
        self.are_counted_on = any(map(is_counted_on, self.all))

    def shown(self, number: int, read: int) -> int | None:
        """The place of the state that a read of the first location, or the second one, found."""
        found = bisect.bisect_left(self._at[number], read) - 1
        return None if found < 0 else found

    @cached_property
    def have_one_sum(self) -> bool:
        """Whether what the one gains the other one loses."""
        numbers = all(tag == ValueTag.INT for values in self.values for tag, _ in values)
        return numbers and len({one[1] + other[1] for one, other in self.values}) == 1


def read_skews(evidence: Evidence) -> Iterator[ReadSkew]:
    """In the order of the second reads. None in a run of which accesses or synchronisation may be missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    search = _Search(evidence)
    found = {(each.first, each.second): each for each in search.all()}
    yield from sorted(found.values(), key=lambda each: each.second)


class _Search:
    def __init__(self, evidence: Evidence) -> None:
        self._trace = evidence.trace
        self._events = evidence.trace.events
        self._accesses = evidence.accesses
        self._source = evidence.sources.place
        self._pasts = evidence.pasts
        self._unseen = {each.location for each in evidence.unseen}
        self._activations = evidence.activations
        self._states_of: dict[tuple[int, int, int | None], _States] = {}
        self._together: dict[tuple[int, int], bool] = {}
        self._number: Counter[tuple[int, int]] = Counter()

    def all(self) -> Iterator[ReadSkew]:
        for pair in itertools.chain(self._of_one_expression(), self._of_two_sections(), self._of_two_calls()):
            sites = int(self._events.site[pair.first]), int(self._events.site[pair.second])
            if self._number[sites] < MAX_PAIRS:
                found = self._told(pair)
                if found is not None:
                    self._number[sites] += 1
                    yield found

    # --- what reads two of them

    @cached_property
    def _used(self) -> list[int]:
        """The sites at which there are events."""
        events, used = self._events, np.zeros(int(self._events.site.max(initial=0)) + 1, bool)
        for start in range(0, len(events), PIECE):
            used[events.site[start : start + PIECE]] = True
        return np.flatnonzero(used).tolist()

    @cached_property
    def _loads(self) -> tuple[Together, Together]:
        """Sites of reads whose values meet: as they are read, and out of local variables."""
        nodes: defaultdict[int, dict[int, ast.AST]] = defaultdict(dict)  # by code
        trees: dict[int, Tree] = {}
        for number in self._used:
            site = self._trace.sites.get(number)
            found = self._activations.syntax.of_site(number) if site and site.operation in _LOADS else None
            if found is not None:
                code = self._trace.site_codes[number].id
                trees[code], nodes[code][number] = found
        plain: Together = {}
        kept: Together = {}
        for code, its in nodes.items():
            for one, other, first, second in _beside(trees[code], its):
                if _whose(its[one]) != _whose(its[other]) or ast.dump(its[one]) == ast.dump(its[other]):
                    continue
                is_plain = first is its[one] and second is its[other]
                expression = trees[code].meeting(first, second, is_plain=is_plain)
                if expression is not None:
                    (plain if is_plain else kept)[one, other] = Meeting(expression, is_plain)
        return plain, kept

    def _of_one_expression(self) -> Iterator[_Pair]:
        yield from self._read_one_after_the_other(self._loads[0])

    def _of_two_sections(self) -> Iterator[_Pair]:
        has_locks = bool(self._pasts.judge.locks) if self._loads[1] else False
        yield from self._read_one_after_the_other(self._loads[1]) if has_locks else ()

    def _read_one_after_the_other(self, together: Together) -> Iterator[_Pair]:
        """Reads at two such sites by one activation, with no write of its own between them."""
        if not together:
            return
        events = self._events
        places = self._at({site for pair in together for site in pair})
        size = int(events.thread.max(initial=0)) + 1
        lane = events.frame[places].astype(np.int64) * size + events.thread[places]
        order = np.argsort(lane, kind="stable")
        places, lane = places[order], lane[order]
        pairs = np.array([(one << 32) + other for one, other in together], np.int64)
        first, second = places[:-1], places[1:]
        meets = (lane[:-1] == lane[1:]) & (events.location[first] != events.location[second])
        meets[meets] = np.isin((events.site[first[meets]].astype(np.int64) << 32) + events.site[second[meets]], pairs)
        for one, other in zip(first[meets].tolist(), second[meets].tolist(), strict=True):
            yield _Pair(one, other, together[int(events.site[one]), int(events.site[other])], 0)

    def _at(self, sites: set[int]) -> Array:
        """The places of reads at some sites, of locations that may belong together with another one."""
        events = self._events
        is_site = np.zeros(max([*sites, int(events.site.max(initial=0))]) + 1, bool)
        is_site[list(sites)] = True
        rows = [np.empty(0, np.int64)]
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            chosen = is_site[events.site[part]] & (events.kind[part] == EventKind.READ) & (events.location[part] >= 0)
            rows.append(start + np.flatnonzero(chosen & np.isin(events.tag[part], KNOWN)))
        places = np.concatenate(rows)
        plain = [number for number in np.unique(events.location[places]).tolist() if self._is_plain(number)]
        found: Array = places[np.isin(events.location[places], plain)]
        return found

    def _is_plain(self, number: int) -> bool:
        location = self._trace.locations[number]
        is_cell = location.certain and location.kind in _KINDS and location.threads > 1 and location.writes > 1
        return is_cell and number not in self._unseen and number not in self._trace.restructured

    def _of_two_calls(self) -> Iterator[_Pair]:
        """Reads by two functions that one activation called, and whose results meet in it."""
        trace, calls = self._trace, self._activations.calls
        if not self._pasts.judge.locks:
            return
        used = set(self._used)
        getters = {code.id for code in trace.codes if not used.isdisjoint(code.returned.reads)}
        by_caller: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # where it begins, place
        for call in trace.calls if getters else ():
            is_from = call.caller_seq in calls and call.place is not None
            if is_from and trace.site_codes[call.site].id in getters:
                by_caller[call.caller_seq or 0].append((call.seq, call.place or 0))
        together: dict[int, dict[tuple[int, int], Meeting]] = {}  # by code: two offsets
        left = MAX_CALLS
        for caller_seq, row in by_caller.items():
            code = trace.site_codes[calls[caller_seq].site]
            if len(row) > 1 and code.id not in together:
                together[code.id] = self._called_together(code)
            row.sort()
            for (began, one), (then, other) in itertools.pairwise(row):
                meeting = together[code.id].get((one, other))
                if meeting is None or not left:
                    continue
                left -= 1
                first, second = self._only_read(began), self._only_read(then)
                if first is not None and second is not None:
                    yield _Pair(first, second, meeting, 1)

    def _called_together(self, code: Code) -> dict[tuple[int, int], Meeting]:
        """Where it calls two methods without arguments, or reads two properties, whose results meet."""
        tree = self._activations.syntax.tree(code.file)
        nodes = {point.offset: node for point in code.switch_points if (node := tree.at(point)) and _is_getter(node)}
        found = {}
        for one, other, first, second in _beside(tree, nodes):
            expression = tree.meeting(first, second, is_plain=False)
            if expression is not None and nodes[one] is not nodes[other]:
                is_of_one = _whose(nodes[one]) == _whose(nodes[other])
                found[one, other] = Meeting(expression, is_plain=False, is_of_one=is_of_one)
        return found

    def _only_read(self, began: int) -> int | None:
        """What a function read, if that is one access of a cell, which it returns."""
        events = self._events
        start = int(np.searchsorted(events.seq, began))
        if start == len(events) or events.seq[start] != began:
            return None
        found = None
        for place in range(start + 1, min(start + _IN_A_CALL, len(events))):
            if events.frame[place] != events.frame[start] or events.thread[place] != events.thread[start]:
                continue
            if events.kind[place] == EventKind.ENTER:
                break
            location = int(events.location[place])
            if location < 0 or not self._is_plain(location):
                continue
            if found is not None or events.kind[place] != EventKind.READ:
                return None
            found = place
        if found is None or events.tag[found] not in KNOWN:
            return None
        site = int(events.site[found])
        return found if site in self._trace.site_codes[site].returned.reads else None

    # --- what was written together

    def _told(self, pair: _Pair) -> ReadSkew | None:
        events = self._events
        one, other = int(events.location[pair.first]), int(events.location[pair.second])
        if one == other or np.isin(events.tag[[pair.first, pair.second]], _FLAGS).any():
            return None
        lock = None if pair.meeting.is_plain else self._lock_given_up(pair)
        if lock is None and not pair.meeting.is_plain:
            return None
        states = self._states(one, other, lock)
        if not states.all or not self._belong_together(one, other, states, pair.meeting):
            return None
        values = self._value(pair.first), self._value(pair.second)
        if values in states.values:
            return None
        shown = [states.shown(number, read) for number, read in enumerate((pair.first, pair.second))]
        if None in shown or any(states.all[k].values[at] != values[at] for at, k in enumerate(shown) if k is not None):
            return None
        state = states.all[max(each for each in shown if each is not None)]
        write, then = sorted((state.one, state.other))
        if (
            events.thread[write] == events.thread[pair.second]
            or self._pasts.holds(pair.second, write) is not False
            or self._pasts.holds(then, pair.first) is not False
            or self._activations.is_looked_at(pair.second, pair.meeting.expression, pair.above)
            or self._looks_again(pair, write)
        ):
            return None
        seqs = (int(events.seq[each]) for each in (pair.first, pair.second, write, then))
        return ReadSkew((one, other), *seqs)

    def _value(self, place: int) -> tuple[int, int]:
        return int(self._events.tag[place]), int(self._events.word[place])

    def _lock_given_up(self, pair: _Pair) -> int | None:
        """The lock under which both reads were made, and that the thread gave up between them."""
        moments, events = self._pasts.moments, self._events
        places = np.array([pair.first, pair.second])
        at = moments.at(events.thread[places], events.seq[places]).tolist()
        first, second = ({each.object: each.first for each in moments.holdings(moment)} for moment in at)
        given_up = [lock for lock in sorted(first) if lock in second and first[lock] != second[lock]]
        is_kept = any(second.get(lock) == since for lock, since in first.items())
        return given_up[0] if given_up and not is_kept else None

    def _states(self, one: int, other: int, lock: int | None) -> _States:
        """What was written of both together; nothing if one was ever written without the other."""
        key = one, other, lock
        if key not in self._states_of:
            self._states_of[key] = _States(self._written_together(one, other, lock), self._is_counted_on)
        return self._states_of[key]

    def _is_counted_on(self, state: _State) -> bool:
        """Whether one of the writes is made of what was there."""
        return bool(self._source[state.one] >= 0 or self._source[state.other] >= 0)

    def _written_together(self, one: int, other: int, lock: int | None) -> Iterator[_State]:
        events, accesses = self._events, self._accesses
        rows = [accesses.order[slice(*accesses.bounds[each : each + 2])] for each in (one, other)]
        places = np.sort(np.concatenate([row[events.kind[row] != EventKind.READ] for row in rows]))
        if len(places) > MAX_WRITES or not (np.isin(events.tag[places], KNOWN)).all():
            return
        groups: dict[tuple[int, int], list[int]] = {}
        if lock is None:
            of_thread: defaultdict[int, list[int]] = defaultdict(list)
            for place in places.tolist():
                of_thread[int(events.thread[place])].append(place)
            for thread, row in of_thread.items():
                for number, place in enumerate(row):
                    groups.setdefault((thread, number // 2), []).append(place)
        else:
            moments = self._pasts.moments
            at = moments.at(events.thread[places], events.seq[places]).tolist()
            for place, moment in zip(places.tolist(), at, strict=True):
                since = next((each.first for each in moments.holdings(moment) if each.object == lock), None)
                # who makes an object need not hold its lock
                groups.setdefault((int(events.thread[place]), -1 if since is None else since), []).append(place)
        states: list[_State] = []
        for (_, since), row in sorted(groups.items(), key=lambda item: item[1][-1]):
            last = {int(events.location[place]): place for place in row}
            if len(last) < 2 or (lock is None and not self._are_written_together(row)):
                return
            if lock is not None and since < 0 and (states or len(row) > 2):
                return
            if states and max(states[-1][:2]) > row[0]:
                return  # two threads' writes overlap
            states.append(_State(last[one], last[other], (self._value(last[one]), self._value(last[other]))))
        if len(states) > 1:
            yield from states

    def _are_written_together(self, row: list[int]) -> bool:
        one, other = row
        events = self._events
        if events.frame[one] != events.frame[other] or events.location[one] == events.location[other]:
            return False
        sites = int(events.site[one]), int(events.site[other])
        if sites not in self._together:
            at = [self._activations.syntax.of_site(site) for site in sites]
            self._together[sites] = (
                at[0] is not None
                and at[1] is not None
                and at[0][0] is at[1][0]
                and at[0][0].function(at[0][1]) is at[1][0].function(at[1][1])
                and at[0][0].are_written_together(at[0][1], at[1][1])
            )
        return self._together[sites] and self._activations.of(one) == self._activations.of(other)

    def _belong_together(self, one: int, other: int, states: _States, meeting: Meeting) -> bool:
        """Whether both are of one object, and none is counted on; or what one gains the other one loses."""
        if states.are_counted_on:
            is_sum = isinstance(meeting.expression, ast.BinOp) and isinstance(meeting.expression.op, ast.Add)
            return is_sum and states.have_one_sum
        containers = self._trace.containers
        known = () if containers is None else (int(containers[one]), int(containers[other]))
        return known[0] == known[1] if all(known) and known else meeting.is_of_one

    def _looks_again(self, pair: _Pair, write: int) -> bool:
        """Whether the reader later looks at one of them again, or before and after it at something else that the writer
        writes there, too: a version, a sequence lock."""
        events = self._events
        thread = events.thread[pair.first]
        near = slice(max(0, pair.first - 16 * _NEAR), pair.second + 16 * _NEAR)
        own = near.start + np.flatnonzero((events.thread[near] == thread) & (events.kind[near] == EventKind.READ))
        before, after = own[own < pair.first][-_NEAR:], own[own > pair.second][:_NEAR]
        both = events.location[[pair.first, pair.second]]
        own_points = [p for place in (pair.first, pair.second) if (p := self._activations.point(place, pair.above))]
        for place in after.tolist():
            if events.location[place] in both:
                points = [self._activations.point(place, above) for above in (0, 1)]
                is_elsewhere = all(each not in own_points for each in points)
                is_here = any(each and own.is_in_one(each) for each in points for own in own_points)
                if is_elsewhere and (is_here or self._activations.is_looked_at(place)):
                    return True
            else:
                is_same = events.location[before] == events.location[place]
                earlier = before[is_same & (events.site[before] != events.site[place])]
                if len(earlier) and self._is_written_beside(int(events.location[place]), write):
                    return True
        return False

    def _is_written_beside(self, location: int, write: int) -> bool:
        """Whether the activation of a write writes to another location."""
        events = self._events
        near = slice(max(0, write - 16 * _NEAR), write + 16 * _NEAR)
        its = (events.location[near] == location) & (events.kind[near] != EventKind.READ)
        return bool((its & (events.frame[near] == events.frame[write])).any())


def _beside(tree: Tree, nodes: Mapping[int, ast.AST]) -> Iterator[tuple[int, int, ast.AST, ast.AST]]:
    """Each two of the nodes whose values are in one statement, and where in that they are; by the numbers of both."""
    at: defaultdict[ast.AST, list[tuple[int, ast.AST]]] = defaultdict(list)
    for number, node in sorted(nodes.items()):
        for bearer in tree.bearers(node):
            statement = next((step.node for step in tree.above(bearer) if isinstance(step.node, ast.stmt)), None)
            if statement is not None:
                at[statement].append((number, bearer))
    for row in at.values():
        for (one, first), (other, second) in itertools.combinations(row[:MAX_EXPRESSIONS], 2):
            if one != other:
                yield one, other, first, second


def _whose(node: ast.AST) -> str | None:
    """What it is an attribute, item or method of; a global is of its module."""
    match node:
        case ast.Call(ast.Attribute(value)) | ast.Attribute(value) | ast.Subscript(value, ast.Constant()):
            return ast.unparse(value)
        case ast.Name():
            return ""
    return None


def _is_getter(node: ast.AST) -> bool:
    """Whether it is a call of a method without arguments, or may be a property."""
    match node:
        case ast.Call(ast.Attribute(), [], []) | ast.Attribute(ctx=ast.Load()):
            return True
    return False
