"""What `record --last` takes of disk and memory while a program runs on and on, and what it costs beside `record`.

python -m benchmarks.last [--events N] [--last N] [--rounds N]
python -m benchmarks.last --server SECONDS [--last N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opcodetrace.spool.layout import NEXT_OFFSET, PID_OFFSET, RECORD_SIZE

COUNTER = Path(__file__).parent / "programs" / "counter.py"
SERVER = Path(__file__).parent / "programs" / "server.py"
EVENTS_AN_INCREMENT = 4  # of two threads: a read and a write each
SAMPLES = 10
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """All sizes in bytes."""

    seconds: float
    events: int
    disk: int
    script: int
    collector: int
    page_tables: int  # of both


def record(folder: Path, *options: str, program: Path = COUNTER, argument: float) -> list[str | Path]:
    trace = folder / "trace.db"
    trace.unlink(missing_ok=True)
    return [sys.executable, "-m", "opcodetrace", "record", "-q", "-d", trace, *options, program, str(argument)]


def sizes(pid: int) -> tuple[int, int]:
    """Resident memory and page tables of a process; zeros if that cannot be found out."""
    found = {"VmRSS": 0, "VmPTE": 0}
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024
    except OSError:
        pass
    return found["VmRSS"], found["VmPTE"]


def sample(folder: Path, collector: int, begun: float) -> Sample | None:
    """What the recording takes now; None if it has not begun or has ended."""
    windows = list(folder.glob("trace.db.spool-*/window"))
    try:
        with windows[0].open("rb") as window:
            head = window.read(NEXT_OFFSET + 8)
            disk = os.fstat(window.fileno()).st_blocks * 512
    except (OSError, IndexError):
        return None
    (pid,) = struct.unpack_from("<I", head, PID_OFFSET)
    (events,) = struct.unpack_from("<Q", head, NEXT_OFFSET)
    if not pid:
        return None
    script, its_tables = sizes(pid)
    ours, our_tables = sizes(collector)
    return Sample(time.monotonic() - begun, events, disk, script, ours, its_tables + our_tables) if script else None


def course(command: list[str | Path], folder: Path, pause: float) -> list[Sample]:
    """A sample each `pause` seconds from the recording's begin to its end."""
    begun = time.monotonic()
    samples: list[Sample] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            taken = sample(folder, process.pid, begun)
            if taken is not None:
                samples.append(taken)
            time.sleep(pause)
    if process.returncode or not samples:
        sys.exit(f"the recording failed: exit code {process.returncode}")
    return samples


def show(samples: list[Sample], console: Console) -> None:
    """The collector's memory of the last sample may be the ingest's, which comes after the script."""
    end = samples[-1].events
    due = [end * number // SAMPLES for number in range(SAMPLES + 1)]
    table = Table("events", "seconds", "spool on disk", "script's memory", "collector's", "page tables")
    for one in (min(samples, key=lambda each: abs(each.events - wanted)) for wanted in due):
        row = (one.disk, one.script, one.collector, one.page_tables)
        table.add_row(f"{one.events:,}", f"{one.seconds:.1f}", *(f"{size / MIB:,.1f} MiB" for size in row))
    console.print(table)
    first, last = samples[0], samples[-1]
    rate = (last.events - first.events) / max(last.seconds - first.seconds, 1e-9)
    console.print(f"{rate * 3600:,.0f} events an hour; without --last: {rate * 3600 * RECORD_SIZE / 2**30:,.1f} GiB")


def nanoseconds(command: list[str | Path]) -> float:
    """A step of the program, as it measures itself."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    told = json.loads(done.stdout)
    return float(told["seconds"]) / int(told["steps"]) * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.last")
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--last", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", type=float, metavar="SECONDS", help="record a server for so long instead")
    arguments = parser.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ("--last", str(arguments.last), "--window", "1024G")
        if arguments.server is not None:
            command = record(folder, *options, program=SERVER, argument=arguments.server)
            show(course(command, folder, arguments.server / 1000), console)
            return
        command = record(folder, *options, argument=arguments.events // EVENTS_AN_INCREMENT)
        show(course(command, folder, 0.05), console)

        increments = 1_000_000
        ways: dict[str, list[str | Path]] = {
            "untraced": [sys.executable, COUNTER, str(increments)],
            "opcodetrace record": record(folder, "--window", "8G", argument=increments),
            f"opcodetrace record --last {arguments.last}": record(
                folder, "--last", str(arguments.last), argument=increments
            ),
        }
        measured: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, command in ways.items():
                measured[way].append(nanoseconds(command))
        beside = Table("way", "ns a step (median)", "least", "most", title="side by side; noisy on a busy machine")
        for way, times in measured.items():
            beside.add_row(way, *(f"{one:.1f}" for one in (statistics.median(times), min(times), max(times))))
        console.print(beside)


if __name__ == "__main__":
    main()
