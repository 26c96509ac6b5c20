"""The evidence of a run that findings of every kind share: the door of the analysis."""

from __future__ import annotations

import gc
import itertools
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes, evicted, linearisations, versions
from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.all_sources import PIECE, sources_of
from opcodetrace.analyse.checks import Checks, Stale, acted_on_a_stale_check, compared_again, failed_after_a_check
from opcodetrace.analyse.copied import Copied
from opcodetrace.analyse.found_in_lists import failed_in_lists
from opcodetrace.analyse.handlers import Handlers
from opcodetrace.analyse.iterations import ChangedMeanwhile, failed_iterations
from opcodetrace.analyse.numbers_taken import numbers_taken_twice
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.analyse.queue_checks import QueueChecks
from opcodetrace.analyse.read_twice import ReadTwice, read_twice
from opcodetrace.analyse.remembered import Overtaken, overtaken
from opcodetrace.analyse.replaced import Replaced, Replacements, unguarded_changes
from opcodetrace.analyse.stacks import Stacks
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.events import CERTAINTIES, Events, Sources, ValueTag
from opcodetrace.trace.finding import Certainty, Severity
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import asks_more
from opcodetrace.trace.version import LostCount, LostUpdate, UnseenWrite

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Evidence:
    """What the analysis shows of a trace.

    `sources` gives for a write's seq the seq of its source event (the read or own write whose version flows in); a
    blind write has none."""

    trace: Trace
    lost: list[LostUpdate]
    counts: list[LostCount]
    unseen: list[UnseenWrite]
    sources: Sources
    accesses: Accesses

    @property
    def uncertain_locations(self) -> int:
        """Left out: their identity is not certain."""
        return self.accesses.uncertain

    @cached_property
    def activations(self) -> Activations:
        return Activations(self.trace)

    @cached_property
    def handlers(self) -> Handlers:
        return Handlers(self.trace)

    @cached_property
    def pasts(self) -> Pasts:
        return Pasts(self.trace)

    @cached_property
    def checks(self) -> Checks:
        return Checks(self.trace, self.sources, self.activations, self.handlers)

    @cached_property
    def stale_checks(self) -> list[Stale]:
        """Without those by which an update was lost."""
        told = {each.overwritten_by for each in self.lost if each.overwritten_by is not None}
        unseen = {each.location for each in self.unseen}
        return list(acted_on_a_stale_check(self.trace, self.pasts, self.checks, told, unseen))

    @cached_property
    def overtaken(self) -> list[tuple[Overtaken, bool]]:
        """What was remembered though it had been reset; and whether that is sure."""
        told = {each.act for each in self.stale_checks}
        acts = self.checks.changed_meanwhile
        return list(overtaken(self, acts[~np.isin(self.trace.events.seq[acts], list(told))].tolist()))

    @cached_property
    def stacks(self) -> Stacks:
        return Stacks(self)

    @cached_property
    def failures(self) -> list[Stale]:
        """After a check."""
        found = list(failed_after_a_check(self.trace, self.pasts, self.checks))
        told = {each.act for each in found}
        return [*found, *failed_in_lists(self.trace, self.pasts, self.checks, told)]

    @cached_property
    def failed_iterations(self) -> list[ChangedMeanwhile]:
        """Because another thread had changed the container."""
        return list(failed_iterations(self.trace, self.pasts, self.handlers))

    @cached_property
    def unrepeatable_reads(self) -> list[ReadTwice]:
        return [*read_twice(self), *numbers_taken_twice(self)]

    @cached_property
    def replacements(self) -> Replacements:
        return Replacements(self)

    @cached_property
    def unguarded_changes(self) -> list[Replaced]:
        return list(unguarded_changes(self))

    @cached_property
    def queue_checks(self) -> QueueChecks:
        return QueueChecks(self)

    @cached_property
    def copied(self) -> Copied:
        return Copied(self)


