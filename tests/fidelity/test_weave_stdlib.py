"""The standard library, woven: 130,000 lines. The weaver holds each code object against its original by taking the
hooks out again; what fails that check runs as it is. Nothing fails."""

import os
from pathlib import Path

import pytest

from opcodetrace.rewrite.weave import Weaver

LIBRARY = Path(os.__file__).parent
AT_LEAST = {"lines": 100_000, "code objects": 7_000}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_code_object_of_the_library_is_woven() -> None:
    described: list[tuple[object, ...]] = []
    weaver = Weaver(described.append)
    lines = 0
    for path in sorted(LIBRARY.glob("*.py")):
        source = path.read_bytes()
        lines += source.count(b"\n")
        weaver.weave_module(compile(source, path, "exec", dont_inherit=True), str(path), path.stem, source)
    codes = [entry for kind, *entry in described if kind == "code"]
    assert [f"{function}: {unwoven}" for _, _, function, *_, unwoven in codes if unwoven is not None] == []
    assert lines > AT_LEAST["lines"]
    assert len(codes) > AT_LEAST["code objects"]
