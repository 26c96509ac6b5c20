"""Own writes that another thread's write replaced before they were read back.

Write, remote write, read: one of the four cases that cannot be serialised in Lu, Tucek, Qin and Zhou, "AVIO: detecting
atomicity violations via access interleaving invariants" (2006). Most such interleavings are meant: threads share a
location so that they see what others write. What is looked for here are locations that no thread uses so in the whole
run. Each thread that reads one has always written it just before: in the same activation, or in one that a third
one called before the reading one. As it works alone, such a location is a variable of the call; it is only kept in the
wrong place, where all calls share it.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Scope
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.evidence import Accesses, Evidence
from opcodetrace.analyse.lockset import without_another_lock
from opcodetrace.analyse.made_of import Made
from opcodetrace.analyse.same_value import KNOWN, same
from opcodetrace.analyse.windows import Lanes, Window, Windows, can_be_judged
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace

Array = npt.NDArray[Any]

MAX_READS = 16  # of two places in the code that are looked at, of those that read what another thread wrote
MAX_OWN = 4  # and of those that read what their own did
MAX_BACK = 2_000  # accesses of the location among which it is looked for who wrote a value
_INITIAL = frozenset(["__init__", "__new__", "__post_init__", "__set_name__"])  # write what their object has first
_MODULE = "<module>"
# First words of functions that show what there is, or hand it on: as well the latest value.
_SHOWING = tuple(
    """
    display draw emit flush log notify paint print publish redraw refresh render repaint report save show update write
    """.split()  # noqa: SIM905
)
_KINDS = frozenset([LocationKind.ITEM, LocationKind.ATTRIBUTE, LocationKind.GLOBAL, LocationKind.CELL])
_NUMBERS = (ValueTag.INT, ValueTag.FLOAT)


class ReadBack(NamedTuple):
    """A thread wrote, another one did, and then the first one read what the other had written."""

    location: int
    write: int  # seqs
    other: int
    read: int
    is_sure: bool  # that no other value could do as well


class Unguarded(NamedTuple):
    """A thread wrote and read that back, and nothing that was seen keeps another one's write out from between. That one
    came after the two."""

    location: int
    write: int  # seqs
    other: int
    read: int
    gil_only: bool  # this build has no switch point between write and read


class _Reads(NamedTuple):
    """Reads, each with its thread's latest write of the location. Places among the events."""

    write: Array
    read: Array
    begin: Array  # the latest one that was not made of what was there: what is counted from it


class _Triples(NamedTuple):
    """The same, with another thread's write."""

    write: Array
    other: Array
    read: Array


def overwritten_before_read(evidence: Evidence) -> Iterator[ReadBack]:
    """In the order of the reads. None in a run of which accesses or synchronisation may be missing."""
    trace = evidence.trace
    if trace.let_go or trace.merged or trace.missed or trace.holes:
        return
    accesses = evidence.accesses
    found: list[ReadBack] = []
    for locations, are_counted in ((written_blindly(evidence, accesses), False), (_counted(evidence), True)):
        reads = _reads(evidence, accesses, locations) if locations.any() else None
        if reads is not None and len(reads.read):
            found += _Search(evidence, accesses, are_counted=are_counted).among(reads)
    yield from sorted(found, key=lambda each: each.read)


