"""From the script's end to the answer: how long, beside `executemany` of the same rows in the same run.

python -m benchmarks.data [--events N] [--threads N] [--locations N] [--only events|threads|locations]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opcodetrace.spool.layout import RECORD_SIZE

PROGRAMS = Path(__file__).parent / "programs"
EVENTS_AN_INCREMENT = 2  # a read and a write
EVENTS = (1_000_000, 10_000_000)
THREADS = 8_000
MAX_WAITING = 10_000  # threads, many of them at one time
LOCATIONS = 100_000
FORMATS = ("text", "markdown", "json")
WINDOW = "8G"
AT_ONCE = 100_000  # rows that are Python objects at one time
ALONE = "lost update"  # the kind beside which all of them are measured
TURNS = 3  # of each of the two, in turn: the disk is still busy with what the one before wrote
POLL = 0.02  # seconds between looks at a process's memory


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    output: str
    end: float  # by time.monotonic
    seconds: float
    processor: float  # seconds of CPU time, of the processes that it started, too
    peak: float | None  # MiB that it had in memory at most, without its children; None where the system does not say


def run(command: Sequence[str | Path], kinds: str = "") -> Done:
    """Of opcodetrace; with `kinds` alone, if any are named."""
    begin, before = time.monotonic(), os.times()
    module = ["benchmarks.only", kinds] if kinds else ["opcodetrace"]
    with subprocess.Popen(
        [sys.executable, "-m", *module, *map(str, command)], stdout=subprocess.PIPE, text=True
    ) as process:
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        output, _ = process.communicate()
        end = time.monotonic()
        watcher.join()
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    if process.returncode:
        raise SystemExit(f"opcodetrace {' '.join(map(str, command))}: exit code {process.returncode}")
    return Done(output, end, end - begin, processor, peak[0] or None)


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        with contextlib.suppress(OSError):
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak[0] = max(peak[0], int(line.split()[1]) / 1024)
        time.sleep(POLL)


def executemany(database: Path, folder: Path) -> float:
    """Seconds that it takes to insert the rows of `events` into a table of the same shape."""
    path = folder / "rows.db"
    path.unlink(missing_ok=True)
    seconds = 0.0
    with (
        contextlib.closing(sqlite3.connect(database)) as source,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target,
    ):
        (shape,) = source.execute("SELECT sql FROM sqlite_schema WHERE name = 'events'").fetchone()
        target.execute(shape)
        rows = source.execute("SELECT * FROM events")
        insert = f"INSERT INTO events VALUES ({', '.join('?' * len(rows.description))})"
        target.execute("BEGIN")
        while some := rows.fetchmany(AT_ONCE):
            begin = time.perf_counter()
            target.executemany(insert, some)
            seconds += time.perf_counter() - begin
        begin = time.perf_counter()
        target.execute("COMMIT")
        seconds += time.perf_counter() - begin
    path.unlink()
    return seconds


def first_row(database: Path) -> float:
    """Seconds until a query of all accesses gives its first row."""
    command = [
        sys.executable,
        "-m",
        "opcodetrace",
        "query",
        "SELECT * FROM accesses",
        "-d",
        database,
        "--format",
        "table",
    ]
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):  # the header, a line, the row
            process.stdout.readline()
        seconds = time.monotonic() - begin
        process.kill()
    return seconds


def after_the_end(command: Sequence[str | Path], kinds: str = "") -> tuple[Done, float]:
    """Runs it, and gives the seconds from the script's end to the report."""
    done = run(["record", "-q", "--window", WINDOW, *command], kinds)
    return done, done.end - json.loads(done.output)["end"]


def side_by_side(database: Path, other: Path, arguments: Sequence[str | Path]) -> tuple[float, float, Done]:
    """The median seconds with one kind alone and with all kinds, and the last run of all kinds, which is in
    `database` then."""
    alone, every = [], []
    for _ in range(TURNS):
        other.unlink(missing_ok=True)
        alone.append(after_the_end(["-d", other, *arguments], ALONE)[1])
        database.unlink(missing_ok=True)
        done, seconds = after_the_end(["-d", database, *arguments])
        every.append(seconds)
    other.unlink()
    return statistics.median(alone), statistics.median(every), done


