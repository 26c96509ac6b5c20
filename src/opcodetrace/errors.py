"""The errors of opcodetrace: one base, few leaves, each with the exit code that the command line gives."""


class OpcodetraceError(Exception):
    """Something that the user can mend; its text is one line that names the value and the next step."""

    exit_code = 70


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


class UpdatesLost(OpcodetraceError, AssertionError):
    """A recording that was asked to check has seen updates being lost."""

    exit_code = 1


class DatabaseError(OpcodetraceError):
    """The trace file cannot be used: not SQLite, of a newer schema, read-only, locked, or its folder is missing."""

    exit_code = 74


class RunNotFound(OpcodetraceError):
    """The trace file holds no such run."""

    exit_code = 2


class SpoolError(OpcodetraceError):
    """A spool cannot be made or read (a full disk, a damaged file)."""

    exit_code = 74
