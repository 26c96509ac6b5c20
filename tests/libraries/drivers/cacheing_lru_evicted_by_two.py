"""Threads fill a cache of the last recently used: two throw out the same item, and one fails.

requires: cacheing==0.1.1
include: cacheing
expect: failed access, stale check, unguarded check, lost update, unguarded update, changed while iterated
at: cacheing/__init__.py
"""

# To make room, a put looks for the first item, takes it out, and counts one down. Two threads find the same first item:
# KeyError for one of them, a count that is wrong from then on, and an order that has keys that are gone.

import threading

from cacheing import LRUCache

PUTS = 40_000
cache = LRUCache(50)
start = threading.Barrier(4)
failures = []


def work(mine):
    start.wait()
    for number in range(PUTS):
        key = (number * mine) % 120
        try:
            if cache.get(key) is None:
                cache[key] = number
        except (KeyError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(mine,)) for mine in (1, 3, 7, 11)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {4 * PUTS} uses failed: {failures[:1]}, {len(cache)} items are in 50 places")
