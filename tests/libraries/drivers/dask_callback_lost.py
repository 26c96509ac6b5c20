"""Threads compute at the same time, with a callback that is registered for all: it misses some, and then is gone.

requires: dask==2026.8.0
include: dask
expect: lost update, unguarded update, stale check, unguarded check, overwritten before read, unguarded own write
at: dask/callbacks.py:local_callbacks
"""

# A computation takes the set of registered callbacks, leaves an empty one for its time, and puts the old one back. A
# second one in between takes the empty set, and puts that back last: nothing is registered from then on.

import threading
import time

import dask
from dask.callbacks import Callback

JOBS = 100
start = threading.Barrier(4)
results = []
seen = []


class Watch(Callback):
    def _pretask(self, key, dsk, state):
        seen.append(key)


@dask.delayed
def load(number):
    time.sleep(0.001)  # reads a file
    return number


def compute():
    start.wait()
    for _ in range(JOBS):
        results.append(load(7).compute(scheduler="sync"))


Watch().register()
threads = [threading.Thread(target=compute) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(seen)} of {len(results)} tasks were seen, {len(Callback.active)} callbacks are left of 1")
