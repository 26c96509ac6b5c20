"""What is done with a value at once, and fails if that is None."""

from __future__ import annotations

import ast

from opcodetrace.analyse.syntax import Tree

_GO_OVER = frozenset(
    each.__name__ for each in (len, iter, list, tuple, set, frozenset, dict, sorted, reversed, enumerate, sum, min, max)
)


def raised_by_none(tree: Tree, node: ast.AST) -> str | None:
    """The error that is raised if an expression gives None, because of what is done with it at once; None if nothing
    is, or if something else comes first that may raise."""
    step = next(tree.above(node), None)
    match step.parent if step is not None else None:
        case ast.Attribute(attr=name) if not hasattr(None, name):
            return AttributeError.__name__
        case ast.Subscript(slice=ast.Constant() | ast.Name()) if step is not None and step.field == "value":
            return TypeError.__name__
        case ast.Call(args=arguments, keywords=[]) if step is not None and step.field == "func":
            return TypeError.__name__ if all(isinstance(each, ast.Constant | ast.Name) for each in arguments) else None
        case ast.For() if step is not None and step.field == "iter":
            return TypeError.__name__
        case ast.Compare(ast.Constant() | ast.Name(), [ast.In() | ast.NotIn()], [container]) if container is node:
            return TypeError.__name__
        case ast.Call(ast.Name(called), [argument], []) if called in _GO_OVER and argument is node:
            return TypeError.__name__
    return None
