"""Puts hooks between the instructions of a code object, and moves only what must move.

Every instruction, name, constant and position of the original keeps its index and its order. What moves: the distances
of jumps, the exception table and the line table (CPython's Objects/exception_handling_notes.txt and
Objects/locations.md).
"""

from bisect import bisect_right
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.decode import Decoded
from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG

HOOK_STACK = 4  # the most values that a hook puts on the stack at a time


class Spliced(NamedTuple):
    """`at[i]` is where the i-th original instruction lies now, in code units."""

    bytecode: bytes
    exception_table: bytes
    line_table: bytes
    at: list[int]


def encode(opcode: int, arg: int) -> bytes:
    """One instruction without its caches; raises ValueError beyond 24 bits."""
    if arg < 256:
        return bytes((opcode, arg))
    if arg < 65536:
        return bytes((EXTENDED_ARG, arg >> 8, opcode, arg & 255))
    if arg < 1 << 24:
        return bytes((EXTENDED_ARG, arg >> 16, EXTENDED_ARG, arg >> 8 & 255, opcode, arg & 255))
    raise ValueError(f"argument {arg} is too large")


def _varint(value: int, mark: int = 0) -> bytes:
    """An exception table's number: six bits a byte, the most significant first; `mark` begins an entry."""
    digits = [value & 63]
    value >>= 6
    while value:
        digits.append(value & 63 | 64)
        value >>= 6
    digits[-1] |= mark
    return bytes(reversed(digits))


def splice(code: CodeType, decoded: Decoded, before: dict[int, bytes], after: dict[int, bytes]) -> Spliced:
    """`before` and `after` hold the bytes to put before and after an instruction, by its index."""
    instructions = decoded.instructions
    count = len(instructions)
    prefixes = [
        i.at - i.start if i.target is None else 0  # a jump's prefixes are counted anew
        for i in instructions
    ]
    args = [i.arg for i in instructions]
    head = [len(before.get(i, b"")) // 2 for i in range(count)]
    tail = [len(after.get(i, b"")) // 2 for i in range(count)]
    caches = [CACHES[i.opcode] for i in instructions]
    jumps = [(i.ordinal, i.target, i.opcode in BACKWARD_JUMPS) for i in instructions if i.target is not None]
    begin = [0] * (count + 1)
    settled = False
    while not settled:
        at = 0
        for i in range(count):
            begin[i] = at
            at += head[i] + prefixes[i] + 1 + caches[i] + tail[i]
        begin[count] = at
        settled = True
        for i, target, backward in jumps:
            next_one = begin[i] + head[i] + prefixes[i] + 1 + caches[i]
            distance = next_one - begin[target] if backward else begin[target] - next_one
            if distance < 0:
                raise ValueError(f"{code.co_qualname}: a jump has changed its direction")
            args[i] = distance
            needed = 0 if distance < 256 else 1 if distance < 65536 else 2
            if needed > prefixes[i]:
                prefixes[i] = needed
                settled = False

    out: list[bytes] = []
    for i, instruction in enumerate(instructions):
        if i in before:
            out.append(before[i])
        arg = args[i]
        for place in range(prefixes[i], 0, -1):
            out.append(bytes((EXTENDED_ARG, arg >> 8 * place & 255)))
        out.append(bytes((instruction.opcode, arg & 255)))
        out.append(bytes(2 * caches[i]))
        if i in after:
            out.append(after[i])

    table = b"".join(
        _varint(begin[h.start], 128)
        + _varint(begin[h.stop] - begin[h.start])
        + _varint(begin[h.target])
        + _varint(h.depth << 1 | h.lasti)
        for h in decoded.handlers
    )
    starts = [i.start for i in instructions] + [instructions[-1].stop]
    return Spliced(
        b"".join(out),
        table,
        _line_table(code.co_linetable, starts, begin),
        [begin[i] + head[i] + prefixes[i] for i in range(count)],
    )


def _line_table(table: bytes, starts: list[int], begin: list[int]) -> bytes:
    """Stretches each entry over the hooks of its instructions; an entry covers at most eight units."""
    out = bytearray()
    i = old = new = 0
    while i < len(table):
        head = table[i]
        kind = head >> 3 & 15
        old += (head & 7) + 1
        i += 1
        start = i
        while i < len(table) and not table[i] & 128:
            i += 1
        payload = table[start:i]
        owner = bisect_right(starts, old) - 1
        end = begin[owner] if starts[owner] == old else min(begin[owner] + old - starts[owner], begin[owner + 1])
        length = end - new
        new = end
        if length <= 0:
            raise ValueError("an entry of the line table covers no instruction")
        # A continued entry must not move the line again.
        if kind in (11, 12):
            kind_after, payload_after = 10, payload
        elif kind == 13:
            kind_after, payload_after = 13, b"\0"
        elif kind == 14:
            delta = 0
            while payload[delta] & 64:
                delta += 1
            kind_after, payload_after = 14, b"\0" + payload[delta + 1 :]
        else:
            kind_after, payload_after = kind, payload
        while length > 0:
            units = min(length, 8)
            out.append(128 | kind << 3 | units - 1)
            out += payload
            length -= units
            kind, payload = kind_after, payload_after
    return bytes(out)
