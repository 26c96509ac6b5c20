"""Tiny random programs that remember what is out of date in some of their interleavings."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_resets import check


def test_what_can_be_out_of_date_is_found_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(7), 80)
    assert found > 10
    assert differences == []
