"""What a thread appended to a list and took back, while another one emptied that: `jobs.append(job)`, then
`jobs.remove(job)`. The source tells what is taken back."""

from __future__ import annotations

import ast

from opcodetrace.analyse.activations import Activations, Part
from opcodetrace.analyse.made_of import times_stored
from opcodetrace.analyse.syntax import LOOPS

_ENDS = (0, -1)  # indexes at which something is, if anything is


def empties(activations: Activations, change: int) -> bool:
    """Whether a change of a list takes all out. What deletes a slice is at another location."""
    part = next(activations.parts(change), None)
    match None if part is None else part.node:
        case ast.Call(ast.Attribute(attr="clear"), [], []):
            return True
        case ast.Call(ast.Attribute(ast.Name("dict" | "list" | "set"), "clear"), [_], []):
            return True
    return False


def takes_back(activations: Activations, append: int, failure: int, error: str) -> bool:
    """Whether an access that failed would not have, with what was appended still there."""
    part, own = (next(activations.parts(place), None) for place in (failure, append))
    if part is None or own is None:
        return False
    match part.node:
        case ast.Subscript(slice=index, ctx=ast.Load() | ast.Del()) | ast.Delete([ast.Subscript(slice=index)]):
            return error == IndexError.__name__ and _is_end(index)
        case ast.Call(ast.Attribute(attr="pop"), arguments, []):
            return error == IndexError.__name__ and all(map(_is_end, arguments))
        case ast.Call(ast.Attribute(attr="remove"), [removed], []) if error == ValueError.__name__:
            pass
        case _:
            return False
    match own.node:
        case ast.Call(ast.Attribute(attr="append"), [appended], []) if own.activation == part.activation:
            pass
        case _:
            return False
    match appended, removed:
        case ast.Constant(one), ast.Constant(other):
            return type(one) is type(other) and one == other
        case ast.Name(name), ast.Name(other) if name == other:
            return _is_given_once(part, name) and _is_given_once(own, name)
    return False


def _is_given_once(part: Part, name: str) -> bool:
    """Whether a variable is the same wherever the function uses it, as far as this instruction may tell."""
    function = part.tree.function(part.node)
    if function is None:
        return False
    times = times_stored(function, name)
    is_given = any(isinstance(each, ast.arg) and each.arg == name for each in ast.walk(function.args))
    in_loop = any(isinstance(step.parent, LOOPS) for step in part.tree.above(part.node))
    return times == 0 if is_given else times == 1 and not in_loop


def _is_end(index: ast.expr) -> bool:
    try:
        return ast.literal_eval(index) in _ENDS
    except ValueError:
        return False
