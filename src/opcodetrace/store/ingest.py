"""From a spool to a Trace: which accesses threads share, and what the records say of them (layout: trace/record.py)."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.store.labels import Labels, Unlabelled
from opcodetrace.store.values import ADDRESS_MASK, TEXT_TAGS, UNKNOWN_TEXT, Interned
from opcodetrace.store.window import CHUNK, Records, Survey, Window, survey
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
    Tag,
)
from opcodetrace.trace.run import Thread, Trace, Truncation
from opcodetrace.trace.site import Code, Site, SourceFile, SwitchPoint
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace

Array = npt.NDArray[Any]

# A family is the LocationKind that a site's operation makes, by its place in this tuple.
FAMILIES = (
    LocationKind.ITEM,
    LocationKind.SLICE,
    LocationKind.ATTRIBUTE,
    LocationKind.GLOBAL,
    LocationKind.CELL,
)
ITEM, SLICE, ATTRIBUTE, GLOBAL, CELL = range(len(FAMILIES))
NO_FAMILY = 255
FAMILY_OF_OPERAND = {
    "SUBSCR": ITEM,
    "SLICE": SLICE,
    "ATTR": ATTRIBUTE,
    "GLOBAL": GLOBAL,
    "NAME": GLOBAL,
    "DEREF": CELL,
}
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
) -> Trace:
    """Read a spool's window. Accesses that no two threads share, or that nothing wrote, are counted and left out unless
    `keep_all`. `max_records` is the limit that the user set, if any: it tells why a recording stopped."""
    files, codes = list(files), list(codes)
    spool = Window.open(window)
    seen = survey(spool)
    interned = Interned(seen)
    sites = SiteTable(codes, interned)
    kept = _shared_accesses(spool.records, seen, sites, interned, keep_all=keep_all)
    labels = Labels(files, sites.sites, sites.codes)
    locations = _locations(kept, sites, interned, labels, certain=bool(spool.flags & HeaderFlag.BIRTHS))
    markers = _markers(spool.records, seen.kinds, sites, None if keep_all else kept)
    free_threaded = bool(spool.flags & HeaderFlag.FREE_THREADED)
    stopped = bool(spool.flags & HeaderFlag.STOPPED)
    kinds = np.bincount(seen.kinds, minlength=32)
    accesses = int(kinds[[Kind.READ, Kind.WRITE, Kind.DELETE]].sum())
    notes = []
    if kept.unplaced:
        notes.append(f"{kept.unplaced} accesses left out: the spool does not say which instructions made them")
    return Trace(
        free_threaded=free_threaded,
        threads=_threads(spool, seen, interned),
        files=files,
        codes=codes,
        sites=sites.sites,
        site_codes=sites.codes,
        locations=locations,
        events=_events(spool.records, kept, markers, interned),
        switches=[] if free_threaded else _switches(seen, interned, codes, labels),
        records=len(spool.records),
        accesses=accesses,
        stored=len(kept.seqs),
        missed=spool.missed,
        children=spool.children,
        holes=int(kinds[0]),
        truncated=_truncation(spool.limit, max_records, disk_full=disk_full) if stopped else None,
        truncated_seq=spool.stop_seq if stopped else None,
        births=bool(spool.flags & HeaderFlag.BIRTHS),
        notes=notes,
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


def _candidates(records: Records, kinds: Array, table: SiteTable, interned: Interned) -> Array:
    """The seqs of all accesses to locations that may be shared: every shared one, and few others.

    Containers and keys are hashed into buckets; a bucket that one thread alone touched, or none wrote, holds nothing
    shared. Families and generations only tell apart what has the same address, so they can wait.
    """
    bits = min(MAX_BUCKET_BITS, max(10, len(records).bit_length()))
    no_thread = MAX_THREADS
    first_thread = np.full(1 << bits, no_thread, np.uint32)
    many = np.zeros(1 << bits, bool)
    written = np.zeros(1 << bits, bool)
    found: list[tuple[Array, Array]] = []
    for start in range(0, len(records), CHUNK):
        chunk = records[start : start + CHUNK]
        kind = kinds[start : start + CHUNK]
        (where,) = np.nonzero(kind - np.uint8(Kind.READ) <= Kind.DELETE - Kind.READ)
        if not len(where):
            continue
        if len(where) < len(chunk):
            chunk, kind = chunk[where], kind[where]
        keys = _canonical_keys(chunk, table.indexes(chunk["site"]), table, interned)
        mixed = chunk["container"] & np.uint64(ADDRESS_MASK)
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
        found.append((where, mixed.astype(np.uint32)))
    shared = many & written
    return np.concatenate([np.empty(0, np.int64), *(seqs[shared[buckets]] for seqs, buckets in found)])


def _objects(addresses: Array, seqs: Array, seen: Survey) -> Array:
    """The object that lived at each address at each seq: how many had come to life there before, and the address."""
    born = seen.kinds[seen.control_seqs] == RecordKind.BIRTH
    if not born.any():
        return addresses
    places, ranks = np.unique(seen.control["container"][born] & np.uint64(ADDRESS_MASK), return_inverse=True)
    span = np.int64(len(seen.kinds) + 1)
    births = np.sort(ranks * span + seen.control_seqs[born])
    place = np.minimum(np.searchsorted(places, addresses), len(places) - 1)
    (reborn,) = np.nonzero(places[place] == addresses)
    place = place[reborn].astype(np.int64)
    before = np.searchsorted(births, place * span + seqs[reborn])
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


def _shared_accesses(records: Records, seen: Survey, table: SiteTable, interned: Interned, *, keep_all: bool) -> Kept:
    if keep_all:
        (seqs,) = np.nonzero((seen.kinds >= Kind.READ) & (seen.kinds <= Kind.DELETE))
    else:
        seqs = _candidates(records, seen.kinds, table, interned)
    rows: Records = np.asarray(records[seqs])
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


def _markers(records: Records, kinds: Array, table: SiteTable, kept: Kept | None) -> Array:
    """The seqs of COMPUTE, ENTER and DEFINE records, of functions that make a write in `kept` (None: of all)."""
    wanted = np.zeros(int(table.code.max(initial=-1)) + 2, bool)  # the last entry is that of unknown sites
    if kept is None:
        wanted[:-1] = True
    else:
        writing = (kept.records["kind"] & RECORD_KIND_MASK) != Kind.READ
        wanted[table.code[kept.sites[writing]]] = True
    found = [np.empty(0, np.int64)]
    for start in range(0, len(records), CHUNK):
        kind = kinds[start : start + CHUNK]
        (where,) = np.nonzero((kind >= Kind.COMPUTE) & (kind <= Kind.DEFINE))
        sites = table.indexes(records["site"][start + where])
        found.append(start + where[wanted[table.code[sites]]])
    return np.concatenate(found)


def _events(records: Records, kept: Kept, markers: Array, interned: Interned) -> list[Event]:
    seqs = np.concatenate([kept.seqs, markers])
    order = np.argsort(seqs, kind="stable")
    seqs = seqs[order]
    rows = np.concatenate([kept.records, np.asarray(records[markers])])[order]
    locations = np.concatenate([kept.locations, np.full(len(markers), -1)])[order]
    # the addresses of frames only tell activations apart: small numbers do as well
    _, frames = np.unique(rows["frame"], return_inverse=True)
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
        return list(map(functools.partial(tuple.__new__, Event), columns))


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


def _threads(spool: Window, seen: Survey, interned: Interned) -> list[Thread]:
    known: dict[int, tuple[str | None, int, int]] = {}
    births = seen.control[seen.kinds[seen.control_seqs] == RecordKind.THREAD]
    for row in births:
        thread, named = int(row["thread"]), int(row["tags"]) >> 4 == Tag.STR
        name = interned.text(int(row["value"])) if named else None
        known[thread] = (name, int(row["container"]), int(row["key"]))
    threads = []
    for thread in sorted(seen.first_seq):
        name, ident, native_id = known.get(thread, (None, 0, 0))
        threads.append(
            Thread(
                thread=thread,
                name=name,
                ident=ident,
                native_id=native_id,
                started_by=None,
                first_seq=seen.first_seq[thread],
                last_seq=seen.last_seq[thread],
                ended=spool.ended[thread] != 0,
            )
        )
    return threads


def _switches(seen: Survey, interned: Interned, codes: Sequence[Code], labels: Labels) -> list[Switch]:
    places = _SwitchPlaces(codes, labels)
    which = seen.kinds[seen.control_seqs] == RecordKind.SWITCH
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
    if flags & SwitchFlag.YIELD:
        return Reason.YIELDED
    if flags & SwitchFlag.IN_CALL:
        return Reason.BLOCKED
    return Reason.PREEMPTED if flags & SwitchFlag.TOP and preempts else None


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
