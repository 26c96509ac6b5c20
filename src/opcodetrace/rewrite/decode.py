"""Code objects, decoded into whole instructions.

The tests hold it to what the `bytecode` library reads. The script's process does without that: to import it, and the
modules that it imports, would take as long as all the rest of ours.
"""

from collections.abc import Iterator
from opcode import opname
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG, FORWARD_JUMPS, WITH_ARGUMENT

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
    count = len(opcodes)
    positions = list(code.co_positions())
    positions += [(None,) * 4] * (count - len(positions))  # a table that ends early
    raw: list[tuple[str, int, int, int, int, int, int | None]] = []
    index_at: dict[int, int] = {}
    at = 0
    while at < count:
        start, arg = at, 0
        number = opcodes[at]
        while number == EXTENDED_ARG:
            arg = (arg | arguments[at]) << 8
            at += 1
            number = opcodes[at]
        if number in WITH_ARGUMENT:
            arg |= arguments[at]
        stop = at + 1 + CACHES[number]
        destination = None
        if number in FORWARD_JUMPS:
            destination = stop + arg
        elif number in BACKWARD_JUMPS:
            destination = stop - arg
        index_at[start] = len(raw)
        raw.append((opname[number], number, arg, start, at, stop, destination))
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
    numbers = _numbers(code.co_exceptiontable)
    handlers = [
        Handler(index(start), index(start + length), index(target), depth >> 1, bool(depth & 1))
        for start, length, target, depth in zip(numbers, numbers, numbers, numbers, strict=True)
    ]
    return Decoded(instructions, handlers)


def _numbers(table: bytes) -> Iterator[int]:
    """The numbers of an exception table, four an entry: six bits a byte, the most significant first
    (Objects/exception_handling_notes.txt)."""
    number = 0
    for byte in table:
        number = number << 6 | byte & 63
        if not byte & 64:
            yield number
            number = 0
