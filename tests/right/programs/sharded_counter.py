"""Each thread counts in a cell of its own. What others sum up meanwhile is an estimate; at the end it is exact."""

import threading


class ShardedCounter:
    def __init__(self):
        self._local = threading.local()
        self._lock = threading.Lock()
        self._cells = []

    def _cell(self):
        cell = getattr(self._local, "cell", None)
        if cell is None:
            cell = self._local.cell = [0]
            with self._lock:
                self._cells.append(cell)
        return cell

    def add(self, amount=1):
        self._cell()[0] += amount

    def estimate(self):
        with self._lock:
            cells = list(self._cells)
        return sum(cell[0] for cell in cells)


counter = ShardedCounter()
estimates = []


def work():
    for number in range(150):
        counter.add()
        if number % 30 == 0:
            estimates.append(counter.estimate())


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counter.estimate() == 600 and max(estimates) <= 600
