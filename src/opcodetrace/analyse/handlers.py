"""Where a program is ready for an access that fails: in `try` with an `except` that does no more than go on, end the
loop or return, and in `with suppress(...)`. A handler that does something may tell of the failure."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opcodetrace.analyse.made_of import Function, called_name
from opcodetrace.trace.run import Trace
from opcodetrace.trace.source_text import parsed

_ANYTHING = BaseException.__name__
_ANY = (Exception.__name__, _ANYTHING)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_OF_ERRORS = re.compile("error|fail|exception|print_exc|crash", re.IGNORECASE)


class _Default(NamedTuple):
    """A parameter: `if default is MISSING: raise`."""

    function: str
    name: str
    place: int  # among the positional ones

    def is_given_by(self, call: ast.Call) -> bool:
        """Whether a call gives it, or may. What the method is asked of is none of the call's arguments."""
        variable = any(isinstance(each, ast.Starred) for each in call.args)
        named = any(each.arg in (self.name, None) for each in call.keywords)
        return variable or named or len(call.args) >= self.place


class _Handler(NamedTuple):
    catches: frozenset[str]  # types of errors
    only_reports: bool
    raises: str | None  # the type of error that it raises in any case: "" for the very same, None if it may not
    unless_given: _Default | None = None  # it raises the very same if its function was called without this


class _Part(NamedTuple):
    """A function, class or body, by its lines."""

    first: int
    last: int
    ready_for: frozenset[str] | None  # types of errors; None of a function or class: what is around it has no say
    named: frozenset[str] = frozenset()  # those that a handler names and deals with, whatever it does
    handlers: tuple[_Handler, ...] = ()  # of a `try`, in order
    is_repeated: bool = False  # a `try` that is made again for the very same: until it goes well, or for ever


