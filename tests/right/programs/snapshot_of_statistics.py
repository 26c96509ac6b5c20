"""Numbers that belong together are changed under a lock, and read together as a copy under the same lock."""

import dataclasses
import threading


@dataclasses.dataclass
class Statistics:
    count: int = 0
    total: int = 0
    smallest: int | None = None
    largest: int | None = None


class Meter:
    def __init__(self):
        self._lock = threading.Lock()
        self._now = Statistics()

    def record(self, value):
        with self._lock:
            now = self._now
            now.count += 1
            now.total += value
            if now.smallest is None or value < now.smallest:
                now.smallest = value
            if now.largest is None or value > now.largest:
                now.largest = value

    def snapshot(self):
        with self._lock:
            return dataclasses.replace(self._now)


meter = Meter()
torn = []


def work(step):
    for number in range(60):
        meter.record(number * step)
        seen = meter.snapshot()
        if not seen.smallest <= seen.total / seen.count <= seen.largest:
            torn.append(seen)


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not torn
assert meter.snapshot() == Statistics(180, sum(range(60)) * 6, 0, 177)
