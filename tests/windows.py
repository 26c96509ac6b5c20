"""Spool windows: made by hand as the probe would write them, and read record by record, without NumPy."""

from __future__ import annotations

import pathlib
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from opcodetrace.spool import layout
from opcodetrace.spool.layout import (
    ADDRESS_BITS,
    RECORD_KIND_MASK,
    RECORD_SIZE,
    TEXT_CHUNK,
    HeaderFlag,
    RecordKind,
    Tag,
)
from opcodetrace.spool.window import Window
from opcodetrace.trace.event import Raised

RECORD = struct.Struct("<IIIHBBQQQQ")
ADDRESS = (1 << ADDRESS_BITS) - 1
Word = tuple[Tag, int]

ABSENT: Word = (Tag.ABSENT, 0)
NAME: Word = (Tag.NAME, 0)


def integer(value: int) -> Word:
    return (Tag.INT, value & (1 << 64) - 1)


def real(value: float) -> Word:
    return (Tag.FLOAT, struct.unpack("<Q", struct.pack("<d", value))[0])


def thing(type_id: int, address: int) -> int:
    return type_id << layout.ADDRESS_BITS | address


@dataclass
class WindowBuilder:
    """Appends records and writes the file."""

    flags: HeaderFlag = HeaderFlag.ATTACHED | HeaderFlag.BIRTHS
    missed: int = 0
    limit: int | None = None
    disk_full: bool = False
    records: list[bytes] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    texts: int = 0
    stop_seq: int | None = None

    @property
    def seq(self) -> int:
        return len(self.records)

    def add(
        self,
        kind: int,
        *,
        site: int = 0,
        thread: int = 0,
        before: int = 0,
        tags: int = 0,
        container: int = 0,
        key: int = 0,
        value: int = 0,
        frame: int = 0,
    ) -> int:
        seq = self.seq
        commit = (seq + 1) & 0xFFFFFFFF
        self.records.append(RECORD.pack(commit, before, site, thread, kind, tags, container, key, value, frame))
        return seq

    def access(
        self,
        kind: RecordKind,
        site: int,
        thread: int,
        container: int,
        key: Word,
        value: Word = ABSENT,
        *,
        frame: int = 0,
        before: int = 0,
        flags: int = 0,
    ) -> int:
        return self.add(
            kind | flags,
            site=site,
            thread=thread,
            before=before,
            tags=key[0] | value[0] << 4,
            container=container,
            key=key[1],
            value=value[1],
            frame=frame,
        )

    def read(self, site: int, thread: int, container: int, key: Word, value: Word = ABSENT, **more: int) -> int:
        return self.access(RecordKind.READ, site, thread, container, key, value, **more)

    def write(self, site: int, thread: int, container: int, key: Word, value: Word = ABSENT, **more: int) -> int:
        return self.access(RecordKind.WRITE, site, thread, container, key, value, **more)

    def hole(self) -> int:
        self.records.append(bytes(layout.RECORD_SIZE))
        return self.seq - 1

    def text(self, content: bytes, *, kind: RecordKind = RecordKind.TEXT, number: int | None = None) -> int:
        """Intern a text; gives its id."""
        if number is None:
            number = self.texts
            self.texts += 1
        size = layout.TEXT_CHUNK
        for chunk in range(max(1, -(-len(content) // size))):
            words = struct.unpack("<QQQQ", content[chunk * size : (chunk + 1) * size].ljust(size, b"\0"))
            container, key, value, frame = words
            self.add(
                kind,
                site=number,
                before=len(content),
                tags=chunk,
                container=container,
                key=key,
                value=value,
                frame=frame,
            )
        return number

    def string(self, content: str) -> Word:
        return (Tag.STR, self.text(content.encode("utf-8", "surrogatepass")))

    def type(self, number: int, name: str) -> int:
        return self.text(name.encode(), kind=RecordKind.TYPE, number=number)

    def thread(self, number: int, name: str | None, ident: int = 0, native_id: int = 0) -> int:
        tag, word = self.string(name) if name is not None else (Tag.NONE, 0)
        return self.add(RecordKind.THREAD, thread=number, container=ident, key=native_id, value=word, tags=tag << 4)

    def switch(
        self,
        from_thread: int,
        to_thread: int,
        *,
        code: int = layout.NO_SITE,
        offset: int = 0,
        flags: int = 0,
        callee: Word = ABSENT,
    ) -> int:
        return self.add(
            RecordKind.SWITCH,
            site=code,
            thread=to_thread,
            before=flags,
            tags=callee[0] << 4,
            container=from_thread,
            key=offset,
            value=callee[1],
        )

    def birth(self, address: int, thread: int = 0) -> int:
        return self.add(RecordKind.BIRTH, container=address, thread=thread)

    def save(self, path: pathlib.Path) -> pathlib.Path:
        head = bytearray(layout.HEADER_SIZE)
        flags = self.flags | (HeaderFlag.STOPPED if self.stop_seq is not None else 0)
        limit = len(self.records) + 100 if self.limit is None else self.limit
        layout.HEADER.pack_into(
            head, 0, layout.MAGIC, layout.VERSION, layout.RECORD_SIZE, 1, flags, limit, self.stop_seq or 0
        )
        struct.pack_into("<Q", head, layout.NEXT_OFFSET, len(self.records))
        struct.pack_into("<Q", head, layout.MISSED_OFFSET, self.missed)
        struct.pack_into("<Q", head, layout.DISK_FULL_OFFSET, self.disk_full)
        for thread in self.ended:
            head[layout.ENDED_OFFSET + thread] = 1
        path.write_bytes(bytes(head) + b"".join(self.records) + bytes(layout.RECORD_SIZE * 10))
        return path


# --- reading


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


def read(window: Window, output: str = "", errors: str = "", status: int = 0, *, underway: bool = False) -> Trace:
    """What was recorded; of a recording that is `underway`, up to the first record that is not whole yet."""
    texts: dict[int, bytes] = {}
    types: dict[int, bytes] = {0: b"?"}
    events = []
    data = window.records()
    for seq, record in enumerate(RECORD.iter_unpack(data)):
        commit, before, site, thread, kind, tags, container, key, value, frame = record
        if underway and commit != (seq + 1) & 0xFFFFFFFF:
            break
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
        case Tag.RAISED:
            return Raised(types[word >> ADDRESS_BITS].decode("utf-8", "surrogatepass"))
        case Tag.SLICE:
            return slice(*struct.unpack("<ii", struct.pack("<Q", word)))
        case Tag.TUPLE:
            return ("tuple", texts[word].decode("utf-8", "surrogatepass"))
