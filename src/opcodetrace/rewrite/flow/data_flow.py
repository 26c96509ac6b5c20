"""The data flow of a code object, as the weaver needs it."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.flow.awaited import AWAIT, awaited_calls, made_by_call
from opcodetrace.rewrite.flow.conditions import ADDS, HEAP_FUNCTIONS, Conditions, Question
from opcodetrace.rewrite.flow.decisions import Decisions, Result
from opcodetrace.rewrite.flow.interpretation import AbstractInterpreter
from opcodetrace.rewrite.flow.keys import Key, access_keys, called_attributes
from opcodetrace.rewrite.flow.nodes import Node, Nodes
from opcodetrace.rewrite.flow.resolution import DEEPEST, Resolver
from opcodetrace.rewrite.flow.sources import EMPTY, Definition, StaticSources, union
from opcodetrace.rewrite.interpreters import is_subscript, is_update

# Methods of containers that raise if what they are to take, or to find, is not there.
_TAKES_AWAY = HEAP_FUNCTIONS | frozenset(["pop", "popitem", "popleft", "remove", "index", "__delitem__", "move_to_end"])


class ArgumentSources(NamedTuple):
    """What an instruction gives to the Python code that it may call."""

    callee: str | None  # how the source names it
    positional: tuple[StaticSources, ...]
    keywords: tuple[tuple[str, StaticSources], ...]
    receiver: StaticSources  # what is called, and of what it is a method
    others: StaticSources  # of which it is not known to which parameter: *x, **x, what a property is set to

    def passed(self) -> StaticSources:
        """All of it, as it comes through the call."""
        parts = [*self.positional, *(flow for _, flow in self.keywords), self.receiver, self.others]
        every = functools.reduce(union, parts)
        return every._replace(
            reads=EMPTY.reads,
            writes=EMPTY.writes,
            called_reads=every.reads | every.called_reads,
            called_writes=every.writes | every.called_writes,
        )


class DataFlow(NamedTuple):
    """Of one code object. `depth` is the stack's depth before each instruction (-1: never reached)."""

    writes: dict[int, StaticSources]
    definitions: list[Definition]
    computed: dict[int, int]  # write -> the arithmetic instruction whose result it stores as it is
    arithmetic: frozenset[int]  # intermediate results on the way from a read to a write
    given: dict[int, ArgumentSources]  # calls, and other instructions that may call Python code
    returned: StaticSources  # or yielded
    keys: dict[int, Key]  # accesses -> what their location may be
    depth: list[int]
    appends: dict[int, int]  # `x.append(y)` as a statement: the call -> the instruction that loads the method
    lens: frozenset[int]  # calls of `len` and `bool`
    copies: frozenset[int]  # calls that copy what they are given: list(x)
    # FOR_ITERs whose value flows into a write of an item or attribute; True if what they give is taken apart at once
    # (`for i, v in ...`), by the instruction that follows: its second value is then a read of its own
    iterations: dict[int, bool]
    tests: dict[int, dict[int, str]]  # accesses -> the reads that decided, by a branch, that they are executed, and how
    decisions: dict[tuple[Question, ...], list[int]]  # the same by what was called; and of calls
    results: list[Result]
    exceeded: bool  # the search for the sources of some writes was given up: those are inferred


def analyse(code: CodeType, decoded: Decoded, hooked: Callable[[int], bool]) -> DataFlow:
    """`hooked(index)` says whether the access at that instruction is instrumented.

    Raises FlowError if the stack cannot be followed.
    """
    run = AbstractInterpreter(code, decoded)
    run.run()
    keys = access_keys(code, decoded, run.subscript_keys)
    keys |= {index: key for index, key in called_attributes(code, decoded).items() if hooked(index)}
    keys |= dict.fromkeys(run.writing_calls, ("any", None))

    def seen(index: int) -> bool:
        return index in run.writing_calls or hooked(index)

    resolver = Resolver(run, keys, seen)
    writes: dict[int, StaticSources] = {}
    computed: dict[int, int] = {}
    arithmetic: set[int] = set()
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
            arithmetic |= _results_on_the_way(run, resolver, write, sources)
    conditions = Conditions(run, resolver, keys)
    definitions = list(resolver.definitions.values())
    for write, decided in conditions.writes(writes, definitions).items():
        writes[write] = writes[write]._replace(tested=decided.tested, failed=decided.failed)
    assigned = conditions.definitions(writes, definitions)
    for place, definition in enumerate(definitions):
        if (definition.after, definition.phi) in assigned:
            decided = assigned[definition.after, definition.phi]
            sources = definition.sources._replace(tested=decided.tested, failed=decided.failed)
            definitions[place] = definition._replace(sources=sources)
    into_items = (sources for index, sources in writes.items() if not _writes_name(run.instructions[index]))
    awaited = awaited_calls(run, resolver)
    accesses, decisions = _accesses(run, keys, hooked), Decisions(run, conditions, awaited)
    iterations = _iterations(run, [*into_items, *(definition.sources for definition in definitions)])
    return DataFlow(
        writes,
        definitions,
        computed,
        frozenset(arithmetic),
        _given(run, resolver),
        resolver.handed_over(run.returned, len(run.instructions) - 1),
        keys,
        run.depth,
        run.appends,
        frozenset(run.lens),
        frozenset(run.copies),
        iterations,
        conditions.tests(accesses, decisions.deciding, decisions.looked_up),
        decisions.of(_acts(run, accesses) | awaited.keys()),
        decisions.results(),
        bool(resolver.exceeded),
    )


