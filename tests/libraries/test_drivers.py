"""Headers of drivers, which of them share an environment, and verdicts. What needs an index of packages is no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.trace.finding import Severity
from tests.libraries.__main__ import summary
from tests.libraries.driver import Driver, Expected, Place, WrongHeader, load, parse
from tests.libraries.environments import shared
from tests.libraries.measure import Measured
from tests.libraries.verdict import Told, Verdict, judge

DRIVERS = load()
HEADER = """Two callers make the same object twice.

requires: kink==0.8.1
include: kink, my_app
expect: stale check, unguarded check:gil-only
at: container.py:Container._get, inject.py
"""


def driver(header: str, name: str = "driver") -> Driver:
    return parse(Path(f"{name}.py"), f'"""{header}"""\n')


def requiring(name: str, requires: str) -> Driver:
    return driver(f"A.\n\nrequires: {requires}\ninclude: a\nexpect: nothing\n", name)


def told(kind: str, severity: Severity, path: str = "/lib/kink/container.py", function: str = "Container._get") -> Told:
    return Told(kind, severity, ((path, 7, function),))


@pytest.mark.parametrize("each", DRIVERS, ids=lambda each: each.name)
def test_a_driver_compiles_and_prints_its_result(each: Driver) -> None:
    text = each.path.read_text(encoding="utf-8")
    compile(text, each.name, "exec")
    assert text.count("RESULT") == 1
    assert each.title.endswith(".") and each.include
    assert each.is_right or each.at


def test_a_header_is_read() -> None:
    read = driver(HEADER)
    assert read.title == "Two callers make the same object twice."
    assert (read.requires, read.include) == (("kink==0.8.1",), ("kink", "my_app"))
    assert read.expected == (Expected("stale check"), Expected("unguarded check", Severity.GIL_ONLY))
    assert read.at == (Place("container.py", "Container._get"), Place("inject.py"))
    assert not read.is_right and requiring("right", "kink==0.8.1").is_right


@pytest.mark.parametrize(
    "wrong",
    [
        HEADER.replace("stale check", "stale cheque"),
        HEADER.replace("gil-only", "gil"),
        HEADER.replace("==", ">="),
        HEADER.replace("include:", "includes:"),
        HEADER.replace("include: kink, my_app\n", ""),
        HEADER + "at: container.py\n",
        HEADER.replace("stale check, unguarded check:gil-only", "nothing"),
    ],
)
def test_a_wrong_header_is_refused(wrong: str) -> None:
    with pytest.raises(WrongHeader):
        driver(wrong)


def test_a_driver_that_is_not_there_is_named() -> None:
    with pytest.raises(WrongHeader, match="no_such_driver"):
        load(["no_such_driver"])


def test_a_place_is_the_end_of_a_path_and_of_a_name() -> None:
    place = Place.parse("kink/container.py:_get")
    assert place.holds("/env/kink/container.py", "Container._get")
    assert not place.holds("/env/kink/container.py", "Container.forget_get")
    assert not place.holds("/env/think/container.py", "_get")
    assert Place.parse("container.py").holds("container.py", "")


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([told("stale check", Severity.HAPPENED)], Verdict.FOUND),
        ([told("stale check", Severity.POSSIBLE)], Verdict.FOUND),
        ([told("unguarded check", Severity.GIL_ONLY)], Verdict.FOUND),
        ([told("stale check", Severity.GIL_ONLY)], Verdict.PARTLY),
        ([told("lost update", Severity.HAPPENED)], Verdict.PARTLY),
        ([told("stale check", Severity.HAPPENED, "/app/main.py")], Verdict.PARTLY),
        ([told("lost update", Severity.HAPPENED, "/app/main.py")], Verdict.MISSED),
        ([told("lost update", Severity.HAPPENED), told("stale check", Severity.HAPPENED)], Verdict.FOUND),
        ([], Verdict.MISSED),
    ],
)
def test_a_race_is_found_by_kind_severity_and_place(findings: list[Told], verdict: Verdict) -> None:
    assert judge(driver(HEADER), findings) is verdict


def test_whatever_is_told_of_a_right_program_is_false() -> None:
    right = requiring("right", "kink==0.8.1")
    assert judge(right, []) is Verdict.SILENT
    assert judge(right, [told("lost update", Severity.GIL_ONLY)]) is Verdict.FALSE


def test_drivers_share_an_environment_unless_they_require_other_versions() -> None:
    one, other, third = requiring("one", "A.b==1"), requiring("other", "a-b==2"), requiring("third", "c==1, A.b==1")
    assert [environment.drivers for environment in shared([one, other, third])] == [[one, third], [other]]
    assert shared([third])[0].requirements == {"c": "c==1", "a-b": "A.b==1"}


def test_the_summary_counts_races_and_false_findings() -> None:
    race, right = driver(HEADER), requiring("right", "kink==0.8.1")
    false = [told("lost update", Severity.GIL_ONLY)] * 2
    measured = [
        Measured(race, Verdict.FOUND, ""),
        Measured(race, Verdict.PARTLY, ""),
        Measured(right, Verdict.FALSE, "", false),
        Measured(right, Verdict.SILENT, ""),
    ]
    assert summary(measured) == "found 1 of 2 races; 2 false findings in 2 right programs"
