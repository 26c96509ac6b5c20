"""One stopwatch is shared. The start is a local variable, and the totals are added up under a lock."""

import contextlib
import threading
import time


class Timings:
    def __init__(self):
        self._lock = threading.Lock()
        self._totals = {}

    @contextlib.contextmanager
    def measure(self, name):
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            with self._lock:
                count, total = self._totals.get(name, (0, 0.0))
                self._totals[name] = (count + 1, total + elapsed)

    def counts(self):
        with self._lock:
            return {name: count for name, (count, _) in self._totals.items()}


timings = Timings()


def work():
    for number in range(60):
        with timings.measure("even" if number % 2 == 0 else "odd"):
            sum(range(number))


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert timings.counts() == {"even": 120, "odd": 120}
