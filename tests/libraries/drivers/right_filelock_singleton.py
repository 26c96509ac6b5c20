"""Threads ask for the only lock of a file, and count in the file while they hold it.

requires: filelock==4.3.1
include: filelock
expect: nothing
"""

import tempfile
import threading
from pathlib import Path

from filelock import FileLock

ROUNDS = 20
failures = []

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "visits")
    file.write_text("0")

    def visit():
        for _ in range(ROUNDS):
            try:
                with FileLock(f"{file}.lock", is_singleton=True, poll_interval=0.001):
                    file.write_text(str(int(file.read_text()) + 1))
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"RESULT {file.read_text()} of {3 * ROUNDS} visits were counted, {len(failures)} failed")
