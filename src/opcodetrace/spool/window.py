"""The window file as the collector sees it: made, brought into memory ahead of the probe, read at the end.

Record `seq` lies at `HEADER_SIZE + seq * RECORD_SIZE`, in a ring at its seq modulo the ring's size; layout in
`opcodetrace.spool.layout`.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import sys
from types import TracebackType
from typing import Self

from opcodetrace.errors import SpoolError
from opcodetrace.spool.layout import (
    ALLOCATED_OFFSET,
    DISK_FULL_OFFSET,
    END_OFFSET,
    ENDED_OFFSET,
    FLAGS_OFFSET,
    HEADER,
    HEADER_SIZE,
    LIMIT_OFFSET,
    MAGIC,
    MISSED_OFFSET,
    NEXT_OFFSET,
    PID_OFFSET,
    RECORD_SIZE,
    RING_OFFSET,
    STOP_OFFSET,
    VERSION,
    HeaderFlag,
    ring_for,
)
from opcodetrace.spool.private_file import open_private

MIB = 1 << 20
WINDOW_BYTES = 1 << 30  # of records, by default
ENDLESS = 1 << 62  # the end of a ring
WARM = 16 * MIB  # kept in memory ahead of the probe, once it writes much
STEP = 4 * MIB  # allocated at a time, where the probe cannot do it
AHEAD = 256 * MIB  # kept allocated ahead of it there
_MADV_POPULATE_WRITE = 23  # Linux 5.14; the mmap module has no name for it yet

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Window:
    """One window file, mapped.

    The file has its full size from the start but no blocks: writing to a page that the disk has no room for would kill
    the script by SIGBUS. So the probe makes room before it writes, and needs nobody for it; to do it ahead of the probe
    only spares it the time. Where the system cannot populate pages, the probe writes as far as we have allocated.
    """

    def __init__(self, path: str, descriptor: int, max_records: int) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.max_records = max_records
        self.ring = 0  # its size, if it is one
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, 0)
        self._size = len(self._map)
        self._allocated = HEADER_SIZE
        self._warm = 0
        self._populates = _populate(self._map, 0, mmap.PAGESIZE)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        max_records: int | None = None,
        window_bytes: int = WINDOW_BYTES,
        last: int | None = None,
        values: bool = True,
    ) -> Self:
        """Makes the file with room for `window_bytes` of records, of which at most `max_records` are used; or a ring
        that keeps at least the `last` so many, whatever that takes. Without `values` the probe writes none."""
        name = os.fspath(path)
        room = window_bytes // RECORD_SIZE if last is None else ring_for(last)
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # whatever the umask: the script's process opens it, too
            _allocate(descriptor, 0, HEADER_SIZE)
            os.ftruncate(descriptor, HEADER_SIZE + room * RECORD_SIZE)
            window = cls(name, descriptor, room if max_records is None else min(room, max_records))
        except BaseException:
            os.close(descriptor)
            os.unlink(name)
            raise
        flags = HeaderFlag(0) if values else HeaderFlag.NO_VALUES
        HEADER.pack_into(window._map, 0, MAGIC, VERSION, RECORD_SIZE, 0, flags, 0, 0)
        _U64.pack_into(window._map, END_OFFSET, window.max_records if last is None else ENDLESS)
        if last is not None:
            window.ring = room
            _U64.pack_into(window._map, RING_OFFSET, room)
        window.go_ahead()
        return window

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Opens a window that was left behind."""
        name = os.fspath(path)
        descriptor = open_private(name, os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            header = os.pread(descriptor, HEADER.size, 0)
            if size < HEADER_SIZE or HEADER.unpack(header)[:3] != (MAGIC, VERSION, RECORD_SIZE):
                raise SpoolError(f"{name} is not a window of this version")
            window = cls(name, descriptor, (size - HEADER_SIZE) // RECORD_SIZE)
        except BaseException:
            os.close(descriptor)
            raise
        window.ring = _unsigned(_U64, window._map, RING_OFFSET)
        return window

    def close(self) -> None:
        """Unmaps the window; the file stays."""
        if not self._map.closed:
            self._map.close()
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def go_ahead(self) -> None:
        """Spares the probe time: the pages that it comes to next are brought into memory. For it, a page that the
        kernel must make and clear first costs several times as much as all the records in it. Nothing is written: this
        cannot disturb the probe."""
        written = HEADER_SIZE + self.next * RECORD_SIZE
        if not self._populates:
            self._allocate_to(written + AHEAD)
            return
        goal = min(written + min(WARM, MIB + 4 * written), self._end) & -mmap.PAGESIZE
        start = max(self._warm, written & -mmap.PAGESIZE)
        if goal - start >= MIB // 2:
            _populate(self._map, start, goal - start)  # if the disk is full, the probe will find out
            self._map.madvise(mmap.MADV_DONTNEED, start, goal - start)  # they stay in memory, but do not count as ours
            self._warm = goal

    def allocate_all(self) -> None:
        """For a probe that nobody goes ahead of."""
        if not self._populates:
            self._allocate_to(self._end)

    @property
    def _end(self) -> int:
        """Of what the probe may write, in bytes."""
        return min(HEADER_SIZE + self.max_records * RECORD_SIZE, self._size)

    def _allocate_to(self, goal: int) -> None:
        goal = min(goal, self._end)
        while self._allocated < goal and not self.disk_full:
            step = min(STEP, self._size - self._allocated)
            try:
                _allocate(self._descriptor, self._allocated, step)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                _U64.pack_into(self._map, DISK_FULL_OFFSET, 1)
                break
            self._allocated += step
            allocated = min((self._allocated - HEADER_SIZE) // RECORD_SIZE, self.max_records)
            if self.ring and self._allocated == self._size:
                allocated = ENDLESS
            _U64.pack_into(self._map, ALLOCATED_OFFSET, allocated)

    @property
    def pid(self) -> int:
        """The process that attached its probe, or 0."""
        return _unsigned(_U32, self._map, PID_OFFSET)

    @property
    def flags(self) -> HeaderFlag:
        return HeaderFlag(_unsigned(_U32, self._map, FLAGS_OFFSET))

    @property
    def next(self) -> int:
        """How many records were begun: the seq of the next one. Without the GIL it runs on past `stop_seq`."""
        return _unsigned(_U64, self._map, NEXT_OFFSET)

    @property
    def limit(self) -> int:
        """The probe has made room for the records below it."""
        return _unsigned(_U64, self._map, LIMIT_OFFSET)

    @property
    def disk_full(self) -> bool:
        """Was there no room for more?"""
        return _unsigned(_U64, self._map, DISK_FULL_OFFSET) != 0

    @property
    def stop_seq(self) -> int:
        """The first seq that did not fit, if `flags` has STOPPED."""
        return _unsigned(_U64, self._map, STOP_OFFSET)

    @property
    def missed(self) -> int:
        """Accesses that the probe saw but could not record."""
        return _unsigned(_U64, self._map, MISSED_OFFSET)

    @property
    def written(self) -> int:
        """How many records there are to read (a hole may be among them, see `spool.records`)."""
        begun = min(self.next, self.limit)
        return min(begun, self.stop_seq) if HeaderFlag.STOPPED in self.flags else begun

    def records(self) -> bytes:
        """A copy of all that was written and is there. (For tests and tools: `store.ingest` maps the file instead.)"""
        written = self.written
        if not self.ring or written <= self.ring:
            return self._map[HEADER_SIZE : HEADER_SIZE + written * RECORD_SIZE]
        oldest = HEADER_SIZE + written % self.ring * RECORD_SIZE
        return self._map[oldest:] + self._map[HEADER_SIZE:oldest]

    def ended(self, thread: int) -> bool:
        """Has this thread ended?"""
        return self._map[ENDED_OFFSET + thread] != 0


def _unsigned(field: struct.Struct, data: mmap.mmap, offset: int) -> int:
    value: int = field.unpack_from(data, offset)[0]
    return value


def _populate(data: mmap.mmap, offset: int, size: int) -> bool:
    """Pages, and blocks of the disk for them. False if the system does not do that, or has no room."""
    if sys.platform != "linux":
        return False
    try:
        data.madvise(_MADV_POPULATE_WRITE, offset, size)
    except OSError:
        return False
    return True


def _allocate(descriptor: int, offset: int, size: int) -> None:
    """Blocks for a part of a file, so that a write to its pages cannot fail."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, offset, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV):
                raise
    zeros = bytes(min(size, MIB))
    end = offset + size
    while offset < end:
        offset += os.pwrite(descriptor, zeros[: end - offset], offset)
