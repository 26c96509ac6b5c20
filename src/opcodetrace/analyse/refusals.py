"""What a program takes for an error, and refuses: it raises by a check, here or in a function that it calls for it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from opcodetrace.analyse.syntax import Tree


def is_refused(tree: Tree, test: ast.AST, act: ast.AST) -> bool:
    """Whether a statement raises by a test if what is done otherwise is not done: `if closed: raise ...`."""
    for step in tree.above(test):
        match step.parent:
            case ast.If(body=body, orelse=otherwise) as choice if step.field == "test":
                if _raises(tree, body) and not otherwise:
                    return tree.follows(choice, act) is True
                is_done = any(act in ast.walk(each) for each in body)
                return is_done and _raises(tree, otherwise)
            case ast.stmt():
                return False
    return False


def tested(tree: Tree, read: ast.AST) -> ast.AST:
    """Where what was read is tested: `state = self.state`, then `if state not in allowed: raise`."""
    step = next(tree.above(read), None)
    match None if step is None else step.parent:
        case ast.Assign(targets=[ast.Name(name)]) as assigned:
            following = tree.following(assigned)
            if isinstance(following, ast.If):
                names = (each for each in ast.walk(following.test) if isinstance(each, ast.Name) and each.id == name)
                return next(names, read)
    return read


def refusals(tree: Tree, test: ast.AST, act: ast.AST) -> Iterator[ast.AST]:
    """The statements that raise by a test, one way or another, in place of what is done otherwise."""
    for step in tree.above(test):
        match step.parent:
            case ast.If(body=body, orelse=otherwise) if step.field == "test":
                is_within = any(act in ast.walk(each) for each in body)
                for statement in otherwise if is_within else body:
                    yield from (each for each in ast.walk(statement) if _is_raised(tree, each))
                return
            case ast.stmt():
                return


def is_nothing_refused(looks: Iterable[tuple[Tree, ast.AST]]) -> bool:
    """Whether the program raises if a look finds None: `item = d.get(key)`, `if item is None: raise`. The look, and
    the calls that led to it, the innermost first: a function may give back what it found."""
    for tree, node in looks:
        step = next(tree.above(node), None)
        match None if step is None else step.parent:
            case ast.Return():
                continue
            case ast.Assign(targets=[ast.Name(name)]) as assigned:
                following = tree.following(assigned)
                return (
                    isinstance(following, ast.If) and _is_none(following.test, name) and _raises(tree, following.body)
                )
            case ast.UnaryOp(op=ast.Not()) as test:
                choice = next(tree.above(test)).parent
                return isinstance(choice, ast.If) and choice.test is test and _raises(tree, choice.body)
        return False
    return False


def refused_as(tree: Tree, look: ast.AST) -> str | None:
    """The type of the error that is raised at once if nothing is there: `if key not in d: raise NotFound(key)`, or
    `item = d.get(key)` and `if item is None: raise ...`, also after what is done otherwise, if that leaves."""
    block = _done_without(tree, look)
    if not block or not _raises(tree, block):
        return None
    match block[-1]:
        case ast.Raise(ast.Name(name) | ast.Call(ast.Name(name))):
            return name
        case ast.Raise(ast.Attribute(attr=name) | ast.Call(ast.Attribute(attr=name))):
            return name
    return None


def _done_without(tree: Tree, look: ast.AST) -> list[ast.stmt]:
    """What is done at once if a look finds nothing; none of it if that is not told by the look alone."""
    step = next(tree.above(look), None)
    test: ast.AST = look
    choice = None if step is None else step.parent
    found = not isinstance(look, ast.Compare) or isinstance(look.ops[0], ast.In)
    match choice:
        case ast.Assign(targets=[ast.Name(name)]) as assigned if isinstance(look, ast.Call):
            choice = tree.following(assigned)
            if not isinstance(choice, ast.If):
                return []
            found, test = not _is_none(choice.test, name), choice.test
            if found and not _is_there(choice.test, name):
                return []
        case ast.UnaryOp(ast.Not()) as test:
            choice, found = next(tree.above(test)).parent, not found
    if not isinstance(choice, ast.If) or choice.test is not test:
        return []
    if not found:
        return choice.body
    following = tree.following(choice)
    leaves = isinstance(choice.body[-1], ast.Return | ast.Raise)
    return choice.orelse or ([following] if leaves and following is not None else [])


def _is_there(test: ast.expr, name: str) -> bool:
    match test:
        case ast.Name(asked) | ast.Compare(ast.Name(asked), [ast.IsNot()], [ast.Constant(None)]):
            return asked == name
    return False


def _is_none(test: ast.expr, name: str) -> bool:
    match test:
        case ast.UnaryOp(ast.Not(), ast.Name(asked)):
            return asked == name
        case ast.Compare(ast.Name(asked), [ast.Is() | ast.Eq()], [ast.Constant(None)]):
            return asked == name
    return False


def keeps_from(tree: Tree, first: ast.AST, then: ast.AST) -> bool:
    """Whether `then` is not executed if `first` raises, and comes after it in any case. What is called to be
    entered by a `with` may swallow the error: `with suppress(KeyError)`."""
    around = {step.parent for step in tree.above(then)}
    swallows = (
        isinstance(item.context_expr, ast.Call)
        for step in tree.above(first)
        if isinstance(step.parent, ast.With | ast.AsyncWith) and step.field == "body" and step.parent not in around
        for item in step.parent.items
    )
    return tree.follows(first, then) is True and not any(swallows)


def _raises(tree: Tree, block: list[ast.stmt]) -> bool:
    """Whether it ends by `raise`, and no other way leads out of it."""
    leaves = (ast.Return, ast.Break, ast.Continue)
    parts = (each for statement in block for each in ast.walk(statement))
    return bool(block) and _is_raised(tree, block[-1]) and not any(isinstance(each, leaves) for each in parts)


def _is_raised(tree: Tree, node: ast.AST) -> bool:
    """Whether a statement raises an error that its own function does not handle."""
    return isinstance(node, ast.Raise) and not any(
        isinstance(step.parent, ast.Try | ast.TryStar)
        and step.field == "body"
        and not all(isinstance(handler.body[-1], ast.Raise) for handler in step.parent.handlers)
        for step in tree.above(node)
    )
