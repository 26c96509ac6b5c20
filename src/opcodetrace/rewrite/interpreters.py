"""What differs between the bytecodes of the CPython versions that are supported, said once: one frozen table a version.

Every opcode is classified by hand, none by default (tests/rewrite/test_interpreters.py). What is not in the tables,
by rule: numbers above 255, which only the compiler knows (pseudo-instructions); INSTRUMENTED_ and specialised opcodes,
which the interpreter puts in place of others while code runs, and which `co_code` never shows.

Sources: CPython's `Lib/opcode.py`, `Lib/_opcode_metadata.py`, `Python/ceval.c`, `Python/bytecodes.c` of each version.
"""

import opcode
import sys
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import NamedTuple

from opcodetrace.errors import UnsupportedInterpreter


class Makes(Enum):
    """What the values that an instruction puts on the stack are made of."""

    NOTHING = auto()  # it puts none there
    MOVES = auto()  # of values that exist already: each has its own rule (flow/interpretation.py)
    GROWS = auto()  # it puts none there, but what it takes into a container further down, as far as its argument says
    OPERATION = auto()  # of its operands
    OPAQUE = auto()  # of what code made that it ran, to which its operands went
    SOURCELESS = auto()  # of nothing that a location held
    READ = auto()  # of what a location holds; its operands choose the location
    WRITE = auto()  # it puts none there, but one into a location
    DELETE = auto()  # nor this, which takes it away
    INTERNAL = auto()  # the interpreter's own: never in the code of a function


class Jump(Enum):
    """Which instruction the argument names, as a distance."""

    NONE = auto()
    FORWARD = auto()
    BACKWARD = auto()
    MENTION = auto()  # backward, and control never goes there: only monitoring asks


class Suspends(IntEnum):
    """By what a thread that executes the instruction may be suspended: each also by what stands before it."""

    NEVER = 0  # except finalisers of what it releases: these instructions are not described as switch points
    BY_CODE = 1  # by code of the program that it runs: operators, hashes, comparisons, descriptors, finalisers
    BY_CALL = 2  # by what it calls, which may give up the GIL by itself
    BY_CHECK = 3  # by the interpreter, which looks at the eval breaker there


Count = int | Callable[[int], int]  # a number, or one that the argument tells


class Opcode(NamedTuple):
    """One instruction of one version.

    It takes the top `takes` values from the stack, leaves the lowest `keeps` of them where they were, and puts `puts`
    values on top, each made of all that it took. MOVES, FOR_ITER and SEND have rules of their own instead.
    """

    makes: Makes
    suspends: Suspends
    jump: Jump = Jump.NONE
    falls_through: bool = True  # whether the next instruction may follow
    shows_callee: bool = False  # whether the value stack tells if a C function is still running
    takes: Count = 0
    keeps: int = 0
    puts: Count = 0


_NEVER, _BY_CODE, _BY_CALL, _BY_CHECK = Suspends

