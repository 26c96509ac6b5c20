"""A task's priority is changed while another thread takes it: the one removes what the other has taken.

requires: boltons==26.2.0
include: boltons.queueutils
expect: failed access, unguarded check
at: boltons/queueutils.py
"""

import threading

from boltons.queueutils import HeapPriorityQueue

tasks = HeapPriorityQueue()
failures = []


def add():
    for number in range(5000):
        try:
            tasks.add(number % 5, priority=number % 3)
        except KeyError as error:
            failures.append(error)


def work():
    for _ in range(5000):
        try:
            tasks.pop(default=None)
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=target) for target in (add, add, work, work)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed")
