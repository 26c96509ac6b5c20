"""Accesses that an object's own methods hand on, as `__setattr__` does by `super().__setattr__(name, value)`.

Who writes `o.x = value` makes the access, as of any other object; that a method of the object does it is how the object
serves it. So such an access is one at the instruction that led to the method. An access that is not kept ends what was
read there before (`EventKind.ELSEWHERE`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.call_structure import CallStructure
from opcodetrace.ingest.shared_accesses import Kept
from opcodetrace.ingest.site_table import ATTRIBUTE, SiteTable
from opcodetrace.spool.layout import NO_SITE, Tag
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.site import Code

Array = npt.NDArray[Any]

_SERVES = {"__getattribute__": "LOAD_ATTR", "__setattr__": "STORE_ATTR", "__delattr__": "DELETE_ATTR"}
_MAKES = {"LOAD_ATTR": EventKind.READ, "STORE_ATTR": EventKind.WRITE, "DELETE_ATTR": EventKind.DELETE}
_DEEPEST = 8  # classes that hand on to each other


@dataclass(frozen=True, slots=True)
class HandedOn:
    """What is to be known of accesses that are not kept."""

    seqs: Array
    sites: Array
    frames: Array  # addresses


def hand_on(kept: Kept, calls: CallStructure, table: SiteTable, codes: Sequence[Code]) -> HandedOn:
    """Gives the accesses of `kept` that were handed on to the instructions that asked for them."""
    ways = _Ways(calls, table, codes)
    if not ways.any():
        return HandedOn(*(np.empty(0, np.int64) for _ in range(3)))
    which, activations = _alone(kept, calls, ways.within(kept.site_ids))
    names, kinds = kept.key_words[kept.locations[which]].tolist(), kept.kinds[which].tolist()
    moved, sites, frames = [], [], []
    for access, activation, name, kind in zip(which.tolist(), activations.tolist(), names, kinds, strict=True):
        asked = ways.asked_by(activation)
        if asked is not None and int(table.name[asked.site]) == name and _MAKES[asked.operation] == kind:
            moved.append(access)
            sites.append(asked.site)
            frames.append(asked.frame)
    kept.site_ids[moved] = sites
    kept.frame[moved] = kept.frames.of(np.array(frames, np.uint64))
    followed = calls.followed[ways.within(calls.records["site"][calls.followed])]
    elsewhere = [(each, asked) for each in followed.tolist() if (asked := ways.asked_by(each)) is not None]
    return HandedOn(
        calls.seqs[[each for each, _ in elsewhere]],
        np.array([asked.site for _, asked in elsewhere], np.uint32),
        np.array([asked.frame for _, asked in elsewhere], np.uint64),
    )


def _alone(kept: Kept, calls: CallStructure, within: Array) -> tuple[Array, Array]:
    """Those accesses of attributes `within` serving methods that are the only ones of their location in their
    activation, and that. A method that looks what is stored before it writes does not hand on."""
    (which,) = np.nonzero(within)
    activations, locations = calls.activation(kept, which), kept.locations[which]
    pairs = activations * np.int64(len(kept.families)) + locations
    _, places, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    alone = (counts[places] == 1) & (kept.families[locations] == ATTRIBUTE) & (kept.key_tags[locations] == Tag.STR)
    return which[alone], activations[alone]


class _Asked(NamedTuple):
    """The instruction that asked for an attribute."""

    site: int
    operation: str
    frame: int  # its address


class _Ways:
    """From which instructions the serving methods were called."""

    def __init__(self, calls: CallStructure, table: SiteTable, codes: Sequence[Code]) -> None:
        self._calls = calls
        self._table = table
        self._codes = codes
        names = [code.function.rpartition(".")[2] for code in codes]
        self._operations = [*(_SERVES.get(name, "") for name in names), ""]  # by place; the last is of unknown codes
        self._serving = np.array([operation != "" for operation in self._operations])

    def any(self) -> bool:
        return bool(self._serving.any()) and len(self._calls.seqs) > 0

    def within(self, sites: Array) -> Array:
        """Which sites are in such a method."""
        within: Array = self._serving[self._table.code[self._table.indexes(sites)]]
        return within

    def asked_by(self, activation: int) -> _Asked | None:
        """What such an activation serves, also by way of such a method of a base class."""
        records, parents = self._calls.records, self._calls.parents
        operation = self._operation(activation)
        for _ in range(_DEEPEST):
            parent = int(parents[activation]) if activation >= 0 else -1
            if parent < 0 or self._operation(activation) != operation:
                return None
            code, woven = self._code(parent), int(records["key"][activation]) & NO_SITE
            there = () if code < 0 else self._table.sites_at(self._codes[code], woven)
            site = next((each for each in there if each.operation in _MAKES), None)
            if site is not None and site.operation == operation:
                return _Asked(site.id, operation, int(records["frame"][parent]))
            activation = parent
        return None

    def _code(self, activation: int) -> int:
        return int(self._table.code[min(int(self._calls.records["site"][activation]), self._table.unknown)])

    def _operation(self, activation: int) -> str:
        return self._operations[self._code(activation)] if activation >= 0 else ""
