"""What the location of an access may be, as far as its instruction tells."""

from __future__ import annotations

from types import CodeType

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.flow.nodes import NOTHING, Nodes
from opcodetrace.rewrite.interpreters import HERE, is_subscript

# What a location may be: ("item", constant key), ("name", attribute or global), ("cell", index), ("any", None).
Key = tuple[str, object]

ANY_KEY = object()  # the key of a subscript that is no constant


def key_may_be(one: Key, other: Key) -> bool:
    if "any" in (one[0], other[0]):
        return True
    if {one[0], other[0]} == {"item", "name"}:
        return one[1] == other[1]  # vars(o)["x"] and o.x
    if one[0] != other[0]:
        return False
    if one[0] == "item":
        return one[1] is ANY_KEY or other[1] is ANY_KEY or (type(one[1]) is type(other[1]) and one[1] == other[1])
    return one[1] == other[1]


def access_keys(code: CodeType, decoded: Decoded, subscript_keys: dict[int, Nodes] | None = None) -> dict[int, Key]:
    """What the location of each access may be, by the index of its instruction. Without `subscript_keys` the key of
    every subscript is unknown."""
    keys: dict[int, Key] = {}
    for instruction in decoded.instructions:
        name, arg = instruction.name, instruction.arg
        match name:
            case "STORE_SUBSCR" | "DELETE_SUBSCR":
                pass
            case "BINARY_SUBSCR" | "BINARY_OP" if is_subscript(name, arg):
                pass
            case "BINARY_SLICE" | "STORE_SLICE":
                keys[instruction.ordinal] = ("item", ANY_KEY)
                continue
            case "LOAD_ATTR":
                if HERE.loads_methods_as_attributes and arg & 1:
                    continue
                keys[instruction.ordinal] = ("name", code.co_names[arg >> HERE.name_shifts[name]])
                continue
            case "STORE_ATTR" | "DELETE_ATTR" | "STORE_GLOBAL" | "DELETE_GLOBAL" | "STORE_NAME" | "DELETE_NAME":
                keys[instruction.ordinal] = ("name", code.co_names[arg])
                continue
            case "LOAD_NAME" | "LOAD_FROM_DICT_OR_GLOBALS":
                keys[instruction.ordinal] = ("name", code.co_names[arg])
                continue
            case "LOAD_GLOBAL":
                keys[instruction.ordinal] = ("name", code.co_names[arg >> 1])
                continue
            case "LOAD_DEREF" | "LOAD_CLASSDEREF" | "LOAD_FROM_DICT_OR_DEREF" | "STORE_DEREF" | "DELETE_DEREF":
                keys[instruction.ordinal] = ("cell", arg)
                continue
            case _:
                continue
        made_by = (subscript_keys or {}).get(instruction.ordinal, NOTHING)
        keys[instruction.ordinal] = ("item", constant_key(code, decoded.instructions, made_by))
    return keys


def called_attributes(code: CodeType, decoded: Decoded) -> dict[int, Key]:
    """The same of attributes that are called where they are read, as if they were methods: `self.callback()`. Most are
    methods, and no locations."""
    keys: dict[int, Key] = {}
    for instruction in decoded.instructions:
        name, arg = instruction.name, instruction.arg
        if name == "LOAD_METHOD" or (name == "LOAD_ATTR" and HERE.loads_methods_as_attributes and arg & 1):
            keys[instruction.ordinal] = ("name", code.co_names[arg >> HERE.name_shifts[name]])
    return keys


def constant_key(code: CodeType, instructions: list[Instruction], made_by: Nodes) -> object:
    """The key that these nodes are, if it is a constant that tells items apart; else ANY_KEY."""
    if len(made_by) != 1:
        return ANY_KEY
    maker = instructions[max(next(iter(made_by)) // 2, 0)]
    constant: object = ANY_KEY
    if maker.name == "LOAD_CONST" and type(code.co_consts[maker.arg]) in (int, str):
        constant = code.co_consts[maker.arg]
    elif maker.name == "LOAD_SMALL_INT":
        constant = maker.arg
    # A negative one counts from the end: another index may be the same item.
    return ANY_KEY if type(constant) is int and constant < 0 else constant
