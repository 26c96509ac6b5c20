"""What is told of the programs by which papers and books tell what is wrong, and of their right twins."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of
from tests.truth.published_shapes import PRELUDE, RIGHT, SIGNALS, WRONG, Right, Wrong


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {name: PRELUDE + each.text for name, each in WRONG.items()}
    programs |= {name: PRELUDE + each.text for name, each in RIGHT.items()}
    assert len(programs) == len(WRONG) + len(RIGHT)
    return all_told_of(programs, folder, "--exclude", "signals")


def marked(shapes: Mapping[str, Wrong] | Mapping[str, Right]) -> list[object]:
    return [
        pytest.param(name, marks=[pytest.mark.xfail(reason=each.short, strict=True)] if each.short else [])
        for name, each in shapes.items()
    ]


def findings(told: Told) -> set[tuple[object, ...]]:
    """Kind, severity, label."""
    return {(kind, severity, label) for kind, severity, _, label in told.findings}


@pytest.mark.parametrize("name", marked(WRONG))
def test_what_is_wrong_is_found(name: str, told: dict[str, Told]) -> None:
    if WRONG[name].short:
        assert findings(told[name])
    else:
        assert findings(told[name]) == {
            (kind, "possible" if FREE_THREADED and severity == "gil-only" else severity, label)
            for kind, severity, label in WRONG[name].found
        }


@pytest.mark.parametrize("name", marked(RIGHT))
def test_nothing_is_found_in_what_is_right(name: str, told: dict[str, Told]) -> None:
    assert findings(told[name]) == set()
