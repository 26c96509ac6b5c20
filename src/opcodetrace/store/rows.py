"""The rows of a trace file, decoded and checked: the one place where it is decided what of a file is believed.

A file may come from somebody else, or be damaged. Whatever a cell holds, either its row is one that a recording could
have written, or Damage says which cell is not.
"""

from __future__ import annotations

import json
import math
import operator
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

from opcodetrace.store.stored_value import MAX_INTEGER, MAX_NAME, from_sql
from opcodetrace.store.trace_file import Damage, TooMuch
from opcodetrace.trace.event import Event, EventKind, Value
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Certainty, Count, Severity, Tally
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import MergedLanes, Thread, Truncation
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.switch import Awaiting, Reason, Switch, SwitchPlace
from opcodetrace.trace.sync import Synchronisation, SyncObject

MAX_ROWS = 5_000_000  # that one question takes into memory
MAX_TAKEN = 1 << 28  # characters of text that it does
MAX_DOCUMENT = 1 << 24  # of a command line, the notes of a run
MAX_SOURCE_LINE = 1 << 12  # characters of a source line that are shown
MAX_LANES = 1 << 16  # as many numbers do records have room for (spool/layout.py)
MAX_FINDINGS = 1 << 48  # at one location: sums of that are exact in floating point
MAX_EXACT = 1 << 53

Member = TypeVar("Member", bound=StrEnum)


class References(NamedTuple):
    """What the events of a run may refer to."""

    threads: Collection[int]
    sites: Collection[int]
    locations: Collection[int]  # to be asked for whole numbers alone: a range goes through all of its own for others


class Budget:
    """How much text may still be taken into memory."""

    def __init__(self, characters: int = MAX_TAKEN) -> None:
        self._left = characters

    def take(self, text: str | bytes) -> None:
        self.take_characters(len(text))

    def take_characters(self, number: int) -> None:
        self._left -= number
        if self._left < 0:
            raise TooMuch(f"more than {MAX_TAKEN:,} characters would have to be kept in memory")


