"""Runs a small program under the probe in a process of its own, and decodes what it recorded."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from opcodetrace.spool.layout import (
    ADDRESS_BITS,
    HEADER_SIZE,
    RECORD_KIND_MASK,
    RECORD_SIZE,
    TEXT_CHUNK,
    HeaderFlag,
    RecordFlag,
    RecordKind,
    Tag,
)
from opcodetrace.spool.window import Window

RECORD = struct.Struct("<IIIHBBQQQQ")
ADDRESS = (1 << ADDRESS_BITS) - 1

# The traced program is plain Python that stores to hooks as woven code does.
PRELUDE = """
import sys
from opcodetrace.probe import _probe
_probe.attach(sys.argv[1])
def hook(action, site=1, name=None):
    return _probe.Hook(site, getattr(_probe, action), name)
def pair(begin, end, name=None, site=1):
    return hook(begin, site, name), hook(end, site)
_probe.start()
"""


class Object(NamedTuple):
    """A value or key that is recorded by type and identity."""

    type: str
    address: int


class Event(NamedTuple):
    seq: int
    kind: RecordKind
    flags: int
    before: int
    site: int
    thread: int
    container: int
    key: object
    value: object
    frame: int

    @property
    def address(self) -> int:
        return self.container & ADDRESS


class Trace(NamedTuple):
    events: list[Event]  # all but TEXT and TYPE
    types: dict[int, str]
    flags: HeaderFlag
    missed: int
    next: int
    stop_seq: int
    ended: list[int]
    pid: int
    output: str
    errors: str
    status: int

    def of(self, *kinds: RecordKind) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]

    @property
    def accesses(self) -> list[Event]:
        return self.of(RecordKind.READ, RecordKind.WRITE, RecordKind.DELETE)

    def type_of(self, event: Event) -> str:
        """The type of an event's container."""
        return self.types[event.container >> ADDRESS_BITS]


def start(path: str, program: str, *, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Starts a program whose window lies at `path`."""
    source = os.environ.get("PROBE_PATH", str(Path(__file__).parents[2] / "src"))
    return subprocess.Popen(
        [sys.executable, *options, "-c", PRELUDE + textwrap.dedent(program), path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )


def trace(program: str, *, max_records: int | None = None, window_bytes: int = 1 << 24, fails: bool = False) -> Trace:
    """Runs a program to its end. `fails`: it may end as it likes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "window")
        with Window.create(path, max_records=max_records, window_bytes=window_bytes) as window:
            process = start(path, program)
            output, errors = process.communicate(timeout=120)
            assert fails or process.returncode == 0, errors
            return read(window, output, errors, process.returncode)


def read(window: Window, output: str = "", errors: str = "", status: int = 0) -> Trace:
    texts: dict[int, bytes] = {}
    types: dict[int, bytes] = {0: b"?"}
    events = []
    data = window.records()
    for seq, record in enumerate(RECORD.iter_unpack(data)):
        commit, before, site, thread, kind, tags, container, key, value, frame = record
        assert commit == (seq + 1) & 0xFFFFFFFF, f"a hole at {seq}"
        named = RecordKind(kind & RECORD_KIND_MASK)
        if named in (RecordKind.TEXT, RecordKind.TYPE):
            interned = texts if named is RecordKind.TEXT else types
            chunk = data[seq * RECORD_SIZE + 16 : seq * RECORD_SIZE + 16 + TEXT_CHUNK]
            assert len(interned.get(site, b"")) == tags * TEXT_CHUNK
            interned[site] = (interned.get(site, b"") + chunk)[:before]
            continue
        decoded = [decode(Tag(tag), word, texts, types) for tag, word in ((tags & 15, key), (tags >> 4, value))]
        flags = kind & ~RECORD_KIND_MASK
        events.append(Event(seq, named, flags, before, site, thread, container, decoded[0], decoded[1], frame))
    return Trace(
        events,
        {number: name.decode("utf-8", "surrogatepass") for number, name in types.items()},
        window.flags,
        window.missed,
        window.next,
        window.stop_seq,
        [thread for thread in range(100) if window.ended(thread)],
        window.pid,
        output,
        errors,
        status,
    )


def decode(tag: Tag, word: int, texts: dict[int, bytes], types: dict[int, bytes]) -> object:
    """What a key or value says; a type must have been named before."""
    match tag:
        case Tag.ABSENT | Tag.NAME | Tag.WHOLE | Tag.END:
            return tag
        case Tag.INT:
            return struct.unpack("<q", struct.pack("<Q", word))[0]
        case Tag.FLOAT:
            return struct.unpack("<d", struct.pack("<Q", word))[0]
        case Tag.NONE:
            return None
        case Tag.FALSE | Tag.TRUE:
            return tag is Tag.TRUE
        case Tag.STR:
            return texts[word].decode("utf-8", "surrogatepass")
        case Tag.BYTES:
            return texts[word]
        case Tag.OBJECT:
            return Object(types[word >> ADDRESS_BITS].decode("utf-8", "surrogatepass"), word & ADDRESS)
        case Tag.SLICE:
            return slice(*struct.unpack("<ii", struct.pack("<Q", word)))
        case Tag.TUPLE:
            return ("tuple", texts[word].decode("utf-8", "surrogatepass"))


def uncertain(event: Event) -> bool:
    return bool(event.flags & RecordFlag.UNCERTAIN)


def by_thread(events: list[Event]) -> Iterator[list[Event]]:
    for thread in sorted({event.thread for event in events}):
        yield [event for event in events if event.thread == thread]


__all__ = ["HEADER_SIZE", "Event", "Object", "Trace", "by_thread", "read", "start", "trace", "uncertain"]
