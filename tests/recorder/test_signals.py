"""Signals while a script is recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.script_process import CHILD
from tests.recording import COMMAND, Recording, Scripts, environment

# No signal.pause(): one that arrives just before it would be waited for in vain, recorded or not.
WAITS = "import time\nprint('ready', flush=True)\nwhile True:\n    time.sleep(0.01)\n"


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", process.communicate()


def exit_codes(scripts: Scripts) -> list[object]:
    return [code for (code,) in scripts.query("SELECT exit_code FROM runs ORDER BY id")]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_to_us_reaches_the_script(signum: int, scripts: Scripts) -> None:
    scripts.write("script.py", WAITS)
    with scripts.start("script.py") as process:
        ready(process)
        process.send_signal(signum)
        process.communicate()
    assert process.returncode == -signum
    assert exit_codes(scripts) == [128 + signum]
    assert scripts.spools() == []


def test_a_script_may_handle_the_signal(scripts: Scripts) -> None:
    handler = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(5))\n"
    scripts.write("script.py", handler + WAITS)
    with scripts.start("script.py") as process:
        ready(process)
        process.terminate()
        process.communicate()
    assert process.returncode == 5


@pytest.mark.parametrize("runs", ["1", "4"])
def test_ctrl_c_ends_the_script_and_the_run_is_stored(runs: str, scripts: Scripts) -> None:
    scripts.write("script.py", WAITS)
    with scripts.start("--runs", runs, "script.py") as process:
        ready(process)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert stderr.endswith(b"KeyboardInterrupt\n")
    assert exit_codes(scripts) == [130]


def test_a_script_may_handle_ctrl_c(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        "try:\n"
        + "".join(f"    {line}\n" for line in WAITS.splitlines())
        + "except KeyboardInterrupt:\n    print('handled')\n",
    )
    with scripts.start("script.py") as process:
        ready(process)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (0, b"handled\n", b"")
    assert exit_codes(scripts) == [0]


def test_ctrl_c_before_the_script_begins(scripts: Scripts) -> None:
    """The script's process ends by it; nothing of ours is shown. How it is to record is in a pipe that has no end."""
    spool = scripts.folder / "spool"
    spool.mkdir()
    os.mkfifo(spool / "options.json")
    scripts.write("script.py", "print('ran')")
    command: list[str | Path] = [sys.executable, CHILD, spool, "optional", "script", "script.py"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scripts.folder)
    with (spool / "options.json").open("wb"):
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_ctrl_c_while_a_command_is_loaded(scripts: Scripts) -> None:
    scripts.write("click.py", "import sys\nprint('ready', flush=True)\nsys.stdin.read()")
    with subprocess.Popen(
        [*COMMAND, "runs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=scripts.folder,
        env=environment(),
    ) as process:
        ready(process)
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_ctrl_backslash_ends_the_script(scripts: Scripts) -> None:
    scripts.write("script.py", WAITS)
    with scripts.start("script.py") as process:
        ready(process)
        os.killpg(process.pid, signal.SIGQUIT)
        process.communicate()
    assert process.returncode == -signal.SIGQUIT
    assert exit_codes(scripts) == [128 + signal.SIGQUIT]


def test_what_is_ignored_stays_ignored(scripts: Scripts) -> None:
    """As under nohup, or in the background of a plain sh."""
    scripts.write("script.py", "import signal\nprint(*map(signal.getsignal, (signal.SIGINT, signal.SIGHUP)))")
    command = ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh"]
    done = scripts.run([*command, *scripts.recording_command("script.py")], env=environment())
    assert done.stdout == b"1 1\n" or done.stdout == b"Handlers.SIG_IGN Handlers.SIG_IGN\n"


def test_job_control_stops_and_continues_both(scripts: Scripts) -> None:
    scripts.write("script.py", "print('ready', flush=True)\nprint(input())")
    with scripts.start("script.py") as process:
        ready(process)
        os.killpg(process.pid, signal.SIGTSTP)
        # No terminal controls an orphaned group, so the system drops SIGTSTP: this one is not to be dropped.
        os.killpg(process.pid, signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.killpg(process.pid, signal.SIGCONT)
        stdout, _ = process.communicate(b"went on\n")
    assert (process.returncode, stdout) == (0, b"went on\n")


STOPPED_WHILE_LOADING = """
import os, signal, sys
class Stopping:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy._core.memmap":  # half of it is loaded
            os.kill(os.getpid(), signal.SIGHUP)
sys.meta_path.insert(0, Stopping())
from opcodetrace_cli import main
main()
"""


def test_a_signal_while_what_stores_is_loaded(scripts: Scripts) -> None:
    """It stops the storing, and the table of the runs can be shown all the same."""
    scripts.write("script.py", "print('ran')")
    assert scripts.recorded("script.py").returncode == 0  # else it is loaded before the script runs
    command = [sys.executable, "-c", STOPPED_WHILE_LOADING, "record", "-d", str(scripts.database), "--runs", "2"]
    done = scripts.run([*command, "script.py"])
    assert (done.returncode, done.stdout) == (128 + signal.SIGHUP, b"ran\n")
    stopped, kept, *table = done.stderr.decode().splitlines()
    assert stopped == "opcodetrace: stopped by SIGHUP before the trace was stored"
    assert "is kept in" in kept
    assert "not recorded" in table[-1]
    assert not [line for line in table if line.startswith("opcodetrace: ")]
    assert scripts.opcodetrace("recover").stdout == b"recovered: run 2\n"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", ["opcodetrace: the script was ended by a signal: SIGSEGV"]),
        ("sys.exit(139)", []),
    ],
)
def test_the_signal_that_ended_a_script_is_told(
    end: str, told: list[str], record: Callable[..., Recording], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import os, signal, sys\n{end}\n")
    recording = record(script)
    assert recording.exit_code in (139, -signal.SIGSEGV)
    assert [line for line in recording.stderr.splitlines() if "the script was" in line] == told
