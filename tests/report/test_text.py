"""What holds for the text report whatever it shows."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from opcodetrace.report.text import TextReporter
from opcodetrace.trace.event import Opaque
from opcodetrace.trace.report_model import RunReport
from tests.report.cases import CASES, LONG, long_lines, two_threads, unicode_source
from tests.report.test_gold import written
from tests.report.threads_at_work import Recorded


class Terminal(io.StringIO):
    """A terminal of 90 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("width", [60, 72, 80, 93, 120, 200])
def test_no_line_is_wider_than_asked_for(case: Callable[[], RunReport], width: int) -> None:
    title, *lines = written(TextReporter(width=width), case()).splitlines()
    assert title
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_no_line_ends_in_a_blank(case: Callable[[], RunReport]) -> None:
    assert not [line for line in written(TextReporter(), case()).splitlines() if line != line.rstrip()]


def widest(text: str) -> int:
    return max(map(cell_len, text.splitlines()))


def test_a_pipe_gets_no_colour() -> None:
    assert "\x1b" not in written(TextReporter(), two_threads())


def test_a_pipe_gets_what_colour_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in written(TextReporter(), two_threads())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in written(TextReporter(), two_threads())


def test_a_pipe_is_as_wide_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (70, 100, 140):
        monkeypatch.setenv("COLUMNS", str(columns))
        _, *lines = written(TextReporter(), long_lines()).splitlines()  # a path is never cut
        assert columns - 10 < max(map(cell_len, lines)) <= columns


@pytest.mark.parametrize("columns", [None, "", "0", "wide", "-5", "9" * 30])
def test_a_pipe_is_as_wide_as_it_needs_and_nothing_is_cut(columns: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    text = written(TextReporter(), long_lines())
    source = LONG.splitlines()[1].strip()
    assert source not in written(TextReporter(width=80), long_lines())
    assert source in text
    assert widest(written(TextReporter(), two_threads())) <= 80


def test_a_long_value_is_cut_and_the_page_stays_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    bucket = Opaque("list", 1, "[0.8856029510498047, 1795776549.3435001, 0.8856029510498047]", changes=True)
    run = Recorded("\n".join(["b = buckets[k]", "buckets[k] = b"] * 3), "buckets['k']")
    one, other = run.read(1, 1, bucket), run.read(2, 1, bucket)
    lost, by = run.write(1, 2, bucket), run.write(2, 2, bucket)
    text = written(TextReporter(), run.report([run.story(run.lost(lost, one, by, other))], [run.watched(1)]))
    assert "[0.885602951" in text
    assert widest(text) <= 120


def test_a_terminal_gets_its_width_and_colour() -> None:
    stream = Terminal()
    TextReporter().write(two_threads(), stream)
    assert "\x1b[" in stream.getvalue()
    plain = Terminal()
    TextReporter(colour=False).write(two_threads(), plain)
    assert 80 < max(map(cell_len, plain.getvalue().splitlines())) <= 90


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colour_gets_none(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    stream = Terminal()
    TextReporter().write(two_threads(), stream)
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_stream_without_unicode_gets_a_report_all_the_same(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    TextReporter().write(unicode_source(), stream)
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert "No update" not in text and "LOST to" in text


def test_the_access_stays_in_sight_in_a_long_line() -> None:
    run = Recorded(LONG, "ledger['total|sum']", expression='ledger["total|sum"]')
    one, other = run.read(1, 2, 5), run.read(2, 2, 5)
    by = run.write(2, 3, 6)
    text = written(
        TextReporter(), run.report([run.story(run.lost(run.write(1, 3, 6), one, by, other))], [run.watched(1)])
    )
    assert '… ledger["total|sum"]' in text or '+ ledger["total|sum"]' in text


@given(st.text(max_size=60), st.text(max_size=30), st.integers(60, 140))
def test_any_source_line_and_name_keep_the_frame(source: str, name: str, width: int) -> None:
    source = " ".join(source.split()) or "x"
    run = Recorded("\n".join([source] * 9), names=("MainThread", name, name))
    one, other = run.read(1, 7, source), run.read(2, 7, source)
    lost, by = run.write(1, 9, name), run.write(2, 9, name)
    report = run.report([run.story(run.lost(lost, one, by, other))], [run.watched(1)])
    lines = written(TextReporter(width=width), report).split("\n")
    assert max(map(cell_len, lines[1:])) <= width
    assert all(line.isprintable() for line in lines)
