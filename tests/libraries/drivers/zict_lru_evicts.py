"""Threads get and set in the same cache: it evicts what another thread is just using, and fails.

requires: zict==2.2.0
include: zict, heapdict
expect: failed access, stale check, unguarded check, lost update, unguarded update, unguarded change
at: zict/lru.py, heapdict.py
"""

# evict() takes the key from the heap and then from the dictionary; __getitem__() reads the dictionary, and then puts
# the key into the heap anew; neither has a lock. Keys of which one part is gone raise KeyError, and the weight drifts.

import threading

from zict import LRU

cache = LRU(20, {})
failures = []


def work(place):
    for number in range(10000):
        key = (number * (place + 1)) % 40
        try:
            if key in cache:
                cache[key]
            else:
                cache[key] = number
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed, weight {cache.total_weight} for {len(cache)} items of at most 20")
