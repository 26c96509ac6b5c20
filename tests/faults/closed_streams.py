"""Standard streams that are closed, full, or whose reader has gone, in every combination."""

from __future__ import annotations

import os
from collections.abc import Iterable

from tests.faults import laws
from tests.faults.trial import Ended, Trial

SCRIPT = """
import sys, threading
counter, lock = [0], threading.Lock()
def work():
    for _ in range(100):
        with lock:
            counter[0] += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
SAYS = (
    "print('said')",
    "print('said', flush=True)",
    "print('said', file=sys.stderr)",
    "print(repr(sys.stdin and sys.stdin.read()))",
    "print(sys.stdin is None, sys.stdout is None, sys.stderr is None)",
    "1 / 0",
    "sys.exit('a reason')",
    "sys.exit(3)",
    "import os; print(os.open('/dev/null', 0))",
    "import subprocess; print(subprocess.run(['sh', '-c', 'echo said; exit 2']).returncode)",
    "print('x' * 100_000)",
)
KINDS = ("open", "open", "closed", "full", "gone", "null")
REDIRECTIONS = {"closed": "&-", "full": "/dev/full", "null": "/dev/null"}


def trial(t: Trial) -> None:
    t.with_earlier_run()
    script = t.script("\n".join([SCRIPT, *t.random.sample(SAYS, t.random.randrange(1, 3))]))
    t.note(script.read_text().removeprefix(SCRIPT))
    kinds = [t.random.choice(KINDS) for _ in range(3)]
    t.note(f"stdin, stdout, stderr: {kinds}")
    plain = _run(t, kinds, [t.recording()[0], script])
    quiet = ["-q"] if t.chance(2) else []
    if t.chance(5):  # the script's stdout is ours then, and when it cannot be written the script hears another reason
        done = _run(t, kinds, t.recording(*quiet, "--runs", "2", script))
        laws.no_fault_of_ours(t, done, plain.stderr * 2)
        t.require(done.code in (plain.code, 0, 1, 120), f"exit code {done.code} is none that is documented:\n{done}")
        runs = 2
    else:
        done = _run(t, kinds, t.recording(*quiet, script))
        laws.as_plain(t, done, plain)
        runs = 1
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) - 1
    t.require(stored == runs, f"{stored} runs are stored:\n{done}")
    command = t.random.choice((("report",), ("runs",), ("check",), ("query", "threads"), ("query",), ("recover",)))
    laws.answered(t, _run(t, kinds, t.command(*command)), 0, 74, heard=kinds[2] == "open")


def _run(t: Trial, kinds: Iterable[str], command: Iterable[object]) -> Ended:
    """With such streams; what is open is read."""
    redirections = []
    given: list[int] = []
    for number, kind in enumerate(kinds):
        sign = "<" if number == 0 else ">"
        if kind == "full" and number == 0:
            kind = "null"  # from there comes what never ends
        if kind in REDIRECTIONS:
            redirections.append(f"{number}{sign}{REDIRECTIONS[kind]}")
            given.append(-1)
        elif kind == "gone":
            reader, writer = os.pipe()
            os.close(writer if number == 0 else reader)
            given.append(reader if number == 0 else writer)
        else:
            given.append(-1)
    line = f'exec "$@" {" ".join(redirections)}'
    process = t.start(["sh", "-c", line, "sh", *map(str, command)], stdin=given[0], stdout=given[1], stderr=given[2])
    for descriptor in given:
        if descriptor >= 0:
            os.close(descriptor)
    return t.ended(process, b"" if process.stdin else None)
