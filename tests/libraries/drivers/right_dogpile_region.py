"""A region that makes a missing value once, under its lock, however many ask for it.

requires: dogpile.cache==1.5.0
include: dogpile
expect: nothing
"""

import threading
import time

from dogpile.cache import make_region

region = make_region().configure("dogpile.cache.memory")
made = []


def make(key):
    time.sleep(0.001)
    made.append(key)
    return [key]


def use():
    for number in range(60):
        region.get_or_create(f"key{number}", make, creator_args=((f"key{number}",), {}))


threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} of 60 values were made")
