"""A cached function whose cache is guarded by the lock that it is given.

requires: cachetools==8.0.2
include: cachetools
expect: nothing
"""

import threading

from cachetools import LRUCache, cached

failures = []


@cached(LRUCache(maxsize=50), lock=threading.RLock(), info=True)
def square(number):
    return number * number


def work(seed):
    for number in range(1500):
        try:
            if square((number * seed) % 211) != ((number * seed) % 211) ** 2:
                failures.append(number)
        except (KeyError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
info = square.cache_info()
print(f"RESULT {len(failures)} calls failed; {info.hits + info.misses} of 6000 calls were counted")
