"""Two workers look whether the queue has anything, and both take the last task of it.

requires: boltons==26.2.0
include: boltons.queueutils
expect: failed access, unguarded check
at: boltons_priority_queue.py, boltons/queueutils.py
"""

import threading

from boltons.queueutils import HeapPriorityQueue

tasks = HeapPriorityQueue()
failures = []
done = []


def work(barrier):
    for turn in range(300):
        if barrier.wait() == 0:
            for number in range(7):
                tasks.add((turn, number), priority=number)
        barrier.wait()
        while len(tasks):
            try:
                done.append(tasks.pop())
            except IndexError as error:
                failures.append(error)


barrier = threading.Barrier(4)
threads = [threading.Thread(target=work, args=(barrier,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} tasks were taken that were gone")
