"""Threads push to and pop from a priority queue under one lock.

requires: pqdict==1.5.1
include: pqdict
expect: nothing
"""

import threading

from pqdict import pqdict

JOBS = 400
queue = pqdict()
lock = threading.Lock()
taken = []
failures = []


def work(place):
    for number in range(JOBS):
        try:
            with lock:
                queue[(place, number)] = number
            with lock:
                taken.append(queue.pop())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(taken))} of {3 * JOBS} jobs were taken, {len(failures)} calls failed")
