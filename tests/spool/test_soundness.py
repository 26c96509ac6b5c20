"""Records that the probe does not write keep a spool out of the trace file, whoever wrote them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from opcodetrace.errors import SpoolError
from opcodetrace.spool import soundness
from opcodetrace.spool.layout import (
    CHILDREN_OFFSET,
    MAX_TEXT,
    MAX_THREADS,
    MISSED_OFFSET,
    RING_OFFSET,
    RecordKind,
    Tag,
)
from opcodetrace.spool.records import SpooledRecords
from tests.windows import NAME, WindowBuilder, integer


@pytest.fixture
def window() -> WindowBuilder:
    """What is sound: a thread, its name, an access."""
    made = WindowBuilder()
    made.thread(0, "MainThread")
    made.write(1, 0, 4096, NAME, integer(7))
    return made


def check(window: WindowBuilder, path: Path, header: dict[int, int] | None = None) -> None:
    window.save(path)
    with path.open("r+b") as file:
        for offset, number in (header or {}).items():
            file.seek(offset)
            file.write(struct.pack("<Q", number))
    soundness.check(SpooledRecords.open(path), path, None)


def test_what_the_probe_writes_is_sound(window: WindowBuilder, tmp_path: Path) -> None:
    window.hole()
    check(window, tmp_path / "window")


STRANGE: dict[str, dict[str, int]] = {
    "no kind that there is": {"kind": 31},
    "no key that there is": {"kind": RecordKind.READ, "tags": 15},
    "no value that there is": {"kind": RecordKind.READ, "tags": 15 << 4},
    "a value that is a name": {"kind": RecordKind.WRITE, "tags": Tag.NAME << 4},
    "a beginning before the run": {"kind": RecordKind.WRITE, "before": 1000},
    "a switch from no thread": {"kind": RecordKind.SWITCH, "container": MAX_THREADS},
    "a switch of no sort": {"kind": RecordKind.SWITCH, "before": 1 << 20},
    "a task of no thread": {"kind": RecordKind.LANE, "container": 1 << 47},
    "a thread whose name is a number": {"kind": RecordKind.THREAD, "tags": Tag.INT << 4},
    "a text that is too long": {"kind": RecordKind.TEXT, "before": MAX_TEXT + 1},
    "a piece that the text does not have": {"kind": RecordKind.TYPE, "before": 3, "tags": 1},
    "a failure that had not been yet": {"kind": RecordKind.UNCAUGHT, "container": 1 << 40},
    "an operation of no sort": {"kind": RecordKind.SYNC, "frame": 1 << 40},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_what_it_does_not_write_is_named(fields: dict[str, int], window: WindowBuilder, tmp_path: Path) -> None:
    seq = window.add(**fields)
    with pytest.raises(SpoolError, match=f"window is damaged: record {seq} is none that was recorded"):
        check(window, tmp_path / "window")


def test_a_text_of_a_far_number_takes_no_memory(window: WindowBuilder, tmp_path: Path) -> None:
    window.text(b"far", number=0x7FFF_FFFE)
    with pytest.raises(SpoolError, match="its texts have numbers"):
        check(window, tmp_path / "window")


@pytest.mark.parametrize("end", [1 << 31, 1 << 32])
def test_texts_whose_numbers_begin_anew(end: int, tmp_path: Path) -> None:
    window = WindowBuilder()
    for number in range(end - 2, end + 3):
        window.text(b"near", number=number % (1 << 32))
    check(window, tmp_path / "window")


@pytest.mark.parametrize("offset", [MISSED_OFFSET, CHILDREN_OFFSET])
def test_counts_that_no_run_has(offset: int, window: WindowBuilder, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="its header has numbers"):
        check(window, tmp_path / "window", {offset: (1 << 64) - 1})


def test_a_ring_that_was_not_asked_for(window: WindowBuilder, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="it has not the size"):
        check(window, tmp_path / "window", {RING_OFFSET: 1})
