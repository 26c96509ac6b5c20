"""Threads ask for a new circuit: several make it, and failures are counted in one that is replaced.

requires: purgatory-circuitbreaker==0.7.2, setuptools==80.9.0
include: purgatory
expect: stale check, unguarded check
at: purgatory/service/_sync/circuitbreaker.py, purgatory/service/_sync/repository.py
"""

# get_breaker() looks the circuit up, and makes and registers one if there is none. A thread goes on with a circuit that
# another one has replaced: its failures do not count, and the circuit that all others see stays closed.

import threading

from purgatory import SyncCircuitBreakerFactory

CIRCUITS = 2000
factory = SyncCircuitBreakerFactory(default_threshold=3)
start = threading.Barrier(3, timeout=20)
failures = []


def work():
    for number in range(CIRCUITS):
        start.wait()
        try:
            with factory.get_breaker(f"service {number}"):
                raise ConnectionError
        except ConnectionError:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
closed = sum(factory.get_breaker(f"service {number}").context.state == "closed" for number in range(CIRCUITS))
print(f"RESULT {closed} of {CIRCUITS} circuits are closed after three failures, {len(failures)} calls failed")