class Row:
    """One row, asked cell by cell for what it must hold."""

    __slots__ = ("_budget", "_cells", "_table")

    def __init__(self, table: str, cells: Mapping[str, Any], budget: Budget) -> None:
        self._table = table
        self._cells = cells
        self._budget = budget

    def integer(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> int:
        value = self._cells[name]
        if type(value) is not int:
            raise self._no(name, "a whole number")
        if not least <= value <= most:
            raise self._no(name, f"a number from {least} to {most}")
        return value

    def integer_or_none(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> int | None:
        return None if self._cells[name] is None else self.integer(name, least, most)

    def flag(self, name: str) -> bool:
        return self.integer(name, 0, 1) == 1

    def seconds(self, name: str) -> float:
        value = self._cells[name]
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise self._no(name, "a number of seconds")
        return float(value)

    def seconds_or_none(self, name: str) -> float | None:
        return None if self._cells[name] is None else self.seconds(name)

    def text(self, name: str, most: int = MAX_NAME) -> str:
        value = self._cells[name]
        if type(value) is not str:
            raise self._no(name, "a text")
        if len(value) > most:
            raise self._no(name, f"a text of at most {most:,} characters")
        self._budget.take(value)
        return value

    def text_or_none(self, name: str, most: int = MAX_NAME) -> str | None:
        return None if self._cells[name] is None else self.text(name, most)

    def member(self, name: str, of: type[Member]) -> Member:
        try:
            return of(self.text(name))
        except ValueError:
            raise self._no(name, f"one of {', '.join(of)}") from None

    def member_or_none(self, name: str, of: type[Member]) -> Member | None:
        return None if self._cells[name] is None else self.member(name, of)

    def reference(self, name: str, known: Collection[int], what: str) -> int:
        value: int = self._cells[name]
        if type(value) is not int or value not in known:
            raise self._no(name, f"a {what} of the run")
        return value

    def reference_or_none(self, name: str, known: Collection[int], what: str) -> int | None:
        return None if self._cells[name] is None else self.reference(name, known, what)

    def value(self, name: str, type_name: str) -> Value:
        value, value_type = self._cells[name], self._cells[type_name]
        if isinstance(value, str | bytes):
            if len(value) > MAX_NAME:
                raise self._no(name, f"a value of at most {MAX_NAME:,} characters")
            self._budget.take(value)
        try:
            return from_sql(value, value_type)
        except ValueError as error:
            raise self._no(name, str(error)) from None

    def source(self, name: str) -> bytes:
        """The bytes of a source file."""
        source = self._cells[name]
        if not isinstance(source, str | bytes):
            raise self._no(name, "a source")
        self._budget.take(source)
        return source.encode() if isinstance(source, str) else source

    def items(self, name: str, check: Callable[[object], bool], what: str) -> list[Any]:
        """A list in JSON."""
        try:
            made = json.loads(self.text(name, MAX_DOCUMENT))
        except (ValueError, RecursionError):
            raise self._no(name, "JSON") from None
        if not isinstance(made, list) or not all(map(check, made)):
            raise self._no(name, f"a JSON list of {what}")
        return made

    def _no(self, name: str, wanted: str) -> Damage:
        return Damage(f"{self._table}.{name} is {_shown(self._cells[name])}, not {wanted}")


class Table:
    """Some rows of a table, asked column by column for what each cell must hold: the checks of `Row`, for many cells
    in a few steps."""

    def __init__(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]], budget: Budget) -> None:
        self._table = table
        self._columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
        self._budget = budget

    def _each(self, name: str) -> Iterator[Row]:
        return (Row(self._table, {name: cell}, self._budget) for cell in self._columns[name])

    def integers(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> Sequence[int]:
        column: Sequence[int] = self._columns[name]
        if set(map(type, column)) == {int} and least <= min(column) and max(column) <= most:
            return column
        return [row.integer(name, least, most) for row in self._each(name)]

    def integers_or_none(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> Sequence[int | None]:
        column: Sequence[int | None] = self._columns[name]
        there = [number for number in column if number is not None]
        if not there or (set(map(type, there)) == {int} and least <= min(there) and max(there) <= most):
            return column
        return [row.integer_or_none(name, least, most) for row in self._each(name)]

    def flags(self, name: str) -> list[bool]:
        return list(map(bool, self.integers(name, 0, 1)))

    def texts(self, name: str, most: int = MAX_NAME) -> Sequence[str]:
        column: Sequence[str] = self._columns[name]
        if set(map(type, column)) == {str} and max(map(len, column)) <= most:
            self._budget.take_characters(sum(map(len, column)))
            return column
        return [row.text(name, most) for row in self._each(name)]

    def texts_or_none(self, name: str, most: int = MAX_NAME) -> Sequence[str | None]:
        column: Sequence[str | None] = self._columns[name]
        there = [text for text in column if text is not None]
        if set(map(type, there)) <= {str} and max(map(len, there), default=0) <= most:
            self._budget.take_characters(sum(map(len, there)))
            return column
        return [row.text_or_none(name, most) for row in self._each(name)]

    def members(self, name: str, of: type[Member]) -> list[Member]:
        column = self.texts(name)
        found: dict[str, Member] = {}
        for text in set(column):
            found[text] = Row(self._table, {name: text}, Budget()).member(name, of)
        return [found[text] for text in column]

    def values(self, name: str, type_name: str) -> list[Value]:
        return [
            value
            if value_type is None and type(value) is int
            else Row(self._table, {name: value, type_name: value_type}, self._budget).value(name, type_name)
            for value, value_type in zip(self._columns[name], self._columns[type_name], strict=True)
        ]


def _shown(value: object) -> str:
    """A cell in a few printable words."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"a blob of {len(value):,} bytes"
    if not isinstance(value, str):
        return str(value)
    return ascii(value if len(value) <= 40 else f"{value[:36]} ...")


Taken = TypeVar("Taken")

AT_ONCE = 4096  # rows that are checked together


def in_parts(cursor: sqlite3.Cursor) -> Iterator[list[Any]]:
    """The rows of a question, many at a time, unless they are too many to be taken."""
    taken = 0
    while part := cursor.fetchmany(AT_ONCE):
        taken += len(part)
        if taken > MAX_ROWS:
            raise TooMuch(f"more than {MAX_ROWS:,} rows would have to be kept in memory")
        yield part


def at_most(rows: Iterable[Taken]) -> Iterator[Taken]:
    """The rows of a question, unless they are too many to be taken."""
    for number, row in enumerate(rows):
        if number >= MAX_ROWS:
            raise TooMuch(f"more than {MAX_ROWS:,} rows would have to be kept in memory")
        yield row


def _is_text(each: object) -> bool:
    return isinstance(each, str)


def _is_merged(each: object) -> bool:
    return isinstance(each, str) and each in set(MergedLanes)


def _is_awaiting(each: object) -> bool:
    match each:
        case [str(), str(), None]:
            return True
        case [str(), str(), int(line)]:
            return not isinstance(line, bool) and line >= 0
    return False


def run_of(row: Row, found: tuple[Tally, ...]) -> StoredRun:
    last, let_go = row.integer_or_none("last", 1), row.integer("let_go")
    if let_go and last is None:
        raise Damage("runs.let_go is given, and runs.last is not")
    events, first_event = row.integer("events"), row.integer_or_none("first_event", 1)
    if events and (first_event is None or first_event + events - 1 > MAX_INTEGER):
        raise Damage("runs.first_event is out of range")
    return StoredRun(
        id=row.integer("id", 1),
        info=RunInfo(
            started_at=row.text("started_at"),
            script=row.text("script"),
            argv=tuple(row.items("argv", _is_text, "texts")),
            python=row.text("python"),
            implementation=row.text("implementation"),
            gil=row.flag("gil"),
            switch_interval=row.seconds_or_none("switch_interval"),
            cwd=row.text("cwd"),
        ),
        outcome=Outcome(
            exit_code=row.integer_or_none("exit_code", -MAX_INTEGER - 1),
            signal=row.integer_or_none("signal"),
            duration=row.seconds("duration"),
            recovered=row.flag("recovered"),
            stdout_sha256=row.text_or_none("stdout_sha256"),
            stdout_tail=row.text_or_none("stdout_tail"),
            exception=row.text_or_none("exception"),
        ),
        threads=row.integer("threads"),
        records=row.integer("records"),
        accesses=row.integer("accesses"),
        stored=row.integer("stored"),
        switches=row.integer("switches"),
        lost=row.integer("lost"),
        lost_at_most=row.integer("lost_at_most"),
        unseen=row.integer("unseen"),
        missed=row.integer("missed"),
        holes=row.integer("holes"),
        truncated=row.member_or_none("truncated", Truncation),
        truncated_seq=row.integer_or_none("truncated_seq"),
        last=last,
        let_go=let_go,
        births=row.flag("births"),
        functions=row.integer("functions"),
        modules=row.integer("modules"),
        unwoven=row.integer("unwoven"),
        notes=tuple(row.items("notes", _is_text, "texts")),
        found=found,
        tasks=row.integer("tasks"),
        children=row.integer_or_none("children"),
        merged=tuple(map(MergedLanes, row.items("merged", _is_merged, "greenlets and coroutines"))),
        interleaving=row.text_or_none("interleaving"),
    )


def threads_of(table: Table) -> Iterator[Thread]:
    return map(
        Thread,
        table.integers("thread", 0, MAX_LANES - 1),
        table.texts_or_none("name"),
        map(_unsigned, table.integers("ident", -MAX_INTEGER - 1)),
        map(_unsigned, table.integers("native_id", -MAX_INTEGER - 1)),
        table.integers_or_none("started_by"),
        table.integers("first_seq"),
        table.integers("last_seq"),
        table.flags("ended"),
        table.integers_or_none("task_of"),
    )


def locations_of(table: Table) -> Iterator[Location]:
    kinds = table.members("kind", LocationKind)
    words: dict[str, str] = {}
    container_types = table.texts("container_type")
    return map(
        Location,
        table.integers("id", -MAX_INTEGER - 1),
        kinds,
        map(words.setdefault, container_types, container_types),  # each of them once
        table.values("key", "key_type"),
        table.texts("label"),
        table.flags("certain"),
        table.integers("reads"),
        table.integers("writes"),
        table.integers("threads"),
    )


def site_of(row: Row, line_of: Callable[[int | None], str]) -> StoredSite:
    """`line_of` gives a line of its file."""
    line = row.integer_or_none("line")
    source_line = line_of(line)
    if len(source_line) > MAX_SOURCE_LINE:
        source_line = f"{source_line[: MAX_SOURCE_LINE - 1]}…"
    return StoredSite(
        id=row.integer("id", -MAX_INTEGER - 1),
        path=row.text("path"),
        line=line,
        column=row.integer_or_none("column"),
        end_line=row.integer_or_none("end_line"),
        end_column=row.integer_or_none("end_column"),
        function=row.text("function"),
        operation=row.text("operation"),
        opcode=row.text("opcode"),
        expression=row.text_or_none("expression"),
        computed=row.text_or_none("computed"),
        source_line=source_line,
    )


EVENT = "seq, earliest, thread, site_id, kind, location_id, value, value_type, frame, run_id"


def events_of(
    rows: Iterable[Sequence[Any]], run: int, first: int, last: int, known: References, budget: Budget
) -> Iterator[Event]:
    """Events of a run from seq `first` to `last`, of rows whose columns are EVENT."""
    threads, sites, locations = known
    before = first - 1
    for seq, earliest, thread, site, kind, location, value, value_type, frame, of in rows:
        if type(seq) is not int or not before < seq <= last or of != run:
            raise Damage(f"events.seq is {_shown(seq)} where events of run {run} after {before} were to come")
        before = seq
        if earliest is None:
            earliest = seq
        elif type(earliest) is not int or not 0 <= earliest <= seq:
            raise Damage(f"events.earliest is {_shown(earliest)} at seq {seq}")
        if thread not in threads:
            raise Damage(f"events.thread is {_shown(thread)} at seq {seq}: the run has no such thread")
        if site not in sites:
            raise Damage(f"events.site_id is {_shown(site)} at seq {seq}: the run has no such site")
        if type(kind) is not int or not EventKind.READ <= kind <= EventKind.COMPUTE:
            raise Damage(f"events.kind is {_shown(kind)} at seq {seq}")
        if (location is None) is not (kind == EventKind.COMPUTE) or (
            location is not None and (type(location) is not int or location not in locations)
        ):
            raise Damage(f"events.location_id is {_shown(location)} at seq {seq}: the run has no such location")
        if type(frame) is not int:
            raise Damage(f"events.frame is {_shown(frame)} at seq {seq}")
        if value_type is not None or value is None or type(value) in (str, bytes):
            value = Row("events", {"value": value, "value_type": value_type}, budget).value("value", "value_type")
        yield Event(seq, earliest, thread, site, kind, -1 if location is None else location, value, frame)


UPDATE = "location_id, thread, source_seq, seq, certainty"


def updates_of(rows: Iterable[Sequence[Any]], known: References) -> Iterator[Update]:
    """Updates of rows whose columns are UPDATE, in the order of their seqs."""
    before = -1
    for location, thread, began, seq, certainty in rows:
        if type(seq) is not int or seq <= before:
            raise Damage(f"events.seq is {_shown(seq)} after {before}")
        before = seq
        if type(location) is not int or location not in known.locations or thread not in known.threads:
            raise Damage(f"events refers to a location or a thread that the run does not have, at seq {seq}")
        if began is None:
            yield Update(location, thread, seq, seq, True)
        elif type(began) is int and began >= 0:
            yield Update(location, thread, began, seq, certainty == Certainty.PROVEN)
        else:
            raise Damage(f"events.source_seq is {_shown(began)} at seq {seq}")


class CallRow(NamedTuple):
    """An activation, and from where it was called."""

    seq: int
    caller_seq: int | None
    call_site: int | None


def call_of(row: Row) -> CallRow:
    seq = row.integer("seq")
    # who calls began before: so a row of callers has an end
    return CallRow(
        seq, row.integer_or_none("caller_seq", 0, seq - 1), row.integer_or_none("call_site_id", -MAX_INTEGER - 1)
    )


def role_of(row: Row) -> tuple[str, int]:
    return row.text("role"), row.integer("seq")


def switch_of(row: Row) -> Switch:
    place = None
    if row.integer_or_none("site_id", -MAX_INTEGER - 1) is not None:
        place = SwitchPlace(
            file=row.integer("file_id", -MAX_INTEGER - 1),
            function=row.text("function"),
            line=row.integer_or_none("line"),
            opcode=row.text("opcode"),
            offset=row.integer("offset"),
            expression=row.text_or_none("expression"),
        )
    awaited_by: list[Any] = []
    if row.text_or_none("awaited_by", MAX_DOCUMENT) is not None:
        awaited_by = row.items("awaited_by", _is_awaiting, "functions, paths and lines")
    return Switch(
        seq=row.integer("seq"),
        from_thread=row.integer("from_thread", 0, MAX_LANES - 1),
        to_thread=row.integer("to_thread", 0, MAX_LANES - 1),
        place=place,
        callee=row.text_or_none("callee"),
        reason=row.member_or_none("reason", Reason),
        awaited_by=tuple(Awaiting(*each) for each in awaited_by),
    )


SYNCHRONISATION = """
    seq, earliest, thread, site_id, sync_object_id, operation, begins, failed, waited, holder, woken_by, inside_seq,
    started"""


_synchronisation: Callable[[Sequence[Any]], Synchronisation] = partial(tuple.__new__, Synchronisation)


def synchronisation_of(
    parts: Iterable[Sequence[Sequence[Any]]], known: References, objects: Collection[int]
) -> Iterator[Synchronisation]:
    """What threads did to wait for each other, of rows whose columns are SYNCHRONISATION, many at a time."""
    words: dict[str, str] = {}  # each operation's name once
    for part in parts:
        columns = list(zip(*part, strict=True))
        if not _is_synchronisation(Synchronisation._make(columns), known, objects):
            for each in map(Synchronisation._make, part):
                _check_synchronisation(each, known, objects)
        operations = columns[_OPERATION]
        columns[_OPERATION] = tuple(map(words.setdefault, operations, operations))
        yield from map(_synchronisation, zip(*columns, strict=True))


_OPERATION = Synchronisation._fields.index("operation")


def _is_synchronisation(columns: Any, known: References, objects: Collection[int]) -> bool:
    """Whether `_check_synchronisation` finds nothing in rows with these columns: if so, it need not look at each."""

    def are(column: Collection[Any], *types: type) -> bool:
        return set(map(type, column)) <= {*types}

    def lie(column: Iterable[Any], end: float) -> bool:
        there = set(column) - {None}
        return not there or (min(there) >= 0 and max(there) < end)

    return (
        are(columns.seq, int)
        and are(columns.earliest, int)
        and lie(columns.earliest, math.inf)
        and all(map(operator.le, columns.earliest, columns.seq))
        and all(thread in known.threads for thread in set(columns.thread))
        and all(site in known.sites for site in set(columns.site) - {None})
        and all(number in objects for number in set(columns.object) - {None})
        and are(columns.operation, str)
        and max(map(len, columns.operation)) <= MAX_NAME
        and set(columns.begins) | set(columns.failed) <= {0, 1}
        and are(columns.waited, int, float, type(None))
        and lie(columns.waited, math.inf)
        and all(
            are(others, int, type(None)) and lie(others, MAX_LANES)
            for others in (columns.holder, columns.woken_by, columns.started)
        )
        and are(columns.inside, int, type(None))
    )


def _check_synchronisation(each: Synchronisation, known: References, objects: Collection[int]) -> None:
    threads, sites, _ = known
    seq = each.seq
    if type(seq) is not int or type(each.earliest) is not int or not 0 <= each.earliest <= seq:
        raise Damage(f"synchronisation.earliest is {_shown(each.earliest)} at seq {_shown(seq)}")
    if each.thread not in threads:
        raise Damage(f"synchronisation.thread is {_shown(each.thread)} at seq {seq}: the run has no such thread")
    if each.site is not None and each.site not in sites:
        raise Damage(f"synchronisation.site_id is {_shown(each.site)} at seq {seq}: the run has no such site")
    if each.object is not None and each.object not in objects:
        raise Damage(f"synchronisation.sync_object_id is {_shown(each.object)} at seq {seq}: there is none such")
    if type(each.operation) is not str or len(each.operation) > MAX_NAME:
        raise Damage(f"synchronisation.operation is {_shown(each.operation)} at seq {seq}")
    if each.begins not in (0, 1) or each.failed not in (0, 1):
        raise Damage(f"synchronisation.begins is {_shown(each.begins)}, failed {_shown(each.failed)} at seq {seq}")
    if each.waited is not None and not (type(each.waited) in (int, float) and 0 <= each.waited < math.inf):
        raise Damage(f"synchronisation.waited is {_shown(each.waited)} at seq {seq}")
    others = (each.holder, each.woken_by, each.started)
    if not all(other is None or (type(other) is int and 0 <= other < MAX_LANES) for other in others):
        raise Damage(f"synchronisation names a thread that cannot be at seq {seq}")
    if each.inside is not None and type(each.inside) is not int:
        raise Damage(f"synchronisation.inside_seq is {_shown(each.inside)} at seq {seq}")


def sync_objects_of(table: Table) -> Iterator[SyncObject]:
    words: dict[str, str] = {}
    type_names = table.texts("type")
    return map(
        SyncObject,
        table.integers("id", -MAX_INTEGER - 1),
        map(words.setdefault, type_names, type_names),  # each of them once
        table.texts("label"),
    )


def unwoven_of(row: Row) -> UnwovenFunction:
    return UnwovenFunction(row.text("function"), row.text("path"), row.integer_or_none("line"), row.text("reason"))


def count_of(row: Row, locations: Collection[int]) -> Count:
    low = row.integer("low", 0, MAX_FINDINGS)
    return Count(
        kind=row.text("kind"),
        location=row.reference_or_none("location_id", locations, "location"),
        low=low,
        high=row.integer("high", low, MAX_FINDINGS),
        causes=row.integer("causes", 0, MAX_FINDINGS),
        exhausted=row.flag("exhausted"),
    )


# Of a run's counts of one kind: their sums, and whether these are sums of what may stand there.
TALLIES = f"""
    SELECT run_id, kind, total(low) AS low, total(high) AS high, total(causes) AS causes, max(exhausted) AS exhausted,
        min(
            typeof(low) = 'integer' AND typeof(high) = 'integer' AND typeof(causes) = 'integer' AND low >= 0
            AND high >= low AND causes >= 0 AND high <= {MAX_FINDINGS} AND causes <= {MAX_FINDINGS}
            AND exhausted IN (0, 1)
        ) AS sound
    FROM finding_counts"""


def tally_of(row: Row) -> tuple[int, Tally]:
    """The run, and how many findings of a kind it has."""
    kind = row.text("kind")
    if not row.flag("sound"):
        raise Damage(f"finding_counts holds no numbers, or none that can be, of {_shown(kind)}")
    low, high, causes = (int(row.seconds(name)) for name in ("low", "high", "causes"))
    if max(high, causes) >= MAX_EXACT:
        raise Damage(f"finding_counts holds numbers of {_shown(kind)} that cannot be")
    return row.integer("run_id", -MAX_INTEGER - 1), Tally(kind, low, high, causes, row.flag("exhausted"))


class GroupRow(NamedTuple):
    """A group of findings, and one of these."""

    id: int
    kind: str
    severity: Severity
    certainty: Certainty
    fingerprint: str | None
    findings: int
    locations: int
    example: int
    location: int | None


def group_of(row: Row, locations: Collection[int]) -> GroupRow:
    return GroupRow(
        id=row.integer("id", -MAX_INTEGER - 1),
        kind=row.text("kind"),
        severity=row.member("severity", Severity),
        certainty=row.member("certainty", Certainty),
        fingerprint=row.text_or_none("fingerprint"),
        findings=row.integer("findings"),
        locations=row.integer("locations"),
        example=row.integer("example", -MAX_INTEGER - 1),
        location=row.reference_or_none("location_id", locations, "location"),
    )


def _unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
