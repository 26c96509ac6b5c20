"""Where instructions stand in the source, and what the source says is done with what they read.

All questions are answered for the sake of silence: if the source is not there, or says something unusual, there is no
answer, and what rests on it is not told.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple, TypeAlias

from opcodetrace.analyse.assignments import writes_always
from opcodetrace.analyse.made_of import (
    Function,
    Made,
    called_name,
    made_of,
    own_nodes,
    parameters,
    stored,
    times_stored,
)
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Site, SwitchPoint
from opcodetrace.trace.source_text import parsed

_Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Loop: TypeAlias = ast.For | _Comprehension

# Last names of what is called to show a value to people.
SHOWS = frozenset(
    "print pprint log debug info warning warn error exception critical repr isinstance hasattr".split()  # noqa: SIM905
)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Module)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
_WITH = (ast.With, ast.AsyncWith)
_PERHAPS = (ast.IfExp, ast.BoolOp, ast.Lambda, *_COMPREHENSIONS)  # expressions that may leave a part out, or repeat it
# What goes over all that a generator gives, at once.
_CONSUMERS = frozenset(
    """
    all any bytes Counter deque dict frozenset fsum join len list max min next set sorted sum tuple update extend
    """.split()  # noqa: SIM905
)
_FILL = frozenset("add append appendleft extend insert put setdefault update write writelines".split())  # noqa: SIM905
_REPEAT = frozenset(["range", "count", "repeat", "iter"])  # what is gone over only to do something again
_WAITS = frozenset(["sleep", "wait", "wait_for", "acquire", "select", "poll", "recv", "accept", "pause"])


class Step(NamedTuple):
    """From a node to the one that it is a part of."""

    node: ast.AST
    parent: ast.AST
    field: str


class Use(Enum):
    """What is done with a value."""

    LOOKED_AT = auto()  # it is compared, tested or shown: who does that may ask for the latest one
    DROPPED = auto()  # nothing is made of it
    RETURNED = auto()
    RESULT_RETURNED = auto()  # of a call that it was given to
    OTHER = auto()


class Tree:
    """A source file."""

    def __init__(self, source: bytes) -> None:
        self._parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        self._at: dict[tuple[int, int, int, int], ast.AST] = {}
        module = ast.Module(parsed(source), [])
        pending: list[ast.AST] = [module]
        for node in pending:
            if isinstance(node, ast.expr | ast.stmt):
                end = node.end_lineno or node.lineno, node.end_col_offset or 0
                self._at[node.lineno, node.col_offset, *end] = node  # the innermost one: it comes last
            for field, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                        self._parents[child] = node, field
                        pending.append(child)

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """All, but for the module."""
        return iter(self._parents)

    @cached_property
    def filtering(self) -> frozenset[Function]:
        """The functions with a comprehension, a generator or a `filter` that leaves items out."""
        found = set()
        for node in self._parents:
            match node:
                case ast.comprehension(ifs=[_, *_]) | ast.Call(ast.Name("filter")):
                    function = self.function(node)
                    found |= set() if function is None else {function}
        return frozenset(found)

    @cached_property
    def maybe_filled(self) -> frozenset[str]:
        """The names of attributes and variables with containers that the file may put something into: itself, or by
        another variable or a call that it gives them to."""
        found = set()
        for node, (parent, field) in self._parents.items():
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
            match parent, field:
                case _ if name is None:
                    continue
                case ((ast.Assign() | ast.AnnAssign() | ast.NamedExpr()), "value") | (ast.Call(), "args"):
                    found.add(name)
                case (ast.AugAssign(), "target") | (ast.keyword(), _):
                    found.add(name)
                case _ if self.is_filled(node):
                    found.add(name)
        return frozenset(found)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the file gives to anything; `*` if it imports all of a module."""
        found = set()
        for node in self._parents:
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    found.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.alias(name=name, asname=given):
                    found.add(given or name.partition(".")[0])
        return frozenset(found)

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """By name; none of several that have the same."""
        found = [node for node in self._parents if isinstance(node, ast.ClassDef)]
        counts = Counter(each.name for each in found)
        return {each.name: each for each in found if counts[each.name] == 1}

    def at(self, place: Site | SwitchPoint) -> ast.AST | None:
        """The expression or statement that an instruction is of."""
        if None in (place.line, place.column, place.end_line, place.end_column):
            return None
        return self._at.get((place.line, place.column, place.end_line, place.end_column))  # type: ignore[arg-type]

    def above(self, node: ast.AST) -> Iterator[Step]:
        """The way up to the function."""
        while node in self._parents:
            parent, field = self._parents[node]
            yield Step(node, parent, field)
            if isinstance(parent, _SCOPES):
                return
            node = parent

    def function(self, node: ast.AST) -> Function | None:
        """The function that it is a part of."""
        scope = None
        for step in self.above(node):
            scope = step.parent
        return scope if isinstance(scope, Function) else None

    def item(self, node: ast.AST) -> ast.AST | None:
        """What is entered by a `with`, if the node is it. (3.11 takes the whole statement for it.)"""
        if isinstance(node, _WITH):
            return node.items[0] if len(node.items) == 1 else None
        parent, field = self._parents.get(node, (None, ""))
        return parent if isinstance(parent, ast.withitem) and field == "context_expr" else None

    def following(self, statement: ast.AST) -> ast.stmt | None:
        """The next statement of its block."""
        parent, field = self._parents.get(statement, (None, ""))
        block = getattr(parent, field, None)
        if not isinstance(block, list):
            return None
        place = block.index(statement) + 1
        return block[place] if place < len(block) and isinstance(block[place], ast.stmt) else None

    def follows(self, first: ast.AST, then: ast.AST) -> bool | None:
        """Whether each execution of `then` comes after one of `first`, in the same turn of all loops; None if a branch
        may leave `first` out."""
        up, others = list(self.above(first)), list(self.above(then))
        others_by_parent = {step.parent: step for step in others}
        for number, step in enumerate(up):
            other = others_by_parent.get(step.parent)
            if other is None:
                continue
            is_before = self._is_before(step, other)
            below = others[: others.index(other)]
            is_sure = all(map(_is_sure, up[:number])) or writes_always([step.node], first)
            return (is_sure or None) if is_before and not any(map(_may_wait, below)) else False
        return False

    def _is_before(self, step: Step, other: Step) -> bool:
        """Of two parts of one node."""
        if isinstance(step.parent, _WITH) and step.field == "items":
            return other.field == "body"
        if isinstance(step.parent, ast.If | ast.While) and step.field == "test":
            return other.field == "body" or (other.field == "orelse" and isinstance(step.parent, ast.If))
        block = getattr(step.parent, step.field)
        if step.field != other.field or not isinstance(block, list) or not isinstance(step.node, ast.stmt):
            return False
        return bool(block.index(step.node) < block.index(other.node))

    def is_certain(self, node: ast.AST) -> bool:
        """Whether its function, if it comes to an end, has executed it."""
        function = self.function(node)
        if function is None:
            return False
        if not all(step.parent is function or _is_sure(step) for step in self.above(node)):
            return writes_always(function.body, node)
        line = getattr(node, "lineno", 0)
        return not any(isinstance(each, ast.Return) and each.lineno < line for each in own_nodes(function))

    def may_be_kept_from(self, node: ast.AST) -> bool:
        """Whether its function raises anything itself before it comes there."""
        function = self.function(node)
        line = getattr(node, "lineno", 0)
        return function is None or any(
            isinstance(each, ast.Raise | ast.Assert) and each.lineno < line for each in own_nodes(function)
        )

    def is_free(self, node: ast.AST, name: str) -> bool:
        """Whether a variable of that name is not the function's own there."""
        function = self.function(node)
        if function is None:
            return True
        nodes = list(own_nodes(function))
        if any(isinstance(each, ast.Global | ast.Nonlocal) and name in each.names for each in nodes):
            return False  # it may be assigned here
        own = any(isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store) for each in nodes)
        return not own and not any(isinstance(each, ast.arg) and each.arg == name for each in nodes)

    def constant(self, name: str) -> tuple[object] | None:
        """What the module gives a global, if that is one constant and nothing else is ever given to one of the name."""
        match self.given_once(name):
            case ast.Constant(value):
                return (value,)
        return None

    def class_constant(self, name: str) -> tuple[object] | None:
        """What a class gives an attribute, if that is one constant, and the file gives none of the name anything
        else."""
        found: list[ast.expr | None] = []
        for node, (parent, _) in self._parents.items():
            match node:
                case ast.Attribute(attr=given, ctx=ast.Store() | ast.Del()) if given == name:
                    return None
                case ast.Name(id=given, ctx=ast.Store()) if given == name and self._is_of_class(parent):
                    found.append(parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None)
        match found:
            case [ast.Constant(value)]:
                return (value,)
        return None

    def _is_of_class(self, node: ast.AST) -> bool:
        """Whether a statement stands in the body of a class."""
        return node in self._parents and isinstance(self._parents[node][0], ast.ClassDef)

    def given_once(self, name: str) -> ast.expr | None:
        """What the module gives a global, if nothing else is ever given to one of the name."""
        found: list[ast.expr | None] = []
        for node, (parent, _) in self._parents.items():
            match node:
                case ast.Name(id=given, ctx=ast.Store() | ast.Del()) if given == name:
                    match parent:
                        case ast.Assign([ast.Name()], value) if self._is_of_module(parent):
                            found.append(value)
                        case ast.AnnAssign(ast.Name(), value=value) if self._is_of_module(parent):
                            found.append(value)
                        case _:
                            found.append(None)
                case ast.alias() if (node.asname or node.name) == name:
                    found.append(None)
        return found[0] if len(found) == 1 else None

    def _is_of_module(self, node: ast.AST) -> bool:
        return isinstance(self._parents[node][0], ast.Module)

    def may_wait(self, node: ast.AST) -> bool:
        """Whether it is in a loop that may go round to wait for others."""
        return any(map(_may_wait, self.above(node)))

    def assigned(self, target: ast.AST) -> ast.expr | None:
        """What is assigned to it alone; None if it is no target of an assignment, or not the only one."""
        step = next(self.above(target), None)
        match None if step is None else step.parent:
            case ast.Assign(targets=[_], value=value) if value is not target:
                return value
            case ast.AnnAssign(value=value) if value is not target:
                return value
            case ast.Tuple(elts=targets) as several:
                value = self.assigned(several)
                if isinstance(value, ast.Tuple) and len(value.elts) == len(targets):
                    return value.elts[[each is target for each in targets].index(True)]
        return None

    def made(self, target: ast.AST) -> Made | None:
        """What is written there by an assignment; None if it is a constant, or another kind of statement.

        What the target names, too, tells nothing apart: `cache[key] = make(key)`."""
        value: ast.expr | None = None
        for step in self.above(target):
            if isinstance(step.parent, ast.Assign | ast.AnnAssign) and step.field.startswith("target"):
                value = step.parent.value
            if not isinstance(step.parent, ast.Tuple | ast.List):
                break
        return None if value is None else made_of(value, target, self.function(target))

    def is_subtracted(self, node: ast.AST) -> bool:
        """`now - self.start`."""
        parent, field = self._parents.get(node, (None, ""))
        return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub) and field == "right"

    def is_filled(self, node: ast.AST) -> bool:
        """Whether something is put into what it gives: `self.parts.append(part)`, `self.found[key] = value`."""
        parent, field = self._parents.get(node, (None, ""))
        if field != "value":
            return False
        if isinstance(parent, ast.Subscript):
            return isinstance(parent.ctx, ast.Store)
        if not isinstance(parent, ast.Attribute) or parent.attr not in _FILL:
            return False
        called, field = self._parents.get(parent, (None, ""))
        return isinstance(called, ast.Call) and field == "func"

    def use(self, node: ast.AST) -> Use:
        """What is done with its value, as far as this function goes."""
        pending, seen = [node], {node}
        found = Use.OTHER
        while pending:
            returned = Use.RETURNED
            for step in self.above(pending.pop()):
                match step.parent, step.field:
                    case ast.Compare(), _:
                        return Use.LOOKED_AT
                    case ((ast.BoolOp() | ast.UnaryOp(op=ast.Not())), _):
                        return Use.LOOKED_AT
                    case ((ast.If() | ast.While() | ast.IfExp() | ast.Assert() | ast.Match()), ("test" | "subject")):
                        return Use.LOOKED_AT
                    case ast.comprehension(), "ifs":
                        return Use.LOOKED_AT
                    case ast.Call(func), ("args" | "keywords") if called_name(func) in SHOWS:
                        return Use.LOOKED_AT
                    case ast.Call(), ("args" | "keywords"):
                        returned = Use.RESULT_RETURNED
                    case ast.Expr(value), _ if value is node:
                        return Use.DROPPED
                    case ((ast.Attribute() | ast.Subscript()), "value"):
                        break
                    case ast.Call(), "func":
                        break
                    case ast.Return(), _:
                        found = returned
                        break
                    case ((ast.Assign() | ast.AnnAssign() | ast.NamedExpr() | ast.AugAssign()), "value"):
                        for name in self._loads_of_targets(step.parent):
                            if name not in seen:
                                seen.add(name)
                                pending.append(name)
                        if isinstance(step.parent, ast.stmt):
                            break
                    case ast.stmt(), _:
                        break
        return found

    def is_counted_on(self, node: ast.AST) -> bool:
        """Whether it is read to be made higher or lower by a constant, and stored again: `self.n += 1`."""
        match self._parents.get(node, (None, ""))[0]:
            case ast.AugAssign(target, ast.Add() | ast.Sub(), ast.Constant(int())):
                return target is node
            case ast.BinOp(left, ast.Add() | ast.Sub(), ast.Constant(int())) as sum_ if left is node:
                parent, field = self._parents[sum_]
                targets = parent.targets if isinstance(parent, ast.Assign) and field == "value" else []
                return [ast.unparse(each) for each in targets] == [ast.unparse(node)]
        return False

    def is_handed_on(self, node: ast.AST) -> bool:
        """Whether its value is returned, or flows into what a call gives, an item or attribute, or the key of one."""
        pending, seen = [node], {node}
        while pending:
            for step in self.above(pending.pop()):
                match step.parent, step.field:
                    case ast.Call(func), _ if called_name(func) in SHOWS or step.field == "func":
                        break
                    case ((ast.Return() | ast.Yield()), _):
                        return True
                    case ast.Subscript(ctx=ast.Store()), "slice":
                        return True
                    case ((ast.Attribute() | ast.Subscript()), _):
                        break
                    case (((ast.Assign() | ast.AnnAssign()) as assignment), "value"):
                        targets = assignment.targets if isinstance(assignment, ast.Assign) else [assignment.target]
                        if any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets):
                            return True
                        fresh = [name for name in self._loads_of_targets(assignment) if name not in seen]
                        seen.update(fresh)
                        pending += fresh
                        break
                    case ast.stmt(), _:
                        break
        return False

    def _loads_of_targets(self, assignment: ast.AST) -> Iterator[ast.Name]:
        """Where the local variables that are assigned to are read. Not of a parameter: what is read in place of an
        argument is not looked at, it is worked with (`if count is None: count = self.count`)."""
        names = {
            each.id for each in ast.walk(assignment) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        function = self.function(assignment)
        names -= set() if function is None else parameters(function)
        if function is not None and names:
            for each in own_nodes(function):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and each.id in names:
                    yield each

    def common_expression(self, one: ast.AST, other: ast.AST) -> ast.AST | None:
        """What two equal expressions are parts of: `box.side * box.side`, `f(box.side, box.side)`. None if something
        else is called between them, or one of them may be left out."""
        return None if one is other or ast.dump(one) != ast.dump(other) else self.meeting(one, other)

    def meeting(self, one: ast.AST, other: ast.AST, *, is_plain: bool = True) -> ast.expr | None:
        """The expression in which two values meet. If it is to be plain, None if something is called in between."""
        others = {step.parent for step in self.above(other)}
        for step in self.above(one):
            if not isinstance(step.parent, ast.expr | ast.keyword) or isinstance(step.parent, _PERHAPS):
                return None
            if step.parent in others:
                inside = [each for each in ast.walk(step.parent) if each is not step.parent]
                apart = (ast.Await, ast.Yield, *_PERHAPS, *((ast.Call,) if is_plain else ()))
                if any(isinstance(each, apart) for each in inside):
                    return None
                match step.parent:
                    case ast.BinOp() | ast.Call() | ast.Tuple() | ast.List() | ast.Slice() as whole:
                        return whole
                return None
        return None

    def bearers(self, node: ast.AST) -> Iterator[ast.AST]:
        """Where its value is, as it is: itself, and where a local variable is read that is given nothing else."""
        yield node
        parent, field = self._parents.get(node, (None, ""))
        function = self.function(node)
        if function is None or field != "value" or not isinstance(parent, ast.Assign):
            return
        nodes = list(own_nodes(function))
        shared = {name for each in nodes if isinstance(each, ast.Global | ast.Nonlocal) for name in each.names}
        given = {each.id for each in parent.targets if isinstance(each, ast.Name)} - shared - parameters(function)
        given = {name for name in given if times_stored(function, name) == 1}
        yield from (
            each for each in nodes if isinstance(each, ast.Name) and each.id in given and isinstance(each.ctx, ast.Load)
        )

    def bound(self, name: ast.Name) -> ast.AST | None:
        """Where a local variable is given its value, by itself, if that is one place."""
        function = self.function(name)
        if function is None or times_stored(function, name.id) != 1 or name.id in parameters(function):
            return None
        for each in own_nodes(function):
            match each:
                case ast.Assign(targets=[ast.Name(given)]) | ast.NamedExpr(target=ast.Name(given)) if given == name.id:
                    return each
                case ast.For(target=ast.Name(given)) | ast.comprehension(target=ast.Name(given)) if given == name.id:
                    return each
        return None

    def are_written_together(self, one: ast.AST, other: ast.AST) -> bool:
        """Whether two targets are assigned to by statements of one block: one is written whenever the other one is."""
        blocks = []
        for target in (one, other):
            for step in self.above(target):
                if isinstance(step.node, ast.stmt):
                    blocks.append((step.parent, step.field))
                    break
        return len(blocks) == 2 and blocks[0] == blocks[1]

    def loop(self, node: ast.AST) -> Loop | None:
        """The loop that begins to iterate over a node's value; or the node is all of it (as 3.11 and 3.12 have it)."""
        if isinstance(node, ast.For | _Comprehension):
            return node
        parent, field = self._parents.get(node, (None, ""))
        if isinstance(parent, ast.comprehension) and field == "iter":
            parent, field = self._parents[parent]
            return parent if isinstance(parent, _Comprehension) else None
        return parent if isinstance(parent, ast.For) and field == "iter" else None

    def goes_round(self, loop: Loop) -> bool:
        """Whether it comes to a second step, while this function, or what the loop is given to at once, is at it."""
        if isinstance(loop, ast.GeneratorExp):
            parent, field = self._parents.get(loop, (None, ""))
            return isinstance(parent, ast.Call) and field == "args" and called_name(parent.func) in _CONSUMERS
        return not isinstance(loop, ast.For) or not ends(loop.body) or _continues(loop.body)

    def acts_on_each(self, loop: Loop) -> bool:
        """Whether something is called for its effect with each item, or each item is called."""
        if not isinstance(loop, ast.For):
            return False
        names = set(stored(loop.target))
        for statement in loop.body:
            for each in ast.walk(statement):
                match each:
                    case ast.Expr((ast.Call(func) | ast.Await(ast.Call(func))) as call):
                        if called_name(func) not in SHOWS and any(
                            isinstance(part, ast.Name) and part.id in names for part in ast.walk(call)
                        ):
                            return True
        return False

    def is_same_turn(self, check: ast.AST, act: ast.AST) -> bool:
        """Whether what a check decides upon is executed once for it: no loop stands between them, nor goes on by it."""
        around = {
            step.parent
            for step in self.above(check)
            if not (isinstance(step.parent, ast.While) and step.field == "test")
        }
        for step in self.above(act):
            if step.parent in around:
                return True
            if _is_loop(step):
                return False
        return False


class Syntax:
    """The source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sources = {file.id: file.source for file in trace.files}
        self._trees: dict[int, Tree] = {}

    def tree(self, file: int) -> Tree:
        if file not in self._trees:
            self._trees[file] = Tree(self._sources.get(file, b""))
        return self._trees[file]

    def of_site(self, number: int) -> tuple[Tree, ast.AST] | None:
        """What an access is of."""
        site = self._trace.sites.get(number)
        if site is None:
            return None
        tree = self.tree(self._trace.site_codes[number].file)
        node = tree.at(site)
        return None if node is None else (tree, node)


def _is_sure(step: Step) -> bool:
    """Whether a part is executed whenever the whole is, unless something raises."""
    match step.parent:
        case ast.With() | ast.AsyncWith() | ast.withitem():
            return True
        case ast.Try(handlers=handlers):
            return step.field == "body" and not handlers
        case ast.expr():
            return not isinstance(step.parent, _PERHAPS)
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.Match():
            return step.field in ("test", "iter", "subject") and not isinstance(step.parent, ast.While)
        case ast.stmt() | ast.keyword():
            return not isinstance(step.parent, ast.TryStar)
        case _:
            return False


def _is_loop(step: Step) -> bool:
    """Whether the part is executed again and again."""
    if isinstance(step.parent, (*_COMPREHENSIONS, ast.comprehension, ast.Lambda)):
        return True
    return isinstance(step.parent, LOOPS) and step.field in ("body", "test")


def _may_wait(step: Step) -> bool:
    """Whether the part is executed again and again, and perhaps for others to get on meanwhile: not for each item of
    what there is, nor in a loop that never waits."""
    if not _is_loop(step):
        return False
    match step.parent:
        case ast.For(iter=ast.Call(func)):
            return called_name(func) in _REPEAT or _waits(step.parent)
        case ast.For() | ast.While() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return _waits(step.parent)
        case _:
            return True


def _waits(loop: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Await) or (isinstance(each, ast.Call) and called_name(each.func) in _WAITS)
        for each in ast.walk(loop)
    )


def ends(body: list[ast.stmt]) -> bool:
    """Whether what comes after the statements is never reached."""
    match body[-1]:
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            return True
        case ast.If(body=then, orelse=otherwise):
            return bool(otherwise) and ends(then) and ends(otherwise)
        case ast.With(body=inner):
            return ends(inner)
        case _:
            return False


def _continues(body: list[ast.stmt]) -> bool:
    """Whether some statement goes on with the loop."""
    return any(isinstance(each, ast.Continue) for statement in body for each in ast.walk(statement))
