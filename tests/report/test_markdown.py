"""Markdown renders as it is meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from opcodetrace.report.markdown import MarkdownReporter, code, escaped, name
from opcodetrace.trace.report_model import RunReport
from tests.report.cases import CASES, long_lines
from tests.report.test_gold import written

MARKDOWN = MarkdownIt("commonmark").enable("table")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_row_has_the_columns_of_its_table(case: Callable[[], RunReport]) -> None:
    rows, tables = 0, 0
    for token in MARKDOWN.parse(written(MarkdownReporter(), case())):
        tables += token.type == "table_open"
        rows += token.type == "tr_open"
        if token.type == "inline":
            assert "|--" not in token.content
    report = case()
    hand_overs = [protected for protected in report.protected if protected.hand_over is not None]
    assert tables == bool(report.watched) + len(report.stories) + len(hand_overs)
    assert rows >= tables


def test_pipes_and_backticks_are_shown_as_they_are() -> None:
    html = MARKDOWN.render(written(MarkdownReporter(), long_lines()))
    assert "<code>ledger['total|sum']</code>" in html
    assert "+ sum(`x`)</code>" in html


printable = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Cn", "Co"]), min_size=1)


@given(printable)
def test_code_shows_any_text(text: str) -> None:
    (paragraph,) = (token for token in MARKDOWN.parse(f"x {code(text)} y") if token.type == "inline")
    assert [child.content for child in paragraph.children or [] if child.type == "code_inline"] == [text]


@given(printable)
def test_escaped_text_and_names_hold_no_markup(text: str) -> None:
    for shown in (escaped(text), name(text)):
        (paragraph,) = (token for token in MARKDOWN.parse(f"x {shown} y") if token.type == "inline")
        assert {child.type for child in paragraph.children or []} <= {"text", "text_special", "code_inline"}
        assert "".join(child.content for child in paragraph.children or []) == f"x {text} y"
