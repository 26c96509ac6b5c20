"""A number is counted up, and read back after another thread counted it up, too.

requires: pydash==8.1.0
include: pydash.utilities
expect: overwritten before read, unguarded own write, lost update, unguarded update
at: pydash/utilities.py:unique_id
"""

import threading

import pydash

given = [[] for _ in range(4)]


def work(place):
    for _ in range(5000):
        given[place].append(pydash.unique_id("row"))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
every = [each for one in given for each in one]
print(f"RESULT {len(every) - len(set(every))} ids were given twice")
