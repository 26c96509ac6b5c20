"""Gold files: what the reports are expected to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

GOLD = Path(__file__).parent.parent / "gold"
ACTUAL = Path(__file__).parent.parent / "actual"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-gold", action="store_true", help="write the gold files anew: pytest tests/report")


@pytest.fixture
def check_gold(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Compares a text to the gold file of that name; what differs is kept in tests/actual."""

    def check(name: str, text: str) -> None:
        gold, actual = GOLD / name, ACTUAL / name
        if pytestconfig.getoption("rewrite_gold", default=False):
            gold.parent.mkdir(exist_ok=True)
            gold.write_text(text, encoding="utf-8", newline="\n")
        expected = gold.read_text(encoding="utf-8") if gold.exists() else None
        if text == expected:
            actual.unlink(missing_ok=True)
            return
        actual.parent.mkdir(exist_ok=True)
        actual.write_text(text, encoding="utf-8", newline="\n")
        assert text == expected, f"{actual} is not as {gold}; if it should be: pytest tests/report --rewrite-gold"

    return check
