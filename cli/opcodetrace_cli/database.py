"""The options that say which trace file and which run are meant."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import click

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


def run_option(command: Command) -> Command:
    """`--run N`, given to the command as `run`."""
    return click.option(
        "--run", metavar="N", type=click.IntRange(min=1), default=None, help="Number of the run.  [default: the latest]"
    )(command)
