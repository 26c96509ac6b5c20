"""Threads share a reentrant lock of a file: one gets the file that another has just closed.

requires: portalocker==2.10.1
include: portalocker
expect: stale check, unguarded check, lost update, unguarded update, failed access, inconsistent locking
at: portalocker/utils.py
"""

# acquire() takes self.fh if the count is at least one; release() closes the file if the count is one, and only then
# counts down. Nothing guards the count, so that a caller gets None (an assertion fails), or a closed file.

import tempfile
import threading

from portalocker import RLock

failures = []
written = []

with tempfile.TemporaryDirectory() as folder:
    lock = RLock(f"{folder}/journal", timeout=1, check_interval=0.001)

    def work(place):
        for number in range(3000):
            try:
                with lock as file:
                    file.write(f"{place} {number}\n")
                written.append(number)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT {len(failures)} of 9000 writes failed, {len(written)} were written")
