"""Source by position."""

from __future__ import annotations

import pytest

from opcodetrace.trace.source_text import SourceText, operands


@pytest.mark.parametrize(
    ("source", "position", "expression"),
    [
        (b"counter[0] += 1\n", (1, 0, 1, 10), "counter[0]"),
        ("größe = zähler[0]\n".encode(), (1, 10, 1, 20), "zähler[0]"),
        ("# coding: latin-1\ngröße = zähler[0]\n".encode("latin-1"), (2, 10, 2, 20), "zähler[0]"),
        (b"a\r\nb[0]\r\n", (2, 0, 2, 4), "b[0]"),
        (b"a\rb[0]\r", (2, 0, 2, 4), "b[0]"),
        (b"f(\n    1,\n    2)\n", (1, 0, 3, 6), "f( 1, 2)"),
        (b"\xef\xbb\xbfa[0]\n", (1, 0, 1, 4), "a[0]"),
        (b"def f():\n", (1, 0, 1, 0), None),
        (b"a[0]\n", (1, None, 1, None), None),
        (b"a[0]\n", (7, 0, 7, 1), None),
        (b"a[0]\n", (0, 0, 1, 1), None),
        (b"# coding: klingon\n", (1, 0, 1, 3), "# c"),
        (b"\xff\xfe\n", (1, 0, 1, 99), "\ufffd\ufffd"),
    ],
)
def test_expression(
    source: bytes, position: tuple[int | None, int | None, int | None, int | None], expression: str | None
) -> None:
    assert SourceText(source).expression(*position) == expression


def test_a_long_expression_is_cut() -> None:
    text = SourceText(b"x" * 500).expression(1, 0, 1, 500)
    assert text is not None
    assert len(text) == 120
    assert text.endswith("…")


def test_line() -> None:
    text = SourceText(b"if x:\n    y = 1  # one\n")
    assert [text.line(number) for number in (1, 2, 3, 99, 0, None)] == ["if x:", "y = 1  # one", "", "", "", ""]


@pytest.mark.parametrize(
    ("expression", "container", "key"),
    [
        ('bank["a"]', "bank", '"a"'),
        ("self.a.b", "self.a", None),
        ("rows[0][i + 1]", "rows[0]", "i + 1"),
        ("get(1).value", "get(1)", None),
        ("größe[ü]", "größe", "ü"),
        ("self.table |= {1: 2}", "self.table", None),
    ],
)
def test_operands(expression: str, container: str, key: str | None) -> None:
    assert operands(expression) == (container, key)


@pytest.mark.parametrize("expression", ["counter", "a +", "x = 1", "a[0] + 1", "(" * 500, "\0"])
def test_no_operands(expression: str) -> None:
    assert operands(expression) is None
