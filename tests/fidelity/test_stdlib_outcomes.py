"""A part of what `python tests/fidelity/stdlib_outcomes.py` runs as a whole."""

import pytest

from tests.fidelity.stdlib_outcomes import compare


@pytest.mark.slow
def test_cpythons_own_tests_have_the_same_outcomes() -> None:
    comparison = compare("test_contextlib", "test_coroutines", "test_dataclasses", "test_descr", "test_json")
    assert comparison.passed > 500
    assert comparison.records > 1_000_000
    assert comparison.unknown() == {}
    assert comparison.unwoven == []


@pytest.mark.slow
def test_those_of_what_threads_wait_by_too() -> None:
    comparison = compare("test_queue", "test_thread", way="described")
    assert comparison.passed > 70
    assert comparison.records > 100_000
    assert comparison.unknown() == {}


def test_a_module_that_cannot_be_run_is_no_agreement() -> None:
    comparison = compare("test_of_nothing")
    assert comparison.differences == {}
    assert comparison.passed == 0
    assert comparison.incomparable != []
