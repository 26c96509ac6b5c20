"""python -m tests.right: records programs that are right, and prints what is found in them that is not gil-only."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.right.recorded import PROGRAMS, result_of

TOLD = ("happened", "possible")


def main() -> int:
    options = _options()
    unknown = [name for name in options.names if name not in PROGRAMS]
    if unknown:
        print(f"no such program: {', '.join(unknown)}", file=sys.stderr)
        return 2
    names = options.names or list(PROGRAMS)
    severities = (*TOLD, "gil-only") if options.gil_only else TOLD
    bad = 0
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for result in pool.map(partial(result_of, interval=options.interval, severities=severities), names):
            for line in result.found:
                print(f"{result.name}: {line}")
            if result.failure is not None:
                print(f"{result.name}: failed\n{result.failure}")
            sys.stdout.flush()
            bad += result.failure is not None or any(not line.endswith("gil-only") for line in result.found)
    print(f"{len(names)} programs, {bad} of them with findings or failures")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.right",
        description="Record right programs, print what is found that is not gil-only, and exit with 1 if there is any.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of programs (default: all)")
    parser.add_argument("--interval", metavar="SECONDS", help="how long a thread may keep the GIL (default: Python's)")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), metavar="N", help="how many at a time")
    parser.add_argument("--gil-only", action="store_true", help="print these, too; they are no failures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
