"""Two threads that each checked what the other one then wrote; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, all_told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

KIND = "write skew"
# Both check, then both act; nothing that is recorded makes them.
PROGRAM = """
class Span: lower, upper = 0, 10
ward, span, here, lock, seen = Box(), Span(), {}, Lock(), []
ward.alice = ward.bob = True
ward.mode, ward.kind = "day", "plain"
here["a"] = here["b"] = True
span.lower, span.upper = 0, 10
def met():
    one.give(); other.wait()
def leave(name, between=None):
    rest = "b" if name == "a" else "a"
    if here[rest]:
        if between: between()
        here[name] = False
def first():
    FIRST
def second():
    one.wait()
    SECOND
    other.give()
run(first, second)
"""
FOUND = {
    "two flags": (
        "if ward.bob:\n    met()\n    ward.alice = False",
        "if ward.alice: ward.bob = False",
        "ward.bob",
    ),
    "an early end": (
        "if not ward.bob: return\nmet()\nward.alice = False",
        "if ward.alice: ward.bob = False",
        "ward.bob",
    ),
    "items": ("leave('a', met)", "leave('b')", "here['b']"),
    "constants": (
        "if ward.mode == 'day':\n    met()\n    ward.kind = 'fancy'",
        "if ward.kind == 'plain': ward.mode = 'night'",
        "ward.mode",
    ),
    "of several conditions": (
        "if ward.bob and ward.mode == 'day':\n    met()\n    ward.alice = False",
        "if ward.alice: ward.bob = False",
        "ward.bob",
    ),
    "what is there": (
        "del here['a'], here['b']\nif 'a' not in here:\n    met()\n    here['b'] = 1",
        "if 'b' not in here: here['a'] = 1",
        "here['a']",
    ),
    "limits": (
        "def lower(value):\n    if value <= span.upper:\n        met()\n        span.lower = value\nlower(5)",
        "def upper(value):\n    if value >= span.lower: span.upper = value\nupper(4)",
        "span.upper",
    ),
    "each under a lock of its own": (
        "with Lock():\n    if ward.bob:\n        met()\n        ward.alice = False",
        "with lock:\n    if ward.alice: ward.bob = False",
        "ward.bob",
    ),
}
SILENT = {
    "one after the other": (
        "if ward.bob: ward.alice = False\nmet()",
        "if ward.alice: ward.bob = False",
    ),
    "of which one goes on": (
        "if ward.bob:\n    met()\n    ward.alice = False",
        "if not ward.alice: ward.bob = False",
    ),
    "one that does not check": ("if ward.bob:\n    met()\n    ward.alice = False", "ward.bob = False"),
    "limits that both hold": (
        "def lower(value):\n    if value <= span.upper:\n        met()\n        span.lower = value\nlower(3)",
        "def upper(value):\n    if value >= span.lower: span.upper = value\nupper(4)",
    ),
    "looked at again": (
        "if ward.bob:\n    met()\n    ward.alice = False\n    if not ward.bob: ward.alice = True",
        "if ward.alice: ward.bob = False",
    ),
    "the other one looks again": (
        "if ward.bob:\n    met()\n    ward.alice = False",
        "if ward.alice:\n    ward.bob = False\n    if not ward.alice: ward.bob = True",
    ),
    "what is true all the same": (
        "if ward.bob:\n    met()\n    ward.alice = False",
        "if ward.alice: ward.bob = 2",
    ),
    "taken back": (
        "if ward.bob:\n    met()\n    ward.alice = False",
        "if ward.alice:\n    ward.bob = False\n    ward.bob = True",
    ),
    "read, not checked": (
        "seen.append(ward.bob)\nmet()\nward.alice = False",
        "if ward.alice: ward.bob = False",
    ),
    "another object": (
        "own = Box()\nown.bob = True\nif own.bob:\n    met()\n    ward.alice = False",
        "if ward.alice: ward.bob = False",
    ),
    "decided before": (
        "is_there = ward.bob\nmet()\nwhile is_there:\n    ward.alice = is_there = False",
        "if ward.alice: ward.bob = False",
    ),
    "waited for": (
        "if ward.bob:\n    one.give(); done.wait()\n    ward.alice = False\nother.wait()",
        "if ward.alice: ward.bob = False\ndone.set()",
    ),
}
# Of which one finds that the other has been there; run freely.
ONE_LOCK = """
ward, lock = Box(), Lock()
ward.alice = ward.bob = True
def alice():
    with lock:
        if ward.bob:
            slowly()
            ward.alice = False
def bob():
    with lock:
        if ward.alice:
            slowly()
            ward.bob = False
run(alice, bob)
assert ward.alice or ward.bob
"""


def program(first: str, second: str) -> str:
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
    return PRELUDE + text.replace("def met", "done = Event()\ndef met")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    programs["silent: one lock"] = PRELUDE + ONE_LOCK
    return all_told_of(programs, folder, "--exclude", "signals")


def of_kind(told: Told) -> list[tuple[object, ...]]:
    return [finding for finding in told.findings if finding[0] == KIND]


@pytest.mark.parametrize("name", FOUND)
def test_both_acted(name: str, told: dict[str, Told]) -> None:
    assert of_kind(told[f"found: {name}"]) == [(KIND, "happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", [*SILENT, "one lock"])
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert of_kind(told[f"silent: {name}"]) == []