def unguarded_own_writes(evidence: Evidence) -> Iterator[Unguarded]:
    """One for each location and two places in the code; in the order of the reads. Where such a write was overwritten
    (`overwritten_before_read`), that alone is told."""
    trace = evidence.trace
    events = trace.events
    if trace.let_go or trace.merged or trace.missed or trace.holes or not can_be_judged(trace):
        return
    accesses = evidence.accesses
    locations = written_blindly(evidence, accesses)
    reads = _reads(evidence, accesses, locations) if locations.any() else None
    if reads is None or not len(reads.read):
        return
    followed = _followed(trace, accesses, reads, locations)
    if not len(followed.read):
        return
    triples = _Search(evidence, accesses).unguarded(reads, followed)
    windows = Windows(
        evidence,
        (window for write, other, read in triples for window in (Window(write, read), Window(other, other))),
    )
    plain = without_another_lock(trace, {(int(events.seq[write]), int(events.seq[read])) for write, _, read in triples})
    told: dict[tuple[int, int, int], Unguarded] = {}
    for write, other, read in sorted(triples, key=lambda triple: triple[2]):
        location = int(events.location[read])
        key = location, int(events.site[write]), int(events.site[read])
        began, changed, ended = (int(events.seq[place]) for place in (write, other, read))
        window = Window(write, read)
        gil_only = windows.is_gil_only(window)
        if (
            (key in told and (gil_only or not told[key].gil_only))
            or (began, ended) not in plain
            or windows.is_another_cell(write, other)
            or windows.have_one_ident(write, other)
            or not windows.lets_in(window, other)
            or windows.have_a_common_lock(window, Window(other, other))
            or windows.may_be_ordered(write, other)
        ):
            continue
        told[key] = Unguarded(location, began, changed, ended, gil_only)
    yield from told.values()


def _followed(trace: Trace, accesses: Accesses, reads: _Reads, locations: Array) -> _Triples:
    """Those of the reads of the own value after which another thread comes to the location next, and writes."""
    events = trace.events
    between = Lanes(trace)
    order = accesses.order[locations[events.location[accesses.order]]]
    turns = events.thread[order[1:]] != events.thread[order[:-1]]
    turns |= events.location[order[1:]] != events.location[order[:-1]]
    begins = np.r_[0, np.flatnonzero(turns) + 1]  # of what one thread does at one location without another one
    at = np.empty(len(events), np.int32)
    at[order] = np.cumsum(np.r_[False, turns])
    turn = at[reads.read] + 1
    there = turn < len(begins)
    write, read, other = reads.write[there], reads.read[there], order[begins[turn[there]]]
    lanes, others = events.thread[read], events.thread[other]
    meets = (events.location[read] == events.location[other]) & (events.kind[other] == EventKind.WRITE)
    meets &= between.may_meet(lanes, others)
    meets &= np.isin(events.tag[write], KNOWN) & np.isin(events.tag[other], KNOWN)
    meets &= same(events, write, read) & ~same(events, write, other)
    return _Triples(write[meets], other[meets], read[meets])


def written_blindly(evidence: Evidence, accesses: Accesses) -> Array:
    """By location: whether several threads wrote there, none of them made what it wrote of what was there, and all that
    was read is what was written."""
    events, sources = evidence.trace.events, evidence.sources
    size = int(events.location.max(initial=-1)) + 2  # the last entry is that of none
    wanted = np.zeros(size, bool)
    wanted[accesses.locations] = True
    read = np.zeros(size, bool)
    first = np.full(size, -1, np.int32)  # a thread that wrote there
    several = np.zeros(size, bool)
    for start in range(0, len(events), PIECE):
        part = slice(start, start + PIECE)
        location, kind, thread = events.location[part], events.kind[part], events.thread[part]
        is_write = kind == EventKind.WRITE
        wanted[location[is_write & (sources.place[part] >= 0)]] = False
        read[location[kind == EventKind.READ]] = True
        fresh = is_write & (first[location] < 0)
        first[location[fresh]] = thread[fresh]
        several[location[is_write & (first[location] != thread)]] = True
    wanted &= several & read
    wanted[-1] = False
    wanted[[each.location for each in evidence.unseen]] = False
    for number in np.flatnonzero(wanted).tolist():
        wanted[number] = evidence.trace.locations[number].kind in _KINDS
    return wanted


