"""Drivers: what the docstring of each says of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opcodetrace.findings import KINDS
from opcodetrace.trace.finding import Severity

FOLDER = Path(__file__).with_name("drivers")
NOTHING = "nothing"  # a right program
FIELDS = frozenset(("requires", "include", "expect", "at"))
_FIELD = re.compile(r"(\w+): *(.*)")
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[\w,]+\])?==([\w.]+)")


class WrongHeader(ValueError):
    """A docstring that is no header of a driver."""


@dataclass(frozen=True)
class Expected:
    """A kind of finding that is a right answer, if it is at least as severe."""

    kind: str
    least: Severity = Severity.POSSIBLE

    @classmethod
    def parse(cls, text: str) -> Expected:
        kind, _, severity = text.partition(":")
        if kind not in KINDS:
            raise WrongHeader(f"no kind of finding: {kind!r}")
        if not severity:
            return cls(kind)
        if severity not in list(Severity):
            raise WrongHeader(f"no severity: {severity!r}")
        return cls(kind, Severity(severity))


@dataclass(frozen=True)
class Place:
    """The end of a source file's path and, maybe, of a function's qualified name."""

    path: str
    function: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        path, _, function = text.partition(":")
        return cls(path, function)

    def holds(self, path: str, function: str) -> bool:
        return f"/{path}".endswith(f"/{self.path}") and (
            not self.function or f".{function}".endswith(f".{self.function}")
        )


@dataclass(frozen=True)
class Driver:
    """A program that uses a library from several threads, and what is to be found in it."""

    path: Path
    title: str
    requires: tuple[str, ...]
    include: tuple[str, ...]
    expected: tuple[Expected, ...]  # any of them is the right answer; none: it is a right program
    at: tuple[Place, ...] = ()  # any of them: a role must be there

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def is_right(self) -> bool:
        return not self.expected


def parse(path: Path, text: str) -> Driver:
    """Raises WrongHeader, SyntaxError."""
    docstring = ast.get_docstring(ast.parse(text, path.name))
    if docstring is None:
        raise WrongHeader("it has no docstring")
    title, _, header = docstring.partition("\n\n")
    fields: dict[str, str] = {}
    for line in header.splitlines():
        if (match := _FIELD.fullmatch(line.strip())) is None or match[1] not in FIELDS or match[1] in fields:
            raise WrongHeader(f"no field of a header, or there twice: {line!r}")
        fields[match[1]] = match[2]
    if missing := FIELDS - {"at"} - fields.keys():
        raise WrongHeader(f"it does not say: {', '.join(sorted(missing))}")
    requires = _list(fields["requires"])
    for requirement in requires:
        if _REQUIREMENT.fullmatch(requirement) is None:
            raise WrongHeader(f"no requirement of one version: {requirement!r}")
    expect = _list(fields["expect"])
    expected = () if expect == (NOTHING,) else tuple(map(Expected.parse, expect))
    at = tuple(map(Place.parse, _list(fields.get("at", ""))))
    if not requires or not expect or (at and not expected):
        raise WrongHeader("it requires nothing, expects nothing, or says where nothing is to be found")
    return Driver(path, title, requires, _list(fields["include"]), expected, at)


def distribution(requirement: str) -> str:
    """The name of what is required, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=]", requirement)[0]).lower()


def load(names: Sequence[str] = ()) -> list[Driver]:
    """Those of these names, or all. Raises WrongHeader."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
    if unknown := [name for name in names if name not in paths]:
        raise WrongHeader(f"no such driver: {', '.join(unknown)}; --list names them")
    return [parse(paths[name], paths[name].read_text(encoding="utf-8")) for name in names or paths]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part for each in text.split(",") if (part := each.strip()))
