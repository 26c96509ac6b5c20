"""Iterations over containers of which another lane changed the size, before or after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, Tag
from opcodetrace.spool.records import CHUNK, Records, SpooledRecords, Survey

Array = npt.NDArray[Any]

CLOSEST = 64  # pairs of two places in the code: those that are closest together
NONE: Array = np.empty((2, 0), np.int64)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Some records, by container."""

    seqs: Array
    containers: Array  # addresses, or objects as of Births.objects
    threads: Array
    sites: Array

    @classmethod
    def of(cls, window: SpooledRecords, seqs: Array, wanted: Callable[[Records], Array]) -> _Steps:
        """Those that are wanted."""
        found = [cls(*(np.empty(0, np.int64) for _ in range(4)))]
        for start in range(0, len(seqs), CHUNK):
            part = seqs[start : start + CHUNK]
            rows = window.take(part)
            (which,) = np.nonzero(wanted(rows))
            rows = rows[which]
            found.append(cls(part[which], rows["container"] & np.uint64(ADDRESS_MASK), rows["thread"], rows["site"]))
        columns = ([getattr(each, name) for each in found] for name in cls.__slots__)
        return cls(*(np.concatenate(column).astype(np.int64) for column in columns))

    def of_objects(self, births: Births) -> _Steps:
        """By object."""
        containers = births.objects(self.containers.view(np.uint64), self.seqs)
        order = np.argsort(containers, kind="stable")
        return _Steps(self.seqs[order], containers[order], self.threads[order], self.sites[order])

    def of_some(self, objects: Array) -> _Steps:
        """Those of these objects, numbered by their places."""
        place = np.minimum(np.searchsorted(objects, self.containers), len(objects) - 1)
        known = objects[place] == self.containers
        return _Steps(self.seqs[known], place[known], self.threads[known], self.sites[known])


def changed_by_another(
    window: SpooledRecords, seen: Survey, births: Births, table: SiteTable, interned: Interned
) -> Array:
    """Pairs of seqs, in two rows: where an iteration over a container began, and where another lane put an item into
    the container or took one out (except at the end of a list, where an iteration comes yet).

    Of each start the next such change and the latest one before, of each change the same of such starts."""
    begins = np.zeros(len(table.family), bool)
    begins[[number for number, site in table.sites.items() if site.opcode == "GET_ITER"]] = True
    if len(seen.first_seq) < 2 or not len(seen.resizing) or not begins.any():
        return NONE
    starts = _Steps.of(window, seen.wholes, lambda rows: begins[table.indexes(rows["site"])])
    addresses = np.unique(starts.containers)
    changes = _Steps.of(window, seen.resizing, lambda rows: _changes(rows, addresses, interned))
    if not len(starts.seqs) or not len(changes.seqs):
        return NONE
    starts = starts.of_objects(births)
    objects = np.unique(starts.containers)
    starts, changes = starts.of_some(objects), changes.of_objects(births).of_some(objects)
    if not len(changes.seqs):
        return NONE
    sites, site_of = np.unique(changes.sites, return_inverse=True)
    found = [NONE]
    for one, other in ((starts, changes), (_backwards(starts), _backwards(changes))):
        pairs = np.concatenate([_next(one, other), _latest(one, other)], axis=1)
        if one is not starts:
            pairs = np.array([[len(starts.seqs) - 1], [len(changes.seqs) - 1]]) - pairs
        distance = np.abs(changes.seqs[pairs[1]] - starts.seqs[pairs[0]])
        # of the changes by one instruction, the one that is closest to a start
        pairs = pairs[:, np.argsort(distance, kind="stable")]
        _, first = np.unique(pairs[0] * len(sites) + site_of[pairs[1]], return_index=True)
        start, change = pairs[:, first]
        places = starts.sites[start] * len(sites) + site_of[change]
        order = np.lexsort((np.abs(changes.seqs[change] - starts.seqs[start]), places))
        places = places[order]
        order = order[np.arange(len(order)) - np.searchsorted(places, places) < CLOSEST]
        found.append(np.stack([starts.seqs[start[order]], changes.seqs[change[order]]]))
    return np.concatenate(found, axis=1)


def _changes(rows: Records, addresses: Array, interned: Interned) -> Array:
    if not len(addresses):
        return np.zeros(len(rows), bool)
    containers = (rows["container"] & np.uint64(ADDRESS_MASK)).astype(np.int64)
    place = np.minimum(np.searchsorted(addresses, containers), len(addresses) - 1)
    found: Array = addresses[place] == containers
    (ends,) = np.nonzero(found & (rows["tags"] & 15 == Tag.END))
    types = rows["container"][ends] >> np.uint64(ADDRESS_BITS)
    lists = [number for number in np.unique(types).tolist() if interned.type_name(number) == list.__name__]
    found[ends[np.isin(types, lists)]] = False
    return found


def _next(ones: _Steps, others: _Steps) -> Array:
    """Places of steps of both kinds: of each of the ones the next one of the others by another thread, if there is one.
    Both are in order."""
    span = np.int64(max(np.abs(each.seqs).max() for each in (ones, others)) + 1)
    keys, later = (each.containers * span + each.seqs for each in (ones, others))
    begins = (others.containers[1:] != others.containers[:-1]) | (others.threads[1:] != others.threads[:-1])
    turn = np.r_[0, np.cumsum(begins)]  # steps of one thread at one container that follow each other
    ends = np.r_[np.flatnonzero(begins) + 1, len(others.seqs)]
    one, other = np.arange(len(keys)), np.searchsorted(later, keys, side="right")
    for by_own in (True, False):
        there = other < len(later)
        one, other = one[there], other[there]
        there = ones.containers[one] == others.containers[other]
        one, other = one[there], other[there]
        if by_own:
            own = ones.threads[one] == others.threads[other]
            other = np.where(own, ends[turn[other]], other)
    return np.stack([one, other])


def _latest(starts: _Steps, changes: _Steps) -> Array:
    """The same: of each change the latest start by another thread."""
    change, start = _next(_backwards(changes), _backwards(starts))
    return np.stack([len(starts.seqs) - 1 - start, len(changes.seqs) - 1 - change])


def _backwards(steps: _Steps) -> _Steps:
    return _Steps(-steps.seqs[::-1], -steps.containers[::-1], steps.threads[::-1], steps.sites[::-1])
