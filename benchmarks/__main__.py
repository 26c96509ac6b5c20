"""What a recording costs, beside what else a user could run; everything in one run, so that it can be compared.

python -m benchmarks [--rounds N]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest import mock

from rich.console import Console
from rich.table import Table

from opcodetrace import pipeline, recorder
from opcodetrace.spool.layout import RECORD_SIZE
from opcodetrace.spool.options import Options
from opcodetrace.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")

HERE = Path(__file__).parent
FAST, SLOW = ("untraced", "recorded", "ring"), ("settrace", "monitoring")
# How many steps each program makes: untraced and recorded, and where every instruction calls Python.
STEPS = {"counter": (300_000, 15_000), "word_count": (1_500, 60), "bank": (100_000, 3_000)}
EVENTS = 1_000_000
LAST = 100_000
RECORD = ("-m", "opcodetrace", "record", "-q")
LABELS = {
    "untraced": "untraced",
    "recorded": "opcodetrace record",
    "ring": "opcodetrace record --last",  # the window's pages are used again: the difference is what new ones cost
    "settrace": "sys.settrace, opcode events",
    "monitoring": "sys.monitoring, INSTRUCTION",
}


@dataclass(frozen=True)
class Measured:
    seconds: float
    steps: int
    destroyed: int
    end: float  # when the program ended, by time.monotonic

    @property
    def nanoseconds(self) -> float:
        """A step."""
        return self.seconds / self.steps * 1e9


def run(way: str, program: Path, steps: int, database: Path) -> Measured:
    """The program in a process of its own."""
    command: list[str | Path] = [HERE / "traced.py", way, program]
    if way in FAST:
        command = [*options(way), *(() if way == "untraced" else ("-d", database)), program]
    done = subprocess.run([sys.executable, *command, str(steps)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{program.name}, {way}: {done.stderr}")
    return Measured(**json.loads(done.stdout))


def options(way: str) -> tuple[str, ...]:
    """Of the interpreter, to run a script that way."""
    return () if way == "untraced" else (*RECORD, "--last", str(LAST)) if way == "ring" else RECORD


def measure_slowdown(rounds: int, folder: Path, console: Console) -> None:
    ways = [way for way in (*FAST, *SLOW) if way != "monitoring" or hasattr(sys, "monitoring")]
    for name, (fast, slow) in STEPS.items():
        program = HERE / "programs" / f"{name}.py"
        found: defaultdict[str, list[Measured]] = defaultdict(list)
        for number in range(rounds):
            for way in ways:  # A B C D A B C D: what else the machine does falls on all alike
                steps = slow if way in SLOW else fast
                found[way].append(run(way, program, steps, folder / f"{name}-{number}.db"))
        columns = ("way", "ns a step", "slowdown", "at best, ns", "slowdown", "updates destroyed")
        table = Table(*columns, title=f"{name}, medians and the best of {rounds}")
        plain = [measured.nanoseconds for measured in found["untraced"]]
        for way in ways:
            steps_took = [measured.nanoseconds for measured in found[way]]
            share = statistics.median(measured.destroyed / measured.steps for measured in found[way])
            row = []
            for pick in (statistics.median, min):  # the best is what a busy machine disturbs least
                row += [f"{pick(steps_took):,.0f}", f"{pick(steps_took) / pick(plain):.1f}"]
            table.add_row(LABELS[way], *row, f"{share:.1%}")
        console.print(table)


def measure_data(folder: Path, console: Console) -> None:
    """A run of a million events, and what is made of it."""
    database = folder / "million.db"
    measured = run("recorded", HERE / "programs" / "counter.py", EVENTS // 4, database)  # two threads, read and write
    seconds = time.monotonic() - measured.end
    with sqlite3.connect(database) as connection:
        records, accesses, stored = connection.execute("SELECT records, accesses, stored FROM runs").fetchone()
    connection.close()
    size = database.stat().st_size
    table = Table("of a run of a million events", "", title="data")
    table.add_row("events", f"{accesses:,}")
    table.add_row("bytes an event in the spool", f"{RECORD_SIZE * records / accesses:.1f}")
    table.add_row("bytes an event in the trace file", f"{size / stored:.1f}")
    table.add_row("from the script's end to the report", f"{seconds:.1f} s")
    table.add_row("events a second from spool to file, analysed", f"{accesses / seconds:,.0f}")
    for name, took in stages(folder).items():
        table.add_row(f"of that, {name}", f"{took:.1f} s, {stored / took:,.0f} events a second")
    console.print(table)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """What a script of ours prints goes nowhere."""
    shown = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(shown, 1)
        os.close(shown)
        os.close(nowhere)


def stages(folder: Path) -> dict[str, float]:
    """Where the time goes after the end of such a run, in seconds."""
    took: dict[str, float] = {}

    def timed(name: str, function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took[name] = time.perf_counter() - start

        return wrapper

    with (
        mock.patch.object(pipeline, "ingest", timed("reading the spool", pipeline.ingest)),
        mock.patch.object(pipeline, "gather", timed("the analysis", pipeline.gather)),
        mock.patch.object(Database, "add_run", timed("SQLite", Database.add_run)),
        silence(),
    ):
        options = Options()
        target = recorder.Target(str(HERE / "programs" / "counter.py"), (str(EVENTS // 4),))
        list(recorder.record_many(target, folder / "stages.db", options, 1))
    return took


def measure_start(rounds: int, folder: Path, console: Console) -> None:
    """What even the smallest script pays."""
    script = folder / "nothing.py"
    script.write_text("pass\n")
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for way in FAST:
            command = [*options(way), *(() if way == "untraced" else ("-d", folder / "nothing.db")), script]
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True)
            found[way].append(time.perf_counter() - start)
    table = Table("an empty script", "seconds", title=f"start and end, medians of {rounds}")
    for way, seconds in found.items():
        table.add_row(LABELS[way], f"{statistics.median(seconds):.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    console = Console()
    gil = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "with the GIL"
    console.print(f"CPython {platform.python_version()} {gil}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory() as name:
        measure_slowdown(rounds, Path(name), console)
        measure_data(Path(name), console)
        measure_start(rounds, Path(name), console)


if __name__ == "__main__":
    main()
