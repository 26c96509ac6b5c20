"""Which modules are woven: the project's, and what --include, --exclude and the configuration say."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from tests.recording import Recording, Scripts
from tests.recording import record as make_recording

MAIN = """
import queue, threading
import bank, other.deep
work = queue.Queue()
def pay():
    for number in range(3):
        work.put(number)
        bank.add()
        other.deep.add()
threads = [threading.Thread(target=pay), threading.Thread(target=pay)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
ADD = "totals = [0]\ndef add():\n    totals[0] += 1\n"


@pytest.fixture
def project(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """A script and three modules of its own."""
    scripts.write("main.py", MAIN)
    scripts.write("bank.py", ADD)
    scripts.write("other/__init__.py", ADD)
    scripts.write("other/deep.py", ADD)
    monkeypatch.chdir(scripts.folder)
    return scripts


def recorded(project: Scripts, *options: str) -> Recording:
    project.database.unlink(missing_ok=True)
    done = make_recording(project.database, *options, "main.py")
    assert done.exit_code == 0, done.stderr
    return done


def woven(recording: Recording) -> dict[str, int]:
    """How many functions of each module were woven."""
    rows = recording.query("SELECT name, functions FROM modules WHERE reason IS NULL AND run_id = 1")
    return {str(name): int(str(functions)) for name, functions in rows}


def left(recording: Recording) -> dict[object, object]:
    return dict(recording.query("SELECT name, reason FROM modules WHERE reason IS NOT NULL"))  # type: ignore[arg-type]


OF_PROJECT = {"__main__": 2, "bank": 2, "other": 2, "other.deep": 2}


def test_the_projects_modules_by_default(project: Scripts) -> None:
    recording = recorded(project)
    assert woven(recording) == OF_PROJECT
    assert left(recording) == {}
    assert "4 modules, 8 functions" in recording.stderr
    assert "--" not in recording.stderr


def test_include_adds_the_library(project: Scripts) -> None:
    recording = recorded(project, "--include", "queue", "--include=threadi?g")
    counts = woven(recording)
    assert counts.keys() == {*OF_PROJECT, "queue", "threading"}
    assert counts["queue"] > 20
    shared = recording.query("SELECT DISTINCT function FROM accesses WHERE path LIKE '%/queue.py'")
    assert ("Queue.put",) in shared


def test_include_covers_what_is_installed(project: Scripts, tmp_path: Path) -> None:
    project.write("site-packages/far/__init__.py", ADD)
    project.write("site-packages/far/near.py", ADD)
    project.write("main.py", "import sys; sys.path.append('site-packages'); import far.near; far.add(); far.near.add()")
    assert woven(recorded(project)).keys() == {"__main__"}
    assert woven(recorded(project, "--include=far.*")).keys() == {"__main__", "far", "far.near"}
    assert woven(recorded(project, "--include=far")).keys() == {"__main__", "far", "far.near"}
    assert woven(recorded(project, "--include=fa?")).keys() == {"__main__", "far", "far.near"}
    assert woven(recorded(project, "--include=far.near")).keys() == {"__main__", "far.near"}
    assert woven(recorded(project, "--include=fa")).keys() == {"__main__"}
    assert woven(recorded(project, "--include=far.?*")).keys() == {"__main__", "far.near"}


def test_exclude_wins(project: Scripts) -> None:
    recording = recorded(project, "--include=queue", "--include=ba*", "--exclude=other.*", "--exclude=bank")
    assert woven(recording).keys() == {"__main__", "queue"}
    assert left(recording) == {"bank": "excluded", "other": "excluded", "other.deep": "excluded"}
    assert recording.stderr.count("--") == 1
    assert "--include ba*: no such module was woven; bank was excluded" in recording.stderr


def test_a_package_is_excluded_with_its_modules(project: Scripts) -> None:
    recording = recorded(project, "--exclude=other")
    assert woven(recording).keys() == {"__main__", "bank"}
    assert left(recording) == {"other": "excluded", "other.deep": "excluded"}


def test_the_script_too_can_be_excluded(project: Scripts) -> None:
    recording = recorded(project, "--exclude=__main__")
    assert woven(recording).keys() == {"bank", "other", "other.deep"}


def test_a_pattern_without_effect_is_named(project: Scripts) -> None:
    recording = recorded(project, "-q", "--include=nobody", "--include=codecs", "--exclude=queue")
    lines = recording.stderr.splitlines()
    assert len(lines) == 3
    assert "--include nobody:" in lines[0]
    assert "--include codecs:" in lines[1] and "codecs was imported by Python itself" in lines[1]
    assert "--exclude queue:" in lines[2]
    assert left(recording).keys() == {"codecs"}
    ((notes,),) = recording.query("SELECT notes FROM runs")
    assert "--include nobody" in str(notes)


def test_nothing_is_said_twice_of_many_runs(project: Scripts) -> None:
    recording = recorded(project, "-q", "--runs=3", "--include=nobody")
    assert recording.stderr.count("--include nobody") == 1


def test_what_cannot_be_woven_runs_and_is_named(project: Scripts) -> None:
    project.write(
        "main.py",
        "import os\ncode = compile('print(7)', os.path.abspath('gone.py'), 'exec')\nexec(code, {'__name__': 'odd'})\n",
    )
    recording = recorded(project)
    assert recording.stdout == "7\n"
    assert woven(recording).keys() == {"__main__"}
    (reason,) = left(recording).values()
    assert "FileNotFoundError" in str(reason)
    assert "module odd ran as it is" in recording.stderr


def test_a_loader_of_the_programs_own(project: Scripts) -> None:
    project.write("odd.py", ADD + "print('odd ran')")
    project.write(
        "main.py",
        """
import sys, importlib.machinery, importlib.util
class Loader(importlib.machinery.SourceFileLoader):
    asked = 0
    def get_data(self, path):
        Loader.asked += path.endswith("odd.py")
        if Loader.asked > 1:
            raise OSError("read once only")
        return super().get_data(path)
spec = importlib.util.spec_from_file_location("odd", "odd.py", loader=Loader("odd", "odd.py"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
""",
    )
    recording = recorded(project)
    assert recording.stdout == "odd ran\n"
    assert woven(recording)["odd"] == 2
    assert left(recording) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[opcodetrace]\ninclude =\n    queue\n    threading\nexclude = other.*, nobody\n"),
        ("pyproject.toml", '[tool.opcodetrace]\ninclude = ["queue", "threading"]\nexclude = ["other.*", "nobody"]\n'),
    ],
)
def test_the_configuration(project: Scripts, name: str, text: str) -> None:
    project.write(name, text)
    recording = recorded(project, "-q")
    assert woven(recording).keys() == {"__main__", "bank", "queue", "threading"}
    assert recording.stderr.count("\n") == 1
    assert "--exclude nobody" in recording.stderr
    # the command line's replace the configuration's of their kind
    assert woven(recorded(project, "-q", "--exclude=bank")).keys() == {
        *("__main__", "other", "other.deep", "queue", "threading")
    }


