"""Tiny random programs that act by how much is in a container, in vain in some of their interleavings."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_sizes import check


def test_what_may_be_done_in_vain_is_found_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(7), 80)
    assert found > 10
    assert differences == []
