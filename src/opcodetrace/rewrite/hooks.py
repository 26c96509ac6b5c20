"""Which hooks an instruction gets: the hook protocol (docs/hook-protocol.md), as bytecode.

A hook is `<value> <hook> <key> STORE_SUBSCR`. In the stack comments the top is on the right.
"""

from collections.abc import Callable
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.flow import ANY_KEY, DataFlow, access_keys, called_attributes
from opcodetrace.rewrite.interpreters import (
    CACHES,
    CO_COROUTINE,
    FREE_THREADED,
    HERE,
    NUMBER,
    TRUTH_TESTS,
    is_subscript,
)
from opcodetrace.rewrite.scope import Scope
from opcodetrace.rewrite.splice import encode
from opcodetrace.trace.hook import Action
from opcodetrace.trace.site import Operation
from opcodetrace.trace.sync import Act

_COPY = NUMBER["COPY"]
_LOAD_CONST = NUMBER["LOAD_CONST"]
_LOAD_FAST = NUMBER["LOAD_FAST"]
_LOAD_CELL = NUMBER[HERE.load_cell]
_STORE = bytes((NUMBER["STORE_SUBSCR"], 0)) + bytes(2 * CACHES[NUMBER["STORE_SUBSCR"]])
_COPIES = tuple(bytes((_COPY, n)) for n in range(7))


class HookTemplate(NamedTuple):
    """`push_value`, the hook itself and `push_key` make the operands of the inserted STORE_SUBSCR."""

    action: int
    push_value: bytes
    push_key: bytes
    name: object = None

    def encode(self, constant: int) -> bytes:
        if not self.push_value:  # nothing to say: the hook is its own value and key
            return encode(_LOAD_CONST, constant) + _COPIES[1] + (self.push_key or _COPIES[1]) + _STORE
        return self.push_value + encode(_LOAD_CONST, constant) + (self.push_key or _COPIES[1]) + _STORE


class Plan(NamedTuple):
    """The hooks of one instruction: (bytes with the hook's constant left out, action, name) in order. `failed` is that
    of its trap (docs/hook-protocol.md, Failed accesses)."""

    operation: str
    name: str | None
    before: tuple[HookTemplate, ...]
    after: tuple[HookTemplate, ...]
    failed: HookTemplate | None


def _bare(action: int, name: object = None) -> HookTemplate:
    return HookTemplate(action, b"", b"", name)


def _value(action: int, depth: int = 1, name: object = None) -> HookTemplate:
    """Of a value `depth` from the top."""
    return HookTemplate(action, _COPIES[depth], b"", name)


ENTER = _bare(Action.ENTER)
CALLED = _bare(Action.CALLED)
APPEND_BEGIN = HookTemplate(Action.APPEND_BEGIN, b"", _COPIES[3])  # [object]
# [NULL callable argument], from 3.13 on [callable NULL argument]
WHOLE_CALL = HookTemplate(Action.WHOLE_CALL, _COPIES[3 if HERE.null_above_callee else 2], _COPIES[3])
APPEND = _value(Action.APPEND)  # [argument]
DEFINE = _bare(Action.DEFINE)
COMPUTE = _value(Action.COMPUTE)
_READ_END = _value(Action.READ_END)
# In the trap of one instruction: [what lay below its operands, its place, exception]
_FAILED = _value(Action.FAILED)
NEXT_FAILED = HookTemplate(Action.NEXT_FAILED, _COPIES[1], _COPIES[5])  # [iterator place exception]
_WRITE_END = _bare(Action.WRITE_END)
# Where the callee lies, if it is no method: [NULL callee], from 3.13 on [callee NULL]
_CALLEE = 2 if HERE.null_above_callee else 1
# [container key] or [value container key]
_ITEM_BEGIN = HookTemplate(Action.ITEM_BEGIN, _COPIES[1], _COPIES[4])
_ITEM_TARGET = HookTemplate(Action.ITEM_TARGET, _COPIES[1], _COPIES[4])
_ITEM_DELETE = HookTemplate(Action.ITEM_DELETE, _COPIES[1], _COPIES[4])
# [container start stop], then the container alone
_SLICE_BOUNDS = HookTemplate(Action.SLICE_BOUNDS, _COPIES[1], _COPIES[4])
_SLICE_BEGIN = HookTemplate(Action.SLICE_BEGIN, b"", _COPIES[5])
# [value container start stop]
_SLICE_STORE = HookTemplate(Action.SLICE_STORE, _COPIES[4], _COPIES[5])
_GLOBAL_END = (_WRITE_END,) if FREE_THREADED else ()


def _attribute_name(instruction: Instruction, code: CodeType) -> str:
    return code.co_names[instruction.arg >> HERE.name_shifts["LOAD_ATTR"]]


