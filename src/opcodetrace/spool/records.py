"""The `window` file of a spool: its header, its records, and the texts in them (layout: spool/layout.py)."""

from __future__ import annotations

import mmap
import os
import pathlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.errors import SpoolError
from opcodetrace.spool import _survey, layout
from opcodetrace.spool.layout import HeaderFlag, Merged
from opcodetrace.spool.private_file import open_private

RECORD_DTYPE = np.dtype(layout.RECORD_FIELDS)
RESIDENT = 1 << 18  # records that are mapped and read, before their pages are released
CHUNK = 1 << 14  # records at a time: what a pass needs of them stays in the processor's cache
OF_TEXTS = [layout.RecordKind.TEXT, layout.RecordKind.TYPE]
REFERRED_TO = [*OF_TEXTS, layout.RecordKind.THREAD, layout.RecordKind.LANE]
BLOCK = 512  # bytes of what the system counts as a block of a file
HOLDS = 64  # how many times their size blocks hold at most, where a file system compresses them

Records = npt.NDArray[np.void]
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class SpooledRecords:
    """The records of a spool, mapped read-only and named by their seq."""

    flags: HeaderFlag
    limit: int
    stop_seq: int
    disk_full: bool
    missed: int
    children: int
    merged: Merged
    ended: bytes  # one byte a thread
    oldest: int  # the first record that is there
    first: int  # the first one that counts; what comes before only tells the texts, types and threads it refers to
    stop: int  # after the last one
    begun: int  # how many were, be they there or not
    ring: int  # how many records it has room for, if it is one
    stored: Records  # as they lie in the file

    @classmethod
    def open(cls, path: pathlib.Path, last: int | None = None) -> SpooledRecords:
        """Only the `last` so many records count, if that is given."""
        try:
            with open(open_private(str(path)), "rb") as stream:
                head = stream.read(layout.HEADER_SIZE)
                size, blocks = stream.seek(0, 2), os.fstat(stream.fileno()).st_blocks
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror or error}") from error
        if len(head) < layout.HEADER_SIZE:
            raise SpoolError(f"cannot read {path}: {len(head)} bytes hold no header; nothing was recorded")
        magic, version, record_size, _, flag_bits, limit, stop_seq = layout.HEADER.unpack_from(head)
        if magic != layout.MAGIC:
            raise SpoolError(f"cannot read {path}: it is not a window of opcodetrace")
        if (version, record_size) != (layout.VERSION, layout.RECORD_SIZE):
            raise SpoolError(
                f"cannot read {path}: its layout is version {version}, this opcodetrace reads version {layout.VERSION}"
            )
        flags = HeaderFlag(flag_bits)
        room = (size - layout.HEADER_SIZE) // layout.RECORD_SIZE
        (ring,) = struct.unpack_from("<Q", head, layout.RING_OFFSET)
        if ring > room:
            raise SpoolError(f"cannot read {path}: it holds {room} records of a ring of {ring}")
        begun = min(struct.unpack_from("<Q", head, layout.NEXT_OFFSET)[0], limit)
        stop = begun if ring else min(begun, room)
        if flags & HeaderFlag.STOPPED:
            stop = min(stop, stop_seq)
        oldest = max(0, begun - ring) if ring else 0
        if (stop - oldest) * layout.RECORD_SIZE > HOLDS * BLOCK * (blocks + 1) + layout.HEADER_SIZE:
            raise SpoolError(f"cannot read {path}: it has no blocks for the {stop - oldest:,} records that it names")
        return cls(
            flags=flags,
            limit=limit,
            stop_seq=stop_seq,
            disk_full=struct.unpack_from("<Q", head, layout.DISK_FULL_OFFSET)[0] != 0,
            missed=struct.unpack_from("<Q", head, layout.MISSED_OFFSET)[0],
            children=struct.unpack_from("<Q", head, layout.CHILDREN_OFFSET)[0],
            merged=Merged(struct.unpack_from("<Q", head, layout.MERGED_OFFSET)[0]),
            ended=head[layout.ENDED_OFFSET :],
            oldest=oldest,
            first=oldest if last is None else max(oldest, stop - last),
            stop=stop,
            begun=begun,
            ring=ring,
            stored=_map(path, ring or stop),
        )

    def __len__(self) -> int:
        """How many records count."""
        return self.stop - self.first

    def check_whole(self, path: pathlib.Path) -> None:
        """SpoolError if the file was cut off: it was made with room for all that was begun."""
        if not self.ring and self.begun > self.stop and not self.flags & HeaderFlag.STOPPED:
            raise SpoolError(f"{path} is damaged: it ends after {self.stop:,} of {self.begun:,} records")

    def unknown_sites(self, known: Iterable[int]) -> int:
        """How many accesses were made at sites that are none of these."""
        described = np.zeros(max(known := list(known), default=-1) + 2, bool)
        described[known] = True
        unknown = 0
        for start, chunk in self.chunks():
            finished = chunk["commit"] == np.arange(start + 1, start + len(chunk) + 1).astype(np.uint32)
            kind = chunk["kind"] & np.uint8(layout.RECORD_KIND_MASK)
            accesses = finished & (kind >= layout.RecordKind.READ) & (kind <= layout.RecordKind.COMPUTE)
            sites = chunk["site"][accesses & (chunk["site"] != layout.NO_SITE)]
            unknown += int((~described[np.minimum(sites, len(described) - 1)]).sum())
        return unknown

    def chunks(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, Records]]:
        """The records that count, or those of a range, in pieces, each with the seq of its first."""
        seq = self.first if start is None else start
        stop = self.stop if stop is None else stop
        since = 0
        while seq < stop:
            place = seq % len(self.stored)
            size = min(CHUNK, stop - seq, len(self.stored) - place)
            yield seq, self.stored[place : place + size]
            seq += size
            since += size
            if since >= RESIDENT or seq >= stop:
                self._let_go()
                since = 0

    def take(self, seqs: Array) -> Records:
        """A copy of these records."""
        records: Records = self.stored[seqs % max(1, len(self.stored))]
        if len(seqs) >= CHUNK:
            self._let_go()
        return records

    def _let_go(self) -> None:
        """Forget the pages that were read: the system keeps them as long as it has the room."""
        mapping = getattr(self.stored.base, "_mmap", None)  # there is none of no records
        if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)


