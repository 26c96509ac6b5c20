"""The sites of a run as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.values import UNKNOWN_TEXT, Interned
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.site import Code, Operation, Site

Array = npt.NDArray[Any]
# A family is the LocationKind that a site's operation makes, by its place in this tuple.
FAMILIES = (
    LocationKind.ITEM,
    LocationKind.SLICE,
    LocationKind.ATTRIBUTE,
    LocationKind.GLOBAL,
    LocationKind.CELL,
    LocationKind.WHOLE,
)
ITEM, SLICE, ATTRIBUTE, GLOBAL, CELL, WHOLE = range(len(FAMILIES))
NO_FAMILY = 255
FAMILY_OF_OPERAND = {
    "SUBSCR": ITEM,
    "SLICE": SLICE,
    "ATTR": ATTRIBUTE,
    "GLOBAL": GLOBAL,
    "NAME": GLOBAL,
    "DEREF": CELL,
}
OF_ANY_CONTAINER = (
    Operation.CALL,
    Operation.CONTAINS,
    Operation.ITERATE,
    Operation.TEST,
)  # what they access, the record says


class SiteTable:
    """The sites of a run, and arrays over their ids. The last entry of each array stands for all unknown sites."""

    def __init__(self, codes: Sequence[Code], interned: Interned) -> None:
        self.sites: dict[int, Site] = {}
        self.codes: dict[int, Code] = {}
        self._offsets: dict[int, dict[int, int]] = {}  # of a code object's instructions, by where they lie when woven
        self._at: dict[tuple[int, int | None], tuple[Site, ...]] = {}  # by code object and offset
        for code in codes:
            for site in code.sites:
                self.sites[site.id] = site
                self.codes[site.id] = code
        size = max(self.sites, default=-1) + 2
        self.unknown = size - 1
        self.family = np.full(size, NO_FAMILY, np.uint8)
        self.name = np.full(size, UNKNOWN_TEXT, np.uint64)  # canonical text id
        self.plain_global = np.zeros(size, bool)  # the container is a module's globals by what the instruction is
        self.code = np.full(size, -1, np.int64)  # place in `codes`
        for index, code in enumerate(codes):
            for site in code.sites:
                self.code[site.id] = index
                if site.name is not None:
                    self.name[site.id] = interned.canonical(site.name.encode("utf-8", "surrogatepass"))
                if site.operation in OF_ANY_CONTAINER:
                    self.family[site.id] = ITEM
                action, _, operand = site.operation.partition("_")
                if action in ("LOAD", "STORE", "DELETE") and operand in FAMILY_OF_OPERAND:
                    self.family[site.id] = FAMILY_OF_OPERAND[operand]
                    self.plain_global[site.id] = operand == "GLOBAL"

    def indexes(self, ids: Array) -> Array:
        """Site ids as places in the arrays."""
        return np.minimum(ids, self.unknown).astype(np.intp)

    def sites_at(self, code: Code, woven_offset: int) -> tuple[Site, ...]:
        """Those of an instruction, by where it lies in the woven code."""
        offset = self.original_offset(code, woven_offset)
        if (code.id, offset) not in self._at:
            there = () if offset is None else code.sites
            self._at[code.id, offset] = tuple(each for each in there if each.offset == offset)
        return self._at[code.id, offset]

    def original_offset(self, code: Code, woven_offset: int) -> int | None:
        """Where the instruction lies in the code as it was before it was woven."""
        if code.id not in self._offsets:
            self._offsets[code.id] = {point.woven_offset: point.offset for point in code.switch_points}
        return self._offsets[code.id].get(woven_offset)
