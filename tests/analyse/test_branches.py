"""Which parts of a function may be followed by which."""

from __future__ import annotations

import ast

import pytest

from opcodetrace.analyse.branches import may_come_to
from opcodetrace.analyse.syntax import Tree
from opcodetrace.trace.site import SwitchPoint

LEFT = {
    "raise": "if x: raise this()\nthen()",
    "return": "if x:\n    this()\n    return\nthen()",
    "the other branch": "if x: pass\nelse: raise this()\nthen()",
    "one of two": "if x: raise this()\nelse: then()",
    "assert": "assert x, this()\nthen()",
    "a case": "match x:\n    case 1: raise this()\nthen()",
    "an exception": "try: x()\nexcept ValueError: raise this()\nthen()",
    "within a branch": "if x:\n    if y: this()\n    raise ValueError\nthen()",
    "both are tried": "try:\n    if x: raise this()\n    then()\nexcept ValueError: pass",
    "both under a lock": "with lock:\n    if x: raise this()\n    then()",
    "in a loop": "for x in y:\n    if x: return this()\n    then()",
}
NOT_LEFT = {
    "one after the other": "this()\nthen()",
    "a branch": "if x: this()\nthen()",
    "the test": "if this(): raise x\nthen()",
    "not at its end": "if x:\n    if y: raise z\n    this()\nthen()",
    "the same branch": "if x:\n    this()\n    then()\n    return",
    "caught": "try:\n    if x: raise this()\nexcept ValueError: pass\nthen()",
    "caught by what is entered": "with suppress(ValueError):\n    if x: raise this()\nthen()",
    "in the end": "try:\n    if x: return this()\nfinally: then()",
    "in the end, of an exception": "try: x()\nexcept ValueError: raise this()\nfinally: then()",
    "a loop that is left": "for x in y:\n    if x:\n        if this(): break\n        raise x\nthen()",
    "the next turn": "for x in y:\n    if x:\n        this()\n        continue\n    then()",
}


def place(function: ast.AST, name: str) -> SwitchPoint:
    """Of the call of a name."""
    (call,) = (
        each
        for each in ast.walk(function)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name
    )
    position = call.lineno, call.end_lineno, call.col_offset, call.end_col_offset
    return SwitchPoint(0, 0, "CALL", *position, preempts=True)


def comes_to(lines: str) -> bool:
    source = "def f():\n    " + lines.replace("\n", "\n    ")
    tree, (function,) = Tree(source.encode()), ast.parse(source).body
    this, then = (tree.at(place(function, name)) for name in ("this", "then"))
    assert this is not None and then is not None
    return may_come_to(tree, this, then)


@pytest.mark.parametrize("name", LEFT)
def test_it_is_not_reached(name: str) -> None:
    assert not comes_to(LEFT[name])


@pytest.mark.parametrize("name", NOT_LEFT)
def test_it_is_reached(name: str) -> None:
    assert comes_to(NOT_LEFT[name])
