"""What trials begin with: a trace file that holds a run, and the spool of a recorder that was killed. Made once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from opcodetrace.spool.folder import Process
from tests.recording import COMMAND, environment, record, spools

NO_PROCESS = 99_999_999  # more than a process id can be

EARLIER = """
import asyncio, threading
counter, lock, barrier = [0], threading.Lock(), threading.Barrier(2)
class Account:
    total = 0
account = Account()
def add():
    read = counter[0]
    barrier.wait()  # both have read
    counter[0] = read + 1
def work(number):
    add()
    for _ in range(5):
        with lock:
            account.total += number
async def task(number):
    before = account.total
    await asyncio.sleep(0)
    account.total = before + number
async def tasks():
    await asyncio.gather(task(1), task(2))
threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
asyncio.run(tasks())
print("ready", flush=True)
input()
"""


@dataclass(frozen=True)
class Prepared:
    """A folder with `trace.db` and `spool`."""

    folder: Path

    def copy_trace_file(self, database: Path) -> None:
        shutil.copy(self.folder / "trace.db", database)

    def copy_spool(self, database: Path, number: int = 1) -> Path:
        """A spool beside that trace file, of a process that does not run."""
        folder = database.with_name(f"{database.name}.spool-{NO_PROCESS}-{number}")
        shutil.copytree(self.folder / "spool", folder)
        return folder


def prepare(folder: Path) -> Prepared:
    """Records both."""
    script = folder / "earlier.py"
    script.write_text(EARLIER)
    command = [*COMMAND, "record", "-q", "--calls", "--keep", "all", "--window", "1M", "-d"]
    process = subprocess.Popen(
        [*command, folder / "spooled.db", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    (spool,) = spools(folder / "spooled.db")
    script_process = Process(**json.loads((spool / "meta.json").read_text())["process"])
    process.send_signal(signal.SIGKILL)
    process.communicate(b"\n")  # until nobody holds the script's stdout
    while script_process.is_alive():
        pass
    spool.rename(folder / "spool")
    script.write_text(EARLIER.replace("input()", ""))
    done = record(folder / "trace.db", "--calls", "--keep", "all", script)
    assert done.exit_code == 0, done.stderr
    return Prepared(folder)
