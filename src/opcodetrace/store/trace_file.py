"""What can be said of a trace file by SQLite alone.

A recording looks at its trace file before the script starts; sqlite-utils takes ten times as long to import as this.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Iterator

from opcodetrace.errors import DatabaseError

MIGRATIONS = "opcodetrace"  # the name of our set of migrations
# By SQLite's code: what the user is told.
USELESS = {
    sqlite3.SQLITE_NOTADB: "{path} is not a SQLite file; name another file with -d",
    sqlite3.SQLITE_BUSY: "{path} is locked by another process; try again when that has ended",
    sqlite3.SQLITE_LOCKED: "{path} is locked by another process; try again when that has ended",
    sqlite3.SQLITE_READONLY: "cannot write {path}: it is read-only; name another file with -d",
    sqlite3.SQLITE_CORRUPT: "{path} is damaged ({text}); restore it or name another file with -d",
    sqlite3.SQLITE_FULL: "cannot write {path}: {text}; free some space and try again",
}
# Every step of the schema there ever was, the oldest first (store/schema.py).
STEPS = (
    "first_schema",
    "synchronisation",
    "modules_of_runs",
    "keep_the_last_events",
    "count_children",
    "calls",
    "findings_of_every_kind",
    "events_in_order",
    "count_inferred_functions",
    "turns_within_threads",
    "what_was_raised",
)


def is_current(path: pathlib.Path) -> bool:
    """Whether the file is there with the schema of this opcodetrace. DatabaseError if it cannot be written."""
    check_place(path, create=True)
    if not path.exists():
        return False
    with told(path), contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [MIGRATIONS])
            return {name for (name,) in rows} == set(STEPS)
        except sqlite3.OperationalError:  # no such table, or locked: the long way says which
            return False


def uri(path: pathlib.Path, mode: str) -> str:
    """Opens `path` with SQLite in that mode: rwc makes it if there is none."""
    import urllib.parse

    return f"file:{urllib.parse.quote(os.fsencode(path.absolute()))}?mode={mode}"


def make(path: pathlib.Path) -> None:
    """An empty file for SQLite, if there is none: one that its owner alone may read, whatever the umask, as it is to
    hold sources, values and the command line. SQLite gives its journals the same mode."""
    try:
        # a link to a file that is not there is followed, as SQLite would
        descriptor = os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return  # whoever may read it is its owner's choice
    except OSError as error:
        raise DatabaseError(f"cannot make {path}: {error.strerror or error}; name another file with -d") from error
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def check_place(path: pathlib.Path, *, create: bool) -> None:
    """What can be said before SQLite is asked, which only says that it is unable to open the file."""
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder; name a file in it with -d")
    if not path.parent.is_dir():
        raise DatabaseError(
            f"cannot open {path}: there is no folder {path.parent}; make it or name another file with -d"
        )
    if not path.exists():
        if not create:
            raise DatabaseError(
                f"there is no trace file {path}; record a run first (opcodetrace record SCRIPT) or name another with -d"
            )
        if not os.access(path.parent, os.W_OK):
            raise DatabaseError(f"cannot make {path}: the folder is read-only; name a file elsewhere with -d")
    elif not path.is_file():
        raise DatabaseError(f"{path} is not a regular file; name another one with -d")
    elif not os.access(path, os.R_OK):
        raise DatabaseError(f"cannot read {path}: permission denied; name another file with -d")
    elif create and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DatabaseError(f"cannot write {path}: it or its folder is read-only; name another file with -d")


@contextlib.contextmanager
def told(path: pathlib.Path) -> Iterator[None]:
    """What makes a file useless to us, in a line that names it and the next step. Any other error of SQLite is a
    fault of ours and passes as it is."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # without what the extended codes add
        if code not in USELESS:
            raise
        raise DatabaseError(USELESS[code].format(path=path, text=error)) from error
