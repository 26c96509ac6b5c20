"""Runs a code object over sets of nodes: what may lie on the stack and in the locals before each instruction."""

from __future__ import annotations

import functools
from types import CodeType

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.flow.control import UNREACHED
from opcodetrace.rewrite.flow.nodes import NOTHING, Node, Nodes, parameter, unbound
from opcodetrace.rewrite.interpreters import CO_COROUTINE, HERE, Jump, Makes, is_subscript

# C code by whose call a location's value is read, or written from the last argument (probe/intercept.c). Names alone:
# whether it was that code shows in the trace, by an event at this site.
_READING_CALLS = frozenset(
    ["get", "pop", "setdefault", "popitem", "getattr", "getitem", "__getitem__", "__getattribute__"]
)
_TESTING_CALLS = frozenset(["hasattr", "contains", "__contains__"])
_OF_SIZE = frozenset(["len", "bool"])
_COPYING = frozenset(["list", "tuple", "set", "frozenset"])
_PAIRING_CALLS = frozenset(["enumerate", "items"])  # of what these give, the first is no memory
# C code that puts into a container what it is given
_PUTTING_CALLS = frozenset(["add", "append", "appendleft", "extend", "extendleft", "insert", "setdefault", "update"])
_WRITING_CALLS = frozenset(["setattr", "setitem", "setdefault", "update", "__setattr__", "__setitem__"])


class FlowError(Exception):
    """The stack of this code object cannot be followed."""


@functools.lru_cache(maxsize=4096)
def _effect(name: str, arg: int) -> tuple[int, int, int, str]:
    """How many values an instruction takes from the stack, leaves there all the same, and puts on it; and what kind of
    node those are."""
    opcode = HERE.opcodes[name]
    takes, puts = (count if isinstance(count, int) else count(arg) for count in (opcode.takes, opcode.puts))
    kind = {Makes.OPAQUE: "opaque", Makes.SOURCELESS: "none"}.get(opcode.makes, "op")
    return takes, opcode.keeps, puts, kind


class _State:
    __slots__ = ("slots", "stack")

    def __init__(self, stack: list[Nodes], slots: dict[int, Nodes]) -> None:
        self.stack = stack
        self.slots = slots

    def copy(self) -> _State:
        return _State(list(self.stack), dict(self.slots))

    def merge(self, other: _State) -> bool:
        """Whether anything was new."""
        if len(self.stack) != len(other.stack):
            raise FlowError("two paths meet with different depths")
        changed = False
        for i, nodes in enumerate(other.stack):
            if not nodes <= self.stack[i]:
                self.stack[i] |= nodes
                changed = True
        for slot, nodes in other.slots.items():
            if not nodes <= self.slots[slot]:
                self.slots[slot] |= nodes
                changed = True
        return changed


