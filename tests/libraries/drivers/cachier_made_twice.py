"""Threads call a cached function: it runs more than once, as a lock is let go between the look and the mark.

requires: cachier==4.2.0
include: cachier
expect: stale check, unguarded check
at: cachier/core.py, cachier/cores/memory.py
"""

import threading

from cachier import cachier

computed = []


@cachier(backend="memory")
def square(number):
    computed.append(number)
    return number * number


NUMBERS = 100
ready = threading.Barrier(2)
failures = []


def work():
    for number in range(NUMBERS):
        if number % 10 == 0:
            ready.wait(5)
        try:
            square(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(10)
print(f"RESULT {NUMBERS} values were computed {len(computed)} times, {len(failures)} calls failed")
