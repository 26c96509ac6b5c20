"""The data flow of a code object, as the weaver needs it."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import NamedTuple

from opcodetrace.rewrite.decode import Decoded, Instruction
from opcodetrace.rewrite.flow.conditions import Conditions, Decided
from opcodetrace.rewrite.flow.interpretation import Interpreter
from opcodetrace.rewrite.flow.keys import Key, access_keys
from opcodetrace.rewrite.flow.nodes import Node
from opcodetrace.rewrite.flow.resolution import DEEPEST, Resolver
from opcodetrace.rewrite.flow.sources import Definition, Sources
from opcodetrace.rewrite.interpreters import is_subscript


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
    # FOR_ITERs whose value flows into a write of an item or attribute; True if what they give is taken apart at once
    # (`for i, v in ...`), by the instruction that follows: its second value is then a read of its own
    iterations: dict[int, bool]
    exceeded: bool  # the search for the sources of some writes was given up: those are inferred


def analyse(code: CodeType, decoded: Decoded, hooked: Callable[[int], bool]) -> DataFlow:
    """`hooked(index)` says whether the access at that instruction is instrumented.

    Raises FlowError if the stack cannot be followed.
    """
    run = Interpreter(code, decoded)
    run.run()
    keys = access_keys(code, decoded, run.subscript_keys)
    keys |= dict.fromkeys(run.writing_calls, ("any", None))

    def seen(index: int) -> bool:
        return index in run.writing_calls or hooked(index)

    resolver = Resolver(run, keys, seen)
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
            if sources.writes or sources.called_writes or resolver.may_be_of_another_activation(reads, write):
                enter = True
            arithmetic |= _results_on_the_way(run, resolver, write, sources)
    conditions = Conditions(run, resolver, keys)
    definitions = list(resolver.definitions.values())
    for write, decided in conditions.writes(writes, definitions).items():
        writes[write] = writes[write]._replace(tested=decided.tested, failed=decided.failed)
        enter |= _is_stale(resolver, decided, write)
    assigned = conditions.definitions(writes, definitions)
    for place, definition in enumerate(definitions):
        if (definition.after, definition.phi) in assigned:
            decided = assigned[definition.after, definition.phi]
            sources = definition.sources._replace(tested=decided.tested, failed=decided.failed)
            definitions[place] = definition._replace(sources=sources)
            enter |= _is_stale(resolver, decided, definition.after)
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
        bool(resolver.exceeded),
    )


def _is_stale(resolver: Resolver, decided: Decided, index: int) -> bool:
    """Whether the newest event at one of the sites may be of an earlier activation."""
    return bool(decided.failed) or resolver.may_be_of_another_activation(decided.tested, index)


def _iterations(run: Interpreter, found: list[Sources]) -> dict[int, bool]:
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


def _results_on_the_way(run: Interpreter, resolver: Resolver, write: int, sources: Sources) -> set[int]:
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
