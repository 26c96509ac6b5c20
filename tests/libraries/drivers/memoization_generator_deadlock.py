"""A cache's arguments are yielded under its lock: workers that are waited for meanwhile need it.

requires: memoization==0.4.0
include: memoization
expect: deadlock
at: memoization/caching/plain_cache.py, memoization_generator_deadlock.py
"""

import threading

from memoization import cached


@cached(max_size=None)
def load(name):
    return name.upper()


def fill():
    for number in range(50):
        load(f"page {number}")


def refresh():
    for (name,), _ in load.cache_arguments():
        worker = threading.Thread(target=load, args=(f"new {name}",), daemon=True)
        worker.start()
        worker.join()


threads = [threading.Thread(target=fill) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
refresher = threading.Thread(target=refresh, daemon=True)
refresher.start()
refresher.join(3)
print(f"RESULT the refresher stands still: {refresher.is_alive()}")
