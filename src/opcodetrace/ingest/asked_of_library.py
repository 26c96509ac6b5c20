"""Accesses that a container of the library makes for who asks it: `d[k]`, of a `UserDict`.

They are what they are for the analysis: `d.pop(k)` looks, reads and deletes one after the other. Shown they are where
the program asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.call_structure import CallStructure
from opcodetrace.ingest.shared_accesses import Kept
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.spool.layout import NO_SITE
from opcodetrace.trace.library import is_of_container
from opcodetrace.trace.run import AskedFor
from opcodetrace.trace.site import Code, Operation, SourceFile

Array = npt.NDArray[Any]

_DEEPEST = 8  # functions of the library that call each other
_MARKERS = (Operation.ENTER, Operation.DEFINE)


def asked_of_library(
    kept: Kept, calls: CallStructure, table: SiteTable, codes: Sequence[Code], files: Iterable[SourceFile]
) -> AskedFor | None:
    """Where the program asks for the accesses; None if there are none, or the calls are not known."""
    module_of = {file.id: file.module for file in files}
    within = np.array([is_of_container(module_of.get(code.file, ""), code.function) for code in codes] + [False])
    if not within.any() or not len(calls.seqs):
        return None
    (which,) = np.nonzero(within[table.code[table.indexes(kept.site_ids)]])
    activations = calls.activation(kept, which)
    search = _Search(calls, table, codes, within)
    distinct, places = np.unique(activations, return_inverse=True)
    asked = np.array([search.asking(each) or (NO_SITE, 0) for each in distinct.tolist()], np.uint64).reshape(-1, 2)
    sites, frames = asked[places].T
    known = sites != NO_SITE
    return AskedFor(kept.seqs[which[known]], sites[known].astype(np.uint32), kept.frames.of(frames[known]))


class _Search:
    def __init__(self, calls: CallStructure, table: SiteTable, codes: Sequence[Code], within: Array) -> None:
        self._calls = calls
        self._table = table
        self._codes = codes
        self._within = within

    def asking(self, activation: int) -> tuple[int, int] | None:
        """The site that led to an activation, in code that is none of the library's, and the address of its frame."""
        records, parents = self._calls.records, self._calls.parents
        for _ in range(_DEEPEST):
            parent = int(parents[activation]) if activation >= 0 else -1
            if parent < 0:
                return None
            code = int(self._table.code[min(int(records["site"][parent]), self._table.unknown)])
            if not self._within[code]:
                woven = int(records["key"][activation]) & NO_SITE
                there = () if code < 0 else self._table.sites_at(self._codes[code], woven)
                site = next((each for each in there if each.operation not in _MARKERS), None)
                return None if site is None else (site.id, int(records["frame"][parent]))
            activation = parent
        return None
