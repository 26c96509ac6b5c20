"""A mapping that throws out what was used least recently; it may be shared by threads.

requires: zict==3.0.0
include: zict
expect: nothing
"""

import threading

from zict import LRU

evicted = []
cache = LRU(20, {}, on_evict=lambda key, value: evicted.append(key))


def work(place):
    for number in range(250):
        cache[place, number % 12] = number


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(cache)} entries, {len(evicted)} were thrown out")
