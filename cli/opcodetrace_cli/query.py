"""`opcodetrace query`: ask the trace file in SQL, or by the name of a kept query."""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opcodetrace.errors import UsageError
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace_cli.database import database_option, run_option

Row = Sequence[Any]
UNLIMITED = 10_000


@click.command()
@click.argument("sql", metavar="[SQL|NAME]", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "tsv"]), default="table", show_default=True
)
@click.option("--show", is_flag=True, help="Print the SQL of a kept query instead of asking it.")
@run_option
@database_option
def query(sql: str | None, form: str, show: bool, run: int | None, database: pathlib.Path) -> None:
    """Ask the trace file: a SQL statement that reads, or the NAME of a kept query.

    Without either, lists the kept queries. In SQL, :run stands for the number of the run that is meant. The views
    `accesses`, `thread_switches` and `lost_updates` are a good start.
    """
    if sql is None:
        width = max(map(len, KEPT))
        click.echo("\n".join(f"{name:{width}}  {kept.answers}" for name, kept in KEPT.items()))
        return
    statement = _statement(sql)
    if show:
        click.echo(statement)
        return
    with Database.open(database) as trace_file:
        parameters = {}
        if run is not None or ":run" in statement:
            parameters["run"] = trace_file.run(run).id
        columns, rows = trace_file.query(statement, parameters)
    click.echo(WRITERS[form](columns, rows), nl=False)


def _statement(sql: str) -> str:
    if sql in KEPT:
        return textwrap.dedent(KEPT[sql].sql).strip()
    if not any(character.isspace() for character in sql.strip()):  # one word is no statement
        raise UsageError(f"there is no kept query {sql!r}; there are {', '.join(KEPT)}, or give a SELECT statement")
    return sql


def _table(columns: Row, rows: Sequence[Row]) -> str:
    terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(Text(_printable(str(column))), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(_cell(value))) for value in row))
    console = Console(width=None if terminal else UNLIMITED, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def _printable(text: str) -> str:
    """What a recorded program wrote must not steer the terminal."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _json(columns: Row, rows: Sequence[Row]) -> str:
    objects = [json.dumps(dict(zip(columns, map(_plain, row), strict=True)), ensure_ascii=False) for row in rows]
    return "[" + ",\n ".join(objects) + "]\n"


def _plain(value: Any) -> Any:
    """JSON has no bytes, no infinities, and its readers no large integers."""
    if isinstance(value, bytes):
        return _cell(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _csv(columns: Row, rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _tsv(columns: Row, rows: Sequence[Row]) -> str:
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    lines = [columns, *([_cell(value) for value in row] for row in rows)]
    return "".join("\t".join(str(cell).translate(escapes) for cell in line) + "\n" for line in lines)


WRITERS: dict[str, Callable[[Row, Sequence[Row]], str]] = {"table": _table, "json": _json, "csv": _csv, "tsv": _tsv}
