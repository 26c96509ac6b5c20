"""Threads set, get and delete entries of a cache that takes its lock to change.

requires: CacheControl==0.14.4
include: cachecontrol
expect: nothing
"""

import threading

from cachecontrol.cache import DictCache

cache = DictCache()
got = []
failures = []


def work():
    for number in range(500):
        key = f"http://example.com/{number % 20}"
        try:
            if (page := cache.get(key)) is not None:
                got.append(page)
            cache.set(key, b"page")
            if number % 3 == 0:
                cache.delete(key)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(got)} pages were got, {len(failures)} failed")
