"""Accesses of lists that failed, and what took items out of these: also if no location of the list was shared.

`i = items.index(x)`, then `del items[i]`: what fails reads the list as a whole, what another thread deletes is one
item.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS
from opcodetrace.spool.records import Records, SpooledRecords, Survey
from opcodetrace.trace.event import EventKind

Array = npt.NDArray[Any]

_LISTS = frozenset(["list", "collections.deque"])
_ERRORS = frozenset([IndexError.__name__, ValueError.__name__])


def failed_in_lists(window: SpooledRecords, seen: Survey, births: Births, interned: Interned) -> Array:
    """The seqs of accesses that failed, of changes, and of reads by threads whose access failed: of those lists in
    which another thread than the one that failed moved items."""
    none = np.empty(0, np.int64)
    if len(seen.first_seq) < 2 or not len(seen.failed) or not len(seen.moving):
        return none
    failures = window.take(seen.failed)
    which = _of_lists(failures, interned) & _are(failures["value"], _ERRORS, interned)
    failed, failures = seen.failed[which], failures[which]
    if not len(failed):
        return none
    moves = window.take(seen.moving)
    addresses = np.unique(failures["container"] & np.uint64(ADDRESS_MASK))
    which = np.isin(moves["container"] & np.uint64(ADDRESS_MASK), addresses)
    moved, moves = seen.moving[which], moves[which]
    one, other = (
        births.objects(rows["container"] & np.uint64(ADDRESS_MASK), seqs)
        for rows, seqs in ((failures, failed), (moves, moved))
    )
    movers: dict[int, set[int]] = {}
    for container, thread in set(zip(other.tolist(), moves["thread"].tolist(), strict=True)):
        movers.setdefault(container, set()).add(thread)
    lanes = set(zip(one.tolist(), failures["thread"].tolist(), strict=True))
    told = np.array(sorted({each for each, thread in lanes if movers.get(each, set()) - {thread}}), np.int64)
    is_one = np.isin(one, told)
    found = [failed[is_one], moved[np.isin(other, told)], _accesses(window, seen, births, failures[is_one], told)]
    return np.unique(np.concatenate(found))


def _accesses(window: SpooledRecords, seen: Survey, births: Births, failures: Records, lists: Array) -> Array:
    """Writes of items, and reads by threads whose access failed."""
    found = [np.empty(0, np.int64)]
    addresses = np.unique(failures["container"] & np.uint64(ADDRESS_MASK))
    threads = np.unique(failures["thread"])
    for start, chunk in window.chunks() if len(addresses) else ():
        kinds = seen.kinds[start - seen.first :][: len(chunk)]
        is_read = (kinds == EventKind.READ) & np.isin(chunk["thread"], threads)
        (places,) = np.nonzero(is_read | (kinds == EventKind.WRITE))
        of = chunk["container"][places] & np.uint64(ADDRESS_MASK)
        its = np.isin(of, addresses)
        seqs = start + places[its].astype(np.int64)
        found.append(seqs[np.isin(births.objects(of[its], seqs), lists)])
    return np.concatenate(found)


def _of_lists(rows: Records, interned: Interned) -> Array:
    return _are(rows["container"], _LISTS, interned)


def _are(words: Array, names: frozenset[str], interned: Interned) -> Array:
    """Whether the type that a word names is one of these."""
    types, which = np.unique(words >> np.uint64(ADDRESS_BITS), return_inverse=True)
    found: Array = np.array([interned.type_name(each) in names for each in types.tolist()], bool)[which]
    return found