_ALL_VERSIONS = {
    "BINARY_OP": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),  # with one argument a READ: `is_subscript`
    "BUILD_LIST": Opcode(Makes.OPERATION, _NEVER, takes=lambda arg: arg, puts=1),
    "BUILD_MAP": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: 2 * arg, puts=1),
    "BUILD_SET": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: arg, puts=1),
    "BUILD_SLICE": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: 3 if arg == 3 else 2, puts=1),
    "BUILD_STRING": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: arg, puts=1),
    "BUILD_TUPLE": Opcode(Makes.OPERATION, _NEVER, takes=lambda arg: arg, puts=1),
    "CACHE": Opcode(Makes.INTERNAL, _NEVER),
    "CALL": Opcode(Makes.OPAQUE, _BY_CHECK, shows_callee=True, takes=lambda arg: arg + 2, puts=1),
    "CALL_FUNCTION_EX": Opcode(Makes.OPAQUE, _BY_CHECK, shows_callee=True, takes=lambda arg: 3 + (arg & 1), puts=1),
    "CHECK_EG_MATCH": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=2),
    "CHECK_EXC_MATCH": Opcode(Makes.OPERATION, _BY_CODE, takes=2, keeps=1, puts=1),
    "COMPARE_OP": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "CONTAINS_OP": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "COPY": Opcode(Makes.MOVES, _NEVER),
    "COPY_FREE_VARS": Opcode(Makes.NOTHING, _NEVER),
    "DELETE_ATTR": Opcode(Makes.DELETE, _BY_CODE, takes=1),
    "DELETE_DEREF": Opcode(Makes.DELETE, _BY_CODE),
    "DELETE_FAST": Opcode(Makes.MOVES, _BY_CODE),
    "DELETE_GLOBAL": Opcode(Makes.DELETE, _BY_CODE),
    "DELETE_NAME": Opcode(Makes.DELETE, _BY_CODE),
    "DELETE_SUBSCR": Opcode(Makes.DELETE, _BY_CODE, takes=2),
    "DICT_MERGE": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "DICT_UPDATE": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "EXTENDED_ARG": Opcode(Makes.INTERNAL, _NEVER),  # a part of the instruction that follows
    "FOR_ITER": Opcode(Makes.OPAQUE, _BY_CALL, Jump.FORWARD),
    "GET_AITER": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "GET_ANEXT": Opcode(Makes.OPAQUE, _BY_CODE, takes=1, keeps=1, puts=1),
    "GET_AWAITABLE": Opcode(Makes.OPAQUE, _BY_CODE, takes=1, puts=1),
    "GET_ITER": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "GET_LEN": Opcode(Makes.OPERATION, _BY_CODE, takes=1, keeps=1, puts=1),
    "GET_YIELD_FROM_ITER": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "IMPORT_FROM": Opcode(Makes.SOURCELESS, _BY_CODE, takes=1, keeps=1, puts=1),
    "IMPORT_NAME": Opcode(Makes.SOURCELESS, _BY_CALL, takes=2, puts=1),
    "IS_OP": Opcode(Makes.OPERATION, _NEVER, takes=2, puts=1),
    "JUMP_BACKWARD": Opcode(Makes.NOTHING, _BY_CHECK, Jump.BACKWARD, falls_through=False),
    "JUMP_BACKWARD_NO_INTERRUPT": Opcode(Makes.NOTHING, _NEVER, Jump.BACKWARD, falls_through=False),
    "JUMP_FORWARD": Opcode(Makes.NOTHING, _NEVER, Jump.FORWARD, falls_through=False),
    "LIST_APPEND": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "LIST_EXTEND": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "LOAD_ATTR": Opcode(Makes.READ, _BY_CODE, takes=1, puts=lambda arg: 1 + (arg & 1)),
    "LOAD_BUILD_CLASS": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "LOAD_CONST": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "LOAD_DEREF": Opcode(Makes.READ, _NEVER, puts=1),
    "LOAD_FAST": Opcode(Makes.MOVES, _NEVER),
    "LOAD_GLOBAL": Opcode(Makes.READ, _BY_CODE, puts=lambda arg: 1 + (arg & 1)),
    "LOAD_NAME": Opcode(Makes.READ, _BY_CODE, puts=1),
    "MAKE_CELL": Opcode(Makes.NOTHING, _NEVER),
    "MAKE_FUNCTION": Opcode(Makes.SOURCELESS, _NEVER, takes=1, puts=1),
    "MAP_ADD": Opcode(Makes.GROWS, _BY_CODE, takes=2),
    "MATCH_CLASS": Opcode(Makes.OPAQUE, _BY_CODE, takes=3, puts=1),
    "MATCH_KEYS": Opcode(Makes.OPAQUE, _BY_CODE, takes=2, keeps=2, puts=1),
    "MATCH_MAPPING": Opcode(Makes.OPERATION, _BY_CODE, takes=1, keeps=1, puts=1),
    "MATCH_SEQUENCE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, keeps=1, puts=1),
    "NOP": Opcode(Makes.NOTHING, _NEVER),
    "POP_EXCEPT": Opcode(Makes.NOTHING, _NEVER, takes=1),
    "POP_TOP": Opcode(Makes.NOTHING, _BY_CODE, takes=1),
    "PUSH_EXC_INFO": Opcode(Makes.OPAQUE, _NEVER, takes=1, puts=2),
    "PUSH_NULL": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "RAISE_VARARGS": Opcode(Makes.NOTHING, _BY_CODE, falls_through=False, takes=lambda arg: arg),
    "RERAISE": Opcode(Makes.NOTHING, _BY_CODE, falls_through=False, takes=1),
    "RESUME": Opcode(Makes.NOTHING, _BY_CHECK),
    "RETURN_GENERATOR": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "RETURN_VALUE": Opcode(Makes.NOTHING, _NEVER, falls_through=False, takes=1),
    "SEND": Opcode(Makes.OPAQUE, _BY_CALL, Jump.FORWARD),
    "SETUP_ANNOTATIONS": Opcode(Makes.NOTHING, _BY_CODE),
    "SET_ADD": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "SET_UPDATE": Opcode(Makes.GROWS, _BY_CODE, takes=1),
    "STORE_ATTR": Opcode(Makes.WRITE, _BY_CODE, takes=2),
    "STORE_DEREF": Opcode(Makes.WRITE, _BY_CODE, takes=1),
    "STORE_FAST": Opcode(Makes.MOVES, _NEVER),
    "STORE_GLOBAL": Opcode(Makes.WRITE, _BY_CODE, takes=1),
    "STORE_NAME": Opcode(Makes.WRITE, _BY_CODE, takes=1),
    "STORE_SUBSCR": Opcode(Makes.WRITE, _BY_CODE, takes=3),
    "SWAP": Opcode(Makes.MOVES, _NEVER),
    "UNARY_INVERT": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "UNARY_NEGATIVE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "UNARY_NOT": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "UNPACK_EX": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=lambda arg: (arg & 0xFF) + (arg >> 8) + 1),
    "UNPACK_SEQUENCE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=lambda arg: arg),
    "WITH_EXCEPT_START": Opcode(Makes.OPAQUE, _BY_CALL, takes=4, keeps=4, puts=1),
    "YIELD_VALUE": Opcode(Makes.OPAQUE, _BY_CODE, takes=1, puts=1),
}
_ONLY_3_11 = {
    "LOAD_ATTR": Opcode(Makes.READ, _BY_CODE, takes=1, puts=1),
    "ASYNC_GEN_WRAP": Opcode(Makes.OPAQUE, _BY_CODE, takes=1, puts=1),
    "IMPORT_STAR": Opcode(Makes.NOTHING, _BY_CODE, takes=1),
    "JUMP_IF_FALSE_OR_POP": Opcode(Makes.MOVES, _BY_CODE, Jump.FORWARD),
    "JUMP_IF_TRUE_OR_POP": Opcode(Makes.MOVES, _BY_CODE, Jump.FORWARD),
    "LIST_TO_TUPLE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "LOAD_CLASSDEREF": Opcode(Makes.READ, _BY_CODE, puts=1),
    "LOAD_METHOD": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=2),
    "POP_JUMP_BACKWARD_IF_FALSE": Opcode(Makes.NOTHING, _BY_CHECK, Jump.BACKWARD, takes=1),
    "POP_JUMP_BACKWARD_IF_NONE": Opcode(Makes.NOTHING, _BY_CHECK, Jump.BACKWARD, takes=1),
    "POP_JUMP_BACKWARD_IF_NOT_NONE": Opcode(Makes.NOTHING, _BY_CHECK, Jump.BACKWARD, takes=1),
    "POP_JUMP_BACKWARD_IF_TRUE": Opcode(Makes.NOTHING, _BY_CHECK, Jump.BACKWARD, takes=1),
    "POP_JUMP_FORWARD_IF_FALSE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_FORWARD_IF_NONE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_FORWARD_IF_NOT_NONE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_FORWARD_IF_TRUE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "PRECALL": Opcode(Makes.MOVES, _BY_CALL, shows_callee=True),
    "PREP_RERAISE_STAR": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "PRINT_EXPR": Opcode(Makes.NOTHING, _BY_CODE, takes=1),
    "UNARY_POSITIVE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
}
_UNTIL_3_12 = {
    "MAKE_FUNCTION": Opcode(Makes.SOURCELESS, _NEVER, takes=lambda arg: 1 + (arg & 15).bit_count(), puts=1),
    "FORMAT_VALUE": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: 2 if arg & 4 else 1, puts=1),
    "KW_NAMES": Opcode(Makes.NOTHING, _NEVER),
    "LOAD_CLOSURE": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
}
_UNTIL_3_13 = {
    "BEFORE_ASYNC_WITH": Opcode(Makes.OPAQUE, _BY_CALL, takes=1, puts=2),
    "BEFORE_WITH": Opcode(Makes.OPAQUE, _BY_CALL, shows_callee=True, takes=1, puts=2),
    "BINARY_SUBSCR": Opcode(Makes.READ, _BY_CODE, takes=2, puts=1),
    "BUILD_CONST_KEY_MAP": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: arg + 1, puts=1),
    "END_ASYNC_FOR": Opcode(Makes.NOTHING, _BY_CODE, takes=2),
    "LOAD_ASSERTION_ERROR": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
}
_SINCE_3_12 = {
    "BINARY_SLICE": Opcode(Makes.READ, _BY_CODE, takes=3, puts=1),
    "CALL_INTRINSIC_1": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "CALL_INTRINSIC_2": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "CLEANUP_THROW": Opcode(Makes.OPERATION, _BY_CODE, takes=3, puts=2),
    "END_FOR": Opcode(Makes.NOTHING, _NEVER, takes=1),
    "END_SEND": Opcode(Makes.OPERATION, _NEVER, takes=2, puts=1),
    "INTERPRETER_EXIT": Opcode(Makes.INTERNAL, _BY_CODE, falls_through=False),
    "LOAD_FAST_AND_CLEAR": Opcode(Makes.MOVES, _NEVER),
    "LOAD_FAST_CHECK": Opcode(Makes.MOVES, _NEVER),
    "LOAD_FROM_DICT_OR_DEREF": Opcode(Makes.READ, _BY_CODE, takes=1, puts=1),
    "LOAD_FROM_DICT_OR_GLOBALS": Opcode(Makes.READ, _BY_CODE, takes=1, puts=1),
    "LOAD_LOCALS": Opcode(Makes.SOURCELESS, _BY_CODE, puts=1),
    "LOAD_SUPER_ATTR": Opcode(Makes.OPAQUE, _BY_CODE, takes=3, puts=lambda arg: 1 + (arg & 1)),
    "POP_JUMP_IF_FALSE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_IF_NONE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_IF_NOT_NONE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "POP_JUMP_IF_TRUE": Opcode(Makes.NOTHING, _BY_CODE, Jump.FORWARD, takes=1),
    "RESERVED": Opcode(Makes.INTERNAL, _NEVER),
    "STORE_SLICE": Opcode(Makes.WRITE, _BY_CODE, takes=4),
}
_ONLY_3_12 = {
    "END_FOR": Opcode(Makes.NOTHING, _NEVER, takes=2),
}
_FROM_3_12_TO_3_13 = {
    "RETURN_CONST": Opcode(Makes.NOTHING, _NEVER, falls_through=False),
}
_SINCE_3_13 = {
    "CALL_KW": Opcode(Makes.OPAQUE, _BY_CHECK, shows_callee=True, takes=lambda arg: arg + 3, puts=1),
    "CONVERT_VALUE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "ENTER_EXECUTOR": Opcode(Makes.INTERNAL, _BY_CODE),
    "EXIT_INIT_CHECK": Opcode(Makes.INTERNAL, _BY_CODE),
    "FORMAT_SIMPLE": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
    "FORMAT_WITH_SPEC": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "LOAD_FAST_LOAD_FAST": Opcode(Makes.MOVES, _NEVER),
    "SET_FUNCTION_ATTRIBUTE": Opcode(Makes.OPERATION, _NEVER, takes=2, puts=1),
    "STORE_FAST_LOAD_FAST": Opcode(Makes.MOVES, _NEVER),
    "STORE_FAST_STORE_FAST": Opcode(Makes.MOVES, _NEVER),
    "TO_BOOL": Opcode(Makes.OPERATION, _BY_CODE, takes=1, puts=1),
}
_SINCE_3_14 = {
    "CALL_FUNCTION_EX": Opcode(Makes.OPAQUE, _BY_CHECK, shows_callee=True, takes=4, puts=1),
    "WITH_EXCEPT_START": Opcode(Makes.OPAQUE, _BY_CALL, takes=5, keeps=5, puts=1),
    "BUILD_INTERPOLATION": Opcode(Makes.OPERATION, _BY_CODE, takes=lambda arg: 2 + (arg & 1), puts=1),
    "BUILD_TEMPLATE": Opcode(Makes.OPERATION, _BY_CODE, takes=2, puts=1),
    "END_ASYNC_FOR": Opcode(Makes.NOTHING, _BY_CODE, Jump.MENTION, takes=2),  # of the SEND of this loop
    "LOAD_COMMON_CONSTANT": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "LOAD_FAST_BORROW": Opcode(Makes.MOVES, _NEVER),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": Opcode(Makes.MOVES, _NEVER),
    "LOAD_SMALL_INT": Opcode(Makes.SOURCELESS, _NEVER, puts=1),
    "LOAD_SPECIAL": Opcode(Makes.OPAQUE, _BY_CALL, takes=1, puts=2),
    "NOT_TAKEN": Opcode(Makes.NOTHING, _NEVER),
    "POP_ITER": Opcode(Makes.NOTHING, _BY_CODE, takes=1),
}


