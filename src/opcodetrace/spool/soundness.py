"""Whether the records of a window are such as the probe writes. `recover` asks: between a recording and it, the disk or
anybody may have changed them, and what is stored is to be readable."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.errors import SpoolError
from opcodetrace.spool import layout
from opcodetrace.spool.layout import HeaderFlag, RecordKind, SwitchFlag, SyncFlag, Tag
from opcodetrace.spool.records import OF_TEXTS, Records, SpooledRecords

Array = npt.NDArray[Any]

KEY_TAGS = {tag for tag in Tag if tag is not Tag.RAISED}
VALUE_TAGS = set(Tag) - {Tag.NAME, Tag.SLICE, Tag.WHOLE, Tag.END}
ACCESSES = (RecordKind.READ, RecordKind.WRITE, RecordKind.DELETE)
NAMED = {RecordKind.THREAD: {Tag.STR, Tag.NONE, Tag.ABSENT}, RecordKind.LANE: {Tag.STR, Tag.NONE, Tag.ABSENT}}
MOST = 1 << 48  # records, accesses or processes that a run can have
APART = 1 << 16  # ids of texts that are given though their records are not there: a killed thread has not written them


def check(window: SpooledRecords, path: pathlib.Path, last: int | None) -> None:
    """SpoolError that names the first record which the probe does not write, or what is wrong with the header.

    `last`: how many records it was made to keep, if it is a ring."""
    if window.ring != (0 if last is None else layout.ring_for(last)):
        raise SpoolError(f"{path} is damaged: it has not the size of what it was to keep")
    if window.missed > MOST or window.children > MOST or (window.flags & HeaderFlag.STOPPED and window.stop_seq > MOST):
        raise SpoolError(f"{path} is damaged: its header has numbers that no recording gives")
    texts = 0
    spans = [(1 << 33, 0), (1 << 33, 0)]  # of the texts' numbers, and of the same if they began anew after 32 bits
    for start, chunk in window.chunks(window.oldest, window.stop):
        seqs = np.arange(start, start + len(chunk))
        finished = chunk["commit"] == (seqs + 1).astype(np.uint32)
        strange = finished & _strange(chunk, seqs)
        if strange.any():
            raise SpoolError(f"{path} is damaged: record {start + int(strange.argmax()):,} is none that was recorded")
        ids = chunk["site"][finished & (_kinds(chunk) == RecordKind.TEXT)].astype(np.int64)
        if len(ids):
            texts += len(ids)
            numbered = (ids, np.where(ids < 1 << 31, ids + (1 << 32), ids))
            spans = [
                (min(low, int(each.min())), max(high, int(each.max())))
                for (low, high), each in zip(spans, numbered, strict=True)
            ]
    if texts and min(high - low for low, high in spans) > 2 * texts + APART:
        raise SpoolError(f"{path} is damaged: its texts have numbers that no recording gives")


def _kinds(records: Records) -> Array:
    kinds: Array = records["kind"] & np.uint8(layout.RECORD_KIND_MASK)
    return kinds


def _strange(records: Records, seqs: Array) -> Array:
    """Which of them are of no kind that there is, or have fields that those of their kind do not have."""
    kinds = _kinds(records)
    strange: Array = ~np.isin(kinds, list(RecordKind))
    key_tags, value_tags = records["tags"] & 15, records["tags"] >> 4
    of_text = np.isin(kinds, OF_TEXTS)
    strange |= ~of_text & ~(np.isin(key_tags, list(KEY_TAGS)) & np.isin(value_tags, list(VALUE_TAGS)))
    pieces = -(-records["before"].astype(np.int64) // layout.TEXT_CHUNK)
    strange |= of_text & (
        (records["before"] > layout.MAX_TEXT) | (records["tags"].astype(np.int64) >= np.maximum(pieces, 1))
    )
    timed = np.isin(kinds, [*ACCESSES, RecordKind.SYNC])
    strange |= timed & (records["before"].astype(np.int64) > seqs)
    is_switch, is_lane = kinds == RecordKind.SWITCH, kinds == RecordKind.LANE
    strange |= (is_switch | is_lane) & (records["container"] >= layout.MAX_THREADS)
    strange |= is_switch & (records["before"] >= 2 * max(SwitchFlag))
    strange |= (kinds == RecordKind.UNCAUGHT) & (records["container"] >= seqs.astype(np.uint64))
    strange |= (kinds == RecordKind.SYNC) & (records["frame"] >= 2 * max(SyncFlag))
    for kind, tags in NAMED.items():
        strange |= (kinds == kind) & ~np.isin(value_tags, list(tags))
    return strange
