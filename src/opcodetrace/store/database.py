"""The trace file: many runs in one SQLite file, each visible only when it is whole."""

from __future__ import annotations

from opcodetrace.store.reader import Reader
from opcodetrace.store.writer import Writer


class Database(Reader, Writer):
    """A trace file: `Database.open` it, read its runs, add others."""
