"""An LRU cache without a lock: two threads evict the same key, and one of them fails.

requires: cachetools==8.0.2
include: cachetools
expect: failed access, unguarded check, changed while iterated
at: cachetools/__init__.py
"""

import threading

from cachetools import LRUCache, cached

failures = []


@cached(LRUCache(maxsize=50))
def square(number):
    return number * number


def work(seed):
    for number in range(4000):
        try:
            square((number * seed) % 211)
        except (KeyError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed: {sorted({type(error).__name__ for error in failures})}")
