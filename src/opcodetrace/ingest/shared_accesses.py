"""Which accesses are to locations that threads share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.candidates import Candidates
from opcodetrace.ingest.failed_iterations import FailedIterations
from opcodetrace.ingest.identity import Aliases, Births
from opcodetrace.ingest.row_numbers import RowNumbers
from opcodetrace.ingest.site_table import ATTRIBUTE, GLOBAL, ITEM, NO_FAMILY, SLICE, WHOLE, SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, TEXT_TAGS, UNKNOWN_TEXT, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, MAX_THREADS, RECORD_KIND_MASK, RecordFlag, Tag
from opcodetrace.spool.records import Records, SpooledRecords, Survey
from opcodetrace.trace.event import EventKind

Array = npt.NDArray[Any]


CHUNK = 1 << 16  # accesses at a time
SEQUENCES = frozenset(["list", "bytearray", "collections.deque", "array.array"])  # where a deletion moves items


@dataclass(frozen=True, slots=True)
class Keys:
    """The canonical form of keys: equal keys have equal tags and words."""

    tags: Array
    words: Array


def canonical_keys(records: Records, sites: Array, table: SiteTable, interned: Interned) -> Keys:
    tags = records["tags"] & 15
    words = records["key"].copy()
    for tag in np.flatnonzero(np.bincount(tags, minlength=16)).tolist():
        where = tags == tag
        match tag:
            case Tag.NAME:
                words[where] = table.name[sites[where]]
                tags[where] = Tag.STR
            case Tag.STR | Tag.BYTES | Tag.TUPLE:
                words[where] = interned.canonical_ids(words[where])
            case Tag.FALSE | Tag.TRUE:
                words[where] = tag == Tag.TRUE
                tags[where] = Tag.INT
            case Tag.NONE | Tag.ABSENT:
                words[where] = 0
            case Tag.WHOLE | Tag.END:
                words[where] = 0
                tags[where] = Tag.WHOLE
            case Tag.OBJECT:
                words[where] &= ADDRESS_MASK
    return Keys(tags, words)


# of the first columns of Kept
DTYPES = (
    *(np.int64, np.uint32, np.uint16, np.uint8, np.uint8, np.uint64, np.int32, np.uint32),
    np.int32,
)


@dataclass(slots=True)
class Kept:
    """The accesses that are stored, in order, and the locations that they are of."""

    seqs: Array  # int64
    before: Array  # as in the records, as what follows
    threads_of: Array
    kinds: Array
    tags: Array  # of the values
    values: Array
    frame: Array  # int32: the number of its address
    site_ids: Array
    locations: Array  # int32: numbered from 1 by first access
    families: Array  # by location, as what follows; entry 0 is for no location
    containers: Array  # tells containers apart
    container_words: Array  # type id << 48 | address, of the latest access
    key_tags: Array
    key_words: Array  # as in the records, except texts: their canonical ids
    key_objects: Array  # tells objects apart that are keys
    uncertain: Array
    reads: Array
    writes: Array
    threads: Array
    unplaced: int  # accesses at unknown sites
    partly: Array  # by place in the SiteTable: whether other accesses at the site may not be kept
    frames: RowNumbers  # of the addresses of frames

    def addresses(self, which: Array | slice) -> Array:
        """Those of the frames of some of the accesses."""
        return self.frames.column(0)[self.frame[which]]

    def latest_access(self, threads: Array, before: Array) -> Array:
        """The seq of each thread's latest access before a seq, -1 if there is none; `before` is in order."""
        found = np.full(len(before), -1, np.int64)
        latest = np.full(MAX_THREADS, -1, np.int64)  # by thread, in the pieces so far
        done = 0
        for start in range(0, len(self.seqs), CHUNK):
            if done == len(before):
                break
            seqs, of = self.seqs[start : start + CHUNK], self.threads_of[start : start + CHUNK]
            stop = int(np.searchsorted(before, seqs[-1], side="right"))
            if stop > done:
                asked = slice(done, stop)
                order = np.argsort(of, kind="stable")
                ranks = np.searchsorted(seqs, before[asked])  # how many accesses of the piece come before
                keys = of[order].astype(np.int64) * CHUNK + order
                place = np.searchsorted(keys, threads[asked] * CHUNK + ranks) - 1
                here = (place >= 0) & (of[order[place]] == threads[asked])
                found[asked] = np.where(here, seqs[order[place]], latest[threads[asked]])
                done = stop
            latest[of] = seqs
        found[done:] = latest[threads[done:]]
        return found