def _counted(evidence: Evidence) -> Array:
    """By location: whether several threads set a number there that they count on (`self.rolls = 0`, then `self.rolls +=
    n`), and nothing is written there that is made of anything else."""
    events, source = evidence.trace.events, evidence.sources.place
    size = int(events.location.max(initial=-1)) + 2  # the last entry is that of none
    counted, left_out = np.zeros(size, bool), np.zeros(size, bool)
    first = np.full(size, -1, np.int32)  # a thread that began there
    several = np.zeros(size, bool)
    for start in range(0, len(events), PIECE):
        part = slice(start, start + PIECE)
        location, thread, made_of = events.location[part], events.thread[part], source[part]
        is_write = events.kind[part] == EventKind.WRITE
        updates = is_write & (made_of >= 0) & (events.location[made_of] == location)
        counted[location[updates]] = True
        left_out[location[(is_write & (made_of >= 0)) & ~updates]] = True
        left_out[location[(location >= 0) & ~np.isin(events.tag[part], _NUMBERS)]] = True
        begins = is_write & (made_of < 0)
        fresh = begins & (first[location] < 0)
        first[location[fresh]] = thread[fresh]
        several[location[begins & (first[location] != thread)]] = True
    wanted = counted & several & ~left_out
    wanted[-1] = False
    wanted[[each.location for each in evidence.unseen]] = False
    known = np.zeros(size, bool)
    known[evidence.accesses.locations] = True
    for number in np.flatnonzero(wanted & known).tolist():
        known[number] = evidence.trace.locations[number].kind in _KINDS
    found: Array = wanted & known
    return found


def _reads(evidence: Evidence, accesses: Accesses, locations: Array) -> _Reads:
    """All reads of those of the locations at which each thread wrote first; but none of a location that is the same
    attribute of another object, or another item of the kind, as one that some thread only read."""
    trace = evidence.trace
    events = trace.events
    order = accesses.order[locations[events.location[accesses.order]]]
    size = int(events.thread.max(initial=0)) + 1
    lane = events.location[order].astype(np.int64) * size + events.thread[order]
    by_lane = np.argsort(lane, kind="stable")
    order, lane = order[by_lane], lane[by_lane]
    kind = events.kind[order]
    is_first = np.r_[True, lane[1:] != lane[:-1]][: len(lane)]
    failed = events.failed()[order]
    only_read = is_first & (kind != EventKind.WRITE)
    shared = {_likeness(trace, location) for location in set(events.location[order[only_read]].tolist())}
    left = np.zeros(len(locations), bool)
    for location in np.flatnonzero(locations).tolist():
        left[location] = _likeness(trace, location) not in shared
    write = np.maximum.accumulate(np.where(kind != EventKind.READ, np.arange(len(order)), 0))
    is_begin = (kind != EventKind.READ) & (evidence.sources.place[order] < 0)
    begin = np.maximum.accumulate(np.where(is_begin, np.arange(len(order)), 0))
    wanted = (kind == EventKind.READ) & ~failed & left[events.location[order]]
    wanted &= kind[write] == EventKind.WRITE  # it is the thread's own: its first access is one
    return _Reads(order[write[wanted]], order[wanted], order[begin[wanted]])


def _likeness(trace: Trace, number: int) -> Hashable:
    """What tells what a location is for: the attribute of objects of a type, or the global variable."""
    location = trace.locations[number]
    if location.kind in (LocationKind.ATTRIBUTE, LocationKind.GLOBAL):
        return location.kind, location.container_type, location.key
    return number


