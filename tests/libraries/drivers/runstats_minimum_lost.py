"""Threads push what they measured into the same statistics: the minimum is higher than what one has just pushed.

requires: runstats==2.0.0
include: runstats
expect: lost update, unguarded update
at: runstats/_core.py
"""

# push() reads the minimum, calls min() and writes the result back (and likewise the maximum). A smaller value that
# another thread pushes between the read and the write is overwritten by the one that was read before.

import threading

from runstats._core import Statistics

PUSHES = 15000
statistics = Statistics()
start = threading.Barrier(3, timeout=20)
lost = []


def work(place):
    start.wait()
    for number in range(PUSHES):
        value = -float(3 * number + place)
        statistics.push(value)
        if statistics.minimum() > value:
            lost.append(value)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(lost)} of {3 * PUSHES} minima were lost, {len(statistics)} values counted")
