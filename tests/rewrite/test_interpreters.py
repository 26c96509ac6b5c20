"""The table of this Python's opcodes, held against what CPython says of itself."""

import dis
import inspect
import opcode
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from opcodetrace.errors import UnsupportedInterpreter
from opcodetrace.rewrite import interpreters
from opcodetrace.rewrite.flow.interpretation import _effect
from opcodetrace.rewrite.interpreters import HERE, NUMBER, SUPPORTED, Jump, Makes, Suspends, interpreter

# What code can hold: no pseudo-instruction (above 255) and nothing that the interpreter writes into running code.
REAL = {name for name, number in opcode.opmap.items() if number < 256 and not name.startswith("INSTRUMENTED_")}
HAVE_OWN_RULES = {name for name, each in HERE.opcodes.items() if each.makes in (Makes.MOVES, Makes.INTERNAL)}
HAVE_OWN_RULES |= {"FOR_ITER", "SEND"}
ARGUMENTS = (0, 1, 2, 3, 4, 5, 7, 8, 15, 255, 257, 1 << 12)
METADATA = Path(sysconfig.get_paths()["include"]) / "internal" / "pycore_opcode_metadata.h"


def test_every_opcode_is_classified_and_no_other() -> None:
    assert HERE.opcodes.keys() == REAL


def test_flags_of_code_are_those_of_inspect() -> None:
    ours = {name: flag for name, flag in vars(interpreters).items() if name.startswith("CO_")}
    assert ours == {name: getattr(inspect, name) for name in ours}
    assert len(ours) == 5


def test_what_jumps_is_what_dis_says() -> None:
    jumps = {name for name, each in HERE.opcodes.items() if each.jump is not Jump.NONE}
    assert not set(dis.hasjabs) & set(NUMBER.values())
    assert jumps == {name for name in REAL if NUMBER[name] in dis.hasjrel}
    backward = {name for name in jumps if HERE.opcodes[name].jump is not Jump.FORWARD}
    assert backward == {name for name in jumps if "BACKWARD" in name or name == "END_ASYNC_FOR"}


def _arguments(name: str) -> Iterator[int | None]:
    for argument in (2, 3) if name == "BUILD_SLICE" else ARGUMENTS:
        try:
            dis.stack_effect(NUMBER[name], argument)
        except ValueError:  # it has none
            yield None
            return
        yield argument


@pytest.mark.parametrize("name", sorted(REAL - HAVE_OWN_RULES - {"RETURN_GENERATOR"}))
def test_the_stack_grows_as_dis_says(name: str) -> None:
    jump = False if NUMBER[name] in dis.hasjrel else None
    found = {}
    for argument in _arguments(name):
        takes, keeps, puts, _ = _effect(name, argument or 0)
        wanted = dis.stack_effect(NUMBER[name], argument, jump=jump)
        if name == "CALL" and HERE.has_precall:
            wanted += dis.stack_effect(NUMBER["PRECALL"], argument)
        found[argument] = (keeps + puts - takes, wanted)
    if name == "RETURN_VALUE":  # 3.14 counts what the caller is given
        assert all(have == -1 for have, _ in found.values())
    else:
        assert {argument: pair for argument, pair in found.items() if pair[0] != pair[1]} == {}
    assert found


def _counts(which: str) -> dict[str, str]:
    """What CPython's generated header says of each opcode: an expression of `oparg`, as Python writes it."""
    body = re.search(rf"_PyOpcode_num_{which}\(int opcode, int oparg\)\s*{{(.*?)\n}}", METADATA.read_text(), re.DOTALL)
    assert body is not None
    found = re.findall(r"case (\w+):\s*return (.*?);", body[1])
    return {name: re.sub(r"\((.+?) \? (\d+) : (\d+)\)", r"(\2 if \1 else \3)", count) for name, count in found}


# Here the header counts what lies between, the value that the caller is given, or, before 3.14, only a part.
NOT_AS_COUNTED = {"DICT_MERGE", "DICT_UPDATE", "LIST_APPEND", "LIST_EXTEND", "MAP_ADD", "RERAISE", "RETURN_GENERATOR"}
NOT_AS_COUNTED |= {"RETURN_VALUE", "SET_ADD", "SET_UPDATE", "WITH_EXCEPT_START"}


@pytest.mark.skipif(not METADATA.exists(), reason="this version has no such header")
def test_operands_and_results_are_those_that_cpython_generates() -> None:
    popped, pushed = _counts("popped"), _counts("pushed")
    compared, differ = set(), []
    for name in sorted(REAL & popped.keys() - HAVE_OWN_RULES - NOT_AS_COUNTED):
        for argument in _arguments(name):
            takes, keeps, puts, _ = _effect(name, argument or 0)
            wanted = tuple(eval(each[name], {"oparg": argument or 0}) for each in (popped, pushed))
            if (takes, keeps + puts) != wanted:
                differ.append((name, argument, (takes, keeps + puts), wanted))
            compared.add(name)
    assert differ == []
    assert len(compared) > 50


def test_what_stores_puts_nothing_and_what_reads_does() -> None:
    for name in REAL - HAVE_OWN_RULES:
        _, _, puts, _ = _effect(name, 1)
        makes = HERE.opcodes[name].makes
        assert (puts == 0) == (makes in (Makes.NOTHING, Makes.WRITE, Makes.DELETE, Makes.GROWS)), name


def test_control_stops_at_what_leaves_the_function_or_always_jumps() -> None:
    stops = {name for name, each in HERE.opcodes.items() if not each.falls_through}
    always = {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"}
    leave = {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"}
    assert stops == (always | leave) & REAL


@pytest.mark.parametrize("version", SUPPORTED)
def test_each_version_has_backward_jumps_at_which_the_interpreter_looks_up(version: tuple[int, int]) -> None:
    table = SUPPORTED[version].opcodes
    checks = {name for name, each in table.items() if each.suspends is Suspends.BY_CHECK}
    assert {"RESUME", "CALL", "JUMP_BACKWARD"} <= checks
    assert all(table[name].jump in (Jump.NONE, Jump.BACKWARD) for name in checks)


@pytest.mark.parametrize(
    ("implementation", "version", "named"),
    [("cpython", (3, 10), "CPython 3.10"), ("cpython", (3, 15), "CPython 3.15"), ("pypy", (3, 11), "pypy 3.11")],
)
def test_another_python_is_refused_in_one_line(implementation: str, version: tuple[int, int], named: str) -> None:
    with pytest.raises(UnsupportedInterpreter) as raised:
        interpreter(implementation, version)
    assert str(raised.value) == f"this is {named}; opcodetrace records on CPython 3.11 to 3.14"
