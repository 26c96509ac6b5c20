"""What decided, in the source, that a wait is called: the test of the `if` or `while` around it, and what it found.

A guard is the condition of a guarded wait, as Hoare's monitors have it: `while not ready: condition.wait()`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from opcodetrace.analyse.made_of import called_name
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Site
from opcodetrace.trace.source_text import parsed

Span = tuple[int, int, int, int]  # line, column, end_line, end_column

_STRAIGHT = (
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Pass,
    ast.Delete,
    ast.Global,
    ast.Nonlocal,
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
)
_COMPARED = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONDITIONAL = (ast.BoolOp, ast.IfExp, ast.Lambda, ast.comprehension, ast.ListComp, ast.SetComp, ast.DictComp)
_TIMEOUTS = frozenset(["timeout", "timeout_at", "move_on_after", "move_on_at", "fail_after", "fail_at"])
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Module)


class Asked(NamedTuple):
    """A part of a guard: what is read there, and what that must have found for the wait to be called."""

    file: int
    span: Span
    answer: str  # as of `trace.site.Test`


class Wait(NamedTuple):
    """The call of a wait, in its function."""

    guard: tuple[Asked, ...]  # of the innermost branch that it is under, if nothing branches after that
    looks_again: bool  # that branch is a loop: once the wait is over, what is read there is read again
    is_free: bool  # it is under no branch, and in no loop
    is_tested: bool  # what it returns is used
    is_entered: bool  # it is in a `with` statement of the object that it waits for
    loop: ast.While | ast.For | None  # the innermost loop around it


class Guards:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._parents: dict[int, dict[ast.AST, ast.AST]] = {}
        self._calls: dict[int, dict[Span, ast.Call]] = {}
        self._found: dict[int, Wait | None] = {}

    def wait(self, site: int) -> Wait | None:
        """Of the call at a site; None if it cannot be told."""
        if site not in self._found:
            self._found[site] = self._wait(site)
        return self._found[site]

    def releases(self, site: int) -> bool:
        """Whether the function that takes a lock by a call at a site also has a call that releases it."""
        call = self._call(site)
        if call is None or not isinstance(call.func, ast.Attribute):
            return False
        parents = self._of_file(site)
        scope: ast.AST = call
        while not isinstance(scope, _SCOPES):
            scope = parents[scope]
        return any(
            isinstance(each, ast.Attribute) and each.attr == "release" and _same(each.value, call.func.value)
            for each in _of_scope(scope)
        )

    def keeps(self, site: int) -> bool:
        """Whether no other thread is to release a lock that is taken at a site: by a `with` statement, in a function
        that releases it, or in a program that never calls a `release`."""
        if self._call(site) is None or self.releases(site):
            return True
        nodes = (node for each in self._trace.files for node in self._parents_of(each.id))
        return not any(isinstance(node, ast.Attribute) and node.attr == "release" for node in nodes)

    def at_once(self, clear: int, wait: int) -> bool:
        """Whether from the call at one site control comes to that at another one by a loop around both, with nothing
        in between that may look at more than it names: no other call but `len`, no inner loop."""
        one, other = self._call(clear), self._waits(wait)
        found = self.wait(wait)
        if one is None or other is None or found is None or found.loop is None:
            return False
        parents = self._of_file(wait)
        body = found.loop.body
        first = next((place for place, each in enumerate(body) if other in ast.walk(each)), None)
        last = next((place for place, each in enumerate(body) if one in ast.walk(each)), None)
        if first is None or last is None or parents.get(parents.get(one)) is not found.loop:  # type: ignore[arg-type]
            return False
        between = [*body[last + 1 :], *body[:first]] if first <= last else body[last + 1 : first]
        if isinstance(found.loop, ast.While) and first <= last:
            between = [*between, ast.Expr(found.loop.test)]
        head = body[first]
        heads = [head] if isinstance(head, ast.Expr) else [head.test] if isinstance(head, ast.If) else None
        whole = self._whole(other, parents)
        return heads is not None and all(_is_quiet(each, whole) for each in (*between, *heads))

    def is_known_elsewhere(self, site: int) -> bool:
        """Whether what is awaited at a site may be known to others: it is an attribute, an item, or a variable that its
        function uses for something else, too, or has from elsewhere."""
        span = span_of(self._trace.sites[site])
        parents = self._of_file(site)
        node = next((each for each in parents if isinstance(each, ast.Await) and _span(each) == span), None)
        if node is None or not isinstance(node.value, ast.Name):
            return node is not None and isinstance(node.value, ast.Attribute | ast.Subscript)
        scope: ast.AST = node
        while not isinstance(scope, _SCOPES):
            scope = parents[scope]
        named = [each for each in ast.walk(scope) if isinstance(each, ast.Name) and each.id == node.value.id]
        loads = sum(isinstance(each.ctx, ast.Load) for each in named)
        assigned = [parents[each] for each in named if isinstance(each.ctx, ast.Store)]
        stored = any(isinstance(each, ast.Assign) and len(each.targets) > 1 for each in assigned)
        return stored or loads > 1 or loads == len(named)

    def makes_future(self, site: int) -> bool:
        call = self._call(site)
        return call is not None and _called(call) in ("create_future", "Future")

    def called(self, site: int) -> str | None:
        """The name of the method, or of the function, that is called at a site."""
        call = self._call(site)
        return None if call is None else called_name(call.func)

    def is_under_condition(self, site: int, since: int) -> bool:
        """Whether what is done at a site is done under a branch of its function; or, as far as can be told, of another
        one that calls it, because it is not the function in which something had been done before (`since`)."""
        one, other = self._trace.site_codes[site], self._trace.site_codes[since]
        line = self._trace.sites[site].line
        return (
            line is None
            or one.id != other.id
            or any(
                line in _lines(each)
                for each in self._parents_of(one.file)
                if isinstance(each, ast.If | ast.While | ast.match_case)
            )
        )

    def is_call(self, site: int) -> bool:
        """Whether the source has a call there: else it is a `with` statement, say."""
        return self._call(site) is not None

    def handles_interruption(self, site: int) -> bool:
        """Whether what is done at a site stands in a `try` that has a `finally`, or handles all that may be raised; or
        a call does that may lead there: the names of the functions are the same."""
        line, file = self._trace.sites[site].line, self._trace.site_codes[site].file
        if line is None or any(line in _lines(each) for each in self._parents_of(file) if _handles_all(each)):
            return True
        called: defaultdict[str, list[tuple[bool, str | None]]] = defaultdict(list)  # is that handled, where is it
        for each in self._trace.files:
            parents = self._parents_of(each.id)
            for node in parents:
                match node:
                    case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(attr=name)):
                        called[name].append(_around(node, parents))
        names = [self._trace.site_codes[site].function.rpartition(".")[2]]
        for name in names:
            for is_handled, caller in called.get(name, ()):
                if is_handled:
                    return True
                if caller is not None and caller not in names:
                    names.append(caller)
        return False

    def gives_up(self, site: int) -> bool:
        """Whether what is done at a site is, in its own function, under a timeout: `async with timeout(1)`."""
        line, file = self._trace.sites[site].line, self._trace.site_codes[site].file
        return line is None or any(
            line in range(each.lineno, (each.end_lineno or each.lineno) + 1)  # type: ignore[attr-defined]
            for each in self._parents_of(file)
            if _gives_up(each)
        )

    def _call(self, site: int) -> ast.Call | None:
        known = self._trace.sites.get(site)
        span = None if known is None else span_of(known)
        if span is None:
            return None
        self._of_file(site)
        return self._calls[self._trace.site_codes[site].file].get(span)

    def _of_file(self, site: int) -> dict[ast.AST, ast.AST]:
        return self._parents_of(self._trace.site_codes[site].file)

    def _parents_of(self, file: int) -> dict[ast.AST, ast.AST]:
        if file not in self._parents:
            parents: dict[ast.AST, ast.AST] = {}
            calls: dict[Span, ast.Call] = {}
            source = next((each.source for each in self._trace.files if each.id == file), b"")
            pending: list[ast.AST] = [ast.Module(parsed(source), [])]
            while pending:
                node = pending.pop()
                for child in ast.iter_child_nodes(node):
                    parents[child] = node
                    pending.append(child)
                if isinstance(node, ast.Call):
                    calls[_span(node)] = node
                elif isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
                    calls[_span(node)] = node.value
            self._parents[file], self._calls[file] = parents, calls
        return self._parents[file]

    def _waits(self, site: int) -> ast.Call | None:
        """The call of a `wait` at a site; also one that is given to asyncio's `wait_for`."""
        match self._call(site):
            case ast.Call(ast.Attribute(attr="wait")) as call:
                return call
            case ast.Call(
                ast.Name("wait_for") | ast.Attribute(ast.Name(), "wait_for"),
                [ast.Call(ast.Attribute(attr="wait")) as call, *_],
            ):
                return call
        return None

    @staticmethod
    def _whole(wait: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> ast.AST:
        """The call of a `wait`, or what awaits that."""
        node: ast.AST = wait
        while isinstance(parents.get(node), ast.Call | ast.Await):
            node = parents[node]
        return node

    def _wait(self, site: int) -> Wait | None:
        call = self._waits(site)
        if call is None or not isinstance(call.func, ast.Attribute):
            return None
        parents = self._of_file(site)
        node = self._whole(call, parents)
        is_tested = not isinstance(parents.get(node), ast.Expr)
        while not isinstance(node, ast.stmt):
            above = parents.get(node)
            if (
                above is None
                or isinstance(above, _CONDITIONAL)
                or (isinstance(above, ast.While) and node is above.test)
            ):
                return None
            node = above
        guard: tuple[Asked, ...] | None = None
        looks_again = False
        is_free, is_straight, is_entered = True, True, False
        loop: ast.While | ast.For | None = None
        while True:
            above = parents.get(node)
            block = next((each for each in _blocks(above) if node in each), None)
            if block is not None:
                here = next(place for place, each in enumerate(block) if each is node)
                is_straight = is_straight and all(map(_is_straight, block[:here]))
            if above is None or isinstance(above, _SCOPES):
                break
            if isinstance(above, ast.With | ast.AsyncWith):
                is_entered = is_entered or any(_same(item.context_expr, call.func.value) for item in above.items)
            elif isinstance(above, ast.If | ast.While | ast.For):
                is_free = False
                if isinstance(above, ast.While | ast.For) and loop is None and block is above.body:
                    loop = above
                if guard is None:
                    looks_again = isinstance(above, ast.While)
                    decides = is_straight and not isinstance(above, ast.For)
                    decides = decides and (isinstance(above, ast.If) or block is above.body)
                    file = self._trace.site_codes[site].file
                    asked = list(asked_by(above.test, block is above.body)) if decides else []  # type: ignore[union-attr]
                    guard = tuple(Asked(file, _span(read), answer) for read, answer in asked)
                    if len(asked) == 1:  # before 3.12 a test of a truth has the position of its whole statement
                        guard = (*guard, Asked(file, _span(above), asked[0][1]))
            elif not (isinstance(above, ast.Try) and block is above.body):
                is_free = is_straight = False
            node = above
        return Wait(guard or (), looks_again, is_free and is_straight, is_tested, is_entered, loop)


def _of_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function or module, without the functions and classes in it."""
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)


def span_of(site: Site) -> Span | None:
    if site.line is None or site.column is None or site.end_line is None or site.end_column is None:
        return None
    return site.line, site.column, site.end_line, site.end_column


def _span(node: ast.expr | ast.stmt) -> Span:
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


def _blocks(node: ast.AST | None) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _around(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> tuple[bool, str | None]:
    """Whether something stands in a `try` that handles all, within its function; and the name of that."""
    is_handled = False
    while node in parents and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inner, node = node, parents[node]
        is_handled = is_handled or (_handles_all(node) and inner in node.body)  # type: ignore[attr-defined]
    return is_handled, getattr(node, "name", None)


def _gives_up(node: ast.AST) -> bool:
    match node:
        case ast.AsyncWith() | ast.With():
            return any(_called(item.context_expr) in _TIMEOUTS for item in node.items)
        case ast.Call():
            return _called(node) == "wait_for"
    return False


def _called(node: ast.expr) -> str | None:
    match node:
        case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(attr=name)):
            return name
    return None


def _lines(statement: ast.AST) -> range:
    """Those of its body."""
    body: list[ast.stmt] = [*statement.body, *getattr(statement, "orelse", ())]  # type: ignore[attr-defined]
    return range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1)


def _handles_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.Try | ast.TryStar):
        return False
    return bool(node.finalbody) or any(_is_broad(handler) for handler in node.handlers)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it handles KeyboardInterrupt, too."""
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {each.id for each in named if isinstance(each, ast.Name)}
    return handler.type is None or not names.isdisjoint(["BaseException", "KeyboardInterrupt"])


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def _is_straight(statement: ast.stmt) -> bool:
    """Whether control goes on after it, whatever it does."""
    if isinstance(statement, ast.With | ast.AsyncWith | ast.For):
        return all(_is_straight(each) for each in statement.body)
    return isinstance(statement, _STRAIGHT)


def _is_quiet(node: ast.AST, wait: ast.AST) -> bool:
    """Whether it calls nothing but `len` and the wait, and loops over nothing."""
    waits = set(ast.walk(wait))
    for each in ast.walk(node):
        match each:
            case _ if each in waits:
                pass
            case ast.Call(ast.Name("len")):
                pass
            case ast.Call():
                return False
            case ast.For() | ast.While() | ast.comprehension() | ast.Starred() | ast.With() | ast.Await() | ast.Yield():
                return False
    return True


def asked_by(test: ast.expr, truth: bool) -> Iterator[tuple[ast.expr, str]]:
    """The reads that all must have found something for a test to be true, or false; and what."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            yield from asked_by(operand, not truth)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) == truth:
            for each in values:
                yield from asked_by(each, truth)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            yield test, "true" if truth else "false"
        case ast.Compare(_, [ast.In() | ast.NotIn() as operator], _):
            yield test, "present" if isinstance(operator, ast.In) == truth else "absent"
        case ast.Compare(left, [ast.Is() | ast.IsNot() as operator], [ast.Constant(None)]):
            yield left, "is None" if isinstance(operator, ast.Is) == truth else "is not None"
        case ast.Compare(left, [operator], [ast.Constant(value)]) if type(operator) in _COMPARED:
            if isinstance(value, int | str):
                sign = _COMPARED[type(operator)]
                yield left, f"{'' if truth else 'not '}{sign} {value!r}"


def compared_with(test: ast.expr, truth: bool, name: str) -> Iterator[tuple[ast.expr, str]]:
    """The reads that are compared with a variable, of which all must be so for a test to be true, or false: how."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            yield from compared_with(operand, not truth, name)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) == truth:
            for each in values:
                yield from compared_with(each, truth, name)
        case ast.Compare(read, [operator], [ast.Name(given)]) if given == name and type(operator) in _COMPARED:
            yield read, f"{'' if truth else 'not '}{_COMPARED[type(operator)]}"
        case ast.Compare(ast.Name(given), [operator], [read]) if given == name and type(operator) in _COMPARED:
            sign = _COMPARED[type(operator)]
            yield read, f"{'' if truth else 'not '}{_MIRRORED.get(sign, sign)}"