def rows_of(events: int, folder: Path) -> Iterator[tuple[str, str, str]]:
    """What is measured of a run of so many events, and what was asked for."""
    rates = {}
    for name, program in (("all shared", "counter"), ("5 % shared", "partly")):
        database = folder / f"{program}.db"
        arguments = (PROGRAMS / f"{program}.py", str(events // (2 * EVENTS_AN_INCREMENT)))
        alone, seconds, done = side_by_side(database, folder / "alone.db", arguments)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            records, accesses, stored, kept, truncated = connection.execute(
                "SELECT records, accesses, stored, events, truncated FROM runs"
            ).fetchone()
        if truncated:  # the disk was too slow for the script; what is measured then cannot be compared
            raise SystemExit(f"{program}: the recording stopped after {accesses:,} events ({truncated})")
        rates[name] = accesses / seconds
        yield f"{name}: events, of which stored", f"{accesses:,}, {stored:,}", ""
        yield (
            "  bytes an event in the spool, in the trace file",
            (f"{RECORD_SIZE * records / accesses:.1f}, {database.stat().st_size / stored:.1f}"),
            "",
        )
        yield "  from the script's end to the report", f"{seconds:.1f} s, {rates[name]:,.0f} events a second", ""
        yield (
            f"  the same, {ALONE}s alone",
            f"{alone:.1f} s, so all kinds take {seconds / alone:.2f} times as long",
            "1.3 at most",
        )
        if done.peak:
            yield "  collector's memory at most", f"{done.peak:,.0f} MiB", "600" if events == 10_000_000 else ""
        if name == "all shared":
            plain = executemany(database, folder)
            yield "  executemany of the same rows", f"{plain:.1f} s, {kept / plain:,.0f} rows a second", ""
            yield "  times as fast as that", f"{plain / seconds:.2f}", "2.5" if events >= 10_000_000 else "1.5"
            told = run(["report", "-d", database])
            yield "  report", f"{told.seconds:.1f} s" + (f", {told.peak:,.0f} MiB" if told.peak else ""), "3 s"
            yield "  first row of a query of all accesses", f"{first_row(database):.1f} s", "at once"
    yield "rate of 5 % shared to all shared", f"{rates['5 % shared'] / rates['all shared']:.1f}", "10"


def measure(events: int, folder: Path, console: Console) -> None:
    """A run of so many events, and what is made of it."""
    table = Table("", "", "at least", title=f"data: {events:,} events")
    for row in rows_of(events, folder):
        table.add_row(*row)
    console.print(table)


def scaled(title: str, columns: Sequence[tuple[str, int, Sequence[str | Path]]], folder: Path) -> Table:
    """Runs of more and more of something: how much more time and memory each takes, beside the one before it.

    A column has a heading, how much of it there is, and what is recorded."""
    table = Table("", *(heading for heading, _, _ in columns), title=f"data: {title}")
    database = folder / "scaled.db"
    recorded: list[Done] = []
    reports: dict[str, list[Done]] = {name: [] for name in FORMATS}
    for _, _, command in columns:
        database.unlink(missing_ok=True)
        recorded.append(run(["record", "-q", "--window", WINDOW, "-d", database, *command]))
        for name, of_format in reports.items():
            of_format.append(run(["report", "-d", database, "--format", name, "-o", folder / f"report.{name}"]))
    sizes = [size for _, size, _ in columns]

    def row(name: str, figures: Sequence[float], unit: str) -> None:
        table.add_row(
            name,
            *(
                f"{figure:,.1f} {unit}" + (f" (x {figure / figures[place - 1]:.1f})" if place else "")
                for place, figure in enumerate(figures)
            ),
        )

    table.add_row(
        "how many", *(f"{size:,}" + (f" (x {size / sizes[place - 1]:.1f})" if place else "")
                      for place, size in enumerate(sizes))
    )  # fmt: skip
    for name, done in (("record", recorded), *((f"report, {name}", of_format) for name, of_format in reports.items())):
        row(name, [each.processor for each in done], "s of CPU time")
        if all(each.peak for each in done):
            row("  memory at most", [each.peak or 0 for each in done], "MiB")
    return table


def measure_threads(threads: int, folder: Path, console: Console) -> None:
    """Runs of more and more threads, the most of them last."""
    numbers = sorted({min(1_000, threads), min(THREADS, threads), threads})
    for title, program, arguments in (
        ("threads, two at a time, that count under a lock", "threads", lambda number: [str(number // 2)]),
        ("threads at one Barrier", "waiting", lambda number: ["barrier", str(number)]),
        ("threads that wait for Events, a Semaphore, a Queue", "waiting", lambda number: ["mixed", str(number)]),
    ):
        most = MAX_WAITING if program == "waiting" else threads
        columns = [
            (f"{number:,} threads", number, (PROGRAMS / f"{program}.py", *arguments(number)))
            for number in numbers
            if number <= most
        ]
        console.print(scaled(title, columns, folder))


def measure_locations(locations: int, folder: Path, console: Console) -> None:
    """Runs of more and more locations that two threads share."""
    columns = [
        (f"{number:,} locations", number, (PROGRAMS / "locations.py", str(number)))
        for number in (locations // 100, locations // 10, locations)
    ]
    console.print(scaled("locations that two threads share", columns, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS[0])
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--locations", type=int, default=LOCATIONS)
    parser.add_argument("--only", choices=("events", "threads", "locations"), action="append")
    arguments = parser.parse_args()
    console = Console()
    chosen = arguments.only or ("events", "threads", "locations")
    with tempfile.TemporaryDirectory() as name:
        if "events" in chosen:
            measure(arguments.events, Path(name), console)
        if "threads" in chosen:
            measure_threads(arguments.threads, Path(name), console)
        if "locations" in chosen:
            measure_locations(arguments.locations, Path(name), console)


if __name__ == "__main__":
    main()