class AbstractInterpreter:
    """Runs the code object over sets of nodes until nothing changes."""

    def __init__(self, code: CodeType, decoded: Decoded) -> None:
        self.code = code
        self.instructions = decoded.instructions
        self.inputs: dict[Node, list[Nodes]] = {}
        self.kind: dict[Node, str] = {}  # copy, op, opaque, none
        self.stored: dict[int, Nodes] = {}
        self.subscript_keys: dict[int, Nodes] = {}
        self.reading_calls: set[int] = set()
        self.writing_calls: set[int] = set()
        self.puts: dict[int, list[Nodes]] = {}  # calls that put something into a container: that, and what they put
        self.appends: dict[int, int] = {}
        self.lens: set[int] = set()
        self.copies: set[int] = set()
        self.taken: set[Node] = set()  # what a `for` loop may have taken out of a container
        self.pairing_calls: set[int] = set()  # enumerate(x), x.items()
        self.given: dict[int, list[Nodes]] = {}  # to a call: its operands
        self.returned: Nodes = NOTHING  # or yielded
        self.returns: dict[int, Nodes] = {}  # the instructions that return: what (a RETURN_CONST says that itself)
        self.testing_calls: set[int] = set()  # hasattr(x, n)
        self.members: dict[int, Nodes] = {}  # `x in d`: what is x
        self.containers: dict[int, Nodes] = {}  # and what is d
        self.conditions: dict[int, Nodes] = {}  # conditional jumps: what is tested
        self.targets: dict[
            int, list[Nodes]
        ] = {}  # what stores and deletes items and attributes: its location's operands
        self.depth = [-1] * len(self.instructions)
        self.ways: list[list[int]] = [[] for _ in self.instructions]  # the successors, if nothing is raised
        self.escapes = [UNREACHED] * len(self.instructions)  # the handler, if something is
        self.handlers_of: list[tuple[int, int, bool] | None] = [None] * len(self.instructions)
        # The table's entries do not overlap: assemble_exception_table in Python/assemble.c makes one walk of the code.
        for handler in decoded.handlers:
            for i in range(handler.start, min(handler.stop, len(self.instructions))):
                self.handlers_of[i] = (handler.target, handler.depth, handler.lasti)

    def _node(self, node: Node, kind: str, *inputs: Nodes) -> Nodes:
        self.kind[node] = kind
        known = self.inputs.get(node)
        if known is None or len(known) != len(inputs):
            self.inputs[node] = list(inputs)
        else:
            for i, nodes in enumerate(inputs):
                known[i] |= nodes
        return frozenset((node,))

    def run(self) -> None:
        code = self.code
        names = len(code.co_varnames)
        parameters = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        slots = {i: frozenset((parameter(i) if i < parameters else unbound(i),)) for i in range(names)}
        for node in (n for nodes in slots.values() for n in nodes):
            self.inputs[node] = []
            self.kind[node] = "opaque" if node % 2 == 0 else "none"
        unknown = {i.name for i in self.instructions} - HERE.opcodes.keys()
        if unknown:
            raise FlowError(f"unknown instructions: {', '.join(sorted(unknown))}")
        leaders = {0} | {i.target for i in self.instructions if i.target is not None}
        entry: dict[int, _State] = {0: _State([], slots)}
        pending = [0]
        while pending:
            at = pending.pop()
            state = entry[at].copy()
            while True:
                instruction = self.instructions[at]
                self.depth[at] = len(state.stack)
                handler = self.handlers_of[at]
                if handler is not None:
                    self._enter_handler(handler, state, entry, pending, at)
                jumped = self._step(instruction, state)
                if handler is not None:
                    self._enter_handler(handler, state, entry, pending, at)
                if jumped is not None and instruction.target is not None:
                    self._flow_to(instruction.target, jumped, entry, pending, at)
                if not HERE.opcodes[instruction.name].falls_through:
                    break
                following = at + 1
                if following >= len(self.instructions):
                    raise FlowError("control runs off the end")
                if following in leaders or following in entry:
                    self._flow_to(following, state, entry, pending, at)
                    break
                if following not in self.ways[at]:
                    self.ways[at].append(following)
                at = following

    @property
    def successors(self) -> list[list[int]]:
        """All of them."""
        return [
            ways if escape == UNREACHED else [*ways, escape]
            for ways, escape in zip(self.ways, self.escapes, strict=True)
        ]

    def _flow_to(self, target: int, state: _State, entry: dict[int, _State], pending: list[int], origin: int) -> None:
        if target not in self.ways[origin]:
            self.ways[origin].append(target)
        self._reach(target, state, entry, pending)

    @staticmethod
    def _reach(target: int, state: _State, entry: dict[int, _State], pending: list[int]) -> None:
        known = entry.get(target)
        if known is None:
            entry[target] = state.copy()
            pending.append(target)
        elif known.merge(state):
            pending.append(target)

    def _enter_handler(
        self, handler: tuple[int, int, bool], state: _State, entry: dict[int, _State], pending: list[int], origin: int
    ) -> None:
        target, depth, lasti = handler
        if len(state.stack) < depth:
            return  # mid-instruction: the operands are already taken
        raised = self._node(2 * target + 1, "opaque")
        stack = state.stack[:depth] + [raised] * (2 if lasti else 1)
        self.escapes[origin] = target
        self._reach(target, _State(stack, state.slots), entry, pending)

    def _step(self, instruction: Instruction, state: _State) -> _State | None:
        """Changes `state` to what falls through; gives the state at the jump's target, if it jumps."""
        name, arg, stack, slots = instruction.name, instruction.arg, state.stack, state.slots
        first, second = 2 * instruction.ordinal, 2 * instruction.ordinal + 1

        def pop() -> Nodes:
            if not stack:
                raise FlowError(f"{name} finds the stack empty")
            return stack.pop()

        def load(slot: int, node: Node) -> None:
            # A slot that is no fast local holds a cell: an address, which carries no value of its own.
            held = slots.get(slot)
            stack.append(self._node(node, "none") if held is None else self._node(node, "copy", held))

        def store(slot: int, node: Node) -> None:
            value = pop()
            if slot in slots:
                slots[slot] = self._node(node, "copy", value)

        match name:
            case "LOAD_FAST" | "LOAD_FAST_CHECK" | "LOAD_FAST_BORROW":
                load(arg, first)
            case "LOAD_FAST_LOAD_FAST" | "LOAD_FAST_BORROW_LOAD_FAST_BORROW":
                load(arg >> 4, first)
                load(arg & 15, second)
            case "STORE_FAST":
                store(arg, first)
            case "STORE_FAST_STORE_FAST":
                store(arg >> 4, first)
                store(arg & 15, second)
            case "STORE_FAST_LOAD_FAST":
                store(arg >> 4, first)
                load(arg & 15, second)
            case "LOAD_FAST_AND_CLEAR":
                load(arg, first)
                if arg in slots:
                    slots[arg] = self._node(second, "none")
            case "DELETE_FAST":
                if arg in slots:
                    slots[arg] = self._node(first, "none")
            case "COPY":
                if arg > len(stack):
                    raise FlowError("COPY beyond the stack")
                stack.append(stack[-arg])
            case "SWAP":
                if arg > len(stack):
                    raise FlowError("SWAP beyond the stack")
                stack[-1], stack[-arg] = stack[-arg], stack[-1]
            case "PRECALL":
                pass
            case "JUMP_IF_FALSE_OR_POP" | "JUMP_IF_TRUE_OR_POP":
                jumped = state.copy()
                self._note(self.conditions, instruction, pop())
                return jumped
            case "FOR_ITER":
                # Exhausted, 3.11 pops the iterator; later versions leave END_FOR something to pop.
                iterator = stack[-1] if stack else pop()
                given = self._node(first, "opaque", iterator)
                self.taken.add(first)
                exhausted = state.copy()
                stack.append(given)
                exhausted.stack[-1:] = [iterator, given] if HERE.exhausted_loop_keeps_iterator else []
                return exhausted
            case "SEND":
                # [receiver, value] -> [receiver, what it yields or returns]; 3.11 drops the receiver when it returns.
                given = self._node(first, "opaque", pop(), stack[-1] if stack else pop())
                returned = state.copy()
                stack.append(given)
                returned.stack[-1:] = [returned.stack[-1], given] if HERE.exhausted_loop_keeps_iterator else [given]
                return returned
            case "UNPACK_SEQUENCE" if self.takes_pair(instruction.ordinal - 1):
                # Of (index, item) or (key, value) only the second is memory.
                pair = pop()
                stack += [self._node(second, "op", pair), self._node(first, "op", pair)]
                self.taken.add(second)
            case "STORE_SUBSCR":
                key = pop()
                self._target(instruction, pop(), key)
                self._stored(instruction, pop())
                self._subscript_key(instruction, key)
            case "DELETE_SUBSCR":
                key = pop()
                self._target(instruction, pop(), key)
                self._subscript_key(instruction, key)
            case "DELETE_ATTR":
                self._target(instruction, pop())
            case "STORE_SLICE":
                pop()
                pop()
                pop()
                self._stored(instruction, pop())
            case "STORE_ATTR":
                self._target(instruction, pop())
                self._stored(instruction, pop())
            case "STORE_GLOBAL" | "STORE_NAME" | "STORE_DEREF":
                self._stored(instruction, pop())
            case _:
                return self._general(instruction, state)
        return None

    def takes_pair(self, index: int) -> bool:
        """Whether the FOR_ITER at `index` gives a pair that the next instruction takes apart."""
        if index < 0 or index + 1 >= len(self.instructions) or self.instructions[index].name != "FOR_ITER":
            return False
        following = self.instructions[index + 1]
        return following.name == "UNPACK_SEQUENCE" and following.arg == 2

    @staticmethod
    def _note(known: dict[int, Nodes], instruction: Instruction, nodes: Nodes) -> None:
        known[instruction.ordinal] = known.get(instruction.ordinal, NOTHING) | nodes

    def _stored(self, instruction: Instruction, value: Nodes) -> None:
        self._note(self.stored, instruction, value)

    def _subscript_key(self, instruction: Instruction, key: Nodes) -> None:
        self._note(self.subscript_keys, instruction, key)

    def _target(self, instruction: Instruction, *operands: Nodes) -> None:
        known = self.targets.setdefault(instruction.ordinal, [NOTHING] * len(operands))
        known[:] = [before | nodes for before, nodes in zip(known, operands, strict=True)]

    def _general(self, instruction: Instruction, state: _State) -> _State | None:
        name, arg, stack = instruction.name, instruction.arg, state.stack
        opcode = HERE.opcodes[name]
        takes, keeps, puts, kind = _effect(name, arg)
        if takes > len(stack):
            raise FlowError(f"{name} takes {takes} of {len(stack)} values")
        if is_subscript(name, arg):
            self._subscript_key(instruction, stack[-1])
        operands = stack[len(stack) - takes :]
        if name in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
            known = self.given.get(instruction.ordinal, [NOTHING] * takes)
            self.given[instruction.ordinal] = [one | other for one, other in zip(known, operands, strict=True)]
        elif name == "RETURN_VALUE" or (name == "YIELD_VALUE" and not self.code.co_flags & CO_COROUTINE):
            self.returned |= operands[-1]
            if name == "RETURN_VALUE":
                self._note(self.returns, instruction, operands[-1])
        if opcode.jump is not Jump.NONE and takes == 1:
            self._note(self.conditions, instruction, operands[0])
        elif name == "CONTAINS_OP":
            self._note(self.members, instruction, operands[0])
            self._note(self.containers, instruction, operands[1])
        if name == "CALL":
            self._call(instruction, operands)
        elif name == "CALL_KW":
            self._call(instruction, operands[:-1])  # the last are the keywords' names
        del stack[len(stack) - takes + keeps :]
        if puts:
            inputs = () if kind == "none" else operands
            stack.extend([self._node(2 * instruction.ordinal, kind, *inputs)] * puts)
        elif opcode.makes is Makes.GROWS:
            if arg > len(stack):
                raise FlowError(f"{name} beyond the stack")
            stack[-arg] = self._node(2 * instruction.ordinal, "op", stack[-arg], *operands)
        elif opcode.makes in (Makes.INTERNAL, Makes.MOVES):
            raise FlowError(f"{name} is not expected here")
        return state.copy() if opcode.jump in (Jump.FORWARD, Jump.BACKWARD) else None

    def callee_names(self, operands: list[Nodes]) -> set[str]:
        """How the source names what is called, by the operands of the call."""
        return {
            self.code.co_names[made_by.arg >> shift]
            for node in operands[0] | operands[1]
            if node >= 0
            for made_by in [self.instructions[node // 2]]
            for shift in [HERE.name_shifts.get(made_by.name, -1)]
            if shift >= 0
        }

    def keywords(self, call: int) -> tuple[str, ...]:
        """The names of a call's last arguments."""
        before = self.instructions[max(call - 2, 0) : call]
        if self.instructions[call].name == "CALL_KW":
            names = before[-1] if before and before[-1].name == "LOAD_CONST" else None
        else:
            names = next((each for each in before if each.name == "KW_NAMES"), None)
        found = None if names is None else self.code.co_consts[names.arg]
        return found if isinstance(found, tuple) else ()

    def _call(self, instruction: Instruction, operands: list[Nodes]) -> None:
        """Notes a call that may read or write by C code, as the callee's name has it."""
        names = self.callee_names(operands)
        if names & _PAIRING_CALLS:
            self.pairing_calls.add(instruction.ordinal)
        if names & _READING_CALLS:
            self.reading_calls.add(instruction.ordinal)
        if names & _TESTING_CALLS:
            self.testing_calls.add(instruction.ordinal)
        if names & _WRITING_CALLS and len(operands) > 2:
            self.writing_calls.add(instruction.ordinal)
            self._stored(instruction, self._given_to_write(instruction, operands, "update" in names))
        if names & _PUTTING_CALLS and len(operands) > 2:
            known = self.puts.setdefault(instruction.ordinal, [NOTHING, NOTHING])
            put: Nodes = frozenset().union(*operands[2:])
            known[:] = [known[0] | self._receivers(operands), known[1] | put]
        if instruction.name == "CALL":
            self._note_inlined(instruction, operands, names)

    def _receivers(self, operands: list[Nodes]) -> Nodes:
        """The objects whose methods are called, by the operands of the call."""
        found = NOTHING
        for node in operands[0] | operands[1]:
            if node >= 0 and self.instructions[node // 2].name in ("LOAD_ATTR", "LOAD_METHOD"):
                found |= self.inputs[node][0]
        return found

    def _given_to_write(self, instruction: Instruction, operands: list[Nodes], updates: bool) -> Nodes:
        """What a call writes: its last argument. An update writes what its only keyword is given, or the value of a
        dictionary with one item that stands there as such; else which argument a value comes from is not followed."""
        if not updates:
            return operands[-1]
        if len(operands) == 3:
            if self._has_keywords(instruction):
                return operands[-1]
            node = next(iter(operands[-1]), -1) if len(operands[-1]) == 1 else -1
            if node >= 0 and self.instructions[node // 2].name == "BUILD_MAP" and len(self.inputs[node]) == 2:
                return self.inputs[node][1]
        return self._node(2 * instruction.ordinal + 1, "opaque", *operands[2:])

    def _has_keywords(self, instruction: Instruction) -> bool:
        before = self.instructions[max(instruction.ordinal - 2, 0) : instruction.ordinal]
        if before and before[-1].name == "PRECALL":  # 3.11
            before.pop()
        return instruction.name == "CALL_KW" or (bool(before) and before[-1].name == "KW_NAMES")

    def _note_inlined(self, instruction: Instruction, operands: list[Nodes], names: set[str]) -> None:
        """The calls that the interpreter may run without the C function: `x.append(y)` as a statement, and `len(x)`;
        and `bool(x)` and `list(x)`, which are no functions."""
        loads = {node // 2 for node in operands[0] | operands[1]}
        if len(operands) != 3 or len(loads) != 1:
            return
        (load,) = loads
        if len(names) == 1 and self.instructions[load].name in ("LOAD_GLOBAL", "LOAD_NAME"):
            if names <= _OF_SIZE:
                self.lens.add(instruction.ordinal)
            elif names <= _COPYING:
                self.copies.add(instruction.ordinal)
        following = instruction.ordinal + 1
        is_method = self.instructions[load].name in ("LOAD_METHOD", "LOAD_ATTR")
        is_statement = following < len(self.instructions) and self.instructions[following].name == "POP_TOP"
        if names == {"append"} and is_method and is_statement:
            self.appends[instruction.ordinal] = load
