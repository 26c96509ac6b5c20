"""A function that is to be called once is called by each thread that comes before its end.

requires: pydash==8.1.0
include: pydash.functions
expect: stale check, unguarded check
at: pydash/functions.py:Once.__call__
"""

import threading
import time

import pydash

called = []
ready = threading.Barrier(4)
ROUNDS = 200


def start():
    called.append(1)
    time.sleep(0.001)  # it connects
    return object()


starters = [pydash.once(start) for _ in range(ROUNDS)]


def work(place):
    for starter in starters:
        ready.wait()
        starter()


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(called)} calls of {ROUNDS} functions")
