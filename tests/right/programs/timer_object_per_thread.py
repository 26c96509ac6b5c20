"""A stopwatch keeps its start in an attribute between __enter__ and __exit__. Each thread has its own."""

import threading
import time


class Stopwatch:
    def __init__(self):
        self.start = None
        self.total = 0.0
        self.laps = 0

    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.total += time.perf_counter() - self.start
        self.start = None
        self.laps += 1


class Worker(threading.Thread):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount
        self.stopwatch = Stopwatch()
        self.result = 0

    def run(self):
        for number in range(self.amount):
            with self.stopwatch:
                self.result += number * number


workers = [Worker(amount) for amount in (50, 60, 70, 80)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert [worker.stopwatch.laps for worker in workers] == [50, 60, 70, 80]
assert all(worker.stopwatch.start is None and worker.stopwatch.total > 0 for worker in workers)
assert sum(worker.result for worker in workers) == sum(n * n for w in workers for n in range(w.amount))
