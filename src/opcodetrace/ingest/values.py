"""Keys and values out of records: tags and 64 bits become Python values."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.row_hash import numbered
from opcodetrace.spool.layout import ADDRESS_BITS, RecordKind, Tag
from opcodetrace.spool.records import Records, Survey, assemble
from opcodetrace.trace.event import ABSENT, Absent, Opaque, Raised, Value
from opcodetrace.trace.events import DistinctValues, ValueTag

Array = npt.NDArray[Any]

ADDRESS_MASK = (1 << ADDRESS_BITS) - 1
UNKNOWN_TEXT = 0  # the canonical id of a text whose records are missing
ID_MASK = (1 << 32) - 1  # of a text's id
TEXT_TAGS = [Tag.STR, Tag.BYTES, Tag.TUPLE]
UNKNOWN_TYPE = "object"
_ADDRESS = re.compile(rb"\x01([0-9a-f]+)\x01")  # in a tuple's text (probe/datum.c)
PIECE = 1 << 16  # values that are counted together: counting makes 8 bytes of each tag


class Interned:
    """The texts and type names of a run. The same text under many ids has one canonical id."""

    def __init__(self, survey: Survey) -> None:
        control = survey.control
        kinds = survey.control_kinds
        self._types = assemble(control[kinds == RecordKind.TYPE])
        self._type_names: dict[int, str] = {}
        texts = assemble(control[kinds == RecordKind.TEXT])
        self._canonical: dict[bytes, int] = {}
        self._texts: list[bytes] = [b""]
        self._variants: dict[tuple[int, tuple[int, ...]], int] = {}  # see `told_apart`
        self._objects: dict[int, int] = {}
        self._numbered = np.empty(0, np.int64), np.empty(0, np.int64)  # objects that are values, and their numbers
        # What DESCRIBE records tell: of which objects, in order; and by an object's number, which of them tells of it.
        self._told_objects = np.empty(0, np.int64)
        self._told_texts, self._told_tags = np.empty(0, np.uint64), np.empty(0, np.uint8)
        self._told_numbers: dict[int, int] = {}
        # The ids of a window lie close together (in a ring they begin anywhere, and after 32 bits anew), so the table
        # has an entry for each from the lowest on, and one more: what is out of range is clipped to it.
        self._lowest = np.uint64(_lowest(texts))
        places = {(number - int(self._lowest)) & ID_MASK: text for number, text in texts.items()}
        self._table = np.full(max(places, default=-1) + 2, UNKNOWN_TEXT, np.uint64)
        for place, text in places.items():
            self._table[place] = self.canonical(text)
        self._names = self._type_table()

    def _type_table(self) -> Array:
        """By type id: the first of the same name (those whose records are missing have one), << ADDRESS_BITS."""
        ids = 1 << (64 - ADDRESS_BITS)
        of_name: dict[str, int] = {}
        known = [number for number in self._types if number < ids]
        for number in known:
            of_name.setdefault(self.type_name(number), number)
        missing = next((number for number in range(ids) if number not in self._types), 0)
        table = np.full(ids, of_name.get(UNKNOWN_TYPE, missing), np.uint64)
        for number in known:
            table[number] = of_name[self.type_name(number)]
        return table << np.uint64(ADDRESS_BITS)

    def canonical(self, text: bytes) -> int:
        number = self._canonical.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        return number

    def canonical_ids(self, ids: Array) -> Array:
        places = (ids - self._lowest) & np.uint64(ID_MASK)
        canonical: Array = self._table[np.minimum(places, len(self._table) - 1).astype(np.intp)]
        return canonical

    def told_apart(self, keys: Array, objects: Callable[[int, Array], Array]) -> Array:
        """Ids for keys whose texts (canonical ids) name objects by their addresses, one for each set of objects that
        these were: `objects(address, which)` gives a number for the object at an address, for some of the keys."""
        found = keys.copy()
        for number in np.unique(keys).tolist():
            addresses = [int(each, 16) for each in _ADDRESS.findall(self._texts[number])]
            if not addresses:
                continue
            (which,) = np.nonzero(keys == number)
            numbers = np.stack([objects(address, which) for address in addresses], axis=1)
            variants, places = np.unique(numbers, axis=0, return_inverse=True)
            ids = [self._variant(number, tuple(each)) for each in variants.tolist()]
            found[which] = np.array(ids, np.uint64)[places.ravel()]
        return found

    def _variant(self, number: int, objects: tuple[int, ...]) -> int:
        if (number, objects) not in self._variants:
            self._variants[number, objects] = len(self._texts)
            self._texts.append(_ADDRESS.sub(b"", self._texts[number]))
        return self._variants[number, objects]

    def text_table(self) -> tuple[Array, int]:
        """The canonical ids by id, from which id on; the last entry is for all that are out of range."""
        return self._table, int(self._lowest)

    def text(self, number: int) -> str | None:
        """The text with this id, as in the records."""
        place = (number - int(self._lowest)) & ID_MASK
        canonical = int(self._table[min(place, len(self._table) - 1)])
        return None if canonical == UNKNOWN_TEXT else as_text(self._texts[canonical])

    def describe(self, objects: Array, rows: Records) -> None:
        """What DESCRIBE records tell of these objects, for values to come. The first word counts."""
        self._told_objects, first = np.unique(objects, return_index=True)
        self._told_texts, self._told_tags = rows["value"][first], rows["tags"][first]

    def numbers(self, objects: Array) -> Array:
        """The numbers of these objects as values (`columns`); 0 for those that were none."""
        known, numbers = self._numbered
        places = np.minimum(np.searchsorted(known, objects), max(len(known) - 1, 0))
        found: Array = np.where(np.isin(objects, known), np.append(numbers, 0)[places], 0)
        return found

    def _telling(self, objects: Array) -> tuple[Array, Array]:
        """Which of these objects something is told of, and by which of the records."""
        if not len(self._told_objects):
            return np.zeros(len(objects), bool), np.zeros(len(objects), np.int64)
        places = np.minimum(np.searchsorted(self._told_objects, objects), len(self._told_objects) - 1)
        return self._told_objects[places] == objects, places

    def _object(self, word: int, number: int | None) -> Opaque:
        """An object with what is told of it."""
        row = None if number is None else self._told_numbers.get(number)
        name = self.type_name(word >> ADDRESS_BITS)
        if row is None:
            return Opaque(name, number)
        text, tags = self._told_texts[row], self._told_tags[row]
        return Opaque(name, number, self.text(int(text)), int(tags) & 15 == Tag.TRUE)

    def type_name(self, number: int) -> str:
        """A type's name as people write it: that of a built-in type or of the script's own without its module."""
        name = self._type_names.get(number)
        if name is None:
            name = as_text(self._types.get(number, b"")) or UNKNOWN_TYPE
            name = name.removeprefix("builtins.").removeprefix("__main__.")
            self._type_names[number] = name
        return name

    def _opaque(self, words: Array, objects: Array) -> Array:
        """Objects are numbered from 1, in the order in which they come here."""
        places, first = numbered((objects, words >> np.uint64(ADDRESS_BITS)))
        found = []
        told, rows = self._telling(objects[first])
        of_objects = zip(words[first].tolist(), objects[first].tolist(), told.tolist(), rows.tolist(), strict=True)
        for word, identity, is_told, row in of_objects:
            number = self._objects.setdefault(identity, len(self._objects) + 1) if identity else None
            if is_told and number is not None:
                self._told_numbers[number] = row
            found.append(self._object(word, number))
        return _objects(found)[places]

    def values(self, tags: Array, words: Array, objects: Array | None = None) -> list[Value]:
        """What records hold: `tags` are Tags, `objects` tell apart what is tagged OBJECT (0: unknown)."""
        texts = np.isin(tags, TEXT_TAGS)
        words[texts] = self.canonical_ids(words[texts])
        return self.keys(tags, words, objects)

    def columns(self, tags: Array, words: Array, objects: Array) -> tuple[Array, Array, Sequence[Value]]:
        """The same as `Events` has it, in the place of `tags` and `words`. The texts and objects come third."""
        made, numbers = tags, words.view(np.int64)
        numbers[tags == Tag.ABSENT] = 0
        distinct = Distinct(self)
        counts = np.zeros(16, np.int64)
        for start in range(0, len(tags), PIECE):
            counts += np.bincount(tags[start : start + PIECE], minlength=16)
        used_tags = np.flatnonzero(counts).tolist()
        places = {tag: np.flatnonzero(tags == tag) for tag in used_tags if tag > Tag.TRUE}
        for tag, where in places.items():
            if tag == Tag.OBJECT:
                made[where], numbers[where] = self._object_columns(words[where], objects[where], distinct)
                continue
            if tag == Tag.RAISED:
                used, inverse = np.unique(words[where], return_inverse=True)
                made[where] = ValueTag.ABSENT
                numbers[where] = 1 + inverse + distinct.add(tag, used, np.zeros(len(used), np.int64))
                continue
            found = self.canonical_ids(words[where]) if tag in TEXT_TAGS else words[where]
            used, inverse = np.unique(found, return_inverse=True)
            made[where] = ValueTag.OTHER
            numbers[where] = inverse + distinct.add(tag, used, np.zeros(len(used), np.int64))
            if tag in TEXT_TAGS and len(used) and used[0] == UNKNOWN_TEXT:
                unknown = where[inverse == 0]
                made[unknown], numbers[unknown] = ValueTag.ABSENT, 0
        return made, numbers, distinct

    def _object_columns(self, words: Array, objects: Array, distinct: Distinct) -> tuple[Array, Array]:
        """Tags and places among the distinct values.

        An object is numbered as `_opaque` does; its type is the first that it was seen with. Those that are unknown are
        told apart by type alone."""
        known = objects != 0
        numbers = np.zeros(len(words), np.int64)
        used, first, places = np.unique(objects[known], return_index=True, return_inverse=True)
        rank = np.empty(len(used), np.int64)
        rank[np.argsort(first)] = np.arange(len(used))
        fresh = np.ones(len(used), bool)
        identities = np.empty(len(used), np.int64)
        for identity, number in self._objects.items():
            place = int(np.searchsorted(used, identity))
            if place < len(used) and used[place] == identity:
                fresh[place], identities[place] = False, number
        order = np.argsort(np.where(fresh, rank, len(used)), kind="stable")[: int(fresh.sum())]
        identities[order] = len(self._objects) + 1 + np.arange(len(order))
        self._numbered = used, identities
        told, rows = self._telling(used)
        self._told_numbers.update(zip(identities[told].tolist(), rows[told].tolist(), strict=True))
        numbers[known] = places + distinct.add(Tag.OBJECT, words[known][first], identities)
        types = self._names[words[~known] >> np.uint64(ADDRESS_BITS)]
        used, places = np.unique(types, return_inverse=True)
        numbers[~known] = places + distinct.add(Tag.OBJECT, used, np.zeros(len(used), np.int64))
        return np.where(known, ValueTag.OBJECT, ValueTag.SOME_OBJECT).astype(np.uint8), numbers

    def keys(self, tags: Array, words: Array, objects: Array | None = None) -> list[Value]:
        """The same, with their canonical ids in place of texts."""
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
                case Tag.RAISED:
                    values[where] = _each(found, self._raised)
                case Tag.SLICE:
                    values[where] = _each(found, _slice_text)
        return values.tolist()

    def distinct(self, tag: int, word: int, number: int) -> Value:
        """One of the values that are a text, an object, or what was raised."""
        if tag == Tag.OBJECT:
            return self._object(word, number or None)
        if tag == Tag.RAISED:
            return self._raised(word)
        return self._bytes(word) if tag == Tag.BYTES else self._string(word)

    def _raised(self, word: int) -> Raised:
        return Raised(self.type_name(word >> ADDRESS_BITS))

    def _string(self, canonical: int) -> str | Absent:
        return ABSENT if canonical == UNKNOWN_TEXT else as_text(self._texts[canonical])

    def _bytes(self, canonical: int) -> bytes | Absent:
        return ABSENT if canonical == UNKNOWN_TEXT else self._texts[canonical]


class Distinct(DistinctValues):
    """Texts and objects, each made when it is asked for."""

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._tags, self._words, self._numbers = np.empty(0, np.uint8), np.empty(0, np.uint64), np.empty(0, np.int64)

    def add(self, tag: int, words: Array, numbers: Array) -> int:
        """Add some of one tag; gives the place of the first. `numbers` are those of objects, 0 if unknown."""
        first = len(self)
        self._tags = np.concatenate([self._tags, np.full(len(words), tag, np.uint8)])
        self._words = np.concatenate([self._words, words])
        self._numbers = np.concatenate([self._numbers, numbers])
        return first

    def identities(self) -> Array:
        return np.where(self._tags == Tag.OBJECT, self._numbers, 0)

    def __len__(self) -> int:
        return len(self._tags)

    @overload
    def __getitem__(self, place: int) -> Value: ...
    @overload
    def __getitem__(self, place: slice) -> list[Value]: ...
    def __getitem__(self, place: int | slice) -> Value | list[Value]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        return self._interned.distinct(int(self._tags[place]), int(self._words[place]), int(self._numbers[place]))


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
