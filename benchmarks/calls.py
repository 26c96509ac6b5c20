"""What `record --calls` costs: a loop that calls a function which does nothing, in one run side by side.

python -m benchmarks.calls [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROGRAM = """\
from time import perf_counter
def nothing():
    return None
def loop(times):
    for _ in range(times):
        nothing()
start = perf_counter()
loop(500_000)
print((perf_counter() - start) / 500_000 * 1e9)
"""
WAYS = {
    "untraced": (),
    "opcodetrace record": ("-m", "opcodetrace", "record", "-q"),
    "opcodetrace record --calls": ("-m", "opcodetrace", "record", "-q", "--calls"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "calls.py"
        script.write_text(PROGRAM)
        for number in range(rounds):
            for way, options in WAYS.items():
                database = ("-d", f"{name}/{number}{len(way)}.db") if options else ()
                command = [sys.executable, *options, *database, str(script)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                took[way].append(float(done.stdout))
    table = Table(
        "way", "ns a call", "slowdown", "at best, ns", "slowdown", title=f"calls, medians and best of {rounds}"
    )
    for way, times in took.items():
        row = []
        for pick in (statistics.median, min):
            row += [f"{pick(times):,.0f}", f"{pick(times) / pick(took['untraced']):.1f}"]
        table.add_row(way, *row)
    Console().print(table)


if __name__ == "__main__":
    main()
