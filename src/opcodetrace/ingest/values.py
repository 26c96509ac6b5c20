"""Keys and values out of records: tags and 64 bits become Python values."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.row_hash import numbered
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind, Tag
from opcodetrace.spool.records import Records, Survey, assemble
from opcodetrace.trace.event import ABSENT, Absent, Opaque, Value

Array = npt.NDArray[Any]

ADDRESS_MASK = (1 << ADDRESS_BITS) - 1
UNKNOWN_TEXT = 0  # the canonical id of a text whose records are missing
ID_MASK = (1 << 32) - 1  # of a text's id
TEXT_TAGS = [Tag.STR, Tag.BYTES, Tag.TUPLE]
UNKNOWN_TYPE = "object"


class Interned:
    """The texts and type names of a run. The same text under many ids has one canonical id."""

    def __init__(self, survey: Survey) -> None:
        control = survey.control
        kinds = survey.control_kinds
        self._types = assemble(control[kinds == RecordKind.TYPE])
        texts = assemble(control[kinds == RecordKind.TEXT])
        self._canonical: dict[bytes, int] = {}
        self._texts: list[bytes] = [b""]
        self._objects: dict[int, int] = {}
        self._told: dict[int, tuple[str | None, bool]] = {}
        # The ids of a window lie close together (in a ring they begin anywhere, and after 32 bits anew), so the table
        # has an entry for each from the lowest on, and one more: what is out of range is clipped to it.
        self._lowest = np.uint64(_lowest(texts))
        places = {(number - int(self._lowest)) & ID_MASK: text for number, text in texts.items()}
        self._table = np.full(max(places, default=-1) + 2, UNKNOWN_TEXT, np.uint64)
        for place, text in places.items():
            self._table[place] = self.canonical(text)

    def canonical(self, text: bytes) -> int:
        number = self._canonical.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        return number

    def canonical_ids(self, ids: Array) -> Array:
        places = (ids - self._lowest) & np.uint64(ID_MASK)
        canonical: Array = self._table[np.minimum(places, len(self._table) - 1).astype(np.intp)]
        return canonical

    def text(self, number: int) -> str | None:
        """The text with this id, as in the records."""
        canonical = int(self.canonical_ids(np.array([number], np.uint64))[0])
        return None if canonical == UNKNOWN_TEXT else as_text(self._texts[canonical])

    def describe(self, objects: Array, rows: Records) -> None:
        """What DESCRIBE records tell of these objects, for values to come. The first word counts."""
        changes = (rows["tags"] & 15) == Tag.TRUE
        for identity, text, change in zip(objects.tolist(), rows["value"].tolist(), changes.tolist(), strict=True):
            if identity not in self._told:
                self._told[identity] = self.text(text), change

    def type_name(self, number: int) -> str:
        """A type's name as people write it: that of a built-in type or of the script's own without its module."""
        name = as_text(self._types.get(number, b"")) or UNKNOWN_TYPE
        return name.removeprefix("builtins.").removeprefix("__main__.")

    def _opaque(self, words: Array, objects: Array) -> Array:
        """Objects are numbered from 1, in the order in which they come here."""
        places, first = numbered((objects, words >> np.uint64(ADDRESS_BITS)))
        found = []
        for word, identity in zip(words[first].tolist(), objects[first].tolist(), strict=True):
            number = self._objects.setdefault(identity, len(self._objects) + 1) if identity else None
            text, changes = self._told.get(identity, (None, False))
            found.append(Opaque(self.type_name(word >> ADDRESS_BITS), number, text, changes))
        return _objects(found)[places]

    def values(self, tags: Array, words: Array, objects: Array | None = None) -> list[Value]:
        """What records hold: `tags` are Tags, `objects` tell apart what is tagged OBJECT (0: unknown)."""
        if (tags == Tag.INT).all():
            return words.view(np.int64).tolist()  # type: ignore[no-any-return]
        texts = np.isin(tags, TEXT_TAGS)
        words[texts] = self.canonical_ids(words[texts])
        return self.keys(tags, words, objects)

    def keys(self, tags: Array, words: Array, objects: Array | None = None) -> list[Value]:
        """The same, where texts have their canonical ids."""
        values = np.full(len(tags), ABSENT, object)
        for tag in np.flatnonzero(np.bincount(tags, minlength=16)).tolist():
            where = tags == tag
            found = words[where]
            match tag:
                case Tag.INT:
                    values[where] = found.view(np.int64)
                case Tag.FLOAT:
                    values[where] = found.view(np.float64)
                case Tag.NONE:
                    values[where] = None
                case Tag.FALSE | Tag.TRUE:
                    values[where] = tag == Tag.TRUE
                case Tag.STR | Tag.TUPLE:
                    values[where] = _each(found, self._string)
                case Tag.BYTES:
                    values[where] = _each(found, self._bytes)
                case Tag.OBJECT:
                    values[where] = self._opaque(
                        found, np.zeros(len(found), np.int64) if objects is None else objects[where]
                    )
                case Tag.SLICE:
                    values[where] = _each(found, _slice_text)
        return values.tolist()

    def _string(self, canonical: int) -> str | Absent:
        return ABSENT if canonical == UNKNOWN_TEXT else as_text(self._texts[canonical])

    def _bytes(self, canonical: int) -> bytes | Absent:
        return ABSENT if canonical == UNKNOWN_TEXT else self._texts[canonical]


def _lowest(ids: Collection[int]) -> int:
    """The first id given, of ids that lie close together but may have begun anew after 32 bits."""
    half = 1 << 31
    if max(ids, default=0) - min(ids, default=0) < half:
        return min(ids, default=0)
    return min(number for number in ids if number >= half)


def _each(words: Array, decode: Callable[[int], Value]) -> Array:
    """Decode each word, equal ones once."""
    used, inverse = np.unique(words, return_inverse=True)
    return _objects([decode(word) for word in used.tolist()])[inverse]


def _slice_text(word: int) -> str:
    """The bounds of a slice as between its brackets."""
    start, stop = struct.unpack("<ii", word.to_bytes(8, "little"))
    return f"{start}:{stop}"


def _objects(values: list[Any]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def as_text(text: bytes) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return text.decode("utf-8", "backslashreplace")
