"""The rows of the table `events`, piece by piece, out of a trace's columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.store import _btree
from opcodetrace.store.bulk_load import Piece
from opcodetrace.store.stored_value import to_sql
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import CERTAINTIES, Events, Sources, ValueTag

Array = npt.NDArray[Any]

ROWS = 1 << 15  # in a piece: its columns stay in the processor's cache


def pieces(
    run: int, trace_events: Events, sources: Sources, sites: Mapping[int, int], locations: Mapping[int, int]
) -> Iterator[Piece]:
    """The rows of a run, in the order of the table's columns; `sites` and `locations` are the trace's numbers to those
    of the tables."""
    site_rows, location_rows = table_of(sites), table_of(locations)
    for start in range(0, len(trace_events), ROWS):
        stop = min(start + ROWS, len(trace_events))
        events, place, certainty = trace_events[start:stop], sources.place[start:stop], sources.certainty[start:stop]
        stored = events.kind <= EventKind.COMPUTE
        if not stored.all():
            events, place, certainty = events[stored], place[stored], certainty[stored]
        texts = Texts()
        # the first texts of the piece, so that their places fit
        named = np.array([texts.place(each.value.encode()) for each in CERTAINTIES], np.uint8)
        has_source = place >= 0
        values, types = _values(events, texts)
        columns = (
            run,
            events.seq,
            (np.maximum(events.seq - events.before, 0), (events.before > 0).view(np.uint8)),
            events.thread,
            site_rows[events.site],
            events.kind,
            (location_rows[np.maximum(events.location, 0)], (events.location >= 0).view(np.uint8)),
            values,
            types,
            events.frame,
            (sources.seq[place], has_source.view(np.uint8)),
            (named[certainty], has_source * np.uint8(_btree.TEXT)),
        )
        yield Piece(len(events), columns, tuple(texts.texts))


def stored_by_site(trace_events: Events) -> Counter[int]:
    """How many rows each site makes."""
    made: Counter[int] = Counter()
    for start in range(0, len(trace_events), ROWS):
        events = trace_events[start : start + ROWS]
        counts = np.bincount(events.site[events.kind <= EventKind.COMPUTE])
        made.update({site: int(counts[site]) for site in np.flatnonzero(counts).tolist()})
    return made


def stored_before(events: Events, places: Mapping[int, int]) -> dict[int, int]:
    """For events at some places, by their seqs: how many rows come before theirs."""
    left_out = np.flatnonzero(events.kind > EventKind.COMPUTE)
    at = np.fromiter(places.values(), np.int64, len(places))
    return dict(zip(places, (at - np.searchsorted(left_out, at)).tolist(), strict=True))


class Texts:
    """The texts that a piece refers to, each once."""

    def __init__(self) -> None:
        self.texts: dict[bytes, int] = {}

    def place(self, text: bytes) -> int:
        return self.texts.setdefault(text, len(self.texts))


def table_of(numbers: Mapping[int, int]) -> Array:
    """Numbers by numbers from 0 on; 0 for those that are left out."""
    table = np.zeros(max(numbers, default=0) + 1, np.int64)
    table[np.fromiter(numbers, np.int64, len(numbers))] = np.fromiter(numbers.values(), np.int64, len(numbers))
    return table


def _values(events: Events, texts: Texts) -> tuple[Any, Any]:
    """The columns `value` and `value_type` (stored_value.py)."""
    tags = np.bincount(events.tag, minlength=len(ValueTag))
    if tags[ValueTag.INT] == len(events):
        return events.word, None
    words = events.word.copy()
    types = np.zeros(len(events), np.int64)
    how, how_typed = np.zeros(len(events), np.uint8), np.zeros(len(events), np.uint8)
    for tag in np.flatnonzero(tags).tolist():
        where = events.tag == tag
        match tag:
            case ValueTag.INT:
                how[where] = _btree.INTEGER
            case ValueTag.FLOAT:
                numbers = words[where].view(np.float64)
                how[where] = _btree.REAL
                where[where] = np.isnan(numbers)
                _spell(where, float("nan"), words, types, how, how_typed, texts)
            case ValueTag.NONE:
                _spell(where, None, words, types, how, how_typed, texts)
            case ValueTag.FALSE | ValueTag.TRUE:
                _spell(where, tag == ValueTag.TRUE, words, types, how, how_typed, texts)
            case ValueTag.OTHER | ValueTag.OBJECT | ValueTag.SOME_OBJECT | ValueTag.ABSENT:
                if tag == ValueTag.ABSENT:  # of those with a word it is known what they raised
                    where &= words != 0
                    words[where] -= 1
                used, places = np.unique(words[where], return_inverse=True)
                cells = [to_sql(events.others[number]) for number in used.tolist()]
                words[where] = np.array([_word(value, texts) for value, _ in cells], np.int64)[places]
                how[where] = np.array([_how(value) for value, _ in cells], np.uint8)[places]
                named = [name is not None for _, name in cells]
                types[where] = np.array([texts.place((name or "").encode()) for _, name in cells], np.int64)[places]
                how_typed[where] = np.array(named, np.uint8)[places] * np.uint8(_btree.TEXT)
    return (words, how), (types, how_typed)


def _spell(where: Array, value: Any, words: Array, types: Array, how: Array, how_typed: Array, texts: Texts) -> None:
    """Write a value that has a readable text."""
    text, name = to_sql(value)
    words[where], types[where] = texts.place(str(text).encode()), texts.place(str(name).encode())
    how[where] = how_typed[where] = _btree.TEXT


def _how(value: object) -> int:
    return _btree.INTEGER if isinstance(value, int) else _btree.BLOB if isinstance(value, bytes) else _btree.TEXT


def _word(value: object, texts: Texts) -> int:
    if isinstance(value, int):
        return value
    return texts.place(value if isinstance(value, bytes) else str(value).encode())
