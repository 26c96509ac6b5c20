"""A circuit breaker that is called by all threads: it holds its lock throughout.

requires: pybreaker==1.4.1
include: pybreaker
expect: nothing
"""

import threading

from pybreaker import CircuitBreaker, CircuitBreakerError

breaker = CircuitBreaker(fail_max=3, reset_timeout=0.0005)
outcomes = [{"failed": 0, "open": 0, "done": 0} for _ in range(4)]


def service(number):
    if number % 5 == 0:
        raise ConnectionError
    return number


def call(mine):
    for number in range(500):
        try:
            breaker.call(service, number)
            mine["done"] += 1
        except CircuitBreakerError:
            mine["open"] += 1
        except ConnectionError:
            mine["failed"] += 1


threads = [threading.Thread(target=call, args=(mine,)) for mine in outcomes]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(sum(mine.values()) for mine in outcomes)} of 2000 calls came back")
