"""The text of a source file, by the positions that code objects give (lines from 1, columns in UTF-8 bytes)."""

from __future__ import annotations

import ast
import functools
import io
import tokenize
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opcodetrace.trace.run import Trace

EXPRESSION_LENGTH = 120
_NOT_OF_SOURCES = ("punycode", "idna")  # no program is written in them, and a long text takes them forever


class SourceText:
    """A source file cut into lines, as the compiler counts them."""

    def __init__(self, source: bytes) -> None:
        self._lines = decoded(source).replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def line(self, number: int | None) -> str:
        """The line, stripped; "" if there is none."""
        if number is None or not 0 < number <= len(self._lines):
            return ""
        return self._lines[number - 1].strip()

    def expression(
        self, line: int | None, column: int | None, end_line: int | None, end_column: int | None
    ) -> str | None:
        """The text between two positions, on one line and of bounded length; None if it is not known or empty."""
        if line is None or column is None or end_line is None or end_column is None:
            return None
        if not 0 < line <= end_line <= len(self._lines):
            return None
        cut = [text.encode("utf-8", "surrogatepass") for text in self._lines[line - 1 : end_line]]
        cut[-1] = cut[-1][:end_column]
        cut[0] = cut[0][column:]
        text = " ".join(b"\n".join(cut).decode("utf-8", "replace").split())
        if len(text) > EXPRESSION_LENGTH:
            text = text[: EXPRESSION_LENGTH - 1] + "…"
        return text or None


class SourceTexts:
    """Those of a run's files."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sources = {file.id: file.source for file in trace.files}
        self._texts: dict[int, SourceText] = {}

    def expression(self, site: int) -> str:
        """How the source writes what is done at a site; "" if it is not known."""
        each = self._trace.sites[site]
        return self._of(site).expression(each.line, each.column, each.end_line, each.end_column) or ""

    def line(self, site: int) -> str:
        """The line on which that begins, stripped; "" if it is not known."""
        return self._of(site).line(self._trace.sites[site].line)

    def _of(self, site: int) -> SourceText:
        file = self._trace.site_codes[site].file
        if file not in self._texts:
            self._texts[file] = SourceText(self._sources.get(file, b""))
        return self._texts[file]


def decoded(source: bytes) -> str:
    """The text, by its encoding cookie; what cannot be decoded is replaced."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        if encoding in _NOT_OF_SOURCES:
            raise LookupError(encoding)
        return source.decode(encoding, "replace")
    except (SyntaxError, LookupError, UnicodeError):
        return source.decode("utf-8", "replace")