class Interpreter(NamedTuple):
    """One version of CPython."""

    opcodes: Mapping[str, Opcode]
    name_shifts: Mapping[str, int]  # by how many bits the argument of a load is shifted to be the number of its name
    comparison_shift: int  # by how many bits that of a COMPARE_OP is, to be the number of its operator
    loads_methods_as_attributes: bool  # LOAD_ATTR's lowest bit: it loads a method, and its object for the call
    null_above_callee: bool  # what is pushed with a callee that is no method lies above it, not below
    exhausted_loop_keeps_iterator: bool  # FOR_ITER and SEND leave what they iterate over to an instruction that follows
    has_precall: bool  # a call is two instructions, PRECALL and CALL
    stands_behind_caches: bool  # while a Python function runs, its caller stands at the last cache entry of its call
    load_cell: str  # the instruction that puts a cell itself on the stack
    subscript_operator: int | None  # the BINARY_OP that is a subscript


def _interpreter(*opcodes: Mapping[str, Opcode], minor: int) -> Interpreter:
    merged = {name: each for table in opcodes for name, each in table.items()}
    shifts = {"LOAD_GLOBAL": 1, "LOAD_NAME": 0, "LOAD_ATTR": 1 if minor >= 12 else 0}
    shifts |= {"LOAD_METHOD": 0} if minor == 11 else {"LOAD_SUPER_ATTR": 2}
    return Interpreter(
        MappingProxyType(merged),
        MappingProxyType(shifts),
        comparison_shift={11: 0, 12: 4}.get(minor, 5),
        loads_methods_as_attributes=minor >= 12,
        null_above_callee=minor >= 13,
        exhausted_loop_keeps_iterator=minor >= 12,
        has_precall=minor == 11,
        stands_behind_caches=minor <= 12,
        load_cell="LOAD_CLOSURE" if minor <= 12 else "LOAD_FAST",
        subscript_operator=26 if minor >= 14 else None,
    )


