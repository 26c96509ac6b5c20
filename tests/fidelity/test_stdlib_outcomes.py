"""A part of what `python tests/fidelity/stdlib_outcomes.py` runs as a whole."""

import pytest

from tests.fidelity.stdlib_outcomes import compare


@pytest.mark.slow
def test_cpythons_own_tests_have_the_same_outcomes() -> None:
    comparison = compare("test_contextlib", "test_coroutines", "test_dataclasses", "test_descr", "test_json")
    assert comparison.tests > 500
    assert comparison.unknown() == {}
    assert comparison.unwoven == []
