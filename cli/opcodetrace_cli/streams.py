"""Our stdout and stderr. What cannot be said on stderr is dropped; a stdout that cannot be written ends a command."""

from __future__ import annotations

import io
import select
import sys
from typing import TextIO

from opcodetrace.errors import InternalError, OpcodetraceError, OutputError
from opcodetrace.standard_streams import STDERR, STDOUT
from opcodetrace.trace.printable import printable


class _Waiting(io.FileIO):
    """A descriptor that is written to its end, even if somebody made it non-blocking."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write_some(self, data: memoryview) -> int:
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _Messages(_Waiting):
    """stderr: on a full disk, or a terminal that went away, nothing fails for want of words."""

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # the stubs' buffers are wider than memoryview's
        try:
            return self.write_some(view)
        except OSError:
            return view.nbytes


class _Output(_Waiting):
    """stdout: what a command is for. The first write that fails is told, those that follow are in vain."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._failed = False

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if self._failed:
            return view.nbytes
        try:
            return self.write_some(view)
        except OSError as error:
            self._failed = True
            raise OutputError(f"cannot write the output: {error.strerror}; send it elsewhere, or to a file") from error


class _Closed(io.RawIOBase):
    """A stream that is closed: nothing is written, and the first time that is told if it is to be."""

    def __init__(self, error: OutputError | None) -> None:
        self._error = error

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return memoryview(data).nbytes  # type: ignore[arg-type]


def prepare() -> None:
    """Make `sys.stdout` and `sys.stderr` such streams. Text that they cannot take is escaped, whoever wrote it."""
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(_Closed(None)), "utf-8", "backslashreplace")
    elif _is(sys.stderr, STDERR):
        sys.stderr = _text(_Messages(STDERR), sys.stderr)
    if sys.stdout is None:
        error = OutputError("cannot write the output: stdout is closed; send it to a file")
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed(error)), "utf-8", "backslashreplace")
    elif _is(sys.stdout, STDOUT):
        sys.stdout = _text(_Output(STDOUT), sys.stdout)


def _is(stream: TextIO, descriptor: int) -> bool:
    """Whether Python made the stream at its start; a test may have put another in its place."""
    try:
        return stream in (sys.__stdout__, sys.__stderr__) and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _text(raw: io.RawIOBase, before: TextIO) -> TextIO:
    before.flush()
    line_buffering = getattr(before, "line_buffering", False) or before is sys.__stderr__
    return io.TextIOWrapper(
        io.BufferedWriter(raw), before.encoding, "backslashreplace", "\n", line_buffering=line_buffering
    )


def say(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"opcodetrace: {printable(' '.join(text.split()))}\n")
    sys.stderr.flush()


def say_failure(error: OpcodetraceError) -> None:
    """An error as a line on stderr; before it the whole of one of ours, if the environment asks for that."""
    if isinstance(error, InternalError):
        sys.stderr.write(error.traceback())
    say(str(error))
