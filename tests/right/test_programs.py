"""Right programs compile, and say what they do and why they are right. `python -m tests.right` records them."""

from __future__ import annotations

import ast

import pytest

from tests.right.recorded import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_compiles(name: str) -> None:
    source = PROGRAMS[name].read_text()
    compile(source, PROGRAMS[name], "exec")
    assert ast.get_docstring(ast.parse(source))
