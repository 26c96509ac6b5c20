"""Spools with records, headers and messages that are drawn at random, in this process: hundreds in the time of one
trial."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from opcodetrace import recorder
from opcodetrace.explain import run_report
from opcodetrace.report import REPORTERS
from opcodetrace.store.database import Database
from tests.faults import hostile_files
from tests.faults.prepared import Prepared, prepare
from tests.faults.trial import Trial

DAMAGES = (hostile_files.records, hostile_files.headers, hostile_files.messages)
EACH = 20


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.mark.parametrize("number", range(EACH * len(DAMAGES)))
def test_what_is_recovered_can_be_shown(number: int, prepared: Prepared, tmp_path: Path) -> None:
    """And what is not, is left and named in a line."""
    trial = Trial(1, number, tmp_path, prepared)
    database = tmp_path / "trace.db"
    spool = prepared.copy_spool(database)
    DAMAGES[number % len(DAMAGES)](trial, spool / "window")
    said: list[str] = []
    recovered = recorder.recover(database, said.append)
    assert "internal error" not in str(said)
    if not recovered:
        (line,) = said
        assert line.startswith(f"{spool} is left as it is: ")
        return
    with Database.open(database) as opened:
        report = run_report.compose(opened, opened.run(None))
    for reporter in REPORTERS.values():
        reporter().write(report, io.StringIO())
