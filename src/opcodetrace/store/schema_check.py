"""Whether the tables, views, indexes and triggers of a file are ours, before anything of it is used.

A trace file may come from somebody else. What lies in it can do no more than a recording if its schema is one that we
made: a view may never end, a trigger or a CHECK runs as we write, a table's default may be any expression.

SQLite keeps the text of each statement that made something, which differs with the way that a file took through our
steps: in comments, quotes and blanks alone. So the words of these texts are compared.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

MIGRATIONS_TABLE = "_sqlite_migrations"  # sqlite-utils keeps there which steps were applied
# What SQLite itself makes if a user lets it (ANALYZE), as it writes it.
STATISTICS = {"sqlite_stat1": "CREATE TABLE sqlite_stat1(tbl,idx,stat)"} | {
    "sqlite_stat4": "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"
}
MAX_PARTS = 1_000  # of a schema; ours has some forty
MAX_KNOWN = 10_000  # characters of a statement whose words are kept: a file is opened several times, all are alike
_WORD = re.compile(
    r"""
    (?P<skip>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    | "(?P<name>[A-Za-z_][A-Za-z_0-9]*)" | \[(?P<bracketed>[A-Za-z_][A-Za-z_0-9]*)\]
    | '(?:[^']|'')*' | "(?:[^"]|"")*" | \[[^\]]*\] | `(?:[^`]|``)*`
    | [A-Za-z_0-9$\x80-\U0010ffff]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


class Part(NamedTuple):
    """A table, view, index or trigger."""

    kind: str
    name: str
    table: str  # that it belongs to
    words: tuple[str, ...]  # of the statement that made it; none of an index that a table's key needs

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


def words(statement: str | None) -> tuple[str, ...]:
    """A statement without comments, blanks and quotes that a name does not need."""
    statement = statement or ""
    return _known_words(statement) if len(statement) <= MAX_KNOWN else _words(statement)


def _words(statement: str) -> tuple[str, ...]:
    found = (each for each in _WORD.finditer(statement) if each["skip"] is None)
    return tuple(each["name"] or each["bracketed"] or each[0] for each in found)


_known_words = lru_cache(256)(_words)


def parts_of(connection: sqlite3.Connection) -> set[Part] | None:
    """Everything in a file; None if it is too much, or none of it is text."""
    rows = connection.execute(f"SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT {MAX_PARTS}").fetchall()
    if len(rows) == MAX_PARTS or not all(isinstance(each, str | None) for row in rows for each in row):
        return None
    return {Part(kind, name, table, words(sql)) for kind, name, table, sql in rows}


def published() -> str:
    """The schema as it is now: the text of schema.sql."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


@cache
def current() -> frozenset[Part]:
    """What a file of the schema as it is now has, without the table of steps."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript(published())
        return frozenset(parts_of(made) or ())


@cache
def views() -> frozenset[str]:
    """The names of all our views."""
    return frozenset(part.name for part in current() if part.kind == "view")


def holds_steps(parts: set[Part]) -> bool:
    """Whether a file has a table of steps, so that it was made by us, or is to look like that."""
    return any(part.name == MIGRATIONS_TABLE for part in parts)


def strange_steps(parts: set[Part]) -> str | None:
    """What of the table of steps is not as sqlite-utils makes it; None if all is."""
    for part in sorted(parts):
        if part.table == MIGRATIONS_TABLE and not _is_of_steps(part):
            return f"{part} is not as opcodetrace makes it"
    return None


def strange(parts: set[Part], expected: frozenset[Part], *, any_views: bool = False) -> str | None:
    """What of a file is not as expected, in words; None if all is. With `any_views`, those of our names may be of any
    text: they are about to be made anew."""
    found = set(_but_known(parts))
    if any_views:
        found = {part for part in found if part.kind != "view" or part.name not in views()}
        expected = frozenset(part for part in expected if part.kind != "view")
    for part in sorted(found - expected):
        same = [each for each in expected if (each.kind, each.name) == (part.kind, part.name)]
        return f"{part} is not as opcodetrace makes it" if same else f"it has {part}, which opcodetrace does not make"
    for part in sorted(expected - found):
        return f"it lacks {part}"
    return None


def _but_known(parts: set[Part]) -> Iterator[Part]:
    """Without what sqlite-utils and SQLite make themselves, if that is as they make it."""
    for part in parts:
        if part.name in STATISTICS and part.kind == "table" and part.words == words(STATISTICS[part.name]):
            continue
        if part.table == MIGRATIONS_TABLE and _is_of_steps(part):
            continue
        yield part


def _is_of_steps(part: Part) -> bool:
    """Whether it is the table of steps, or an index of it. Versions of sqlite-utils differ in its columns' order and
    keys; none has an expression in it."""
    columns = {"id", "migration_set", "name", "applied_at"}
    allowed = {MIGRATIONS_TABLE, "CREATE", "(", ")", ","} | columns
    if part.kind == "index":
        return set(part.words) <= allowed | {"UNIQUE", "INDEX", part.name, "ON"}
    allowed |= {"TABLE", "INTEGER", "TEXT", "NOT", "NULL", "PRIMARY", "KEY"}
    return part.kind == "table" and part.name == MIGRATIONS_TABLE and set(part.words) <= allowed