SUPPORTED: Mapping[tuple[int, int], Interpreter] = MappingProxyType(
    {
        (3, 11): _interpreter(_ALL_VERSIONS, _ONLY_3_11, _UNTIL_3_12, _UNTIL_3_13, minor=11),
        (3, 12): _interpreter(
            _ALL_VERSIONS, _UNTIL_3_12, _UNTIL_3_13, _SINCE_3_12, _ONLY_3_12, _FROM_3_12_TO_3_13, minor=12
        ),
        (3, 13): _interpreter(_ALL_VERSIONS, _UNTIL_3_13, _SINCE_3_12, _FROM_3_12_TO_3_13, _SINCE_3_13, minor=13),
        (3, 14): _interpreter(_ALL_VERSIONS, _SINCE_3_12, _SINCE_3_13, _SINCE_3_14, minor=14),
    }
)


def interpreter(implementation: str, version: tuple[int, int]) -> Interpreter:
    """The table of this version. Raises UnsupportedInterpreter, in words for the user, if there is none."""
    if implementation == "cpython" and version in SUPPORTED:
        return SUPPORTED[version]
    (major, oldest), (_, newest) = min(SUPPORTED), max(SUPPORTED)
    name = "CPython" if implementation == "cpython" else implementation
    raise UnsupportedInterpreter(
        f"this is {name} {version[0]}.{version[1]}; opcodetrace records on CPython {major}.{oldest} to {major}.{newest}"
    )


