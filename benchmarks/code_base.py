"""How long a program of 50,000 lines takes until all of its modules are imported, plainly and recorded.

python -m benchmarks.code_base [--lines N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

MODULE_LINES = 250
MAIN = "import time\n{imports}\nprint(time.monotonic())\n"
METHODS = '''
    def deposit_{n}(self, amount, *, note=""):
        """Put money into the account."""
        if amount <= 0:
            raise ValueError(f"cannot deposit {{amount}}")
        with self.lock:
            before = self.totals["balance"]
            self.totals["balance"] = before + amount
            self.history.append((amount, note))
        for watcher in self.watchers:
            watcher.notify(self, amount)
        return self.totals["balance"]

    def statement_{n}(self, since=0):
        rows = []
        for number, (amount, note) in enumerate(self.history[since:], since):
            rows.append(f"{{number:>4}} {{amount:10.2f}} {{note}}")
        self.printed = len(rows)
        return "\\n".join(rows)
'''
CLASS = '''
class Account{c}:
    """An account, number {c} of module {m}."""

    opened = 0

    def __init__(self, owner, watchers=()):
        self.owner = owner
        self.lock = None
        self.totals = {{"balance": 0, "interest": 0.0}}
        self.history = []
        self.watchers = list(watchers)
        Account{c}.opened += 1
'''


def make_module(number: int) -> str:
    text = f'"""Module {number}."""\n\nimport os.path\nimport threading\n\nhits = 0\n'
    chosen = 0
    while text.count("\n") < MODULE_LINES:
        text += CLASS.format(c=chosen, m=number)
        for method in range(4):
            text += METHODS.format(n=method)
        text += f"\n\ndef open_{chosen}(owner):\n    global hits\n    hits += 1\n    return Account{chosen}(owner)\n\n"
        chosen += 1
    return text


def make(folder: Path, lines: int) -> int:
    """Write the program; gives its number of lines."""
    names, written = [], 0
    while written < lines:
        text = make_module(len(names))
        names.append(f"module_{len(names)}")
        (folder / f"{names[-1]}.py").write_text(text)
        written += text.count("\n")
    (folder / "main.py").write_text(MAIN.format(imports="\n".join(f"import {name}" for name in names)))
    (folder / "empty.py").write_text(MAIN.format(imports=""))
    return written


def start(folder: Path, script: str, recorded: bool) -> float:
    """Seconds until the script's last line."""
    record = ["-m", "opcodetrace", "record", "-q", "-d", str(folder / "trace.db")] if recorded else []
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = time.monotonic()
    command = [sys.executable, *record, str(folder / script)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = make(folder, options.lines)
        found: dict[tuple[str, bool], list[float]] = {}
        first = {recorded: start(folder, "main.py", recorded) for recorded in (False, True)}
        for _ in range(options.rounds):
            for script in ("main.py", "empty.py"):
                for recorded in (False, True):  # A B A B: what else the machine does falls on both alike
                    found.setdefault((script, recorded), []).append(start(folder, script, recorded))
    took = {key: statistics.median(seconds) for key, seconds in found.items()}
    table = Table(
        "until all is imported", "plain", "recorded", "ratio", title=f"{lines:,} lines, {platform.python_version()}"
    )
    rows = {
        "first start": (first[False], first[True]),
        f"second start, median of {options.rounds}": (took["main.py", False], took["main.py", True]),
        "an empty script": (took["empty.py", False], took["empty.py", True]),
        "second start without what an empty script takes": tuple(
            took["main.py", recorded] - took["empty.py", recorded] for recorded in (False, True)
        ),
    }
    for what, (plain, recorded) in rows.items():
        table.add_row(what, f"{plain:.3f} s", f"{recorded:.3f} s", f"{recorded / plain:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
