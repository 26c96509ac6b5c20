"""From a spool to a Trace: which accesses threads share, and what the records say of them (layout: spool/layout.py)."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.asked_of_library import asked_of_library
from opcodetrace.ingest.call_structure import CallStructure
from opcodetrace.ingest.callbacks import callbacks_of
from opcodetrace.ingest.emptied import emptied
from opcodetrace.ingest.failed_in_lists import failed_in_lists
from opcodetrace.ingest.failed_iterations import FailedIterations
from opcodetrace.ingest.handed_on import HandedOn, hand_on
from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.labels import Labels, Unlabelled
from opcodetrace.ingest.refused_lookups import RefusedLookups, as_failed
from opcodetrace.ingest.resized import resized
from opcodetrace.ingest.row_hash import FIRST_SALT, mixed_hash
from opcodetrace.ingest.shared_accesses import CHUNK, Kept, restructured, shared_accesses, with_more
from opcodetrace.ingest.site_table import FAMILIES, SiteTable
from opcodetrace.ingest.switches import switches_of
from opcodetrace.ingest.synchronisation import bounded, joined_at_exit, started_by, synchronisation_of
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import (
    ADDRESS_BITS,
    MAX_THREADS,
    RECORD_KIND_MASK,
    HeaderFlag,
    Merged,
    RecordKind,
    Tag,
)
from opcodetrace.spool.records import SpooledRecords, Survey, survey
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Events
from opcodetrace.trace.finding_kind import Need
from opcodetrace.trace.location import Location
from opcodetrace.trace.run import AskedFor, AskedOfNone, MergedLanes, Thread, Trace, Truncation
from opcodetrace.trace.site import Code, SourceFile, flows_of
from opcodetrace.trace.switch import Switch

Array = npt.NDArray[Any]

MERGED = {Merged.GREENLETS: MergedLanes.GREENLETS, Merged.COROUTINES: MergedLanes.COROUTINES}


def ingest(
    window: pathlib.Path,
    files: Iterable[SourceFile],
    codes: Iterable[Code],
    *,
    keep_all: bool = False,
    max_records: int | None = None,
    last: int | None = None,
    needs: Need = Need.NOTHING,
) -> Trace:
    """Read a spool's window. Accesses that no two threads share, or that nothing wrote, are counted and left out unless
    `keep_all`. `max_records` is the limit that the user set, if any: it tells why a recording stopped. Only the `last`
    so many records count, if that is given. `needs`: what is kept besides."""
    files, codes = list(files), list(codes)
    lookups = RefusedLookups(codes, files)
    codes = lookups.as_lookups(codes)
    spool = SpooledRecords.open(window, last)
    seen = survey(spool)
    interned = Interned(seen)
    sites = SiteTable(codes, interned)
    births = Births.of(seen)
    births_seen = bool(spool.flags & HeaderFlag.BIRTHS)
    told = seen.control_kinds == RecordKind.DESCRIBE
    addresses = seen.control["container"][told] & np.uint64(ADDRESS_MASK)
    interned.describe(births.objects(addresses, seen.control_seqs[told]), seen.control[told])
    failed = FailedIterations.of(spool, seen, births, sites, interned)
    labels = Labels(files, sites.sites, sites.codes)
    sizes = resized(spool, seen, births, sites, codes, interned, labels)
    in_lists, wholes = failed_in_lists(spool, seen, births, interned), emptied(spool, seen, births, interned)
    asked = np.unique(np.concatenate([sizes.seqs, in_lists, wholes]))
    kept = shared_accesses(spool, seen, births, sites, interned, failed, asked, keep_all=keep_all)
    calls = CallStructure.of(spool, seen, kept, sites, codes)
    handed_on = hand_on(kept, calls, sites, codes)
    asked_for = asked_of_library(kept, calls, sites, codes, files)
    refusals = lookups.of(kept, calls)
    changes = failed.changes(spool, kept)
    locations = _locations(kept, _shown_sites(kept, asked_for), sites, interned, labels, certain=births_seen)
    free_threaded = bool(spool.flags & HeaderFlag.FREE_THREADED)
    switches = [] if free_threaded else switches_of(seen, interned, codes, labels, files)
    threads = _threads(spool, seen, interned, switches)
    sync_objects, synchronisation = synchronisation_of(seen, births, sites, interned, labels, threads, files, kept)
    accesses = int(seen.counts[[EventKind.READ, EventKind.WRITE, EventKind.DELETE]].sum())
    of_readers = Need.ENTER_OF_READERS in needs
    markers = _markers(spool, seen, sites, calls, None if keep_all else kept, of_readers=of_readers)
    all_kept = len(kept.seqs) == accesses
    elsewhere = np.empty(0, np.int64) if all_kept else _elsewhere(spool, seen, sites, codes, kept)
    stored = len(kept.seqs)
    events, frames = _events(spool, births if births_seen else None, kept, markers, elsewhere, handed_on, interned)
    events = as_failed(events, refusals)
    stopped = bool(spool.flags & HeaderFlag.STOPPED)
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
        bounded=bounded(seen),
        joined_at_exit=joined_at_exit(seen),
        callbacks=callbacks_of(seen, interned, threads, events, synchronisation),
        restructured=restructured(spool, seen, births, kept, interned),
        containers=interned.numbers(kept.containers) if births_seen else None,
        changes=changes,
        resized=replace(sizes, containers=kept.containers),
        uncaught=_uncaught(seen),
        asked_for=asked_for,
        asked_of_none=_asked_of_none(seen, sites, codes),
        records=len(spool),
        accesses=accesses,
        stored=stored,
        missed=spool.missed,
        children=spool.children,
        merged=tuple(lanes for flag, lanes in MERGED.items() if spool.merged & flag),
        holes=int(seen.counts[0]),
        truncated=_truncation(spool.limit, max_records, disk_full=spool.disk_full) if stopped else None,
        truncated_seq=spool.stop_seq if stopped else None,
        births=births_seen,
        notes=notes,
        last=last,
        let_go=spool.first,
    )


def _uncaught(seen: Survey) -> frozenset[int]:
    named = seen.control["container"][seen.control_kinds == RecordKind.UNCAUGHT]
    return frozenset(named[named > 0].tolist())


def _asked_of_none(seen: Survey, sites: SiteTable, codes: Iterable[Code]) -> list[AskedOfNone]:
    which = (seen.control_kinds == RecordKind.UNCAUGHT) & (seen.control["container"] == 0)
    rows, seqs = seen.control[which], seen.control_seqs[which].tolist()
    by_id = {code.id: code for code in codes} if seqs else {}
    found = []
    for seq, thread, place in zip(seqs, rows["thread"].tolist(), rows["key"].tolist(), strict=True):
        code = by_id.get(place >> 32)
        offset = None if code is None else sites.original_offset(code, place & (1 << 32) - 1)
        if code is not None and offset is not None:
            found.append(AskedOfNone(seq, thread, code.id, offset))
    return found


def _truncation(limit: int, max_records: int | None, *, disk_full: bool) -> Truncation:
    if limit == max_records:
        return Truncation.LIMIT
    return Truncation.DISK if disk_full else Truncation.WINDOW


def _shown_sites(kept: Kept, asked_for: AskedFor | None) -> Array:
    if asked_for is None:
        return kept.site_ids
    sites = kept.site_ids.copy()
    sites[np.searchsorted(kept.seqs, asked_for.seqs)] = asked_for.sites
    return sites


def _locations(
    kept: Kept, shown: Array, table: SiteTable, interned: Interned, labels: Labels, *, certain: bool
) -> dict[int, Location]:
    keys = interned.keys(kept.key_tags, kept.key_words, kept.key_objects.astype(np.int64))
    unlabelled = [
        Unlabelled(
            FAMILIES[family], container, interned.type_name(word >> ADDRESS_BITS), key, key_object, tag == Tag.TUPLE
        )
        for family, container, word, key, key_object, tag in zip(
            kept.families.tolist(),
            kept.containers.tolist(),
            kept.container_words.tolist(),
            keys,
            kept.key_objects.tolist(),
            kept.key_tags.tolist(),
            strict=True,
        )
    ][1:]
    for location, preferred in _preferred_sites(kept, shown, table):
        unlabelled[location - 1].sites = preferred
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


def _preferred_sites(kept: Kept, shown: Array, table: SiteTable) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Each location with its sites; the writing ones before the reading ones, the busier first."""
    size = len(table.family)
    pairs, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    fresh: list[tuple[Array, Array]] = []
    waiting = 0

    def merge() -> tuple[Array, Array]:
        more = np.concatenate([pairs, *(each for each, _ in fresh)])
        merged, places = np.unique(more, return_inverse=True)
        total = np.zeros(len(merged), np.int64)
        np.add.at(total, places, np.concatenate([counts, *(count for _, count in fresh)]))
        return merged, total

    for start in range(0, len(kept.seqs), CHUNK):
        part = slice(start, start + CHUNK)
        reading = kept.kinds[part] == EventKind.READ
        found = (kept.locations[part].astype(np.int64) * 2 + reading) * size
        found += table.indexes(shown[part])
        fresh.append(np.unique(found, return_counts=True))
        waiting += len(fresh[-1][0])
        if waiting > len(pairs) + CHUNK:
            pairs, counts = merge()
            fresh, waiting = [], 0
    pairs, counts = merge()
    order = np.lexsort((pairs, -counts, pairs // size))
    locations, sites = (pairs // (2 * size))[order], (pairs % size)[order]
    begins = np.flatnonzero(np.r_[True, locations[1:] != locations[:-1]][: len(locations)])
    alike: dict[tuple[int, ...], tuple[int, ...]] = {}  # most locations have the same ones as others
    numbers = sites.tolist()
    for location, begin, end in zip(
        locations[begins].tolist(), begins.tolist(), [*begins[1:].tolist(), len(numbers)][: len(begins)], strict=True
    ):
        preferred = tuple(numbers[begin:end])
        yield location, alike.setdefault(preferred, preferred)


def _markers(
    window: SpooledRecords,
    seen: Survey,
    table: SiteTable,
    calls: CallStructure,
    kept: Kept | None,
    *,
    of_readers: bool,
) -> Array:
    """The seqs of COMPUTE and DEFINE records, of functions that make a write in `kept` (None: of all), or with
    `of_readers` any access, and of the ENTER records that `calls` needs."""
    wanted = np.zeros(int(table.code.max(initial=-1)) + 2, bool)  # the last entry is that of unknown sites
    if kept is None:
        wanted[:-1] = True
    else:
        for start in range(0, len(kept.seqs), CHUNK):
            part = slice(start, start + CHUNK)
            sites = kept.site_ids[part][(kept.kinds[part] != EventKind.READ) | of_readers]
            wanted[table.code[table.indexes(sites)]] = True
    found = [calls.of_events()]
    for start in range(0, len(seen.markers), CHUNK):
        seqs = seen.markers[start : start + CHUNK]
        rows = window.take(seqs)
        is_wanted = wanted[table.code[table.indexes(rows["site"])]]
        if kept is not None:  # those that name a caller are told by `calls`
            is_wanted &= (seen.kinds[seqs - seen.first] != EventKind.ENTER) | (rows["tags"] & 15 != Tag.INT)
        found.append(seqs[is_wanted])
    return np.unique(np.concatenate(found))


def _elsewhere(window: SpooledRecords, seen: Survey, table: SiteTable, codes: Iterable[Code], kept: Kept) -> Array:
    """The seqs of accesses that are not kept, each the next after a kept one at the same site of the same frame.

    A later write of that activation must not be taken to be made of the kept one's value."""
    asked = np.zeros(table.unknown + 1, bool)  # sites
    of_sites = [site.flow for site in table.sites.values() if site.flow is not None]
    for flow in (*of_sites, *flows_of(codes)):
        reads = (*flow.reads, *flow.called_reads, *flow.tested, *flow.failed)
        asked[[*reads, *flow.writes, *flow.called_writes]] = True
    asked &= kept.partly
    if not asked.any():
        return np.empty(0, np.int64)
    at_kept = np.zeros(len(asked), bool)  # sites that are asked for, of kept accesses
    parts = [np.empty(0, np.uint64)]
    for start in range(0, len(kept.seqs), CHUNK):
        sites = table.indexes(kept.site_ids[start : start + CHUNK])
        (which,) = np.nonzero(asked[sites])
        at_kept[sites[which]] = True
        parts.append(np.unique(mixed_hash((kept.addresses(which + start), sites[which]), FIRST_SALT)))
    known = np.unique(np.concatenate(parts))
    found = [np.empty(0, np.int64)]
    if not len(known):
        return found[0]
    asked = at_kept
    kept_last = np.zeros(len(known), bool)  # by place: whether its newest access is a kept one
    for start, chunk in window.chunks():
        kind = seen.kinds[start - seen.first :][: len(chunk)]
        (where,) = np.nonzero(kind - np.uint8(EventKind.READ) <= EventKind.DELETE - EventKind.READ)
        sites = table.indexes(chunk["site"][where])
        at_site = asked[sites]
        where, sites = where[at_site], sites[at_site]
        if not len(where):
            continue
        mixed = mixed_hash((chunk["frame"][where], sites), FIRST_SALT)
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
    window: SpooledRecords,
    births: Births | None,
    kept: Kept,
    markers: Array,
    elsewhere: Array,
    handed_on: HandedOn,
    interned: Interned,
) -> tuple[Events, Array]:
    """The events, and the addresses of frames by the numbers that they have there. They take the columns of `kept`."""
    others = np.sort(np.concatenate([markers, elsewhere]))
    away = np.isin(others, elsewhere)
    rows = window.take(others)
    asked_for = np.searchsorted(others, handed_on.seqs)
    rows["site"][asked_for], rows["frame"][asked_for], away[asked_for] = handed_on.sites, handed_on.frames, True
    kinds = np.where(away, np.uint8(EventKind.ELSEWHERE), rows["kind"] & np.uint8(RECORD_KIND_MASK))
    at = np.searchsorted(kept.seqs, others)

    def merged(column: Array, more: Array) -> Array:
        return with_more(column, at, more) if len(at) else column

    # one column after the other, so that never two of them are there twice
    kept.seqs = merged(kept.seqs, others)
    kept.values = merged(kept.values, rows["value"])
    kept.before = merged(kept.before, np.where(away, np.uint32(0), rows["before"]))
    kept.threads_of = merged(kept.threads_of, rows["thread"])
    kept.site_ids = merged(kept.site_ids, rows["site"])
    kept.kinds = merged(kept.kinds, kinds)
    kept.locations = merged(kept.locations, np.full(len(others), -1, np.int32))
    kept.tags = merged(kept.tags, np.where(away, np.uint8(0), rows["tags"] >> np.uint8(4)))
    # the addresses of frames only tell activations apart: small numbers do as well
    kept.frame = merged(kept.frame, kept.frames.of(rows["frame"]))
    objects = _objects_in(kept, births)
    tag, word, distinct = interned.columns(kept.tags, kept.values, objects)
    events = Events(
        seq=kept.seqs,
        before=kept.before,
        thread=kept.threads_of,
        site=kept.site_ids,
        kind=kept.kinds,
        location=kept.locations,
        tag=tag,
        word=word,
        frame=kept.frame,
        others=distinct,
    )
    return events, kept.frames.column(0)


def _objects_in(events: Kept, births: Births | None) -> Array:
    """The objects that values are, 0 if they are none or births were not seen.

    What is written was there when the write began, and may have been overwritten and gone before it was recorded; what
    was read is there at the end."""
    objects = np.zeros(len(events.tags), np.int64)
    if births is None:
        return objects
    for start in range(0, len(objects), CHUNK):
        which = start + np.flatnonzero(events.tags[start : start + CHUNK] == Tag.OBJECT)
        addresses = events.values[which] & np.uint64(ADDRESS_MASK)
        which, addresses = which[addresses != 0], addresses[addresses != 0]
        if not len(which):
            continue
        began = np.where(events.kinds[which] == EventKind.WRITE, events.before[which].astype(np.int64), 0)
        objects[which] = births.objects(addresses, np.maximum(events.seqs[which] - began, births.first))
    return objects


def _threads(spool: SpooledRecords, seen: Survey, interned: Interned, switches: Sequence[Switch]) -> list[Thread]:
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
    for switch in switches:  # from a thread whose own records were all evicted
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
