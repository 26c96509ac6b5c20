"""Where dictionaries and sets were emptied that another thread looks into: a change of the whole, at no item of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.shared_accesses import SEQUENCES
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, MAX_THREADS, Tag
from opcodetrace.spool.records import Records, SpooledRecords, Survey
from opcodetrace.trace.event import EventKind

Array = npt.NDArray[Any]


def emptied(window: SpooledRecords, seen: Survey, births: Births, interned: Interned) -> Array:
    """The seqs of these changes, in order. (Of a sequence, one of the whole is kept as all others are.)"""
    none = np.empty(0, np.int64)
    if len(seen.first_seq) < 2 or not len(seen.moving):
        return none
    rows = window.take(seen.moving)
    types, which = np.unique(rows["container"] >> np.uint64(ADDRESS_BITS), return_inverse=True)
    is_sequence = np.array([interned.type_name(each) in SEQUENCES for each in types.tolist()], bool)[which]
    (which,) = np.nonzero((rows["tags"] & 15 == Tag.WHOLE) & ~is_sequence)
    seqs, rows = seen.moving[which], rows[which]
    if not len(seqs):
        return none
    objects, which = np.unique(births.objects(_addresses(rows), seqs), return_inverse=True)
    lanes = _lanes(window, seen, births, objects, np.unique(_addresses(rows)))
    count = np.bincount(lanes // MAX_THREADS, minlength=len(objects))
    found: Array = seqs[count[which] > 1]
    return found


def _lanes(window: SpooledRecords, seen: Survey, births: Births, objects: Array, addresses: Array) -> Array:
    """Each of some containers (its place among the objects) with each thread that accessed it, as one number."""
    found = [np.empty(0, np.int64)]
    for start, chunk in window.chunks():
        kinds = seen.kinds[start - seen.first :][: len(chunk)]
        is_access = kinds - np.uint8(EventKind.READ) <= EventKind.DELETE - EventKind.READ
        (which,) = np.nonzero(is_access & np.isin(_addresses(chunk), addresses))
        its = births.objects(_addresses(chunk[which]), start + which.astype(np.int64))
        place = np.minimum(np.searchsorted(objects, its), len(objects) - 1)
        lanes = place * MAX_THREADS + chunk["thread"][which]
        found.append(np.unique(lanes[objects[place] == its]))
    return np.unique(np.concatenate(found))


def _addresses(rows: Records) -> Array:
    found: Array = rows["container"] & np.uint64(ADDRESS_MASK)
    return found
