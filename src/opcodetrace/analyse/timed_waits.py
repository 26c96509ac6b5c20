"""Waits for as long as a shared time says, which is then set anew: `left = self.next - now()`, `sleep(left)`, then
`self.next = now() + 1`.

No branch leads to the write. But two threads that both look before one of them writes wait for the same moment, and go
on together: a limit of calls in a time lets both through. So the write is taken for an act by that look. Not if the
thread looks again once it has waited (`while now() < self.next: sleep(...)`), nor if what is written is made of what
was there, which is an update.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from opcodetrace.analyse.made_of import Function, called_name, own_nodes, stored
from opcodetrace.analyse.syntax import LOOPS, Syntax, Tree
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import MORE, Code, Operation, Site

_STORES = (Operation.STORE_ATTR, Operation.STORE_SUBSCR, Operation.STORE_GLOBAL)
_READS = (Operation.LOAD_ATTR, Operation.LOAD_SUBSCR, Operation.LOAD_GLOBAL, Operation.CALL, Operation.TEST)
_ADDS = frozenset(["append", "appendleft", "insert", "add"])
_SLEEPS = frozenset(["sleep", "_sleep"])


def timed_waits(trace: Trace, syntax: Syntax) -> dict[int, dict[int, str]]:
    """By the sites of such writes: those of the looks before the wait."""
    found = {}
    waiting: dict[ast.AST, list[ast.Call]] = {}
    for code in trace.codes:
        for site in code.sites:
            node = syntax.of_site(site.id) if site.operation in (*_STORES, Operation.CALL) else None
            function = None if node is None else node[0].function(node[1])
            if node is None or function is None:
                continue
            if function not in waiting:
                calls = (each for each in own_nodes(function) if isinstance(each, ast.Call))
                waiting[function] = [each for each in calls if called_name(each.func) in _SLEEPS]
            name = _set_anew(*node) if waiting[function] else None
            waits = [] if name is None else [each for each in waiting[function] if _is_for(node, function, each, name)]
            looks = {} if not waits else _looks(syntax, code, name or "", max(each.lineno for each in waits))
            if looks:
                found[site.id] = looks
    return found


def _set_anew(tree: Tree, node: ast.AST) -> str | None:
    """How the source names what is given a value that is not made of it, or is added to."""
    match node:
        case ast.Call(ast.Attribute(container, method)) if method in _ADDS:
            return ast.unparse(container)
        case ast.Attribute() | ast.Subscript() | ast.Name():
            step = next(tree.above(node), None)
            value = step.parent.value if step is not None and isinstance(step.parent, ast.Assign) else None
            name = ast.unparse(node)
            is_new = step is not None and value is not None and step.field == "targets" and not _names(value, name)
            return name if is_new else None
    return None


def _is_for(at: tuple[Tree, ast.AST], function: Function, wait: ast.Call, name: str) -> bool:
    """Whether a wait before the write is made, or is so long, because of what was there; and nobody looks again."""
    tree, write = at
    if wait.lineno >= getattr(write, "lineno", 0):
        return False
    own = _made_of(function, name)
    around = {step.parent for step in tree.above(write)}
    asked = [*wait.args]
    for step in tree.above(wait):
        if isinstance(step.parent, LOOPS) and step.parent not in around:
            return False
        if isinstance(step.parent, ast.If) and step.field == "body":
            asked.append(step.parent.test)
    return any(_names(each, name) or own.intersection(_variables(each)) for each in asked)


def _made_of(function: Function, name: str) -> set[str]:
    """The local variables that are made of it."""
    assigned = [each for each in own_nodes(function) if isinstance(each, ast.Assign)]
    found: set[str] = set()
    before = -1
    while before < len(found):
        before = len(found)
        for each in assigned:
            if _names(each.value, name) or found.intersection(_variables(each.value)):
                found.update(variable for target in each.targets for variable in stored(target))
    return found


def _names(value: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.expr) and ast.unparse(each) == name for each in ast.walk(value))


def _variables(value: ast.AST) -> Iterator[str]:
    return (each.id for each in ast.walk(value) if isinstance(each, ast.Name))


def _looks(syntax: Syntax, code: Code, name: str, until: int) -> dict[int, str]:
    """The sites that read it, or ask how much is in it, no later than that line."""
    return {
        site.id: MORE
        for site in code.sites
        if site.operation in _READS and site.line is not None and site.line <= until and _is_look(syntax, site, name)
    }


def _is_look(syntax: Syntax, site: Site, name: str) -> bool:
    node = syntax.of_site(site.id)
    match None if node is None else node[1]:
        case ast.Call(ast.Name("len"), [container]):
            return ast.unparse(container) == name
        case ast.expr() as look if not isinstance(look, ast.Call):
            return ast.unparse(look) == name
    return False
