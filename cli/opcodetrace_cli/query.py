"""`opcodetrace query`: ask the trace file in SQL, or by the name of a kept query."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import pathlib
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from opcodetrace.errors import UsageError
from opcodetrace.report.words.text import printable_json, shorten, spreadsheet_cell
from opcodetrace.store.connection import Answer
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace.trace.printable import printable
from opcodetrace_cli.database import database_option, run_option

Row = Sequence[Any]
TSV_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
UNLIMITED = 10_000  # columns of a table, which is also the most that is shown of a cell
PAGE = 1_000  # rows that are written at a time ...
PAGE_SIZE = 1 << 24  # ... or fewer, if there are so many characters in them
TERMINAL_ROWS = 1_000  # that a terminal is shown


@click.command()
@click.argument("sql", metavar="[SQL|NAME]", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "tsv"]), default="table", show_default=True
)
@click.option(
    "--raw",
    is_flag=True,
    help="CSV and TSV with texts as they are: a spreadsheet may take one for a formula, a terminal obeys it.",
)
@click.option("--show", is_flag=True, help="Print the SQL of a kept query instead of asking it.")
@run_option
@database_option
def query(sql: str | None, form: str, raw: bool, show: bool, run: int | None, database: pathlib.Path) -> None:
    """Ask the trace file: a SQL statement that reads, or the NAME of a kept query.

    Without either, lists the kept queries. In SQL, :run stands for the number of the run that is meant. The views
    `accesses`, `thread_switches` and `lost_updates` are a good start.
    """
    if sql is None:
        width = max(map(len, KEPT))
        click.echo("\n".join(f"{name:{width}}  {kept.answers}" for name, kept in KEPT.items()))
        return
    if raw and form not in RAW_WRITERS:
        raise UsageError(f"--raw is for CSV and TSV; a {form} is never raw: leave it out, or give --format csv")
    statement = _statement(sql)
    if show:
        click.echo(statement)
        return
    with Database.open(database) as trace_file:
        parameters = {}
        if run is not None or ":run" in statement:
            parameters["run"] = trace_file.run(run).id
        with trace_file.ask(statement, parameters) as answer:
            for text in RAW_WRITERS[form](answer) if raw else WRITERS[form](answer):
                click.echo(text, nl=False, color=True)  # nothing is left out: what is there is meant


def _statement(sql: str) -> str:
    if sql in KEPT:
        return textwrap.dedent(KEPT[sql].sql).strip()
    if not any(character.isspace() for character in sql.strip()):  # one word is no statement
        raise UsageError(f"there is no kept query {sql!r}; there are {', '.join(KEPT)}, or give a SELECT statement")
    return sql


def _table(answer: Answer) -> Iterator[str]:
    """A page at a time, so that the first one is there at once; a terminal's table is cut."""
    terminal = sys.stdout.isatty()
    numbers: list[bool] = []
    widths = [0] * len(answer.columns)
    rows = itertools.islice(answer.rows, TERMINAL_ROWS) if terminal else answer.rows
    shown = 0
    for page in pages(rows):
        cells = [[_printable(shorten(_cell(value), UNLIMITED)) for value in row] for row in page]
        numbers = numbers or [all(isinstance(row[at], int | float | None) for row in page) for at in range(len(widths))]
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=not shown)
        for at, column in enumerate(answer.columns):
            header = _printable(str(column))
            widths[at] = max(widths[at], cell_len(header), *(cell_len(row[at]) for row in cells))
            justify: JustifyMethod = "right" if numbers[at] else "left"
            table.add_column(Text(header), justify=justify, overflow="fold", min_width=None if terminal else widths[at])
        for row in cells:
            table.add_row(*map(Text, row))
        console = Console(width=None if terminal else UNLIMITED, highlight=False)
        with console.capture() as capture:
            console.print(table)
        yield "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
        shown += len(page)
    if terminal and shown == TERMINAL_ROWS and (left := answer.count() - shown) > 0:
        yield f"... and {left:,} more rows; --format csv gives all of them, LIMIT and OFFSET give others\n"


def pages(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """At least one, which may be empty."""
    page: list[Row] = []
    size, pages = 0, 0
    for row in rows:
        page.append(row)
        size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if len(page) == PAGE or size > PAGE_SIZE:
            yield page
            page, size, pages = [], 0, pages + 1
    if page or not pages:
        yield page


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def _printable(text: str) -> str:
    """A cell of a table: a tab is shown as what it is."""
    return printable(text.replace("\t", "\\t"))


def _json(answer: Answer) -> Iterator[str]:
    between = "["
    for row in answer.rows:
        made = dict(zip(answer.columns, map(_plain, row), strict=True))
        yield between + printable_json(json.dumps(made, ensure_ascii=False))
        between = ",\n "
    yield "]\n" if between != "[" else "[]\n"


def _plain(value: Any) -> Any:
    """JSON has no bytes, no infinities, and its readers no large integers."""
    if isinstance(value, bytes):
        return _cell(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _inert(value: Any) -> str:
    """A cell that neither a terminal nor a spreadsheet takes for more than a text."""
    return spreadsheet_cell(value) if isinstance(value, str) else _cell(value)


def _csv(answer: Answer, shown: Callable[[Any], str] = _inert) -> Iterator[str]:
    header: Sequence[Row] = [answer.columns]
    for page in itertools.chain([header], pages(answer.rows)):
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([shown(value) for value in row] for row in page)
        yield stream.getvalue()


def _tsv(answer: Answer, shown: Callable[[Any], str] = _inert) -> Iterator[str]:
    header: Sequence[Row] = [answer.columns]
    for page in itertools.chain([header], pages(answer.rows)):
        yield "".join("\t".join(_of_tsv(cell, shown) for cell in line) + "\n" for line in page)


def _of_tsv(value: Any, shown: Callable[[Any], str]) -> str:
    if not isinstance(value, str):
        return shown(value)
    return shown(value.translate(TSV_ESCAPES))


WRITERS: dict[str, Callable[[Answer], Iterator[str]]] = {"table": _table, "json": _json, "csv": _csv, "tsv": _tsv}
RAW_WRITERS: dict[str, Callable[[Answer], Iterator[str]]] = {
    "csv": lambda answer: _csv(answer, _cell),
    "tsv": lambda answer: _tsv(answer, _cell),
}