HERE = interpreter(sys.implementation.name, sys.version_info[:2])
# A build without the GIL, whether or not the GIL is on in this process.
FREE_THREADED = "t" in getattr(sys, "abiflags", "")

NUMBER = {name: number for name, number in opcode.opmap.items() if number < 256}

# Of `co_flags`, the same in all versions (Include/cpython/code.h). `inspect` has them, which loads much.
CO_VARARGS = 0x04
CO_VARKEYWORDS = 0x08
CO_GENERATOR = 0x20
CO_COROUTINE = 0x80
CO_ASYNC_GENERATOR = 0x200

COMPARISONS: tuple[str, ...] = opcode.cmp_op

EXTENDED_ARG = NUMBER["EXTENDED_ARG"]
CACHE = NUMBER["CACHE"]


def _inline_caches() -> list[int]:
    """The number of CACHE code units after each opcode."""
    entries = opcode._inline_cache_entries  # type: ignore[attr-defined]  # a list until 3.12, then a dict by name
    caches = [0] * 256
    if isinstance(entries, dict):
        for name, count in entries.items():
            if name in NUMBER:
                caches[NUMBER[name]] = count
    else:
        caches[:] = entries[:256]
    return caches


CACHES = _inline_caches()


def _named(*jumps: Jump) -> frozenset[int]:
    return frozenset(NUMBER[name] for name, each in HERE.opcodes.items() if each.jump in jumps and name in NUMBER)


