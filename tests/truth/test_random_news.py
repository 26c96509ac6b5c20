"""Random programs whose threads read what others wrote, for data only or to decide by it."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_news import check


def test_what_decides_nothing_keeps_nothing_apart_and_all_else_may(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(7), 60)
    assert found > 20
    assert differences == []
