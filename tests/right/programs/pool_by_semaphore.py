"""A semaphore lets as many threads in as there are slots. A deque of free slots gives each a different one."""

import collections
import threading

SLOTS = 3
free = collections.deque(range(SLOTS))
gate = threading.Semaphore(SLOTS)
users = [None] * SLOTS
clashes = []


def work(number):
    for _ in range(50):
        with gate:
            slot = free.pop()
            if users[slot] is not None:
                clashes.append(slot)
            users[slot] = number
            sum(range(20))
            users[slot] = None
            free.append(slot)


threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not clashes and sorted(free) == [0, 1, 2]