def _map(path: pathlib.Path, count: int) -> Records:
    if not count:
        return np.empty(0, RECORD_DTYPE)
    records: Records = np.asarray(np.memmap(path, RECORD_DTYPE, "r", layout.HEADER_SIZE, (count,)))
    return records


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over all records finds out."""

    first: int  # the seq of the first record that counts
    kinds: Array  # of each record that counts: a RecordKind, HOLE if it was not finished
    counts: Array  # how many there are of each kind
    markers: Array  # the seqs of COMPUTE, ENTER and DEFINE records
    moving: Array  # the seqs of changes that may move a container's items: del items[0], pop(), clear()
    failed: Array  # the seqs of reads of a container as a whole that raised
    wholes: Array  # of those that did not
    resizing: Array  # of changes that put an item into a container, or took one out
    control_seqs: Array
    control_kinds: Array
    control: Records  # a copy of the TEXT, TYPE, THREAD, SWITCH and BIRTH records, and of the first three from before
    first_seq: dict[int, int]  # by thread
    last_seq: dict[int, int]


def survey(window: SpooledRecords) -> Survey:
    kinds = np.empty(len(window), np.uint8)
    first = np.full(layout.MAX_THREADS, -1, np.int64)
    last = np.full(layout.MAX_THREADS, -1, np.int64)
    seqs: list[Array] = [np.empty(0, np.int64)]
    control_kinds: list[Array] = [np.empty(0, np.uint8)]
    control: list[Records] = [np.empty(0, RECORD_DTYPE)]
    for start, chunk in window.chunks(window.oldest, window.first):
        positions = np.arange(start, start + len(chunk))
        kind = chunk["kind"] & np.uint8(layout.RECORD_KIND_MASK)
        (where,) = np.nonzero(np.isin(kind, REFERRED_TO) & (chunk["commit"] == (positions + 1).astype(np.uint32)))
        seqs.append(positions[where])
        control_kinds.append(kind[where])
        control.append(chunk[where])
    counts = np.zeros(layout.RECORD_KIND_MASK + 1, np.int64)
    found = [np.empty(0, np.int32) for _ in range(6)]
    lists = [[np.empty(0, np.int64)] for _ in range(5)]  # of seqs
    for start, chunk in window.chunks():
        if len(found[0]) != len(chunk):
            found = [np.empty(len(chunk), np.int32) for _ in found]
        kind = kinds[start - window.first :][: len(chunk)]
        numbers = _survey.survey(chunk, start, kind, counts, first, last, *found)
        where, *some = (places[:number] for places, number in zip(found, numbers, strict=True))
        if len(where):
            seqs.append(where + np.int64(start))
            control_kinds.append(kind[where])
            control.append(chunk[where])
        for seqs_of, places in zip(lists, some, strict=True):
            if len(places):
                seqs_of.append(places + np.int64(start))
    (seen,) = np.nonzero(first >= 0)
    markers, moving, failed, wholes, resizing = map(np.concatenate, lists)
    return Survey(
        first=window.first,
        kinds=kinds,
        counts=counts,
        markers=markers,
        moving=moving,
        failed=failed,
        wholes=wholes,
        resizing=resizing,
        control_seqs=np.concatenate(seqs),
        control_kinds=np.concatenate(control_kinds),
        control=np.concatenate(control),
        first_seq=dict(zip(seen.tolist(), first[seen].tolist(), strict=True)),
        last_seq=dict(zip(seen.tolist(), last[seen].tolist(), strict=True)),
    )


def assemble(pieces: Records) -> dict[int, bytes]:
    """The texts in TEXT or TYPE records by id; one that lacks a piece is left out."""
    parts: dict[int, dict[int, bytes]] = {}
    lengths: dict[int, int] = {}
    offset = RECORD_DTYPE.fields["container"][1]  # type: ignore[index]
    data = np.ascontiguousarray(pieces).view(np.uint8).reshape(-1, layout.RECORD_SIZE)[:, offset:].tobytes()
    size = layout.TEXT_CHUNK
    fields = zip(pieces["site"].tolist(), pieces["before"].tolist(), pieces["tags"].tolist(), strict=True)
    for number, (text, length, chunk) in enumerate(fields):
        parts.setdefault(text, {})[chunk] = data[number * size : (number + 1) * size]
        lengths[text] = length
    whole = {}
    for text, pieces_of in parts.items():
        needed = -(-lengths[text] // size)
        if all(chunk in pieces_of for chunk in range(needed)):
            whole[text] = b"".join(pieces_of[chunk] for chunk in range(needed))[: lengths[text]]
    return whole
