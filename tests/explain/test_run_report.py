"""From a stored run to a report in a file, and the commands that do it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, TextIO

import pytest
from click.testing import CliRunner, Result

from opcodetrace.errors import UsageError
from opcodetrace.explain import run_report
from opcodetrace.findings import KINDS
from opcodetrace.findings.grouping import grouped
from opcodetrace.report.text import TextReporter
from opcodetrace.report.write import write_report
from opcodetrace.store.database import Database
from opcodetrace.trace.events import Events, Sources
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Count, Finding, Findings
from opcodetrace.trace.report_model import RunReport
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Site, SourceFile
from opcodetrace_cli import main
from tests.recording import record
from tests.report.cases import archetype, two_threads
from tests.report.threads_at_work import PATH, Recorded


def stored(run: Recorded, found: Sequence[Finding], database: Path) -> int:
    """The recording as a run of a trace file."""
    info = RunInfo("2026-11-22T16:00:00+00:00", PATH, (), "3.13.1", "3.13.1 (main)", True, None, "/home/ada")
    sites = {}
    for site in run.sites.values():
        text = run.source.split("\n")[(site.line or 1) - 1]
        column = max(0, text.find(site.expression or ""))
        end = column + len(site.expression or "")
        sites[site.id] = Site(
            site.id, site.operation, site.opcode, 2 * site.id, site.line, site.line, column, end, None, None, None,
            site.computed,
        )  # fmt: skip
    code = Code(0, 0, "increment", 6, tuple(sites.values()), ())
    trace = Trace(
        False, list(run.threads), [SourceFile(0, PATH, "__main__", run.source.encode())], [code], sites,
        dict.fromkeys(sites, code), {0: run.location}, Events.of(run.event_list), run.switch_list, run.seq + 1,
        len(run.event_list), len(run.event_list), 0, 0, None, None, True,
    )  # fmt: skip
    sources = Sources.of(trace.events, {105: 101, 107: 103}, {})
    counts = [Count(found[0].kind, 0, len(found), len(found), 1)] if found else []
    findings = Findings(found, *grouped(KINDS, found, trace), counts, sources)
    with Database.open(database, create=True) as opened:
        return opened.add_run(info, Outcome(0, None, 0.25), trace, findings)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A trace file whose run 1 lost an update and whose run 2 lost none."""
    run = archetype()
    lost = run.lost(105, 101, 107, 103)
    path = tmp_path / "trace.db"
    stored(run, [lost], path)
    stored(run, [], path)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_stored_run_reads_like_the_recording(database: Path) -> None:
    stream = io.StringIO()
    with Database.open(database) as opened:
        report = run_report.compose(opened, opened.run(1))
    TextReporter().write(report, stream)
    expected = io.StringIO()
    TextReporter().write(two_threads(), expected)
    assert stream.getvalue() == expected.getvalue()


def test_groups_beyond_the_limit_are_counted(database: Path) -> None:
    with Database.open(database) as opened:
        report = run_report.compose(opened, opened.run(1), max_stories=0)
    assert report.stories == ()
    assert [group.count for group in report.more] == [1]


def test_report_writes_the_latest_run(database: Path) -> None:
    result = invoke("report", "-d", database)
    assert result.exit_code == 0
    assert "No update was lost." in result.stdout


@pytest.mark.parametrize("format_name", ["text", "markdown", "json"])
def test_report_writes_each_format(database: Path, format_name: str) -> None:
    result = invoke("report", "-d", database, "--run", 1, "--format", format_name)
    assert result.exit_code == 0
    assert "counter[0]" in result.stdout


def test_the_extension_names_the_format(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert invoke("report", "-d", database, "-o", target).exit_code == 0
    assert json.loads(target.read_text())["run"]["id"] == 2
    result = invoke("report", "-d", database, "-o", tmp_path / "report.pdf")
    assert result.exit_code == 2
    assert "--format" in result.stderr
    assert not (tmp_path / "report.pdf").exists()


def test_the_width_that_is_asked_for(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    lines = invoke("report", "-d", database, "--run", 1).stdout.splitlines()
    assert 80 < max(map(len, lines)) <= 150
    lines = invoke("report", "-d", database, "--run", 1, "--width", 70).stdout.splitlines()
    assert 60 < max(map(len, lines)) <= 70
    result = invoke("report", "-d", database, "--width", 70, "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--width 70" in result.stderr


def test_a_file_gets_no_colours(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in invoke("report", "-d", database).stdout
    target = tmp_path / "report.txt"
    assert invoke("report", "-d", database, "-o", target).exit_code == 0
    assert "\x1b" not in target.read_text()


def test_check_tells_by_its_exit_code(database: Path) -> None:
    found = invoke("check", "-d", database, "--run", 1)
    assert found.exit_code == 1
    assert "counter.py:9" in found.stdout
    assert invoke("check", "-d", database).exit_code == 0
    assert invoke("check", "-d", database, "--run", 7).exit_code == 2


class FailingReporter:
    name: ClassVar[str] = "failing"
    extension: ClassVar[str] = ".txt"

    def write(self, report: RunReport, stream: TextIO) -> None:
        stream.write("half of it")
        raise RuntimeError("no more")


def test_a_report_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("the report before")
    with pytest.raises(RuntimeError):
        write_report(two_threads(), FailingReporter(), target)
    assert target.read_text() == "the report before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_report_replaces_the_one_before_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("the report before")
    target.chmod(0o600)
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_report(two_threads(), TextReporter(), link)
    assert "LOST to Thread-2" in target.read_text()
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", [lambda folder: folder / "missing" / "report.txt", lambda folder: folder])
def test_a_place_that_cannot_be_written_is_named(make: Callable[[Path], Path], tmp_path: Path) -> None:
    target = make(tmp_path)
    with pytest.raises(UsageError, match=target.name):
        write_report(two_threads(), TextReporter(), target)


def test_a_device_is_written_to_as_it_is() -> None:
    write_report(two_threads(), TextReporter(), Path("/dev/null"))
    assert not Path("/dev/null").is_file()


def test_findings_of_one_shape_are_told_once(tmp_path: Path) -> None:
    """The other ones are named, a line each, with what they are like."""
    updates = "\n    ".join(f"seen = s.field_{n}; meet(); s.field_{n} = seen + 1; meet()" for n in range(12))
    script = tmp_path / "fields.py"
    script.write_text(
        f"""
from threading import Barrier, Thread
barrier = Barrier(2)
def meet():
    barrier.wait()
class Shared:
    pass
s = Shared()
for n in range(12):
    setattr(s, f"field_{{n}}", 0)
s.other = 0
def work():
    {updates}
    seen = s.other; meet(); s.other = seen - 1
threads = [Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""".replace("; ", "\n    ")
    )
    recording = record(tmp_path / "trace.db", script)
    assert sum(recording.lost().values()) == 13
    with contextlib.closing(Database.open(recording.database)) as opened:
        report = run_report.compose(opened, opened.run(1))
        short = run_report.compose(opened, opened.run(1), max_stories=1, max_brief=0)
    told = [story for story in report.stories if story.interleaving is not None]
    assert len(report.stories) == 13
    assert len(told) == 2
    assert {story.like for story in report.stories} == {None, 1}
    assert not report.more
    assert len(short.stories) == 1
    assert len(short.more) == 12
    text = invoke("report", "-d", recording.database).stdout
    assert text.count("like finding 1") == 11
