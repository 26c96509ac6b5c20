"""Which variables of a module are worth watching: those that are assigned more than once.

A global, or a closure's cell, that one instruction outside any loop assigns once (a `def`, a `class`, an `import`, a
constant) cannot lose an update. The rule errs on the side of watching.
"""

from collections import Counter
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG, NUMBER

_STORE_NAME = NUMBER["STORE_NAME"]
_STORES_GLOBAL = (NUMBER["STORE_GLOBAL"], NUMBER["DELETE_GLOBAL"], NUMBER["DELETE_NAME"])
_STORES_CELL = (NUMBER["STORE_DEREF"], NUMBER["DELETE_DEREF"])
_INTERESTING = {_STORE_NAME, *_STORES_GLOBAL, *_STORES_CELL} | BACKWARD_JUMPS
_MANY = 2


class Scope(NamedTuple):
    """Names that are assigned more than once, or from another scope than their own, anywhere in the module."""

    globals: frozenset[str]
    cells: frozenset[str]

    @staticmethod
    def cell_name(code: CodeType, slot: int) -> str:
        """The name of a cell by its place among the fast locals (co_localsplus)."""
        local = len(code.co_varnames)
        if slot < local:
            return code.co_varnames[slot]
        pure = [name for name in code.co_cellvars if name not in code.co_varnames]
        slot -= local
        return pure[slot] if slot < len(pure) else code.co_freevars[slot - len(pure)]


def scope_of(module: CodeType) -> Scope:
    names: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    _count(module, names, cells)
    return Scope(
        frozenset(name for name, count in names.items() if count >= _MANY),
        frozenset(name for name, count in cells.items() if count >= _MANY),
    )


def _count(code: CodeType, names: Counter[str], cells: Counter[str]) -> None:
    bytecode = code.co_code
    stores: list[tuple[int, int, int]] = []
    loops: list[tuple[int, int]] = []
    at = arg = 0
    while at < len(bytecode):
        opcode = bytecode[at]
        arg |= bytecode[at + 1]
        if opcode == EXTENDED_ARG:
            arg <<= 8
            at += 2
            continue
        after = at + 2 + 2 * CACHES[opcode]
        if opcode in _INTERESTING:
            if opcode in BACKWARD_JUMPS:
                loops.append((after - 2 * arg, at))
            else:
                stores.append((at, opcode, arg))
        arg = 0
        at = after
    for at, opcode, arg in stores:
        looped = any(start <= at <= stop for start, stop in loops)
        if opcode == _STORE_NAME:
            names[code.co_names[arg]] += _MANY if looped else 1
        elif opcode in _STORES_GLOBAL:
            names[code.co_names[arg]] += _MANY
        else:
            name = Scope.cell_name(code, arg)
            elsewhere = name in code.co_freevars or name in code.co_varnames
            cells[name] += _MANY if looped or elsewhere else 1
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _count(constant, names, cells)
