"""All entries of a cache are gone through under its lock, but results are put in without it.

requires: memoization==0.4.0
include: memoization
expect: changed while iterated, unguarded iteration
at: memoization/caching/plain_cache.py
"""

import threading

from memoization import cached

failures = []
walks = []
done = threading.Event()


@cached(max_size=None)
def square(number):
    return number * number


def work(place):
    for number in range(4000):
        square(place * 10_000 + number)


def show():
    while not done.is_set():
        seen = []
        try:
            square.cache_for_each(lambda arguments, result, is_alive: seen.append(result))
            walks.append(len(seen))
        except (KeyError, RuntimeError) as error:
            failures.append(error)


reader = threading.Thread(target=show)
reader.start()
threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
done.set()
reader.join()
print(f"RESULT {len(failures)} of {len(walks) + len(failures)} walks failed")
