"""What is kept if it is there, and else made, by one assignment: `self.items = self.items or []`,
`d[k] = d.get(k) or make()`, `d[k] = d.get(k, [])`, `o.x = o.x if o.x is not None else make()`; also by a variable:
`items = d.get(k) or make()`, and later `d[k] = items`.

No branch leads to the write, but what is written was chosen by a check of the location. If it found nothing, the write
is one by that check.
"""

from __future__ import annotations

import ast

from opcodetrace.analyse.assignments import named_as
from opcodetrace.analyse.made_of import is_new_container
from opcodetrace.analyse.syntax import Syntax, Tree
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation

_WRITES = (Operation.STORE_ATTR, Operation.STORE_SUBSCR)
_READS = (Operation.LOAD_ATTR, Operation.LOAD_SUBSCR, Operation.CALL)
_Place = tuple[int | None, ...]  # of a code object


def kept_or_made(trace: Trace, syntax: Syntax) -> dict[int, dict[int, str]]:
    """By the sites of such writes: those of the reads that chose, and what they found if something is made."""
    reads: dict[_Place, int] | None = None
    found: dict[int, dict[int, str]] = {}
    for number, site in trace.sites.items():
        at = syntax.of_site(number) if site.operation in _WRITES else None
        check = None if at is None else _check(*at)
        if check is None:
            continue
        if reads is None:
            reads = {
                (trace.site_codes[each.id].id, *each.span): each.id
                for each in trace.sites.values()
                if each.operation in _READS
            }
        span = check.lineno, check.col_offset, check.end_lineno, check.end_col_offset
        read = reads.get((trace.site_codes[number].id, *span))
        if read is not None:
            found[number] = {read: "false"}
    return found


def _check(tree: Tree, target: ast.AST) -> ast.expr | None:
    """The read of what is assigned to that chooses what is written."""
    value = tree.assigned(target)
    if isinstance(value, ast.Name):
        match tree.bound(value):
            case ast.Assign(value=given):
                value = given
    checked: ast.expr | None = None
    match value:
        case ast.BoolOp(ast.Or(), [kept, _]):
            checked = kept
        case ast.IfExp(test, body, otherwise):
            asked, is_kept = _asked(test)
            if asked is not None and ast.unparse(asked) == ast.unparse(body if is_kept else otherwise):
                checked = asked
        case ast.Call(ast.Attribute(attr="get"), [_, made], []) if is_new_container(made):
            return value if named_as(value) == ast.unparse(target) else None
    return checked if checked is not None and _is_plain(checked) and named_as(checked) == ast.unparse(target) else None


def _asked(test: ast.expr) -> tuple[ast.expr | None, bool]:
    """What a condition asks for, and whether it holds if that is there."""
    match test:
        case ast.UnaryOp(ast.Not(), read):
            return read, False
        case ast.Compare(read, [ast.Is() | ast.IsNot() as sign], [ast.Constant(None)]):
            return read, isinstance(sign, ast.IsNot)
        case ast.Attribute() | ast.Subscript() | ast.Call():
            return test, True
    return None, False


def _is_plain(read: ast.expr) -> bool:
    """Whether it gives what is there, and nothing in place of what is not."""
    match read:
        case ast.Attribute() | ast.Subscript():
            return True
        case ast.Call(ast.Attribute(attr="get"), [_] | [_, ast.Constant(None)], []):
            return True
        case ast.Call(ast.Name("getattr"), [_, ast.Constant(str()), ast.Constant(None)], []):
            return True
    return False
