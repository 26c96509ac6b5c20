"""The options that say which trace file and which run are meant."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import click

from opcodetrace.trace.redaction import SHOWN_HIDDEN

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
        f"[default: the configuration's, else {', '.join(SHOWN_HIDDEN)}]",
    )(command)


def run_option(command: Command) -> Command:
    """`--run N`, given to the command as `run`."""
    return click.option(
        "--run", metavar="N", type=click.IntRange(min=1), default=None, help="Number of the run.  [default: the latest]"
    )(command)
