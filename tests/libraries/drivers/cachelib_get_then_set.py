"""Each method of the cache is locked, but not what is read from it and written back.

requires: cachelib==0.17.0
include: cachelib
expect: lost update, unguarded update, stale check
at: cachelib_get_then_set.py:count, cachelib/simple.py
"""

import threading

from cachelib import SimpleCache

cache = SimpleCache()
cache.set("visits", 0)
EACH = 1500


def count():
    for _ in range(EACH):
        cache.set("visits", cache.get("visits") + 1)


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {cache.get('visits')} of {4 * EACH} visits were counted")
