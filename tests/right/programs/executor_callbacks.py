"""Callbacks of futures add results to a table under a lock; the last one sets an event."""

import threading
from concurrent.futures import ThreadPoolExecutor


class Collector:
    def __init__(self, expected):
        self.lock = threading.Lock()
        self.left = expected
        self.results = []
        self.finished = threading.Event()

    def take(self, future):
        with self.lock:
            self.results.append(future.result())
            self.left -= 1
            last = self.left == 0
        if last:
            self.finished.set()


collector = Collector(60)
with ThreadPoolExecutor(4) as pool:
    for number in range(60):
        pool.submit(pow, number, 2).add_done_callback(collector.take)
    collector.finished.wait()
assert sorted(collector.results) == [number * number for number in range(60)] and collector.left == 0
