"""Workers meet at a barrier: the last one tells it to nobody, just before another one begins to wait.

requires: dramatiq==2.2.1
include: dramatiq
expect: lost notification, stale check, unguarded check
at: dramatiq/rate_limits/barrier.py, dramatiq/rate_limits/backends/stub.py
"""

# A party counts itself down, and then waits for the event of the last one. The last one may come in between: it tells
# nobody, and the party waits until its timeout though all are there.

import threading

from dramatiq.rate_limits import Barrier
from dramatiq.rate_limits.backends import StubBackend

ROUNDS = 6000
TIMEOUT = 300  # milliseconds
backend = StubBackend()
meet = threading.Barrier(2)
missed = []


def work():
    for number in range(ROUNDS):
        if len(missed) >= 3:
            break
        barrier = Barrier(backend, f"step-{number}", ttl=60_000)
        barrier.create(parties=2)
        meet.wait()
        if not barrier.wait(timeout=TIMEOUT):
            missed.append(number)
        meet.wait()


threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(missed)} waits for a party that had come already, in rounds {missed} of {ROUNDS}")