class Handlers:
    """Those in the source files of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sources = {file.id: file.source for file in trace.files}
        self._parts: dict[int, list[_Part]] = {}
        self._calls: dict[tuple[int, int | None], list[ast.Call]] = {}  # by line

    def expect(self, site: int, error: str | None = None) -> bool:
        """Whether it is expected that an access fails, as far as its function shows; by an error of that type."""
        if site not in self._trace.sites:
            return False
        return self.expect_in(self._trace.site_codes[site].file, self._trace.sites[site].line, error)

    def expect_in(self, file: int, line: int | None, error: str | None = None) -> bool:
        """The same of what a line does, or calls."""
        around = self._around(file, line)
        return any(error is None or _is_of(error, name) for part in around for name in part.ready_for or ())

    def deal_with(self, file: int, line: int | None, error: str) -> bool:
        """The same of a line; also if a handler there names this very error, and does something. Who foresees that it
        can be raised need not keep others out."""
        around = self._around(file, line)
        return any(error in part.named or any(_is_of(error, name) for name in part.ready_for or ()) for part in around)

    def report(self, lines: Iterable[tuple[int, int | None]], error: str, *, only_once: bool = False) -> bool:
        """Whether the handler that gets an error, or what is raised in its place, is one that only reports it.
        `lines`: where it was raised, and the calls that led there, the innermost first. `only_once`: and the same is
        not tried again after that."""
        called = list(lines)
        for (file, line), caller in itertools.zip_longest(called, called[1:]):
            for part in self._around(file, line):
                if any(_is_of(error, name) for name in part.ready_for or ()):
                    return False
                handler = next((each for each in part.handlers if _may_catch(each.catches, error)), None)
                if handler is not None and self._raises_for(caller, handler.unless_given):
                    continue
                if handler is not None and (handler.only_reports or handler.raises is None):
                    own = not hasattr(builtins, error) and handler.catches.isdisjoint((error, *_ANY))
                    if only_once and part.is_repeated:
                        return False
                    return handler.only_reports and not own  # of another type of the program's own, for all we know
                if handler is not None:
                    error = handler.raises or error
        return False

    def _raises_for(self, caller: tuple[int, int | None] | None, default: _Default | None) -> bool:
        """Whether the line of a caller does not give a parameter for which the error is not raised."""
        file, line = caller or (0, None)
        if caller is None or line is None or default is None:
            return False
        if caller not in self._calls:
            nodes = (node for each in parsed(self._sources.get(file, b"")) for node in ast.walk(each))
            self._calls[caller] = [
                each
                for each in nodes
                if isinstance(each, ast.Call) and each.lineno <= line <= (each.end_lineno or each.lineno)
            ]
        calls = [each for each in self._calls[caller] if called_name(each.func) == default.function]
        return len(calls) == 1 and not default.is_given_by(calls[0])

    def _around(self, file: int, line: int | None) -> list[_Part]:
        """The parts that a line lies in, as far as its function goes."""
        if file not in self._parts:
            self._parts[file] = list(_parts(parsed(self._sources.get(file, b""))))
        around = [part for part in self._parts[file] if line is not None and part.first <= line <= part.last]
        around.sort(key=lambda part: (part.first, -part.last), reverse=True)
        return list(itertools.takewhile(lambda part: part.ready_for is not None, around))


def _parts(nodes: Iterable[ast.AST]) -> Iterator[_Part]:
    yield _Part(1, sys.maxsize, None)
    # and the loop and the function that each is in
    pending: list[tuple[ast.AST, ast.AST | None, Function | None]] = [(node, None, None) for node in nodes]
    while pending:
        node, loop, function = pending.pop()
        inner = node if isinstance(node, _LOOPS) else None if isinstance(node, _SCOPES) else loop
        within = node if isinstance(node, Function) else None if isinstance(node, _SCOPES) else function
        pending += ((each, inner, within) for each in ast.iter_child_nodes(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield _Part(node.lineno, node.end_lineno or node.lineno, None)
            continue
        ready_for: set[str] = set()
        named: set[str] = set()
        handlers: list[_Handler] = []
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                caught, default = frozenset(_names(handler.type)), _asked_for(handler, function)
                handlers.append(_Handler(caught, _only_reports(handler), _raises(handler), default))
                if _goes_on(handler):
                    ready_for.update(_names(handler.type))
                if not any(isinstance(each, ast.Raise) for each in handler.body):
                    named.update(_names(handler.type))
        elif isinstance(node, ast.With):
            for item in node.items:
                ready_for.update(_suppressed(item.context_expr))
        if (ready_for or handlers) and isinstance(node, ast.Try | ast.TryStar | ast.With):
            first, last = node.body[0].lineno, node.body[-1]
            end = last.end_lineno or last.lineno
            is_repeated = loop is not None and isinstance(node, ast.Try | ast.TryStar) and _is_repeated(node, loop)
            yield _Part(first, end, frozenset(ready_for), frozenset(named), tuple(handlers), is_repeated)


def _is_repeated(tried: ast.Try | ast.TryStar, loop: ast.AST) -> bool:
    """Whether a loop tries the same again: it ends as that goes well, or no variable tells one turn from another."""
    inside = {id(node) for node in ast.walk(tried)}
    body = [node for statement in (*tried.body, *tried.orelse) for node in ast.walk(statement)]
    given = {
        node.id
        for node in ast.walk(loop)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in inside
    }
    used = {node.id for node in body if isinstance(node, ast.Name)}
    return any(isinstance(node, ast.Return | ast.Break) for node in body) or given.isdisjoint(used)


def _goes_on(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(each, ast.Pass | ast.Continue | ast.Break)
        or (isinstance(each, ast.Return) and (each.value is None or isinstance(each.value, ast.Constant | ast.Name)))
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in handler.body
    )


def _only_reports(handler: ast.ExceptHandler) -> bool:
    """Whether all that it does is to tell of the error: it logs it, keeps it, or counts it as one."""
    tells = False
    for each in handler.body:
        match each:
            case ast.Expr(ast.Call()) | ast.AugAssign():
                named = [node for node in ast.walk(each) if isinstance(node, ast.Name | ast.Attribute)]
                names = {node.id if isinstance(node, ast.Name) else node.attr for node in named}
                tells |= handler.name in names or any(map(_OF_ERRORS.search, names))
            case ast.Pass() | ast.Continue() | ast.Break() | ast.Return(None):
                pass
            case _:
                return False
    return tells


def _raises(handler: ast.ExceptHandler) -> str | None:
    """See `_Handler.raises`."""
    if any(isinstance(each, ast.Return | ast.Break | ast.Continue) for each in ast.walk(handler)):
        return None
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return ""
        case ast.Raise(exc=ast.Name(name)) | ast.Raise(exc=ast.Call(ast.Name(name))):
            return "" if name == handler.name else name
    return None


def _asked_for(handler: ast.ExceptHandler, function: Function | None) -> _Default | None:
    """See `_Handler.unless_given`."""
    match handler.body[0]:
        case ast.If(ast.Compare(ast.Name(name), [ast.Is()], [_]), [ast.Raise(exc=None)]) if function is not None:
            names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            if name in names[1:] and names[0] == "self":
                return _Default(function.name, name, names.index(name))
    return None


def _suppressed(entered: ast.expr) -> Iterator[str]:
    match entered:
        case ast.Call(ast.Name("suppress") | ast.Attribute(attr="suppress"), arguments):
            for each in arguments:
                yield from _names(each)


def _names(caught: ast.expr | None) -> Iterator[str]:
    """The types of errors that are caught. What is no name may be any."""
    match caught:
        case ast.Tuple(elements):
            for each in elements:
                yield from _names(each)
        case ast.Name(name):
            yield name
        case _:
            yield _ANYTHING


def _may_catch(caught: frozenset[str], error: str) -> bool:
    return any(_is_of(error, name) for name in caught)


def _is_of(error: str, caught: str) -> bool:
    """Whether an error of a type is caught, as far as the two are Python's own; else it may be."""
    one, other = getattr(builtins, error, None), getattr(builtins, caught, None)
    return not (isinstance(one, type) and isinstance(other, type)) or issubclass(one, other)
