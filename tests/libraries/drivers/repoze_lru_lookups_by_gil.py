"""A cache counts its lookups and hits outside of its lock: only the GIL keeps each of them.

requires: repoze.lru==0.8
include: repoze.lru
expect: unguarded update:gil-only, lost update
at: repoze/lru/__init__.py:LRUCache.get
"""

import threading

from repoze.lru import LRUCache

LOOKUPS = 1000
cache = LRUCache(50)
start = threading.Barrier(4)
failures = []


def work():
    start.wait()
    for number in range(LOOKUPS):
        try:
            if cache.get(number % 80) is None:
                cache.put(number % 80, f"page {number % 80}")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {cache.lookups} of {4 * LOOKUPS}, {cache.hits + cache.misses} hits or misses, {len(failures)} failed")