@dataclass(slots=True)
class Placed:
    """Some accesses at sites that are known, and which location each is of."""

    seqs: Array
    rows: Records
    sites: Array
    families: Array
    keys: Keys
    containers: Array
    unplaced: int

    @classmethod
    def of(
        cls, seqs: Array, rows: Records, table: SiteTable, interned: Interned, births: Births, aliases: Aliases
    ) -> Placed:
        sites = table.indexes(rows["site"])
        families = table.family[sites]
        placed = families != NO_FAMILY
        if unplaced := int(len(placed) - placed.sum()):
            seqs, rows, sites, families = seqs[placed], rows[placed], sites[placed], families[placed]
        keys = canonical_keys(rows, sites, table, interned)
        containers = births.objects(rows["container"] & np.uint64(ADDRESS_MASK), seqs)
        by_identity = keys.tags == Tag.OBJECT
        if by_identity.any():
            keys.words[by_identity] = births.objects(keys.words[by_identity], seqs[by_identity]).view(np.uint64)
        (tuples,) = np.nonzero(keys.tags == Tag.TUPLE)
        if len(tuples):
            keys.words[tuples] = interned.told_apart(
                keys.words[tuples],
                lambda address, which: births.objects(np.full(len(which), address, np.uint64), seqs[tuples[which]]),
            )
        families = families.copy()
        families[(families == ITEM) & (keys.tags == Tag.SLICE)] = SLICE
        families[keys.tags == Tag.WHOLE] = WHOLE
        families[_flagged(rows, RecordFlag.ATTRIBUTE)] = ATTRIBUTE
        is_attribute, owners = aliases.owner(containers)
        is_attribute &= (families == ITEM) & (keys.tags == Tag.STR)
        containers = np.where(is_attribute, owners, containers)
        families[is_attribute] = ATTRIBUTE
        return cls(seqs, rows, sites, families, keys, containers, unplaced)

    def place_globals(self, known: Array) -> None:
        """What lies under a name in one of these containers is a global."""
        module = _flagged(self.rows, RecordFlag.MODULE)
        text = self.keys.tags == Tag.STR
        module |= (self.families == ITEM) & text & np.isin(self.containers, known)
        self.families[module & text] = GLOBAL


def _flagged(rows: Records, flag: RecordFlag) -> Array:
    """Those with one of the flags that exclude each other: both of them together mean something else."""
    flagged: Array = (rows["kind"] & RecordFlag.RESIZES) == flag
    return flagged


