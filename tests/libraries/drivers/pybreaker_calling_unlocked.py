"""What is done in `with breaker.calling()` ends outside of the breaker's lock: failures are counted without it.

requires: pybreaker==1.4.1
include: pybreaker
expect: unguarded update:gil-only, unguarded check, stale check, lost update, inconsistent locking
at: pybreaker/__init__.py
"""

import threading

from pybreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerListener

opened = []


class Listener(CircuitBreakerListener):
    def state_change(self, cb, old_state, new_state):
        if new_state.name == "open":
            opened.append(threading.current_thread())


ROUNDS = 150
breakers = [CircuitBreaker(fail_max=6, listeners=[Listener()]) for _ in range(ROUNDS)]


def call():
    for breaker in breakers:
        for _ in range(3):
            try:
                with breaker.calling():
                    raise ConnectionError
            except (CircuitBreakerError, ConnectionError):
                pass


threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} breakers opened {len(opened)} times")
