"""A store in a dictionary, used with a lock round it.

requires: cachy==0.3.0
include: cachy
expect: nothing
"""

import threading

from cachy import CacheManager

cache = CacheManager({"default": "dict", "stores": {"dict": {"driver": "dict"}}}).store()
cache.forever("hits", 0)
lock = threading.Lock()
ROUNDS = 1000


def work(place):
    for number in range(ROUNDS):
        with lock:
            cache.increment("hits")
            cache.forever(f"last{number % 9}", place)
            cache.forget(f"last{(number + 4) % 9}")


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {4 * ROUNDS - cache.get('hits')} increments lost")
