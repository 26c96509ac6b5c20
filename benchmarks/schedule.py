"""How often a racing script ends in each way, alone and recorded, in turn: the schedule should be the same.

    python -m benchmarks.schedule [--runs N] [--after SECONDS] [SCRIPT]

Where Linux puts a new thread depends on how long its process has been running. So both are kept busy for a while first:
a recorded script's process is older when the script begins.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

BUSY = """\
from time import perf_counter as _now
_end = _now() + {seconds}
while _now() < _end:
    pass
del _now, _end
"""
COUNTER = Path(__file__).parent.parent / "samples" / "counter.py"
SURE = 1.96  # standard deviations: 95 %


def outcomes(text: str, runs: int) -> tuple[Counter[str], Counter[str]]:
    """What it printed last, and how often: alone, and recorded."""
    found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(text)
        for number in range(runs):
            recorder = [sys.executable, "-m", "opcodetrace", "record", "-q", "-d", f"{folder}/{number}.db", str(script)]
            for counter, command in zip(found, ([sys.executable, str(script)], recorder), strict=True):
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
                counter[done.stdout.strip().rpartition("\n")[2]] += 1
    return found


def share(part: int, whole: int) -> str:
    """With its standard error."""
    return f"{part / whole:5.2f} ±{math.sqrt(part * (whole - part) / whole) / whole:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--after", type=float, default=0.15, metavar="SECONDS")
    parser.add_argument("script", nargs="?", type=Path, default=COUNTER)
    options = parser.parse_args()
    plain, recorded = outcomes(BUSY.format(seconds=options.after) + options.script.read_text(), options.runs)
    print(f"{sys.version.split()[0]}, {options.runs} runs each, load {os.getloadavg()[0]:.1f}")
    for outcome in sorted(plain | recorded):
        one, other, n = plain[outcome], recorded[outcome], options.runs
        p = (one + other) / (2 * n)
        apart = abs(one - other) / n / math.sqrt(2 * p * (1 - p) / n) if 0 < p < 1 else 0.0
        print(
            f"{outcome!r}: alone {share(one, n)}, recorded {share(other, n)}"
            + (f"  (differs: {apart:.1f} standard errors)" if apart > SURE else "")
        )


if __name__ == "__main__":
    main()
