"""The spool's layout: one header, then fixed-size records in the order of the run.

`probe/_probe.c` writes it, `ingest/ingest.py` reads it; this file is the readable specification of both.
A record's position in the spool is its sequence number (`seq`), in a ring (`record --last`) its seq modulo the ring's
size.

In a ring what records refer to is overwritten in time. So the probe writes it anew, as it comes to need it, in each of
`ROUNDS` rounds: a record finds the texts, types and threads that it refers to in its own round or the one before.
"""

import struct
from enum import IntEnum, IntFlag

MAGIC = 0x4543415254504F43  # b"COPTRACE", little-endian
VERSION = 1
RECORD_SIZE = 48
ENDED_OFFSET = 4096  # one byte a thread: 1 when it has ended
MAX_THREADS = 65536
HEADER_SIZE = ENDED_OFFSET + MAX_THREADS

# magic u64, version u32, record size u32, pid u32, flags u32, limit u64, stop_seq u64 at offset 0.
HEADER = struct.Struct("<QIIIIQQ")
PID_OFFSET = 16
FLAGS_OFFSET = 20
LIMIT_OFFSET = 24  # the disk has room for the records below it: the probe raises it, a piece at a time
STOP_OFFSET = 32  # the seq that did not fit, when HeaderFlag.STOPPED is set
RING_OFFSET = 40  # u64: records in the ring, a power of two; 0: the window is linear
END_OFFSET = 48  # u64: no record is written at it or above
ALLOCATED_OFFSET = 56  # u64: records that the collector made room for, where the probe cannot; it raises it
NEXT_OFFSET = 64  # u64: the next seq, the global counter of the run
MISSED_OFFSET = 128  # u64: accesses that the probe saw but could not record (see probe/_probe.c)
CHILDREN_OFFSET = 136  # u64: processes that the program started; they are not recorded
MERGED_OFFSET = 144  # u64: Merged
DISK_FULL_OFFSET = 152  # u64: not 0 if the disk had no room for more

ROUNDS = 8  # in which a ring is filled once
MIN_RING = 1 << 18
MAX_LAST = 1 << 30  # records that a ring can be asked to keep