_HAS_BEGIN = HookTemplate(Action.HAS_BEGIN, _COPIES[2], _COPIES[3])  # [item container]
_WHOLE_READ = HookTemplate(Action.WHOLE_READ, b"", _COPIES[3])  # [container]
_TEST = HookTemplate(Action.WHOLE_READ, b"", _COPIES[3], True)  # [value]: a container whose own code tells its truth
# What gives no container that threads share. COMPARE_OP is run together with the jump after it (3.11, 3.12).
_NO_CONTAINERS = frozenset(
    [
        "COMPARE_OP",
        "CONTAINS_OP",
        "IS_OP",
        "UNARY_NOT",
        "CHECK_EXC_MATCH",
        "LOAD_CONST",
        "LOAD_SMALL_INT",
        "FORMAT_VALUE",
        *(name for name in NUMBER if name.startswith(("BUILD_", "MATCH_"))),
    ]
)
_OF_CALLBACKS = {Act.SCHEDULE: Action.SCHEDULE, Act.RUN: Action.RUN}
# [iterator value]; whether the next instruction takes the value apart: then the second of a pair is the next site's
_NEXT = tuple(HookTemplate(Action.NEXT, _COPIES[1], _COPIES[4], takes_pair) for takes_pair in (0, 1))


def synchronisation(
    code: CodeType, decoded: Decoded, operation: Act
) -> tuple[dict[int, HookTemplate], dict[int, HookTemplate]]:
    """The hooks of a library function by which threads wait for each other: what goes before instructions, and after.

    None if the function's `self` is not at hand. Callbacks of an event loop need one at the beginning."""
    begin = next((i for i in decoded.instructions if i.name == "RESUME" and i.arg & 3 == 0), None)
    if begin is None or not code.co_argcount or code.co_varnames[0] in code.co_cellvars:
        return {}, {}
    its_self = encode(_LOAD_FAST, 0)
    awaits = bool(code.co_flags & CO_COROUTINE)
    at_begin = _OF_CALLBACKS.get(operation, Action.SYNC_AWAIT if awaits else Action.SYNC_BEGIN)
    after = {begin.ordinal: HookTemplate(at_begin, b"", its_self, operation.value)}
    if operation is Act.LOOK:
        after.clear()
    alone = awaits or not after  # nothing is kept since its beginning
    at_end, push_key = (Action.SYNC_AWAITED, its_self) if alone else (Action.SYNC_END, b"")
    before = {
        instruction.ordinal: HookTemplate(
            at_end, _COPIES[1] if instruction.name == "RETURN_VALUE" else b"", push_key, operation.value
        )
        for instruction in decoded.instructions
        if instruction.name in ("RETURN_VALUE", "RETURN_CONST") and operation not in _OF_CALLBACKS
    }
    return before, after


