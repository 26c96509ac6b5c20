"""A cache whose counters are increased by its own method, which is locked.

requires: cachelib==0.17.0
include: cachelib
expect: nothing
"""

import threading

from cachelib import SimpleCache

cache = SimpleCache(threshold=20)


def count():
    for number in range(800):
        cache.inc("visits")
        cache.add(f"page{number % 30}", number)
        cache.get(f"page{number % 7}")
        cache.delete(f"page{number % 11}")


cache.set("visits", 0, timeout=0)
threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT visits: {cache.get('visits')}")
