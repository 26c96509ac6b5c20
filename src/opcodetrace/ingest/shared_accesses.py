"""Which accesses are to locations that threads share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Aliases, Births
from opcodetrace.ingest.row_hash import FIRST_SALT, SECOND_SALT, numbered
from opcodetrace.ingest.site_table import ATTRIBUTE, GLOBAL, ITEM, NO_FAMILY, SLICE, WHOLE, SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, TEXT_TAGS, UNKNOWN_TEXT, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, MAX_THREADS, RECORD_KIND_MASK, RecordFlag, Tag
from opcodetrace.spool.records import Records, SpooledRecords, Survey
from opcodetrace.trace.event import Kind

Array = npt.NDArray[Any]


MAX_BUCKET_BITS = 24
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


def _candidates(window: SpooledRecords, seen: Survey, table: SiteTable, interned: Interned, aliases: Aliases) -> Array:
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
        keys = canonical_keys(chunk, table.indexes(chunk["site"]), table, interned)
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
    key_words: Array  # as in the records, except texts: their canonical ids
    key_objects: Array  # tells objects apart that are keys
    uncertain: Array
    reads: Array
    writes: Array
    threads: Array
    unplaced: int  # accesses at unknown sites


def shared_accesses(
    window: SpooledRecords, seen: Survey, births: Births, table: SiteTable, interned: Interned, *, keep_all: bool
) -> Kept:
    aliases = Aliases.of(seen, births)
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
    keys = canonical_keys(rows, sites, table, interned)
    addresses = rows["container"] & np.uint64(ADDRESS_MASK)
    containers = births.objects(addresses, seqs)
    by_identity = keys.tags == Tag.OBJECT
    keys.words[by_identity] = births.objects(keys.words[by_identity], seqs[by_identity]).view(np.uint64)
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

    locations, first = numbered((containers, families, keys.tags, keys.words))
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


def restructured(
    window: SpooledRecords, seen: Survey, births: Births, kept: Kept, interned: Interned
) -> dict[int, list[int]]:
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
    containers = births.objects(rows["container"] & np.uint64(ADDRESS_MASK), seqs)
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
