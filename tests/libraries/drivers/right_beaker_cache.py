"""A cache that makes each value once, whoever asks for it.

requires: Beaker==1.14.1
include: beaker
expect: nothing
"""

import threading

from beaker.cache import CacheManager
from beaker.util import parse_cache_config_options

cache = CacheManager(**parse_cache_config_options({"cache.type": "memory"})).get_cache("pages")
made = []
ready = threading.Barrier(4)
ROUNDS = 60


def make(number):
    made.append(number)
    return [number] * 10


def work(place):
    for number in range(ROUNDS):
        ready.wait()
        cache.get(f"page{number}", createfunc=lambda: make(number))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} made of {ROUNDS} pages")
