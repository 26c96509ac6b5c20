"""What is told as possible in tiny random programs, against all their interleavings."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.exhaustive import check


def test_what_some_interleaving_does_is_possible_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(11), 100)
    assert differences == []
    assert found > 30
