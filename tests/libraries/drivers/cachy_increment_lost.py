"""A store in a dictionary reads a number and puts it back, changed.

requires: cachy==0.3.0
include: cachy
expect: lost update, unguarded update
at: cachy/stores/dict_store.py
"""

import threading

from cachy import CacheManager

cache = CacheManager({"default": "dict", "stores": {"dict": {"driver": "dict"}}}).store()
cache.forever("hits", 0)
ROUNDS = 4000


def work(place):
    for _ in range(ROUNDS):
        cache.increment("hits")


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {4 * ROUNDS - cache.get('hits')} increments lost")
