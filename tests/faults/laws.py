"""What every trial must show."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections import Counter
from pathlib import Path

from tests.faults.trial import Ended, Trial

OURS = b"opcodetrace: "
UNRECORDED = "the script runs unrecorded"
# Files of ours in a traceback, be they installed or in place.
_FRAMES = re.compile(rb'File "[^"\n]*/(?:opcodetrace|opcodetrace_cli)/[^"\n]*\.py"')
_ADDRESSES = re.compile(rb"0x[0-9a-f]+")
_FAULTS = (b"internal error", b"sqlite3.", b"Fatal Python error", b"Exception ignored", b"Segmentation fault")
ANSWERS = (0, 1, 2, 74)  # what commands other than `record` may exit with


def no_fault_of_ours(trial: Trial, done: Ended, of_script: bytes = b"") -> None:
    """No traceback goes through our files, and nothing says "internal error" that the script does not say itself."""
    if before_us(done):
        return
    trial.require(not _FRAMES.search(done.stderr), f"a traceback of ours:\n{done}")
    for words in _FAULTS:
        trial.require(done.stderr.count(words) <= of_script.count(words), f"{words.decode()!r} on stderr:\n{done}")


def before_us(done: Ended) -> bool:
    """Whether Ctrl-C came while Python itself started: what it shows then, and its exit code of 1, are its own."""
    return b"init_import_site" in done.stderr + done.stdout


def said(stderr: bytes) -> list[str]:
    """The lines of ours."""
    return [line.decode(errors="replace") for line in stderr.splitlines() if line.startswith(OURS)]


def without_said(stderr: bytes) -> bytes:
    """What the script wrote."""
    return b"".join(line for line in stderr.splitlines(keepends=True) if not line.startswith(OURS))


def is_recorded(done: Ended) -> bool:
    return not any(UNRECORDED in line for line in said(done.stderr))


def as_plain(trial: Trial, done: Ended, plain: Ended, runs: int = 1) -> None:
    """The script, which nobody killed, did as by itself: what it printed, how it ended. A recording that could not be
    stored is told by 74, if the script ended with 0."""
    no_fault_of_ours(trial, done, plain.stderr * runs)
    trial.require(done.stdout == plain.stdout * runs, f"another stdout than by itself:\n{done}\nplain: {plain}")
    wrote, alone = (_ADDRESSES.sub(b"0x", text) for text in (without_said(done.stderr), plain.stderr * runs))
    trial.require(wrote == alone, f"another stderr than by itself:\n{done}\nplain: {plain}")
    is_kept = done.code == 74 and plain.code == 0 and any("is kept in" in line for line in said(done.stderr))
    trial.require(done.code == plain.code or is_kept, f"another exit code than by itself:\n{done}\nplain: {plain}")


def answered(trial: Trial, done: Ended, *codes: int, heard: bool = True) -> None:
    """A command other than `record` has given an answer, or said in a line why it cannot, if its stderr is `heard`."""
    no_fault_of_ours(trial, done)
    trial.require(done.code in (codes or ANSWERS), f"exit code {done.code} is none that is documented:\n{done}")
    lines = done.stderr.splitlines()
    if not heard:
        return
    if done.code == 2:  # click shows the usage, too
        trial.require(1 <= len(lines) <= 4, f"not told in a line:\n{done}")
        return
    trial.require(all(line.startswith(OURS) for line in lines), f"a line on stderr that is not ours:\n{done}")
    if done.code == 74:
        trial.require(any(line.startswith(OURS) for line in lines), f"it does not say what is wrong:\n{done}")


def spools(database: Path) -> list[Path]:
    return sorted(path for path in database.parent.iterdir() if path.name.startswith(f"{database.name}.spool-"))


def recovered(trial: Trial, *, all_of_them: bool = True) -> Ended:
    """`recover` takes what is left, or, if that may be, names it in one line."""
    trial.until_all_ended()
    done = trial.opcodetrace("recover")
    answered(trial, done, 0)
    left = spools(trial.database)
    trial.require(not (all_of_them and left), f"recover leaves {', '.join(path.name for path in left)}:\n{done}")
    for folder in left:
        named = [line for line in said(done.stderr) if re.search(re.escape(folder.name) + r"(?!\d)", line)]
        trial.require(len(named) == 1, f"recover names {folder.name} in {len(named)} lines:\n{done}")
    return done


Rows = dict[str, Counter[tuple[object, ...]]]


def rows(database: Path) -> Rows:
    """All that a trace file holds of its first run, by table, and what it holds for all runs."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT CAST(name AS BLOB) FROM sqlite_schema WHERE type = 'table'").fetchall()
        held = {}
        for name in (name.decode() for (name,) in tables if not name.startswith(b"sqlite")):
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
            of_first = "WHERE run_id = 1" if b"run_id" in columns else ""
            held[name] = Counter(map(_comparable, connection.execute(f'SELECT * FROM "{name}" {of_first}')))
        return held


def _comparable(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(repr(value) for value in row)


def earlier_run_is_intact(trial: Trial, database: Path | None = None) -> int:
    """The file is whole, and every row of the run that it held is there as it was. Gives how many runs there are."""
    path = database or trial.database
    before = rows(trial.prepared.folder / "trace.db")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
    trial.require(verdict == "ok", f"the trace file is damaged: {verdict}")
    trial.require(not foreign, f"rows refer to what is not there: {foreign[:3]}")
    now = rows(path)
    for table, held in before.items():
        missing = held - now.get(table, Counter())
        trial.require(not missing, f"of the earlier run, {missing.total()} rows of {table} are gone or changed")
    return count_of_runs(path)


def count_of_runs(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    return int(count)
