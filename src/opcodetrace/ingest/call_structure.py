"""From where functions were called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.shared_accesses import CHUNK, Kept
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK
from opcodetrace.spool.layout import NO_SITE, Tag
from opcodetrace.spool.records import Records, SpooledRecords, Survey
from opcodetrace.trace.call import Call
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.site import Code

Array = npt.NDArray[Any]

SITE_BITS = 32  # of an ENTER record's key: the site of the call lies above the offset of the instruction


@dataclass(frozen=True, slots=True)
class Begun:
    """When activations began in each frame."""

    frames: Array  # addresses, in order
    order: Array  # indexes of the activations, by frame and seq
    keys: Array  # of these: the frame's place * span + seq, in order
    span: np.int64

    @classmethod
    def of(cls, seqs: Array, addresses: Array, span: np.int64) -> Begun:
        frames, ranks = np.unique(addresses, return_inverse=True)
        order = np.argsort(ranks * span + seqs)
        return cls(frames, order, (ranks * span + seqs)[order], span)

    def latest(self, addresses: Array, before: Array) -> Array:
        """The index of the latest one at each address that began before a seq; -1 if there is none."""
        if not len(self.frames):
            return np.full(len(addresses), -1, np.int64)
        rank = np.minimum(np.searchsorted(self.frames, addresses), len(self.frames) - 1).astype(np.int64)
        place = np.searchsorted(self.keys, rank * self.span + before) - 1
        there = (self.frames[rank] == addresses) & (place >= 0) & (self.keys[place] // self.span == rank)
        return np.where(there, self.order[place], -1)


@dataclass(frozen=True, slots=True)
class CallStructure:
    """The ENTER records that name a caller, as far as kept accesses need them."""

    begun: Begun
    seqs: Array
    records: Records
    parents: Array  # indexes; -1 if no woven function called it
    needed: Array  # those of kept accesses, and those that led to them
    followed: Array  # and the next one at the same place of the same caller: what that gives back is not of the former

    @classmethod
    def of(
        cls, window: SpooledRecords, seen: Survey, kept: Kept, table: SiteTable, codes: Sequence[Code]
    ) -> CallStructure:
        seqs = seen.markers[seen.kinds[seen.markers - seen.first] == EventKind.ENTER]
        records = window.take(seqs)
        named = records["tags"] & 15 == Tag.INT
        seqs, records = seqs[named], records[named]
        span = np.int64(seen.first + len(seen.kinds) + 1)
        begun = Begun.of(seqs, records["frame"] & np.uint64(ADDRESS_MASK), span)
        if not len(seqs):  # no calls were recorded
            return cls(begun, seqs, records, *(np.empty(0, np.int64) for _ in range(3)))
        parents = begun.latest(records["container"] & np.uint64(ADDRESS_MASK), seqs)
        needed = np.zeros(len(seqs) + 1, bool)  # the last entry is that of no activation
        found = [np.empty(0, np.int64)]
        for start in range(0, len(kept.seqs), CHUNK):
            part = slice(start, start + CHUNK)
            found.append(np.unique(begun.latest(kept.addresses(part) & np.uint64(ADDRESS_MASK), kept.seqs[part])))
        fresh = np.unique(np.concatenate(found))
        while len(fresh := fresh[(fresh >= 0) & ~needed[fresh]]):
            needed[fresh] = True
            fresh = np.unique(parents[fresh])
        needed = needed[:-1]
        places = _places(records, parents, table, codes)
        by_place = np.lexsort((seqs, places, parents))
        former, latter = by_place[:-1], by_place[1:]
        alike = (parents[former] == parents[latter]) & (places[former] == places[latter])
        follows = latter[alike & needed[former] & ~needed[latter] & (parents[latter] >= 0)]
        return cls(begun, seqs, records, parents, np.flatnonzero(needed), np.sort(follows))

    def activation(self, kept: Kept, which: Array) -> Array:
        """Of some accesses, the index of the activation that made each; -1 if it is not known."""
        return self.begun.latest(kept.addresses(which) & np.uint64(ADDRESS_MASK), kept.seqs[which])

    def of_events(self) -> Array:
        """The seqs of those ENTER records that the analysis needs."""
        seqs: Array = self.seqs[np.union1d(self.needed, self.followed)]
        return seqs

    def numbered(self, frames: Array, table: SiteTable) -> list[Call]:
        """`frames`: addresses by the numbers that events have for them."""
        which = np.union1d(self.needed, self.followed)
        records = self.records[which]
        order = np.argsort(frames)
        place = np.minimum(np.searchsorted(frames, records["frame"], sorter=order), max(len(frames) - 1, 0))
        place = order[place] if len(frames) else place
        known = frames[place] == records["frame"] if len(frames) else np.zeros(len(records), bool)
        parents = self.parents[which]
        asked_for = (records["tags"] >> 4 == Tag.TRUE) & np.isin(which, self.needed)
        calls = []
        for seq, thread, site, frame, is_known, parent, key, stored in zip(
            self.seqs[which].tolist(),
            records["thread"].tolist(),
            records["site"].tolist(),
            place.tolist(),
            known.tolist(),
            parents.tolist(),
            records["key"].tolist(),
            asked_for.tolist(),
            strict=True,
        ):
            if site not in table.sites:
                continue
            call_site = key >> SITE_BITS
            caller = None if parent < 0 else table.codes.get(int(self.records["site"][parent]))
            calls.append(
                Call(
                    seq=seq,
                    thread=thread,
                    site=site,
                    frame=frame if is_known else None,
                    caller_seq=int(self.seqs[parent]) if parent >= 0 else None,
                    call_site=call_site if call_site in table.sites else None,
                    place=None if caller is None else table.original_offset(caller, key & NO_SITE),
                    stored=stored,
                )
            )
        return calls


def _places(records: Records, parents: Array, table: SiteTable, codes: Sequence[Code]) -> Array:
    """Where the callers stood: alike for one instruction. 3.11 and 3.12 stand in two places at it, by how they call."""
    callers = table.code[table.indexes(records["site"][parents])]
    woven = (records["key"] & np.uint64(NO_SITE)).astype(np.int64)
    both, inverse = np.unique(np.stack([np.where(parents < 0, -1, callers), woven]), axis=1, return_inverse=True)
    found = [
        offset if caller < 0 or (original := table.original_offset(codes[caller], offset)) is None else original
        for caller, offset in both.T.tolist()
    ]
    places: Array = np.array(found, np.int64)[inverse.ravel()]
    return places
