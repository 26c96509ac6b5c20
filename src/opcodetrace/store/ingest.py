"""From a spool to a Trace: which accesses threads share, and what the records say of them (layout: trace/record.py)."""

from __future__ import annotations

import bisect
import contextlib
import functools
import gc
import itertools
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.store.labels import Labels, Unlabelled
from opcodetrace.store.values import ADDRESS_MASK, TEXT_TAGS, UNKNOWN_TEXT, Interned
from opcodetrace.store.window import Records, Survey, Window, survey
from opcodetrace.trace.call import Call
from opcodetrace.trace.event import Event, Kind
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.record import (
    ADDRESS_BITS,
    MAX_THREADS,
    RECORD_KIND_MASK,
    HeaderFlag,
    RecordFlag,
    RecordKind,
    SwitchFlag,
    SyncFlag,
    Tag,
)
from opcodetrace.trace.run import Thread, Trace, Truncation
from opcodetrace.trace.site import Code, Operation, Site, SourceFile, SwitchPoint
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace
from opcodetrace.trace.synchronisation import Synchronisation, SyncObject

Array = npt.NDArray[Any]

# A family is the LocationKind that a site's operation makes, by its place in this tuple.
FAMILIES = (
    LocationKind.ITEM,
    LocationKind.SLICE,
    LocationKind.ATTRIBUTE,
    LocationKind.GLOBAL,
    LocationKind.CELL,
    LocationKind.WHOLE,
)
ITEM, SLICE, ATTRIBUTE, GLOBAL, CELL, WHOLE = range(len(FAMILIES))
NO_FAMILY = 255
FAMILY_OF_OPERAND = {
    "SUBSCR": ITEM,
    "SLICE": SLICE,
    "ATTR": ATTRIBUTE,
    "GLOBAL": GLOBAL,
    "NAME": GLOBAL,
    "DEREF": CELL,
}
OF_ANY_CONTAINER = (Operation.CALL, Operation.CONTAINS, Operation.ITERATE)  # what they access, the record says
SEQUENCES = frozenset(["list", "bytearray", "collections.deque", "array.array"])  # where a deletion moves items
MAX_BUCKET_BITS = 24
FIRST_SALT = 0x9E3779B97F4A7C15
SECOND_SALT = 0xBF58476D1CE4E5B9


def ingest(
    window: pathlib.Path,
    files: Iterable[SourceFile],
    codes: Iterable[Code],
    *,
    keep_all: bool = False,
    disk_full: bool = False,
    max_records: int | None = None,
    last: int | None = None,
) -> Trace:
    """Read a spool's window. Accesses that no two threads share, or that nothing wrote, are counted and left out unless
    `keep_all`. `max_records` is the limit that the user set, if any: it tells why a recording stopped. Only the `last`
    so many records count, if that is given."""
    files, codes = list(files), list(codes)
    spool = Window.open(window, last)
    seen = survey(spool)
    interned = Interned(seen)
    sites = SiteTable(codes, interned)
    kept = _shared_accesses(spool, seen, sites, interned, keep_all=keep_all)
    labels = Labels(files, sites.sites, sites.codes)
    locations = _locations(kept, sites, interned, labels, certain=bool(spool.flags & HeaderFlag.BIRTHS))
    free_threaded = bool(spool.flags & HeaderFlag.FREE_THREADED)
    switches = [] if free_threaded else _switches(seen, interned, codes, labels)
    threads = _threads(spool, seen, interned, switches)
    sync_objects, synchronisation = _synchronisation(seen, sites, interned, labels, threads)
    markers = _markers(spool, seen, sites, None if keep_all else kept)
    elsewhere = np.empty(0, np.int64) if keep_all else _elsewhere(spool, seen, sites, kept)
    calls = _Calls.of(spool, seen, kept)
    events, frames = _events(spool, kept, markers, elsewhere, interned)
    stopped = bool(spool.flags & HeaderFlag.STOPPED)
    kinds = np.bincount(seen.kinds, minlength=32)
    accesses = int(kinds[[Kind.READ, Kind.WRITE, Kind.DELETE]].sum())
    notes = []
    if kept.unplaced:
        notes.append(f"{kept.unplaced} accesses left out: the spool does not say which instructions made them")
    return Trace(
        free_threaded=free_threaded,
        threads=started_by(threads, synchronisation),
        files=files,
        codes=codes,
        sites=sites.sites,
        site_codes=sites.codes,
        locations=locations,
        events=events,
        calls=calls.numbered(frames, sites),
        switches=switches,
        sync_objects=sync_objects,
        synchronisation=synchronisation,
        restructured=_restructured(spool, seen, kept, interned),
        records=len(spool),
        accesses=accesses,
        stored=len(kept.seqs),
        missed=spool.missed,
        children=spool.children,
        holes=int(kinds[0]),
        truncated=_truncation(spool.limit, max_records, disk_full=disk_full) if stopped else None,
        truncated_seq=spool.stop_seq if stopped else None,
        births=bool(spool.flags & HeaderFlag.BIRTHS),
        notes=notes,
        last=last,
        let_go=spool.first,
    )


