"""Disks that are full, from the beginning or from some moment on, and that have room again before `recover`."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import subprocess
from pathlib import Path

from tests.faults import laws
from tests.faults.trial import Ended, Trial

WORKS = """
import sys, threading
counter, lock = [0], threading.Lock()
def work():
    for _ in range(int(sys.argv[1])):
        with lock:
            counter[0] += 1
print("ready", flush=True)
input()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("worked", flush=True)
input()
print("end")
raise SystemExit(int(sys.argv[2]))
"""
PRINTED = b"ready\nworked\nend\n"


@functools.cache
def mounts() -> bool:
    """Whether this user may mount file systems in a namespace of its own, and go into it."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


def trial(t: Trial) -> None:
    if mounts() and not t.chance(4):
        _in_a_small_file_system(t)
    else:
        _with_a_limit_on_files(t)


def _options(t: Trial) -> list[str | Path]:
    options: list[str | Path] = ["-q"] if t.chance(2) else []
    if t.chance(4):
        options += ["--last", "1000"]
    elif t.chance(4):
        options += ["--window", t.random.choice(("1M", "16M"))]
    if t.chance(3):
        options += ["--keep", "all"]
    if t.chance(6):
        options += ["--calls"]
    return options


def _with_a_limit_on_files(t: Trial) -> None:
    """No file may become larger than so many bytes, be it the window or the trace file."""
    script = t.script(WORKS)
    t.with_earlier_run()
    code = str(t.random.choice((0, 0, 3)))
    blocks = t.random.choice((0, t.size(1, 100_000)))  # of 512 bytes
    command = t.recording(*_options(t), script, str(t.size(10, 30_000)), code)
    done = t.run(["sh", "-c", f'ulimit -f {blocks} && exec "$@"', "sh", *command], b"\n\n")
    laws.as_plain(t, done, Ended(int(code), PRINTED, b""))
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) - 1
    t.require(stored == laws.is_recorded(done), f"{stored} runs are stored:\n{done}")


def _in_a_small_file_system(t: Trial) -> None:
    """A file system of its own for the trace file, that is filled at some moment."""
    script = t.script(WORKS)
    code = str(t.random.choice((0, 0, 3)))
    moment = t.random.choice(("start", "ready", "worked"))
    what = f"size={t.size(300_000, 3_000_000) // 4096 * 4}k" if moment == "start" else "size=64m"
    if moment == "start" and t.chance(6):
        what = f"nr_inodes={t.random.randrange(3, 9)}"  # the folder, the trace file ...
    elif moment == "start" and t.chance(6):
        what = "ro"
    traces = t.database.parent
    line = (
        f'mount -t tmpfs tmpfs "$1" && cp "$2" "$1/trace.db" && mount -o remount,{what} "$1" && echo made && exec cat'
    )
    source = t.prepared.folder / "trace.db"
    holder = t.start(["unshare", "-rm", "sh", "-c", line, "sh", traces, source])
    assert t.line(holder) == b"made\n", holder.communicate()
    enter = ["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials"]
    t.inside = [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(t.folder)]
    seen = Path(f"/proc/{holder.pid}/root{traces}")  # as we find it
    process = t.start(t.recording(*_options(t), script, str(t.size(10, 30_000)), code))
    assert process.stdin is not None
    lines = b""
    left = t.random.choice((0, t.size(4096, 1_000_000)))
    for each in ("ready", "worked"):
        lines += t.line(process)
        if each == moment:
            _fill(seen / "ballast", left)
            t.note(f"full but for {left} bytes")
        process.stdin.write(b"\n")
    done = t.ended(process)
    done = Ended(done.code, lines + done.stdout, done.stderr)
    laws.as_plain(t, done, Ended(int(code), PRINTED, b""))
    if t.chance(2):  # there is no room for it yet
        laws.answered(t, t.opcodetrace("recover"), 0, 74)
        laws.answered(t, t.opcodetrace("report", "-o", traces / "report.md"), 0, 74)
    again = t.run(["mount", "-o", "remount,rw,size=64m,nr_inodes=1000", str(traces)])
    t.require(again.code == 0, again)
    (seen / "ballast").unlink(missing_ok=True)
    answer = t.opcodetrace("recover")
    laws.answered(t, answer, 0)
    left_over = laws.spools(seen / "trace.db")
    t.require(not left_over, f"recover leaves {left_over}:\n{answer}")
    copied = shutil.copy(seen / "trace.db", t.folder / "copied.db")  # SQLite would follow the link out of there
    t.require(not (seen / "trace.db-journal").exists(), "a journal is left")
    stored = laws.earlier_run_is_intact(t, Path(copied)) - 1
    t.require(stored == laws.is_recorded(done), f"{stored} runs are stored:\n{done}")
    holder.communicate(b"")


def _fill(ballast: Path, left: int) -> None:
    """Takes what the file system has, but for so many bytes."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        size = os.fstat(file.fileno()).st_size
        file.truncate(max(0, size - left))
