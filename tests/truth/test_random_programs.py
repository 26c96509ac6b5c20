"""Random programs whose lost updates are known."""

from __future__ import annotations

import random
from pathlib import Path

from tests.truth.random_programs import ALL_FORMS, build, check


def test_what_is_lost_is_found_and_nothing_else(tmp_path: Path) -> None:
    choose = random.Random(21)
    programs = [build(number, choose) for number in range(40)]
    assert {form for program in programs for forms in program.forms.values() for form in forms} == ALL_FORMS.keys()
    assert sum(len(lost) for program in programs for lost in program.lost.values()) > 30
    assert check(tmp_path, programs) == []
