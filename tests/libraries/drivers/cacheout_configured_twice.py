"""A named cache is configured by two threads: what one of them has put into it is gone.

requires: cacheout==0.17.0
include: cacheout.manager
expect: stale check, unguarded check
at: cacheout/manager.py
"""

import threading

from cacheout import CacheManager

manager = CacheManager()
ROUNDS = 1200
lost = []


def work(place):
    for number in range(ROUNDS):
        manager.configure(f"cache {number}", maxsize=64)
        manager[f"cache {number}"].set(place, "value")


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(place not in manager[f"cache {number}"] for number in range(ROUNDS) for place in range(4))
print(f"RESULT {lost} of {4 * ROUNDS} values are gone")
