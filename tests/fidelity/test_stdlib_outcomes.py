"""A part of what `python tests/fidelity/stdlib_outcomes.py` runs as a whole."""

import pytest

from tests.fidelity.stdlib_outcomes import compare


@pytest.mark.slow
@pytest.mark.parametrize("module", ["test_contextlib", "test_coroutines", "test_dict", "test_json", "test_queue"])
def test_a_module_of_cpythons_own_tests_has_the_same_outcomes(module: str) -> None:
    comparison = compare(module)
    assert comparison.tests > 50
    assert comparison.unknown() == {}
    assert comparison.unwoven == []
