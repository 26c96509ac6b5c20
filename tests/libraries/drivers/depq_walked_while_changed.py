"""A queue hands its iterator out from under its lock: who walks through it fails as another thread puts or takes.

requires: depq==1.5.5
include: depq
expect: changed while iterated
at: depq/depq.py:DEPQ.__iter__, depq/depq.py:DEPQ.insert, depq/depq.py:DEPQ.popfirst
"""

import threading
import time

from depq import DEPQ

jobs = DEPQ()
for number in range(50):
    jobs.insert(f"job {number}", number)
failed, shown = [], []


def work():
    for number in range(100):
        job, priority = jobs.popfirst()
        time.sleep(0.001)
        jobs.insert(job, priority - 50)


def show():
    for _ in range(20):
        try:
            for job, priority in jobs:
                shown.append(job)
                time.sleep(0.0001)
        except RuntimeError as error:
            failed.append(error)


threads = [threading.Thread(target=target) for target in (work, work, show)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failed)} lists of 20 failed, {len(shown)} jobs were shown")
