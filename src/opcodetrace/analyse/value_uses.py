"""Where the value of a read goes in its function, as the source has it: as long as nothing can be decided by it.

It may be copied, added to other numbers, made a text, put into a tuple, given to a local variable, stored and returned.
It may be asked for its truth or compared with a constant: that decides the same if another value gives the same answer.
All else that is done with it may decide something: what is done next, for how long, or with which object. That is data
dependence without control dependence: Ferrante, Ottenstein and Warren, "The program dependence graph" (1987).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Container
from enum import Enum, auto
from typing import Any, NamedTuple

from opcodetrace.analyse.made_of import Function, called_name, own_nodes, parameters
from opcodetrace.analyse.syntax import LOOPS, SHOWS, Step, Tree

_NUMBERS = frozenset(["abs", "float", "max", "min", "round"])  # of numbers they make one, and never fail
_TEXTS = frozenset(["repr", "str"])
_SHOWN = SHOWS - {"isinstance", "hasattr"}
_PLAIN_DECORATORS = frozenset(["classmethod", "property", "staticmethod"])
_MOST_PLACES = 40  # at which a value is looked at


class Form(Enum):
    """What was made of a value."""

    SAME = auto()  # nothing
    SUM = auto()  # something was added: a number, or a text
    NUMBER = auto()
    TEXT = auto()
    PART = auto()  # it is in a new container


_MAY_BE_NUMBERS = (Form.SAME, Form.SUM, Form.NUMBER)


class Condition(NamedTuple):
    """What is asked of a value: its truth, or how it compares with a constant."""

    operator: str = "truth"  # or a class of `ast`
    constant: object = None
    is_left: bool = True  # what is asked is

    def answer(self, value: object) -> object:
        """Raises what the comparison does."""
        one, other = (value, self.constant) if self.is_left else (self.constant, value)
        return _COMPARISONS[self.operator](one, other)


_COMPARISONS: dict[str, Callable[[Any, Any], object]] = {
    "truth": lambda value, _: bool(value),
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": operator.is_,
    "IsNot": operator.is_not,
}


class Needs(NamedTuple):
    """What a value must be for nothing to fail by it, and what is asked of it."""

    plain: bool = False  # a number, a text, a truth value or None
    added: bool = False  # a number, or a text
    number: bool = False
    of_one_type: bool = False  # an integer is no float here
    conditions: frozenset[Condition] = frozenset()

    def joined(self, other: Needs) -> Needs:
        return Needs(
            self.plain or other.plain,
            self.added or other.added,
            self.number or other.number,
            self.of_one_type or other.of_one_type,
            self.conditions | other.conditions,
        )


class Uses(NamedTuple):
    """What is made of a value in a function."""

    stores: frozenset[ast.AST]  # targets into which it is stored: attributes, items, global variables
    returned: frozenset[Form]
    needs: Needs


class _Decides(Exception):
    """It may decide something."""


def uses(tree: Tree, node: ast.AST, forms: frozenset[Form], own: Container[str]) -> Uses | None:
    """Of what an expression gives, which may have these forms. None if something may be decided by it, or may fail.
    `own`: names of functions of the program."""
    function = tree.function(node)
    if function is None:
        return None
    try:
        return _Search(tree, function, own).uses(node, forms)
    except _Decides:
        return None


class _Search:
    def __init__(self, tree: Tree, function: Function, own: Container[str]) -> None:
        self._tree = tree
        self._function = function
        self._own = own
        self._loops: frozenset[ast.AST] = frozenset()  # around it
        nodes = list(own_nodes(function))
        self._nodes = nodes
        self._shared = {name for each in nodes if isinstance(each, ast.Global | ast.Nonlocal) for name in each.names}
        self._stores: set[ast.AST] = set()
        self._returned: set[Form] = set()
        self._needs = Needs()
        self._seen: set[tuple[ast.AST, Form]] = set()
        self._pending: list[tuple[ast.AST, Form]] = []

    def uses(self, node: ast.AST, forms: frozenset[Form]) -> Uses:
        self._loops = _loops(self._tree, node)
        self._pending += [(node, form) for form in forms]
        while self._pending:
            if len(self._seen) > _MOST_PLACES:
                raise _Decides
            self._follow(*self._pending.pop())
        return Uses(frozenset(self._stores), frozenset(self._returned), self._needs)

    def _follow(self, node: ast.AST, form: Form) -> None:
        """Up from one place, to all that is made of it there."""
        its: Form | None = form
        for step in self._tree.above(node):
            if its is None or isinstance(step.node, ast.stmt):
                return
            its = self._made_by(step, its)

    def _made_by(self, step: Step, form: Form) -> Form | None:
        """What a part of an expression or statement makes of it; None if it goes no further from there."""
        match step.parent, step.field:
            case ast.BinOp(op=op), side:
                return self._computed(form, op, side, step.parent)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()), _:
                return self._number(form)
            case (ast.IfExp(), ("body" | "orelse")) | (ast.keyword(), _):
                return form
            case ast.Compare(left, [comparison], [right]), _ if form is Form.SAME:
                self._compared(comparison, right if step.node is left else left, is_left=step.node is left)
                return None
            case ((ast.If() | ast.While() | ast.IfExp() | ast.Assert()), "test") | (ast.comprehension(), "ifs") if (
                form is Form.SAME
            ):
                self._ask(Condition())
                return None
            case ast.UnaryOp(op=ast.Not()), _ if form is Form.SAME:
                self._ask(Condition())
                return None
            case ast.BoolOp(), _ if form is Form.SAME:
                self._ask(Condition())
                return form
            case ast.FormattedValue(format_spec=spec), "value":
                return self._text(form, of_one_type=spec is not None)
            case ast.JoinedStr(), _:
                return form
            case ((ast.Tuple() | ast.List()), "elts") | (ast.Dict(), "values") if form is not Form.PART:
                return Form.PART
            case ast.Call() as call, ("args" | "keywords"):
                return self._given_to(call, form)
            case (ast.NamedExpr() | ast.Assign() | ast.AnnAssign()) as assignment, "value":
                targets = assignment.targets if isinstance(assignment, ast.Assign) else [assignment.target]
                for target in targets:
                    self._assigned(target, form)
                return form
            case ast.AugAssign(target=target, op=op), side:
                self._assigned(target, self._computed(form, op, "left" if side == "target" else "right", step.parent))
                return None
            case ast.Return(), _:
                self._give_back(form)
                return None
            case ast.Expr(), _:
                return None
        raise _Decides

    def _compared(self, comparison: ast.cmpop, other: ast.expr, *, is_left: bool) -> None:
        match other:
            case ast.Constant(value=value):
                constant: tuple[object] | None = (value,)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                constant = (-value,)
            case ast.Name(id=name) if self._tree.is_free(other, name):
                constant = self._tree.constant(name)
            case _:
                constant = None
        name = type(comparison).__name__
        if constant is None or name not in _COMPARISONS:
            raise _Decides
        if isinstance(comparison, ast.Is | ast.IsNot) and not (constant[0] is None or isinstance(constant[0], bool)):
            raise _Decides
        self._ask(Condition(name, constant[0], is_left))

    def _ask(self, condition: Condition) -> None:
        self._needs = self._needs.joined(Needs(conditions=frozenset([condition])))

    def _computed(self, form: Form, op: ast.operator, side: str, whole: ast.AST) -> Form:
        match op:
            case ast.Add() if form in (Form.TEXT, Form.PART):
                return form
            case ast.Add() if form in (Form.SAME, Form.SUM):
                self._require(added=True)
                return Form.SUM
            case ast.Mod() if side == "right" and isinstance(whole, ast.BinOp) and form is not Form.PART:
                if isinstance(whole.left, ast.Constant) and isinstance(whole.left.value, str):
                    return self._text(form, of_one_type=True)
            case ast.Add() | ast.Sub() | ast.Mult() if form in _MAY_BE_NUMBERS:
                self._require(of_one_type=isinstance(op, ast.Mult))
                return self._number(form)
            case ast.Div() | ast.FloorDiv() | ast.Mod() if side == "left" and form in _MAY_BE_NUMBERS:
                if isinstance(whole, ast.BinOp | ast.AugAssign):
                    return self._number(form)
        raise _Decides

    def _number(self, form: Form) -> Form:
        if form not in _MAY_BE_NUMBERS:
            raise _Decides
        self._require(number=form is not Form.NUMBER)
        return Form.NUMBER

    def _text(self, form: Form, *, of_one_type: bool = False) -> Form:
        if form is Form.PART:
            raise _Decides  # what else is in it may be made a text by its own code
        if form is Form.SAME:
            self._require(plain=True, of_one_type=of_one_type)
        elif of_one_type:
            self._require(of_one_type=True)
        return Form.TEXT

    def _require(
        self, *, plain: bool = False, added: bool = False, number: bool = False, of_one_type: bool = False
    ) -> None:
        self._needs = self._needs.joined(Needs(plain, added, number, of_one_type))

    def _given_to(self, call: ast.Call, form: Form) -> Form | None:
        """What a call makes of it; None if nothing."""
        name = called_name(call.func)
        is_built_in = isinstance(call.func, ast.Name) and self._tree.names.isdisjoint([name, "*"])
        if is_built_in and name in _NUMBERS and not call.keywords and not any(map(_is_starred, call.args)):
            self._require(of_one_type=name == "round")  # to a number of places
            return self._number(form)
        if is_built_in and name in _TEXTS and len(call.args) == 1:
            return self._text(form)
        statement = next(self._tree.above(call)).parent
        if name in _SHOWN and name not in self._own and isinstance(statement, ast.Expr) and statement.value is call:
            self._text(form)
            return None
        raise _Decides

    def _assigned(self, target: ast.AST, form: Form) -> None:
        match target:
            case ast.Attribute() | ast.Subscript():
                self._store(target)
            case ast.Name(id=name) if name in self._shared:
                self._store(target)
            case ast.Name(id=name):
                self._read_again(name, form)
            case ast.Tuple(elts=targets) if form is Form.PART:
                for each in targets:
                    self._assigned(each, Form.SAME)
            case _:
                raise _Decides

    def _store(self, target: ast.AST) -> None:
        if not _loops(self._tree, target) <= self._loops:
            raise _Decides  # it may be stored into several objects
        self._stores.add(target)

    def _read_again(self, name: str, form: Form) -> None:
        """Where a local variable is read that was given it."""
        if name in parameters(self._function):
            raise _Decides
        loads = [each for each in self._nodes if isinstance(each, ast.Name) and each.id == name]
        if len(loads) < sum(isinstance(each, ast.Name) and each.id == name for each in ast.walk(self._function)):
            raise _Decides  # a function inside of it reads it, too
        for each in loads:
            if isinstance(each.ctx, ast.Load) and (each, form) not in self._seen:
                self._seen.add((each, form))
                self._pending.append((each, form))

    def _give_back(self, form: Form) -> None:
        function = self._function
        names = {called_name(each) for each in function.decorator_list}
        if isinstance(function, ast.AsyncFunctionDef) or not names <= _PLAIN_DECORATORS:
            raise _Decides
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in self._nodes):
            raise _Decides
        self._returned.add(form)


def _loops(tree: Tree, node: ast.AST) -> frozenset[ast.AST]:
    return frozenset(step.parent for step in tree.above(node) if isinstance(step.parent, LOOPS))


def _is_starred(node: ast.AST) -> bool:
    return isinstance(node, ast.Starred)
