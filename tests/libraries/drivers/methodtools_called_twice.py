"""A cached method is called by two threads at the same time: each gets a cache of its own, and calls the method.

requires: methodtools==0.4.7
include: methodtools, wirerope
expect: stale check, unguarded check
at: wirerope/rope.py
"""

# The cache of an object's method is made at its first look-up: looked for, made, and set as an attribute.
# Of two caches made at a time one is set last; what the other has cached is computed anew by the next caller.

import threading

from methodtools import lru_cache

ROUNDS = 600
start = threading.Barrier(3)
called = []


class Report:
    def __init__(self, number):
        self.number = number

    @lru_cache(maxsize=None)
    def total(self, of):
        called.append((self.number, of))
        return self.number * of


reports = [Report(number) for number in range(ROUNDS)]


def work(place):
    for report in reports:
        start.wait()
        report.total(place)
        start.wait()
        report.total(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(called)} totals were computed, {3 * ROUNDS} different ones")
