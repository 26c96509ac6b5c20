"""Files and sites are stored once for all runs: finds the rows of those that a run refers to, or adds them."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from typing import cast

from opcodetrace.store.stored_value import storable
from opcodetrace.store.trace_file import MAX_SOURCE
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import SourceFile
from opcodetrace.trace.source_text import SourceText
from opcodetrace.trace.switch import SwitchPlace

SITE_COLUMNS = (
    "line",
    '"column"',
    "end_line",
    "end_column",
    "function",
    "operation",
    "opcode",
    '"offset"',
    "expression",
    "computed",
)
SiteRow = tuple[int | None, int | None, int | None, int | None, str, str, str, int, str | None, str | None]


def is_kept(file: SourceFile) -> bool:
    """Whether there is room for its source in a trace file. Its sites are told without it."""
    return len(file.source) <= MAX_SOURCE


class SiteRows:
    """The rows of one run's files and sites, by the ids that they have in its Trace."""

    def __init__(self, connection: sqlite3.Connection, trace: Trace) -> None:
        self._connection = connection
        self._trace = trace
        self._files = {file.id: file for file in trace.files}
        self._file_rows: dict[int, int] = {}
        self._texts: dict[int, SourceText] = {}
        self._site_rows: dict[int, dict[SiteRow, int]] = {}  # by file row

    def file(self, file_id: int) -> int:
        if file_id not in self._file_rows:
            self._file_rows[file_id] = self._find_file(self._files[file_id])
        return self._file_rows[file_id]

    def site(self, site_id: int) -> int:
        site, code = self._trace.sites[site_id], self._trace.site_codes[site_id]
        position = (site.line, site.column, site.end_line, site.end_column)
        expression = self._text(code.file).expression(*position)
        row = (*position, code.function, site.operation, site.opcode, site.offset, expression, site.computed)
        return self._find_site(self.file(code.file), row)

    def switch_place(self, place: SwitchPlace) -> int:
        row = (
            *(place.line, None, None, None),
            place.function,
            _operation(place.opcode),
            place.opcode,
            place.offset,
            place.expression,
            None,
        )
        return self._find_site(self.file(place.file), row)

    def _text(self, file_id: int) -> SourceText:
        if file_id not in self._texts:
            self._texts[file_id] = SourceText(self._files[file_id].source)
        return self._texts[file_id]

    def _find_file(self, file: SourceFile) -> int:
        key = (storable(file.path), hashlib.sha256(file.source).hexdigest())
        found = self._connection.execute("SELECT id FROM files WHERE path = ? AND sha256 = ?", key).fetchone()
        if found:
            return int(found[0])
        source = file.source if is_kept(file) else b""
        text: str | bytes = source
        with contextlib.suppress(UnicodeDecodeError):
            text = source.decode()
        added = self._connection.execute(
            "INSERT INTO files (path, sha256, module, source) VALUES (?, ?, ?, ?)",
            (*key, storable(file.module), text),
        )
        return int(added.lastrowid or 0)

    def _find_site(self, file_row: int, row: SiteRow) -> int:
        columns = ", ".join(SITE_COLUMNS)
        if file_row not in self._site_rows:
            known = self._connection.execute(f"SELECT id, {columns} FROM sites WHERE file_id = ?", (file_row,))
            self._site_rows[file_row] = {tuple(fields): number for number, *fields in known}
        rows = self._site_rows[file_row]
        row = cast("SiteRow", tuple(storable(field) if isinstance(field, str) else field for field in row))
        if row not in rows:
            added = self._connection.execute(
                f"INSERT INTO sites (file_id, {columns}) VALUES (?{', ?' * len(SITE_COLUMNS)})", (file_row, *row)
            )
            rows[row] = int(added.lastrowid or 0)
        return rows[row]


def _operation(opcode: str) -> str:
    """What an instruction at which a thread was suspended does, for all versions of Python."""
    for operation in ("CALL", "JUMP_BACKWARD", "RESUME"):
        if opcode.startswith(operation):
            return operation
    return opcode
