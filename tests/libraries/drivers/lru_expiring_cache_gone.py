"""A cached result is removed between the question whether it is there and its use: the call fails.

requires: lru-expiring-cache==1.1
include: lru
expect: failed access, stale check, unguarded check
at: lru/decorators.py
"""

# The wrapper of lazy_cache() asks `key in cache`, whether the entry is too old, and then takes or deletes it, without a
# lock. Another caller deletes it, or clears all, in between: the caller of the function gets a KeyError.

import threading

from lru import lazy_cache

CALLS = 30000
failures = []


@lazy_cache(maxsize=10, expires=0.0005)
def square(number):
    return number * number


def work(place):
    for number in range(CALLS):
        try:
            square(number % 4 if number % 7 else number % 97 + place)
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {3 * CALLS} calls failed")
