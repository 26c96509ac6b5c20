"""Results that are kept for a moment run out: two threads throw out the same one, and one fails.

requires: cachetools==8.0.2
include: cachetools
expect: failed access, stale check, unguarded check, lost update, unguarded update, stale container
at: cachetools/__init__.py
"""

# Each look-up and each store first takes out what has expired, which is a linked list and two dictionaries. Two
# threads that are at it together unlink the same item: KeyError, wrong links, and a size that is never right again.

import threading

from cachetools import TTLCache, cached

CALLS = 4000
cache = TTLCache(maxsize=64, ttl=0.002)
failures = []
start = threading.Barrier(4, timeout=20)


@cached(cache)
def square(number):
    return number * number


def work(seed):
    start.wait()
    for number in range(CALLS):
        try:
            square((number * seed) % 150)
        except (KeyError, AttributeError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
try:
    cache.clear()
except (KeyError, AttributeError, RuntimeError) as error:
    failures.append(error)
print(f"RESULT {len(failures)} of {4 * CALLS} calls failed; cleared, its size is {cache.currsize}")