def depths(code: CodeType, decoded: Decoded) -> list[int]:
    """`depth` alone. Raises FlowError if the stack cannot be followed."""
    run = AbstractInterpreter(code, decoded)
    run.run()
    return run.depth


def _accesses(run: AbstractInterpreter, keys: Mapping[int, Key], hooked: Callable[[int], bool]) -> list[int]:
    """Those that are seen, calls that read or write among them."""
    calls = run.reading_calls | run.writing_calls
    calls |= {call for call, operands in run.given.items() if run.callee_names(operands) & (_TAKES_AWAY | ADDS)}
    return sorted(calls | {index for index in keys.keys() | run.members.keys() if hooked(index)})


def _acts(run: AbstractInterpreter, accesses: Iterable[int]) -> set[int]:
    """What may be wrong to do if a check holds no longer: accesses that write, or that may fail, and calls."""
    subscripts = {i.ordinal for i in run.instructions if is_subscript(i.name, i.arg)}
    return {
        *run.given,
        *(index for index in accesses if index in run.stored or index in run.targets or index in subscripts),
    }


def _given(run: AbstractInterpreter, resolver: Resolver) -> dict[int, ArgumentSources]:
    """By the index of the instruction; without those by which nothing flows."""
    given: dict[int, ArgumentSources] = {}

    def together(index: int, parts: Sequence[Nodes]) -> StaticSources:
        return functools.reduce(union, [resolver.handed_over(nodes, index) for nodes in parts], EMPTY)

    def add(
        index: int,
        callee: str | None,
        arguments: Sequence[Nodes] = (),
        keywords: Sequence[str] = (),
        receiver: Sequence[Nodes] = (),
        others: Sequence[Nodes] = (),
    ) -> None:
        flows = [resolver.handed_over(nodes, index) for nodes in arguments]
        split = len(flows) - len(keywords)
        named = tuple(zip(keywords, flows[split:], strict=True))
        found = ArgumentSources(callee, tuple(flows[:split]), named, together(index, receiver), together(index, others))
        if any(flow != EMPTY for flow in (found.receiver, found.others, *flows)):
            given[index] = found

    for call, operands in run.given.items():
        name = run.instructions[call].name
        names = run.callee_names(operands) or _variables(run, operands)
        callee = next(iter(names)) if len(names) == 1 else None
        if name == "CALL_FUNCTION_EX":
            add(call, callee, receiver=operands[:2], others=operands[2:])
        elif name in ("CALL", "CALL_KW"):
            keywords = run.keywords(call)
            arguments = operands[2:] if name == "CALL" else operands[2:-1]
            if len(keywords) <= len(arguments):
                add(call, callee, arguments, keywords, operands[:2])
    for write, value in run.stored.items():
        match run.instructions[write].name:
            case "STORE_ATTR":
                add(write, None, others=[value])  # a property's setter, __setattr__
            case "STORE_SUBSCR":
                add(write, "__setitem__", [run.subscript_keys[write], value])
    for instruction in run.instructions:
        if is_update(instruction.name, instruction.arg) and 2 * instruction.ordinal in run.inputs:
            left, right = run.inputs[2 * instruction.ordinal]
            add(instruction.ordinal, "__ior__", receiver=[left], others=[right])
        elif instruction.name in ("FOR_ITER", AWAIT):
            maker = made_by_call(run, resolver, 2 * instruction.ordinal)
            if maker in given:
                given[instruction.ordinal] = given[maker]  # the generator or coroutine has what it was called with
    return given


def _variables(run: AbstractInterpreter, operands: list[Nodes]) -> set[str]:
    """How the variable is named that is called."""
    names = set()
    for node in operands[0] | operands[1]:
        made_by = run.instructions[node // 2] if node >= 0 else None
        if made_by is None or made_by.name not in ("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_DEREF"):
            continue
        code = run.code
        cells = [name for name in code.co_cellvars if name not in code.co_varnames]
        names.add([*code.co_varnames, *cells, *code.co_freevars][made_by.arg])
    return names


def _iterations(run: AbstractInterpreter, found: list[StaticSources]) -> dict[int, bool]:
    """The loops that need a hook: those whose items flow into a write of an item or attribute.

    What a loop reads of a container can only be the source of a write there, so an item that only becomes a variable
    needs none."""
    taken = {node // 2 for node in run.taken}
    used = taken & {read for sources in found for read in sources.reads | sources.called_reads}
    loops = {index if run.instructions[index].name == "FOR_ITER" else index - 1 for index in used}
    return {index: run.takes_pair(index) for index in loops}


def _writes_name(instruction: Instruction) -> bool:
    return instruction.name in ("STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")


def _is_arithmetic(instruction: Instruction) -> bool:
    return instruction.name == "BINARY_OP" and not is_subscript(instruction.name, instruction.arg)


def _results_on_the_way(run: AbstractInterpreter, resolver: Resolver, write: int, sources: StaticSources) -> set[int]:
    """Arithmetic whose operands come from one of the reads and whose result is not stored as it is."""
    final = resolver.root(run.stored[write])
    reads = {read for read in sources.reads if 2 * read not in run.taken and 2 * read + 1 not in run.taken}  # a range?
    found: set[int] = set()
    memory: dict[Node, bool] = {}

    def comes_from_read(node: Node, level: int = 0) -> bool:
        if node in memory or level > DEEPEST:
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
