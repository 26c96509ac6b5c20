"""The errors of opcodetrace: one base, few leaves, each with the exit code that the command line gives."""

from __future__ import annotations

import os
from typing import Self

SHOW_TRACEBACK = "OPCODETRACE_TRACEBACK"  # the environment variable


def place_of(error: BaseException) -> str:
    """Where an exception was raised: the file's name and the line; nothing if it was not."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}"


class OpcodetraceError(Exception):
    """Something that the user can put right; its text is one line that names the value and the next step."""

    exit_code = 70


class InternalError(OpcodetraceError):
    """A fault of ours, not of the user: its text names the place that a report of it needs."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What is said of any other exception that came up to the command line."""
        place = place_of(error)
        what = f"internal error{place and f' at {place}'}: {type(error).__name__}: {error}"
        made = cls(f"{what}; please report it, with what {SHOW_TRACEBACK}=1 adds")
        made.__cause__ = error
        return made

    def traceback(self) -> str:
        """The whole of it, if the environment asks for that; else nothing."""
        import traceback

        if not os.environ.get(SHOW_TRACEBACK) or self.__cause__ is None:
            return ""
        return "".join(traceback.format_exception(self.__cause__))


class UsageError(OpcodetraceError):
    """The command line, a configuration file or a query asks for what cannot be."""

    exit_code = 2


class ScriptError(OpcodetraceError):
    """The script to record cannot be started: it is missing, a folder, or cannot be read."""

    exit_code = 2


class UnsupportedInterpreter(OpcodetraceError):
    """This Python's bytecode is none that is known: nothing can be recorded with it."""

    exit_code = 2


class AlreadyRecording(OpcodetraceError):
    """This process is being recorded already: one recording at a time, by one thread, in a process."""

    exit_code = 2


class FindingsError(OpcodetraceError, AssertionError):
    """A recording that was asked to check has found that something went wrong."""

    exit_code = 1


class DatabaseError(OpcodetraceError):
    """The trace file cannot be used: not SQLite, damaged, of a newer schema, read-only, locked, on a full disk, or
    its folder is missing."""

    exit_code = 74


class NotATraceFile(DatabaseError):
    """What was named cannot hold runs, now or later: a folder, no SQLite, another program's or a newer opcodetrace's
    file, one with a schema that is not ours, or one in a folder that is not there. A recording that can only not use
    its trace file runs the script."""


class RunNotFound(OpcodetraceError):
    """The trace file holds no such run."""

    exit_code = 2


class NotRecorded(OpcodetraceError):
    """A script that ran as if we were not there; how it ended is its own affair."""

    exit_code = 0


class SpoolError(OpcodetraceError):
    """A spool cannot be made or read (a full disk, a damaged file)."""

    exit_code = 74


class OutputError(OpcodetraceError):
    """What a command gives cannot be written: its stdout is closed, its reader gone, or the disk full."""

    exit_code = 74