def shared_accesses(
    window: SpooledRecords,
    seen: Survey,
    births: Births,
    table: SiteTable,
    interned: Interned,
    failed: FailedIterations,
    asked: Array,
    *,
    keep_all: bool,
) -> Kept:
    """Also those by one thread alone that tell why an iteration `failed`, or are to a location of which an access is
    `asked` for, by its seq."""
    aliases = Aliases.of(seen, births)
    candidates = (
        Candidates.all_of(window, seen) if keep_all else Candidates.of(window, seen, table, interned, aliases, asked)
    )
    if len(seen.failed):
        candidates = candidates.with_all_of(failed, seen)
    globals_known = [np.empty(0, np.int64)]
    for seqs, piece in candidates.rows(in_globals=True):
        in_globals = _flagged(piece, RecordFlag.MODULE)
        in_globals |= table.plain_global[table.indexes(piece["site"])]
        if in_globals.any():
            placed = Placed.of(seqs[in_globals], piece[in_globals], table, interned, births, aliases)
            globals_known.append(np.unique(placed.containers))
    known = np.unique(np.concatenate(globals_known))
    numbers, frames = RowNumbers(3), RowNumbers(1)
    by_location = ByLocation()
    # zeros that are never written take no memory: `before` has nothing else if the order of all accesses is exact
    room = candidates.count + len(seen.markers)
    columns = [np.zeros(room, dtype)[: candidates.count] for dtype in DTYPES]
    unplaced = stop = 0
    asked_for = [np.empty(0, np.int64)]  # locations
    for seqs, piece in candidates.rows():
        placed = Placed.of(seqs, piece, table, interned, births, aliases)
        placed.place_globals(known)
        records, keys = placed.rows, placed.keys
        how = placed.families.astype(np.uint64) << np.uint64(8) | keys.tags
        locations = numbers.of(placed.containers.view(np.uint64), how, keys.words)
        by_location.add(locations, len(numbers), records)
        first, end = np.searchsorted(asked, (placed.seqs[0], placed.seqs[-1] + 1)) if len(placed.seqs) else (0, 0)
        asked_for.append(np.unique(locations[np.isin(placed.seqs, asked[first:end])]))
        unplaced += placed.unplaced
        start, stop = stop, stop + len(records)
        found = (
            *(placed.seqs, records["before"], records["thread"], records["kind"] & np.uint8(RECORD_KIND_MASK)),
            *(records["tags"] >> np.uint8(4), records["value"], frames.of(records["frame"]), records["site"]),
            locations,
        )
        for column, part in zip(columns, found, strict=True):
            if part.any():
                column[start:stop] = part
    threads = by_location.thread_counts()
    count = len(numbers)
    shared = np.full(count, True) if keep_all else (threads >= 2) & (by_location.writes[:count] >= 1)
    families = (numbers.column(1) >> np.uint64(8)).astype(table.family.dtype)
    shared |= failed.concerns(numbers.column(0).view(np.int64), families, by_location.writes[:count])
    shared[np.concatenate(asked_for)] = True
    order = np.flatnonzero(shared)
    number = np.zeros(count, np.int32)
    number[order] = np.arange(1, len(order) + 1)
    columns = _staying([column[:stop] for column in columns], number)
    partly = np.ones(len(table.family), bool)
    if candidates.by_site is not None:
        partly = candidates.by_site != _by_site(columns[-2], table)

    def of_location(column: Array) -> Array:
        return np.concatenate([np.zeros(1, column.dtype), column[order]])

    words = numbers.column(2)
    tags = (numbers.column(1) & np.uint64(0xFF)).astype(np.uint8)
    all_seqs, before, threads_of, kinds, value_tags, values, frame, site_ids, locations = columns
    return Kept(
        seqs=all_seqs,
        before=before,
        threads_of=threads_of,
        kinds=kinds,
        tags=value_tags,
        values=values,
        frame=frame,
        frames=frames,
        site_ids=site_ids,
        locations=locations,
        families=of_location(families),
        containers=of_location(numbers.column(0).view(np.int64)),
        container_words=of_location(by_location.container_words[:count]),
        key_tags=of_location(tags),
        key_words=of_location(np.where(tags == Tag.OBJECT, by_location.keys[:count], words)),
        key_objects=of_location(words),
        uncertain=of_location(by_location.uncertain[:count] | _unknown(tags, words)),
        reads=of_location(by_location.reads[:count]),
        writes=of_location(by_location.writes[:count]),
        threads=of_location(threads),
        unplaced=unplaced,
        partly=partly,
    )


def _by_site(site_ids: Array, table: SiteTable) -> Array:
    """How many of some accesses are at each site."""
    counts = np.zeros(len(table.family), np.int64)
    for start in range(0, len(site_ids), CHUNK):
        counts += np.bincount(table.indexes(site_ids[start : start + CHUNK]), minlength=len(counts))
    return counts


def _staying(columns: list[Array], number: Array) -> list[Array]:
    """The accesses whose locations, the last column, have a number; with these numbers."""
    stop = 0
    moving = [column for column in columns if column.any()]
    for start in range(0, len(columns[-1]), CHUNK):
        part = slice(start, start + CHUNK)
        numbers = number[columns[-1][part]]
        stays = numbers > 0
        begin, stop = stop, stop + int(stays.sum())
        columns[-1][part] = numbers
        if begin == start and stays.all():
            continue
        for column in moving:
            column[begin:stop] = column[part][stays]
    return [column[:stop] if 2 * stop > len(column) else column[:stop].copy() for column in columns]


