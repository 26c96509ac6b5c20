"""A decorated function runs in several threads: they share the timer's start.

requires: codetiming==1.4.0
include: codetiming
expect: overwritten before read, unguarded own write, stale check, unguarded check
at: codetiming/_timer.py
"""

import threading

from codetiming import Timer

failures = []


@Timer(name="work", logger=None)
def compute(number):
    return sum(range(number % 300))


def work():
    for number in range(2500):
        try:
            compute(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 10000 calls failed, {Timer.timers.count('work')} were timed")
