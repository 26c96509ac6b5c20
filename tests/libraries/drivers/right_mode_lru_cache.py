"""A cache of the last used that locks what it does, if it is told to; threads put, get, count and list.

requires: mode-streaming==0.7.1
include: mode
expect: nothing
"""

import threading

from mode.utils.collections import LRUCache

cache = LRUCache(limit=50, thread_safety=True)
counters = LRUCache(limit=10, thread_safety=True)
for name in "abcd":
    counters[name] = "0"
ROUNDS = 600
failed = []
ready = threading.Barrier(4)


def use(place):
    ready.wait()
    for number in range(ROUNDS):
        try:
            cache[number % 70] = place
            cache.get(number % 35)
            counters.incr("abcd"[number % 4])
            cache.setdefault(number % 90, place)
            if number % 20 == 0:
                for key in list(cache):
                    cache.get(key)
                cache.pop(number % 70, None)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counted = sum(int(counters[name]) for name in "abcd")
print(f"RESULT nothing wrong: {counted} counted of {4 * ROUNDS}, {len(cache)} of 50 kept, {len(failed)} failed")
