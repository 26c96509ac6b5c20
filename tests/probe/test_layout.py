"""An interpreter that is laid out otherwise than the one that the probe was compiled for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import opcodetrace
import opcodetrace_cli
from opcodetrace.probe import _probe
from tests.recording import COMMAND, environment


def installed_for(version: bytes, folder: Path) -> dict[str, str]:
    """A copy of the package whose probe says that it was compiled for another version: the environment to find it."""
    shutil.copytree(
        Path(opcodetrace.__file__).parent, folder / "opcodetrace", ignore=shutil.ignore_patterns("__pycache__")
    )
    extension = folder / "opcodetrace" / "probe" / Path(_probe.__file__).name
    compiled_for = b"opcodetrace compiled for CPython "
    said = b"%s%d.%d." % (compiled_for, *sys.version_info[:2])
    content = extension.read_bytes()
    assert content.count(said) == 1
    extension.write_bytes(content.replace(said, compiled_for + version + b"."))
    path = [os.fspath(folder), os.fspath(Path(opcodetrace_cli.__file__).parents[1])]
    return {**environment(), "PYTHONPATH": os.pathsep.join(path)}


def test_a_script_runs_unrecorded_by_a_probe_of_another_version(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint('it ran', sys.argv[1:])\n")
    command: list[str | Path] = [*COMMAND, "record", "-d", tmp_path / "trace.db", script, "argument"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=installed_for(b"3.99", tmp_path / "other")
    )
    assert (done.stdout, done.returncode) == ("it ran ['argument']\n", 0)
    (said,) = done.stderr.splitlines()
    assert said.startswith(
        "opcodetrace: the script runs unrecorded: ImportError: opcodetrace was compiled for CPython 3."
    )
    assert "finds another version in CPython {}.{}.{}: ".format(*sys.version_info) in said
    command.insert(command.index(script), "--require-recording")
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=installed_for(b"3.99", tmp_path / "another")
    )
    assert (done.stdout, done.returncode) == ("", 74)
    (said,) = done.stderr.splitlines()
    assert said.startswith("opcodetrace: the script was not run: it cannot be recorded: ImportError: ")


@pytest.mark.parametrize(
    ("type_of", "what"),
    [
        ("type(iter([]))", "other iterators"),
        ("dict", "types of other sizes"),
        ("type(sys._getframe())", "types of other sizes"),
    ],
)
def test_a_probe_that_finds_another_layout_does_not_load(type_of: str, what: str) -> None:
    program = f"""
import ctypes, sys
sys.path[:] = {sys.path!r}
# After the header of a sized object: tp_name, tp_basicsize.
ctypes.c_ssize_t.from_address(id({type_of}) + object.__basicsize__ + 16).value += 8
try:
    from opcodetrace.probe import _probe
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f" and finds {what} in CPython " in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
