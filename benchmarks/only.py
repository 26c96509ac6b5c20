"""opcodetrace with some kinds of findings alone.

python -m benchmarks.only KIND[,KIND]... COMMAND [ARGUMENT]...
"""

from __future__ import annotations

import sys

from opcodetrace.findings import KINDS


def main() -> None:
    kinds = sys.argv.pop(1).split(",")
    for name in KINDS.keys() - set(kinds):
        del KINDS[name]
    from opcodetrace_cli import main as opcodetrace

    opcodetrace(prog_name="opcodetrace")


if __name__ == "__main__":
    main()
