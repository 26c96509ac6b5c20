"""Opens files that only our own user can have made: what lies beside a trace file or a module may be anybody's.

The script's process opens the weave cache so: nothing is imported that the interpreter does not have loaded.
"""

from __future__ import annotations

from io import FileIO
from posix import O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, close, fstat, geteuid, open
from stat import S_ISREG

WRITABLE_BY_OTHERS = 0o022


class Foreign(OSError):
    """It is no regular file of our user."""


def open_private(path: str, flags: int = O_RDONLY, *, closed_to_others: bool = False) -> int:
    """The descriptor of a regular file of our own user, and no link; with `closed_to_others`, one that nobody else may
    write. Raises OSError, of which Foreign is one."""
    descriptor = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)  # a FIFO would be waited for
    try:
        found = fstat(descriptor)
        if not S_ISREG(found.st_mode):
            raise Foreign(None, "it is no regular file")
        if found.st_uid != geteuid():
            raise Foreign(None, "it is another user's")
        if closed_to_others and found.st_mode & WRITABLE_BY_OTHERS:
            raise Foreign(None, "others may write it")
    except BaseException:
        close(descriptor)
        raise
    return descriptor


def read_private(path: str, most: int, *, closed_to_others: bool = False) -> bytes:
    """The whole of such a file; Foreign if it has more than `most` bytes."""
    with FileIO(open_private(path, closed_to_others=closed_to_others)) as file:
        if fstat(file.fileno()).st_size > most:
            raise Foreign(None, f"it has more than {most:,} bytes")
        return file.readall()
