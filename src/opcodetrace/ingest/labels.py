"""Names for locations, as the source writes them: `counter[0]`, `account.balance`, `global hits`, `cell total`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opcodetrace.trace.event import ABSENT, Opaque, Value
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.printable import printable
from opcodetrace.trace.site import Code, Operation, Site, SourceFile
from opcodetrace.trace.source_text import Operands, SourceText, iterated, operands, tested
from opcodetrace.trace.sync import CONDITIONS, EVENTS, TASK_QUEUES

WHOLE_OPERAND = frozenset(["GET_ITER", "BEFORE_WITH"])  # whose source text is the object itself; 3.14 calls on `with`
# what does its work by another method of the same object
_BY_ANOTHER_METHOD: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(TASK_QUEUES, re.compile(r"\.(put|get)(_nowait)?\(")),
    **dict.fromkeys(CONDITIONS, re.compile(r"\.notify_?[aA]ll\(")),
}
_WAITS_FOR = re.compile(r"wait_for\(([\w.]+)\.wait\(\)")  # of asyncio: wait_for(event.wait(), 1)
_OF_ATTRIBUTES = re.compile(r"^(.*)\.__dict__$|^vars\((.*)\)$")  # the dictionary of an object
MEMBER = re.compile(r"(\w+\.)*[A-Z]\w*\.\w+")  # of a class, by its name: Color.RED


@dataclass(slots=True)
class Unlabelled:
    """A location of which all but the label is known. The sites that touch it are in order of preference."""

    kind: LocationKind
    container: int  # tells containers apart; of the same type they are numbered in order of appearance
    container_type: str
    key: Value
    key_object: int  # tells keys apart that are compared by identity
    is_written: bool = False  # the key is a text as the source would write it: of a tuple
    sites: Sequence[int] = ()


class Labels:
    """Labels the locations of one run, each differently."""

    def __init__(self, files: Iterable[SourceFile], sites: dict[int, Site], site_codes: dict[int, Code]) -> None:
        self._files = {file.id: file for file in files}
        self._texts: dict[int, SourceText] = {}
        self._sites = sites
        self._site_codes = site_codes
        self._operands: dict[int, Operands | None] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._counts: Counter[str] = Counter()

    def source(self, file: int) -> SourceText:
        if file not in self._texts:
            known = self._files.get(file)
            self._texts[file] = SourceText(known.source if known else b"")
        return self._texts[file]

    def label_all(self, locations: list[Unlabelled]) -> list[str]:
        for location in locations:
            self._number(location.container_type, location.container)
        labels = [self._label(location) for location in locations]
        return _all_told_apart(labels, lambda place: self._container_suffix(locations[place]))

    def _label(self, location: Unlabelled) -> str:
        name = location.key if isinstance(location.key, str) else "?"
        match location.kind:
            case LocationKind.GLOBAL:
                return f"global {name}"
            case LocationKind.CELL:
                return f"cell {name}"
            case LocationKind.ATTRIBUTE:
                owner = _OF_ATTRIBUTES.sub(r"\1\2", self._container(location))
                return f"{owner}.{name}"
            case LocationKind.ITEM:
                return f"{self._container(location)}[{self._key(location)}]"
            case LocationKind.SLICE:
                return f"{self._container(location)}[{name}]"
            case LocationKind.WHOLE:
                return self._container(location)

    def _container(self, location: Unlabelled) -> str:
        for found in self._written(location):
            if found.container:
                return found.container
        return f"<{_short(location.container_type)}>"

    def _key(self, location: Unlabelled) -> str:
        if isinstance(location.key, Opaque):
            for found in self._written(location):
                if found.key and MEMBER.fullmatch(found.key):
                    return found.key
            type_name = location.key.type_name
            return f"<{_short(type_name)} #{self._number(type_name, location.key_object)}>"
        if location.is_written and isinstance(location.key, str):
            return printable(location.key)
        return "?" if location.key is ABSENT else repr(location.key)

    def synchronised(self, site: int, type_name: str, *, direct: bool) -> str:
        """What the source calls the object whose method the site calls, or which it enters (`with lock`).

        If the call leads there only by library code: `<lock> in queue.get()`."""
        found = self._operands_of(site)
        expression = self._expression(site)
        by_another = _BY_ANOTHER_METHOD.get(type_name)
        leads_there = direct or (by_another is not None and by_another.search(expression or ""))
        if leads_there and found and found.container:
            return found.container
        waits_for = _WAITS_FOR.search(expression or "") if type_name in CONDITIONS | EVENTS else None
        if waits_for:
            return waits_for[1]
        if expression and not expression.endswith(")") and self._sites[site].opcode == "SEND":
            return expression  # async with lock
        return f"<{_short(type_name)}> in {expression}" if expression else f"<{_short(type_name)}>"

    def label_objects(self, objects: list[tuple[str, str | None]]) -> list[str]:
        """Of types and what `synchronised` says of them; each gets a label of its own."""
        labels = [written or f"<{_short(type_name)}>" for type_name, written in objects]
        return _all_told_apart(labels, lambda place: f" ({_short(objects[place][0])})")

    def _expression(self, site: int) -> str | None:
        known = self._sites[site]
        source = self.source(self._site_codes[site].file)
        return source.expression(known.line, known.column, known.end_line, known.end_column)

    def _operands_of(self, site: int) -> Operands | None:
        if site not in self._operands:
            known, expression = self._sites[site], (self._expression(site) or "").removeprefix("await ")
            enters = known.operation == Operation.CALL and not (expression or "").endswith(")")
            over = iterated(expression) if expression and known.opcode in ("FOR_ITER", "GET_ITER") else None
            if over or known.opcode == "FOR_ITER":
                self._operands[site] = Operands(over, None) if expression else None
                return self._operands[site]
            if known.operation == Operation.TEST:
                asked = tested(expression) if expression else None
                self._operands[site] = None if asked is None else Operands(asked, None)
                return self._operands[site]
            is_whole = enters or known.opcode in WHOLE_OPERAND
            self._operands[site] = None if not expression else operands(expression, is_whole)
        return self._operands[site]

    def _written(self, location: Unlabelled) -> Iterator[Operands]:
        """How the source writes the location, at each of its sites that says so."""
        for site in location.sites:
            if found := self._operands_of(site):
                yield found

    def _container_suffix(self, location: Unlabelled) -> str:
        if location.kind is LocationKind.GLOBAL:
            for site in location.sites:
                if "ATTR" not in self._sites[site].operation:
                    file = self._files.get(self._site_codes[site].file)
                    return f" ({file.module})" if file else ""
            return ""
        number = self._number(location.container_type, location.container)
        return f" ({_short(location.container_type)} #{number})"

    def _number(self, type_name: str, identity: int) -> int:
        if (type_name, identity) not in self._numbers:
            self._counts[type_name] += 1
            self._numbers[type_name, identity] = self._counts[type_name]
        return self._numbers[type_name, identity]


def _short(type_name: str) -> str:
    return type_name.rpartition(".")[2]


def _told_apart(labels: list[str], suffix: Callable[[int], str]) -> list[str]:
    """The labels; those that occur more than once with what `suffix` gives of their place."""
    counts = Counter(labels)
    return [label + suffix(place) if counts[label] > 1 else label for place, label in enumerate(labels)]


def _all_told_apart(labels: list[str], suffix: Callable[[int], str]) -> list[str]:
    """As `_told_apart`; those that are alike even so are numbered."""
    labels = _told_apart(labels, suffix)
    ordinals: Counter[str] = Counter()

    def number(place: int) -> str:
        ordinals[labels[place]] += 1
        return f" (#{ordinals[labels[place]]})"

    return _told_apart(labels, number)
