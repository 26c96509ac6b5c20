"""Two threads each make the list that is missing: what was appended to one of them is gone.

requires: munch==4.0.0
include: munch
expect: stale check, overwritten before read, unguarded check, unguarded own write
at: munch/__init__.py
"""

import threading
import time

from munch import DefaultFactoryMunch

ready = threading.Barrier(4)
ROUNDS = 150


def make():
    time.sleep(0.0005)  # it asks the database
    return []


rows = DefaultFactoryMunch(make)


def work(place):
    for number in range(ROUNDS):
        ready.wait()
        rows[f"customer{number}"].append(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(4 - len(rows[f"customer{number}"]) for number in range(ROUNDS))
print(f"RESULT {lost} of {4 * ROUNDS} items are gone")
