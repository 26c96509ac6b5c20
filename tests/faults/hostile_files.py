"""Trace files and spools that are damaged, or that somebody made to do harm; then every command."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sqlite3
from pathlib import Path

from opcodetrace.spool.layout import HEADER_SIZE, RECORD_FIELDS, RECORD_SIZE
from opcodetrace.store.queries import KEPT
from tests.faults import laws
from tests.faults.trial import Ended, Trial

SCRIPT = "import sys\nprint('ran')\nsys.exit(3)\n"
FIELD_SIZES = [int(kind[-1]) for _, kind in RECORD_FIELDS]
EXTREMES = (0, 1, 2, 127, 128, 255, 65535, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 47, (1 << 63) - 1, (1 << 64) - 1)
CELLS: tuple[object, ...] = (
    *(None, -1, 0, 1, 2, 3, (1 << 63) - 1, -(1 << 63), 0.5, float("inf"), float("-inf")),
    *("", "x", "[]", "{}", "[[1]]", '["x"]', "happened", "lost update", "int", "str", "\0", "\x1b[31m", b"", b"\xff"),
)


def trial(t: Trial) -> None:
    canary = t.folder / "canary"
    spy = t.folder / "spy"
    spy.mkdir()
    t.with_earlier_run()
    spool = t.prepared.copy_spool(t.database) if t.chance(2) else None
    damage = t.random.choice(OF_SPOOLS if spool is not None else OF_TRACE_FILES)
    t.note(damage.__name__)
    damage(t, spool / t.random.choice(("window", "sites", "options.json", "meta.json")) if spool else t.database)
    script = t.script(SCRIPT)
    plain = Ended(3, b"ran\n", b"")
    readers = [
        ("report", "--format", t.random.choice(("text", "markdown", "json"))),
        ("report", "--run", "1"),
        ("runs",),
        ("query", t.random.choice(sorted(KEPT))),
        ("query", "SELECT * FROM accesses", "--format", "json"),
        ("check", "--possible"),
    ]
    commands = [*t.random.sample(readers, 3), ("recover",), ("record",), t.random.choice(readers)]
    t.random.shuffle(commands)
    for command in commands:
        if command == ("record",):
            done = t.run(t.recording("-q", script))
            laws.no_fault_of_ours(t, done)
            if done.code == 74:  # what was named is no trace file
                t.require(done.stdout == b"" and len(done.stderr.splitlines()) == 1, done)
            else:
                laws.as_plain(t, done, plain)
        elif command == ("recover",):
            laws.recovered(t, all_of_them=False)
        else:
            laws.answered(t, t.opcodetrace(*command))
    t.require(not canary.exists(), "something in the file was executed")
    if spool is not None:
        laws.earlier_run_is_intact(t)
    _no_trigger_ran(t)


class _Payload:
    """What runs if somebody unpickles it."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.canary}'",)


def _no_trigger_ran(t: Trial) -> None:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(t.database)) as connection:
        found = connection.execute("SELECT count(*) FROM sprung").fetchone()
        t.require(found == (0,), "a trigger of the file was executed")


# bytes of any file


