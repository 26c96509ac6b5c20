"""Locations: memory cells that threads can share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from opcodetrace.trace.event import Value


class LocationKind(StrEnum):
    ITEM = "item"
    SLICE = "slice"
    ATTRIBUTE = "attribute"
    GLOBAL = "global"
    CELL = "cell"
    WHOLE = "whole"  # a container as a whole: what is in it, how much, in which order


@dataclass(frozen=True, slots=True)
class Location:
    """A container and a key. `certain` is false if another object may have lived at the same address,
    or if the key's equality is the program's own. Such a location makes no finding by itself."""

    id: int
    kind: LocationKind
    container_type: str
    key: Value
    label: str  # as the source writes it: counter[0], account.balance, global hits, cell total
    certain: bool
    reads: int
    writes: int
    threads: int


NUMBER = re.compile(r" ?#\d+(?=\)$)")


def without_number(label: str) -> str:
    """The label without the number of one object among those of its type or name: self.n (Account), self.lock."""
    return NUMBER.sub("", label).removesuffix(" ()")
