"""A kind of finding is one file and one line in KINDS: it then appears everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import opcodetrace
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.errors import FindingsError
from opcodetrace.findings import KINDS
from opcodetrace.findings.protocol import Kind
from opcodetrace.report import REPORTERS
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Need, Role, Teller
from opcodetrace_cli import main
from opcodetrace_cli.record import summarize
from tests.recorder import racing

FOR_PEOPLE = ("text", "markdown")  # the formats that tell a finding in words

# --- the file


class TakenOver(Kind):
    """A lane writes without a look at what is there, right after another lane's write."""

    name = "taken over"
    claim = "A thread wrote over what another had written, and had not looked at it."
    needs = Need.ENTER_OF_READERS
    roles = (
        Role("theirs", "the write of the other thread", groups=True),
        Role("ours", "the write that took its place", Mark.WRONG, groups=True),
    )
    pivot = "theirs"

    @property
    def plural(self) -> str:
        return "taken over"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        latest: dict[int, Event] = {}
        for event in evidence.trace.events:
            if event.kind != EventKind.WRITE:
                continue
            before = latest.get(event.location)
            latest[event.location] = event
            if before is not None and before.thread != event.thread and event.seq not in evidence.sources:
                roles = {"theirs": before.seq, "ours": event.seq}
                yield Finding(self.name, Severity.HAPPENED, Certainty.PROVEN, roles, (event.location,))

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return f"{what} written at {places['theirs']}, taken over at {places['ours']}"

    def sentences(self, teller: Teller) -> Iterator[str]:
        theirs, ours = teller.step("theirs"), teller.step("ours")
        assert theirs is not None
        assert ours is not None
        yield f"{teller.lane(theirs.thread)} {teller.did(theirs)}, then {teller.lane(ours.thread)} {teller.did(ours)}."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "TAKEN OVER" if role == "ours" else None


# --- the line


@pytest.fixture(autouse=True)
def third_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, TakenOver.name, TakenOver())


# --- where it appears


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "trace.db"
    with opcodetrace.record(racing, database=path):
        racing.take_over()
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_in_the_reports_of_all_formats(database: Path) -> None:
    for name in REPORTERS:
        result = invoke("report", "-d", database, "--format", name)
        assert result.exit_code == 0, result.output
        plain = " ".join(result.stdout.replace("`", "").split())
        assert "taken over" in plain, name
        assert "No update was lost" not in plain, name
        if name in FOR_PEOPLE:
            assert "1 taken over" in plain, name
            assert "slot[0] written at" in plain, name
            assert "wrote 'first' (line" in plain, name
            assert "TAKEN OVER" in plain, name


def test_in_json(database: Path) -> None:
    report: dict[str, Any] = json.loads(invoke("report", "-d", database, "--format", "json").stdout)
    assert [(each["kind"], each["least"], each["most"]) for each in report["found"]] == [("taken over", 1, 1)]
    (finding,) = report["findings"]
    assert (finding["kind"], finding["severity"], finding["certainty"]) == ("taken over", "happened", "proven")
    assert set(finding["sites"]) == {"theirs", "ours"}
    roles = [step["role"] for step in finding["interleaving"]["steps"] if step.get("role")]
    assert roles == ["theirs", "ours"]
    (location,) = (each for each in report["locations"] if each["label"] == "slot[0]")
    assert location["found"][0]["kind"] == "taken over"


def test_by_check_and_its_exit_code(database: Path) -> None:
    result = invoke("check", "-d", database)
    assert result.exit_code == 1
    assert "slot[0] written at" in result.stdout
    assert ", proven" in result.stdout


def test_in_the_list_of_runs_and_in_a_recording_s_summary(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 taken over" in invoke("runs", "-d", database).stdout
    summarize(1, database)
    said = capsys.readouterr().err
    assert "1 taken over" in said.splitlines()[0]
    assert "TAKEN OVER" in said


def test_in_the_trace_file(database: Path) -> None:
    assert "taken over" in invoke("query", "-d", database, "findings").stdout
    rows = invoke("query", "-d", database, "--format", "json", "SELECT role FROM finding_events ORDER BY seq").stdout
    assert [row["role"] for row in json.loads(rows)] == ["theirs", "ours"]


def test_in_process(tmp_path: Path) -> None:
    with opcodetrace.record(racing, database=tmp_path / "trace.db") as recording:
        racing.take_over()
    (finding,) = recording.findings
    assert (finding.kind.name, finding.label, finding.count) == ("taken over", "slot[0]", 1)
    assert "1 taken over" in repr(recording)
    with (
        pytest.raises(FindingsError, match="taken over"),
        opcodetrace.record(racing, database=tmp_path / "trace.db", check=True),
    ):
        racing.take_over()


def test_a_run_of_a_kind_that_is_not_known_reads_all_the_same(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by an opcodetrace that lacks it."""
    monkeypatch.delitem(KINDS, TakenOver.name)
    assert "No update was lost." in invoke("report", "-d", database).stdout
    assert invoke("check", "-d", database).exit_code == 0
    assert invoke("runs", "-d", database).exit_code == 0
