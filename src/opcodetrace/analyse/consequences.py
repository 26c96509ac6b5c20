"""What hangs on a check that decides that an item is put into a list or a set.

Of a list that is appended to in either case, the check does not decide that. Of a set, to add an item twice changes
nothing: `if x not in known: known.add(x)`. To go on twice may: `if x in seen: return False; seen.add(x); return True`
tells two callers that theirs is the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from opcodetrace.analyse.made_of import Function, called_name, is_new_container, own_nodes
from opcodetrace.analyse.syntax import SHOWS, Step, Tree, ends
from opcodetrace.trace.location import Location, LocationKind

_CHANGE_NOTHING_TWICE = frozenset(["add", "discard", "setdefault", "sleep"])
_MAY_BE_REPEATED = frozenset(["set", "clear", "notify_all", "cancel"])  # without arguments


def is_of_a_set(location: Location) -> bool:
    """Whether it is an item of a set."""
    return location.kind is LocationKind.ITEM and location.container_type == "set"


def decides_more(tree: Tree, check: ast.AST, act: ast.AST) -> bool:
    """Whether something is called for its effect, given to the caller or counted by the check, besides the act."""
    statement = next((step.node for step in tree.above(act) if isinstance(step.node, ast.stmt)), None)
    return any(map(_has_effect, _others(_decided(tree, check, act), statement)))


def is_only_a_flag(tree: Tree, check: ast.AST, act: ast.AST) -> bool:
    """Whether all that a check decides besides the act, a constant that is stored, does no harm twice:
    `if self.closed: return`, `self.closed = True`, `self.done.set()`."""
    own = next((step.node for step in tree.above(act) if isinstance(step.node, ast.stmt)), None)
    decided = _decided(tree, check, act)
    return bool(decided) and all(each is own or may_be_repeated(each) for each in decided)


def may_be_repeated(statement: ast.stmt) -> bool:
    """Whether it does no harm to execute it twice."""
    match statement:
        case ast.Pass() | ast.Return(value=None):
            return True
        case ast.Expr(ast.Call(ast.Attribute(attr=name), args=[], keywords=[])):
            return name in _MAY_BE_REPEATED
    return False


def is_done_once(tree: Tree, act: ast.AST) -> bool:
    """Whether its function makes such a call, or such a store, at no other place: of one that appends in either case,
    the check does not decide that it does."""
    function = tree.function(act)
    match act:
        case ast.Subscript(container, ctx=ast.Store()) if function is not None:
            text = ast.unparse(container)
            stores = [
                each
                for each in own_nodes(function)
                if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store)
                if ast.unparse(each.value) == text
            ]
            return len(stores) == 1
    call = _call(tree, act)
    if function is None or call is None:
        return False
    text = ast.unparse(call.func)
    alike = [each for each in own_nodes(function) if isinstance(each, ast.Call) and ast.unparse(each.func) == text]
    return len(alike) == 1


def is_a_hint(tree: Tree, act: ast.AST) -> bool:
    """Whether a check decides no more than that something that is there already is put into a container, and the
    function then ends: `if len(self.free) < self.most: self.free.append(item)`. Nobody learns if there is no room."""
    steps = {type(step.parent): step for step in tree.above(act)}
    around, function = steps.get(ast.If), tree.function(act)
    if around is None or function is None or not isinstance(around.parent, ast.If):
        return False
    call, test = _call(tree, act), around.parent
    given = [] if call is None else call.args
    is_alone = len(test.body) == 1 and not test.orelse and isinstance(test.body[0], ast.Expr) and bool(given)
    return is_alone and function.body[-1] is test and all(isinstance(each, ast.Name | ast.Attribute) for each in given)


def is_made_and_changed(tree: Tree, check: ast.AST) -> bool:
    """Whether a new container is stored by a check, and its function puts something into what is there later on:
    `if key not in cache: cache[key] = []`, then `cache[key].append(item)`."""
    function = tree.function(check)
    for step in tree.above(check):
        match step.parent:
            case ast.If(body=body) if step.field == "test" and function is not None:
                return any(_is_filled_later(tree, function, statement) for statement in body)
    return False


def _is_filled_later(tree: Tree, function: Function, statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign([ast.Subscript() | ast.Attribute() as target], value) if is_new_container(value):
            text = ast.unparse(target)
            return any(
                tree.is_filled(node)
                for node in own_nodes(function)
                if isinstance(node, ast.Subscript | ast.Attribute) and node.lineno > statement.lineno
                if ast.unparse(node) == text
            )
    return False


def _call(tree: Tree, node: ast.AST) -> ast.Call | None:
    """The call that an instruction is of."""
    if isinstance(node, ast.Call):
        return node
    return next((step.parent for step in tree.above(node) if isinstance(step.parent, ast.Call)), None)


def _decided(tree: Tree, check: ast.AST, act: ast.AST) -> Sequence[ast.stmt]:
    """The statements of the block with the act that are executed by the check's answer; none if that is not plain."""
    around = {step.parent: step for step in tree.above(act)}
    for step in tree.above(check):
        test = step.parent
        if isinstance(test, ast.stmt) and not (isinstance(test, ast.If) and step.field == "test"):
            return ()
        if not isinstance(test, ast.If):
            continue
        if test in around:
            block: list[ast.stmt] = getattr(test, around[test].field)
            return block
        if not ends(test.body) or test.orelse:
            return ()
        return _after(tree, test, around)
    return ()


def _after(tree: Tree, test: ast.AST, around: dict[ast.AST, Step]) -> Sequence[ast.stmt]:
    """What comes after an `if` whose body goes elsewhere; or after the loop that this leaves by a `break`."""
    for step in tree.above(test):
        block = getattr(step.parent, step.field, None)
        if not isinstance(block, list):
            return ()
        if step.parent in around and around[step.parent].field == step.field:
            following: list[ast.stmt] = block[block.index(step.node) + 1 :]
            return following
        if not (isinstance(step.parent, ast.For) and step.parent.orelse and ends(step.parent.orelse)):
            return ()
    return ()


def _others(statements: Sequence[ast.stmt], act: ast.AST | None) -> Iterator[ast.AST]:
    pending: list[ast.AST] = [*statements]
    while pending:
        node = pending.pop()
        if node is not act and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            pending += ast.iter_child_nodes(node)


def _has_effect(node: ast.AST) -> bool:
    match node:
        case ast.Return(value=ast.expr() as value):
            return not (isinstance(value, ast.Constant) and value.value is None)
        case ast.Yield() | ast.YieldFrom() | ast.AugAssign():
            return True
        case ast.Expr(ast.Call(func) | ast.Await(ast.Call(func))):
            return called_name(func) not in SHOWS | _CHANGE_NOTHING_TWICE
        case _:
            return False
