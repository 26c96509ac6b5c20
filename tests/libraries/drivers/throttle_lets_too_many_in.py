"""A valve counts what it holds and then adds to it: two threads are let in for the last place.

requires: throttle==0.2.2
include: throttle
expect: stale check, unguarded check
at: throttle/__init__.py
"""

import threading

import throttle

LIMIT = 1500
valve = throttle.Static()
passed = []
failures = []


def call():
    for _ in range(1000):
        try:
            if valve.check(60, LIMIT, None) > 0:
                passed.append(None)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(passed)} calls of at most {LIMIT} passed, {len(failures)} failed")
