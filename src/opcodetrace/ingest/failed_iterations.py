"""Iterations that failed because their container had changed, and what had changed it."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.identity import Births
from opcodetrace.ingest.site_table import WHOLE, SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.layout import ADDRESS_BITS, RecordFlag
from opcodetrace.spool.records import CHUNK, Records, SpooledRecords, Survey
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Changes

if TYPE_CHECKING:
    from opcodetrace.ingest.shared_accesses import Kept

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FailedIterations:
    """The containers that were iterated over as they changed."""

    addresses: Array
    containers: Array  # objects as of Births.objects
    named: tuple[Array, Array]  # the seqs of failures whose records do not name it, and what it was, as records have it
    nameless: Array  # the seqs of those of which that is not known

    @classmethod
    def of(
        cls, window: SpooledRecords, seen: Survey, births: Births, table: SiteTable, interned: Interned
    ) -> FailedIterations:
        seqs, rows = seen.failed, window.take(seen.failed)
        changed = np.array(
            [
                interned.type_name(raised >> ADDRESS_BITS) == RuntimeError.__name__
                and site in table.sites
                and table.sites[site].opcode == "FOR_ITER"
                for raised, site in zip(rows["value"].tolist(), rows["site"].tolist(), strict=True)
            ],
            bool,
        )
        (nameless,) = np.nonzero(rows["container"] == 0)
        rows["container"][nameless] = _containers(window, seen, seqs[nameless], rows[nameless], table)
        known = rows["container"][nameless] != 0
        changed &= rows["container"] != 0
        addresses = rows["container"][changed] & np.uint64(ADDRESS_MASK)
        return cls(
            np.unique(addresses),
            np.unique(births.objects(addresses, seqs[changed])),
            (seqs[nameless[known]], rows["container"][nameless[known]]),
            seqs[nameless[~known]],
        )

    def concerns(self, containers: Array, families: Array, writes: Array) -> Array:
        """Of locations, in these containers and so often written: those that tell what the container went through."""
        concerned: Array = np.isin(containers, self.containers) & ((families == WHOLE) | (writes >= 1))
        return concerned

    def changes(self, window: SpooledRecords, kept: Kept) -> dict[int, Changes]:
        """Those of each container, by its location as a whole."""
        if not len(self.containers):
            return {}
        concerned = np.isin(kept.containers, self.containers)
        concerned[0] = False  # of no location
        (places,) = np.nonzero(concerned[kept.locations] & (kept.kinds != EventKind.READ))
        certain = kept.kinds[places] == EventKind.DELETE
        for start in range(0, len(places), CHUNK):
            rows = window.take(kept.seqs[places[start : start + CHUNK]])
            certain[start : start + CHUNK] |= (rows["kind"] & RecordFlag.RESIZES) == RecordFlag.RESIZES
        containers = kept.containers[kept.locations[places]]
        order = np.argsort(containers, kind="stable")
        (wholes,) = np.nonzero(concerned & (kept.families == WHOLE))
        begins, ends = (np.searchsorted(containers[order], kept.containers[wholes], side) for side in ("left", "right"))
        found = {}
        for location, begin, end in zip(wholes.tolist(), begins.tolist(), ends.tolist(), strict=True):
            its = order[begin:end]
            found[location] = Changes(kept.seqs[places[its]], certain[its])
        return found


def _containers(window: SpooledRecords, seen: Survey, seqs: Array, failures: Records, table: SiteTable) -> Array:
    """What was iterated over, by the start of the loop in the same activation; 0 if it was begun elsewhere."""
    containers = np.zeros(len(seqs), np.uint64)
    starts: dict[int, set[int]] = {}  # by the site of a failure
    for site in np.unique(failures["site"]).tolist():
        if site in table.sites:
            span, code = table.sites[site].span, table.codes[site]
            starts[site] = {each.id for each in code.sites if each.opcode == "GET_ITER" and each.span == span}
    sites = np.array(sorted(set().union(*starts.values())), np.uint32)
    if not len(sites):
        return containers
    begun: defaultdict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)  # by site, thread and frame
    for first, chunk in window.chunks(stop=int(seqs[-1])):
        kinds = seen.kinds[first - seen.first :][: len(chunk)]
        (where,) = np.nonzero((kinds == EventKind.READ) & np.isin(chunk["site"], sites))
        rows = chunk[where]
        for seq, row in zip((where + first).tolist(), rows, strict=True):
            begun[int(row["site"]), int(row["thread"]), int(row["frame"])].append((seq, int(row["container"])))
    for place, (seq, row) in enumerate(zip(seqs.tolist(), failures, strict=True)):
        for site in starts.get(int(row["site"]), ()):
            its = begun[site, int(row["thread"]), int(row["frame"])]
            at = bisect.bisect(its, (seq, 0))
            if at:
                containers[place] = its[at - 1][1]
    return containers
