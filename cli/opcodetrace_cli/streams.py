"""Our stdout and stderr. What cannot be said on stderr is dropped; a stdout that cannot be written ends a command."""

from __future__ import annotations

import contextlib
import io
import select
import sys
from typing import Any, TextIO

from opcodetrace.errors import OutputError
from opcodetrace.standard_streams import STDERR, STDOUT


class _Whole(io.FileIO):
    """A descriptor to which all is written at once, even if somebody made it non-blocking.

    No buffer lies before it: a signal after a write would have it written twice."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write_all(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            written = super().write(left)
            if written is None:
                select.select([], [self], [])
            else:
                left = left[written:]
        return len(data)


class _Messages(_Whole):
    """stderr: on a full disk, or a terminal that went away, nothing fails for want of words."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            self.write_all(data)
        return len(data)


class _Output(_Whole):
    """stdout: what a command is for. The first write that fails is told, those that follow are in vain."""

    _failed = False

    def write(self, data: Any) -> int:
        if self._failed:
            return len(data)
        try:
            return self.write_all(data)
        except OSError as error:
            self._failed = True
            raise OutputError(f"cannot write the output: {error.strerror}; send it elsewhere, or to a file") from error


class _Closed(io.RawIOBase):
    """A stream that is closed: nothing is written, and the first time that is told if it is to be."""

    def __init__(self, error: OutputError | None) -> None:
        self._error = error

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return len(data)


def prepare() -> None:
    """Make `sys.stdout` and `sys.stderr` such streams. Text that they cannot take is escaped, whoever wrote it."""
    if sys.stderr is None:
        sys.stderr = _text(_Closed(None), "utf-8")
    elif _is(sys.stderr, STDERR):
        sys.stderr = _text(_Messages(STDERR), sys.stderr.encoding, line_buffering=True)
    if sys.stdout is None:
        error = OutputError("cannot write the output: stdout is closed; send it to a file")
        sys.stdout = _text(_Closed(error), "utf-8")
    elif _is(sys.stdout, STDOUT):
        sys.stdout = _text(_Output(STDOUT), sys.stdout.encoding, line_buffering=sys.stdout.isatty())


def _is(stream: TextIO, descriptor: int) -> bool:
    """Whether Python made the stream at its start; a test may have put another in its place."""
    try:
        return stream in (sys.__stdout__, sys.__stderr__) and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _text(raw: io.RawIOBase, encoding: str, *, line_buffering: bool = False) -> TextIO:
    return io.TextIOWrapper(raw, encoding, "backslashreplace", "\n", line_buffering)  # type: ignore[type-var]
