"""Code objects, decoded by the `bytecode` library into whole instructions."""

from types import CodeType
from typing import NamedTuple

from bytecode import ConcreteBytecode
from bytecode.instr import UNSET

from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG, FORWARD_JUMPS

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
    concrete = ConcreteBytecode.from_code(code, extended_arg=True)
    units = list(concrete)
    positions = list(code.co_positions())
    positions += [(None,) * 4] * (len(units) - len(positions))  # a table that ends early
    raw: list[tuple[str, int, int, int, int, int, int | None]] = []
    index_at: dict[int, int] = {}
    at = 0
    while at < len(units):
        start, arg = at, 0
        unit = units[at]
        while unit.opcode == EXTENDED_ARG:
            arg = (arg | unit.arg) << 8
            at += 1
            unit = units[at]
        if unit.arg is not UNSET:
            arg |= unit.arg
        stop = at + 1 + CACHES[unit.opcode]
        destination = None
        if unit.opcode in FORWARD_JUMPS:
            destination = stop + arg
        elif unit.opcode in BACKWARD_JUMPS:
            destination = stop - arg
        index_at[start] = len(raw)
        raw.append((unit.name, unit.opcode, arg, start, at, stop, destination))
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
        Handler(
            index(entry.start_offset),
            index(entry.stop_offset + 1),
            index(entry.target),
            entry.stack_depth,
            entry.push_lasti,
        )
        for entry in concrete.exception_table
    ]
    return Decoded(instructions, handlers)
