"""What a check would find, by its words, is what Python finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.analyse.answers import would_hold
from opcodetrace.trace.event import Opaque

CONSTANTS = st.one_of(st.integers(-2, 2), st.sampled_from(["", "a", "idle", "it's, (so)"]), st.booleans(), st.none())
STATES = ["State.IDLE", "State.BUSY", "State.OVER"]


@given(st.lists(CONSTANTS, min_size=1, max_size=4), CONSTANTS)
def test_one_of_several_constants(constants: list[object], value: int | str | None) -> None:
    words = f"in ({', '.join(map(repr, constants))},)"
    assert would_hold(words, value) is (value in constants)
    assert would_hold(f"not {words}", value) is (value not in constants)


@given(st.booleans(), CONSTANTS)
def test_true_or_false_itself(constant: bool, value: int | str | None) -> None:
    assert would_hold(f"is {constant}", value) is (value is constant)
    assert would_hold(f"not is {constant}", value) is (value is not constant)


@given(st.sets(st.sampled_from(STATES), min_size=1), st.sampled_from(STATES))
def test_one_of_several_members(members: set[str], value: str) -> None:
    words = f"in ({', '.join(sorted(members))},)"
    assert would_hold(words, Opaque("State", None, value)) is (value in members)


def test_what_cannot_be_told() -> None:
    """Another class may have members of these names; an object may be equal to anything."""
    assert would_hold("in (State.IDLE,)", Opaque("Other", None, "Other.IDLE")) is None
    assert would_hold("in (State.IDLE,)", "idle") is None
    assert would_hold("in ('idle',)", Opaque("Mode", None, None)) is None
    assert would_hold("in (", "idle") is None
