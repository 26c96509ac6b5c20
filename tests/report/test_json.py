"""The JSON report is a document that any parser takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from opcodetrace.report.json_report import SCHEMA, JsonReporter
from opcodetrace.trace.event import Value
from opcodetrace.trace.report_model import RunReport
from tests.report.cases import CASES
from tests.report.test_gold import written
from tests.report.threads_at_work import Recorded


def parsed(report: RunReport) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(written(JsonReporter(), report), parse_constant=refuse)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_counts_and_findings(case: Callable[[], RunReport]) -> None:
    report = case()
    document = parsed(report)
    assert document["schema"] == SCHEMA
    assert [(each["kind"], each["least"], each["most"]) for each in document["found"]] == [
        (each.kind, each.low, each.high) for each in report.run.found
    ]
    assert len(document["findings"]) == len(report.stories)


@pytest.mark.parametrize("value", [math.nan, -math.inf, 2**63 - 1, b"\xff", "\ud800", True, None, 1.5])
def test_values_that_json_cannot_hold_keep_their_text(value: Value) -> None:
    run = Recorded("x\n" * 9)
    one, other = run.read(1, 7, value), run.read(2, 7, value)
    lost, by = run.write(1, 9, value, computed=None), run.write(2, 9, value, computed=None)
    document = parsed(run.report([run.story(run.lost(lost, one, by, other))], [run.watched(1)]))
    steps = document["findings"][0]["interleaving"]["steps"]
    assert {step["value"]["text"] for step in steps if step["step"] in ("read", "write")} == {repr(value)}
