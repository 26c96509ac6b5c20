"""The standard streams of our own process: what is closed stays so, what is said on stderr fails nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from opcodetrace.errors import InternalError, OpcodetraceError
from opcodetrace.trace.printable import printable

STDIN, STDOUT, STDERR = range(3)


@contextlib.contextmanager
def kept_closed() -> Iterator[frozenset[int]]:
    """What is closed is closed for a script, too; gives which of the three are.

    A file that is opened gets the lowest free number, and SQLite, which wants none of these for its own, fills them
    with a /dev/null that children inherit. So they are taken meanwhile by one that children do not."""
    closed = [number for number in (STDIN, STDOUT, STDERR) if not _is_open(number)]
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):  # no descriptor is left: then there is none to be filled
            taken.extend(os.open(os.devnull, os.O_RDWR) for _ in closed)
        yield frozenset(closed)
    finally:
        for descriptor in taken:
            os.close(descriptor)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def say(text: str) -> None:
    """A line on stderr, if there is one that can be written."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"opcodetrace: {printable(' '.join(text.split()))}\n")
            sys.stderr.flush()


def say_failure(error: OpcodetraceError) -> None:
    """An error as a line on stderr; before it the whole of one of ours, if the environment asks for that."""
    if isinstance(error, InternalError) and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(error.traceback())
    say(str(error))
