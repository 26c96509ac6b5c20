"""What flows into what a write stores: an abstract interpretation of one code object.

Reaching definitions over the stack and the fast locals (Aho, Lam, Sethi, Ullman, Compilers, 9.2.4). A **node** is one
value that an instruction makes; a **set** of nodes is what may lie in a slot at some point. A set of more than one
node is a phi: which of them it was shows only at run time, by markers (DEFINE) behind each of its members.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import CodeType
from typing import NamedTuple

from bytecode import ConcreteInstr

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.opcodes import NO_FALL_THROUGH, SUBSCRIPT_OPERATOR, VERSION

Node = int  # 2 * index of the instruction + number of the output; below zero: see _parameter, _unbound
Nodes = frozenset[Node]
# What a location may be: ("item", constant key), ("name", attribute or global), ("cell", index), ("any", None).
Key = tuple[str, object]

NOTHING: Nodes = frozenset()
ANY_KEY = object()  # the key of a subscript that is no constant

# Beyond these a write's sources are not followed but inferred at run time: very long sums, very large functions.
_DEEPEST = 100  # operations on the way from a read to a write
_MOST_VISITS = 100_000  # values looked at, in one code object
_MOST_STEPS = 1_000_000  # instructions passed while asking for paths, in one code object

_OPAQUE = frozenset(
    [
        "CALL",
        "CALL_KW",
        "CALL_FUNCTION_EX",
        "FOR_ITER",
        "SEND",
        "YIELD_VALUE",
        "GET_ANEXT",
        "GET_AWAITABLE",
        "BEFORE_WITH",
        "BEFORE_ASYNC_WITH",
        "WITH_EXCEPT_START",
        "LOAD_SPECIAL",
        "LOAD_SUPER_ATTR",
        "MATCH_CLASS",
        "MATCH_KEYS",
        "ASYNC_GEN_WRAP",
    ]
)
_SOURCELESS = frozenset(
    [
        "LOAD_CONST",
        "LOAD_SMALL_INT",
        "LOAD_ASSERTION_ERROR",
        "LOAD_BUILD_CLASS",
        "LOAD_COMMON_CONSTANT",
        "PUSH_NULL",
        "LOAD_CLOSURE",
        "LOAD_LOCALS",
        "MAKE_FUNCTION",
        "IMPORT_NAME",
        "IMPORT_FROM",
        "PUSH_EXC_INFO",
    ]
)
_READS = frozenset(
    [
        "BINARY_SUBSCR",
        "BINARY_SLICE",
        "LOAD_ATTR",
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "LOAD_DEREF",
        "LOAD_CLASSDEREF",
        "LOAD_FROM_DICT_OR_DEREF",
        "LOAD_FROM_DICT_OR_GLOBALS",
    ]
)
_WRITES = frozenset(["STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "STORE_GLOBAL", "STORE_NAME", "STORE_DEREF"])


# C code by whose call a location's value is read, or written from the last argument (probe/intercept.c). Names alone:
# whether it was that code shows in the trace, by an event at this site.
_READING_CALLS = frozenset(
    ["get", "pop", "setdefault", "popitem", "getattr", "getitem", "__getitem__", "__getattribute__"]
)
_PAIRING_CALLS = frozenset(["enumerate", "items"])  # of what these give, the first is no memory
_WRITING_CALLS = frozenset(["setattr", "setitem", "setdefault", "update", "__setattr__", "__setitem__"])


class Sources(NamedTuple):
    """What flows into a value, in indexes of instructions; the fields are those of `trace.site.Flow`."""

    reads: frozenset[int]
    writes: frozenset[int]
    phis: frozenset[int]
    called_reads: frozenset[int]
    called_writes: frozenset[int]
    called_phis: frozenset[int]
    opaque: bool


class Definition(NamedTuple):
    """A marker: behind instruction `after` (-1: at the function's entry) the variable `phi` is given `sources`."""

    after: int
    phi: int
    sources: Sources


class DataFlow(NamedTuple):
    """Of one code object. `depth` is the stack's depth before each instruction (-1: never reached)."""

    writes: dict[int, Sources]
    definitions: list[Definition]
    computed: dict[int, int]  # write -> the arithmetic instruction whose result it stores as it is
    arithmetic: frozenset[int]  # intermediate results on the way from a read to a write
    enter: bool  # whether the analysis must be told where an activation begins
    keys: dict[int, Key]  # accesses -> what their location may be
    depth: list[int]
    appends: dict[int, int]  # `x.append(y)` as a statement: the call -> the instruction that loads the method
    lens: frozenset[int]  # calls of `len`
    # FOR_ITERs whose value flows into a write of an item or attribute; True where what they give is taken apart at once
    # (`for i, v in ...`), by the instruction that follows: its second value is then a read of its own
    iterations: dict[int, bool]


class FlowError(Exception):
    """The stack of this code object cannot be followed."""


class _TooMuch(Exception):
    """The search for the sources of one write is given up."""


@functools.lru_cache(maxsize=4096)
def _effect(name: str, opcode: int, arg: int, jump: bool | None) -> tuple[int, int]:
    """How many values an instruction takes from the stack and puts on it."""
    instruction = ConcreteInstr._from_opcode(name, opcode, arg, None)
    taken, put = instruction.pre_and_post_stack_effect(jump)
    return (0, taken + put) if taken > 0 else (-taken, put)


def _parameter(slot: int) -> Node:
    return -2 - 2 * slot


def _unbound(slot: int) -> Node:
    return -1 - 2 * slot


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


class _Interpreter:
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
        self.appends: dict[int, int] = {}
        self.lens: set[int] = set()
        self.taken: set[Node] = set()  # what a `for` loop may have taken out of a container
        self.pairing_calls: set[int] = set()  # enumerate(x), x.items()
        self.depth = [-1] * len(self.instructions)
        self.successors: list[list[int]] = [[] for _ in self.instructions]
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
        slots = {i: frozenset((_parameter(i) if i < parameters else _unbound(i),)) for i in range(names)}
        for node in (n for nodes in slots.values() for n in nodes):
            self.inputs[node] = []
            self.kind[node] = "opaque" if node % 2 == 0 else "none"
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
                if instruction.name in NO_FALL_THROUGH:
                    break
                following = at + 1
                if following >= len(self.instructions):
                    raise FlowError("control runs off the end")
                if following in leaders or following in entry:
                    self._flow_to(following, state, entry, pending, at)
                    break
                if following not in self.successors[at]:
                    self.successors[at].append(following)
                at = following

    def _flow_to(self, target: int, state: _State, entry: dict[int, _State], pending: list[int], origin: int) -> None:
        if target not in self.successors[origin]:
            self.successors[origin].append(target)
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
        self._flow_to(target, _State(stack, state.slots), entry, pending, origin)

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
            case "PRECALL" | "KW_NAMES" | "NOP" | "RESUME" | "NOT_TAKEN" | "CACHE":
                pass
            case "RETURN_GENERATOR":  # what the caller is given; dis of 3.11 does not count it
                stack.append(self._node(first, "none"))
            case "FOR_ITER":
                # Exhausted, 3.11 pops the iterator; later versions leave END_FOR something to pop.
                iterator = stack[-1] if stack else pop()
                given = self._node(first, "opaque", iterator)
                self.taken.add(first)
                exhausted = state.copy()
                stack.append(given)
                exhausted.stack[-1:] = [iterator, given] if VERSION >= (3, 12) else []
                return exhausted
            case "SEND":
                # [receiver, value] -> [receiver, what it yields or returns]; 3.11 drops the receiver when it returns.
                given = self._node(first, "opaque", pop(), stack[-1] if stack else pop())
                returned = state.copy()
                stack.append(given)
                returned.stack[-1:] = [returned.stack[-1], given] if VERSION >= (3, 12) else [given]
                return returned
            case "UNPACK_SEQUENCE" if self.takes_pair(instruction.ordinal - 1):
                # Of (index, item) or (key, value) only the second is memory.
                pair = pop()
                stack += [self._node(second, "op", pair), self._node(first, "op", pair)]
                self.taken.add(second)
            case "STORE_SUBSCR":
                key = pop()
                pop()
                self._stored(instruction, pop())
                self._subscript_key(instruction, key)
            case "DELETE_SUBSCR":
                self._subscript_key(instruction, pop())
                pop()
            case "STORE_SLICE":
                pop()
                pop()
                pop()
                self._stored(instruction, pop())
            case "STORE_ATTR":
                pop()
                self._stored(instruction, pop())
            case "STORE_GLOBAL" | "STORE_NAME" | "STORE_DEREF":
                self._stored(instruction, pop())
            case _:
                return self._general(instruction, state)
        return state if instruction.target is not None else None

    def takes_pair(self, index: int) -> bool:
        """Whether the FOR_ITER at `index` gives a pair that the next instruction takes apart."""
        if index < 0 or index + 1 >= len(self.instructions) or self.instructions[index].name != "FOR_ITER":
            return False
        following = self.instructions[index + 1]
        return following.name == "UNPACK_SEQUENCE" and following.arg == 2

    def _stored(self, instruction: Instruction, value: Nodes) -> None:
        self.stored[instruction.ordinal] = self.stored.get(instruction.ordinal, NOTHING) | value

    def _subscript_key(self, instruction: Instruction, key: Nodes) -> None:
        self.subscript_keys[instruction.ordinal] = self.subscript_keys.get(instruction.ordinal, NOTHING) | key

    def _general(self, instruction: Instruction, state: _State) -> _State | None:
        name = instruction.name
        if name == "BINARY_SUBSCR" or (
            name == "BINARY_OP" and VERSION >= (3, 14) and instruction.arg == SUBSCRIPT_OPERATOR
        ):
            self._subscript_key(instruction, state.stack[-1])
        if name in ("LIST_APPEND", "SET_ADD", "MAP_ADD"):
            # The container stays where it is: what it holds now comes from the value too.
            added = [state.stack.pop() for _ in range(2 if name == "MAP_ADD" else 1)]
            held = state.stack[-instruction.arg]
            state.stack[-instruction.arg] = self._node(2 * instruction.ordinal, "op", held, *added)
            return None
        jumped = None
        if instruction.target is not None:
            jumped = state.copy()
            self._apply(instruction, jumped, _effect(name, instruction.opcode, instruction.arg, True))
        if name not in NO_FALL_THROUGH:
            falls = _effect(
                name, instruction.opcode, instruction.arg, False if instruction.target is not None else None
            )
            self._apply(instruction, state, falls)
        return jumped

    def _apply(self, instruction: Instruction, state: _State, effect: tuple[int, int]) -> None:
        taken, put = effect
        if instruction.name == "CALL":
            taken, put = instruction.arg + 2, 1
            if taken <= len(state.stack):
                self._call(instruction, state.stack[len(state.stack) - taken :])
        elif instruction.name == "CALL_KW" and taken <= len(state.stack):
            self._call(instruction, state.stack[len(state.stack) - taken : -1])  # the last are the keywords' names
        stack = state.stack
        if taken > len(stack):
            raise FlowError(f"{instruction.name} takes {taken} of {len(stack)} values")
        operands = stack[len(stack) - taken :]
        del stack[len(stack) - taken :]
        if put == 0:
            return
        name = instruction.name
        kind = "none" if name in _SOURCELESS else "opaque" if name in _OPAQUE else "op"
        inputs = () if kind == "none" else operands
        stack.extend([self._node(2 * instruction.ordinal, kind, *inputs)] * put)

    def _call(self, instruction: Instruction, operands: list[Nodes]) -> None:
        """Notes a call that may read or write by C code, as the callee's name has it."""
        names = {
            self.code.co_names[made_by.arg >> shift]
            for node in operands[0] | operands[1]
            if node >= 0
            for made_by in [self.instructions[node // 2]]
            for shift in [_NAME_SHIFT.get(made_by.name, -1)]
            if shift >= 0
        }
        if names & _PAIRING_CALLS:
            self.pairing_calls.add(instruction.ordinal)
        if names & _READING_CALLS:
            self.reading_calls.add(instruction.ordinal)
        if names & _WRITING_CALLS and len(operands) > 2:
            self.writing_calls.add(instruction.ordinal)
            self._stored(instruction, self._given_to_write(instruction, operands, "update" in names))
        if instruction.name == "CALL":
            self._note_inlined(instruction, operands, names)

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
        """The calls that the interpreter may run without the C function: `x.append(y)` as a statement, and `len(x)`."""
        loads = {node // 2 for node in operands[0] | operands[1]}
        if len(operands) != 3 or len(loads) != 1:
            return
        (load,) = loads
        if names == {"len"} and self.instructions[load].name in ("LOAD_GLOBAL", "LOAD_NAME"):
            self.lens.add(instruction.ordinal)
        following = instruction.ordinal + 1
        is_method = self.instructions[load].name in ("LOAD_METHOD", "LOAD_ATTR")
        is_statement = following < len(self.instructions) and self.instructions[following].name == "POP_TOP"
        if names == {"append"} and is_method and is_statement:
            self.appends[instruction.ordinal] = load


# How the argument of an instruction that loads a callee holds the number of its name.
_NAME_SHIFT = {
    "LOAD_GLOBAL": 1,
    "LOAD_NAME": 0,
    "LOAD_METHOD": 0,
    "LOAD_ATTR": 1 if VERSION >= (3, 12) else 0,
    "LOAD_SUPER_ATTR": 2,
}


class _Resolver:
    """Answers, for each write, what flows into it; places markers where that depends on the path."""

    def __init__(self, run: _Interpreter, keys: dict[int, Key], hooked: Callable[[int], bool]) -> None:
        self.run = run
        self.keys = keys
        self.hooked = hooked
        self.steps = 0
        self.visits = 0
        self.level = 0
        self.definitions: dict[tuple[int, int], Definition] = {}
        self.phi_ids: dict[tuple[Nodes, str], int] = {}
        self.reachable_without: dict[tuple[int, frozenset[int]], set[int]] = {}
        self.write_roots = {index: self.root(nodes) for index, nodes in run.stored.items() if hooked(index)}
        self.cyclic: dict[int, bool] = {}

    # --- paths

    def path(self, start: int, goal: int, avoiding: Iterable[int]) -> bool:
        """Whether control can go from behind `start` to `goal` without executing any of `avoiding`."""
        avoided = frozenset(avoiding)
        seen = self.reachable_without.get((start, avoided))
        if seen is None:
            if self.steps > _MOST_STEPS:
                raise _TooMuch
            seen = set()
            pending = list(self.run.successors[start]) if start >= 0 else [0]
            while pending:
                at = pending.pop()
                if at in seen:
                    continue
                seen.add(at)
                if at not in avoided:
                    pending.extend(self.run.successors[at])
            self.steps += len(seen)
            self.reachable_without[start, avoided] = seen
        return goal in seen

    def may_be_of_another_activation(self, reads: Iterable[int], use: int) -> bool:
        """Whether `use` can be reached in this activation without one of `reads`: its newest event may be old."""
        try:
            return any(use < 0 or self.path(-1, use, (read,)) for read in reads)
        except _TooMuch:
            return True

    def in_cycle(self, index: int) -> bool:
        if index not in self.cyclic:
            self.cyclic[index] = self.path(index, index, ())
        return self.cyclic[index]

    # --- values

    def root(self, nodes: Nodes) -> Nodes:
        """The value that `nodes` is a copy of: loads and stores of locals are looked through."""
        seen = set()
        while len(nodes) == 1:
            (node,) = nodes
            if self.run.kind.get(node) != "copy" or node in seen:
                break
            seen.add(node)
            nodes = self.run.inputs[node][0]
        return nodes

    def sources(self, write: int) -> Sources:
        before = dict(self.definitions), dict(self.phi_ids)
        found = _Found()
        try:
            self._visit_set(self.run.stored[write], write, self.keys[write], False, found, {})
        except _TooMuch:
            self.definitions, self.phi_ids = before
            self.level = 0
            return _EMPTY._replace(opaque=True)
        return found.sources()

    def _visit_set(
        self, nodes: Nodes, consumer: int, key: Key, called: bool, found: _Found, above: dict[Nodes, bool]
    ) -> None:
        """Adds to `found` what flows from `nodes` into the instruction `consumer`.

        `above` holds the phis on the way here; one that is met again below itself is marked True: it updates itself.
        """
        root = self.root(nodes)
        if (root, called) in found.visited:
            if root in above:
                above[root] = True
            if (root, repr(key)) not in self.phi_ids:
                self._own_writes(root, consumer, key, called, found)
            return
        if len(root) == 1:
            self._own_writes(root, consumer, key, called, found)
            found.visited.add((root, called))
            (node,) = root
            self._visit_node(node, key, called, found, above)
        elif root in above:
            above[root] = True
        elif root:
            self._visit_phi(root, consumer, key, called, found, above)

    def _visit_node(self, node: Node, key: Key, called: bool, found: _Found, above: dict[Nodes, bool]) -> None:
        self.level += 1
        self.visits += 1
        if self.level > _DEEPEST or self.visits > _MOST_VISITS:
            raise _TooMuch
        self._visit_operands(node, key, called, found, above)
        self.level -= 1

    def _visit_operands(self, node: Node, key: Key, called: bool, found: _Found, above: dict[Nodes, bool]) -> None:
        run = self.run
        index = node // 2
        kind = run.kind[node]
        if node >= 0 and self._is_number_or_key(node):
            (found.called_reads if called else found.reads).add(index - 1)  # it may be a list of pairs all the same
            return
        if node >= 0 and (index in run.reading_calls or node in run.taken):
            (found.called_reads if called else found.reads).add(index)
        elif node >= 0 and node % 2 == 0:
            own = self.keys.get(index)
            if own is not None and run.instructions[index].name not in _WRITES:
                if key_may_be(own, key) and self.hooked(index):
                    (found.called_reads if called else found.reads).add(index)
                # What chose the cell (container and key) flows into the value read, but whatever it was, the
                # value itself comes from memory: nothing of it is unknown.
                chosen = _Found()
                chosen.visited |= found.visited
                for operand in run.inputs[node]:
                    if operand:
                        self._visit_set(operand, index, key, called, chosen, above)
                chosen.opaque = False
                found.add(chosen, False)
                return
        if kind == "opaque":
            found.opaque = True
            called = True
        for operand in run.inputs[node]:
            if operand:
                self._visit_set(operand, max(index, 0), key, called, found, above)

    def _is_number_or_key(self, node: Node) -> bool:
        """Whether the value is the first of a pair that enumerate() or items() gave to a loop."""
        run = self.run
        if node % 2 or not run.takes_pair(node // 2 - 1):
            return False
        made_by = self.root(run.inputs[node - 2][0])  # the loop's iterator
        while len(made_by) == 1:
            (maker,) = made_by
            if maker >= 0 and run.instructions[maker // 2].name == "GET_ITER":
                made_by = self.root(run.inputs[maker][0])
                continue
            return maker // 2 in run.pairing_calls
        return False

    def _own_writes(self, root: Nodes, consumer: int, key: Key, called: bool, found: _Found) -> None:
        """The writes of this very value that come before `consumer` takes it: their versions flow on with it."""
        made_at = [node // 2 for node in root if node >= 0]
        for write, value in self.write_roots.items():
            if value == root:
                if write in made_at and len(root) == 1:
                    continue  # what an update writes is made by it, anew each time
                proven = not called
            elif len(value) > 1 and any(self.root(frozenset((node,))) == root for node in value):
                proven = False  # `c = a if p else b`: it may have been this value that was written
            else:
                continue
            if key_may_be(self.keys[write], key) and self.path(write, consumer, made_at):
                (found.writes if proven else found.called_writes).add(write)

    def _visit_phi(
        self, nodes: Nodes, consumer: int, key: Key, called: bool, found: _Found, above: dict[Nodes, bool]
    ) -> None:
        parts: dict[Node, _Found] = {}
        updates: set[Node] = set()
        for node in nodes:
            below = {**dict.fromkeys(above, False), nodes: False}
            part = _Found()
            part.visited.add((nodes, False))
            part.visited.add((nodes, True))
            self._visit_set(frozenset((node,)), consumer, key, False, part, below)
            for outer, met in below.items():
                if met and outer in above:
                    above[outer] = True
            parts[node] = part
            if below[nodes]:
                updates.add(node)
        bases = [node for node in nodes if node not in updates]
        silent = all(not part.anything() for part in parts.values())
        if silent:
            return
        alike = not updates and len({part.sources() for part in parts.values()}) == 1
        # A loop's variable needs no marker where it begins once and only takes up what is never watched (n += 1). What
        # it takes up from memory may be of another cell each time: the newest event of a site would not tell.
        once = (
            len(bases) == 1
            and (bases[0] < 0 or not self.in_cycle(bases[0] // 2))
            and not any(parts[node].anything() for node in updates)
        )
        if (alike or once) and not any(self._stale(node, part, consumer) for node, part in parts.items()):
            for part in parts.values():
                found.add(part, called)
            self._own_writes(nodes, consumer, key, called, found)
            return
        phi = self._phi(nodes, key)  # whose markers tell of own writes too
        (found.called_phis if called else found.phis).add(phi)

    def _stale(self, node: Node, part: _Found, consumer: int) -> bool:
        """Whether a read may have been made again since its value was assigned: its newest event is not the one."""
        if node < 0:
            return False
        made_at = (node // 2,)
        return any(self.path(read, consumer, made_at) for read in part.reads | part.called_reads if read != node // 2)

    def _phi(self, nodes: Nodes, key: Key) -> int:
        """The variable's number; makes the markers behind its definitions when it is new."""
        name = (nodes, repr(key))
        if name in self.phi_ids:
            return self.phi_ids[name]
        phi = self.phi_ids[name] = len(self.phi_ids)
        for node in nodes:
            found = _Found()
            if node < 0:
                found.opaque = self.run.kind[node] == "opaque"
                after = -1
            else:
                after = node // 2
                self._visit_definition(node, nodes, phi, key, found)
            known = self.definitions.get((after, phi))
            sources = found.sources()
            if known is not None and known.sources != sources:
                sources = _union(known.sources, sources)
            self.definitions[after, phi] = Definition(after, phi, sources)
        # A write of the variable's own value: its version is from then on a source of the variable.
        for write, value in self.write_roots.items():
            of_variable = value == nodes or self._loaded(self.run.stored[write]) <= nodes
            if of_variable and key_may_be(self.keys[write], key):
                sources = _EMPTY._replace(writes=frozenset((write,)), phis=frozenset((phi,)))
                self.definitions[write, phi] = Definition(write, phi, sources)
        return phi

    def _loaded(self, nodes: Nodes) -> Nodes:
        """What a plain load of a local put on the stack came from; the nodes themselves if it was something else."""
        if len(nodes) == 1:
            (node,) = nodes
            if node >= 0 and self.run.kind[node] == "copy" and "LOAD" in self.run.instructions[node // 2].name:
                return self.run.inputs[node][0]
        return nodes

    def _visit_definition(self, node: Node, nodes: Nodes, phi: int, key: Key, found: _Found) -> None:
        above = {nodes: False}
        self._visit_set(frozenset((node,)), node // 2, key, False, found, above)
        if above[nodes]:
            found.phis.add(phi)


class _Found:
    """Sources as they are gathered."""

    __slots__ = ("called_phis", "called_reads", "called_writes", "opaque", "phis", "reads", "visited", "writes")

    def __init__(self) -> None:
        self.reads: set[int] = set()
        self.writes: set[int] = set()
        self.phis: set[int] = set()
        self.called_reads: set[int] = set()
        self.called_writes: set[int] = set()
        self.called_phis: set[int] = set()
        self.opaque = False
        self.visited: set[tuple[Nodes, bool]] = set()

    def anything(self) -> bool:
        return self.sources() != _EMPTY

    def add(self, other: _Found, called: bool) -> None:
        """`called`: all that the other found comes through a call."""
        (self.called_reads if called else self.reads).update(other.reads)
        (self.called_writes if called else self.writes).update(other.writes)
        (self.called_phis if called else self.phis).update(other.phis)
        self.called_reads |= other.called_reads
        self.called_writes |= other.called_writes
        self.called_phis |= other.called_phis
        self.opaque |= other.opaque

    def sources(self) -> Sources:
        return Sources(
            frozenset(self.reads),
            frozenset(self.writes),
            frozenset(self.phis),
            frozenset(self.called_reads),
            frozenset(self.called_writes),
            frozenset(self.called_phis),
            self.opaque,
        )


_EMPTY = _Found().sources()


def _union(one: Sources, other: Sources) -> Sources:
    return Sources(
        one.reads | other.reads,
        one.writes | other.writes,
        one.phis | other.phis,
        one.called_reads | other.called_reads,
        one.called_writes | other.called_writes,
        one.called_phis | other.called_phis,
        one.opaque or other.opaque,
    )


def access_keys(code: CodeType, decoded: Decoded, subscript_keys: dict[int, Nodes] | None = None) -> dict[int, Key]:
    """What the location of each access may be, by the index of its instruction. Without `subscript_keys` the key of
    every subscript is unknown."""
    keys: dict[int, Key] = {}
    for instruction in decoded.instructions:
        name, arg = instruction.name, instruction.arg
        match name:
            case "BINARY_SUBSCR" | "STORE_SUBSCR" | "DELETE_SUBSCR":
                pass
            case "BINARY_OP" if VERSION >= (3, 14) and arg == SUBSCRIPT_OPERATOR:
                pass
            case "BINARY_SLICE" | "STORE_SLICE":
                keys[instruction.ordinal] = ("item", ANY_KEY)
                continue
            case "LOAD_ATTR":
                if VERSION >= (3, 12) and arg & 1:
                    continue
                keys[instruction.ordinal] = ("name", code.co_names[arg >> 1 if VERSION >= (3, 12) else arg])
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
        constant: object = ANY_KEY
        made_by = (subscript_keys or {}).get(instruction.ordinal, NOTHING)
        if len(made_by) == 1:
            maker = decoded.instructions[max(next(iter(made_by)) // 2, 0)]
            if maker.name == "LOAD_CONST" and type(code.co_consts[maker.arg]) in (int, str):
                constant = code.co_consts[maker.arg]
            elif maker.name == "LOAD_SMALL_INT":
                constant = maker.arg
            if type(constant) is int and constant < 0:
                constant = ANY_KEY  # counts from the end: another index may be the same item
        keys[instruction.ordinal] = ("item", constant)
    return keys


def analyse(code: CodeType, decoded: Decoded, hooked: Callable[[int], bool]) -> DataFlow:
    """`hooked(index)` says whether the access at that instruction is instrumented.

    Raises FlowError where the stack cannot be followed.
    """
    run = _Interpreter(code, decoded)
    run.run()
    keys = access_keys(code, decoded, run.subscript_keys)
    keys |= dict.fromkeys(run.writing_calls, ("any", None))

    def seen(index: int) -> bool:
        return index in run.writing_calls or hooked(index)

    resolver = _Resolver(run, keys, seen)
    writes: dict[int, Sources] = {}
    computed: dict[int, int] = {}
    arithmetic: set[int] = set()
    enter = False
    for write in sorted(run.stored):
        if not seen(write):
            continue
        sources = writes[write] = resolver.sources(write)
        root = resolver.root(run.stored[write])
        if len(root) == 1:
            (node,) = root
            if node >= 0 and _is_arithmetic(run.instructions[node // 2]):
                computed[write] = node // 2
        if sources.reads or sources.writes or sources.called_reads or sources.called_writes:
            reads = sources.reads | sources.called_reads
            if sources.writes or sources.called_writes or any(resolver.path(-1, write, (read,)) for read in reads):
                enter = True
            arithmetic |= _results_on_the_way(run, resolver, write, sources)
    definitions = list(resolver.definitions.values())
    into_items = (sources for index, sources in writes.items() if not _writes_name(run.instructions[index]))
    iterations = _iterations(run, [*into_items, *(definition.sources for definition in definitions)])
    for definition in definitions:
        if definition.after in writes:
            continue  # its source is the write that has just been made
        if definition.sources.writes or definition.sources.called_writes:
            enter = True
        reads = definition.sources.reads | definition.sources.called_reads
        if resolver.may_be_of_another_activation(reads, definition.after):
            enter = True
    return DataFlow(
        writes,
        definitions,
        computed,
        frozenset(arithmetic),
        enter,
        keys,
        run.depth,
        run.appends,
        frozenset(run.lens),
        iterations,
    )


def _iterations(run: _Interpreter, found: list[Sources]) -> dict[int, bool]:
    """Loops that no write depends on need no hook, nor those whose items only become variables: what is read of a
    container is the source of a write there."""
    taken = {node // 2 for node in run.taken}
    used = taken & {read for sources in found for read in sources.reads | sources.called_reads}
    loops = {index if run.instructions[index].name == "FOR_ITER" else index - 1 for index in used}
    return {index: run.takes_pair(index) for index in loops}


def _writes_name(instruction: Instruction) -> bool:
    return instruction.name in ("STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")


def _is_arithmetic(instruction: Instruction) -> bool:
    return instruction.name == "BINARY_OP" and not (VERSION >= (3, 14) and instruction.arg == SUBSCRIPT_OPERATOR)


def _results_on_the_way(run: _Interpreter, resolver: _Resolver, write: int, sources: Sources) -> set[int]:
    """Arithmetic whose operands come from one of the reads and whose result is not stored as it is."""
    final = resolver.root(run.stored[write])
    reads = {read for read in sources.reads if 2 * read not in run.taken and 2 * read + 1 not in run.taken}  # a range?
    found: set[int] = set()
    memory: dict[Node, bool] = {}

    def comes_from_read(node: Node, level: int = 0) -> bool:
        if node in memory or level > _DEEPEST:
            return memory.get(node, False)
        memory[node] = False
        if node >= 0 and node // 2 in reads:
            memory[node] = True
            return True
        if run.kind[node] == "opaque":
            return False
        results = [comes_from_read(each, level + 1) for nodes in run.inputs[node] for each in nodes]  # all of them
        result = any(results)
        memory[node] = result
        if result and node >= 0 and _is_arithmetic(run.instructions[node // 2]) and frozenset((node,)) != final:
            found.add(node // 2)
        return result

    for node in run.stored[write]:
        comes_from_read(node)
    return found
