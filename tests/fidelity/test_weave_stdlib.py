"""Modules of the standard library, woven. The weaver holds each code object against its original by taking the hooks
out again; what fails that check runs as it is. Nothing fails."""

import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from opcodetrace.probe import _probe
from opcodetrace.rewrite.decode import decode
from opcodetrace.rewrite.flow import FlowError, analyse
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool.messages import Message
from opcodetrace.trace.site import Code
from tests.recording import environment

LIBRARY = Path(os.__file__).parent
PART = slice(sys.version_info.minor % 4, None, 4)  # of the modules; four versions in succession take all
HALF = slice(sys.version_info.minor % 2, None, 2)
AT_LEAST = {"lines": 8_000, "code objects": 500}

CONSTRUCTS = """
asyncgen compile contextlib_async coroutines except_star generators grammar listcomps named_expressions patma scope
syntax tstring type_params unpack_ex with
""".split()  # noqa: SIM905

IMPORTED = """
asyncio concurrent.futures dataclasses enum functools inspect json logging pickle queue re sqlite3 subprocess tempfile
threading typing weakref
""".split()  # noqa: SIM905


@pytest.mark.library
@pytest.mark.filterwarnings("ignore")
def test_every_code_object_of_the_library_is_woven() -> None:
    described: list[Message] = []
    weaver = Weaver(described.append, _probe)
    lines = 0
    for path in sorted(LIBRARY.glob("[a-m]*.py"))[PART]:
        source = path.read_bytes()
        lines += source.count(b"\n")
        weaver.weave_module(compile(source, path, "exec", dont_inherit=True), str(path), path.stem, source)
    codes = [message for message in described if isinstance(message, Code)]
    assert [f"{code.function}: {code.unwoven}" for code in codes if code.unwoven is not None] == []
    assert lines > AT_LEAST["lines"]
    assert len(codes) > AT_LEAST["code objects"]


@pytest.mark.library
@pytest.mark.filterwarnings("ignore")
def test_every_function_of_the_library_has_data_flow() -> None:
    """The library, and those of its tests that try what the language can do."""
    without, count = [], 0
    paths = sorted([*LIBRARY.glob("[n-z]*.py"), *LIBRARY.glob("asyncio/*.py")])[PART]
    paths += [path for name in CONSTRUCTS for path in LIBRARY.glob(f"test/**/test_{name}.py")]
    for path in paths:
        for code in _nested(compile(path.read_bytes(), path, "exec", dont_inherit=True)):
            count += 1
            try:
                analyse(code, decode(code), lambda index: True)
            except FlowError as error:
                without.append(f"{path.name}: {code.co_qualname}: {error}")
    assert without == []
    assert count > AT_LEAST["code objects"]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


@pytest.mark.library
def test_the_woven_library_can_be_imported(tmp_path: Path) -> None:
    runner = Path(__file__).with_name("woven_library.py")
    command = [sys.executable, str(runner), "woven", str(tmp_path), "import", *IMPORTED[HALF]]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert marshal.loads((tmp_path / "unwoven").read_bytes()) == []
