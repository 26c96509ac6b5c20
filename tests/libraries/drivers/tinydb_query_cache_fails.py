"""The cache of queries finds a key and moves it to its end; another thread has pushed it out meanwhile: KeyError.

requires: tinydb==4.9.0
include: tinydb
expect: failed access, unguarded check
at: tinydb/utils.py:LRUCache.get
"""

import threading

from tinydb.utils import LRUCache

cache = LRUCache(capacity=4)
failures = []


def search(seed):
    for number in range(8000):
        key = str(number * seed % 7)
        try:
            if cache.get(key) is None:
                cache.set(key, [key])
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=search, args=(seed,)) for seed in (1, 2, 3, 4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} searches failed")
