"""Failures are counted by all threads that call through a breaker: only the GIL keeps each of them.

requires: circuitbreaker==2.1.3
include: circuitbreaker
expect: unguarded update:gil-only, lost update
at: circuitbreaker.py
"""

import threading

from circuitbreaker import CircuitBreaker

breaker = CircuitBreaker(failure_threshold=100_000)
CALLS = 1000


@breaker
def call():
    raise ConnectionError


def use():
    for _ in range(CALLS):
        try:
            call()
        except ConnectionError:
            pass


threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {breaker.failure_count} of {4 * CALLS} failures were counted")