def gather(trace: Trace) -> Evidence:
    """The sources of all writes, and the versions of all locations.

    Locations whose every access has its exact place take time linear in the events; the others are searched
    (`linearisations`). A location of uncertain identity makes no finding, it is counted."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking millions of events takes longer than the analysis
    try:
        return analysed(trace)
    finally:
        if collecting:
            gc.enable()


def analysed(trace: Trace) -> Evidence:
    sources = sources_of(trace)
    accesses = Accesses.of(trace)
    told = _in_known_order(trace, sources, accesses)
    doubtful = evicted.may_put_back(trace.events, sources) if trace.let_go else None
    budget = linearisations.Budget()
    # what a write put back may have been read before its container was restructured
    again = _among(accesses.locations, told.keys() & trace.restructured.keys())
    for location, begin, end in accesses.by_location(~accesses.exact | again):
        places = accesses.order[begin:end]
        in_doubt = set() if doubtful is None else set(trace.events.seq[places[doubtful[places]]].tolist())
        told[location] = _searched(trace, location, list(trace.events[places]), *sources.at(places), in_doubt, budget)
    lost: list[LostUpdate] = []
    counts: list[LostCount] = []
    unseen: list[UnseenWrite] = []
    for location in sorted(told):
        found, count = told[location]
        lost += found.updates
        unseen += found.unseen
        if count.high:
            counts.append(count)
    lost, counts = _by_another(trace.events, sources, accesses, lost, counts, doubtful)
    lost, counts = _without_compared(trace, accesses, lost, counts)
    lost, counts = _not_surely_changed(trace.events, lost, counts)
    return Evidence(trace, lost, counts, unseen, sources, accesses)


def _by_another(
    events: Events,
    sources: Sources,
    accesses: Accesses,
    lost: list[LostUpdate],
    counts: list[LostCount],
    doubtful: Array | None,
) -> tuple[list[LostUpdate], list[LostCount]]:
    """The same without what a thread overwrote itself, with what it had read before, if no other thread wrote in
    between: that is how its code is written (`old = o.quiet; o.quiet = True; ...; o.quiet = old`). A write that is
    `doubtful` may be made of an evicted read."""
    alone: set[tuple[int, int | None]] = set()
    for location, group in itertools.groupby(lost, lambda each: each.location):
        its = accesses.order[slice(*accesses.bounds[location : location + 2])]
        places = its[(events.kind[its] == EventKind.WRITE) | (events.kind[its] == EventKind.DELETE)]
        told = list(group)
        if events.before[its].any():
            alone |= {(location, each.lost) for each in told if _is_own(events, sources, places, each)}
            continue
        again = _overwrites_itself(events, sources, places, doubtful)
        at = np.searchsorted(events.seq[places], [each.lost for each in told])
        alone |= {(location, each.lost) for each, own in zip(told, again[at].tolist(), strict=True) if own}
    return _without(alone, lost, counts)


def _overwrites_itself(events: Events, sources: Sources, places: Array, doubtful: Array | None) -> Array:
    """Of each write at a location, by their `places`: whether a later one of its thread is made of what that had read
    before it, and no other thread wrote since that read."""
    thread = events.thread[places]
    begins = np.flatnonzero(np.diff(thread, prepend=-1))  # of the writes of one thread on end
    turn = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(places)))
    before = np.concatenate([[-1], places[begins[1:] - 1]])[turn]  # the other threads' last write before that
    none = len(events)
    source = sources.place[places].astype(np.int64)
    source = np.where(source > before, source, none)
    if doubtful is not None:
        source[doubtful[places]] = 0  # made of any read that was evicted
    # the earliest source of the later writes in the turn: an earlier turn's numbers are all lower
    earliest = np.minimum.accumulate((source + turn * (none + 1))[::-1])[::-1] - turn * (none + 1)
    later = np.append(earliest[1:], none)
    later[begins[1:] - 1] = none
    return later < places


def _is_own(events: Events, sources: Sources, places: Array, update: LostUpdate) -> bool:
    """The same of accesses that are intervals: whether this is surely so of the write that overwrote it."""
    over = update.overwritten_by
    if over is None or update.lost_thread != update.overwritten_by_thread:
        return False
    source = int(sources.place[events.places([over])[over]])
    if source < 0:
        return False
    since = int(events.seq[source] - events.before[source])
    seqs, earliest = events.seq[places], events.seq[places] - events.before[places]
    between = (seqs >= since) & (earliest < over)
    return not (events.thread[places[between]] != update.lost_thread).any()


def _without_compared(
    trace: Trace, accesses: Accesses, lost: list[LostUpdate], counts: list[LostCount]
) -> tuple[list[LostUpdate], list[LostCount]]:
    """The same without updates after which the location held the number again that the overwriting write was made of,
    as its thread saw by a compare and set. Of an object that is there again it is not known what became of it."""
    events = trace.events
    compared = {
        number
        for number, site in trace.sites.items()
        if any(not test.answer or asks_more(test.answer) for test in site.tests)
    }
    writes = events.places(each.overwritten_by for each in lost if each.overwritten_by is not None) if compared else {}
    writes = {seq: place for seq, place in writes.items() if int(events.site[place]) in compared}
    if not writes:
        return lost, counts
    reads = events.places(each.read for each in lost if each.read is not None and each.overwritten_by in writes)
    restored: set[tuple[int, int | None]] = set()
    for each in lost:
        if each.read is not None and each.overwritten_by in writes:
            read = reads[each.read]
            its = accesses.order[slice(*accesses.bounds[each.location :][:2])]
            again = compared_again(trace, its, read, writes[each.overwritten_by])
            if again is not None and events.seq[again] > each.lost and _is_same_number(events, read, again):
                restored.add((each.location, each.lost))
    return _without(restored, lost, counts)


def _without(
    none: set[tuple[int, int | None]], lost: list[LostUpdate], counts: list[LostCount]
) -> tuple[list[LostUpdate], list[LostCount]]:
    """The same without some of them: locations, and seqs of lost writes."""
    if not none:
        return lost, counts
    kept = [each for each in lost if (each.location, each.lost) not in none]
    dropped = Counter(location for location, _ in none)
    overwriters: defaultdict[int, set[int | None]] = defaultdict(set)
    for update in kept:
        overwriters[update.location].add(update.overwritten_by)
    fewer = [
        replace(
            count,
            low=max(0, count.low - dropped[count.location]),
            high=count.high - dropped[count.location],
            overwriters=len(overwriters[count.location]),
        )
        if dropped[count.location]
        else count
        for count in counts
    ]
    return kept, [count for count in fewer if count.high > 0]


def _is_same_number(events: Events, one: int, other: int) -> bool:
    is_object = events.tag[one] in (ValueTag.ABSENT, ValueTag.OBJECT, ValueTag.SOME_OBJECT)
    return not is_object and bool(events.tag[one] == events.tag[other] and events.word[one] == events.word[other])


def _not_surely_changed(
    events: Events, lost: list[LostUpdate], counts: list[LostCount]
) -> tuple[list[LostUpdate], list[LostCount]]:
    """The same, but a write of an unknown value may have put back what was there: then nothing of it was lost."""
    places = events.places(update.lost for update in lost)
    unknown = {
        seq
        for seq, place in places.items()
        if events.kind[place] == EventKind.WRITE and events.tag[place] == ValueTag.ABSENT
    }
    if not unknown:
        return lost, counts
    doubted = Counter(update.location for update in lost if update.lost in unknown)
    return (
        [replace(update, severity=Severity.POSSIBLE) if update.lost in unknown else update for update in lost],
        [replace(count, low=max(0, count.low - doubted[count.location])) for count in counts],
    )


@dataclass(frozen=True, slots=True)
class Accesses:
    """The accesses of a run by location."""

    order: Array  # their places among the events, by location
    locations: Array  # those that are looked into, in order
    begins: Array  # of each, where its accesses lie in `order`
    ends: Array
    exact: Array  # whether the order of their accesses is known
    uncertain: int  # locations that are not looked into, because their identity is not certain
    bounds: Array  # of every location, by its number: where its accesses begin in `order`; the next one's are their end

    @classmethod
    def of(cls, trace: Trace) -> Accesses:
        events = trace.events
        bounds = np.zeros(int(events.location.max(initial=-1)) + 2, np.int64)
        order = np.empty(int(np.count_nonzero(events.location >= 0)), np.int32)
        _passes.group(events.location, bounds, order)
        accessed = bounds[1:] > bounds[:-1]
        looked_into = accessed.copy()
        uncertain = 0
        for number, each in trace.locations.items():
            if number < len(accessed) and accessed[number]:
                uncertain += not each.certain
                # each step that changes a container as a whole reads and writes it at once
                looked_into[number] = each.certain and each.kind is not LocationKind.WHOLE
        begins, ends = bounds[:-1][looked_into], bounds[1:][looked_into]
        exact = np.ones(len(begins), bool)
        locations = np.flatnonzero(looked_into)
        if events.before.any():
            interval = np.zeros(len(accessed) + 1, bool)  # by location, the last entry for none
            for start in range(0, len(events), PIECE):
                part = slice(start, start + PIECE)
                interval[events.location[part][events.before[part] > 0]] = True
            exact = ~interval[locations]
        return cls(order, locations, begins, ends, exact, uncertain, bounds)

    def by_location(self, which: Array) -> Iterator[tuple[int, int, int]]:
        """Some of the locations, each with where its accesses begin and end."""
        columns = (self.locations[which], self.begins[which], self.ends[which])
        yield from zip(*(column.tolist() for column in columns), strict=True)


Told = tuple[versions.Lost, LostCount]


def _in_known_order(trace: Trace, sources: Sources, accesses: Accesses) -> dict[int, Told]:
    """What is lost at the locations whose accesses have a known order; those that nothing is told of are left out."""
    events, order = trace.events, accesses.order
    begins, ends = accesses.begins[accesses.exact], accesses.ends[accesses.exact]
    cuts = _cuts(trace, accesses)
    if len(cuts):  # after a cut it is another cell
        begins, ends = (np.unique(np.concatenate([bounds, cuts])) for bounds in (begins, ends))
    over = np.zeros(len(events), np.int32)
    unseen = np.zeros(len(events), np.uint8)
    columns = (events.kind, events.tag, events.word, sources.place)
    if _passes.overwritten(*columns, order, begins, ends, over, unseen) == (0, 0):
        return {}
    surprising, losing = _marked(order, unseen), _marked(order, over)
    if trace.let_go:
        losing = losing[~evicted.may_put_back(events, sources)[order[losing]]]
    part = np.searchsorted(begins, losing, side="right") - 1
    doubtful = np.isin(part, np.searchsorted(begins, surprising, side="right") - 1)
    updates = _updates(events, sources, order[losing], over[order[losing]] - 1, order[begins[part]], doubtful)
    told: dict[int, Told] = {}
    for update in updates:
        found, _ = told.setdefault(update.location, _nothing(update.location))
        found.updates.append(update)
    for place in order[surprising].tolist():
        location = int(events.location[place])
        found, _ = told.setdefault(location, _nothing(location))
        found.unseen.append(UnseenWrite(location, int(events.seq[place])))
    for location, (found, _) in told.items():
        number = len(found.updates)
        overwriters = len({update.overwritten_by for update in found.updates})
        told[location] = found, LostCount(location, number, number, overwriters, exhausted=False)
    return told


def _cuts(trace: Trace, accesses: Accesses) -> Array:
    """Where in `accesses.order` those of an item are cut, as its container was restructured between two of them. The
    locations are those of a known order."""
    cut = accesses.exact & _among(accesses.locations, trace.restructured)
    if not cut.any():
        return np.empty(0, np.int64)
    numbers: dict[int, int] = {}  # of the lists of seqs, which many items share
    number_of = np.full(int(trace.events.location.max()) + 1, -1, np.int64)
    seqs: list[Array] = []
    apart = int(trace.events.seq[-1]) + 2  # more than any seq: with its list's number before it, each is one number
    for location in accesses.locations[cut].tolist():
        restructured = trace.restructured[location]
        number = numbers.setdefault(id(restructured), len(numbers))
        if number == len(seqs):
            seqs.append(number * apart + np.minimum(np.array(restructured, np.int64), apart - 1))
        number_of[location] = number
    moved = np.concatenate(seqs)
    found = [np.empty(0, np.int64)]
    for start in range(0, len(accesses.order), PIECE):
        places = accesses.order[max(start - 1, 0) : start + PIECE]
        locations = trace.events.location[places]
        number_at = number_of[locations]
        before = np.searchsorted(moved, number_at * apart + trace.events.seq[places])
        changes = (before[1:] != before[:-1]) & (locations[1:] == locations[:-1]) & (number_at[1:] >= 0)
        found.append(max(start - 1, 0) + 1 + np.flatnonzero(changes))
    return np.concatenate(found)


def _marked(order: Array, marks: Array) -> Array:
    """Where in `order` those places lie that have a mark."""
    found = [start + np.flatnonzero(marks[order[start : start + PIECE]]) for start in range(0, len(order), PIECE)]
    return np.concatenate(found)


def _among(numbers: Array, wanted: Collection[int]) -> Array:
    return np.isin(numbers, np.fromiter(wanted, np.int64, len(wanted)))


def _nothing(location: int) -> Told:
    return versions.Lost([], 0, []), LostCount(location, 0, 0, 0, exhausted=False)


def _updates(
    events: Events, sources: Sources, lost: Array, over: Array, first: Array, doubtful: Array
) -> Iterator[LostUpdate]:
    """The lost updates, by the places of writes and of what overwrote them; `first` is that of the first access that is
    of the same cell, `doubtful` whether code that is not woven wrote there."""

    def read(write: Array) -> list[int | None]:
        source = sources.place[write]
        is_read = (source >= first) & (events.kind[np.maximum(source, 0)] == EventKind.READ)
        return [
            seq if there else None for seq, there in zip(events.seq[source].tolist(), is_read.tolist(), strict=True)
        ]

    inferred = np.zeros(len(lost), bool)
    for write in (lost, over):
        number = CERTAINTIES.index(Certainty.INFERRED)
        inferred |= (sources.place[write] >= 0) & (sources.certainty[write] == number)
    certainties = [Certainty.INFERRED if guess else Certainty.PROVEN for guess in inferred.tolist()]
    severities = [Severity.POSSIBLE if doubt else Severity.HAPPENED for doubt in doubtful.tolist()]
    return map(
        LostUpdate,
        events.location[lost].tolist(),
        events.seq[lost].tolist(),
        events.thread[lost].tolist(),
        read(lost),
        events.seq[over].tolist(),
        events.thread[over].tolist(),
        read(over),
        certainties,
        severities,
    )


def _searched(
    trace: Trace,
    location: int,
    accesses: Sequence[Event],
    sources: Mapping[int, int],
    certainties: Mapping[int, Certainty],
    in_doubt: set[int],
    budget: linearisations.Budget,
) -> Told:
    """What is lost at a location some of whose accesses are known to lie in an interval only. `in_doubt`: the seqs of
    writes that may be no updates."""
    events, early_writes = evicted.without_doubt(accesses, trace.let_go)
    total, totals = _nothing(location)
    for part in _between(events, trace.restructured.get(location, ())):
        exact = all(event.seq == event.earliest for event in part)
        if exact:
            result = versions.lost_updates(location, part, sources, certainties)
            number = len(result.updates)
            count = LostCount(location, number, number, result.overwriters, exhausted=False)
        else:
            result, count = linearisations.search(location, part, sources, certainties, budget)
        if count.high:
            # of all as they were recorded: whose version a read saw may be in doubt, what it gave is not
            left_out = versions.unchanging(accesses, sources) | early_writes | in_doubt
            result = versions.without(left_out, result)
            number = len(result.updates)
            low, high = (number, number) if exact else (max(0, count.low - len(left_out)), count.high)
            count = LostCount(location, low, high, result.overwriters, count.exhausted)
        total.updates.extend(result.updates)
        total.unseen.extend(result.unseen)
        totals = LostCount(
            location,
            totals.low + count.low,
            totals.high + count.high,
            totals.overwriters + count.overwriters,
            totals.exhausted or count.exhausted,
        )
    return total, totals


def _between(events: Sequence[Event], restructured: Sequence[int]) -> Iterator[Sequence[Event]]:
    """The accesses of an item, cut where its container was restructured. After that the key means another cell."""
    start = at = 0
    while start < len(events):
        at = bisect_left(restructured, events[start].seq, lo=at)
        if at == len(restructured):
            break
        seq = restructured[at]
        stop = bisect_left(events, seq, lo=start, key=lambda event: event.seq)
        if stop < len(events) and events[stop].seq == seq:
            stop += 1  # the deletion of this very item
        yield events[start:stop]
        start = stop
    if start < len(events):
        yield events[start:]
