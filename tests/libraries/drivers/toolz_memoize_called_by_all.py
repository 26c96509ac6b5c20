"""A memoized function that opens something is called by each thread that finds no value yet.

requires: toolz==1.2.0
include: toolz
expect: stale check
at: toolz/functoolz.py:memoize.<locals>.memof
"""

import threading
import time

from toolz import memoize

ROUNDS = 80
opened = []


@memoize
def connection(host):
    time.sleep(0.001)  # connects
    opened.append(host)
    return object()


def work():
    for number in range(ROUNDS):
        connection(f"host {number}")


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(opened)} connections were opened to {ROUNDS} hosts")