def _truncation(limit: int, max_records: int | None, *, disk_full: bool) -> Truncation:
    if limit == max_records:
        return Truncation.LIMIT
    return Truncation.DISK if disk_full else Truncation.WINDOW


class SiteTable:
    """The sites of a run, and arrays over their ids. The last entry of each array stands for all unknown sites."""

    def __init__(self, codes: Sequence[Code], interned: Interned) -> None:
        self.sites: dict[int, Site] = {}
        self.codes: dict[int, Code] = {}
        for code in codes:
            for site in code.sites:
                self.sites[site.id] = site
                self.codes[site.id] = code
        size = max(self.sites, default=-1) + 2
        self.unknown = size - 1
        self.family = np.full(size, NO_FAMILY, np.uint8)
        self.name = np.full(size, UNKNOWN_TEXT, np.uint64)  # canonical text id
        self.plain_global = np.zeros(size, bool)  # the container is a module's globals by what the instruction is
        self.code = np.full(size, -1, np.int64)  # place in `codes`
        for index, code in enumerate(codes):
            for site in code.sites:
                self.code[site.id] = index
                if site.name is not None:
                    self.name[site.id] = interned.canonical(site.name.encode("utf-8", "surrogatepass"))
                if site.operation in OF_ANY_CONTAINER:
                    self.family[site.id] = ITEM
                action, _, operand = site.operation.partition("_")
                if action in ("LOAD", "STORE", "DELETE") and operand in FAMILY_OF_OPERAND:
                    self.family[site.id] = FAMILY_OF_OPERAND[operand]
                    self.plain_global[site.id] = operand == "GLOBAL"

    def indexes(self, ids: Array) -> Array:
        """Site ids as places in the arrays."""
        return np.minimum(ids, self.unknown).astype(np.intp)


@dataclass(frozen=True, slots=True)
class Keys:
    """The canonical form of keys: equal keys have equal tags and words."""

    tags: Array
    words: Array


def _canonical_keys(records: Records, sites: Array, table: SiteTable, interned: Interned) -> Keys:
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


def _mixed(columns: Iterable[Array], salt: int) -> Array:
    """One 64-bit hash of each row."""
    mixed: Array | None = None
    for column in columns:
        word = column.astype(np.uint64)
        mixed = word + np.uint64(salt) if mixed is None else mixed ^ word
        mixed *= np.uint64(SECOND_SALT)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    assert mixed is not None
    return mixed


@dataclass(frozen=True, slots=True)
class Aliases:
    """Dictionaries that hold an object's attributes. From `dicts` on these are objects as of `_objects`."""

    addresses: Array  # of dictionaries and of their objects
    dicts: Array
    owners: Array  # of each dict

    @classmethod
    def of(cls, seen: Survey) -> Aliases:
        which = seen.control_kinds == RecordKind.ALIAS
        seqs, rows = seen.control_seqs[which], seen.control[which]
        owned = rows["value"] & np.uint64(ADDRESS_MASK)
        owning = rows["container"] & np.uint64(ADDRESS_MASK)
        dicts, first = np.unique(_objects(owned, seqs, seen), return_index=True)
        return cls(np.unique(np.concatenate([owned, owning])), dicts, _objects(owning, seqs, seen)[first])

    def owner(self, containers: Array) -> tuple[Array, Array]:
        """Which of the containers are such dictionaries, and whose."""
        if not len(self.dicts):
            return np.zeros(len(containers), bool), containers
        place = np.minimum(np.searchsorted(self.dicts, containers), len(self.dicts) - 1)
        return self.dicts[place] == containers, self.owners[place]


def _candidates(window: Window, seen: Survey, table: SiteTable, interned: Interned, aliases: Aliases) -> Array:
    """The seqs of all accesses to locations that may be shared: every shared one, and few others.

    Containers and keys are hashed into buckets; a bucket that one thread alone touched, or none wrote, holds nothing
    shared. Families and generations only tell apart what has the same address, so they can wait.
    """
    bits = min(MAX_BUCKET_BITS, max(10, len(window).bit_length()))
    no_thread = MAX_THREADS
    first_thread = np.full(1 << bits, no_thread, np.uint32)
    many = np.zeros(1 << bits, bool)
    written = np.zeros(1 << bits, bool)
    found: list[tuple[Array, Array, Array]] = []
    for start, chunk in window.chunks():
        kind = seen.kinds[start - seen.first :][: len(chunk)]
        (where,) = np.nonzero(kind - np.uint8(Kind.READ) <= Kind.DELETE - Kind.READ)
        if not len(where):
            continue
        if len(where) < len(chunk):
            chunk, kind = chunk[where], kind[where]
        keys = _canonical_keys(chunk, table.indexes(chunk["site"]), table, interned)
        mixed = chunk["container"] & np.uint64(ADDRESS_MASK)
        two_buckets = np.isin(mixed, aliases.addresses)  # a location with two containers lies in two
        mixed *= np.uint64(FIRST_SALT)
        mixed ^= keys.words
        mixed *= np.uint64(SECOND_SALT)
        mixed >>= np.uint64(64 - bits)
        buckets = mixed.view(np.int64)
        thread = chunk["thread"].astype(np.uint32)
        before = first_thread[buckets]
        fresh = before == no_thread
        if fresh.any():
            first_thread[buckets[fresh]] = thread[fresh]
            before = first_thread[buckets]
        many[buckets[before != thread]] = True
        written[buckets[kind != Kind.READ]] = True
        where += start
        found.append((where, mixed.astype(np.uint32), two_buckets))
    shared = many & written
    stays = (seqs[shared[buckets] | two_buckets] for seqs, buckets, two_buckets in found)
    return np.concatenate([np.empty(0, np.int64), *stays])


