"""Containers of which another lane changed the size, before or after they were gone over or asked as a whole.

A change of a list is one of the list as a whole, too, so that its history tells of it. One of a dictionary or a set is
of one item: here the two are brought together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.labels import Labels
from opcodetrace.ingest.shared_accesses import SEQUENCES
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, Tag
from opcodetrace.spool.records import CHUNK, Records, SpooledRecords, Survey
from opcodetrace.trace.events import Resized
from opcodetrace.trace.site import Code, Operation

Array = npt.NDArray[Any]

CLOSEST = 64  # pairs of two places in the code: those that are closest together
NONE: Array = np.empty((2, 0), np.int64)
_COPIES = re.compile(r"^(list|tuple|set|frozenset|sorted)\(|\.(copy|items|keys|values)\(\)$")


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

    def with_more(self, more: _Steps) -> _Steps:
        """These and others, in order."""
        columns = [np.append(getattr(self, name), getattr(more, name)) for name in self.__slots__]
        order = np.argsort(columns[0], kind="stable")
        return _Steps(*(column[order] for column in columns))

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


def resized(
    window: SpooledRecords,
    seen: Survey,
    births: Births,
    table: SiteTable,
    codes: Sequence[Code],
    interned: Interned,
    labels: Labels,
) -> Resized:
    """Of containers that are iterated over, and of dictionaries and sets that are asked how much is in them, copied, or
    fail as there is nothing. Of each look the next change and the latest one before, of each change the same of
    looks."""
    begins, asks = _looks(table, codes, labels)
    if len(seen.first_seq) < 2 or not len(seen.resizing) or not (begins.any() or asks.any()):
        return Resized()
    looks = _Steps.of(window, seen.wholes, lambda rows: _is_look(rows, begins, asks, table, interned))
    failed = _Steps.of(window, seen.failed, lambda rows: (rows["container"] != 0) & ~_is_sequence(rows, interned))
    looks = looks.with_more(failed)
    addresses = np.unique(looks.containers)
    changes = _Steps.of(window, seen.resizing, lambda rows: _changes(rows, addresses, interned))
    if not len(looks.seqs) or not len(changes.seqs):
        return Resized()
    looks = looks.of_objects(births)
    objects = np.unique(looks.containers)
    looks, changes = looks.of_some(objects), changes.of_objects(births).of_some(objects)
    if not len(changes.seqs):
        return Resized()
    sites, site_of = np.unique(changes.sites, return_inverse=True)
    found = [NONE]
    for one, other in ((looks, changes), (_backwards(looks), _backwards(changes))):
        pairs = np.concatenate([_next(one, other), _latest(one, other)], axis=1)
        if one is not looks:
            pairs = np.array([[len(looks.seqs) - 1], [len(changes.seqs) - 1]]) - pairs
        distance = np.abs(changes.seqs[pairs[1]] - looks.seqs[pairs[0]])
        # of the changes by one instruction, the one that is closest to a look
        pairs = pairs[:, np.argsort(distance, kind="stable")]
        _, first = np.unique(pairs[0] * len(sites) + site_of[pairs[1]], return_index=True)
        look, change = pairs[:, first]
        places = looks.sites[look] * len(sites) + site_of[change]
        order = np.lexsort((np.abs(changes.seqs[change] - looks.seqs[look]), places))
        places = places[order]
        order = order[np.arange(len(order)) - np.searchsorted(places, places) < CLOSEST]
        found.append(np.stack([look[order], change[order]]))
    look, change = np.concatenate(found, axis=1)
    own = _own_next(looks, changes, np.unique(look))
    decided = np.union1d(own, change)
    before = len(looks.seqs) - 1 - _own_next(_backwards(changes), _backwards(looks), len(changes.seqs) - 1 - decided)
    own = np.union1d(own, _own_next(looks, changes, before))
    pairs = np.stack([looks.seqs[look], changes.seqs[change]])
    return Resized(pairs, changes.seqs[own], looks.seqs[before])


def _looks(table: SiteTable, codes: Sequence[Code], labels: Labels) -> tuple[Array, Array]:
    """Two masks of sites: at which an iteration begins; and at which a container is asked how much is in it, if a
    branch depends on that, or copied."""
    begins, asks = np.zeros(len(table.family), bool), np.zeros(len(table.family), bool)
    deciding = {test.site for site in table.sites.values() for test in site.tests}
    for code in codes:
        offsets = {asked.offset for decision in code.decisions for asked in decision.asked}
        offsets |= {answer.asked.offset for answer in code.answers}
        for site in code.sites:
            if site.opcode == "GET_ITER":
                begins[site.id] = True
            elif site.operation in (Operation.TEST, Operation.CALL):
                asks[site.id] = site.id in deciding or site.offset in offsets
                if site.operation == Operation.CALL and not asks[site.id]:
                    text = labels.source(code.file).expression(*site.span)
                    asks[site.id] = text is not None and _COPIES.search(text) is not None
    return begins, asks


def _is_look(rows: Records, begins: Array, asks: Array, table: SiteTable, interned: Interned) -> Array:
    sites = table.indexes(rows["site"])
    found: Array = begins[sites].copy()
    (which,) = np.nonzero(asks[sites])
    found[which] |= ~_is_sequence(rows[which], interned)
    return found


def _is_sequence(rows: Records, interned: Interned) -> Array:
    """Whether containers are such that a change of one is one of it as a whole."""
    types = rows["container"] >> np.uint64(ADDRESS_BITS)
    sequences = [number for number in np.unique(types).tolist() if interned.type_name(number) in SEQUENCES]
    found: Array = np.isin(types, sequences)
    return found


def _own_next(ones: _Steps, others: _Steps, which: Array) -> Array:
    """Places of the next steps of the others, by the same thread and of the same container, after some of the ones;
    `which` has their places. Both are in order."""
    lanes = np.int64(max(each.threads.max(initial=0) for each in (ones, others)) + 1)
    first = min(int(each.seqs.min()) for each in (ones, others))
    span = np.int64(max(int(each.seqs.max()) for each in (ones, others)) - first + 1)
    order = np.lexsort((others.seqs, others.threads, others.containers))
    keys, wanted = ((each.containers * lanes + each.threads) * span + each.seqs - first for each in (others, ones))
    keys = keys[order]
    at = np.searchsorted(keys, wanted[which], side="right")
    there = at < len(keys)
    at, which = at[there], which[there]
    at = at[keys[at] // span == wanted[which] // span]
    found: Array = np.unique(order[at])
    return found


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
