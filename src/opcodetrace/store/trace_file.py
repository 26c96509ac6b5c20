"""What can be said of a trace file, and how a new one is made, by SQLite alone.

A recording looks at its trace file before the script starts; sqlite-utils takes ten times as long to import as this.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

from opcodetrace.errors import DatabaseError, NotATraceFile
from opcodetrace.store import schema_check
from opcodetrace.store.waiting import code_of, connect, holder, is_busy, is_interrupt

MIGRATIONS = "opcodetrace"  # the name of our set of migrations
# By SQLite's code: what the user is told.
USELESS = {
    sqlite3.SQLITE_NOTADB: "{path} is not a SQLite file; name another file with -d",
    sqlite3.SQLITE_BUSY: "{path} is locked by {holder}; try again when that has ended",
    sqlite3.SQLITE_LOCKED: "{path} is locked by {holder}; try again when that has ended",
    sqlite3.SQLITE_READONLY: "cannot write {path}: it is read-only; name another file with -d",
    sqlite3.SQLITE_CORRUPT: "the trace file is damaged: {text}; restore {path} or name another file with -d",
    sqlite3.SQLITE_TOOBIG: "the trace file is damaged: {text}; restore {path} or name another file with -d",
    sqlite3.SQLITE_FULL: "cannot write {path}: {text}; free some space and try again",
    sqlite3.SQLITE_IOERR: "cannot read or write {path}: {text}; look at its disk, or name another file with -d",
    sqlite3.SQLITE_CANTOPEN: "cannot open {path}: {text}; look at its disk and folder, or name another file with -d",
    sqlite3.SQLITE_PERM: "cannot use {path}: {text}; name another file with -d",
}
MAX_CELL = 1 << 26  # bytes of a value, a row or a statement; the greatest are source files
MAX_SOURCE = MAX_CELL - (1 << 20)  # of a source file: what else its row has is far less
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
    "protections_of_locations",
    "outcomes_of_runs",
)
# As sqlite-utils makes it, to the byte.
TABLE_OF_STEPS = (
    """\
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
)""",
    """\
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name")""",
)


class Damage(Exception):
    """What a file holds is nothing that a recording has put there; the text says what."""


class TooMuch(Exception):
    """What belongs together in a file is more than is taken into memory; the text says of what."""


def is_current(path: pathlib.Path) -> bool:
    """Whether the file is there with the schema of this opcodetrace. DatabaseError if it cannot be written."""
    check_place(path, create=True)
    if not path.exists():
        return False
    with told(path), contextlib.closing(connect(path, uri(path, "rw"))) as connection:
        try:
            guard(connection)
            parts = schema_check.parts_of(connection)
            if parts is None or schema_check.strange(parts, schema_check.current()) is not None:
                return False
            return steps_of(connection, parts) == STEPS
        except Damage:
            return False  # the long way says what
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise
            return False  # the long way says more


def make_schema(connection: sqlite3.Connection) -> None:
    """The schema as it is now, in an empty file; all steps have been done by that."""
    # one by one: executescript would commit the transaction that this is a part of
    for statement in (*schema_check.published().split("\n\n"), *TABLE_OF_STEPS):
        connection.execute(statement)
    now = str(datetime.now(UTC))
    sql = f"INSERT INTO {schema_check.MIGRATIONS_TABLE} (migration_set, name, applied_at) VALUES (?, ?, ?)"
    connection.executemany(sql, [(MIGRATIONS, step, now) for step in STEPS])


def guard(connection: sqlite3.Connection) -> None:
    """The connection to a file that may be anybody's: nothing in its schema may call what could do harm, and no cell
    is greater than what we write."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)


def steps_of(connection: sqlite3.Connection, parts: set[schema_check.Part]) -> tuple[str, ...]:
    """Which steps were applied to a file, in their order. Damage if it cannot have been these."""
    if not schema_check.holds_steps(parts):
        return ()
    strange = schema_check.strange_steps(parts)
    if strange is not None:
        raise Damage(strange)
    asked = "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid LIMIT 1000"
    return tuple(str(name) for (name,) in connection.execute(asked, [MIGRATIONS]))


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
        raise NotATraceFile(f"{path} is a folder; name a file in it with -d")
    if not path.parent.is_dir():
        raise NotATraceFile(
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
        raise NotATraceFile(f"{path} is not a regular file; name another one with -d")
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
    except Damage as error:
        raise DatabaseError(USELESS[sqlite3.SQLITE_CORRUPT].format(path=path, text=error)) from error
    except UnicodeDecodeError as error:  # what SQLite says of a damaged schema quotes that
        raise DatabaseError(USELESS[sqlite3.SQLITE_CORRUPT].format(path=path, text="a text is no UTF-8")) from error
    except TooMuch as error:
        raise DatabaseError(f"cannot show {path}: {error}; ask it by opcodetrace query -d {path}") from error
    except sqlite3.Error as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        useless = USELESS.get(code_of(error))
        if useless is None:
            raise
        who = holder(path) if is_busy(error) else ""
        kind = NotATraceFile if code_of(error) == sqlite3.SQLITE_NOTADB else DatabaseError
        raise kind(useless.format(path=path, text=error, holder=who)) from error