def with_more(column: Array, at: Array, more: Array) -> Array:
    """A column with some items inserted before others of it; in its own array, if that goes on far enough."""
    count = len(column) + len(more)
    if not column.any() and not more.any():
        return np.zeros(count, column.dtype)  # takes no memory
    whole = column if column.base is None else column.base
    if len(whole) < count:
        return np.insert(column, at, more)
    for start in reversed(range(0, len(column) + 1, CHUNK)):  # the later ones first: they make room
        stop = min(start + CHUNK, len(column))
        first, last = np.searchsorted(at, (start, start + CHUNK))
        if last == 0:
            break
        piece = np.insert(whole[start:stop], at[first:last] - start, more[first:last])
        whole[start + first : start + first + len(piece)] = piece
    made: Array = whole[:count]
    return made


class ByLocation:
    """What accesses say of their locations, piece by piece."""

    def __init__(self) -> None:
        self.reads, self.writes = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.uncertain = np.zeros(0, bool)
        self.container_words = np.zeros(0, np.uint64)  # of the latest access
        self.keys = np.zeros(0, np.uint64)  # of the first one, as in the records
        self._known = 0
        self._pairs = np.empty(0, np.int64)  # of locations and threads
        self._fresh: list[Array] = []
        self._waiting = 0

    def add(self, locations: Array, count: int, rows: Records) -> None:
        """More accesses; `count` is how many locations there are by now."""
        if count > len(self.reads):
            room = max(count, 2 * len(self.reads), 1024)
            for name in ("reads", "writes", "uncertain", "container_words", "keys"):
                old = getattr(self, name)
                grown = np.zeros(room, old.dtype)
                grown[: len(old)] = old
                setattr(self, name, grown)
        kinds = rows["kind"] & RECORD_KIND_MASK
        np.add.at(self.reads, locations[kinds == EventKind.READ], 1)
        np.add.at(self.writes, locations[kinds != EventKind.READ], 1)
        self.uncertain[locations[(rows["kind"] & RecordFlag.UNCERTAIN) != 0]] = True
        self.container_words[locations] = rows["container"]
        fresh, first = np.unique(locations[::-1], return_index=True)
        new = fresh >= self._known
        self.keys[fresh[new]] = rows["key"][::-1][first[new]]
        self._known = count
        self._fresh.append(np.unique(locations.astype(np.int64) * MAX_THREADS + rows["thread"]))
        self._waiting += len(self._fresh[-1])
        if self._waiting > len(self._pairs) + CHUNK:
            self._merge()

    def _merge(self) -> None:
        self._pairs = np.unique(np.concatenate([self._pairs, *self._fresh]))
        self._fresh, self._waiting = [], 0

    def thread_counts(self) -> Array:
        """How many threads accessed each location."""
        self._merge()
        return np.bincount(self._pairs // MAX_THREADS, minlength=self._known)


def _unknown(tags: Array, words: Array) -> Array:
    """Keys that the probe could not tell, and texts whose records are missing: there may be several of them."""
    unknown: Array = (tags == Tag.ABSENT) | (np.isin(tags, TEXT_TAGS) & (words == UNKNOWN_TEXT))
    return unknown


def restructured(
    window: SpooledRecords, seen: Survey, births: Births, kept: Kept, interned: Interned
) -> dict[int, list[int]]:
    """When items may have moved, by the location of each item: `del items[0]`, pop(), items[1:2] = ..., clear()."""
    (items,) = np.nonzero(kept.families == ITEM)
    known = set(np.unique(kept.containers[items]).tolist())
    if not known:
        return {}
    seqs = seen.moving
    rows = window.take(seqs)
    moved: defaultdict[int, list[int]] = defaultdict(list)
    containers = births.objects(rows["container"] & np.uint64(ADDRESS_MASK), seqs)
    item = (rows["tags"] & 15) == Tag.INT
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    for seq, container, is_item, type_id in zip(
        seqs.tolist(), containers.tolist(), item.tolist(), types.tolist(), strict=True
    ):
        if container in known and (not is_item or interned.type_name(type_id) in SEQUENCES):
            moved[container].append(seq)
    items = items[np.isin(kept.containers[items], np.fromiter(moved, np.int64, len(moved)))]
    return {
        location: moved[container]
        for location, container in zip(items.tolist(), kept.containers[items].tolist(), strict=True)
    }
