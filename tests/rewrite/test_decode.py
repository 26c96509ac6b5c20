"""Decoded code, held against what the `bytecode` library reads of it."""

import opcode
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from bytecode import ConcreteBytecode
from bytecode.instr import UNSET

from opcodetrace.rewrite.decode import decode
from opcodetrace.rewrite.interpreters import BACKWARD_JUMPS, EXTENDED_ARG, FORWARD_JUMPS

LIBRARY = Path(opcode.__file__).parent
MODULES = "argparse contextlib dataclasses inspect opcode tarfile typing asyncio/tasks".split()  # noqa: SIM905
FAR = (
    "def far(k, d):\n    while k:\n        try:\n"
    + "            d[k] = d[k] + 1, k\n" * 3000
    + """
        except KeyError:
            k += 1
        finally:
            d.clear()
"""
)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _codes() -> Iterator[CodeType]:
    for module in MODULES:
        path = LIBRARY / f"{module}.py"
        yield from _nested(compile(path.read_bytes(), path, "exec", dont_inherit=True))
    yield from _nested(compile(FAR, "far.py", "exec"))


def test_each_instruction_is_what_the_library_reads() -> None:
    prefixes, count = 0, 0
    for code in _codes():
        units = list(ConcreteBytecode.from_code(code, extended_arg=True))
        positions = list(code.co_positions())
        instructions = decode(code).instructions
        after = 0
        for number, each in enumerate(instructions):
            arg = 0
            for unit in units[each.start : each.at]:
                assert unit.opcode == EXTENDED_ARG
                arg = (arg | unit.arg) << 8
            unit = units[each.at]
            arg |= 0 if unit.arg is UNSET else unit.arg
            assert (each.ordinal, each.start) == (number, after)
            assert (each.name, each.opcode, each.arg) == (unit.name, unit.opcode, arg)
            assert {unit.name for unit in units[each.at + 1 : each.stop]} <= {"CACHE"}
            assert each.position == positions[each.at]
            if each.opcode in FORWARD_JUMPS | BACKWARD_JUMPS:
                assert each.target is not None
                distance = instructions[each.target].start - each.stop
                assert abs(distance) == each.arg
                assert (distance < 0) == (each.opcode in BACKWARD_JUMPS) or not distance
            else:
                assert each.target is None
            after = each.stop
            prefixes += each.at - each.start
        assert after == len(units)
        count += len(instructions)
    assert count > 50_000
    assert prefixes > 50


def test_each_handler_is_what_the_library_reads() -> None:
    count = 0
    for code in _codes():
        decoded = decode(code)
        starts = [each.start for each in decoded.instructions] + [len(code.co_code) // 2]
        found = [
            (starts[each.start], starts[each.stop] - 1, starts[each.target], each.depth, each.lasti)
            for each in decoded.handlers
        ]
        assert found == [
            (entry.start_offset, entry.stop_offset, entry.target, entry.stack_depth, entry.push_lasti)
            for entry in ConcreteBytecode.from_code(code, extended_arg=True).exception_table
        ]
        count += len(found)
    assert count > 500


def _looping(k: int) -> None:
    while k:
        try:
            k -= 1
        except ValueError:
            k -= 2


@pytest.mark.parametrize("kept", range(1, len(_looping.__code__.co_exceptiontable)))
def test_a_table_that_is_cut_is_never_read_as_another(kept: int) -> None:
    code = _looping.__code__
    whole = decode(code).handlers
    cut = code.replace(co_exceptiontable=code.co_exceptiontable[:kept])
    try:
        handlers = decode(cut).handlers
    except ValueError:
        return
    assert handlers == whole[: len(handlers)]
    assert len(handlers) < len(whole)


def test_a_jump_into_nowhere_is_refused() -> None:
    code = _looping.__code__
    jump = next(each for each in decode(code).instructions if each.target is not None)
    instructions = bytearray(code.co_code)
    instructions[2 * jump.at + 1] = 255
    with pytest.raises(ValueError, match="_looping: no instruction starts at"):
        decode(code.replace(co_code=bytes(instructions)))
