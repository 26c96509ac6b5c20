"""What differs between the bytecodes of CPython 3.11 to 3.14, said once.

Sources: CPython's `Lib/opcode.py`, `Lib/_opcode_metadata.py` and `Python/bytecodes.c` of each version.
"""

import dis
import opcode
import sys

VERSION = sys.version_info[:2]
# A build without the GIL, whether or not the GIL is on in this process.
FREE_THREADED = bool(getattr(sys, "abiflags", "").find("t") >= 0)

NUMBER = {name: number for name, number in opcode.opmap.items() if number < 256}
NAME = list(opcode.opname[:256])

EXTENDED_ARG = NUMBER["EXTENDED_ARG"]
CACHE = NUMBER["CACHE"]


def _inline_caches() -> list[int]:
    """The number of CACHE code units behind each opcode."""
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

BACKWARD_JUMPS = frozenset(
    number
    for number in dis.hasjrel
    if number < 256 and ("BACKWARD" in NAME[number] or (VERSION >= (3, 14) and NAME[number] == "END_ASYNC_FOR"))
)
FORWARD_JUMPS = frozenset(number for number in dis.hasjrel if number < 256) - BACKWARD_JUMPS
UNCONDITIONAL_JUMPS = frozenset(
    {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"}
    | ({"END_ASYNC_FOR"} if VERSION >= (3, 14) else set())
)
NO_FALL_THROUGH = UNCONDITIONAL_JUMPS | {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"}

# Where the interpreter looks at the eval breaker, or calls what may give up the GIL by itself: the only instructions
# at which a thread that runs nothing but built-in operations is suspended. fidelity/test_switch_points.py holds this
# against the interpreter. (3.11 names the look CHECK_EVAL_BREAKER, 3.13 CHECK_PERIODIC, both in Python/bytecodes.c.)
SWITCH_POINTS = frozenset(
    name
    for name in (
        "RESUME",
        "JUMP_BACKWARD",
        "POP_JUMP_BACKWARD_IF_TRUE",
        "POP_JUMP_BACKWARD_IF_FALSE",
        "POP_JUMP_BACKWARD_IF_NONE",
        "POP_JUMP_BACKWARD_IF_NOT_NONE",
        "CALL",
        "CALL_KW",
        "CALL_FUNCTION_EX",
        "PRECALL",
        "BEFORE_WITH",
        "BEFORE_ASYNC_WITH",
        "WITH_EXCEPT_START",
        "LOAD_SPECIAL",
        "IMPORT_NAME",
        "SEND",
        "FOR_ITER",
    )
    if name in NUMBER
)
# Among them those at which the interpreter itself takes the GIL away; at the others only what they call gives it up.
PREEMPTION_POINTS = SWITCH_POINTS - {
    *("PRECALL", "BEFORE_WITH", "BEFORE_ASYNC_WITH", "WITH_EXCEPT_START", "LOAD_SPECIAL"),
    *("IMPORT_NAME", "SEND", "FOR_ITER"),
}
# What never runs code of the program: a thread that is inside a call of any depth stands at none of these.
_INERT = ("LOAD_FAST", "STORE_FAST", "LOAD_CONST", "LOAD_SMALL_INT", "LOAD_DEREF", "LOAD_CLOSURE", "LOAD_COMMON")
_INERT_TOO = frozenset(
    {
        "CACHE",
        "EXTENDED_ARG",
        "NOP",
        "COPY",
        "SWAP",
        "PUSH_NULL",
        "KW_NAMES",
        "MAKE_CELL",
        "COPY_FREE_VARS",
        "MAKE_FUNCTION",
        "RETURN_GENERATOR",
        "RETURN_VALUE",
        "RETURN_CONST",
        "JUMP_FORWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "IS_OP",
        "PUSH_EXC_INFO",
        "POP_EXCEPT",
        "BUILD_TUPLE",
        "BUILD_LIST",
        "NOT_TAKEN",
        "END_FOR",
        "END_SEND",
        "GET_LEN",
        "SET_FUNCTION_ATTRIBUTE",
        "LOAD_BUILD_CLASS",
        "LOAD_ASSERTION_ERROR",
    }
)


def may_run_code(name: str) -> bool:
    """Whether a thread can be found at this instruction while another one runs."""
    return name in SWITCH_POINTS or not (name.startswith(_INERT) or name in _INERT_TOO)


# Where the probe can tell by the value stack whether a C function is still running.
CALLS = frozenset({"CALL", "CALL_KW", "PRECALL", "CALL_FUNCTION_EX", "BEFORE_WITH"}) & NUMBER.keys()

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
SUBSCRIPT_OPERATOR = 26  # 3.14: BINARY_SUBSCR became BINARY_OP 26


def operation_of(name: str, arg: int) -> str:
    """The version-neutral name of an arithmetic instruction."""
    if name == "BINARY_OP":
        return BINARY_OPERATIONS[arg] if arg < len(BINARY_OPERATIONS) else "LOAD_SUBSCR"
    return name