class _Search:
    """Looks into reads."""

    def __init__(self, evidence: Evidence, accesses: Accesses, *, are_counted: bool = False) -> None:
        self._are_counted = are_counted
        self._trace = trace = evidence.trace
        self._events = trace.events
        self._accesses = accesses
        self._pasts = evidence.pasts
        self._activations = evidence.activations
        self._filled: set[Hashable] = set()  # locations, by their likeness, with containers that are filled
        self._emptied: set[Hashable] = set()  # and of which something is done with what is in there

    @property
    def _kept(self) -> set[Hashable]:
        """Locations with containers that threads fill, to take out again what they put there."""
        return self._filled & self._emptied

    def among(self, reads: _Reads) -> list[ReadBack]:
        if not self._of_others(reads).any():
            return []
        found, shared = self._overwritten(reads)
        left = [
            each
            for like, some in found.items()
            if like not in shared
            for each in some
            if like in self._kept or self._made_at(each.write) is not Made.FRESH
        ]
        # who takes a lock to read asks for what others have written
        plain = without_another_lock(self._trace, {(each.write, each.read) for each in left})
        return [each for each in left if (each.write, each.read) in plain]

    def unguarded(self, reads: _Reads, followed: _Triples) -> list[tuple[int, int, int]]:
        """Write, other write and read: those of locations that no thread uses to see what others write."""
        found, shared = self._overwritten(reads)
        events = self._events
        sites = (events.site[column] for column in (followed.write, followed.read))
        order = np.lexsort((events.seq[followed.other] - events.seq[followed.write], *sites))
        number: defaultdict[tuple[int, int], int] = defaultdict(int)
        triples = []
        for write, other, read in np.stack([*followed])[:, order].T.tolist():
            places = int(events.site[write]), int(events.site[read])
            like = _likeness(self._trace, int(events.location[read]))
            number[places] += 1
            if number[places] > MAX_READS or like in shared or like in found:
                continue
            scope = self._scope(write, read)
            if scope is None:
                if not self._is_initial(write):
                    shared.add(like)
                continue
            each = self._told(write, other, read, scope) if scope.is_certain else None
            function = self._trace.site_codes[int(events.site[read])].function.rpartition(".")[2]
            shows = function.lstrip("_").startswith(_SHOWING)
            if each is not None and each.is_sure and not shows:
                triples.append((like, (write, other, read)))
        return [
            triple
            for like, triple in triples
            if like not in shared and (like in self._kept or self._made(triple[0]) is not Made.FRESH)
        ]

    def _of_others(self, reads: _Reads) -> Array:
        """Which of the reads show what another thread wrote."""
        events = self._events
        known = np.isin(events.tag[reads.write], KNOWN) & np.isin(events.tag[reads.read], KNOWN)
        others: Array = known & ~same(events, reads.write, reads.read)
        return others

    def _overwritten(self, reads: _Reads) -> tuple[Mapping[Hashable, list[ReadBack]], set[Hashable]]:
        """By the likeness of locations, what was overwritten and read back; and which threads use otherwise."""
        events = self._events
        others = self._of_others(reads)
        shared: set[Hashable] = set()
        found: defaultdict[Hashable, list[ReadBack]] = defaultdict(list)
        for is_other, limit in ((False, MAX_OWN), (True, MAX_READS)):
            for write, read, begin in self._some(reads, others if is_other else ~others, limit):
                like = _likeness(self._trace, int(events.location[read]))
                if like in shared:
                    continue
                scope = self._scope(begin, read)
                if scope is None:
                    if is_other or not self._is_initial(write):
                        shared.add(like)
                    continue
                (self._filled if self._is_filled(read) else self._emptied).add(like)
                if is_other:
                    other = self._written_by(write, read)
                    if other is None or self._may_know(read, other) or self._may_know(other, write):
                        shared.add(like)
                    elif scope.is_certain and (each := self._told(write, other, read, scope)) is not None:
                        found[like].append(each)
        return found, shared

    def _some(self, reads: _Reads, which: Array, limit: int) -> Iterator[tuple[int, int, int]]:
        """A few of each two sites: write, read, and what is counted from."""
        events = self._events
        write, read, begin = (column[which] for column in reads)
        order = np.lexsort((read, events.site[read], events.site[write]))
        write, read, begin = write[order], read[order], begin[order]
        pair = events.site[write].astype(np.int64) << 32 | events.site[read]
        first = np.maximum.accumulate(
            np.where(np.r_[True, pair[1:] != pair[:-1]][: len(pair)], np.arange(len(pair)), 0)
        )
        some = np.arange(len(pair)) - first < limit
        yield from zip(write[some].tolist(), read[some].tolist(), begin[some].tolist(), strict=True)

    def _scope(self, write: int, read: int) -> Scope | None:
        code = self._trace.site_codes.get(int(self._events.site[write]))
        name = None if code is None else code.function.rpartition(".")[2]
        is_of_module = self._trace.locations[int(self._events.location[write])].kind is LocationKind.GLOBAL
        if name is None or name == _MODULE or (name in _INITIAL and not is_of_module):
            return None
        return self._activations.comes_after(write, read)

    def _is_initial(self, write: int) -> bool:
        """Whether it gives an object what it has first. Who made an object may use it so, before others come to it."""
        code = self._trace.site_codes.get(int(self._events.site[write]))
        is_attribute = self._trace.locations[int(self._events.location[write])].kind is LocationKind.ATTRIBUTE
        return code is not None and is_attribute and code.function.rpartition(".")[2] in _INITIAL

    def _may_know(self, one: int, other: int) -> bool:
        return self._pasts.holds(one, other) is not False

    def _history(self, location: int) -> Array:
        number = int(np.searchsorted(self._accesses.locations, location))
        history: Array = self._accesses.order[self._accesses.begins[number] : self._accesses.ends[number]]
        return history

    def _written_by(self, write: int, read: int) -> int | None:
        """The other thread's write that a read shows.

        The read has another value than what its own thread wrote before it, so another one wrote that after it in every
        order that agrees with the trace."""
        events = self._events
        history = self._history(int(events.location[read]))
        # if accesses are intervals, a write that came before a read may have been recorded after it
        until = int(np.searchsorted(history, np.int32(read))) + (64 if events.before[read] else 0)
        history = history[max(0, until - MAX_BACK) : until]
        others = events.thread[history] != events.thread[read]
        others &= (events.kind[history] == EventKind.WRITE) & same(events, history, read)
        others &= events.seq[history] > events.seq[write] - events.before[write]
        others &= events.seq[history] - events.before[history] < events.seq[read]
        return int(history[others][-1]) if others.any() else None

    def _told(self, write: int, other: int, read: int, scope: Scope) -> ReadBack | None:
        events, trace = self._events, self._trace
        location = int(events.location[read])
        moved = trace.restructured.get(location, ())
        if bisect.bisect(moved, int(events.seq[write])) != bisect.bisect(moved, int(events.seq[read])):
            return None  # it is another cell of the list
        if events.tag[write] in (ValueTag.NONE, ValueTag.FALSE, ValueTag.TRUE):
            return None
        if self._are_counted:
            if self._activations.is_looked_at(read):
                return None
            first, change, last = (int(events.seq[place]) for place in (write, other, read))
            return ReadBack(location, first, change, last, is_sure=True)
        made = self._made(write)
        if made is None or not self._is_used_so(write, other):
            return None
        if made is not Made.FRESH and self._activations.is_looked_at(read):
            return None
        is_own = made in (Made.OWN, Made.FRESH) or scope.is_with or self._is_duration(write, other, read)
        if made is Made.ANYTHING and not is_own:
            return None  # the other one may do as well
        first, change, last = (int(events.seq[place]) for place in (write, other, read))
        return ReadBack(location, first, change, last, is_own)

    def _made(self, write: int) -> Made | None:
        found = self._activations.syntax.of_site(int(self._events.site[write]))
        return None if found is None else found[0].made(found[1])

    def _made_at(self, seq: int) -> Made | None:
        return self._made(int(np.searchsorted(self._events.seq, seq)))

    def _is_filled(self, read: int) -> bool:
        found = self._activations.syntax.of_site(int(self._events.site[read]))
        return found is not None and found[0].is_filled(found[1])

    def _is_duration(self, write: int, other: int, read: int) -> bool:
        """Whether it is subtracted from something, as a time is at which something began."""
        if not np.isin(self._events.tag[[write, other, read]], _NUMBERS).all():
            return False
        found = self._activations.syntax.of_site(int(self._events.site[read]))
        return found is not None and found[0].is_subtracted(found[1])

    def _is_used_so(self, write: int, other: int) -> bool:
        """Whether the other thread reads back what it writes, too. One that only sets a value for others does not; one
        that takes back what it had written has done so."""
        events = self._events
        if events.site[write] == events.site[other]:
            return True
        history = self._history(int(events.location[other]))
        own = history[events.thread[history] == events.thread[other]]
        at = int(np.searchsorted(own, other))
        if events.tag[other] == ValueTag.NONE:
            before = own[:at][events.kind[own[:at]] == EventKind.WRITE]
            return len(before) > 0 and self._activations.of(int(before[-1])) == self._activations.of(other)
        following = own[at + 1 : at + 2]
        if not len(following) or events.kind[following[0]] != EventKind.READ:
            return False
        return self._scope(other, int(following[0])) is not None