def _objects(addresses: Array, seqs: Array, seen: Survey) -> Array:
    """The object that lived at each address at each seq: how many had come to life there before, and the address."""
    born = seen.control_kinds == RecordKind.BIRTH
    if not born.any():
        return addresses
    places, ranks = np.unique(seen.control["container"][born] & np.uint64(ADDRESS_MASK), return_inverse=True)
    span = np.int64(len(seen.kinds) + 1)
    births = np.sort(ranks * span + seen.control_seqs[born] - seen.first)
    place = np.minimum(np.searchsorted(places, addresses), len(places) - 1)
    (reborn,) = np.nonzero(places[place] == addresses)
    place = place[reborn].astype(np.int64)
    before = np.searchsorted(births, place * span + seqs[reborn] - seen.first)
    generations = np.zeros(len(seqs), np.uint64)
    generations[reborn] = before - np.searchsorted(births, place * span)
    objects: Array = addresses | generations << np.uint64(ADDRESS_BITS)
    return objects


@dataclass(slots=True)
class Kept:
    """The accesses that are stored, in order."""

    seqs: Array
    records: Records  # a copy
    sites: Array  # as places in the SiteTable
    locations: Array  # numbered from 1 by first access
    families: Array  # by location, as what follows; entry 0 is for no location
    containers: Array  # tells containers apart
    container_words: Array  # type id << 48 | address, of the latest access
    key_tags: Array
    key_words: Array  # as in the records, but for texts: their canonical ids
    key_objects: Array  # tells objects apart that are keys
    uncertain: Array
    reads: Array
    writes: Array
    threads: Array
    unplaced: int  # accesses at unknown sites


def _shared_accesses(window: Window, seen: Survey, table: SiteTable, interned: Interned, *, keep_all: bool) -> Kept:
    aliases = Aliases.of(seen)
    if keep_all:
        (seqs,) = np.nonzero((seen.kinds >= Kind.READ) & (seen.kinds <= Kind.DELETE))
        seqs += seen.first
    else:
        seqs = _candidates(window, seen, table, interned, aliases)
    rows = window.take(seqs)
    sites = table.indexes(rows["site"])
    families = table.family[sites]
    placed = families != NO_FAMILY
    if unplaced := int(len(placed) - placed.sum()):
        seqs, rows, sites, families = seqs[placed], rows[placed], sites[placed], families[placed]
    keys = _canonical_keys(rows, sites, table, interned)
    addresses = rows["container"] & np.uint64(ADDRESS_MASK)
    containers = _objects(addresses, seqs, seen)
    by_identity = keys.tags == Tag.OBJECT
    keys.words[by_identity] = _objects(keys.words[by_identity], seqs[by_identity], seen)
    families = families.copy()
    families[(families == ITEM) & (keys.tags == Tag.SLICE)] = SLICE
    families[keys.tags == Tag.WHOLE] = WHOLE
    families[(rows["kind"] & RecordFlag.ATTRIBUTE) != 0] = ATTRIBUTE
    is_attribute, owners = aliases.owner(containers)
    is_attribute &= (families == ITEM) & (keys.tags == Tag.STR)
    containers = np.where(is_attribute, owners, containers)
    families[is_attribute] = ATTRIBUTE
    module = (rows["kind"] & RecordFlag.MODULE) != 0
    globals_known = np.unique(containers[module | table.plain_global[sites]])
    module |= (families == ITEM) & (keys.tags == Tag.STR) & np.isin(containers, globals_known)
    families[module & (keys.tags == Tag.STR)] = GLOBAL

    locations, first = _numbered((containers, families, keys.tags, keys.words))
    count = len(first)
    kinds = rows["kind"] & RECORD_KIND_MASK
    pairs = np.unique(locations.astype(np.int64) * MAX_THREADS + rows["thread"])
    threads = np.bincount(pairs // MAX_THREADS, minlength=count)
    writes = np.bincount(locations[kinds != Kind.READ], minlength=count)
    reads = np.bincount(locations[kinds == Kind.READ], minlength=count)
    uncertain = np.zeros(count, bool)
    uncertain[locations[(rows["kind"] & RecordFlag.UNCERTAIN) != 0]] = True
    last = np.zeros(count, np.int64)
    last[locations] = np.arange(len(locations))

    shared = np.full(count, True) if keep_all else (threads >= 2) & (writes >= 1)
    order = np.flatnonzero(shared)
    number = np.zeros(count, np.int64)
    number[order] = np.arange(1, len(order) + 1)
    numbers = number[locations]
    stays = numbers > 0

    def of_location(column: Array) -> Array:
        return np.concatenate([np.zeros(1, column.dtype), column[order]])

    return Kept(
        seqs=seqs[stays],
        records=rows[stays],
        sites=sites[stays],
        locations=numbers[stays],
        families=of_location(families[first]),
        containers=of_location(containers[first]),
        container_words=of_location(rows["container"][last]),
        key_tags=of_location(keys.tags[first]),
        key_words=of_location(np.where(keys.tags[first] == Tag.OBJECT, rows["key"][first], keys.words[first])),
        key_objects=of_location(keys.words[first]),
        uncertain=of_location(uncertain | _unknown(keys, first)),
        reads=of_location(reads),
        writes=of_location(writes),
        threads=of_location(threads),
        unplaced=unplaced,
    )


def _unknown(keys: Keys, first: Array) -> Array:
    """Keys that the probe could not tell, and texts whose records are missing: there may be several of them."""
    tags, words = keys.tags[first], keys.words[first]
    unknown: Array = (tags == Tag.ABSENT) | (np.isin(tags, TEXT_TAGS) & (words == UNKNOWN_TEXT))
    return unknown


def _numbered(columns: tuple[Array, ...]) -> tuple[Array, Array]:
    """Number equal rows alike, from 0 in order of appearance; and the index of each number's first row."""
    for salt in itertools.count(FIRST_SALT, 0x1000193):
        _, first, inverse = np.unique(_mixed(columns, salt), return_index=True, return_inverse=True)
        if all(np.array_equal(column, column[first][inverse]) for column in columns):
            break
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]