def ring_for(last: int) -> int:
    """The size of a ring, in records, that keeps the last so many, and with them all that they refer to."""
    wanted = max(last + last // 2, MIN_RING)
    return 1 << (wanted - 1).bit_length()


# (name, NumPy format) of a record's fields; the whole is RECORD_SIZE bytes, little-endian.
RECORD_FIELDS = [
    ("commit", "<u4"),  # low 32 bits of seq + 1, written last: any other value marks a hole
    ("before", "<u4"),  # seq - earliest: 0 if the order is exact, else the access lies in [seq - before, seq]
    ("site", "<u4"),
    ("thread", "<u2"),
    ("kind", "u1"),  # a RecordKind, or'ed with RecordFlag
    ("tags", "u1"),  # key's Tag in the low four bits, value's Tag in the high four
    ("container", "<u8"),  # type id << 48 | address
    ("key", "<u8"),
    ("value", "<u8"),
    ("frame", "<u8"),  # the address of the interpreter's frame: one activation while it lives
]
NO_SITE = 0xFFFFFFFF
ADDRESS_BITS = 48
TEXT_CHUNK = 32  # bytes of text in one TEXT or TYPE record: its container .. frame fields
MAX_TEXT = 128  # longer strings are recorded by type and identity


class HeaderFlag(IntFlag):
    ATTACHED = 1  # the probe has mapped the spool and started
    STOPPED = 2  # a record did not fit: recording ended at stop_seq
    BIRTHS = 4  # births of objects are seen, so identities are certain
    FREE_THREADED = 8  # no GIL: there are no switches, every access is an interval
    NO_VALUES = 16  # the collector asks for it: no value of the program is written


class Merged(IntFlag):
    """What took turns within a thread while recording was on, and is taken for one lane."""

    GREENLETS = 1  # a thread's stack of frames was exchanged for another
    COROUTINES = 2  # of no task that is known: one went on after another one had


class RecordKind(IntEnum):
    """What a record says (low five bits of `kind`)."""

    READ = 1
    WRITE = 2
    DELETE = 3
    COMPUTE = 4  # value: the result of arithmetic on the path from a shared read to a shared write
    # A new activation of the function begins at `frame`, before its first record (value TRUE, with --calls: when it is
    # called). container = the newest woven frame below it or 0; key (INT): where that one stands, as the byte offset of
    # the instruction (woven code), and above 32 bits as the site of the call or NO_SITE.
    ENTER = 5
    DEFINE = 6  # a marker: the variable (Site.phi) was assigned here, by this activation
    PASS = 7  # another thread than the last one passed a hook that records nothing
    TEXT = 8  # site: text id; before: its length in bytes; tags: chunk number; 32 bytes of UTF-8 or bytes
    TYPE = 9  # the same for a type's name ("module.qualname"); site: type id
    THREAD = 10  # thread's first record, anew if it is renamed, and in a ring once a round:
    # container = ident, key = native id, value = its name (TEXT) or NONE
    SWITCH = 11  # the GIL went from thread `container` to `thread`; see SwitchFlag
    BIRTH = 12  # an object came to life at address `container`, at which one was known before
    SYNC = 13  # a thread synchronises, by an operation (key, a TEXT) of an object (container, 0: none); see SyncFlag
    # an asyncio task's first record, anew if it is renamed: container = its thread, value = its name (TEXT)
    LANE = 15
    # What can be told of the object `container` besides its type (value, a TEXT). key TRUE: it may be otherwise later.
    DESCRIBE = 16
    # The exception of an access ends its thread: container = seq of the READ that failed. Or one that says that None
    # has no such attribute: container = 0; key (INT): where it was asked for, and above 32 bits the code's id
    UNCAUGHT = 17
    ALIAS = 14  # value is the dictionary of the object `container`: its items are the object's attributes


class RecordFlag(IntFlag):
    ATTRIBUTE = 0x20  # the key is the name of an attribute of the container, given as a string
    MODULE = 0x40  # the container is a module's globals: the location is the global of the attribute's name
    UNCERTAIN = 0x80  # the key's equality is the program's own: identity may not tell locations apart
    RESIZES = ATTRIBUTE | MODULE  # of a WRITE: it put an item into the container that was not there, or took one out


RECORD_KIND_MASK = 0x1F


class Tag(IntEnum):
    """How to read a key or a value."""

    ABSENT = 0  # nothing is known or there is nothing
    INT = 1  # a signed 64-bit integer
    FLOAT = 2  # the bits of a double
    NONE = 3
    FALSE = 4
    TRUE = 5
    STR = 6  # a text id
    BYTES = 7  # a text id
    OBJECT = 8  # type id << 48 | address
    NAME = 9  # keys only: the site's own name (attributes, globals, cells)
    SLICE = 10  # keys only: two signed 32-bit bounds, start in the low half
    TUPLE = 11  # keys only: a text id, the tuple's canonical text
    WHOLE = 12  # keys only: the container as a whole; a write may move its items
    END = 13  # keys only: the same location, but a write adds after the last item
    RAISED = 14  # values only, of a READ: it found nothing and raised; the exception's type id << 48


class SwitchFlag(IntFlag):
    """In `before` of a SWITCH record. site: code id of the outgoing thread's newest woven frame or NO_SITE;
    key: byte offset of the instruction it stands at (woven code); value: the C function that it is in (STR) or ABSENT.
    With AWAITS: the innermost woven coroutine that is suspended, and value (STR) has those that await it, the innermost
    first: code id:offset,code id:offset
    """

    GONE = 1  # the outgoing thread had ended
    # The woven frame is the outgoing thread's newest frame of all and it stands at that very instruction: if that is a
    # call, either inside the C function named by value, or after the call. Left out if it is not certain which.
    TOP = 2
    IN_CALL = 4  # it is inside the C function named by value; without TOP, called by code that it called
    YIELD = 8  # ... which is sleep with an argument of 0
    AWAITS = 16  # the outgoing lane is a task that awaits


class SyncFlag(IntFlag):
    """In `frame` of a SYNC record. site: the woven call that led there, or NO_SITE; value: how long it took in
    nanoseconds, for `start` the ident of the new thread; before: as of an access, of an operation that waits."""

    BEGINS = 1  # the thread is about to wait; without it: the operation is done
    DIRECT = 4  # the woven call at `site` is the one of this very operation
    TRIES = 8  # it does not wait, whatever comes: acquire(blocking=False), get_nowait()
    BOUNDED = 16  # it gives up after a time: acquire(timeout=1), join(1)
    FAILED = 2  # it raised, or returned False (a lock that was not free, a wait that timed out)
    JOINED_AT_EXIT = 32  # start: the thread is no daemon; before 3.13 it is not known
