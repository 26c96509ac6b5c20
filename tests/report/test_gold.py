"""Every report of every case is as its gold file shows it."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from opcodetrace.report import REPORTERS, Reporter
from opcodetrace.report.text import TextReporter
from opcodetrace.trace.report_model import RunReport
from tests.report.cases import (
    CASES,
    different_locks,
    free_threaded,
    protected_by_event,
    protected_by_lock,
    three_threads,
    truncated,
    two_threads,
    unicode_source,
)

CheckGold = Callable[[str, str], None]
Case = Callable[[], RunReport]


def written(reporter: Reporter, report: RunReport) -> str:
    stream = io.StringIO()
    reporter.write(report, stream)
    return stream.getvalue()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("name", ["text", "markdown"])
def test_report(case: Case, name: str, check_gold: CheckGold) -> None:
    reporter = TextReporter(width=80) if name == "text" else REPORTERS[name]()
    check_gold(case.__name__ + reporter.extension, written(reporter, case()))


@pytest.mark.parametrize(
    "case",
    [two_threads, free_threaded, truncated, unicode_source, protected_by_lock, protected_by_event, different_locks],
    ids=lambda case: case.__name__,
)
def test_json(case: Case, check_gold: CheckGold) -> None:
    check_gold(f"{case.__name__}.json", written(REPORTERS["json"](), case()))


def test_three_columns_where_there_is_room(check_gold: CheckGold) -> None:
    check_gold("three_threads_wide.txt", written(TextReporter(width=130), three_threads()))
