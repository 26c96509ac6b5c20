"""Several recorders on one trace file, and readers beside them."""

from __future__ import annotations

import signal

from tests.faults import laws
from tests.faults.trial import Ended, Trial, children

WORKS = """
import sys, threading
counter, lock = [0], threading.Lock()
def work():
    for _ in range(int(sys.argv[1])):
        with lock:
            counter[0] += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
raise SystemExit(int(sys.argv[2]))
"""
READERS = (
    ("report",),
    ("runs",),
    ("query", "threads"),
    ("query", "--format", "csv", "SELECT * FROM accesses"),
    ("check",),
    ("recover",),
)


def trial(t: Trial) -> None:
    script = t.script(WORKS)
    if not t.chance(4):
        t.with_earlier_run()
        before = 1
    else:
        before = 0
    recorders = []
    for _ in range(min(t.random.randrange(2, 9), t.random.randrange(2, 9))):  # few more often than many
        times, code, runs = t.size(10, 5_000), t.random.choice((0, 0, 3)), 1 + t.chance(4)
        options = ["--runs", str(runs)] if runs > 1 else []
        process = t.start(t.recording("-q", *options, script, str(times), str(code)))
        recorders.append((process, Ended(code, b"%d\n" % (2 * times), b""), runs))
    readers = []
    for _ in range(t.random.randrange(1, 4)):
        t.pass_time(recorders[0][0], t.random.expovariate(1 / 0.3))
        with (t.folder / "read").open("ab") as output:  # a pipe that nobody reads would have it hold its lock
            readers.append(t.start(t.command(*t.random.choice(READERS)), stdout=output))
    killed = None
    if t.chance(4):
        killed = t.random.choice(recorders)[0]
        t.send([*children(killed.pid), killed.pid], signal.SIGKILL)
    least = most = before
    for process, plain, runs in recorders:
        done = t.ended(process, b"")
        most += runs
        if process is killed:
            laws.no_fault_of_ours(t, done)
            continue
        laws.as_plain(t, done, plain, runs)
        least += runs - sum(laws.UNRECORDED in line for line in laws.said(done.stderr)) * runs
    for reader in readers:
        laws.answered(t, t.ended(reader, b""))
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) if before else laws.count_of_runs(t.database)
    t.require(least <= stored <= most, f"{stored} runs are stored, not {least} to {most}")
    laws.answered(t, t.opcodetrace("report"), 0)
