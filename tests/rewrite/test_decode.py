"""What is decoded is what the `bytecode` library decodes, in the library of this Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from bytecode import ConcreteBytecode
from bytecode.instr import UNSET

from opcodetrace.rewrite.decode import Decoded, decode

LIBRARY = Path(os.__file__).parent
MODULES = ["argparse.py", "asyncio/tasks.py", "contextlib.py", "threading.py", "typing.py"]


def nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def assert_decoded(code: CodeType, decoded: Decoded) -> None:
    concrete = ConcreteBytecode.from_code(code, extended_arg=True)
    units = list(concrete)
    instructions = decoded.instructions
    assert [(units[each.at].name, units[each.at].opcode) for each in instructions] == [
        (each.name, each.opcode) for each in instructions
    ]
    stop = 0
    for each in instructions:  # they follow each other without a gap, and the prefixes are theirs
        assert each.start == stop
        assert {unit.name for unit in units[each.start : each.at]} <= {"EXTENDED_ARG"}
        assert {unit.name for unit in units[each.at + 1 : each.stop]} <= {"CACHE"}
        prefixes = [unit.arg for unit in units[each.start : each.at]]
        last = 0 if units[each.at].arg is UNSET else units[each.at].arg
        assert each.arg == sum(arg << 8 * place for place, arg in enumerate(reversed([*prefixes, last])))
        stop = each.stop
    assert stop == len(units)
    starts = [each.start for each in instructions] + [stop]
    assert [
        (starts[each.start], starts[each.stop] - 1, starts[each.target], each.depth, each.lasti)
        for each in decoded.handlers
    ] == [
        (each.start_offset, each.stop_offset, each.target, each.stack_depth, each.push_lasti)
        for each in concrete.exception_table
    ]


@pytest.mark.parametrize("module", MODULES)
def test_the_library(module: str) -> None:
    codes = list(nested(compile((LIBRARY / module).read_bytes(), module, "exec")))
    for code in codes:
        assert_decoded(code, decode(code))
    assert sum(len(decode(code).handlers) for code in codes) > 20


def test_long_jumps_and_arguments() -> None:
    """Arguments of two and three bytes, in jumps both ways and in others."""
    body = "\n".join(f"  x{i} = a.b{i} + {i}.5" for i in range(70_000))
    (code,) = (
        each
        for each in nested(compile(f"def f(a):\n while a:\n{body}\n  if a: break\n", "", "exec"))
        if each.co_name == "f"
    )
    decoded = decode(code)
    assert_decoded(code, decoded)
    assert max(each.at - each.start for each in decoded.instructions) == 2


def test_a_jump_into_an_instruction_is_refused() -> None:
    _, code = nested(compile("def f(a):\n while a: a.b += 1", "", "exec"))
    instructions = decode(code).instructions
    jump = next(each for each in instructions if each.name.startswith("POP_JUMP"))
    long = next(each for each in instructions if each.start > jump.at and each.stop - each.at > 1)
    data = bytearray(code.co_code)
    data[2 * jump.at + 1] = long.at + 1 - jump.stop
    with pytest.raises(ValueError, match="no instruction starts at"):
        decode(code.replace(co_code=bytes(data)))
