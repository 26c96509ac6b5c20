"""Which variables of a module are worth watching: those that are assigned more than once. And which of the methods that
it calls may be attributes: those whose names it assigns to.

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
_STORES_ATTRIBUTE = (NUMBER["STORE_ATTR"], NUMBER["DELETE_ATTR"])
_INTERESTING = {_STORE_NAME, *_STORES_GLOBAL, *_STORES_CELL, *_STORES_ATTRIBUTE} | BACKWARD_JUMPS
# An attribute that these alone assign stays what it is.
_MAKERS = frozenset(["__init__", "__new__", "__post_init__"])
# Is loaded by a hook of its own (hooks.APPEND_BEGIN).
_NO_ATTRIBUTES = frozenset(["append"])
_MANY = 2


class Scope(NamedTuple):
    """Names that are assigned more than once, or from another scope than their own, anywhere in the module."""

    globals: frozenset[str]
    cells: frozenset[str]
    attributes: frozenset[str]  # of attributes that are assigned elsewhere than where their object is made

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
    attributes: set[str] = set()
    _count(module, names, cells, attributes)
    return Scope(
        frozenset(name for name, count in names.items() if count >= _MANY),
        frozenset(name for name, count in cells.items() if count >= _MANY),
        frozenset(attributes - _NO_ATTRIBUTES),
    )


def _count(code: CodeType, names: Counter[str], cells: Counter[str], attributes: set[str]) -> None:
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
        elif opcode in _STORES_ATTRIBUTE:
            if code.co_name not in _MAKERS:
                attributes.add(code.co_names[arg])
        else:
            name = Scope.cell_name(code, arg)
            elsewhere = name in code.co_freevars or name in code.co_varnames
            cells[name] += _MANY if looped or elsewhere else 1
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _count(constant, names, cells, attributes)
