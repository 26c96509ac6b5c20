"""Which options of the interpreter's command line reach the script's interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from opcodetrace.script_process import interpreter_options


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (["-m", "opcodetrace", "record"], []),
        (["-X", "dev", "-W", "error", "-m", "opcodetrace", "-O"], ["-X", "dev", "-W", "error"]),
        (["-Xdev", "-Werror", "-mopcodetrace", "record"], ["-Xdev", "-Werror"]),
        (["-OOBm", "opcodetrace"], ["-OOB"]),
        (["-IX", "dev", "-m", "opcodetrace"], ["-IX", "dev"]),
        (["-c", "import opcodetrace", "-O"], []),
        (["-Ic", "import opcodetrace", "-O"], ["-I"]),
        (["--check-hash-based-pycs", "always", "-u", "tool.py", "-B"], ["--check-hash-based-pycs", "always", "-u"]),
        (["-u", "--", "tool.py"], ["-u"]),
        (["-O", "-"], ["-O"]),
        ([], []),
    ],
)
def test_options_end_where_the_program_begins(args: list[str], options: list[str]) -> None:
    assert interpreter_options(["python", *args]) == options


def test_a_shebang_lines_options_are_the_installers(tmp_path: Path) -> None:
    tool = tmp_path / "opcodetrace"
    tool.write_text("#!/usr/bin/python3 -sP\nimport sys\n")
    assert interpreter_options(["/usr/bin/python3", "-sP", str(tool), "record"]) == []
    assert interpreter_options(["/usr/bin/python3", "-O", str(tool), "record"]) == ["-O"]
    tool.write_text("#!/usr/bin/python3\nimport sys\n")
    assert interpreter_options(["/usr/bin/python3", "-O", str(tool), "record"]) == ["-O"]
    assert interpreter_options(["/usr/bin/python3", str(tool), "record"]) == []
