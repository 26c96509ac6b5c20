"""From records to a Trace."""

from __future__ import annotations

import math
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.errors import SpoolError
from opcodetrace.ingest import row_hash
from opcodetrace.ingest.ingest import ingest
from opcodetrace.spool import records as window_module
from opcodetrace.spool.layout import HeaderFlag, RecordFlag, RecordKind, SwitchFlag, Tag
from opcodetrace.trace.event import ABSENT, EventKind, Opaque, Value
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace, Truncation
from opcodetrace.trace.site import Code, SourceFile, SwitchPoint
from opcodetrace.trace.switch import Reason
from tests.traces import make_code, make_site
from tests.windows import ABSENT as NOTHING
from tests.windows import (
    NAME,
    WindowBuilder,
    Word,
    integer,
    real,
    thing,
)

SOURCE = b"""\
counter[0] += 1
account.balance += 1
hits += 1
total += 1
row[1:2] = row[1:2]
self.balance = self.balance
votes[Color.RED] += 1
"""
FILE = SourceFile(0, "/home/me/bank.py", "bank", SOURCE)
LOAD_ITEM, STORE_ITEM, LOAD_ATTR, STORE_ATTR, LOAD_GLOBAL, STORE_GLOBAL, LOAD_CELL, STORE_CELL = range(8)
LOAD_SLICE, STORE_SLICE, STORE_SELF, STORE_NAME, ADD, ENTER, DEFINE, OTHER_ENTER = range(8, 16)
CODES = [
    make_code(
        make_site(LOAD_ITEM, "LOAD_SUBSCR", line=1, columns=(0, 10)),
        make_site(STORE_ITEM, "STORE_SUBSCR", line=1, columns=(0, 10)),
        make_site(LOAD_ATTR, "LOAD_ATTR", line=2, columns=(0, 15), name="balance"),
        make_site(STORE_ATTR, "STORE_ATTR", line=2, columns=(0, 15), name="balance"),
        make_site(LOAD_GLOBAL, "LOAD_GLOBAL", line=3, columns=(0, 4), name="hits"),
        make_site(STORE_GLOBAL, "STORE_GLOBAL", line=3, columns=(0, 4), name="hits"),
        make_site(LOAD_CELL, "LOAD_DEREF", line=4, columns=(0, 5), name="total"),
        make_site(STORE_CELL, "STORE_DEREF", line=4, columns=(0, 5), name="total"),
        make_site(LOAD_SLICE, "LOAD_SLICE", line=5, columns=(11, 19)),
        make_site(STORE_SLICE, "STORE_SLICE", line=5, columns=(0, 8)),
        make_site(STORE_SELF, "STORE_ATTR", line=6, columns=(0, 12), name="balance"),
        make_site(STORE_NAME, "STORE_NAME", line=3, columns=(0, 4), name="hits"),
        make_site(ADD, "BINARY_ADD", line=1, columns=(0, 15)),
        make_site(ENTER, "ENTER", line=1),
        make_site(DEFINE, "DEFINE", line=1),
        points=(SwitchPoint(24, 10, "CALL", 1, 1, 0, 10, True), SwitchPoint(2, 0, "RESUME", 1, 1, 0, 0, True)),
    ),
    make_code(make_site(OTHER_ENTER, "ENTER", line=9), number=1, function="other"),
]
LIST, ACCOUNT, DICT = 1, 2, 3
ADDRESS = 0x7F00_0000_1000


@pytest.fixture
def window() -> WindowBuilder:
    builder = WindowBuilder()
    builder.type(LIST, "builtins.list")
    builder.type(ACCOUNT, "bank.Account")
    builder.type(DICT, "builtins.dict")
    return builder


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "window"


