"""Random programs whose stale checks and failed accesses are known."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_checks import check


def test_what_was_true_no_longer_is_found_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(5), 150)
    assert found > 10
    assert differences == []
