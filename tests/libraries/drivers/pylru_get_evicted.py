"""A key is there as it is looked for, and evicted by another thread as it is fetched.

requires: pylru==1.3.3
include: pylru
expect: failed access, unguarded check
at: pylru.py:lrucache.get, pylru.py:lrucache.__getitem__
"""

import threading

from pylru import lrucache

cache = lrucache(3)
failures = []


def read():
    for number in range(15000):
        try:
            cache.get(number % 4)
        except KeyError as error:
            failures.append(error)


def write():
    for number in range(15000):
        try:
            cache[number % 4] = number
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=target) for target in (read, write, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed")