@pytest.fixture(autouse=True, params=[3, window_module.CHUNK], ids=["small chunks", "one chunk"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds wherever the pieces in which records are read begin."""
    monkeypatch.setattr(window_module, "CHUNK", request.param)


def read(window: WindowBuilder, path: pathlib.Path, *, keep_all: bool = False, codes: list[Code] = CODES) -> Trace:
    return ingest(window.save(path), [FILE], codes, keep_all=keep_all)


def share(window: WindowBuilder, container: int, key: Word, *, load: int = LOAD_ITEM, store: int = STORE_ITEM) -> None:
    """Two threads touch the location, one writes it."""
    window.read(load, 0, container, key, integer(0))
    window.write(store, 1, container, key, integer(1))


class TestWhatIsKept:
    def test_the_accesses_that_two_threads_share(self, window: WindowBuilder, path: pathlib.Path) -> None:
        # GIVEN a list of which one item is shared, one is private and one is never written
        counter = thing(LIST, ADDRESS)
        first = window.read(LOAD_ITEM, 0, counter, integer(0), integer(7))
        second = window.write(STORE_ITEM, 1, counter, integer(0), integer(8), before=2)
        window.read(LOAD_ITEM, 0, counter, integer(1), integer(7))
        window.write(STORE_ITEM, 0, counter, integer(1), integer(8))
        window.read(LOAD_ITEM, 0, counter, integer(2), integer(7))
        window.read(LOAD_ITEM, 1, counter, integer(2), integer(7))
        # WHEN it is read
        trace = read(window, path)
        # THEN only the shared one is kept, the others are counted
        assert [(event.seq, event.earliest, event.thread, event.kind, event.value) for event in trace.events] == [
            (first, first, 0, EventKind.READ, 7),
            (second, second - 2, 1, EventKind.WRITE, 8),
        ]
        assert (trace.accesses, trace.stored, trace.records) == (6, 2, window.seq)
        ((number, location),) = trace.locations.items()
        assert {event.location for event in trace.events} == {number} == {location.id}
        assert (location.kind, location.container_type, location.key) == (LocationKind.ITEM, "list", 0)
        assert (location.reads, location.writes, location.threads, location.certain) == (1, 1, 2, True)

    def test_a_deletion_is_a_write(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.access(RecordKind.DELETE, STORE_ITEM, 0, thing(LIST, ADDRESS), integer(0))
        window.read(LOAD_ITEM, 1, thing(LIST, ADDRESS), integer(0))
        trace = read(window, path)
        assert [event.kind for event in trace.events] == [EventKind.DELETE, EventKind.READ]
        assert trace.events[0].value is ABSENT

    def test_everything_on_demand(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0))
        window.add(RecordKind.ENTER, site=OTHER_ENTER)
        assert [event.kind for event in read(window, path).events] == []
        assert [event.kind for event in read(window, path, keep_all=True).events] == [EventKind.READ, EventKind.ENTER]

    def test_markers_of_functions_that_write(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.add(RecordKind.ENTER, site=ENTER, frame=5)
        window.add(RecordKind.ENTER, site=OTHER_ENTER, frame=6)
        share(window, thing(LIST, ADDRESS), integer(0))
        tags = Tag.INT << 4
        window.add(RecordKind.COMPUTE, site=ADD, value=3, tags=tags, frame=5)
        window.add(RecordKind.DEFINE, site=DEFINE, frame=5)
        events = read(window, path).events
        kinds = [EventKind.ENTER, EventKind.READ, EventKind.WRITE, EventKind.COMPUTE, EventKind.DEFINE]
        assert [event.kind for event in events] == kinds
        assert [event.location for event in events if event.kind > EventKind.DELETE] == [-1, -1, -1]
        assert events[3].value == 3
        assert len({event.frame for event in events}) == 2

    def test_records_of_unknown_sites_are_left_out_and_noted(self, window: WindowBuilder, path: pathlib.Path) -> None:
        share(window, thing(LIST, ADDRESS), integer(0), load=99, store=1000)
        trace = read(window, path)
        assert not trace.events
        assert trace.accesses == 2
        assert "2 accesses left out" in trace.notes[0]

    def test_an_empty_window(self, path: pathlib.Path) -> None:
        trace = ingest(WindowBuilder().save(path), [], [])
        assert (len(trace.events), trace.threads, trace.records, trace.truncated) == (0, [], 0, None)


class TestHoles:
    def test_are_counted_and_skipped(self, window: WindowBuilder, path: pathlib.Path) -> None:
        share(window, thing(LIST, ADDRESS), integer(0))
        window.hole()
        window.records[-1] = window.records[-2][:4] + window.records[-1][4:]  # of an earlier round of the segment
        share(window, thing(LIST, ADDRESS), integer(0))
        trace = read(window, path)
        assert trace.holes == 1
        assert len(trace.events) == 4

    def test_what_was_never_reached_is_no_hole(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.stop_seq = window.seq
        share(window, thing(LIST, ADDRESS), integer(0))
        trace = read(window, path)
        assert (trace.records, trace.holes, len(trace.events)) == (window.stop_seq, 0, 0)


class TestTruncation:
    @pytest.mark.parametrize(
        ("limit", "max_records", "disk_full", "reason"),
        [
            (50, 50, False, Truncation.LIMIT),
            (50, None, True, Truncation.DISK),
            (50, 60, False, Truncation.WINDOW),
        ],
    )
    def test_reason(
        self,
        window: WindowBuilder,
        path: pathlib.Path,
        limit: int,
        max_records: int | None,
        disk_full: bool,
        reason: Truncation,
    ) -> None:
        window.limit = window.stop_seq = limit
        window.disk_full = disk_full
        trace = ingest(window.save(path), [], [], max_records=max_records)
        assert (trace.truncated, trace.truncated_seq) == (reason, limit)

    def test_none_where_it_did_not_stop(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.disk_full = True
        trace = ingest(window.save(path), [], [])
        assert (trace.truncated, trace.truncated_seq) == (None, None)


class TestValues:
    def kept_value(self, window: WindowBuilder, path: pathlib.Path, value: Word) -> Value:
        window.write(STORE_ITEM, 0, thing(LIST, ADDRESS), integer(0), value)
        window.read(LOAD_ITEM, 1, thing(LIST, ADDRESS), integer(0), integer(5))
        return read(window, path).events[0].value

    @given(number=st.integers(-(1 << 63), (1 << 63) - 1))
    def test_integers(self, tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
        path = tmp_path_factory.getbasetemp() / "integers"
        assert self.kept_value(WindowBuilder(), path, integer(number)) == number

    @given(number=st.floats())
    def test_floats(self, tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
        found = self.kept_value(WindowBuilder(), tmp_path_factory.getbasetemp() / "floats", real(number))
        assert isinstance(found, float)
        assert (math.isnan(found) and math.isnan(number)) or (found, math.copysign(1, found)) == (
            number,
            math.copysign(1, number),
        )

    @given(text=st.text(st.characters(), max_size=32))
    def test_texts(self, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
        window = WindowBuilder()
        assert self.kept_value(window, tmp_path_factory.getbasetemp() / "texts", window.string(text)) == text

    @given(data=st.binary(max_size=128))
    def test_bytes(self, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
        window = WindowBuilder()
        value = (Tag.BYTES, window.text(data))
        assert self.kept_value(window, tmp_path_factory.getbasetemp() / "bytes", value) == data

    @pytest.mark.parametrize(
        ("word", "value"),
        [
            (NOTHING, ABSENT),
            ((Tag.NONE, 0), None),
            ((Tag.FALSE, 0), False),
            ((Tag.TRUE, 0), True),
            ((Tag.OBJECT, thing(ACCOUNT, 0xABC)), Opaque("bank.Account", 1)),
            ((Tag.OBJECT, thing(77, 0xABC)), Opaque("object", 1)),
            ((Tag.STR, 12345), ABSENT),
        ],
    )
    def test_others(self, window: WindowBuilder, path: pathlib.Path, word: Word, value: Value) -> None:
        found = self.kept_value(window, path, word)
        assert (found, type(found)) == (value, type(value))

    def test_a_text_that_lacks_a_piece_is_absent(self, window: WindowBuilder, path: pathlib.Path) -> None:
        word = window.string("x" * 40)
        del window.records[-1]
        assert self.kept_value(window, path, word) is ABSENT

    def test_types_of_the_script_and_built_in_ones_go_by_their_bare_name(
        self, window: WindowBuilder, path: pathlib.Path
    ) -> None:
        window.type(9, "__main__.Account")
        assert self.kept_value(window, path, (Tag.OBJECT, thing(9, 1))) == Opaque("Account", 1)


class TestIdentity:
    def labels(self, trace: Trace) -> list[str]:
        return [location.label for location in trace.locations.values()]

    def test_the_same_text_under_two_ids_is_one_key(self, window: WindowBuilder, path: pathlib.Path) -> None:
        one, other = window.string("a"), window.string("a")
        window.write(STORE_ITEM, 0, thing(DICT, ADDRESS), one)
        window.read(LOAD_ITEM, 1, thing(DICT, ADDRESS), other)
        assert self.labels(read(window, path)) == ["counter['a']"]

    def test_a_text_and_its_bytes_are_two_keys(self, window: WindowBuilder, path: pathlib.Path) -> None:
        text, data = window.string("a"), window.text(b"a")
        window.write(STORE_ITEM, 0, thing(DICT, ADDRESS), text)
        window.read(LOAD_ITEM, 1, thing(DICT, ADDRESS), (Tag.BYTES, data))
        assert self.labels(read(window, path)) == []

    def test_an_item_is_no_attribute(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.write(STORE_ITEM, 0, thing(DICT, ADDRESS), window.string("balance"))
        window.read(LOAD_ATTR, 1, thing(DICT, ADDRESS), NAME)
        assert self.labels(read(window, path)) == []

    def test_an_object_born_at_the_address_is_another_container(
        self, window: WindowBuilder, path: pathlib.Path
    ) -> None:
        counter = thing(LIST, ADDRESS)
        window.write(STORE_ITEM, 0, counter, integer(0))
        window.birth(ADDRESS + 64)
        window.birth(ADDRESS)
        window.read(LOAD_ITEM, 1, counter, integer(0))
        assert self.labels(read(window, path)) == []

        window.write(STORE_ITEM, 0, counter, integer(0))
        assert self.labels(read(window, path)) == ["counter[0]"]
        window.birth(ADDRESS)
        share(window, counter, integer(0))
        trace = read(window, path)
        assert self.labels(trace) == ["counter[0] (list #1)", "counter[0] (list #2)"]
        assert [(each.reads, each.writes) for each in trace.locations.values()] == [(1, 1), (1, 1)]

    def test_generations_do_not_wrap(self, window: WindowBuilder, path: pathlib.Path) -> None:
        counter = thing(LIST, ADDRESS)
        window.write(STORE_ITEM, 0, counter, integer(0))
        for _ in range(1 << 16):
            window.birth(ADDRESS)
        window.read(LOAD_ITEM, 1, counter, integer(0))
        assert self.labels(read(window, path)) == []

    def values(self, window: WindowBuilder, path: pathlib.Path) -> list[int | None]:
        values = [event.value for event in read(window, path).events]
        return [value.identity if isinstance(value, Opaque) else None for value in values]

    def test_a_value_born_at_the_address_is_another_object(self, window: WindowBuilder, path: pathlib.Path) -> None:
        value = (Tag.OBJECT, thing(ACCOUNT, 0x10))
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), value)
        window.birth(0x20)
        window.write(STORE_ITEM, 1, thing(LIST, ADDRESS), integer(0), value)
        window.birth(0x10)
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), value)
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), (Tag.OBJECT, thing(ACCOUNT, 0x30)))
        assert self.values(window, path) == [1, 1, 2, 3]

    def test_what_a_write_began_with_may_be_gone_when_it_ends(self, window: WindowBuilder, path: pathlib.Path) -> None:
        value = (Tag.OBJECT, thing(ACCOUNT, 0x10))
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), value)
        window.birth(0x10)
        window.write(STORE_ITEM, 1, thing(LIST, ADDRESS), integer(0), value, before=1)
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), value, before=1)
        assert self.values(window, path) == [1, 1, 2]

    def test_without_births_it_is_unknown_which_object_a_value_is(
        self, window: WindowBuilder, path: pathlib.Path
    ) -> None:
        window.flags = HeaderFlag.ATTACHED
        value = (Tag.OBJECT, thing(ACCOUNT, 0x10))
        window.write(STORE_ITEM, 1, thing(LIST, ADDRESS), integer(0), value)
        window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0), value)
        assert [event.value for event in read(window, path).events] == [Opaque("bank.Account", None)] * 2

    def test_the_container_s_type_does_not_matter(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.write(STORE_ATTR, 0, thing(ACCOUNT, ADDRESS), NAME)
        window.read(LOAD_ATTR, 1, thing(LIST, ADDRESS), NAME)  # its __class__ was assigned
        assert self.labels(read(window, path)) == ["account.balance"]

    def test_without_births_nothing_is_certain(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.flags = HeaderFlag.ATTACHED
        share(window, thing(LIST, ADDRESS), integer(0))
        trace = read(window, path)
        assert not trace.births
        assert [location.certain for location in trace.locations.values()] == [False]

    def test_a_key_of_the_program_s_own_equality_is_uncertain(self, window: WindowBuilder, path: pathlib.Path) -> None:
        key = (Tag.OBJECT, thing(ACCOUNT, 0x10))
        window.write(STORE_ITEM, 0, thing(DICT, ADDRESS), key, flags=RecordFlag.UNCERTAIN)
        window.read(LOAD_ITEM, 1, thing(DICT, ADDRESS), key)
        ((_, location),) = read(window, path).locations.items()
        assert (location.certain, location.key) == (False, Opaque("bank.Account", 1))
        assert location.label == "counter[<Account #1>]"

    def test_an_object_born_at_the_address_is_another_key(self, window: WindowBuilder, path: pathlib.Path) -> None:
        key = (Tag.OBJECT, thing(ACCOUNT, 0x10))
        share(window, thing(DICT, ADDRESS), key)
        window.birth(0x10)
        share(window, thing(DICT, ADDRESS), key)
        trace = read(window, path)
        assert self.labels(trace) == ["counter[<Account #1>]", "counter[<Account #2>]"]
        assert [each.certain for each in trace.locations.values()] == [True, True]

    def test_keys_that_the_probe_could_not_tell_are_uncertain(self, window: WindowBuilder, path: pathlib.Path) -> None:
        share(window, thing(DICT, ADDRESS), NOTHING)
        assert [each.certain for each in read(window, path).locations.values()] == [False]

    def test_a_module_s_attribute_is_its_global(self, window: WindowBuilder, path: pathlib.Path) -> None:
        codes = [make_code(*CODES[0].sites, make_site(20, "LOAD_ATTR", line=3, name="hits"))]
        namespace = thing(DICT, ADDRESS)
        window.write(STORE_GLOBAL, 0, namespace, NAME)
        window.read(20, 1, namespace, NAME, flags=RecordFlag.MODULE)
        window.write(STORE_NAME, 0, namespace, NAME)
        window.read(LOAD_ITEM, 1, namespace, window.string("hits"))
        ((_, location),) = read(window, path, codes=codes).locations.items()
        assert (location.kind, location.label, location.key) == (LocationKind.GLOBAL, "global hits", "hits")
        assert (location.reads, location.writes) == (2, 2)

    def test_numbering_survives_collisions_of_the_hash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = np.array([7, 5, 7, 9], np.uint64)
        calls: list[int] = []
        mixed = row_hash.mixed_hash

        def colliding(columns: tuple[row_hash.Array, ...], salt: int) -> row_hash.Array:
            calls.append(salt)
            return mixed(columns, salt) if len(calls) > 1 else np.zeros(4, np.uint64)

        monkeypatch.setattr(row_hash, "mixed_hash", colliding)
        numbers, first = row_hash.numbered((rows,))
        assert (numbers.tolist(), first.tolist(), len(calls)) == ([0, 1, 0, 2], [0, 1, 3], 2)


class TestLabels:
    @pytest.mark.parametrize(
        ("load", "store", "key", "label"),
        [
            (LOAD_ITEM, STORE_ITEM, integer(-1), "counter[-1]"),
            (LOAD_ITEM, STORE_ITEM, (Tag.NONE, 0), "counter[None]"),
            (LOAD_ITEM, STORE_ITEM, real(0.5), "counter[0.5]"),
            (LOAD_ATTR, STORE_ATTR, NAME, "account.balance"),
            (LOAD_ATTR, STORE_SELF, NAME, "self.balance"),
            (LOAD_GLOBAL, STORE_GLOBAL, NAME, "global hits"),
            (LOAD_CELL, STORE_CELL, NAME, "cell total"),
            (LOAD_SLICE, STORE_SLICE, (Tag.SLICE, 2 << 32 | 1), "row[1:2]"),
        ],
    )
    def test_as_the_source_writes_it(
        self, window: WindowBuilder, path: pathlib.Path, load: int, store: int, key: Word, label: str
    ) -> None:
        share(window, thing(LIST, ADDRESS), key, load=load, store=store)
        assert [location.label for location in read(window, path).locations.values()] == [label]

    def test_a_member_of_a_class_goes_by_its_name(self, window: WindowBuilder, path: pathlib.Path) -> None:
        codes = [make_code(make_site(0, "LOAD_SUBSCR"), make_site(1, "STORE_SUBSCR", line=7, columns=(0, 16)))]
        share(window, thing(DICT, ADDRESS), (Tag.OBJECT, thing(ACCOUNT, 0x10)))
        (location,) = read(window, path, codes=codes).locations.values()
        assert location.label == "votes[Color.RED]"

    def test_what_writes_use_most_wins(self, window: WindowBuilder, path: pathlib.Path) -> None:
        account = thing(ACCOUNT, ADDRESS)
        for _ in range(5):
            window.read(LOAD_ATTR, 0, account, NAME)
        window.write(STORE_ATTR, 1, account, NAME)
        for _ in range(2):
            window.write(STORE_SELF, 1, account, NAME)
        assert [location.label for location in read(window, path).locations.values()] == ["self.balance"]

    def test_containers_are_told_apart(self, window: WindowBuilder, path: pathlib.Path) -> None:
        for address in (0x300, 0x100, 0x200):
            share(window, thing(ACCOUNT, address), NAME, load=LOAD_ATTR, store=STORE_SELF)
        labels = [location.label for location in read(window, path).locations.values()]
        assert labels == [f"self.balance (Account #{number})" for number in (1, 2, 3)]

    def test_globals_are_told_apart_by_their_module(self, window: WindowBuilder, path: pathlib.Path) -> None:
        other = make_code(make_site(30, "STORE_GLOBAL", name="hits"), number=5, file=1)
        for store, address in ((STORE_GLOBAL, 0x100), (30, 0x200)):
            share(window, thing(DICT, address), NAME, load=store, store=store)
        files = [FILE, SourceFile(1, "/home/me/shop.py", "shop", b"")]
        trace = ingest(window.save(path), files, [*CODES, other])
        assert [each.label for each in trace.locations.values()] == ["global hits (bank)", "global hits (shop)"]

    def test_where_the_source_is_unknown_the_type_stands_in(self, window: WindowBuilder, path: pathlib.Path) -> None:
        share(window, thing(LIST, ADDRESS), integer(3))
        trace = ingest(window.save(path), [], CODES)
        assert [each.label for each in trace.locations.values()] == ["<list>[3]"]


class TestThreads:
    def test_names_numbers_and_lifetimes(self, window: WindowBuilder, path: pathlib.Path) -> None:
        main = window.thread(0, "MainThread", ident=0xFFFF_0000_0000_0000, native_id=41)
        worker = window.thread(1, None, ident=8, native_id=42)
        last = window.read(LOAD_ITEM, 1, thing(LIST, ADDRESS), integer(0))
        end = window.read(LOAD_ITEM, 0, thing(LIST, ADDRESS), integer(0))
        window.ended.add(1)
        first, second = read(window, path).threads
        assert (first.thread, first.name, first.ident, first.native_id) == (0, "MainThread", 0xFFFF_0000_0000_0000, 41)
        assert (first.first_seq, first.last_seq, first.ended) == (main, end, False)
        assert (second.thread, second.name, second.ident, second.native_id) == (1, None, 8, 42)
        assert (second.first_seq, second.last_seq, second.ended) == (worker, last, True)


class TestSwitches:
    @pytest.mark.parametrize(
        ("flags", "offset", "reason"),
        [
            (SwitchFlag.GONE, 24, Reason.ENDED),
            (SwitchFlag.TOP | SwitchFlag.IN_CALL | SwitchFlag.YIELD, 24, Reason.YIELDED),
            (SwitchFlag.TOP | SwitchFlag.IN_CALL, 24, Reason.BLOCKED),
            (SwitchFlag.TOP, 24, Reason.PREEMPTED),
            (SwitchFlag.TOP, 26, None),
            (SwitchFlag(0), 24, None),
        ],
    )
    def test_reason(
        self, window: WindowBuilder, path: pathlib.Path, flags: SwitchFlag, offset: int, reason: Reason | None
    ) -> None:
        window.switch(0, 1, code=0, offset=offset, flags=flags)
        (switch,) = read(window, path).switches
        assert (switch.from_thread, switch.to_thread, switch.reason) == (0, 1, reason)
        assert (switch.place is None) == (reason is Reason.ENDED or offset == 26)

    def test_place_and_callee(self, window: WindowBuilder, path: pathlib.Path) -> None:
        callee = window.string("time.sleep")
        seq = window.switch(2, 0, code=0, offset=24, flags=SwitchFlag.IN_CALL, callee=callee)
        (switch,) = read(window, path).switches
        assert (switch.seq, switch.callee) == (seq, "time.sleep")
        assert switch.place is not None
        assert (switch.place.function, switch.place.opcode, switch.place.offset) == ("work", "CALL", 10)
        assert (switch.place.line, switch.place.expression) == (1, "counter[0]")

    def test_outside_of_woven_code_there_is_no_place(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.switch(0, 1, flags=SwitchFlag.IN_CALL)
        (switch,) = read(window, path).switches
        assert (switch.place, switch.reason) == (None, Reason.BLOCKED)

    def test_none_from_a_thread_to_itself_nor_without_the_gil(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.switch(1, 1)
        assert read(window, path).switches == []
        window.switch(0, 1)
        window.flags |= HeaderFlag.FREE_THREADED
        trace = read(window, path)
        assert (trace.free_threaded, trace.switches) == (True, [])


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"short", bytes(100_000)])
    def test_no_window(self, path: pathlib.Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(SpoolError, match="window"):
            ingest(path, [], [])

    def test_no_file(self, path: pathlib.Path) -> None:
        with pytest.raises(SpoolError, match="No such file"):
            ingest(path, [], [])

    def test_a_later_layout(self, window: WindowBuilder, path: pathlib.Path) -> None:
        window.save(path)
        content = bytearray(path.read_bytes())
        content[8] = 200
        path.write_bytes(content)
        with pytest.raises(SpoolError, match="version 200"):
            ingest(path, [], [])

    def test_a_window_cut_short(self, window: WindowBuilder, path: pathlib.Path) -> None:
        share(window, thing(LIST, ADDRESS), integer(0))
        window.save(path)
        with path.open("r+b") as stream:
            stream.truncate(path.stat().st_size - 48 * 11)
        assert ingest(path, [FILE], CODES).records == window.seq - 1

    @given(data=st.data())
    def test_records_of_any_content_are_read(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        window = WindowBuilder()
        for _ in range(data.draw(st.integers(1, 12))):
            window.add(
                data.draw(st.integers(0, 255)),
                site=data.draw(st.integers(0, 20) | st.integers(0, (1 << 32) - 1)),
                thread=data.draw(st.integers(0, 3) | st.integers(0, 65535)),
                before=data.draw(st.integers(0, 40) | st.integers(0, (1 << 32) - 1)),
                tags=data.draw(st.integers(0, 255)),
                container=data.draw(st.integers(0, 3) | st.integers(0, (1 << 64) - 1)),
                key=data.draw(st.integers(0, 3) | st.integers(0, (1 << 64) - 1)),
                value=data.draw(st.integers(0, 3) | st.integers(0, (1 << 64) - 1)),
            )
        trace = read(window, tmp_path_factory.getbasetemp() / "any", keep_all=data.draw(st.booleans()))
        assert trace.records == window.seq
