"""Code objects, decoded into whole instructions.

No library does it, as the script's process loads as little as it can: `bytecode` is what tests hold it against."""

import opcode
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG, FORWARD_JUMPS, HAS_ARGUMENT

Position = tuple[int | None, int | None, int | None, int | None]  # line, end line, column, end column


class Instruction(NamedTuple):
    """One instruction with its EXTENDED_ARG prefixes and CACHE entries. Offsets are in code units of two bytes."""

    ordinal: int
    name: str
    opcode: int
    arg: int
    start: int  # of the first prefix
    at: int  # of the instruction itself
    stop: int  # after its caches
    target: int | None  # of a jump: the index of the instruction it goes to
    position: Position


class Handler(NamedTuple):
    """One entry of the exception table, in indexes of instructions; `stop` is exclusive."""

    start: int
    stop: int
    target: int
    depth: int
    lasti: bool


class Decoded(NamedTuple):
    instructions: list[Instruction]
    handlers: list[Handler]


def decode(code: CodeType) -> Decoded:
    """Raises ValueError if a jump or a handler does not lead to the start of an instruction."""
    opcodes, arguments = code.co_code[::2], code.co_code[1::2]
    positions = list(code.co_positions())
    positions += [(None,) * 4] * (len(opcodes) - len(positions))  # a table that ends early
    raw: list[tuple[str, int, int, int, int, int, int | None]] = []
    index_at: dict[int, int] = {}
    at = 0
    while at < len(opcodes):
        start, arg = at, 0
        number = opcodes[at]
        while number == EXTENDED_ARG:
            arg = (arg | arguments[at]) << 8
            at += 1
            number = opcodes[at]
        if number in HAS_ARGUMENT:
            arg |= arguments[at]
        stop = at + 1 + CACHES[number]
        destination = None
        if number in FORWARD_JUMPS:
            destination = stop + arg
        elif number in BACKWARD_JUMPS:
            destination = stop - arg
        index_at[start] = len(raw)
        raw.append((opcode.opname[number], number, arg, start, at, stop, destination))
        at = stop
    index_at[at] = len(raw)

    def index(offset: int) -> int:
        try:
            return index_at[offset]
        except KeyError:
            raise ValueError(f"{code.co_qualname}: no instruction starts at {offset * 2}") from None

    instructions = [
        Instruction(i, name, number, arg, start, at, stop, None if goes_to is None else index(goes_to), positions[at])
        for i, (name, number, arg, start, at, stop, goes_to) in enumerate(raw)
    ]
    handlers = [
        Handler(index(start), index(start + length), index(target), depth_lasti >> 1, bool(depth_lasti & 1))
        for start, length, target, depth_lasti in _exception_table(code.co_exceptiontable)
    ]
    return Decoded(instructions, handlers)


def _exception_table(table: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Its entries: start, length and target in code units, and twice the depth, plus one if lasti is pushed
    (Objects/exception_handling_notes.txt in CPython)."""
    numbers = _varints(table)
    return zip(numbers, numbers, numbers, numbers, strict=False)


def _varints(table: bytes) -> Iterator[int]:
    """Numbers of six bits a byte, the highest first; bit 6 is set in all bytes of one but the last."""
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0
