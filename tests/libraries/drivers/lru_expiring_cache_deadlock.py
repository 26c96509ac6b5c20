"""A thread adds to a cache while its cleaner deletes what has expired: both stand still.

requires: lru-expiring-cache==1.1
include: lru
expect: deadlock
at: lru/cache.py
"""

# add() holds the lock of the cache and takes that of the condition, to notify the cleaner; the cleaner holds the
# condition, and takes the lock of the cache to delete.

import threading

from lru import LruCache

SESSIONS = 5000
cache = LruCache(maxsize=100000, expires=0.002)
added = []
failures = []


def work(place):
    for number in range(SESSIONS):
        try:
            cache[place, number] = number
            added.append(number)
        except ReferenceError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(0.8)
still = sum(thread.is_alive() for thread in threads)
print(f"RESULT {still} threads stand still, {len(added)} of {3 * SESSIONS} were added, {len(failures)} calls failed")
