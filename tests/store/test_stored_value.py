"""Values in and out of SQLite."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.store.stored_value import from_sql, to_sql
from opcodetrace.trace.event import ABSENT, Opaque, Value

CONNECTION = sqlite3.connect(":memory:", check_same_thread=False)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.binary(),
    st.just(ABSENT),
    st.builds(Opaque, st.text(min_size=1), st.integers(0, (1 << 64) - 1)),
    st.builds(Opaque, st.just("f.<locals>.A"), st.none() | st.integers(0), st.text(), st.booleans()),
)


def through_sqlite(value: Value) -> Value:
    stored, stored_type = CONNECTION.execute("SELECT ?, ?", to_sql(value)).fetchone()
    return from_sql(stored, stored_type)


@given(VALUES)
def test_round_trip(value: Value) -> None:
    found = through_sqlite(value)
    assert (repr(found), type(found)) == (repr(value), type(value))


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 20_000, -(1 << 20_000)], ids="abcd")
def test_integers_beyond_64_bits(value: int) -> None:
    assert through_sqlite(value) == value


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        (None, ("None", "NoneType")),
        (True, ("True", "bool")),
        (Opaque("Account", 127), ("<Account #127>", "object")),
        (Opaque("Account", None), ("<Account>", "object")),
        (Opaque("Color", 3, "Color.RED"), ("<Color #3> = Color.RED", "object")),
        (Opaque("list", 4, "[1, 2]", True), ("<list #4> once [1, 2]", "object")),
        (ABSENT, (None, None)),
        ("None", ("None", None)),
        (1 << 64, ("18446744073709551616", "int")),
    ],
)
def test_people_can_read_it(value: Value, columns: tuple[str | None, str | None]) -> None:
    assert to_sql(value) == columns


def test_an_object_of_before_objects_were_numbered() -> None:
    assert from_sql("<bank.Account at 0x7f>", "object") == Opaque("bank.Account", 0x7F)
