"""Threads go through the same cached table at once: its cache has rows twice, for ever.

requires: petl==1.7.30
include: petl
expect: stale check, lost update
at: petl/util/materialise.py:CacheView.__iter__
"""

import threading
import time

import petl
from petl.util.base import Table


class Measures(Table):
    def __iter__(self):
        yield ("place", "value")
        for number in range(30):
            time.sleep(0.001)
            yield (f"place {number}", number)


table = Measures().cache()


def report():
    petl.nrows(table)


threads = [threading.Thread(target=report) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
rows = list(table)[1:]
print(f"RESULT the cached table has {len(rows)} rows, not 30: {len(rows) - len(set(rows))} too many")
