"""A counter that compacts itself by going over its keys while other threads add some: RuntimeError, or lost counts.

requires: boltons==26.2.0
include: boltons.cacheutils
expect: changed while iterated, unguarded iteration
at: boltons/cacheutils.py
"""

import threading

from boltons.cacheutils import ThresholdCounter

counter = ThresholdCounter(threshold=0.001)
failures = []


def count(first):
    for number in range(12000):
        try:
            counter.add(first + number)
        except RuntimeError as error:
            failures.append(error)


threads = [threading.Thread(target=count, args=(part * 1000000,)) for part in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} additions failed; {counter.total} counted of 36000")
