"""Counts of who uses something, that are checked and then changed in any case: `if self.users == 0: self.open()`, then
`self.users += 1`.

No branch leads to the write, but what the check decided is right only if the count is still what it was: two threads
that both find 0 both open. So the write is taken for an act by the check, if that decided that something is called for
its effect.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from opcodetrace.analyse.called_checks import CalledChecks
from opcodetrace.analyse.consequences import may_be_repeated
from opcodetrace.analyse.made_of import called_name
from opcodetrace.analyse.syntax import SHOWS, Tree, ends
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Operation

_STORES = (Operation.STORE_ATTR, Operation.STORE_SUBSCR, Operation.STORE_GLOBAL)
_READS = (Operation.LOAD_ATTR, Operation.LOAD_SUBSCR, Operation.LOAD_GLOBAL)


class _Counted(NamedTuple):
    """How the source names a count, and the calls that a check of it decided before it is changed."""

    name: str
    calls: list[ast.Call]


def counted_uses(trace: Trace, called: CalledChecks) -> dict[int, dict[int, str]]:
    """By the sites of such writes: those of the checks, and what they had found if something was called."""
    found = {}
    for code in trace.codes:
        for site in code.sites:
            if site.operation in _STORES and site.line is not None:
                node = called.activations.syntax.of_site(site.id)
                counted = None if node is None else _counted(*node)
                tests = {} if counted is None else dict(_tests(trace, called, code, counted))
                if tests:
                    found[site.id] = tests
    return found


def _counted(tree: Tree, target: ast.AST) -> _Counted | None:
    """If it is changed by a constant, after checks of it in the same block."""
    steps = list(tree.above(target))
    match steps[0].parent if steps else None:
        case ast.AugAssign(op=ast.Add() | ast.Sub(), value=ast.Constant(int())):
            name = ast.unparse(target)
        case _:
            return None
    calls: list[ast.Call] = []
    for step in steps[1:]:
        block = getattr(step.parent, step.field, None)
        if isinstance(block, list) and step.node in block:
            before = block[: block.index(step.node)]
            calls += [call for each in before if isinstance(each, ast.If) for call in _decided(each, name)]
        if not isinstance(step.parent, ast.With | ast.AsyncWith):
            break
    return _Counted(name, calls) if calls else None


def _decided(check: ast.If, name: str) -> Iterator[ast.Call]:
    """What it calls for its effect, if it asks for a count, and goes on in any case."""
    asks = any(isinstance(each, ast.expr) and ast.unparse(each) == name for each in ast.walk(check.test))
    if asks and not ends(check.body) and not (check.orelse and ends(check.orelse)):
        for block, other in ((check.body, check.orelse), (check.orelse, check.body)):
            for statement in block:
                match statement:
                    case ast.Expr(ast.Call() as call) if not may_be_repeated(statement):
                        if called_name(call.func) not in SHOWS:
                            yield call
                    case ast.Assign([ast.Name(given)], ast.Call() as call) if _is_kept(other, given):
                        yield call


def _is_kept(block: list[ast.stmt], name: str) -> bool:
    """Whether a variable is given there what is kept in an attribute: else it is made or opened."""
    return any(
        isinstance(each, ast.Assign) and isinstance(each.value, ast.Attribute) and ast.unparse(each.targets[0]) == name
        for each in block
    )


def _tests(trace: Trace, called: CalledChecks, code: Code, counted: _Counted) -> Iterator[tuple[int, str]]:
    syntax = called.activations.syntax
    reads: Mapping[int, int] = {
        site.offset: site.id
        for site in code.sites
        if site.operation in _READS
        if (node := syntax.of_site(site.id)) is not None and ast.unparse(node[1]) == counted.name
    }
    for site in code.sites:
        node = syntax.of_site(site.id) if site.operation == Operation.CALL and reads else None
        if node is not None and any(node[1] is call for call in counted.calls):
            for read in reads.values():
                answer = called.answer(read, site.id)
                if answer:
                    yield read, answer
