"""What a recording costs, beside what else a user could run; everything in one run, so that it can be compared.

python -m benchmarks [--rounds N] [--short]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import data

HERE = Path(__file__).parent
FAST, SLOW = ("untraced", "recorded", "ring"), ("settrace", "monitoring")
# How many steps each program makes: untraced and recorded, and where every instruction calls Python.
STEPS = {"counter": (300_000, 15_000), "word_count": (1_500, 60), "bank": (100_000, 3_000)}
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
    parser.add_argument("--short", action="store_true", help="leave out the run of ten million events")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    console = Console()
    gil = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "with the GIL"
    console.print(f"CPython {platform.python_version()} {gil}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory() as name:
        measure_slowdown(rounds, Path(name), console)
        for events in data.EVENTS[: 1 if arguments.short else None]:
            data.measure(events, Path(name), console)
        data.measure_threads(data.THREADS, Path(name), console)
        measure_start(rounds, Path(name), console)


if __name__ == "__main__":
    main()