class Planner:
    """Chooses the hooks for the instructions of one code object."""

    def __init__(self, code: CodeType, decoded: Decoded, scope: Scope) -> None:
        self.code = code
        self.instructions = decoded.instructions
        self.scope = scope
        self.targets = {i.target for i in decoded.instructions if i.target is not None}
        self.targets |= {h.target for h in decoded.handlers}
        self.keys = access_keys(code, decoded)
        self.called = {
            index for index, (_, name) in called_attributes(code, decoded).items() if name in scope.attributes
        }
        self.accesses = {index for index in self.keys if self._watched(decoded.instructions[index])} | self.called

    def _watched(self, instruction: Instruction) -> bool:
        """Whether the access is instrumented: all are, except of variables that are assigned just once (scope.py)."""
        name = instruction.name
        if name in ("LOAD_NAME", "STORE_NAME", "DELETE_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
            return self.keys[instruction.ordinal][1] in self.scope.globals
        if name in ("LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
            return self.scope.cell_name(self.code, instruction.arg) in self.scope.cells
        return True

    def hooked(self, index: int) -> bool:
        return index in self.accesses

    def _straight(self, index: int, back: int) -> bool:
        """Whether the `back` instructions before `index` always run right before it."""
        return index >= back and not any(i in self.targets for i in range(index - back + 1, index + 1))

    def _local_before(self, index: int) -> int | None:
        """The local that the instruction at `index` leaves on the top of the stack."""
        instruction = self.instructions[index]
        if instruction.name in ("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW"):
            slot = instruction.arg
        elif instruction.name in ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW", "STORE_FAST_LOAD_FAST"):
            slot = instruction.arg & 15
        else:
            return None
        return slot if slot < len(self.code.co_varnames) and self._is_plain_local(slot) else None

    def _is_plain_local(self, slot: int) -> bool:
        return self.code.co_varnames[slot] not in self.code.co_cellvars

    def plan(self, instruction: Instruction, flow: DataFlow | None) -> Plan | None:
        """None if the instruction gets no hook."""
        index = instruction.ordinal
        name = instruction.name
        if name == "CONTAINS_OP":
            return Plan(Operation.CONTAINS, None, (_HAS_BEGIN,), (_WRITE_END,), None)
        if name == "GET_ITER":
            return Plan(Operation.ITERATE, None, (_WHOLE_READ,), (), None)
        if name in TRUTH_TESTS and self._tests_container(index):
            return Plan(Operation.TEST, None, (_TEST,), (), None)
        if name == "FOR_ITER":
            given = () if flow is None or index not in flow.iterations else (_NEXT[flow.iterations[index]],)
            return Plan(Operation.ITERATE, None, (), given, NEXT_FAILED)
        if index not in self.accesses:
            return None
        if index in self.called:
            return self._load_called(instruction)
        if is_subscript(name, instruction.arg):
            name = "BINARY_SUBSCR"
        make = _PLANS[name]
        return make(self, instruction, flow)

    def _tests_container(self, index: int) -> bool:
        """Whether what is tested may be a container."""
        before = self.instructions[index - 1] if index else None
        if before is None or before.name in _NO_CONTAINERS:
            return False
        return before.name != "BINARY_OP" or is_subscript(before.name, before.arg)

    def _constant_key(self, index: int, flow: DataFlow | None) -> object:
        if flow is None:
            return ANY_KEY
        return flow.keys[index][1]

    # --- one method an instruction

    def _load_subscr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        index = instruction.ordinal
        key = self._constant_key(index, flow)
        if key is not ANY_KEY and not FREE_THREADED:
            names = [i.name for i in self.instructions[max(index - 2, 0) : index]]
            args = [i.arg for i in self.instructions[max(index - 2, 0) : index]]
            if names == ["COPY", "COPY"] and args == [2, 2] and self._straight(index, 2):
                # [container key value]: an augmented assignment keeps the container at hand
                kept = HookTemplate(Action.ITEM_READ, _COPIES[1], _COPIES[5], key)
                failed = HookTemplate(Action.ITEM_FAILED, _COPIES[1], _COPIES[6], key)
                return Plan(Operation.LOAD_SUBSCR, None, (), (kept,), failed)
            if self._straight(index, 2):
                local = self._local_before(index - 2)
                if local is not None and names[1] in ("LOAD_CONST", "LOAD_SMALL_INT"):
                    again = HookTemplate(Action.ITEM_READ, _COPIES[1], encode(_LOAD_FAST, local), key)
                    failed = again._replace(action=Action.ITEM_FAILED)
                    return Plan(Operation.LOAD_SUBSCR, None, (), (again,), failed)
        return Plan(Operation.LOAD_SUBSCR, None, (_ITEM_BEGIN,), (_READ_END,), _FAILED)

    def _store_subscr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        key = self._constant_key(instruction.ordinal, flow)
        if key is not ANY_KEY:
            store = HookTemplate(Action.ITEM_STORE, _COPIES[3], _COPIES[4], key)
            return Plan(Operation.STORE_SUBSCR, None, (store,), (_WRITE_END,), _FAILED)
        begin = (_ITEM_TARGET, _value(Action.ITEM_VALUE, depth=3))
        return Plan(Operation.STORE_SUBSCR, None, begin, (_WRITE_END,), _FAILED)

    def _delete_subscr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        return Plan(Operation.DELETE_SUBSCR, None, (_ITEM_DELETE,), (_WRITE_END,), _FAILED)

    def _load_slice(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        return Plan(Operation.LOAD_SLICE, None, (_SLICE_BOUNDS, _SLICE_BEGIN), (_READ_END,), None)

    def _store_slice(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        return Plan(Operation.STORE_SLICE, None, (_SLICE_BOUNDS, _SLICE_STORE), (_WRITE_END,), None)

    def _load_attr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = _attribute_name(instruction, self.code)
        index = instruction.ordinal
        if not FREE_THREADED and self._straight(index, 1) and name != "__dict__":
            previous = self.instructions[index - 1]
            if previous.name == "COPY" and previous.arg == 1:
                # [object value]: an augmented assignment keeps the object at hand
                kept = HookTemplate(Action.ATTR_READ, _COPIES[1], _COPIES[4], name)
                failed = HookTemplate(Action.ATTR_FAILED, _COPIES[1], _COPIES[5], name)
                return Plan(Operation.LOAD_ATTR, name, (), (kept,), failed)
            local = self._local_before(index - 1)
            if local is not None:
                again = HookTemplate(Action.ATTR_READ, _COPIES[1], encode(_LOAD_FAST, local), name)
                failed = again._replace(action=Action.ATTR_FAILED)
                return Plan(Operation.LOAD_ATTR, name, (), (again,), failed)
        begin = HookTemplate(Action.ATTR_BEGIN, b"", _COPIES[3], name)
        return Plan(Operation.LOAD_ATTR, name, (begin,), (_READ_END,), _FAILED)

    def _load_called(self, instruction: Instruction) -> Plan:
        """Of an attribute that is called, and that may be a method all the same."""
        name = _attribute_name(instruction, self.code)
        index = instruction.ordinal
        local = self._local_before(index - 1) if not FREE_THREADED and self._straight(index, 1) else None
        if local is not None:
            again = HookTemplate(Action.ATTR_READ, _COPIES[_CALLEE], encode(_LOAD_FAST, local), name)
            failed = HookTemplate(Action.ATTR_FAILED, _COPIES[1], encode(_LOAD_FAST, local), name)
            return Plan(Operation.LOAD_ATTR, name, (), (again,), failed)
        begin = HookTemplate(Action.ATTR_BEGIN, b"", _COPIES[3], name)
        return Plan(Operation.LOAD_ATTR, name, (begin,), (_value(Action.READ_END, _CALLEE),), _FAILED)

    def _store_attr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.code.co_names[instruction.arg]
        store = HookTemplate(Action.ATTR_STORE, _COPIES[2], _COPIES[3], name)  # [value object]
        return Plan(Operation.STORE_ATTR, name, (store,), (_WRITE_END,), _FAILED)

    def _delete_attr(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.code.co_names[instruction.arg]
        delete = HookTemplate(Action.ATTR_DELETE, b"", _COPIES[3], name)  # [object]
        return Plan(Operation.DELETE_ATTR, name, (delete,), (_WRITE_END,), _FAILED)

    def _load_global(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.code.co_names[instruction.arg >> 1]
        depth = 2 if HERE.null_above_callee and instruction.arg & 1 else 1
        failed = _value(Action.GLOBAL_FAILED, 1, name)
        return Plan(Operation.LOAD_GLOBAL, name, (), (_value(Action.GLOBAL_READ, depth, name),), failed)

    def _load_name(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.code.co_names[instruction.arg]
        failed = _value(Action.NAME_FAILED, 1, name)
        return Plan(Operation.LOAD_NAME, name, (), (_value(Action.NAME_READ, 1, name),), failed)

    def _name(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.code.co_names[instruction.arg]
        operation = instruction.name
        if operation.startswith("STORE"):
            action = Action.GLOBAL_STORE if operation == "STORE_GLOBAL" else Action.NAME_STORE
            return Plan(operation, name, (_value(action, 1, name),), _GLOBAL_END, None)
        action = Action.GLOBAL_DELETE if operation == "DELETE_GLOBAL" else Action.NAME_DELETE
        return Plan(operation, name, (_bare(action, name),), (_WRITE_END,), _FAILED)

    def _cell(self, instruction: Instruction, flow: DataFlow | None) -> Plan:
        name = self.scope.cell_name(self.code, instruction.arg)
        load = encode(_LOAD_CELL, instruction.arg)
        if instruction.name == "STORE_DEREF":
            store = HookTemplate(Action.CELL_STORE, _COPIES[1], load, name)
            return Plan(Operation.STORE_DEREF, name, (store,), _GLOBAL_END, None)
        if instruction.name == "DELETE_DEREF":
            delete = HookTemplate(Action.CELL_DELETE, b"", load, name)
            return Plan(Operation.DELETE_DEREF, name, (delete,), (_WRITE_END,), _FAILED)
        read = HookTemplate(Action.CELL_READ, _COPIES[1], load, name)
        failed = read._replace(action=Action.CELL_FAILED)
        return Plan(Operation.LOAD_DEREF, name, (), (read,), failed)


_PLANS: dict[str, Callable[[Planner, Instruction, DataFlow | None], Plan]] = {
    "BINARY_SUBSCR": Planner._load_subscr,
    "STORE_SUBSCR": Planner._store_subscr,
    "DELETE_SUBSCR": Planner._delete_subscr,
    "BINARY_SLICE": Planner._load_slice,
    "STORE_SLICE": Planner._store_slice,
    "LOAD_ATTR": Planner._load_attr,
    "STORE_ATTR": Planner._store_attr,
    "DELETE_ATTR": Planner._delete_attr,
    "LOAD_GLOBAL": Planner._load_global,
    "LOAD_NAME": Planner._load_name,
    "LOAD_FROM_DICT_OR_GLOBALS": Planner._load_name,
    "STORE_GLOBAL": Planner._name,
    "DELETE_GLOBAL": Planner._name,
    "STORE_NAME": Planner._name,
    "DELETE_NAME": Planner._name,
    "LOAD_DEREF": Planner._cell,
    "LOAD_CLASSDEREF": Planner._cell,
    "LOAD_FROM_DICT_OR_DEREF": Planner._cell,
    "STORE_DEREF": Planner._cell,
    "DELETE_DEREF": Planner._cell,
}