def _locations(
    kept: Kept, table: SiteTable, interned: Interned, labels: Labels, *, certain: bool
) -> dict[int, Location]:
    keys = interned.keys(kept.key_tags, kept.key_words)
    unlabelled = [
        Unlabelled(FAMILIES[family], container, interned.type_name(word >> ADDRESS_BITS), key, key_object)
        for family, container, word, key, key_object in zip(
            kept.families.tolist(),
            kept.containers.tolist(),
            kept.container_words.tolist(),
            keys,
            kept.key_objects.tolist(),
            strict=True,
        )
    ][1:]
    for location, site in _preferred_sites(kept, len(table.family)):
        unlabelled[location - 1].sites.append(site)
    texts = labels.label_all(unlabelled)
    columns = zip(
        unlabelled,
        texts,
        kept.uncertain[1:].tolist(),
        kept.reads[1:].tolist(),
        kept.writes[1:].tolist(),
        kept.threads[1:].tolist(),
        strict=True,
    )
    return {
        number: Location(
            id=number,
            kind=location.kind,
            container_type=location.container_type,
            key=location.key,
            label=text,
            certain=certain and not uncertain,
            reads=reads,
            writes=writes,
            threads=threads,
        )
        for number, (location, text, uncertain, reads, writes, threads) in enumerate(columns, 1)
    }


