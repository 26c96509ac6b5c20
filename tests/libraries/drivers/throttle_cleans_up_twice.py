"""Two threads clear the same expired entries of a valve: without the GIL one deletes what the other has deleted.

requires: throttle==0.2.2
include: throttle
expect: failed access, unguarded check:gil-only, unguarded update:gil-only
at: throttle/__init__.py
"""

import threading

import throttle

valve = throttle.Static()
failures = []


def call():
    for _ in range(1500):
        try:
            valve.check(0.0005, 40, None)
        except IndexError as error:
            failures.append(error)


threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} checks failed")
