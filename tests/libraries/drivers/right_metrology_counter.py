"""Counters that add atomically, from a registry with a lock.

requires: metrology==1.3.0, setuptools==80.9.0
include: metrology
expect: nothing
"""

import threading

from metrology import Metrology

ROUNDS = 2000


def work(place):
    for _ in range(ROUNDS):
        Metrology.counter("requests").increment()


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {4 * ROUNDS - Metrology.counter('requests').count} lost")
