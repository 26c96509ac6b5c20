"""Workers look whether the queue has anything, and take it: two take the last task.

requires: boltons==26.2.0
include: boltons.queueutils
expect: failed access, unguarded check
at: boltons_priority_queue.py, boltons/queueutils.py
"""

import threading
import time

from boltons.queueutils import HeapPriorityQueue

tasks = HeapPriorityQueue()
failures = []
done = []
TASKS = 1500


def add():
    for number in range(TASKS):
        tasks.add(number, priority=number % 3)
        if number % 3 == 0:
            time.sleep(0.0002)


def work():
    while len(done) + len(failures) < TASKS:
        if len(tasks):
            try:
                done.append(tasks.pop())
            except IndexError as error:
                failures.append(error)
        else:
            time.sleep(0.0001)


threads = [threading.Thread(target=target) for target in (work, work, work, add)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} tasks were taken that were gone")
