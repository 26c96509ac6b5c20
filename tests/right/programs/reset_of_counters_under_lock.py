"""A reporter reads and resets counters in one hold of the lock, so each hit is in one report only."""

import threading


class Counters:
    def __init__(self):
        self._lock = threading.Lock()
        self._hits = {}

    def hit(self, name):
        with self._lock:
            self._hits[name] = self._hits.get(name, 0) + 1

    def drain(self):
        with self._lock:
            hits = self._hits
            self._hits = {}
        return hits


counters = Counters()
stop = threading.Event()
totals = {}


def report():
    while True:
        last = stop.wait(0.002)
        for name, count in counters.drain().items():
            totals[name] = totals.get(name, 0) + count
        if last:
            return


def work():
    for number in range(90):
        counters.hit("fizz" if number % 3 == 0 else "other")


reporter = threading.Thread(target=report)
reporter.start()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stop.set()
reporter.join()
assert totals == {"fizz": 90, "other": 180}
