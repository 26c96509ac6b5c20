"""At the limit all threads sleep, and each that wakes sets the count to zero: too many calls get through.

requires: ratelim==0.1.6, decorator==5.3.1
include: ratelim
expect: stale check, lost update
at: ratelim/__init__.py:greedy.wrapped_f
"""

import threading
import time

import ratelim

LIMIT = 5
called = []


@ratelim.greedy(LIMIT, 1)
def ask(number):
    time.sleep(0.001)  # the network
    called.append(time.monotonic())


def work():
    for number in range(3):
        ask(number)


threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
deadline = time.monotonic() + 2.5
for thread in threads:
    thread.join(max(0, deadline - time.monotonic()))
most = max(sum(start <= moment < start + 0.9 for moment in called) for start in called)
print(f"RESULT {most} calls were made within a second, where {LIMIT} are allowed")
