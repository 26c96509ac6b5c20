"""Modules of the standard library, woven. The weaver holds each code object against its original by taking the hooks
out again; what fails that check runs as it is. Nothing fails."""

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opcodetrace.probe import _probe
from opcodetrace.rewrite.weave import Weaver
from tests.recording import environment

LIBRARY = Path(os.__file__).parent
AT_LEAST = {"lines": 40_000, "code objects": 2_000}

IMPORTED = """
argparse asyncio concurrent.futures dataclasses datetime decimal email.message enum fractions functools inspect json
logging pathlib pickle queue random re sqlite3 statistics subprocess tempfile threading traceback typing weakref zipfile
""".split()  # noqa: SIM905


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_code_object_of_the_library_is_woven() -> None:
    described: list[tuple[object, ...]] = []
    weaver = Weaver(described.append, _probe)
    lines = 0
    for path in sorted(LIBRARY.glob("[a-m]*.py")):
        source = path.read_bytes()
        lines += source.count(b"\n")
        weaver.weave_module(compile(source, path, "exec", dont_inherit=True), str(path), path.stem, source)
    codes = [entry for kind, *entry in described if kind == "code"]
    assert [f"{function}: {unwoven}" for _, _, function, *_, unwoven in codes if unwoven is not None] == []
    assert lines > AT_LEAST["lines"]
    assert len(codes) > AT_LEAST["code objects"]


def test_the_woven_library_can_be_imported(tmp_path: Path) -> None:
    runner = Path(__file__).with_name("woven_library.py")
    command = [sys.executable, str(runner), "woven", str(tmp_path), "import", *IMPORTED]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert marshal.loads((tmp_path / "unwoven").read_bytes()) == []
