"""Random programs of which it is known what two reads for one purpose returned, or could have."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_reads import check


def test_what_nothing_guards_is_found_and_nothing_else(tmp_path: Path) -> None:
    found, differences = check(tmp_path, random.Random(7), 80)
    assert found > 10
    assert differences == []