def _preferred_sites(kept: Kept, size: int) -> Iterator[tuple[int, int]]:
    """(location, site) pairs; a location's writing sites before its reading ones, the busier first."""
    reading = (kept.records["kind"] & RECORD_KIND_MASK) == Kind.READ
    pairs, counts = np.unique((kept.locations * 2 + reading) * size + kept.sites, return_counts=True)
    for index in np.lexsort((pairs, -counts, pairs // size)).tolist():
        location_and_reading, site = divmod(int(pairs[index]), size)
        yield location_and_reading // 2, site


def _markers(window: Window, seen: Survey, table: SiteTable, kept: Kept | None) -> Array:
    """The seqs of COMPUTE, ENTER and DEFINE records, of functions that make a write in `kept` (None: of all)."""
    wanted = np.zeros(int(table.code.max(initial=-1)) + 2, bool)  # the last entry is that of unknown sites
    if kept is None:
        wanted[:-1] = True
    else:
        writing = (kept.records["kind"] & RECORD_KIND_MASK) != Kind.READ
        wanted[table.code[kept.sites[writing]]] = True
    found = [np.empty(0, np.int64)]
    for start, chunk in window.chunks():
        kind = seen.kinds[start - seen.first :][: len(chunk)]
        (where,) = np.nonzero((kind >= Kind.COMPUTE) & (kind <= Kind.DEFINE))
        sites = table.indexes(chunk["site"][where])
        found.append(start + where[wanted[table.code[sites]]])
    return np.concatenate(found)


def _elsewhere(window: Window, seen: Survey, table: SiteTable, kept: Kept) -> Array:
    """The seqs of accesses that are not kept, each right after a kept one at the same site of the same frame: the value
    that a write there is made of is then not the kept one's."""
    asked = np.zeros(table.unknown + 1, bool)
    for site in table.sites.values():
        if site.flow is not None:
            flow = site.flow
            asked[[*flow.reads, *flow.writes, *flow.called_reads, *flow.called_writes]] = True
    of_kept = asked[kept.sites]
    places = _mixed((kept.records["frame"][of_kept], kept.sites[of_kept]), FIRST_SALT)
    known = np.unique(places)
    found = [np.empty(0, np.int64)]
    if not len(known):
        return found[0]
    asked[np.setdiff1d(np.arange(len(asked)), kept.sites[of_kept])] = False
    kept_last = np.zeros(len(known), bool)  # by place: whether its newest access is a kept one
    for start, chunk in window.chunks():
        kind = seen.kinds[start - seen.first :][: len(chunk)]
        (where,) = np.nonzero(kind - np.uint8(Kind.READ) <= Kind.DELETE - Kind.READ)
        sites = table.indexes(chunk["site"][where])
        at_site = asked[sites]
        where, sites = where[at_site], sites[at_site]
        if not len(where):
            continue
        mixed = _mixed((chunk["frame"][where], sites), FIRST_SALT)
        place = np.minimum(np.searchsorted(known, mixed), len(known) - 1)
        at_place = known[place] == mixed
        seqs, place = where[at_place] + start, place[at_place]
        if not len(seqs):
            continue
        first, last = np.searchsorted(kept.seqs, (start, start + len(chunk)))
        is_kept = np.isin(seqs, kept.seqs[first:last])
        order = np.argsort(place, kind="stable")
        seqs, place, is_kept = seqs[order], place[order], is_kept[order]
        begins = np.r_[True, place[1:] != place[:-1]]
        before = np.where(begins, kept_last[place], np.r_[False, is_kept[:-1]])
        found.append(seqs[before & ~is_kept])
        ends = np.r_[begins[1:], True]
        kept_last[place[ends]] = is_kept[ends]
    return np.sort(np.concatenate(found))


def _events(
    window: Window, kept: Kept, markers: Array, elsewhere: Array, interned: Interned
) -> tuple[list[Event], Array]:
    """The events, and the addresses of frames by the numbers that they have there."""
    seqs = np.concatenate([kept.seqs, markers, elsewhere])
    order = np.argsort(seqs, kind="stable")
    seqs = seqs[order]
    others = window.take(elsewhere)
    others["kind"] = Kind.ELSEWHERE
    others["tags"] = others["before"] = 0
    rows = np.concatenate([kept.records, window.take(markers), others])[order]
    locations = np.concatenate([kept.locations, np.full(len(markers) + len(elsewhere), -1)])[order]
    # the addresses of frames only tell activations apart: small numbers do as well
    addresses, frames = np.unique(rows["frame"], return_inverse=True)
    with _collector_paused():
        columns = zip(
            seqs.tolist(),
            np.maximum(seqs - rows["before"].astype(np.int64), 0).tolist(),
            rows["thread"].tolist(),
            rows["site"].tolist(),
            (rows["kind"] & RECORD_KIND_MASK).tolist(),
            locations.tolist(),
            interned.values(rows["tags"] >> 4, rows["value"].copy()),
            frames.tolist(),
            strict=True,
        )
        return list(map(functools.partial(tuple.__new__, Event), columns)), addresses


@dataclass(frozen=True, slots=True)
class _Calls:
    """The ENTER records that say from where a function was called, as far as kept accesses need them."""

    seqs: Array
    records: Records
    parents: Array  # indexes; -1 where no woven function called it
    needed: Array

    @classmethod
    def of(cls, window: Window, seen: Survey, kept: Kept) -> _Calls:
        found = [np.empty(0, np.int64)]
        for start, chunk in window.chunks():
            kind = seen.kinds[start - seen.first :][: len(chunk)]
            found.append(start + np.flatnonzero((kind == Kind.ENTER) & (chunk["tags"] & 15 == Tag.INT)))
        seqs = np.concatenate(found)
        records = window.take(seqs)
        frames, ranks = np.unique(records["frame"] & np.uint64(ADDRESS_MASK), return_inverse=True)
        span = np.int64(seen.first + len(seen.kinds) + 1)
        order = np.argsort(ranks * span + seqs)
        keys = (ranks * span + seqs)[order]

        def activation(addresses: Array, before: Array) -> Array:
            """The latest one at each address that began before a seq; -1 where there is none."""
            if not len(frames):
                return np.full(len(addresses), -1, np.int64)
            rank = np.minimum(np.searchsorted(frames, addresses), len(frames) - 1).astype(np.int64)
            place = np.searchsorted(keys, rank * span + before) - 1
            there = (frames[rank] == addresses) & (place >= 0) & (keys[place] // span == rank)
            return np.where(there, order[place], -1)

        parents = activation(records["container"] & np.uint64(ADDRESS_MASK), seqs)
        needed = np.zeros(len(seqs) + 1, bool)  # the last entry is that of no activation
        fresh = np.unique(activation(kept.records["frame"] & np.uint64(ADDRESS_MASK), kept.seqs))
        while len(fresh := fresh[(fresh >= 0) & ~needed[fresh]]):
            needed[fresh] = True
            fresh = np.unique(parents[fresh])
        return cls(seqs, records, parents, np.flatnonzero(needed[:-1]))

    def numbered(self, frames: Array, table: SiteTable) -> list[Call]:
        """`frames`: addresses by the numbers that events have for them."""
        records = self.records[self.needed]
        place = np.minimum(np.searchsorted(frames, records["frame"]), max(len(frames) - 1, 0))
        known = frames[place] == records["frame"] if len(frames) else np.zeros(len(records), bool)
        parents = self.parents[self.needed]
        return [
            Call(
                seq=seq,
                thread=thread,
                site=site,
                frame=frame if is_known else None,
                caller_seq=int(self.seqs[parent]) if parent >= 0 else None,
                call_site=call_site if call_site in table.sites else None,
            )
            for seq, thread, site, frame, is_known, parent, call_site in zip(
                self.seqs[self.needed].tolist(),
                records["thread"].tolist(),
                records["site"].tolist(),
                place.tolist(),
                known.tolist(),
                parents.tolist(),
                records["key"].tolist(),
                strict=True,
            )
            if site in table.sites
        ]


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Millions of new tuples make the garbage collector look through all of them again and again, in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _threads(spool: Window, seen: Survey, interned: Interned, switches: Sequence[Switch]) -> list[Thread]:
    known: dict[int, tuple[str | None, int, int]] = {}
    births = seen.control[seen.control_kinds == RecordKind.THREAD]
    for row in births:
        thread, named = int(row["thread"]), int(row["tags"]) >> 4 == Tag.STR
        name = interned.text(int(row["value"])) if named else None
        known[thread] = (name, int(row["container"]), int(row["key"]))
    tasks: dict[int, int] = {}
    for row in seen.control[seen.control_kinds == RecordKind.LANE]:
        thread, task_of = int(row["thread"]), int(row["container"])
        tasks[thread] = task_of
        _, ident, native_id = known.get(task_of, (None, 0, 0))
        known[thread] = (interned.text(int(row["value"])), ident, native_id)
    first_seq, last_seq = dict(seen.first_seq), dict(seen.last_seq)
    for switch in switches:  # from a thread whose own records were all let go
        if switch.from_thread >= MAX_THREADS:
            continue  # a damaged record
        first_seq.setdefault(switch.from_thread, switch.seq)
        last_seq.setdefault(switch.from_thread, switch.seq)
    threads = []
    for thread in sorted(first_seq):
        name, ident, native_id = known.get(thread, (None, 0, 0))
        threads.append(
            Thread(
                thread=thread,
                name=name,
                ident=ident,
                native_id=native_id,
                started_by=None,
                first_seq=first_seq[thread],
                last_seq=last_seq[thread],
                ended=spool.ended[thread] != 0,
                task_of=tasks.get(thread),
            )
        )
    return threads


def _switches(seen: Survey, interned: Interned, codes: Sequence[Code], labels: Labels) -> list[Switch]:
    places = _SwitchPlaces(codes, labels)
    which = seen.control_kinds == RecordKind.SWITCH
    rows = seen.control[which]
    switches = []
    columns = zip(
        seen.control_seqs[which].tolist(),
        rows["container"].tolist(),
        rows["thread"].tolist(),
        rows["site"].tolist(),
        rows["key"].tolist(),
        rows["before"].tolist(),
        interned.values(rows["tags"] >> 4, rows["value"].copy()),
        strict=True,
    )
    for seq, from_thread, to_thread, code, offset, flags, callee in columns:
        if from_thread == to_thread:
            continue
        place = None if flags & SwitchFlag.GONE else places.at(code, offset)
        switches.append(
            Switch(
                seq=seq,
                from_thread=from_thread,
                to_thread=to_thread,
                place=place,
                callee=callee if isinstance(callee, str) else None,
                reason=_reason(flags, preempts=places.preempts(code, offset)),
            )
        )
    return switches


def _reason(flags: int, *, preempts: bool) -> Reason | None:
    if flags & SwitchFlag.GONE:
        return Reason.ENDED
    if flags & SwitchFlag.AWAITS:
        return Reason.AWAITED
    if flags & SwitchFlag.YIELD:
        return Reason.YIELDED
    if flags & SwitchFlag.IN_CALL:
        return Reason.BLOCKED
    return Reason.PREEMPTED if flags & SwitchFlag.TOP and preempts else None


def _restructured(window: Window, seen: Survey, kept: Kept, interned: Interned) -> dict[int, list[int]]:
    """When items may have moved, by the location of each item: `del items[0]`, pop(), items[1:2] = ..., clear()."""
    of_container: defaultdict[int, list[int]] = defaultdict(list)
    for location in np.flatnonzero(kept.families == ITEM).tolist():
        of_container[int(kept.containers[location])].append(location)
    found: list[Array] = []
    for start, chunk in window.chunks():
        kind = seen.kinds[start - seen.first :][: len(chunk)]
        (where,) = np.nonzero((kind == Kind.WRITE) | (kind == Kind.DELETE))
        tags = chunk["tags"][where] & 15
        whole = np.isin(tags, (Tag.WHOLE, Tag.SLICE)) | ((tags == Tag.INT) & (kind[where] == Kind.DELETE))
        found.append(where[whole] + start)
    seqs = np.concatenate(found) if found else np.empty(0, np.int64)
    rows = window.take(seqs)
    moved: defaultdict[int, list[int]] = defaultdict(list)
    containers = _objects(rows["container"] & np.uint64(ADDRESS_MASK), seqs, seen)
    item = (rows["tags"] & 15) == Tag.INT
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    for seq, container, is_item, type_id in zip(
        seqs.tolist(), containers.tolist(), item.tolist(), types.tolist(), strict=True
    ):
        if container in of_container and (not is_item or interned.type_name(type_id) in SEQUENCES):
            moved[container].append(seq)
    return {
        location: moved[container]
        for container, each in of_container.items()
        if container in moved
        for location in each
    }


def _synchronisation(
    seen: Survey, table: SiteTable, interned: Interned, labels: Labels, threads: Sequence[Thread]
) -> tuple[list[SyncObject], list[Synchronisation]]:
    """What threads did to wait for each other, by objects that two of them used; and the starts of threads."""
    which = seen.control_kinds == RecordKind.SYNC
    seqs, rows = seen.control_seqs[which], seen.control[which]
    if not len(rows):
        return [], []
    addresses = rows["container"] & np.uint64(ADDRESS_MASK)
    objects = _objects(addresses, seqs, seen)
    used, first, place = np.unique(objects, return_index=True, return_inverse=True)
    users = np.unique(place.astype(np.int64) * MAX_THREADS + rows["thread"]) // MAX_THREADS
    names = interned.values(rows["tags"] & 15, rows["key"].copy())
    of_threads = np.zeros(len(used), bool)  # one thread starts and joins another: that is between two
    of_threads[place[np.array([name in OF_THREADS for name in names], bool)]] = True
    shared = ((np.bincount(users, minlength=len(used)) >= 2) | of_threads) & (addresses[first] != 0)
    numbers = np.cumsum(shared)
    stays = shared[place] | (addresses == 0)
    seqs, rows, place = seqs[stays], rows[stays], place[stays]
    names = list(itertools.compress(names, stays.tolist()))
    sites = [site if site in table.sites else None for site in rows["site"].tolist()]
    types: dict[int, str] = {}
    written: dict[int, str] = {}
    direct: dict[int, bool] = {}
    held = _Holders()
    waking = _Waking(threads)
    starts = _Starts(threads)
    made = []
    columns = zip(
        seqs.tolist(),
        np.maximum(seqs - rows["before"].astype(np.int64), 0).tolist(),
        rows["thread"].tolist(),
        sites,
        place.tolist(),
        shared[place].tolist(),
        (rows["container"] >> np.uint64(ADDRESS_BITS)).tolist(),
        names,
        rows["value"].tolist(),
        rows["frame"].tolist(),
        strict=True,
    )
    for seq, earliest, thread, site, where, is_shared, type_id, name, value, flags in columns:
        number = int(numbers[where]) if is_shared else None
        operation = OPERATIONS.get(str(name), str(name))
        begins, failed = bool(flags & SyncFlag.BEGINS), bool(flags & SyncFlag.FAILED)
        if number is not None and number not in types:
            types[number] = interned.type_name(type_id)
        is_direct = bool(flags & SyncFlag.DIRECT)
        if number is not None and site is not None and (number not in written or is_direct > direct[number]):
            written[number] = labels.synchronised(site, types[number], direct=is_direct)
            direct[number] = is_direct
        holder = started = None
        if number is not None and types[number] in LOCKS:
            holder = held.note(number, types[number], operation, seq, earliest, thread, done=not begins and not failed)
        if number is None:
            started = starts.thread(value, seq)
            waking.note_start(thread, started)
        inside, woken_by = waking.note(number, operation, seq, earliest, thread, begins=begins, failed=failed)
        waits = operation not in AT_ONCE and not begins
        made.append(
            Synchronisation(
                seq=seq,
                earliest=earliest,
                thread=thread,
                site=site,
                object=number,
                operation=operation,
                begins=begins,
                failed=failed,
                waited=value / 1e9 if waits and number is not None else None,
                holder=holder,
                woken_by=woken_by,
                inside=inside,
                started=started,
            )
        )
    named = labels.label_objects([(types[number], written.get(number)) for number in sorted(types)])
    return [SyncObject(number, types[number], label) for number, label in zip(sorted(types), named, strict=True)], made


LOCKS = frozenset(["_thread.lock", "_thread.RLock"])
OPERATIONS = {  # what C code and the protocols call it
    "__enter__": "acquire",
    "__exit__": "release",
    "acquire_lock": "acquire",
    "release_lock": "release",
    "_acquire_restore": "acquire",
    "_release_save": "release",
    "put_nowait": "put",
    "get_nowait": "get",
}
AT_ONCE = frozenset(["release", "notify", "set", "clear", "cancel", "task_done", "set_result", "set_exception"])


class _Holders:
    """Who held each lock, and when."""

    def __init__(self) -> None:
        self._seqs: defaultdict[int, list[int]] = defaultdict(list)
        self._holders: defaultdict[int, list[int | None]] = defaultdict(list)
        self._depth: Counter[int] = Counter()

    def note(
        self, lock: int, type_name: str, operation: str, seq: int, earliest: int, thread: int, *, done: bool
    ) -> int | None:
        """Gives the thread that held the lock as an acquisition began."""
        seqs, holders = self._seqs[lock], self._holders[lock]
        place = bisect.bisect_left(seqs, earliest)
        before = holders[place - 1] if place else None
        if operation == "acquire" and done:
            self._depth[lock] = self._depth[lock] + 1 if holders and holders[-1] == thread else 1
            seqs.append(seq)
            holders.append(thread)
        elif operation == "release":
            self._depth[lock] -= 1
            if type_name != "_thread.RLock" or self._depth[lock] <= 0:
                self._depth[lock] = 0
                seqs.append(seq)
                holders.append(None)
        return before if operation == "acquire" and before != thread else None


OF_THREADS = frozenset(["start", "join"])
GIVE = frozenset(["release", "put"])  # what lets another thread go on
TAKE = frozenset(["acquire", "get"])  # what waits for that, in C code


class _Waking:
    """Who ended each wait, and which operations are parts of others."""

    def __init__(self, threads: Sequence[Thread]) -> None:
        self._given: dict[int, tuple[int, int]] = {}  # object: seq and thread
        self._within: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)  # thread: seq, object, operation
        self._woken: dict[int, tuple[int, int]] = {}  # thread: the seq at which it was last woken, and by whom
        self._thread_of: dict[int, int] = {}  # object of a thread: its number
        self._last_seqs = {thread.thread: thread.last_seq for thread in threads}

    def note_start(self, starter: int, started: int | None) -> None:
        within = self._within[starter]
        if within and started is not None:
            self._thread_of[within[-1][1]] = started

    def note(
        self, number: int | None, operation: str, seq: int, earliest: int, thread: int, *, begins: bool, failed: bool
    ) -> tuple[int | None, int | None]:
        """Gives the seq at which the enclosing operation began, and the thread that ended the wait."""
        within = self._within[thread]
        woken_by = None
        if begins and number is not None:
            inside = within[-1][0] if within else None
            within.append((seq, number, operation))
            return inside, None
        for place in range(len(within) - 1, -1, -1):
            if within[place][1:] == (number, operation):
                began = within[place][0]
                del within[place:]  # what began behind it was left by an exception
                woken_at, by = self._woken.get(thread, (-1, -1))
                woken_by = by if woken_at > began else None
                break
        inside = within[-1][0] if within else None
        if operation == "join" and not failed and number in self._thread_of:
            joined = self._thread_of[number]
            if self._last_seqs[joined] >= earliest:
                woken_by = joined
        if number is not None and operation in GIVE:
            self._given[number] = (seq, thread)
        elif number is not None and operation in TAKE and not failed and woken_by is None:
            given_at, giver = self._given.get(number, (-1, -1))
            if given_at >= earliest and giver != thread:
                woken_by = giver
                self._woken[thread] = (seq, giver)
        return inside, woken_by


class _Starts:
    """Which thread began with an ident: idents are used again."""

    def __init__(self, threads: Sequence[Thread]) -> None:
        self._of: defaultdict[int, list[Thread]] = defaultdict(list)
        for thread in threads:
            if thread.task_of is None:
                self._of[thread.ident].append(thread)

    def thread(self, ident: int, seq: int) -> int | None:
        """The thread that was started at about `seq`: it may make its first record before its starter comes back."""
        found = [each for each in self._of[ident] if each.last_seq >= seq or each.first_seq >= seq]
        return found[0].thread if found else None


def started_by(threads: Sequence[Thread], synchronisation: Sequence[Synchronisation]) -> list[Thread]:
    starters = {each.started: each.thread for each in synchronisation if each.started is not None}
    return [replace(thread, started_by=starters.get(thread.thread)) for thread in threads]


class _SwitchPlaces:
    """The places that SWITCH records name, each made once."""

    def __init__(self, codes: Sequence[Code], labels: Labels) -> None:
        self._points = {(code.id, point.woven_offset): (code, point) for code in codes for point in code.switch_points}
        self._labels = labels
        self._places: dict[tuple[int, int], SwitchPlace] = {}

    def at(self, code_id: int, woven_offset: int) -> SwitchPlace | None:
        key = (code_id, woven_offset)
        if key not in self._places and key in self._points:
            self._places[key] = self._place(*self._points[key])
        return self._places.get(key)

    def preempts(self, code_id: int, woven_offset: int) -> bool:
        """Whether the interpreter itself may take the GIL away at this instruction."""
        key = (code_id, woven_offset)
        return key in self._points and self._points[key][1].preempts

    def _place(self, code: Code, point: SwitchPoint) -> SwitchPlace:
        source = self._labels.source(code.file)
        return SwitchPlace(
            file=code.file,
            function=code.function,
            line=point.line,
            opcode=point.opcode,
            offset=point.offset,
            expression=source.expression(point.line, point.column, point.end_line, point.end_column),
        )
