"""Puts hooks between the instructions of a code object, and moves only what must move.

Every instruction, name, constant and position of the original keeps its index and its order. What moves: the distances
of jumps, the exception table and the line table (CPython's Objects/exception_handling_notes.txt and
Objects/locations.md).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from types import CodeType, MappingProxyType
from typing import NamedTuple

from opcodetrace.rewrite.decode import Decoded, Handler
from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, CACHES, EXTENDED_ARG, NUMBER

HOOK_STACK = 4  # the most values that a hook puts on the stack at a time
TRAP_STACK = 5  # what a trap puts there: the instruction's place, the exception, and the three values of its hook
_RERAISE = bytes((NUMBER["RERAISE"], 1))  # from the place that lies below the exception
_NO_LOCATION = 15  # PY_CODE_LOCATION_INFO_NONE
MARK_STACK = 1  # a place that nothing reaches: the probe's mark of the activation lies there (probe/activation.h)


class Trap(NamedTuple):
    """A handler of ours for one instruction alone: if it raises, the hook in `code` runs, and the exception goes on as
    if there had been no handler. `depth` values of the stack are left."""

    depth: int
    code: bytes


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


def splice(
    code: CodeType,
    decoded: Decoded,
    before: dict[int, bytes],
    after: dict[int, bytes],
    entry: int | None = None,
    traps: Mapping[int, Trap] = MappingProxyType({}),
) -> Spliced:
    """`before` and `after` hold the bytes to put before and after an instruction, by its index. Its trap, if it has
    one, comes last of all. What comes after `entry` has no line: tracing begins after RESUME, and would see the
    function's own line there. Nor have traps: entering one is no event of the program."""
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

    own = [(begin[i] + head[i], begin[i + 1] - tail[i]) for i in range(count)]
    entries, trapping = _exception_entries(decoded.handlers, begin, own, traps)
    out += trapping
    table = b"".join(
        _varint(h.start, 128) + _varint(h.stop - h.start) + _varint(h.target) + _varint(h.depth << 1 | h.lasti)
        for h in entries
    )
    starts = [i.start for i in instructions] + [instructions[-1].stop]
    blank = range(0) if entry is None else range(begin[entry + 1] - tail[entry], begin[entry + 1])
    return Spliced(
        b"".join(out),
        table,
        _line_table(code.co_linetable, starts, begin, blank) + _no_lines(sum(map(len, trapping)) // 2),
        [begin[i] + head[i] + prefixes[i] for i in range(count)],
    )


def _exception_entries(
    handlers: list[Handler], begin: list[int], own: list[tuple[int, int]], traps: Mapping[int, Trap]
) -> tuple[list[Handler], list[bytes]]:
    """The table's entries in code units, and the code of the traps, which comes after everything else.

    An instruction with a trap is cut out of the handler round it, and the trap itself lies inside that."""
    entries: list[Handler] = []
    around: dict[int, Handler] = {}
    trapped = sorted(traps)
    for h in handlers:
        target, at = begin[h.target], begin[h.start]
        for i in trapped[bisect_left(trapped, h.start) : bisect_left(trapped, h.stop)]:
            around[i] = Handler(0, 0, target, h.depth, h.lasti)
            entries.append(Handler(at, own[i][0], target, h.depth, h.lasti))
            at = own[i][1]
        entries.append(Handler(at, begin[h.stop], target, h.depth, h.lasti))
    code: list[bytes] = []
    inside: list[Handler] = []
    at = begin[-1]
    for i in trapped:
        trap = traps[i]
        entries.append(Handler(*own[i], at, trap.depth, True))
        start, at = at, at + (len(trap.code) + len(_RERAISE)) // 2
        code += (trap.code, _RERAISE)
        if i in around:
            outer = around[i]._replace(start=start, stop=at)
            if inside and inside[-1][1:] == (start, *outer[2:]):
                outer = outer._replace(start=inside.pop().start)
            inside.append(outer)
    return [each for each in sorted(entries) if each.start < each.stop] + inside, code


def _no_lines(units: int) -> bytes:
    """Entries of the line table for code that is on no line."""
    return bytes(128 | _NO_LOCATION << 3 | min(8, units - at) - 1 for at in range(0, units, 8))


def _line_table(table: bytes, starts: list[int], begin: list[int], blank: range) -> bytes:
    """Stretches each entry over the hooks of its instructions; an entry covers at most eight units. Those of `blank`
    are on no line."""
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
        at, new = new, end
        if at >= end:
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
        while at < end:
            stop = min(end, at + 8)
            if at in blank:
                stop = min(stop, blank.stop)
                out.append(128 | _NO_LOCATION << 3 | stop - at - 1)
            else:
                if at < blank.start < stop:
                    stop = blank.start
                out.append(128 | kind << 3 | stop - at - 1)
                out += payload
                kind, payload = kind_after, payload_after
            at = stop
    return bytes(out)
