"""The options that say which trace file and which run are meant."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from opcodetrace.errors import UsageError
from opcodetrace.trace.redaction import SHOWN_HIDDEN

if TYPE_CHECKING:
    from opcodetrace.store.database import Database
    from opcodetrace.trace.stored import StoredRun

DEFAULT = "opcodetrace.db"

Command = Callable[..., Any]


def database_option(command: Command) -> Command:
    """`-d/--database PATH`, given to the command as `database`."""
    return click.option(
        "-d",
        "--database",
        metavar="PATH",
        type=click.Path(path_type=pathlib.Path),
        envvar="OPCODETRACE_DB",
        default=DEFAULT,
        help=f"The trace file.  [default: $OPCODETRACE_DB, else ./{DEFAULT}]",
    )(command)


def redact_option(command: Command) -> Command:
    """`--redact NAME`, any number of them, given to the command as `redact`."""
    return click.option(
        "--redact",
        metavar="NAME",
        multiple=True,
        help=f"Hide values of names with this word: with token, also those of api_token. Repeat it for more. "
        f"[default: the configuration's, else texts of {', '.join(SHOWN_HIDDEN)}]",
    )(command)


def run_option(command: Command) -> Command:
    """`--run N`, given to the command as `run`."""
    return click.option(
        "--run", metavar="N", type=click.IntRange(min=1), default=None, help="Number of the run.  [default: the latest]"
    )(command)


def run_numbers(text: str | range) -> range:
    """Numbers of runs: 3, or 3-9."""
    if isinstance(text, range):
        return text
    found = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no number of a run, nor a range of them; write it like 3 or 3-9")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last:
        raise click.BadParameter(
            f"{text!r} is no range of runs: they are numbered from 1, and the lower number is first"
        )
    return range(first, last + 1)


def runs_option(default: str) -> Callable[[Command], Command]:
    """`--run N[-M]`, any number of them, given to the command as `numbers`. `default`: which are meant without."""
    return click.option(
        "--run",
        "numbers",
        metavar="N[-M]",
        type=run_numbers,
        multiple=True,
        help=f"Number of a run, or the first and last of several. Repeat it for more.  [default: {default}]",
    )


def chosen(database: Database, numbers: Sequence[range], every: bool) -> list[StoredRun]:
    """The runs that are meant, in their order: these, all (there may be none), or the latest. RunNotFound if one is not
    there; of a range, if none is."""
    if every and numbers:
        first = numbers[0]
        text = str(first[0]) if len(first) == 1 else f"{first[0]}-{first[-1]}"
        raise UsageError(f"--all and --run {text} exclude each other; give one of them")
    if every:
        return database.runs()
    if not numbers:
        return [database.run()]
    if all(len(each) == 1 for each in numbers):
        return [database.run(number) for number in sorted({each[0] for each in numbers})]
    runs = database.runs()
    for each in numbers:
        if not any(run.id in each for run in runs):
            database.run(each[0])  # which says what there is
    return [run for run in runs if any(run.id in each for each in numbers)]
