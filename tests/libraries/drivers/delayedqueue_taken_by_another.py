"""A consumer is woken for an item that another consumer has taken meanwhile, and does not look whether it is there.

requires: delayedqueue==1.0.0
include: delayedqueue
expect: failed access, stale check, stolen wake-up
at: delayedqueue/delayedqueue.py:DelayedQueue.get
"""

import threading
import time

from delayedqueue import DelayedQueue

queue = DelayedQueue()
JOBS = 300
done, failed = [], []


def work():
    while True:
        try:
            job = queue.get()
        except IndexError as error:
            failed.append(error)
            continue
        if job is None:
            return
        done.append(job)


def produce():
    for number in range(JOBS):
        queue.put(number, 0)
        if number % 3 == 0:
            time.sleep(0.001)
    for _ in workers:
        queue.put(None, 0)


workers = [threading.Thread(target=work, daemon=True) for _ in range(6)]
producer = threading.Thread(target=produce)
for thread in [*workers, producer]:
    thread.start()
producer.join()
for thread in workers:
    thread.join(2)
print(f"RESULT {len(failed)} consumers failed, {len(done)} jobs of {JOBS} are done")
