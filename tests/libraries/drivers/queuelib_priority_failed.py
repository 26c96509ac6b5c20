"""Threads take from the same queue by priority: one deletes what another has deleted.

requires: queuelib==1.10.0
include: queuelib
expect: failed access, stale check
at: queuelib/pqueue.py, queuelib/queue.py
"""

import threading

from queuelib import PriorityQueue
from queuelib.queue import FifoMemoryQueue

queue = PriorityQueue(lambda priority: FifoMemoryQueue())
TASKS = 1500
taken = []
failures = []
finished = threading.Event()


def put():
    for number in range(TASKS):
        try:
            queue.push(number, number % 5)
        except Exception as error:
            failures.append(error)
    finished.set()


def take():
    idle = 0
    while idle < 20:
        idle += finished.is_set()
        try:
            if (task := queue.pop()) is not None:
                taken.append(task)
                idle = 0
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=put)] + [threading.Thread(target=take) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(taken)} of {TASKS} tasks were taken, {len(failures)} failed: {failures[:1]}")
