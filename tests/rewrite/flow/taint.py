"""An oracle for data flow: the same random programs, run on integers that carry where their value comes from.

A program works on one list `c` and a few locals. `oracle(program)` runs it on `Tainted` integers; each write then knows
the newest version of its own cell whose value flows into what it stores. That is the definition of a source, executed.
Whether the value knows that version because it was itself written there, not read, is told too: `own`.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable

CELLS = 2
VARIABLES = ("x", "y", "z")


class Tainted(int):
    """An integer and, for each cell, the newest version whose value flows into it."""

    labels: dict[int, tuple[int, bool]]  # cell: version, own

    def __new__(cls, value: int, labels: dict[int, tuple[int, bool]] | None = None) -> Tainted:
        self = super().__new__(cls, value)
        self.labels = dict(labels or {})
        return self

    def _with(self, other: int, value: int) -> Tainted:
        labels = dict(self.labels)
        for cell, version in getattr(other, "labels", {}).items():
            labels[cell] = max(version, labels.get(cell, (-1, False)))
        return Tainted(value, labels)

    def __add__(self, other: int) -> Tainted:
        return self._with(other, int(self) + int(other))

    def __radd__(self, other: int) -> Tainted:
        return self._with(other, int(other) + int(self))

    def __mul__(self, other: int) -> Tainted:
        return self._with(other, int(self) * int(other) % 1009)


class Cells(list[int]):
    """The shared list; it notes the source of each write: the version that flows in, or None, and whether it is own."""

    def __init__(self) -> None:
        super().__init__(Tainted(100 + cell) for cell in range(CELLS))
        self.versions = [0] * CELLS
        self.sources: list[tuple[int | None, bool]] = []

    def __getitem__(self, cell: object) -> Tainted:  # type: ignore[override]
        # A fresh value: what flowed into the cell before is the cell's own history, not the reader's.
        assert isinstance(cell, int)
        return Tainted(super().__getitem__(cell), {int(cell): (self.versions[cell], False)})

    def __setitem__(self, cell: object, value: object) -> None:
        assert isinstance(cell, int) and isinstance(value, Tainted)
        cell = int(cell)
        self.sources.append(value.labels.get(cell, (None, False)))
        self.versions[cell] += 1
        value.labels[cell] = (self.versions[cell], True)  # its version is the newest that this very value is known by
        super().__setitem__(cell, value)


def program(seed: int) -> str:
    """The source of `def program(c, choose)`: `choose()` decides branches, so both runs take the same path."""
    rng = random.Random(seed)

    def expression(depth: int = 0) -> str:
        kind = rng.randrange(7 if depth < 2 else 4)
        if kind == 0:
            return str(rng.randrange(9))
        if kind in (1, 2):
            return rng.choice(VARIABLES)
        if kind == 3:
            return f"c[{rng.randrange(CELLS)}]"
        if kind == 4:
            return f"({expression(depth + 1)} if choose() else {expression(depth + 1)})"
        return f"({expression(depth + 1)} {rng.choice('+*')} {expression(depth + 1)})"

    def block(depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(rng.randrange(1, 5)):
            kind = rng.randrange(10)
            if kind < 3:
                lines.append(f"{rng.choice(VARIABLES)} = {expression()}")
            elif kind < 6:
                lines.append(f"c[{rng.randrange(CELLS)}] = {expression()}")
            elif kind == 6:
                target = rng.choice([*VARIABLES, f"c[{rng.randrange(CELLS)}]"])
                lines.append(f"{target} += {expression(1)}")
            elif depth < 3 and kind == 7:
                lines += ["if choose():", *("    " + line for line in block(depth + 1))]
                if rng.random() < 0.5:
                    lines += ["else:", *("    " + line for line in block(depth + 1))]
            elif depth < 3 and kind == 8:
                lines += ["while choose():", *("    " + line for line in block(depth + 1))]
                if rng.random() < 0.3:
                    lines[-1:] = [lines[-1], "    if choose(): break"]
            elif depth < 3:
                lines += ["try:", *("    " + line for line in block(depth + 1))]
                lines += ["    if choose(): raise KeyError", "except KeyError:"]
                lines += ["    " + line for line in block(depth + 1)]
        return lines or ["pass"]

    begin = ["x = 1", "y = c[0]", "z = c[1]"]
    body = "\n".join("    " + line for line in begin + block(0) + block(0))
    return f"def program(c, choose):\n{body}\n"


def choices(seed: int) -> Callable[[], bool]:
    rng = random.Random(seed)
    left = 60  # then every loop ends

    def choose() -> bool:
        nonlocal left
        left -= 1
        return left > 0 and rng.random() < 0.55

    return choose


class _Wrap(ast.NodeTransformer):
    """Constants become tainted by nothing; indexes stay."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Call(ast.Name("Tainted", ast.Load()), [node], [])


def oracle(seed: int) -> list[tuple[int | None, bool]]:
    """For each write in order: the version of its cell that flows in (0 is the initial value) or None, and `own`."""
    tree = ast.fix_missing_locations(_Wrap().visit(ast.parse(program(seed))))
    namespace: dict[str, object] = {"Tainted": Tainted}
    exec(compile(tree, "oracle", "exec"), namespace)
    cells = Cells()
    run = namespace["program"]
    assert callable(run)
    run(cells, choices(seed))
    return cells.sources
