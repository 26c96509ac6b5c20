"""Under a terminal: with and without colours, resized, hung up, with keys that stop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

from tests.faults import laws
from tests.faults.trial import Ended, Trial

# Makes its stdin the terminal that controls the session, says so, then is the command.
TAKES = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.write(1, b"taken\\n")
os.execvp(sys.argv[1], sys.argv[1:])
"""
TAKEN = b"taken\r\n"
WORKS = """
import os, sys, threading
counter, lock = [0], threading.Lock()
def work():
    for _ in range(int(sys.argv[1])):
        with lock:
            counter[0] += 1
print("ready", *(os.isatty(number) for number in range(3)), flush=True)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if "waits" in sys.argv:
    sys.stdin.read()
print("end")
sys.exit(int(sys.argv[2]))
"""
COLOURS: tuple[dict[str, str], ...] = (
    {"TERM": "xterm-256color"},
    {"TERM": "xterm-256color", "NO_COLOR": "1"},
    {"TERM": "dumb"},
    {"TERM": "unknown", "FORCE_COLOR": "1"},
    {"TERM": "", "COLUMNS": "3"},
    {"TERM": "xterm", "LANG": "C", "PYTHONUTF8": "0", "LC_ALL": "C"},
)
KEYS = {"^C": (b"\x03", signal.SIGINT), "^\\": (b"\x1c", signal.SIGQUIT)}


def trial(t: Trial) -> None:
    t.with_earlier_run()
    env = t.random.choice(COLOURS)
    t.note(str(env))
    if t.chance(3):
        _a_command(t, env)
    else:
        _a_recording(t, env)
    laws.recovered(t)
    laws.earlier_run_is_intact(t)


def _a_command(t: Trial, env: dict[str, str]) -> None:
    command = t.random.choice((("report",), ("runs",), ("check",), ("query", "threads"), ("query",), ("recover",)))
    with Terminal(t, t.command(*command), env) as terminal:
        done = terminal.end(resized=t.random.randrange(4))
    _is_shown(t, done)
    t.require(done.code in (0, 1), f"exit code {done.code} is none that is documented:\n{done}")
    if "NO_COLOR" in env or env["TERM"] == "dumb":
        t.require(b"\x1b[3" not in done.stdout, f"colours:\n{done}")


def _a_recording(t: Trial, env: dict[str, str]) -> None:
    what = t.random.choice(("nothing", "resized", "resized", "hang-up", "hang-up", *KEYS))
    moment = t.random.choice(("start", "ready", "ready"))
    code = str(t.random.choice((0, 0, 3)))
    arguments: list[str | Path] = [t.script(WORKS), str(t.size(10, 20_000)), code]
    if what not in ("nothing", "resized"):
        arguments += ["waits"] if moment == "ready" else []
    runs = t.random.choice((1, 1, 3))
    quiet = t.chance(2)
    options = [*(["--runs", str(runs)] if runs > 1 else []), *(["-q"] if quiet else [])]
    t.note(f"{what} at {moment}")
    with Terminal(t, t.recording(*options, *arguments), env) as terminal:
        if what in ("nothing", "resized"):
            done = terminal.end(resized=5 if what == "resized" else 0)
        else:
            if moment == "ready":
                terminal.until(b"ready")
            t.pass_time(terminal.process, t.random.expovariate(1 / 0.1))
            if what == "hang-up":
                terminal.hang_up()
            else:
                terminal.type(KEYS[what][0])
            done = terminal.end()
    laws.no_fault_of_ours(t, done)
    if what in ("nothing", "resized"):
        t.require(done.code == int(code), f"another exit code than by itself:\n{done}")
        t.require(done.stdout.count(b"\nend\r\n") == runs, f"the script did not run to its end:\n{done}")
        if quiet and runs == 1:
            with Terminal(t, [sys.executable, *arguments], env) as terminal:
                plain = terminal.end()
            laws.as_plain(t, done, plain)
        return
    if laws.before_us(done):
        return
    signum = signal.SIGHUP if what == "hang-up" else KEYS[what][1]
    t.require(done.code in (int(code), -signum, 128 + signum), f"exit code {done.code} is not documented:\n{done}")


def _is_shown(t: Trial, done: Ended) -> None:
    laws.no_fault_of_ours(t, Ended(done.code, b"", done.stdout))


class Terminal:
    """A terminal with a process that it controls. What is shown comes as its stdout."""

    def __init__(self, t: Trial, command: Sequence[str | Path], env: dict[str, str]) -> None:
        self._trial = t
        self._master: int | None
        self._master, slave = pty.openpty()
        self._shown = b""
        self._resize()
        self.process: subprocess.Popen[bytes] = t.start(
            [sys.executable, "-c", TAKES, *command], stdin=slave, stdout=slave, stderr=slave, env=env
        )
        os.close(slave)
        self.until(TAKEN)  # one that goes away before is nobody's
        self._shown = self._shown.removeprefix(TAKEN)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def _resize(self) -> None:
        assert self._master is not None
        draw = self._trial.random
        size = (draw.choice((0, 1, 24, 60)), draw.choice((0, 1, 2, 20, 80, 81, 300)))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def _read(self) -> bool:
        """Whether anything came: not if nobody holds the terminal any more."""
        if self._master is None:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self._shown += data
        return bool(data)

    def until(self, text: bytes) -> None:
        while text not in self._shown and self._read():
            pass

    def type(self, keys: bytes) -> None:
        assert self._master is not None
        os.write(self._master, keys)

    def hang_up(self) -> None:
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def end(self, *, resized: int = 0) -> Ended:
        """Waits for the end. The terminal is resized a few times meanwhile."""
        for _ in range(resized):
            self._trial.pass_time(self.process, self._trial.random.expovariate(1 / 0.1))
            with contextlib.suppress(OSError):
                self._resize()
        while self._read():
            pass
        done = Ended(self.process.wait(), self._shown, b"")
        self._trial.note(str(done))
        return done
