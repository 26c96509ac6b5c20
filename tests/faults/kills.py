"""Signals at any moment: to the script, to the recorder, to both; while it starts, runs, or is stored."""

from __future__ import annotations

import signal
import subprocess

from tests.faults import laws
from tests.faults.trial import Ended, Trial, children

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)
WORKS = """
import sys, threading
counter = [0]
def work():
    for _ in range(int(sys.argv[1])):
        counter[0] += 1
print("ready", flush=True)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if "waits" in sys.argv:
    sys.stdin.read()
print("end", flush=True)
"""
HANDLES = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
"""
# Exit codes of scripts that were killed: by Python's own handler, by WORKS and HANDLES.
OF_SCRIPTS = (0, 1, 5)


def trial(t: Trial) -> None:
    options, runs = _options(t)
    script = t.script((HANDLES if t.chance(4) else "") + WORKS)
    moment = t.random.choice(("start", "spool", "ready", "ready", "end", "end", "journal"))
    waits = ["waits"] if moment not in ("end", "journal") and t.chance(2) else []
    t.with_earlier_run()
    process = t.start(t.recording(*options, script, str(t.size(10, 100_000)), *waits))
    lines = _until(t, process, moment)
    t.pass_time(process, t.random.expovariate(1 / (0.2 if moment == "start" else 0.1)))
    victim = t.random.choice(("script", "recorder", "both"))
    of_script = children(process.pid)
    t.note(f"at {moment}: {victim}; the script is {of_script}")
    sent = [t.random.choice(SIGNALS) for _ in range(1 + t.chance(4))]
    for signum in sent:
        t.send(([process.pid] if victim != "script" else []) + (of_script if victim != "recorder" else []), signum)
    done = t.ended(process, b"")
    done = Ended(done.code, b"".join(lines) + done.stdout, done.stderr)
    laws.no_fault_of_ours(t, done)
    allowed = {*OF_SCRIPTS, *(-signum for signum in sent), *(128 + signum for signum in sent)}
    if signal.SIGKILL in sent:
        allowed.add(-signal.SIGPIPE)
    t.require(done.code in allowed, f"exit code {done.code} is none that is documented:\n{done}")
    begun = done.stdout.count(b"ready\n")
    ignored = {signal.SIGINT, signal.SIGQUIT, signal.SIGKILL} >= set(sent)
    if victim == "recorder" and ignored and runs == 1 and begun:
        t.require(done.stdout == b"ready\nend\n", f"the script did not run to its end:\n{done}")
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) - 1
    t.require(
        begun <= stored <= runs, f"of {begun} runs that printed, and at most {runs}, {stored} are stored:\n{done}"
    )
    laws.answered(t, t.opcodetrace(*t.random.choice((("runs",), ("report",), ("check",)))), 0, 1)


def _options(t: Trial) -> tuple[list[str], int]:
    """Options of `record`, and how many times it runs the script."""
    drawn = t.random.choice(("one", "one", "runs", "last"))
    runs = t.random.randrange(2, 5) if drawn == "runs" else 1
    options = ["--runs", str(runs)] if drawn == "runs" else []
    if drawn == "last":
        options += ["--last", str(t.size(1, 100_000))]
    if t.chance(3):
        options += ["--keep", "all"]
    return [*options, *(["-q"] if t.chance(2) else [])], runs


def _until(t: Trial, process: subprocess.Popen[bytes], moment: str) -> list[bytes]:
    """Waits for a moment, or the end. Gives the lines that the script has printed."""
    lines: list[bytes] = []
    if moment == "spool":
        while process.poll() is None and not laws.spools(t.database):
            t.pass_time(process, 0.001)
    elif moment != "start":
        wanted = b"ready\n" if moment == "ready" else b"end\n"
        while lines[-1:] != [wanted]:
            lines.append(t.line(process))
            if not lines[-1]:
                break
    if moment == "journal":
        journal = t.database.with_name(f"{t.database.name}-journal")
        while process.poll() is None and not journal.exists():
            t.pass_time(process, 0.001)
    return lines
