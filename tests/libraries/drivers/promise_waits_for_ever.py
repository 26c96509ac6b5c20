"""A thread finds a promise pending and adds its callback, as another, which has not seen it, fulfils it.

requires: promise==2.3
include: promise
expect: stale check, unguarded check, write skew, lost notification
at: promise/promise.py
"""

import threading

from promise import Promise

ROUNDS = 600
promises = [Promise() for _ in range(ROUNDS)]
start = threading.Barrier(2)
got = []
failures = []


def fulfil():
    for number, promise in enumerate(promises):
        start.wait()
        promise.do_resolve({"number": number})


def wait():
    for promise in promises:
        start.wait()
        try:
            got.append(promise.get(timeout=0.05)["number"])
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=target) for target in (fulfil, wait)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(got)} of {ROUNDS} results were got, {len(failures)} were not: {failures[:1]}")
