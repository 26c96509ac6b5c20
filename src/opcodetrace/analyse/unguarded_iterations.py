"""Unguarded iterations: nothing that was seen keeps another thread from changing the container meanwhile.

Of a dictionary, a set or a deque the next step of the iteration then raises RuntimeError (`iterations` has those that
did). An iteration over a list goes on, but skips an item if one before its place is removed, or sees one twice if one
is put there. That counts only if the loop does something with each item.

The change came after the start of the iteration, or before it. The end of an iteration is not recorded, nor needed:
what the changing thread may have heard of (`pasts.Hearsay`), the start at least, orders the two. A change that came
before may have been the last one that there can be: a thread takes a container away from the others
(`old, self.items = self.items, {}`), or forbids further changes (`self.closed = True`), under a lock, and then goes
over it by itself. And a lock may only guard the state of another one, for readers and writers. So a lock that the later
thread took after the earlier one had released it counts as an order, too. If the change came first, another thread must
have known of the container by then: else the changing one may have made it, and given it away as it was ready.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.source_text import SourceTexts, iterated, operands

# Methods that put an item before others of a list, or take one away from there.
_MOVE = (".remove(", ".insert(", ".pop(0", ".pop(i")


class UnguardedIteration(NamedTuple):
    location: int  # the container as a whole
    start: int  # seqs
    change: int
    changed: int  # the location of the change: the same, or an item


class _Pair(NamedTuple):
    """Places among the events."""

    start: int
    change: int


def unguarded_iterations(evidence: Evidence, told: Collection[tuple[int, int]] = ()) -> Iterator[UnguardedIteration]:
    """One for each container and two places in the code. Without the containers (as a whole) and starts (sites) that
    are `told` as failed. None in a run of which it cannot be judged (`windows.can_be_judged`)."""
    trace = evidence.trace
    resized = None if trace.resized is None else trace.resized.pairs
    if resized is None or not resized.shape[1] or not can_be_judged(trace):
        return
    search = _Search(evidence)
    place_of = trace.events.places(resized.ravel())
    pairs = sorted(_Pair(place_of[start], place_of[change]) for start, change in resized.T.tolist())
    pairs = [pair for pair in pairs if search.may_disturb(pair)]
    known = _Known(trace, [pair for pair in pairs if pair.change < pair.start])
    pairs = [
        pair for pair in pairs if pair.start < pair.change or known.to_others(pair) or search.is_one_variable(pair)
    ]
    windows = Windows(evidence, (Window(place, place) for pair in pairs for place in pair))
    events = trace.events
    told_at = set()
    for pair in pairs:
        start, change = pair
        location = int(events.location[start])
        key = location, int(events.site[start]), int(events.site[change])
        if key in told_at or key[:2] in told:
            continue
        if windows.have_a_common_lock(Window(start, start), Window(change, change)):
            continue
        if windows.may_be_ordered(min(pair), max(pair), by_locks=True):
            continue
        told_at.add(key)
        yield UnguardedIteration(
            location, int(events.seq[start]), int(events.seq[change]), int(events.location[change])
        )


class _Known:
    """Since when threads knew of some containers: they had accessed one, or read or written it as a value."""

    def __init__(self, trace: Trace, pairs: Sequence[_Pair]) -> None:
        events = trace.events
        self._events = events
        self._containers = trace.containers
        self._since: defaultdict[int, dict[int, int]] = defaultdict(dict)  # by container, then by thread
        if trace.containers is None or not pairs:
            return
        wanted = np.unique(trace.containers[events.location[[pair.start for pair in pairs]]])
        of_location = np.where(np.isin(trace.containers, wanted), trace.containers, 0)
        of_word = events.identities()
        of_word = np.append(np.where(np.isin(of_word, wanted), of_word, 0), 0)
        for start in range(0, len(events), PIECE):
            part = slice(start, start + PIECE)
            location, is_object = events.location[part], events.tag[part] == ValueTag.OBJECT
            accessed = np.where(location >= 0, of_location[location], 0)
            value = of_word[np.where(is_object, events.word[part], -1)]
            for containers in (accessed, value):
                (which,) = np.nonzero(containers)
                keys, first = np.unique(
                    np.stack([containers[which], events.thread[part][which]]), axis=1, return_index=True
                )
                for (container, thread), at in zip(keys.T.tolist(), first.tolist(), strict=True):
                    self._since[container].setdefault(thread, start + int(which[at]))

    def to_others(self, pair: _Pair) -> bool:
        """Whether another thread than the changing one knew of the container before the change."""
        if self._containers is None:
            return False
        container = int(self._containers[self._events.location[pair.start]])
        own = int(self._events.thread[pair.change])
        return any(thread != own and place < pair.change for thread, place in self._since[container].items())


class _Search:
    """Looks into pairs, before it is asked what keeps the two apart."""

    def __init__(self, evidence: Evidence) -> None:
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._lanes = Lanes(trace)
        self._activations = evidence.activations
        self._handlers = evidence.handlers
        self._texts = SourceTexts(trace)
        self._raises: dict[int, bool] = {}  # by the site of a start: whether the loop goes round
        self._skips: dict[tuple[int, int], bool] = {}  # of a list, by both sites

    def may_disturb(self, pair: _Pair) -> bool:
        """Whether the change could disturb the iteration, and nobody is ready for that."""
        events, start = self._events, pair.start
        one, other = (int(events.thread[place]) for place in pair)
        if not self._lanes.may_meet(np.array([one]), np.array([other]))[0]:
            return False
        if self._lanes.share_a_loop(one, other) and not self._suspends(int(events.site[start])):
            return False
        if self._trace.sites[int(events.site[start])].opcode != "GET_ITER":
            return False
        over, changed = (self._trace.locations[int(events.location[place])] for place in pair)
        if over.kind is not LocationKind.WHOLE or not over.certain or not changed.certain:
            return False
        if changed.kind not in (LocationKind.WHOLE, LocationKind.ITEM):
            return False
        if over.container_type == list.__name__:
            return self._skips_an_item(pair)
        return self._goes_round(int(events.site[start])) and not self._is_expected(start)

    def is_one_variable(self, pair: _Pair) -> bool:
        """Whether both name the container by one variable that neither assigns: a global or a closure's."""
        start, change = (int(self._events.site[place]) for place in pair)
        codes = self._trace.site_codes
        if start not in codes or change not in codes or codes[start].file != codes[change].file:
            return False
        over, changed = iterated(self._texts.expression(start)), operands(self._texts.expression(change))
        if over is None or changed is None or over != changed.container or not over.isidentifier():
            return False
        found = [self._activations.syntax.of_site(site) for site in (start, change)]
        return all(each is not None and each[0].is_free(each[1], over) for each in found)

    def _goes_round(self, site: int) -> bool:
        if site not in self._raises:
            found = self._activations.syntax.of_site(site)
            loop = None if found is None else found[0].loop(found[1])
            self._raises[site] = found is not None and loop is not None and found[0].goes_round(loop)
        return self._raises[site]

    def _suspends(self, site: int) -> bool:
        """Whether a task gives up control within the loop."""
        found = self._activations.syntax.of_site(site)
        loop = None if found is None else found[0].loop(found[1])
        return loop is not None and any(
            isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(loop)
        )

    def _is_expected(self, start: int) -> bool:
        error = RuntimeError.__name__
        own, *callers = self._activations.lines(start)
        if self._handlers.deal_with(*own, error):
            return not self._handlers.report([own], error)
        return any(
            self._handlers.deal_with(*each, error) and not self._handlers.report([each], error) for each in callers
        )

    def _skips_an_item(self, pair: _Pair) -> bool:
        start, change = (int(self._events.site[place]) for place in pair)
        if (start, change) not in self._skips:
            found = self._activations.syntax.of_site(start)
            loop = None if found is None else found[0].loop(found[1])
            acts = found is not None and loop is not None and found[0].goes_round(loop) and found[0].acts_on_each(loop)
            moves = self._events.kind[pair.change] == EventKind.DELETE or any(
                method in self._texts.expression(change) for method in _MOVE
            )
            self._skips[start, change] = bool(acts and moves)
        return self._skips[start, change]
