"""What a coroutine awaits: the call that made it, and what it gave.

`await f()` is a CALL, which makes the coroutine, and a SEND in a loop of its own, which runs it and has its result in
the end. So for who asks what `f` does, the SEND is the call.
"""

from collections.abc import Mapping

from opcodetrace.rewrite.flow.interpretation import AbstractInterpreter
from opcodetrace.rewrite.flow.nodes import NOTHING, Node, Nodes
from opcodetrace.rewrite.flow.resolution import Resolver

AWAIT = "SEND"


def made_by_call(run: AbstractInterpreter, resolver: Resolver, node: Node) -> int:
    """The call that made what a loop iterates, or what is awaited; -1 if it is not one alone."""
    for _ in range(4):
        made_by = resolver.root(run.inputs[node][-1]) if run.inputs.get(node) else NOTHING
        if len(made_by) != 1:
            return -1
        (node,) = made_by
        if node < 0:
            return -1
        if node // 2 in run.given:
            return node // 2
    return -1


def awaited_calls(run: AbstractInterpreter, resolver: Resolver) -> Mapping[int, int]:
    """By the index of each SEND: the call that made what it runs."""
    found = {
        each.ordinal: made_by_call(run, resolver, 2 * each.ordinal) for each in run.instructions if each.name == AWAIT
    }
    return {send: call for send, call in found.items() if call >= 0}


def given_by(run: AbstractInterpreter, node: Node) -> Nodes:
    """What an END_SEND leaves: what the SEND had in the end. An exception that is thrown in goes another way."""
    if node < 0 or run.instructions[node // 2].name != "END_SEND":
        return NOTHING
    return frozenset(
        each for each in run.inputs[node][-1] if each < 0 or run.instructions[each // 2].name != "CLEANUP_THROW"
    )
