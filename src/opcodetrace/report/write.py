"""Writes a report to a stream, or to a file that appears only once it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from opcodetrace.errors import OutputError, UsageError
from opcodetrace.report import Reporter
from opcodetrace.trace.report_model import RunReport

# what says that the path cannot be meant, however much room there is
MISNAMED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM)


def write_report(report: RunReport, reporter: Reporter, target: Path | TextIO) -> None:
    """Write to a stream, or to a file that appears only when it is whole."""
    if not isinstance(target, Path):
        reporter.write(report, target)
        return
    try:
        write_whole(target, lambda stream: reporter.write(report, stream))
    except OSError as error:
        kind = UsageError if error.errno in MISNAMED else OutputError
        raise kind(
            f"cannot write the report to {target}: {error.strerror or error}; give another path with -o"
        ) from error


def write_whole(path: Path, write: Callable[[TextIO], object]) -> None:
    """Write beside the file and rename, so that no half-written one is ever left. Raises OSError."""
    if path.exists() and not path.is_file():  # a pipe or a device: nothing to rename
        with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            write(stream)
        return
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            write(stream)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