def parsed(text: str | bytes) -> list[ast.stmt]:
    """The statements of a text; none if it is no Python. What Python would warn of there is the program's affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []


def _parsed_expression(text: str) -> ast.expr | None:
    match parsed(text):
        case [ast.Expr(value)]:
            return value
        case _:
            return None


class Operands(NamedTuple):
    """The parts of `bank["a"]` or `self.a.b`: `bank` and `"a"`, `self.a` and no key.

    Of `bank.get("a")`, `getattr(bank, "a")`, `"a" in bank` too, and the object that is iterated over or entered."""

    container: str | None
    key: str | None


@functools.lru_cache(maxsize=4096)
def operands(expression: str, is_whole: bool = False) -> Operands | None:
    """Of the last subscript, attribute, call or `in`; `is_whole`: the expression is the object itself."""
    node = _parsed_expression(expression)
    if node is None:
        return _updated(expression) or (_of_with(expression) if is_whole else None)
    if is_whole:
        return Operands(expression, None)
    if isinstance(node, ast.Call):
        return _of_call(expression, node)
    if isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.In | ast.NotIn):
        return Operands(ast.get_source_segment(expression, node.comparators[-1]), None)
    if not isinstance(node, ast.Subscript | ast.Attribute):
        return None
    key = ast.get_source_segment(expression, node.slice) if isinstance(node, ast.Subscript) else None
    return Operands(ast.get_source_segment(expression, node.value), key)


# What a call by these names is given first is the object: operator.setitem(d, k, v), dict.__setitem__(d, k, v).
_OWNERS = ("operator", "heapq", "object", "type", "list", "dict", "set", "bytearray", "deque", "OrderedDict")


def _of_call(expression: str, node: ast.Call) -> Operands:
    first = node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id in _OWNERS
    ):
        container: ast.expr | None = node.func.value
        if isinstance(container, ast.Call) and isinstance(container.func, ast.Name) and container.func.id == "super":
            container = None
        key = first
    else:
        container = first
        key = node.args[1] if len(node.args) > 1 else None
    return Operands(
        ast.get_source_segment(expression, container) if container else None,
        ast.get_source_segment(expression, key) if key else None,
    )


_BY_A_FUNCTION = frozenset(["map", "filter", "dropwhile", "filterfalse", "starmap", "takewhile"])  # it comes first
_OVER_SEVERAL = _BY_A_FUNCTION | {"chain", "compress", "zip", "zip_longest"}
_ITERATORS = _OVER_SEVERAL | {"accumulate", "batched", "enumerate", "islice", "iter", "pairwise", "reversed"}


def iterated(expression: str) -> str | None:
    """The container that a loop over the expression takes items out of: of `enumerate(items)`, `reversed(items)`,
    `items.values()`, `zip("ab", items)` and the like, `items`. Of a whole `for` statement or comprehension (as 3.11 and
    3.12 give it): what it loops over."""
    node = _parsed_expression(expression)
    if node is None:
        head, statement = _compound(expression)
        if not isinstance(statement, ast.For | ast.AsyncFor):
            return None
        expression, node = head, statement.iter
    if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
        node = node.generators[0].iter
    node = _gone_over(node)
    return None if node is None else ast.get_source_segment(expression, node)


def _gone_over(node: ast.expr) -> ast.expr | None:
    """What an iterable that is made by calls goes over: of `enumerate(items.values())`, `items`; of `zip("ab", items)`,
    too. None if it is not known, or may be one of several."""
    match node:
        case ast.Call(ast.Attribute(of, "keys" | "items" | "values"), []):
            return _gone_over(of)
        case ast.Call(ast.Name(id=name) | ast.Attribute(attr=name), [first, *others]) if name in _ITERATORS:
            if name not in _OVER_SEVERAL:
                return _gone_over(first)
            given = [_gone_over(each) for each in (others if name in _BY_A_FUNCTION else [first, *others])]
            named = {
                ast.unparse(each): each for each in given if each is not None and not isinstance(each, ast.Constant)
            }
            return next(iter(named.values())) if len(named) == 1 else None
        case ast.Call():
            return None
    return node


def _updated(statement: str) -> Operands | None:
    """Of `x |= y`."""
    match parsed(statement):
        case [ast.AugAssign(target)]:
            return Operands(ast.get_source_segment(statement, target), None)
        case _:
            return None


def _of_with(statement: str) -> Operands | None:
    """Of a `with` statement that enters one object: 3.11 gives the whole statement as the source of the call."""
    head, compound = _compound(statement)
    if isinstance(compound, ast.With) and len(compound.items) == 1:
        return Operands(ast.get_source_segment(head, compound.items[0].context_expr), None)
    return None


def tested(text: str) -> str | None:
    """What is asked whether it is true, if that is one thing: of `not self.items`, `self.items`. 3.11 gives the whole
    statement."""
    node = _parsed_expression(text)
    if node is None:
        text, compound = _compound(text)
        node = compound.test if isinstance(compound, ast.If | ast.While) else None
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node = node.operand
    return ast.get_source_segment(text, node) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else None


def _compound(text: str) -> tuple[str, ast.stmt | None]:
    """The head of a compound statement with an empty body, and what it is; None if it is no statement."""
    for colon in (place for place, letter in enumerate(text) if letter == ":"):
        head = f"{text[:colon]}: pass".removeprefix("async ")
        statements = parsed(head)
        if statements:
            return head, statements[0]
    return text, None
