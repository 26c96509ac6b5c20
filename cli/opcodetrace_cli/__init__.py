"""The command line of opcodetrace. Errors become a line on stderr and an exit code here, and nowhere else."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from opcodetrace import interruption
from opcodetrace.errors import InternalError, OpcodetraceError, OutputError
from opcodetrace.standard_streams import say, say_failure
from opcodetrace.trace.printable import printable
from opcodetrace_cli import streams

# Every command, in the order of the help: its name and where its click command is.
COMMANDS = {
    "record": "opcodetrace_cli.record:record",
    "runs": "opcodetrace_cli.runs:runs",
    "report": "opcodetrace_cli.report:report",
    "query": "opcodetrace_cli.query:query",
    "findings": "opcodetrace_cli.findings:findings",
    "check": "opcodetrace_cli.check:check",
    "weave": "opcodetrace_cli.weave:weave",
    "recover": "opcodetrace_cli.recover:recover",
}


class Commands(click.Group):
    """Loads a command when it is used, so that `query` does not wait for what only `record` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ImportError as error:
            return _unavailable(cmd_name, str(error))
        assert isinstance(command, click.Command)
        return command

    def main(self, *args: Any, **keywords: Any) -> Any:
        """With streams of our own."""
        streams.prepare()
        try:
            try:
                return super().main(*args, **keywords)
            finally:
                sys.stdout.flush()
        except OutputError as error:  # of a help text, or of what was kept back until now
            say_failure(error)
            sys.exit(error.exit_code)

    def invoke(self, ctx: click.Context) -> object:
        interruption.heard()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # an exit code of 1 would say that something was found
            say("stopped by SIGINT")
            interruption.end_by(signal.SIGINT)
        except click.UsageError as error:  # it quotes the command line
            raise click.UsageError(printable(error.format_message()), error.ctx) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OpcodetraceError as error:
            failure = error
        except Exception as error:
            failure = InternalError.of(error)
        say_failure(failure)
        raise click.exceptions.Exit(failure.exit_code)


def _unavailable(name: str, reason: str) -> click.Command:
    """Stands for a command that this installation lacks the means for, so that the others go on working."""

    def fail() -> None:
        raise OpcodetraceError(f"{name} cannot be loaded: {reason}; install opcodetrace again")

    return click.Command(
        name,
        callback=fail,
        short_help=f"(cannot be loaded: {reason})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib import metadata  # which takes longer to import than all of the rest

        try:
            version = metadata.version("opcodetrace")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        click.echo(f"opcodetrace {version}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def main() -> None:
    """Record how the threads of a Python program interleave, and find the updates that they lost.

    \b
    opcodetrace record SCRIPT     run a script and record it
    opcodetrace report            what happened in the latest run
    opcodetrace query NAME|SQL    ask the trace file
    """
