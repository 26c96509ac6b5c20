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


@dataclass(frozen=True, slots=True)
class Births:
    """All births that were recorded: of objects at addresses that records had named before."""

    places: Array  # the addresses, in order
    begins: Array  # of each: its first one among `births`
    births: Array  # by address and time: place * span + time
    span: np.int64
    first: int  # the seq of time 0

    @classmethod
    def of(cls, seen: Survey) -> Births:
        born = seen.control_kinds == RecordKind.BIRTH
        addresses = seen.control["container"][born] & np.uint64(ADDRESS_MASK)
        places, ranks = np.unique(addresses, return_inverse=True)
        span = np.int64(len(seen.kinds) + 1)
        births = np.sort(ranks * span + seen.control_seqs[born] - seen.first)
        return cls(places, np.searchsorted(births, np.arange(len(places)) * span), births, span, seen.first)

    def objects(self, addresses: Array, seqs: Array) -> Array:
        """A number (int64) for the object that lived at each address at each seq, which no other has: that of its
        birth, above all addresses, or its address if it is older than any birth there that was recorded."""
        objects = addresses.astype(np.int64)
        if not len(self.places):
            return objects
        place = np.minimum(np.searchsorted(self.places, addresses), len(self.places) - 1)
        (reborn,) = np.nonzero(self.places[place] == addresses)
        place = place[reborn].astype(np.int64)
        latest = np.searchsorted(self.births, place * self.span + (seqs[reborn] - self.first)) - 1
        known = latest >= self.begins[place]
        objects[reborn[known]] = latest[known] + (1 << ADDRESS_BITS)
        return objects


@dataclass(frozen=True, slots=True)
class Aliases:
    """Dictionaries that hold an object's attributes. From `dicts` on these are objects as of `Births.objects`."""

    addresses: Array  # of dictionaries and of their objects
    dicts: Array
    owners: Array  # of each dict

    @classmethod
    def of(cls, seen: Survey, births: Births) -> Aliases:
        which = seen.control_kinds == RecordKind.ALIAS
        seqs, rows = seen.control_seqs[which], seen.control[which]
        owned = rows["value"] & np.uint64(ADDRESS_MASK)
        owning = rows["container"] & np.uint64(ADDRESS_MASK)
        dicts, first = np.unique(births.objects(owned, seqs), return_index=True)
        return cls(np.unique(np.concatenate([owned, owning])), dicts, births.objects(owning, seqs)[first])

    def owner(self, containers: Array) -> tuple[Array, Array]:
        """Which of the containers are such dictionaries, and whose."""
        if not len(self.dicts):
            return np.zeros(len(containers), bool), containers
        place = np.minimum(np.searchsorted(self.dicts, containers), len(self.dicts) - 1)
        return self.dicts[place] == containers, self.owners[place]
