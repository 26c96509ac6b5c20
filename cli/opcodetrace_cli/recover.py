"""opcodetrace recover."""

from __future__ import annotations

from pathlib import Path

import click

from opcodetrace import recorder
from opcodetrace.standard_streams import say
from opcodetrace.trace.printable import printable
from opcodetrace_cli.database import database_option


@click.command()
@database_option
def recover(database: Path) -> None:
    """Add the runs whose recording was interrupted.

    When the recorder itself is killed, or the disk is full, what was recorded stays in a folder beside the trace file.
    """
    runs = recorder.recover(database, say)
    if runs:
        click.echo(f"recovered: {', '.join(f'run {run}' for run in runs)}")
    else:
        click.echo(f"nothing to recover beside {printable(str(database))}")
