"""Tiny random programs that ask for what was in a copy, in vain in some of their interleavings."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_copies import check


def test_what_may_be_gone_is_found_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(7), 80)
    assert found > 10
    assert differences == []
