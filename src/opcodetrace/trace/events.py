"""The events of a run in columns: one NumPy array a field, so that millions of them need no Python object each.

The script's process loads no NumPy, so nothing that it imports imports this (setup.cfg has the contract).
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from opcodetrace.trace.event import ABSENT, Absent, Event, EventKind, Opaque, Raised, Value
from opcodetrace.trace.finding import Certainty

Array = npt.NDArray[Any]

COLUMNS = ("seq", "before", "thread", "site", "kind", "location", "tag", "word", "frame")  # of `Events`
CHUNK = 1 << 14  # events that are Python objects at one time
CERTAINTIES = (Certainty.PROVEN, Certainty.INFERRED, Certainty.POSSIBLE)  # by the numbers in `Sources.certainty`


class ValueTag(IntEnum):
    """How `Events.word` holds a value."""

    ABSENT = 0  # word 0; of an access that failed, 1 + the place in `Events.others` of what it raised
    INT = 1  # a signed 64-bit integer
    FLOAT = 2  # the bits of a double
    NONE = 3
    FALSE = 4
    TRUE = 5
    OTHER = 6  # its place in `Events.others`, as of what follows
    OBJECT = 7  # it is known which one
    SOME_OBJECT = 8  # it may be any other of those, and any of the former


class DistinctValues(Sequence[Value]):
    """Values of which each is made when it is asked for."""

    @abstractmethod
    def identities(self) -> Array:
        """int64: those of the objects among them (`Opaque.identity`), 0 for all others. Makes no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Events(Sequence[Event]):
    """A run's events in order of `seq`. Two values are the same if their tags and words are, except SOME_OBJECT."""

    seq: Array  # int64
    before: Array  # uint32: seq - earliest; 0 if the order is exact
    thread: Array  # uint16
    site: Array  # uint32
    kind: Array  # uint8
    location: Array  # int32; -1 for none
    tag: Array  # uint8: a ValueTag
    word: Array  # int64
    frame: Array  # int32
    others: Sequence[Value]  # values that are no number of 64 bits and no singleton; each once

    @classmethod
    def of(cls, events: Iterable[Event]) -> Events:
        """Columns of a few events."""
        rows = list(events)
        others: dict[object, tuple[int, Value]] = {}
        values = [_encoded(event.value, others) for event in rows]

        def column(number: int, dtype: type) -> Array:
            return np.array([event[number] for event in rows], dtype)

        return cls(
            seq=column(0, np.int64),
            before=np.array([event.seq - event.earliest for event in rows], np.uint32),
            thread=column(2, np.uint16),
            site=column(3, np.uint32),
            kind=column(4, np.uint8),
            location=column(5, np.int32),
            tag=np.array([tag for tag, _ in values], np.uint8),
            word=np.array([word for _, word in values], np.int64),
            frame=column(7, np.int32),
            others=[value for _, value in others.values()],
        )

    def __len__(self) -> int:
        return len(self.seq)

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice | Array) -> Events: ...
    def __getitem__(self, place: int | slice | Array) -> Event | Events:
        """One event, or those of a slice, of places, or of a mask."""
        if isinstance(place, int):
            place = range(len(self))[place]
            return next(self[place : place + 1]._objects())
        return replace(self, **{name: getattr(self, name)[place] for name in COLUMNS})

    def __iter__(self) -> Iterator[Event]:
        for start in range(0, len(self), CHUNK):
            yield from self[start : start + CHUNK]._objects()

    def _objects(self) -> Iterator[Event]:
        columns = (
            self.seq.tolist(),
            np.maximum(self.seq - self.before, 0).tolist(),
            *(each.tolist() for each in (self.thread, self.site, self.kind, self.location)),
            self.values(),
            self.frame.tolist(),
        )
        return map(Event._make, zip(*columns, strict=True))

    def values(self) -> list[Value]:
        """The events' values, as Python objects."""
        if (self.tag == ValueTag.INT).all():
            return self.word.tolist()  # type: ignore[no-any-return]
        values = np.full(len(self), ABSENT, object)
        for tag in np.flatnonzero(np.bincount(self.tag)).tolist():
            where = self.tag == tag
            words = self.word[where]
            match tag:
                case ValueTag.INT:
                    values[where] = words
                case ValueTag.FLOAT:
                    values[where] = words.view(np.float64)
                case ValueTag.ABSENT if words.any():
                    raised = np.array([ABSENT, *(self.others[number - 1] for number in np.unique(words[words > 0]))])
                    values[where] = raised[np.searchsorted(np.unique(words[words > 0]), words, side="right")]
                case ValueTag.NONE:
                    values[where] = None
                case ValueTag.FALSE | ValueTag.TRUE:
                    values[where] = tag == ValueTag.TRUE
                case ValueTag.OTHER | ValueTag.OBJECT | ValueTag.SOME_OBJECT:
                    used, places = np.unique(words, return_inverse=True)
                    found = np.empty(len(used), object)
                    found[:] = [self.others[number] for number in used.tolist()]
                    values[where] = found[places]
        return values.tolist()

    def identities(self) -> Array:
        """Those of the objects among the `others`, 0 for all that is none or of which it is not known which."""
        if isinstance(self.others, DistinctValues):
            return self.others.identities()
        return np.array([each.identity or 0 if isinstance(each, Opaque) else 0 for each in self.others], np.int64)

    def failed(self) -> Array:
        """A mask of the accesses that raised."""
        failed: Array = (self.tag == ValueTag.ABSENT) & (self.word != 0)
        return failed

    def without_values(self, locations: Iterable[int]) -> Events:
        """The same events without the values of some locations, nor what was computed: it may be made of them."""
        hidden = np.isin(self.location, np.fromiter(locations, np.int32)) | (self.location < 0)
        hidden &= (self.tag != ValueTag.ABSENT) & (self.kind <= EventKind.COMPUTE)
        return replace(
            self,
            tag=np.where(hidden, np.uint8(ValueTag.ABSENT), self.tag),
            word=np.where(hidden, np.int64(0), self.word),
        )

    def places(self, seqs: Iterable[int]) -> dict[int, int]:
        """The places of those of the seqs that are there."""
        wanted = np.unique(np.fromiter(seqs, np.int64))
        place = np.searchsorted(self.seq, wanted)
        there = place < len(self)
        there[there] = self.seq[place[there]] == wanted[there]
        return dict(zip(wanted[there].tolist(), place[there].tolist(), strict=True))