def test_pyproject_counts_before_setup_cfg(project: Scripts) -> None:
    project.write("setup.cfg", "[opcodetrace]\nexclude = bank\n")
    project.write("pyproject.toml", "[tool.other]\nexclude = 1\n")
    assert "bank" not in woven(recorded(project))
    project.write("pyproject.toml", "[tool.opcodetrace]\n")
    assert "bank" in woven(recorded(project))


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("setup.cfg", "[opcodetrace]\nincludes = queue\n", "includes"),
        ("setup.cfg", "[opcodetrace]\ninclude = ./bank.py\n", "./bank.py"),
        ("setup.cfg", "[opcodetrace\n", "setup.cfg"),
        ("pyproject.toml", '[tool.opcodetrace]\nomit = ["queue"]\n', "omit"),
        ("pyproject.toml", '[tool.opcodetrace]\ninclude = "queue"\n', "include"),
        ("pyproject.toml", "[tool.opcodetrace]\nexclude = [1]\n", "exclude"),
        ("pyproject.toml", "[tool]\nopcodetrace = 3\n", "tool.opcodetrace"),
        ("pyproject.toml", "[tool.opcodetrace\n", "pyproject.toml"),
        ("pyproject.toml", b"# \xff\n", "pyproject.toml"),
    ],
)
def test_a_configuration_that_cannot_be(project: Scripts, name: str, text: str | bytes, named: str) -> None:
    project.write(name, text)
    project.write("main.py", "print('it ran')")
    done = make_recording(project.database, "main.py")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert named in done.stderr


@pytest.mark.parametrize("option", ["--include=", "--exclude=bank.py/x", "--include=a b", "--include=a,b"])
def test_a_pattern_that_cannot_be(project: Scripts, option: str) -> None:
    done = make_recording(project.database, option, "main.py")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_options_do_not_reach_the_script(project: Scripts) -> None:
    project.write("main.py", "import os, sys; print(sys.argv, sys.orig_argv[1:], sorted(os.environ))")
    plain = project.plain("main.py", "--include=x")
    seen = project.recorded("--include=queue", "--exclude=bank", "main.py", "--include=x")
    assert seen.stdout == plain.stdout


def test_the_librarys_folder_is_no_project(project: Scripts) -> None:
    library = sysconfig.get_paths()["stdlib"]
    project.write("main.py", f"import sys; sys.path.insert(0, {library!r}); import json, bank")
    assert woven(recorded(project)).keys() == {"__main__", "bank"}
