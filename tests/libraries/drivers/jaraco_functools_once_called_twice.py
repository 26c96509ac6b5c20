"""A function that is to be called once: two threads find no result yet, and each calls it.

requires: jaraco.functools==4.6.0
include: jaraco.functools
expect: stale check, unguarded check
at: jaraco/functools/__init__.py
"""

import threading
import time

from jaraco.functools import once

made = []
ROUNDS = 120


def service(number):
    @once
    def connect():
        connection = {"to": f"host {number}"}
        time.sleep(0.001)
        made.append(connection)
        return connection

    return connect


services = [service(number) for number in range(ROUNDS)]
start = threading.Barrier(4)
used = [[] for _ in range(4)]
failures = []


def use(place):
    start.wait()
    for connect in services:
        try:
            used[place].append(id(connect()))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} services were connected {len(made)} times, {len(failures)} failed")