def flipped(t: Trial, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(t.size(1, 50)):
        if data:
            data[t.random.randrange(len(data))] ^= 1 << t.random.randrange(8)
    path.write_bytes(data)


def cut(t: Trial, path: Path) -> None:
    os.truncate(path, t.random.choice((0, 1, 100, t.random.randrange(path.stat().st_size + 1))))


def zeroed(t: Trial, path: Path) -> None:
    _overwrite(t, path, bytes(t.size(1, 5000)))


def scribbled(t: Trial, path: Path) -> None:
    _overwrite(t, path, t.random.randbytes(t.size(1, 5000)))


def _overwrite(t: Trial, path: Path, data: bytes) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(t.random.randrange(size) if size else 0)
        file.write(data)


def replaced(t: Trial, path: Path) -> None:
    """By bytes that run if they are unpickled, or by anything."""
    contents = (
        pickle.dumps(_Payload(t.folder / "canary")),
        t.random.randbytes(5000),
        b"null",
        b"[]",
        b"{}",
        b"[" * 9999,
    )
    path.write_bytes(t.random.choice(contents))


def something_else(t: Trial, path: Path) -> None:
    """A FIFO, a link, a folder, a device in its place."""
    elsewhere = t.folder / "elsewhere"
    shutil.copy(path, elsewhere)
    path.unlink()
    kind = t.random.choice(("fifo", "link", "dangling", "itself", "folder", "device", "nothing"))
    t.note(f"{kind} in place of {path.name}")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "nothing":
        targets = {"link": elsewhere, "dangling": Path("nowhere"), "itself": path, "device": Path("/dev/zero")}
        path.symlink_to(targets[kind])


# spools


def records(t: Trial, path: Path) -> None:
    """Fields of records that the probe does not write."""
    window = path.with_name("window")
    data = bytearray(window.read_bytes())
    held = (len(data) - HEADER_SIZE) // RECORD_SIZE
    written = [n for n in range(held) if any(data[HEADER_SIZE + n * RECORD_SIZE :][:RECORD_SIZE])]
    for _ in range(t.size(1, 200)):
        start = HEADER_SIZE + t.random.choice(written) * RECORD_SIZE
        field = t.random.randrange(1, len(FIELD_SIZES))  # the first says whether the record is one
        start += sum(FIELD_SIZES[:field])
        size = FIELD_SIZES[field]
        drawn = t.random.choice((*EXTREMES, t.random.randrange(1 << 64), t.random.randrange(256)))
        data[start : start + size] = (drawn % (1 << 8 * size)).to_bytes(size, "little")
    window.write_bytes(data)


def headers(t: Trial, path: Path) -> None:
    """Fields of the window's header."""
    window = path.with_name("window")
    with window.open("r+b") as file:
        for _ in range(t.size(1, 4)):
            file.seek(8 * t.random.randrange(20))
            file.write(t.random.choice((*EXTREMES, t.random.randrange(1 << 64))).to_bytes(8, "little"))


def messages(t: Trial, path: Path) -> None:
    """Numbers and words in what the weaver said."""
    sites = path.with_name("sites")
    data = sites.read_bytes()
    words = (b"0", b"1", b"7", b"null", b"true", b"[]", b'"x"', b"-1", b"999999999999")
    for _ in range(t.size(1, 5)):
        where = t.random.randrange(len(data))
        for old in t.random.sample(words, len(words)):
            found = data.find(old, where)
            new = [word for word in words if len(word) == len(old) and word != old]
            if found >= 0 and new:
                data = data[:found] + t.random.choice(new) + data[found + len(old) :]
                break
    sites.write_bytes(data)


def the_folder(t: Trial, path: Path) -> None:
    """A link, a file or a FIFO in place of the folder."""
    folder = path.parent
    elsewhere = t.folder / "elsewhere"
    folder.rename(elsewhere)
    kind = t.random.choice(("link", "file", "fifo"))
    t.note(kind)
    if kind == "link":
        folder.symlink_to(elsewhere)
    elif kind == "file":
        folder.touch()
    else:
        os.mkfifo(folder)


# trace files


def cells(t: Trial, path: Path) -> None:
    """Values that no recording writes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith(("_", "sqlite"))
        ]
        for _ in range(t.size(1, 6)):
            table = t.random.choice(tables)
            column = t.random.choice([row[1] for row in connection.execute(f"PRAGMA table_info({table})")])
            value = t.random.choice(CELLS)
            only = f' WHERE "{column}" = (SELECT "{column}" FROM {table} LIMIT 1 OFFSET {t.random.randrange(20)})'
            text = f'UPDATE {table} SET "{column}" = ?{"" if t.chance(2) else only}'
            t.note(f"{text} {value!r}")
            with contextlib.suppress(sqlite3.IntegrityError):
                connection.execute(text, [value])


def missing_rows(t: Trial, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite")
        ]
        table = t.random.choice(tables)
        t.note(table)
        connection.execute(f"DELETE FROM {table} WHERE abs(random()) % {t.random.randrange(1, 4)} = 0")


def schemas(t: Trial, path: Path) -> None:
    """Views, triggers, indexes and tables that a recording does not make."""
    endless = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
    harm = t.random.choice(("INSERT INTO sprung VALUES (1)", "DELETE FROM events", "SELECT load_extension('canary')"))
    table = t.random.choice(("runs", "events", "files", "threads", "sites", "findings", "_sqlite_migrations"))
    change = t.random.choice(
        (
            f"CREATE TRIGGER trap AFTER {t.random.choice(('INSERT', 'UPDATE', 'DELETE'))} ON {table} BEGIN {harm}; END",
            f"ALTER TABLE {table} RENAME TO hidden; CREATE VIEW {table} AS {endless} SELECT id FROM n",
            f"ALTER TABLE {table} RENAME TO hidden; CREATE VIEW {table} AS SELECT * FROM hidden; "
            f"CREATE TRIGGER trap INSTEAD OF INSERT ON {table} BEGIN {harm}; END",
            f"CREATE INDEX trap ON {table} (abs(rowid))",
            f"ALTER TABLE {table} ADD COLUMN trap AS (length(randomblob(1000000000)))",
            f"DROP VIEW accesses; CREATE VIEW accesses AS {endless} SELECT id AS run_id FROM n",
            "CREATE VIRTUAL TABLE trap USING fts5(a)",
            "CREATE TABLE trap (a CHECK (abs(a) > 0))",
        )
    )
    t.note(change)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if "sprung" in change:
            connection.execute("CREATE TABLE sprung (a)")
        with contextlib.suppress(sqlite3.OperationalError):  # an index on rowid, a module that SQLite lacks
            connection.executescript(change)


def pragmas(t: Trial, path: Path) -> None:
    """Settings in the file itself."""
    text = t.random.choice(
        (
            f"PRAGMA application_id = {t.random.randrange(1 << 31)}",
            f"PRAGMA user_version = {t.random.randrange(1 << 31)}",
            "PRAGMA journal_mode = WAL",
            "PRAGMA auto_vacuum = FULL; VACUUM",
            "PRAGMA page_size = 512; VACUUM",
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'runs'",
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE runs (id)' WHERE name = 'runs'",
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'nonsense' WHERE name = 'events'",
        )
    )
    t.note(text)
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
        contextlib.suppress(sqlite3.OperationalError),
    ):
        connection.executescript(text)


def journals(t: Trial, path: Path) -> None:
    """Files beside it that SQLite knows by their names."""
    beside = path.with_name(f"{path.name}{t.random.choice(('-journal', '-wal', '-shm'))}")
    beside.write_bytes(t.random.choice((b"", bytes(5000), t.random.randbytes(5000), path.read_bytes())))
    if t.chance(2):
        something_else(t, beside)


OF_FILES = (flipped, cut, zeroed, scribbled, replaced, something_else)
OF_SPOOLS = (*OF_FILES, records, records, records, headers, messages, messages, the_folder)
OF_TRACE_FILES = (*OF_FILES, cells, cells, cells, missing_rows, schemas, schemas, pragmas, journals)