FORWARD_JUMPS = _named(Jump.FORWARD)
BACKWARD_JUMPS = _named(Jump.BACKWARD, Jump.MENTION)

# What asks whether a value is true. From 3.13 on that is an instruction of its own, and the others are given a bool.
TRUTH_TESTS = frozenset(
    {"TO_BOOL"}
    if "TO_BOOL" in NUMBER
    else {
        name
        for name in NUMBER
        if name == "UNARY_NOT" or ("JUMP" in name and ("_IF_TRUE" in name or "_IF_FALSE" in name))
    }
)

# Where the interpreter looks at the eval breaker, or calls what may give up the GIL by itself: the only instructions
# at which a thread that runs nothing but built-in operations is suspended. fidelity/test_switch_points.py holds this
# against the interpreter. (3.11 names the look CHECK_EVAL_BREAKER, 3.13 CHECK_PERIODIC, both in Python/bytecodes.c.)
SWITCH_POINTS = frozenset(name for name, each in HERE.opcodes.items() if each.suspends >= Suspends.BY_CALL)

# BINARY_OP's operators (Include/opcode.h, NB_*), in the vocabulary of reports.
_OPERATORS = [
    "ADD",
    "AND",
    "FLOOR_DIVIDE",
    "LSHIFT",
    "MATRIX_MULTIPLY",
    "MULTIPLY",
    "REMAINDER",
    "OR",
    "POWER",
    "RSHIFT",
    "SUBTRACT",
    "TRUE_DIVIDE",
    "XOR",
]
BINARY_OPERATIONS = tuple(f"BINARY_{name}" for name in _OPERATORS) * 2  # the second half are the in-place ones


def is_subscript(name: str, arg: int) -> bool:
    """Whether the instruction reads an item."""
    return name == "BINARY_SUBSCR" or (name == "BINARY_OP" and arg == HERE.subscript_operator)


def is_update(name: str, arg: int) -> bool:
    """Whether the instruction is `|=`, by which a dictionary or a set is updated."""
    return name == "BINARY_OP" and arg == len(_OPERATORS) + _OPERATORS.index("OR")


def operation_of(name: str, arg: int) -> str:
    """The version-neutral name of an arithmetic instruction."""
    if name == "BINARY_OP":
        return BINARY_OPERATIONS[arg] if arg < len(BINARY_OPERATIONS) else "LOAD_SUBSCR"
    return name
