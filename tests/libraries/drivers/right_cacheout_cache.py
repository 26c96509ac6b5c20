"""A cache that locks each of its methods; it evicts and counts nothing twice.

requires: cacheout==0.17.0
include: cacheout
expect: nothing
"""

import threading

from cacheout import LRUCache

cache = LRUCache(maxsize=20)
found = []


def work(place):
    for number in range(500):
        cache.set((place, number % 30), number)
        if cache.get((place, (number * 7) % 30)) is not None:
            found.append(number)
        cache.delete((place, (number * 11) % 30))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(cache)} entries, {len(found)} were found")
