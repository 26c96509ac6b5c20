"""python -m tests.libraries: records the drivers, and a table of what was found in them."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.libraries.driver import NOTHING, Driver, WrongHeader, load
from tests.libraries.environments import Environment, make, shared
from tests.libraries.measure import Measured, measure
from tests.libraries.verdict import Verdict

COLOURS = {Verdict.FOUND: "green", Verdict.SILENT: "green", Verdict.PARTLY: "yellow"}


def main() -> int:
    options = _options()
    try:
        drivers = load(options.name)
    except WrongHeader as error:
        raise SystemExit(str(error)) from None
    if options.list:
        for driver in drivers:
            expected = ", ".join(each.kind for each in driver.expected) or NOTHING
            print(f"{driver.name}: {driver.title} ({', '.join(driver.requires)}; {expected})")
        return 0
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="libraries-") as made:
        kept = (options.keep or Path(made) / "traces").resolve()
        kept.mkdir(parents=True, exist_ok=True)
        for driver, python in _prepared(drivers, options, Path(made)):
            measured.append(measure(driver, python, kept))
            print(f"{driver.name}: {measured[-1].verdict}", file=sys.stderr, flush=True)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(_table(measured))
    console.print(summary(measured))
    return 1 if any(each.verdict in (Verdict.FALSE, Verdict.FAILED) for each in measured) else 0


def summary(measured: Sequence[Measured]) -> str:
    races = [each for each in measured if not each.driver.is_right]
    right = [each for each in measured if each.driver.is_right]
    found = sum(each.verdict is Verdict.FOUND for each in races)
    false = sum(len(each.told) for each in right)
    return f"found {found} of {len(races)} races; {false} false findings in {len(right)} right programs"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.libraries",
        description="Record real races in published libraries, and right uses of these, each once, and say what was "
        "found. Libraries are installed into virtual environments: it needs an index of packages.",
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help="of a driver (default: all)")
    parser.add_argument("--list", action="store_true", help="the drivers, and what each expects; records nothing")
    parser.add_argument("--env", type=Path, metavar="FOLDER", help="keep the virtual environments in this folder")
    parser.add_argument("--here", action="store_true", help="install nothing: use the environment that runs this")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave trace files and logs in this folder")
    return parser.parse_args()


def _prepared(drivers: Sequence[Driver], options: argparse.Namespace, made: Path) -> Iterator[tuple[Driver, Path]]:
    """Each driver, and the interpreter of an environment for it."""
    if options.here:
        yield from ((driver, Path(sys.executable)) for driver in drivers)
        return
    folder = (options.env or made / "environments").resolve()
    for number, environment in enumerate(shared(drivers), start=1):
        try:
            python = make(folder / str(number), environment.requirements.values())
        except subprocess.CalledProcessError:
            yield from _alone(environment, folder / str(number))
        else:
            yield from ((driver, python) for driver in environment.drivers)


def _alone(environment: Environment, folder: Path) -> Iterator[tuple[Driver, Path]]:
    """Each driver in an environment of its own, as what they require cannot be installed together."""
    for driver in environment.drivers:
        with contextlib.suppress(subprocess.CalledProcessError):  # pip has said why; it is not counted
            yield driver, make(folder / driver.name, driver.requires)


def _table(measured: Sequence[Measured]) -> Table:
    table = Table("driver", "result", "findings", "verdict")
    for each in measured:
        told = escape("\n".join(map(str, each.told)))
        table.add_row(
            each.driver.name, escape(each.result), told, f"[{COLOURS.get(each.verdict, 'red')}]{each.verdict}"
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
