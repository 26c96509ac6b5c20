"""python -m tests.faults: many trials, and a table of what they showed."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.classes import CLASSES, class_of, numbers
from tests.faults.prepared import prepare
from tests.faults.run import Result, hear_signals, run


def main() -> int:
    options = _options()
    hear_signals()
    chosen = numbers(options.trials, options.only) if options.trial is None else options.trial
    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        prepared = prepare(Path(made))
        context = multiprocessing.get_context("spawn")
        failed: list[Result] = []
        with (
            _progress(console) as progress,
            ProcessPoolExecutor(options.jobs, context, hear_signals) as pool,
        ):
            task = progress.add_task("", total=len(chosen), failed=0)
            running = [pool.submit(run, options.seed, number, prepared, options.keep) for number in chosen]
            for each in as_completed(running):
                result = each.result()
                if result.broken is not None:
                    failed.append(result)
                    _tell(result, options.seed, console)
                progress.update(task, advance=1, failed=len(failed))
    if options.verbose and not failed and len(chosen) == 1:
        print(*running[0].result().log, sep="\n")
    failed.sort(key=lambda result: result.number)
    Console(highlight=False).print(_table(chosen, failed, options.seed))
    for result in failed:
        print(_again(result, options.seed))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Run reliability trials, drawn at random, and exit with 1 if one of them fails.",
    )
    parser.add_argument("--trials", type=int, default=len(CLASSES) * 8, metavar="N", help="how many (default: 64)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what is drawn follows from it (default: 1)")
    parser.add_argument("--only", choices=CLASSES, metavar="CLASS", help=f"of one class: {', '.join(CLASSES)}")
    parser.add_argument("--trial", type=int, action="append", metavar="K", help="number K alone; repeat it for more")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="at a time (default: one a processor)"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave what the trials make in this folder")
    parser.add_argument("--verbose", action="store_true", help="tell all that happens in a trial")
    return parser.parse_args()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _tell(result: Result, seed: int, console: Console) -> None:
    console.rule(f"{class_of(result.number)}: {_again(result, seed)}")
    console.print(escape("\n".join(result.log)), style="dim")
    console.print(escape(result.broken or ""), style="red")


def _again(result: Result, seed: int) -> str:
    return shlex.join(["python", "-m", "tests.faults", "--seed", str(seed), "--trial", str(result.number)])


def _table(chosen: Sequence[int], failed: Sequence[Result], seed: int) -> Table:
    build = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    table = Table("class", title=f"Python {platform.python_version()}{build}, seed {seed}")
    table.add_column("trials", justify="right")
    table.add_column("failed", justify="right")
    for name in CLASSES:
        held = [number for number in chosen if class_of(number) == name]
        if held:
            count = sum(class_of(result.number) == name for result in failed)
            table.add_row(name, str(len(held)), f"[red]{count}" if count else "0")
    table.add_section()
    table.add_row("all", str(len(chosen)), str(len(failed)))
    return table


if __name__ == "__main__":
    sys.exit(main())
