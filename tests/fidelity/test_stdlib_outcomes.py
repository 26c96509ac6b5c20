"""A part of what `python tests/fidelity/stdlib_outcomes.py` runs as a whole."""

import pytest

from tests.fidelity import stdlib_outcomes
from tests.fidelity.stdlib_outcomes import compare


@pytest.mark.library
def test_cpythons_own_tests_have_the_same_outcomes() -> None:
    comparison = compare("test_contextlib", "test_descr")
    assert comparison.passed > 200
    assert comparison.records > 50_000
    assert comparison.unknown() == {}
    assert comparison.unwoven == []


@pytest.mark.library
def test_those_of_what_threads_wait_by_too() -> None:
    comparison = compare("test_sched", "test_thread", way="described")
    assert comparison.passed > 30
    assert comparison.records > 1_000  # how many depends on how long threads wait
    assert comparison.unknown() == {}


def test_a_module_that_cannot_be_run_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdlib_outcomes, "TRIES", 1)
    comparison = compare("test_of_nothing", way="plain")
    assert comparison.differences == {}
    assert comparison.passed == 0
    assert comparison.incomparable != []
