"""Threads pop from and push to the same priority queue: pops fail, and entries are lost.

requires: pqdict==1.5.1
include: pqdict
expect: failed access, stale check, unguarded check, unguarded change
at: pqdict/__init__.py
"""

# The heap and the positions of keys in it are changed one after the other, without a lock: another thread finds a
# position that is no longer in the heap, or a key that has none.

import threading

from pqdict import pqdict

JOBS = 8000
queue = pqdict()
taken = []
failures = []


def work(place):
    for number in range(JOBS):
        try:
            queue[(place, number)] = number
            taken.append(queue.pop())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed, {len(taken) - len(set(taken))} jobs were taken twice")