def _encoded(value: Value, others: dict[object, tuple[int, Value]]) -> tuple[ValueTag, int]:
    tag, key = ValueTag.OTHER, (type(value), value)
    match value:
        case bool():
            return ValueTag.TRUE if value else ValueTag.FALSE, 0
        case int() if -(1 << 63) <= value < 1 << 63:
            return ValueTag.INT, value
        case float():
            (word,) = struct.unpack("<q", struct.pack("<d", value))
            return ValueTag.FLOAT, word
        case None:
            return ValueTag.NONE, 0
        case Absent():
            return ValueTag.ABSENT, 0
        case Raised():
            return ValueTag.ABSENT, 1 + others.setdefault(key, (len(others), value))[0]
        case Opaque(identity=None):
            tag, key = ValueTag.SOME_OBJECT, (Opaque, value.type_name)
        case Opaque():
            tag = ValueTag.OBJECT
    return tag, others.setdefault(key, (len(others), value))[0]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The steps that changed which items a container has, or that may have, in order."""

    seq: Array  # int64: the events'
    certain: Array  # bool: an item was added or removed by it


def _no_seqs() -> Array:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Resized:
    """Where the sizes of containers changed, as far as others looked at them as a whole (`ingest.resized`)."""

    # Pairs of seqs, in two rows: where a container was looked at as a whole, and where another lane put an item in or
    # took one out (except at the end of a list that is gone over, where the iteration comes yet).
    pairs: Array = field(default_factory=lambda: np.empty((2, 0), np.int64))
    own: Array = field(default_factory=_no_seqs)  # seqs of such changes, by the lanes of those looks
    looks: Array = field(default_factory=_no_seqs)  # seqs: of each change, the latest look by its lane
    containers: Array = field(default_factory=_no_seqs)  # by location: tells containers apart

    @property
    def seqs(self) -> Array:
        """All of them, in order."""
        return np.unique(np.concatenate([self.pairs.ravel(), self.own, self.looks]))


@dataclass(frozen=True, slots=True, eq=False)
class Sources(Mapping[int, int]):
    """What writes are made of, in columns beside those of `Events`; as a mapping, from seq to seq."""

    seq: Array  # the events'
    place: Array  # int32: of the event whose version flows into this write; -1 for none
    certainty: Array  # uint8: how sure that is, a place in CERTAINTIES

    @classmethod
    def none(cls, events: Events) -> Sources:
        return cls(events.seq, np.full(len(events), -1, np.int32), np.zeros(len(events), np.uint8))

    @classmethod
    def of(cls, events: Events, sources: Mapping[int, int], certainties: Mapping[int, Certainty]) -> Sources:
        """From seqs, all of them of these events; what has no certainty is proven."""
        made = cls.none(events)
        at = np.searchsorted(events.seq, np.fromiter(sources, np.int64, len(sources)))
        made.place[at] = np.searchsorted(events.seq, np.fromiter(sources.values(), np.int64, len(sources)))
        numbers = (CERTAINTIES.index(certainties.get(seq, Certainty.PROVEN)) for seq in sources)
        made.certainty[at] = np.fromiter(numbers, np.uint8, len(sources))
        return made

    def _at(self, seq: object) -> int:
        """The place of the write `seq`."""
        place = int(np.searchsorted(self.seq, seq)) if isinstance(seq, int) else len(self.seq)
        if place == len(self.seq) or self.seq[place] != seq or self.place[place] < 0:
            raise KeyError(seq)
        return place

    def __getitem__(self, seq: int) -> int:
        return int(self.seq[self.place[self._at(seq)]])

    def __iter__(self) -> Iterator[int]:
        return iter(self.seq[self.place >= 0].tolist())

    def __len__(self) -> int:
        return int((self.place >= 0).sum())

    def certainties(self) -> dict[int, Certainty]:
        """By the seqs of the writes."""
        where = self.place >= 0
        seqs, numbers = self.seq[where].tolist(), self.certainty[where].tolist()
        return {seq: CERTAINTIES[number] for seq, number in zip(seqs, numbers, strict=True)}

    def at(self, places: Array) -> tuple[dict[int, int], dict[int, Certainty]]:
        """Those of the events at some places, by seq: what they are made of, and how sure that is."""
        places = places[self.place[places] >= 0]
        seqs = self.seq[places].tolist()
        made_of = self.seq[self.place[places]].tolist()
        certainties = [CERTAINTIES[number] for number in self.certainty[places].tolist()]
        return dict(zip(seqs, made_of, strict=True)), dict(zip(seqs, certainties, strict=True))
