"""Which object an address was at a time: addresses are used again, and a dictionary may hold an object's attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.values import ADDRESS_MASK
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind
from opcodetrace.spool.records import Survey

Array = npt.NDArray[Any]


def objects_at(addresses: Array, seqs: Array, seen: Survey) -> Array:
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


@dataclass(frozen=True, slots=True)
class Aliases:
    """Dictionaries that hold an object's attributes. From `dicts` on these are objects as of `objects_at`."""

    addresses: Array  # of dictionaries and of their objects
    dicts: Array
    owners: Array  # of each dict

    @classmethod
    def of(cls, seen: Survey) -> Aliases:
        which = seen.control_kinds == RecordKind.ALIAS
        seqs, rows = seen.control_seqs[which], seen.control[which]
        owned = rows["value"] & np.uint64(ADDRESS_MASK)
        owning = rows["container"] & np.uint64(ADDRESS_MASK)
        dicts, first = np.unique(objects_at(owned, seqs, seen), return_index=True)
        return cls(np.unique(np.concatenate([owned, owning])), dicts, objects_at(owning, seqs, seen)[first])

    def owner(self, containers: Array) -> tuple[Array, Array]:
        """Which of the containers are such dictionaries, and whose."""
        if not len(self.dicts):
            return np.zeros(len(containers), bool), containers
        place = np.minimum(np.searchsorted(self.dicts, containers), len(self.dicts) - 1)
        return self.dicts[place] == containers, self.owners[place]
